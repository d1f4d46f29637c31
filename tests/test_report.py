"""Each format against its snapshot; `LOCKGATE_UPDATE_SNAPSHOTS=1` writes them anew."""

from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from lockgate import report
from lockgate.model import Exemption, Finding, Location, ObjectRef, Report, Rule, Severity

SNAPSHOTS = Path(__file__).parent / "snapshots"
SEVERITIES = {"dev": Severity.WARNING, "canary": Severity.ERROR, "prod": Severity.ERROR}
TOKEN = "hf" + "_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZabCdEfGh"
RULES = {
    rule.id: rule
    for rule in (
        Rule(
            "CST001",
            "cost",
            "The peak fits the budget",
            "d",
            SEVERITIES,
            "Lower `maxReplicas`.",
            ("https://example.com",),
        ),
        Rule("IMG001", "images", "Images are pinned", "d", SEVERITIES, "Write the digest."),
        Rule("KEY003", "secrets", "No credential is written", "d", SEVERITIES, "Refer to the secret."),
        Rule("SCH004", "scheduling", "No GPU selector without GPU", "d", SEVERITIES, "Remove it."),
    )
}
HPA = ObjectRef("HorizontalPodAutoscaler", "api", "api-prod", "autoscaling/v2")
EXEMPTION = Exemption(0, "IMG001", "Deployment/api", ("prod",), "not pinned yet", "ml-platform", "2026-12-08")
FINDINGS = (
    Finding(
        "IMG001", Severity.ERROR, "wants a digest, found 'v0.32.0'", Location("base/deployment.yaml", 3, 12),
        (ObjectRef("Deployment", "api", "api-prod", "apps/v1"),), ("spec", "image"), ("prod",), (), EXEMPTION,
    ),
    Finding(
        "KEY003", Severity.ERROR, f"wants no credential, found a token that starts with '{TOKEN[:6]}'",
        Location("base/deployment.yaml", 4, 7), (ObjectRef("Deployment", "api", "api-dev", "apps/v1"),),
        ("spec", "env", 0, "value"), ("dev", "canary", "prod"),
    ),
    Finding(
        "SCH004", Severity.WARNING, "wants no selector, found \x1b[2J'gpu'", Location("gone.yaml", 9),
        (ObjectRef("Job", "a", "d", "batch/v1"), ObjectRef("Job", "b", "d", "batch/v1")), ("spec",), ("dev",),
    ),
    Finding(
        "CST001", Severity.ERROR, "wants at most 4 GPUs, found a peak of 8: 4 pods x 2 GPUs",
        Location("overlays/prod/hpa.yaml", 2, 3), (HPA,), ("spec", "maxReplicas"), ("prod",),
        (Location("base/hpa.yaml", 7, 3),),
    ),
)  # fmt: skip
REPORT = Report(
    environments=("dev", "canary", "prod"),
    objects={"dev": 1, "canary": 20, "prod": 30},
    rules=RULES,
    findings=FINDINGS,
    not_covered=("RayCluster/x (dev)",),
    renderer="pykustomize",
    engine="embedded",
)
CLEAN = replace(REPORT, environments=("dev",), objects={"dev": 1}, findings=(), not_covered=())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "base/deployment.yaml": f"a:\nb:\n    image: \tx\n      value: {TOKEN}\n",
        "overlays/prod/hpa.yaml": "spec:\n  maxReplicas: 4\n",
    }
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return tmp_path


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def written(name: str, what: Report, root: Path, stream: io.StringIO | None = None) -> str:
    target = stream or io.StringIO()
    report.FORMATS[name](what, target, root)
    return target.getvalue()


def compare(name: str, text: str) -> None:
    file = SNAPSHOTS / name
    if os.environ.get("LOCKGATE_UPDATE_SNAPSHOTS"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", report.FORMATS)
@pytest.mark.parametrize(("kind", "what"), [("findings", REPORT), ("clean", CLEAN)])
def test_a_format_is_as_its_snapshot(name: str, kind: str, what: Report, root: Path) -> None:
    compare(f"report-{kind}.{name}", written(name, what, root))


def test_every_format_has_its_module() -> None:
    assert next(iter(report.FORMATS)) == "text"
    modules = {path.stem for path in Path(report.__file__).parent.glob("*.py")} - {"__init__"}
    assert modules == set(report.FORMATS)


def test_json_does_not_tell_engines_and_renderers_apart(root: Path) -> None:
    other = replace(REPORT, engine="opa", renderer="kubectl")
    assert written("json", other, root) == written("json", REPORT, root)
    document = json.loads(written("json", REPORT, root))
    assert document["version"] == 1
    assert document["summary"]["errors"] == 2
    assert list(document) == sorted(document)


def test_a_terminal_gets_the_same_text_with_colours(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = written("text", REPORT, root, Terminal())
    assert "\x1b[1;31merror" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    plain = written("text", REPORT, root, Terminal())
    assert "\x1b[1;31m" not in plain


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_a_secret_is_not_shown(root: Path, stream: type[io.StringIO]) -> None:
    text = written("text", REPORT, root, stream())
    assert TOKEN not in text
    assert TOKEN[8:] not in text
    assert "value: ***" in text


def test_control_characters_do_not_reach_the_terminal(root: Path) -> None:
    text = written("text", REPORT, root)
    assert text.isascii()
    assert "\x1b" not in text


def test_the_summary_counts(root: Path) -> None:
    text = written("text", REPORT, root)
    assert text.splitlines()[-1] == (
        "3 environments, 51 objects, 4 rules: 2 errors, 1 warning, 1 exempted, 1 not covered (pykustomize, embedded)"
    )
    assert written("text", CLEAN, root) == "1 environment, 1 object, 4 rules: no findings (pykustomize, embedded)\n"


def test_a_very_long_line_is_cut(root: Path) -> None:
    (root / "base" / "deployment.yaml").write_text("x" * 5000, encoding="utf-8")
    finding = replace(FINDINGS[3], location=Location("base/deployment.yaml", 1, 4000))
    text = written("text", replace(REPORT, findings=(finding,)), root)
    assert max(map(len, text.splitlines())) < 250
    assert "^" not in text
