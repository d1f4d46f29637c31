"""Faults of kustomizations and settings."""

from __future__ import annotations

from edits.model import SETTINGS, UPPER, Edit, overlay, release

FAULTS: tuple[Edit, ...] = (
    # Kustomize
    Edit("patch-without-match", overlay("prod"), "      kind: HTTPRoute\n", "      kind: HTTPRout\n", "KUS001", "- path: live-share.yaml", ("prod",)),
    Edit("image-without-match", release("dev", "kustomization.yaml"), "images:\n", "images:\n  - name: vllm-opena\n    newTag: v1\n", "KUS001", "- name: vllm-opena", ("dev",)),
    Edit("patch-without-effect", overlay("dev"), "  - path: replicas.yaml\n", "  - path: replicas.yaml\n  - patch: |-\n      apiVersion: v1\n      kind: Service\n      metadata:\n        name: qwen-chat\n      spec:\n        type: ClusterIP\n", "KUS001", "- patch: |-", ("dev",)),
    # Exemptions
    Edit("exemption-without-owner", SETTINGS, '    object: Deployment/qwen-chat\n    environments: [canary, prod]\n    reason: The image is not pinned yet; lockgate pin writes its digest into the release.\n    owner: "ml-platform"\n', "    object: Deployment/qwen-chat\n    environments: [canary, prod]\n    reason: The image is not pinned yet; lockgate pin writes its digest into the release.\n", "EXM001", "- rule: IMG001", UPPER),
    Edit("exemption-unused", SETTINGS, "exemptions:\n", 'exemptions:\n  - {rule: GPU001, object: Deployment/qwen-chat, environments: [dev], reason: a test, owner: ml-platform, expires: "{soon}"}\n', "EXM001", "rule: GPU001", ("dev",), severity="warning"),
)
