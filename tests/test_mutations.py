"""Single seeded faults over a generated repository: each is found by its rule, at its file and line, and alone.

Text edits of single files (Argo CD objects, lockgate.yaml, releases) are in test_edits.py; here a patch
brings the fault to every place where a person could have written it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from edits import FAULTS
from mutations import MUTATIONS, Mutation
from test_edits import found

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_there_are_enough_of_them() -> None:
    assert len({mutation.id for mutation in MUTATIONS}) == len(MUTATIONS)
    assert len(MUTATIONS) >= 200
    assert {mutation.place.folder.partition("/")[0] for mutation in MUTATIONS} == {"base", "components", "overlays"}
    assert {edit.file.partition("/")[0] for edit in FAULTS} >= {"argocd", "lockgate.yaml"}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.id)
def test_a_seeded_fault_is_found_at_its_line(mutation: Mutation, repository: Path) -> None:
    mutation.place.write(repository, mutation.seed)
    told = {(f.rule, f.location.file, f.location.line, f.environments) for f in found(repository)}
    assert told == {(mutation.seed.rule, *mutation.blamed, mutation.environments)}
