"""Old findings are set aside, counted and shown; new ones fail; what the baseline need not have is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lockgate import baseline
from lockgate.errors import LockgateError
from lockgate.model import Exemption, Finding, Location, ObjectRef, Report, Severity

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

Run = Callable[..., "subprocess.CompletedProcess[str]"]
SERVER = ObjectRef("Deployment", "api", "prod", "apps/v1")


def finding(rule: str = "GPU001", *environments: str, line: int = 3, **changes: object) -> Finding:
    place, path = Location("a.yaml", line), ("spec", 0)
    made = Finding(rule, Severity.ERROR, f"{rule} at {line}", place, (SERVER,), path, environments or ("prod",))
    return replace(made, **changes)  # type: ignore[arg-type]


def report(*findings: Finding, environments: tuple[str, ...] = ("dev", "prod")) -> Report:
    return Report(environments, dict.fromkeys(environments, 1), {}, findings)


def entries(*findings: Finding) -> list[baseline.Entry]:
    return baseline.parse(baseline.text(report(*findings)), "baseline.json")


def test_the_file_has_a_line_for_each_problem_and_no_line_numbers() -> None:
    exempted = finding("CST001", exemption=Exemption(0, "CST001", "x", (), "r", "o", "2026-01-01"))
    config = ObjectRef("ConfigMap", "serve-5h8mfk2t7c", "prod", "v1")
    text = baseline.text(
        report(
            finding("SEC001"), finding("SEC001", line=9), exempted, finding("GPU001", "dev", "prod", objects=(config,))
        )
    )
    assert text.splitlines() == [
        '{"version": 1, "findings": [',
        '{"rule": "GPU001", "objects": ["ConfigMap/serve"], "path": ["spec", 0], "environments": ["dev", "prod"]},',
        '{"rule": "SEC001", "objects": ["Deployment/api"], "path": ["spec", 0], "environments": ["prod"], "count": 2}',
        "]}",
    ]
    assert json.loads(baseline.text(report())) == {"version": 1, "findings": []}


def test_moved_lines_and_changed_words_stay_in_the_baseline() -> None:
    found = baseline.applied(report(finding(line=30, message="other")), entries(finding()))
    assert (found.open, [f.baseline for f in found.findings], found.stale) == ((), [True], ())


@pytest.mark.parametrize(
    "new",
    [
        finding("GPU002"),
        finding(path=("spec", 1)),
        finding(objects=(replace(SERVER, name="other"),)),
        finding("GPU001", "dev", "prod"),
    ],
    ids=["rule", "path", "object", "environment"],
)
def test_another_rule_object_field_or_environment_is_new(new: Finding) -> None:
    found = baseline.applied(report(new), entries(finding()))
    assert found.open == (new,)
    assert found.stale == ("GPU001 Deployment/api spec.0 (prod)",)


def test_fewer_environments_are_covered() -> None:
    known = entries(finding("GPU001", "dev", "prod"))
    assert baseline.applied(report(finding("GPU001", "dev")), known).open == ()


def test_more_findings_of_a_kind_than_there_were_are_new() -> None:
    found = baseline.applied(
        report(finding(line=1), finding(line=2), finding(line=3)), entries(finding(), finding(line=9))
    )
    assert [f.location.line for f in found.open] == [3]
    assert baseline.applied(report(finding()), entries(finding(), finding(line=9))).stale != ()


def test_an_exemption_comes_first() -> None:
    exempted = finding(exemption=Exemption(0, "GPU001", "Deployment/api", (), "r", "o", "2026-01-01"))
    found = baseline.applied(report(exempted), entries(finding()))
    assert (found.findings, len(found.stale)) == ((exempted,), 1)


def test_environments_that_were_not_checked_make_nothing_stale() -> None:
    known = entries(finding("GPU001", "dev", "prod"))
    assert baseline.applied(report(environments=("prod",)), known).stale == ()
    assert len(baseline.applied(report(), known).stale) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{\n,", "b.json:2: no baseline: "),
        ("[]", "b.json: no baseline: Expected `object`, got `array`"),
        ('{"version": 2, "findings": []}', "b.json: wanted version 1 of a baseline, found 2"),
        ('{"version": 1, "findings": [{"rule": 3}]}', "b.json: no baseline: Expected `str`, got `int`"),
        ('{"version": 1, "findings": [], "more": 1}', "b.json: no baseline: Object contains unknown field `more`"),
    ],
)
def test_a_file_that_is_no_baseline(text: str, message: str) -> None:
    with pytest.raises(LockgateError) as caught:
        baseline.parse(text, "b.json")
    assert caught.value.message.startswith(message)
    assert "--write-baseline" in caught.value.hint


def test_a_repository_takes_up_the_gate_and_sees_only_what_is_new(
    repository: Path, tmp_path: Path, lockgate: Run
) -> None:
    bounds = repository / "overlays" / "prod" / "autoscaler-bounds.yaml"
    good = bounds.read_text(encoding="utf-8")
    bounds.write_text("# moved\n" + good.replace("maxReplicas: 3", "maxReplicas: 9"), encoding="utf-8")
    file = tmp_path / "baseline.json"

    assert lockgate("check", str(repository)).returncode == 1
    written = lockgate("check", str(repository), "--write-baseline", str(file))
    assert written.returncode == 0, written.stdout
    bounds.write_text(good.replace("maxReplicas: 3", "maxReplicas: 8"), encoding="utf-8")
    known = lockgate(
        "check", str(repository), "--baseline", str(file), "--format", "text", "--format", "sarif=s", cwd=tmp_path
    )
    assert known.returncode == 0, known.stdout
    assert "in the baseline: 1 CST001" in known.stdout
    assert ", 1 in baseline" in known.stdout
    results = json.loads((tmp_path / "s").read_text(encoding="utf-8"))["runs"][0]["results"]
    assert [r["suppressions"] for r in results if r["ruleId"] == "CST001"] == [
        [{"kind": "external", "status": "accepted", "justification": "in the baseline"}]
    ]

    deployment = repository / "base" / "deployment.yaml"
    text = deployment.read_text(encoding="utf-8")
    deployment.write_text(text.replace("revisionHistoryLimit: 3", "revisionHistoryLimits: 3"), encoding="utf-8")
    new = lockgate("check", str(repository), "--baseline", str(file))
    assert new.returncode == 1
    assert "API001" in new.stdout

    deployment.write_text(text, encoding="utf-8")
    bounds.write_text(good, encoding="utf-8")
    stale = lockgate("check", str(repository), "--baseline", str(file))
    assert stale.returncode == 0
    assert "stale in the baseline" in stale.stdout
    assert ", 1 stale" in stale.stdout


def test_a_missing_baseline_is_no_answer(repository: Path, lockgate: Run) -> None:
    done = lockgate("check", str(repository), "--baseline", "nowhere.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere.json: the baseline cannot be read" in done.stderr
