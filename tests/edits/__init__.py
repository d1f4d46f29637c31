"""Single edits to a generated repository, one module per area: what each breaks, and the line to blame."""

from __future__ import annotations

from edits import (
    api,
    cluster,
    contract,
    delivery,
    memory,
    metrics,
    pods,
    quantities,
    references,
    release,
    repository,
    security,
    serving,
    sources,
    traffic,
    workloads,
)
from edits.model import Edit
from edits.silent import SILENT as TRAPS

FAULTS: tuple[Edit, ...] = (
    *api.FAULTS,
    *cluster.FAULTS,
    *contract.FAULTS,
    *delivery.FAULTS,
    *memory.FAULTS,
    *metrics.FAULTS,
    *pods.FAULTS,
    *quantities.FAULTS,
    *references.FAULTS,
    *release.FAULTS,
    *repository.FAULTS,
    *security.FAULTS,
    *serving.FAULTS,
    *sources.FAULTS,
    *traffic.FAULTS,
    *workloads.FAULTS,
)

SILENT: tuple[Edit, ...] = (
    *TRAPS,
    *api.SILENT,
    *contract.SILENT,
    *delivery.SILENT,
    *memory.SILENT,
    *metrics.SILENT,
    *quantities.SILENT,
    *references.SILENT,
    *serving.SILENT,
    *sources.SILENT,
    *traffic.SILENT,
    *workloads.SILENT,
)

__all__ = ["FAULTS", "SILENT", "Edit"]
