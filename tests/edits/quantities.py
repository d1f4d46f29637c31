"""Faults of amounts whose unit was forgotten, and amounts that look wrong and are right."""

from __future__ import annotations

from edits.model import CACHE, DEPLOYMENT, MEMORY, PRELOAD, Edit

SHM = "sizeLimit: 6Gi"
PRELOAD_MEMORY = "limits:\n              memory: 8Gi"

FAULTS: tuple[Edit, ...] = (
    Edit("shm-without-a-unit", DEPLOYMENT, SHM, "sizeLimit: 6", "GPU005", "sizeLimit: 6"),
    Edit("shm-of-zero", DEPLOYMENT, SHM, 'sizeLimit: "0"', "GPU005", 'sizeLimit: "0"'),
    Edit("shm-just-too-small", DEPLOYMENT, SHM, "sizeLimit: 1023Mi", "GPU005", "sizeLimit: 1023Mi"),
    Edit("memory-limit-without-a-unit", DEPLOYMENT, MEMORY + "96Gi\n              ephemeral", MEMORY + "96\n              ephemeral", "RES001", "memory: 96", nth=2),
    Edit("memory-in-thousandths", PRELOAD, PRELOAD_MEMORY, PRELOAD_MEMORY.replace("8Gi", "8000m"), "RES001", "memory: 8000m"),
    Edit("thousands-of-cpus", DEPLOYMENT, 'cpu: "16"', "cpu: 16000", "RES001", "cpu: 16000"),
    Edit("scratch-without-a-unit", DEPLOYMENT, "sizeLimit: 10Gi", "sizeLimit: 10", "RES002", "sizeLimit: 10", severity="warning"),
    Edit("claim-without-a-unit", CACHE, 'storage: "100Gi"', 'storage: "100"', "PVC003", 'storage: "100"', severity="warning"),
)

SILENT: tuple[Edit, ...] = (
    Edit("shm-of-one-gib", DEPLOYMENT, SHM, "sizeLimit: 1Gi"),
    Edit("shm-in-bytes", DEPLOYMENT, SHM, "sizeLimit: 6442450944"),
    Edit("scratch-in-decimal-units", DEPLOYMENT, "sizeLimit: 10Gi", "sizeLimit: 10G"),
    Edit("claim-in-bytes", CACHE, 'storage: "100Gi"', 'storage: "107374182400"'),
)
