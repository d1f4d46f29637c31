"""The gate on single edits of a generated repository: the right rule at the right line, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from edits import FAULTS, SILENT, Edit

from lockgate import pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.model import Finding


def found(root: Path) -> list[Finding]:
    """What the gate finds in the repository at `root`, exempted findings left out."""
    result = pipeline.check(root, pipeline.Options())
    assert result is not None
    return list(result[1].open)


def test_default_repository_is_clean(pristine: Path) -> None:
    assert found(pristine) == []


def test_every_rule_of_the_gate_is_broken_at_least_once(pristine: Path) -> None:
    result = pipeline.check(pristine, pipeline.Options())
    assert result is not None
    shipped = {rule.id for rule in result[1].rules.values() if not rule.file.startswith("team/")}
    assert {edit.rule for edit in FAULTS} == shipped


@pytest.mark.parametrize("edit", FAULTS, ids=lambda edit: edit.id)
def test_fault_is_found_at_its_line(edit: Edit, repository: Path) -> None:
    edit.apply(repository)
    findings = found(repository)
    told = {(f.rule, f.location.file, f.location.line, f.environments, str(f.severity)) for f in findings}
    assert told == {(edit.rule, *edit.place(repository), edit.environments, edit.severity)}


@pytest.mark.parametrize("edit", SILENT, ids=lambda edit: edit.id)
def test_trap_stays_silent(edit: Edit, repository: Path) -> None:
    edit.apply(repository)
    assert found(repository) == []
