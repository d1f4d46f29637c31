"""Faults against schemas, API versions and kustomize's fields."""

from __future__ import annotations

from edits.model import ALL, BASE, CACHE, DEPLOYMENT, SERVICE, SETTINGS, Edit, overlay

FAULTS: tuple[Edit, ...] = (
    # Schemas
    Edit("field-misspelt", DEPLOYMENT, "  revisionHistoryLimit: 3\n", "  revisionHistoryLimits: 3\n", "API001", "revisionHistoryLimits", ALL),
    Edit("field-in-the-wrong-place", DEPLOYMENT, "      serviceAccountName: qwen-chat\n", "      progressDeadlineSeconds: 900\n      serviceAccountName: qwen-chat\n", "API001", "      progressDeadlineSeconds: 900", ALL),
    Edit("string-where-a-number-belongs", DEPLOYMENT, "revisionHistoryLimit: 3\n", 'revisionHistoryLimit: "3"\n', "API001", "revisionHistoryLimit", ALL),
    Edit("quantity-with-a-blank", CACHE, '      storage: "100Gi"\n', "      storage: 100 Gi\n", "API001", "storage: 100 Gi", ALL),
    Edit("required-field-missing", SERVICE, "      port: 80\n", "", "API001", "- name: http", ALL),
    # API versions
    Edit("api-removed", "base/service-account.yaml", "", "---\napiVersion: batch/v1beta1\nkind: CronJob\nmetadata:\n  name: old\n", "API002", "batch/v1beta1", ALL),
    Edit("api-deprecated", "base/service-account.yaml", "", "---\napiVersion: v1\nkind: Endpoints\nmetadata:\n  name: old\n", "API002", "apiVersion: v1", ALL, nth=2, severity="warning"),
    # Kustomizations
    Edit("deprecated-field", BASE, "", "commonLabels:\n  app.kubernetes.io/managed-by: kustomize\n", "API003", "commonLabels", ALL, severity="warning"),
    Edit("file-that-nothing-reaches", overlay("dev"), "  - path: replicas.yaml\n", "", "API003", "apiVersion", ("dev",), at=overlay("dev", "replicas.yaml"), severity="warning"),
)

SILENT: tuple[Edit, ...] = (
    Edit("quantity-as-a-number", DEPLOYMENT, 'nvidia.com/gpu: "2"\n            limits', "nvidia.com/gpu: 2\n            limits"),
    Edit("null-for-nothing", SERVICE, "      appProtocol: http\n", "      appProtocol: null\n"),
    Edit("target-of-another-version", SETTINGS, 'kubernetes: "1.36"', 'kubernetes: "1.31"'),
)
