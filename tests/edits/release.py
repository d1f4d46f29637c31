"""Faults of what moves between environments: images, model."""

from __future__ import annotations

from edits.model import DEPLOYMENT, SERVER_ENV, Edit, overlay, release

FAULTS: tuple[Edit, ...] = (
    # Images and model
    Edit("latest", release("dev", "kustomization.yaml"), "newTag: v0.32.0", "newTag: latest", "IMG001", "newTag: latest", ("dev",)),
    Edit("foreign-image", release("prod", "kustomization.yaml"), "newName: docker.io/vllm/vllm-openai", "newName: docker.io/someone/vllm-openai", "IMG002", "newName", ("prod",)),
    Edit("revision-is-a-branch", release("canary"), '"40c069824f4251a91eefaf281ebe4c544efd3e18"', '"main"', "MDL001", "revision:", ("canary",)),
    Edit("revision-is-a-branch-dev", release("dev"), '"40c069824f4251a91eefaf281ebe4c544efd3e18"', '"main"', "MDL001", "revision:", ("dev",), severity="warning"),
    Edit("remote-code", release("prod"), "gpu-memory-utilization: 0.9", "gpu-memory-utilization: 0.9\ntrust-remote-code: true", "MDL001", "trust-remote-code", ("prod",)),
    Edit("server-not-offline", DEPLOYMENT, SERVER_ENV, "", "MDL001", "env:", severity="error"),
    Edit(
        "offline-deleted-by-a-patch",
        overlay("prod", "spread.yaml"),
        "    spec:\n",
        "    spec:\n      containers:\n        - name: vllm\n          env:\n            - name: HF_HUB_OFFLINE\n"
        "              $patch: delete\n",
        "MDL001",
        "$patch: delete",
        ("prod",),
    ),
)
