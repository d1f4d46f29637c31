"""`lockgate check --fix`: the finding is gone, and nothing but its field differs, in files and renderings."""

from __future__ import annotations

import re
import shutil
import subprocess
from difflib import unified_diff
from typing import TYPE_CHECKING

import pytest
import yaml
from edits import FAULTS
from edits.fixes import ABORT, CASES, Case

from lockgate import fix, pipeline, rules

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lockgate.fix import Mended

    Run = Callable[..., subprocess.CompletedProcess[str]]

OVERLAY = "overlays/prod/kustomization.yaml"
PLACES = ("base", "overlay", "inline", "component")


def mended(root: Path) -> Mended:
    return fix.mend(root, pipeline.Options())


def replaced(text: str, edits: tuple[tuple[str, str], ...]) -> str:
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
        text = text.replace(old, new)
    return text


def indented(text: str) -> str:
    return "".join(f"      {line}\n" for line in text.splitlines())


def plant(case: Case, place: str, root: Path) -> tuple[str, str, str]:
    """Breaks the repository; the file, its text, and the text that must come out."""
    if place == "base":
        pristine = (root / case.file).read_text()
        return case.file, replaced(pristine, case.base), replaced(pristine, case.fixed)
    if place == "inline":
        text = (root / OVERLAY).read_text()
        faulty, good = (
            text.replace("patches:\n", f"patches:\n  - patch: |\n{indented(one)}") for one in (case.patch, case.patched)
        )
        return OVERLAY, faulty, good
    folder = "overlays/prod" if place == "overlay" else "components/fault"
    if place == "overlay":
        file = root / OVERLAY
        file.write_text(file.read_text().replace("patches:\n", "patches:\n  - path: fault.yaml\n"))
    else:
        (root / folder).mkdir()
        head = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
        (root / folder / "kustomization.yaml").write_text(f"{head}patches:\n  - path: fault.yaml\n")
        for name in ("dev", "canary", "prod"):
            file = root / "overlays" / name / "kustomization.yaml"
            file.write_text(file.read_text().replace("  - release\n", "  - release\n  - ../../components/fault\n"))
    return f"{folder}/fault.yaml", case.patch, case.patched


@pytest.mark.parametrize(
    ("case", "place"),
    [(c, p) for c in CASES for p in (PLACES if c.patch else PLACES[:1])],
    ids=lambda one: getattr(one, "id", one),
)
def test_a_fault_is_mended_where_it_is_written(case: Case, place: str, repository: Path) -> None:
    name, faulty, good = plant(case, place, repository)
    (repository / name).write_text(faulty)
    found = mended(repository)
    assert {one.rule for one in found.before.open} == {case.rule}
    assert [one.rule for one in found.done] == [case.rule] * len(found.before.open)
    assert found.left == []
    assert found.files == {name: (faulty, good)}
    assert found.report.open == ()
    assert (repository / name).read_text() == faulty  # only the command writes


BY_EDIT = (
    "links-of-a-service-named-vllm",
    "links-on-beside-a-service-named-vllm",
    "token-mounted",
    "cache-may-be-written",
    "cache-pruned",
    "cache-deleted",
)
"""Faults of tests/edits that need more than one edit to be there."""


@pytest.mark.parametrize("name", BY_EDIT)
def test_one_line_mends_a_fault_of_the_gate_s_own_table(name: str, repository: Path) -> None:
    edit = next(edit for edit in FAULTS if edit.id == name)
    edit.apply(repository)
    found = mended(repository)
    assert [one.rule for one in found.done] == [edit.rule]
    assert found.report.open == ()
    [(old, new)] = found.files.values()
    before, after = old.splitlines(), new.splitlines()
    assert len(after) - len(before) in {0, 1}
    changed = [line for line in unified_diff(before, after, n=0, lineterm="") if re.match(r"[+][^+]", line)]
    assert len(changed) == 1


def test_every_rule_with_an_answer_is_tried(pristine: Path) -> None:
    """What `results.set_to`, `removed` and `with_fix` stand in is a rule of the table."""
    tried = (
        {case.rule for case in (*CASES, ABORT)}
        | {"EXM001", "HPA001"}
        | {edit.rule for edit in FAULTS if edit.id in BY_EDIT}
    )
    folder = pristine / "policies"
    answered: set[str] = set()
    for rule in rules.load(folder).rules.values():
        lines = (folder / rule.file).read_text().split("\n")
        later = [
            one.line for one in rules.load(folder).rules.values() if one.file == rule.file and one.line > rule.line
        ]
        text = "\n".join(lines[rule.line : min(later, default=len(lines) + 1) - 1])
        if any(f"results.{word}(" in text for word in ("set_to", "removed", "with_fix")):
            answered.add(rule.id)
    assert answered == tried


def test_replicas_beside_an_autoscaler_go(repository: Path) -> None:
    shutil.rmtree(repository / "argocd")  # an Application that leaves replicas alone is the other answer
    file = repository / "components" / "progressive" / "rollout.yaml"
    good = file.read_text()
    faulty = good.replace("\nspec:\n", "\nspec:\n  # Two are enough.\n  replicas: 2\n")
    file.write_text(faulty)
    found = mended(repository)
    assert [one.rule for one in found.done] == ["HPA001"]
    wanted = faulty.replace("  replicas: 2\n", "")
    assert found.files == {"components/progressive/rollout.yaml": (faulty, wanted)}


UNUSED = """  - rule: SCH002
    object: Deployment/qwen-chat
    reason: |
      It was needed once.

    owner: me
    expires: "{soon}"
"""


def test_an_unused_exemption_goes(repository: Path) -> None:
    settings = repository / "lockgate.yaml"
    good = settings.read_text()
    day = good.rpartition('expires: "')[2][:10]
    first, mark, rest = good.partition("exemptions:\n")
    faulty = f"{first}{mark}{UNUSED.replace('{soon}', day)}{rest}"
    settings.write_text(faulty)
    found = mended(repository)
    assert [one.rule for one in found.done] == ["EXM001"]
    assert found.files == {"lockgate.yaml": (faulty, good)}


def break_twice(root: Path) -> tuple[Path, str]:
    """Two faults in one file; the file and its good text."""
    file = root / "base" / "deployment.yaml"
    good = file.read_text()
    text = good.replace("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true")
    file.write_text(text.replace("failureThreshold: 60", "failureThreshold: 6"))
    return file, good


def test_the_command_shows_a_diff_then_mends(repository: Path, lockgate: Run) -> None:
    file, good = break_twice(repository)
    faulty = file.read_text()
    shown = lockgate("check", "--fix", "--diff", cwd=repository)
    assert shown.returncode == 1
    assert shown.stderr.count("would mend base/deployment.yaml:") == 2
    assert file.read_text() == faulty
    patch = subprocess.run(["git", "apply", "-"], cwd=repository, input=shown.stdout, text=True, check=False)
    assert patch.returncode == 0
    assert file.read_text() == good
    file.write_text(faulty)
    done = lockgate("check", "--fix", cwd=repository)
    assert done.returncode == 0, done.stderr
    assert "no findings" in done.stdout
    assert done.stderr.count("mended base/deployment.yaml:") == 2
    assert file.read_text() == good
    again = lockgate("check", "--fix", cwd=repository)
    assert again.returncode == 0
    assert "nothing to mend" in again.stderr
    assert lockgate("check", "--fix", "--diff", cwd=repository).stdout == ""


def test_what_has_no_answer_stays_and_counts(repository: Path, lockgate: Run) -> None:
    break_twice(repository)
    bounds = repository / "overlays" / "prod" / "autoscaler-bounds.yaml"
    bounds.write_text(bounds.read_text().replace("maxReplicas: 3", "maxReplicas: 4"))
    done = lockgate("check", "--fix", cwd=repository)
    assert done.returncode == 1
    assert "CST001" in done.stdout
    assert "SEC001" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--diff",), "--diff shows what --fix would do"),
        (("--fix", "--env", "prod"), "--fix looks at all environments"),
        (("--fix", "--changed", "base/deployment.yaml"), "--fix looks at all environments"),
    ],
)
def test_options_that_do_not_go_together(
    repository: Path, lockgate: Run, arguments: tuple[str, ...], problem: str
) -> None:
    done = lockgate("check", *arguments, cwd=repository)
    assert done.returncode == 2
    assert problem in done.stderr


def test_an_overlay_s_folder_mends_the_whole_repository(repository: Path) -> None:
    file, good = break_twice(repository)
    found = mended(repository / "overlays" / "dev")
    assert found.files == {"base/deployment.yaml": (file.read_text(), good)}


def test_line_ends_and_a_missing_last_one_stay(repository: Path, lockgate: Run) -> None:
    file, good = break_twice(repository)
    faulty = (
        file.read_text().replace("            sizeLimit: 6Gi\n", "            sizeLimit: 6Gi").replace("\n", "\r\n")
    )
    file.write_bytes(faulty.encode())
    assert lockgate("check", "--fix", cwd=repository).returncode == 0
    assert file.read_bytes() == good.removesuffix("\n").replace("\n", "\r\n").encode()


def test_a_file_that_cannot_be_written_is_one_line(repository: Path) -> None:
    break_twice(repository)
    program = (
        "import pathlib, sys\nfrom lockgate import cli\n"
        "def denied(*_): raise PermissionError(13, 'Permission denied')\n"
        "whole = pathlib.Path.write_bytes\n"
        f"def write(path, data): return denied() if str(path).startswith({str(repository)!r}) else whole(path, data)\n"
        "pathlib.Path.write_bytes = write\nsys.exit(cli.run(['check', '--fix']))\n"
    )
    done = subprocess.run(["python", "-c", program], cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "base/deployment.yaml: cannot be written: Permission denied" in done.stderr


def refusal(root: Path) -> str:
    """Why the one finding with an answer is left; nothing may have changed."""
    found = mended(root)
    assert found.done == []
    assert found.files == {}
    [(_, reason)] = found.left
    return reason


def test_a_field_that_a_patch_removes_is_left(repository: Path) -> None:
    file = repository / OVERLAY
    patch = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: qwen-chat\n"
        "spec:\n  template:\n    spec:\n      securityContext:\n        seccompProfile: null\n"
    )
    file.write_text(file.read_text().replace("patches:\n", f"patches:\n  - patch: |\n{indented(patch)}"))
    assert refusal(repository) == "another line removes the field"


def test_a_value_that_an_alias_shares_is_left(repository: Path) -> None:
    """The anchor stands at a field that is right as it is."""
    file = repository / "base" / "deployment.yaml"
    text = file.read_text()
    text = text.replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: &yes true")
    file.write_text(
        text.replace(
            "allowPrivilegeEscalation: false\n            readOnlyRootFilesystem: &yes true",
            "readOnlyRootFilesystem: &yes true\n            allowPrivilegeEscalation: *yes",
        )
    )
    assert refusal(repository) == "the value is not a plain one"


def test_a_line_that_serves_an_environment_that_is_right_is_left(repository: Path) -> None:
    name, faulty, _ = plant(ABORT, "base", repository)
    (repository / name).write_text(faulty)
    assert refusal(repository) == "the line serves canary too, which is as it should be"


@pytest.mark.parametrize("place", ["overlay", "inline"])
def test_the_line_of_one_environment_is_mended(repository: Path, place: str) -> None:
    name, faulty, good = plant(ABORT, place, repository)
    (repository / name).write_text(faulty)
    assert mended(repository).files == {name: (faulty, good)}


def test_an_answer_for_another_line_than_the_one_to_blame_is_none(repository: Path) -> None:
    """The limit of prod alone is to blame, and what the request should be says nothing about it."""
    patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: qwen-chat}\nspec:\n  template:\n    spec:\n"
    patch += "      containers:\n        - name: vllm\n          resources: {limits: {memory: 112Gi}}\n"
    file = repository / OVERLAY
    file.write_text(file.read_text().replace("patches:\n", f"patches:\n  - patch: |\n{indented(patch)}"))
    found = mended(repository)
    assert [(one.rule, one.location.file, one.fix) for one in found.before.open] == [("RES001", OVERLAY, ())]
    assert (found.done, found.left, found.files) == ([], [], {})


def test_a_patch_that_would_change_nothing_any_more_is_left(repository: Path) -> None:
    """Its line is not to be mended but to be removed, and that is not ours to say."""
    case = next(case for case in CASES if case.id == "grace")
    name, faulty, _ = plant(case, "overlay", repository)
    (repository / name).write_text(faulty.replace("  annotations: {tried: monday}\n", ""))
    assert refusal(repository).startswith("it would bring KUS001: patch fault.yaml")


def test_json_patches_are_mended_too(repository: Path) -> None:
    file = repository / OVERLAY
    pristine = file.read_text()
    patch = (
        "patches:\n  - target: {kind: Deployment, name: qwen-chat}\n    patch: |-\n"
        "      - op: replace\n        path: /spec/template/spec/terminationGracePeriodSeconds\n"
        "        value: VALUE # short\n"
        "      - op: add\n        path: /metadata/annotations/tried\n        value: monday\n"
    )
    faulty, good = (pristine.replace("patches:\n", patch.replace("VALUE", value)) for value in ("60", "90"))
    file.write_text(faulty)
    assert mended(repository).files == {OVERLAY: (faulty, good)}


def test_what_is_mended_is_what_a_reader_of_yaml_sees(repository: Path) -> None:
    """No fix of the table leaves a file that another reader takes for something else."""
    file, _ = break_twice(repository)
    found = mended(repository)
    old, new = found.files["base/deployment.yaml"]
    before, after = yaml.safe_load(old), yaml.safe_load(new)
    assert before != after
    container = before["spec"]["template"]["spec"]["containers"][0]
    container["securityContext"]["allowPrivilegeEscalation"] = False
    container["startupProbe"]["failureThreshold"] = 60
    assert before == after
    assert file.read_text() == old
