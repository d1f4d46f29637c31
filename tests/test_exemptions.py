"""An exemption hides one finding: its own, and no other of the same rule or of the same object."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest
import yaml
from edits import FAULTS, Edit
from edits.model import ALL, TODAY

from lockgate import pipeline
from lockgate.model import field_text

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.model import Finding

# One fault a rule; a finding about lockgate.yaml itself is none that an entry in it could hide.
ONE_EACH = {edit.rule: edit for edit in FAULTS if edit.rule != "EXM001"}


def checked(root: Path) -> list[Finding]:
    result = pipeline.check(root, pipeline.Options())
    assert result is not None
    return list(result[1].findings)


def told(findings: list[Finding]) -> set[tuple[str, str, str, str]]:
    """What was found on which object; lines of lockgate.yaml move with the entry."""
    return {(f.rule, f.message, f.location.file, str(ref)) for f in findings for ref in f.objects}


def exempt(root: Path, rule: str, target: str, field: str = "", environments: tuple[str, ...] = ALL) -> None:
    """Adds a whole exemption that ends today to lockgate.yaml."""
    entry = {
        "rule": rule,
        "object": target,
        **({"field": field} if field else {}),
        "environments": list(environments),
        "reason": "tried here",
        "owner": "ml-platform",
        "expires": str(TODAY),
    }
    file = root / "lockgate.yaml"
    text = file.read_text(encoding="utf-8")
    assert text.count("exemptions:\n") == 1
    added = "exemptions:\n" + textwrap.indent(yaml.safe_dump([entry]), "  ")
    file.write_text(text.replace("exemptions:\n", added), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("edit", ONE_EACH.values(), ids=ONE_EACH)
def test_an_exemption_hides_its_finding_and_no_other(edit: Edit, repository: Path) -> None:
    edit.apply(repository)
    before = checked(repository)
    [fault] = [finding for finding in before if finding.exemption is None]
    for ref in fault.objects:
        exempt(repository, fault.rule, str(ref), environments=fault.environments)
    after = checked(repository)
    assert [f for f in after if f.exemption is None] == []
    assert told(after) == told(before)


TWO_VARIABLES = """          env:
            - name: NVIDIA_VISIBLE_DEVICES
              value: all
            - name: CUDA_VISIBLE_DEVICES
              value: "0"
"""


@pytest.fixture
def twice_broken(repository: Path) -> Path:
    """GPU004 by two variables of one container."""
    file = repository / "base" / "deployment.yaml"
    text = file.read_text(encoding="utf-8")
    assert text.count("          env:\n") == 1
    file.write_text(text.replace("          env:\n", TWO_VARIABLES), encoding="utf-8")
    return repository


def test_an_exemption_of_two_findings_is_told(twice_broken: Path) -> None:
    exempt(twice_broken, "GPU004", "Deployment/qwen-chat")
    left = [f for f in checked(twice_broken) if f.exemption is None]
    assert [f.rule for f in left] == ["EXM001"]
    assert "found 2: " in left[0].message


def test_a_field_narrows_an_exemption_to_one_of_two(twice_broken: Path) -> None:
    first, second = [f for f in checked(twice_broken) if f.exemption is None]
    exempt(twice_broken, "GPU004", "Deployment/qwen-chat", field_text(first.path))
    assert [f for f in checked(twice_broken) if f.exemption is None] == [second]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("spec", "containers", 0, "image"), "spec.containers[0].image"),
        (("metadata", "labels", "app.kubernetes.io/name"), 'metadata.labels["app.kubernetes.io/name"]'),
        (("a", 1, 2), "a[1][2]"),
    ],
)
def test_a_field_is_written_as_a_person_does(path: tuple[str | int, ...], text: str) -> None:
    assert field_text(path) == text
