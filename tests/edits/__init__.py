"""Single edits to a generated repository, one module per area: what each breaks, and the line to blame."""

from __future__ import annotations

from edits import cluster, pods, release, repository, security
from edits.model import Edit
from edits.silent import SILENT

FAULTS: tuple[Edit, ...] = (
    *cluster.FAULTS,
    *pods.FAULTS,
    *release.FAULTS,
    *repository.FAULTS,
    *security.FAULTS,
)

__all__ = ["FAULTS", "SILENT", "Edit"]
