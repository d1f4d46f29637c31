"""Each format against its snapshot; `LOCKGATE_UPDATE_SNAPSHOTS=1` writes them anew."""

from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from report_scene import BASELINE, CLEAN, FINDINGS, HOSTILE, REPORT, REPORTS, TOKEN, written

from lockgate import report
from lockgate.model import Location, ObjectRef, Report
from lockgate.report import common, sarif

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

SNAPSHOTS = Path(__file__).parent / "snapshots"


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


def compare(name: str, text: str) -> None:
    file = SNAPSHOTS / name
    if os.environ.get("LOCKGATE_UPDATE_SNAPSHOTS"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", report.FORMATS)
@pytest.mark.parametrize(("kind", "what"), [("findings", REPORT), ("clean", CLEAN), ("baseline", BASELINE)])
def test_a_format_is_as_its_snapshot(
    name: str, kind: str, what: Report, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sarif, "__version__", "1.2.3")
    compare(f"report-{kind}.{name}", written(name, what, root))


def test_every_format_has_its_module() -> None:
    assert list(report.FORMATS) == ["text", "json", "sarif", "junit", "github", "gitlab", "markdown"]
    modules = {path.stem for path in Path(report.__file__).parent.glob("*.py")} - {"__init__", "common"}
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
        "3 environments, 53 objects, 4 rules: 2 errors, 1 warning, 1 exempted, 1 not covered (pykustomize, embedded)"
    )
    assert written("text", CLEAN, root) == "1 environment, 1 object, 4 rules: no findings (pykustomize, embedded)\n"


def test_an_object_of_several_environments_is_named_once(root: Path) -> None:
    objects = tuple(ObjectRef("Deployment", "api", f"chat-{name}", "apps/v1") for name in ("canary", "dev", "prod"))
    finding = replace(FINDINGS[3], objects=objects, environments=("dev", "canary", "prod"))
    assert "in: dev, canary, prod: Deployment/api\n" in written("text", replace(REPORT, findings=(finding,)), root)


def test_a_very_long_line_is_cut(root: Path) -> None:
    (root / "base" / "deployment.yaml").write_text("x" * 5000, encoding="utf-8")
    finding = replace(FINDINGS[3], location=Location("base/deployment.yaml", 1, 4000))
    text = written("text", replace(REPORT, findings=(finding,)), root)
    assert max(map(len, text.splitlines())) < 250
    assert "^" not in text


@pytest.mark.parametrize("what", REPORTS.values(), ids=REPORTS)
@pytest.mark.parametrize("name", report.FORMATS)
def test_no_format_shows_a_secret(name: str, what: Report, root: Path) -> None:
    text = written(name, what, root)
    assert TOKEN not in text
    assert "\x1b" not in text


def test_a_fingerprint_stays_when_lines_move_and_values_change() -> None:
    moved = tuple(
        replace(f, location=Location(f.location.file, f.location.line + 9), message="other", environments=("dev",))
        for f in HOSTILE.findings
    )
    before = [digits for _, digits in common.fingerprints(HOSTILE)]
    assert [digits for _, digits in common.fingerprints(replace(HOSTILE, findings=moved))] == before
    assert len(set(before)) == len(before)


def test_a_fingerprint_leaves_out_the_hash_of_a_generated_name() -> None:
    [finding] = FINDINGS[1:2]
    [ref] = finding.objects
    names = ("chat-serve-5h8mfk2t7c", "chat-serve-7b9mfk2t7c")
    configs = [replace(finding, objects=(replace(ref, kind="ConfigMap", name=name),)) for name in names]
    digits = {d for config in configs for _, d in common.fingerprints(replace(REPORT, findings=(config,)))}
    assert len(digits) == 1


def test_several_formats_go_to_several_files_in_one_run(
    repository: Path, tmp_path: Path, lockgate: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    file = repository / "overlays" / "prod" / "autoscaler-bounds.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("maxReplicas: 3", "maxReplicas: 9"), encoding="utf-8")
    folder = tmp_path / "reports"
    folder.mkdir()
    others = [word for name in list(report.FORMATS)[1:] for word in ("--format", f"{name}={folder / name}")]
    done = lockgate("check", str(repository), "--format", "text", *others)
    assert done.returncode == 1
    assert "CST001" in done.stdout
    assert {path.name for path in folder.iterdir()} == set(report.FORMATS) - {"text"}
    assert [path.name for path in folder.iterdir() if "CST001" not in path.read_text(encoding="utf-8")] == []
    assert len(json.loads((folder / "sarif").read_text(encoding="utf-8"))["runs"]) == 1
