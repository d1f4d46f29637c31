"""docs/own-rules.md in a generated repository, as a newcomer follows it, and what the newcomer does wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lockgate import testing

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., subprocess.CompletedProcess[str]]

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "own-rules.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
RULE = "policies/team/owner.rego"


@pytest.fixture
def own(repository: Path) -> Path:
    """A repository with the files of the page."""
    assert len(FILES) == 4
    for name, text in FILES.items():
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_text(text)
    return repository


def in_repository(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, env={**os.environ, "CI": ""})


def test_the_page_from_nothing_to_green(own: Path, lockgate: Run) -> None:
    for command in (["opa", "test", "policies"], ["opa", "fmt", "--fail", "--list", "policies/team"]):
        done = in_repository(own, *command)
        assert done.returncode == 0, done.stdout + done.stderr
    assert testing.unfinished(own) == []
    for sample in testing.team_samples(own):
        [found] = testing.check_inputs([sample.document], settings=sample.settings, policies=own / "policies")
        assert sample.found(found) == sample.expected
    red = lockgate("check", "--env", "prod", cwd=own)
    assert red.returncode == 1
    told = [line for line in red.stdout.splitlines() if "TEAM002" in line and line.startswith("base/")]
    assert {line.partition(":")[0] for line in told} >= {"base/deployment.yaml", "base/preload.yaml"}
    assert all("error TEAM002 the pod wants a label 'team', found none" in line for line in told)
    for file in {own / line.partition(":")[0] for line in told}:
        file.write_text(re.sub(r"(\n    metadata:\n      labels:\n)", r"\1        team: speech\n", file.read_text()))
    green = lockgate("check", cwd=own)
    assert green.returncode == 0, green.stdout
    explained = lockgate("explain", "TEAM002", cwd=own)
    assert explained.stdout.startswith("TEAM002: Pods name their team\nseverity: canary warning, prod error\n")


@pytest.mark.slow
def test_the_repository_s_own_tests_run_the_samples(own: Path) -> None:
    select = ("-k", "sample or whole")
    done = in_repository(own, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *select, "tests")
    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout
    sample = own / "tests" / "rules" / "TEAM002" / "fail-no-label.yaml"
    sample.write_text(sample.read_text().replace("  # expect: TEAM002", "").replace("Pod", "Pod  # expect: TEAM002"))
    (own / "tests" / "rules" / "TEAM002" / "pass-label.yaml").unlink()
    done = in_repository(own, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *select, "tests")
    assert done.returncode == 1
    assert "TEAM002/fail-no-label.yaml" in done.stdout
    assert "policies/team/owner.rego:8: TEAM002 lacks a sample tests/rules/TEAM002/pass-*.yaml" in done.stdout


REMEDIATION = "#   remediation: Add the label `team` to the pod template.\n"
RESULT = 'results.finding("TEAM002", workload.object, path, "the pod wants a label \'team\', found none")'
WRONG = {
    "no-remediation": (REMEDIATION, "", "team/owner.rego:8: METADATA: wanted text under 'remediation', found None"),
    "misspelt": ("# title:", "# titel:", "team/owner.rego:9: METADATA: unknown key 'titel'"),
    "severity": ("prod: error", "prod: fatal", "team/owner.rego:15: METADATA: wanted error, warning or note for prod"),
    "no-metadata": ("# METADATA\n", "", "team/owner.rego:16: the first `deny` has no METADATA block directly above it"),
    "id-taken": ("TEAM002", "TEAM001", "team/terminals.rego:8: id 'TEAM001' is already used at team/owner.rego:8"),
    "id-form": ("TEAM002", "T2", "team/owner.rego:13: METADATA: wanted an id like 'GPU001', found 'T2'"),
    "family": ("TEAM002", "GPU900", "team/owner.rego:8: id 'GPU900' does not match the family: GPU is gpu.rego's"),
    "package": (
        "package lockgate.team.owner",
        "package team.owner",
        "team/owner.rego:1: wanted `package lockgate.team.owner`, found 'team.owner'",
    ),
    "no-set": ("deny contains result if", "deny := result if", "team/owner.rego:17: wanted `deny contains result if"),
    "no-path": (RESULT, '{"id": "TEAM002", "msg": "x", "object": {}}', "team/owner.rego:8: a result lacks 'path': "),
    "text": (RESULT, '"the pod wants a label"', "team/owner.rego:8: a result is no object: 'the pod wants a label'"),
    "other-id": (RESULT, RESULT.replace("M002", "M007"), "team/owner.rego:8: a result has the id 'TEAM007', which"),
    "lost": (
        "some workload in workloads.all",
        "some workload in workloads.all\n\tevery one in workloads.all { not one.object.spec.paused }",
        "team/owner.rego:19: the embedded engine loses a variable of this line in an inner `every`",
    ),
    "syntax": ("some workload in workloads.all", "some workload in", "team/owner.rego:"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rule_is_told_with_file_and_line(own: Path, lockgate: Run, name: str) -> None:
    old, new, problem = WRONG[name]
    file = own / RULE
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    done = lockgate("check", cwd=own)
    assert done.returncode == 2, done.stdout
    assert f"error: {problem}" in done.stderr
    assert re.match(r"error: team/\w+\.rego:[0-9]+: ", done.stderr)
    assert "Traceback" not in done.stderr


def test_what_a_rule_lacks_is_named(own: Path) -> None:
    (own / "policies" / "team" / "owner_test.rego").unlink()
    (own / "tests" / "rules" / "TEAM002" / "fail-no-label.yaml").unlink()
    other = own / "tests" / "rules" / "TEAM009"
    other.mkdir()
    (other / "pass-x.yaml").write_text("a: 1\n")
    assert testing.unfinished(own) == [
        "policies/team/owner.rego:8: TEAM002 lacks a test in policies/team/owner_test.rego",
        "policies/team/owner.rego:8: TEAM002 lacks a sample tests/rules/TEAM002/fail-*.yaml",
        "tests/rules/TEAM009: no rule in policies/team has this id",
    ]


def test_samples_are_judged_by_the_repository_s_numbers(own: Path) -> None:
    assert {sample.settings["project"] for sample in testing.team_samples(own)} == {"qwen-chat"}


def test_every_error_that_the_page_shows_is_one_that_is_told() -> None:
    shown = re.findall(r"^\| .* \| `+([^`].*?)`+ \|$", PAGE.partition("## When something")[2], re.MULTILINE)
    said = [problem for _, _, problem in WRONG.values()]
    for text in shown:
        start = re.sub(r"team/\w+\.rego:[0-9]+", "", text.split(": {")[0]).strip("` ")
        assert any(start[:40] in problem for problem in said) or "lacks a sample" in start, text


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [("workloads.all", "workload_list", "workload_list"), ('"team", "") == ""', '"team", "") == no_team', "no_team")],
)
def test_a_name_that_means_nothing_is_no_silent_rule(own: Path, lockgate: Run, old: str, new: str, name: str) -> None:
    """opa refuses it, too; the embedded engine would take it for a rule that finds nothing."""
    file = own / RULE
    file.write_text(file.read_text().replace(old, new))
    line = next(number for number, text in enumerate(file.read_text().splitlines(), 1) if name in text)
    done = lockgate("check", cwd=own)
    assert done.returncode == 2
    assert f"error: team/owner.rego:{line}: nothing here is called {name!r}" in done.stderr
    assert lockgate("check", "--engine", "opa", cwd=own).returncode == 2
