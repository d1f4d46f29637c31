"""Faults of what stands around the pods: network, storage, autoscaler, cost, references."""

from __future__ import annotations

from edits.model import CACHE, DEPLOYMENT, POLICIES, PRELOAD, SERVICE, SETTINGS, Edit, overlay

AUTOSCALER = """---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: qwen-chat
  labels:
    app.kubernetes.io/name: qwen-chat
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: qwen-chat}
  minReplicas: 1
  maxReplicas: 1
  metrics:
    - type: Pods
      pods:
        metric: {name: vllm_num_requests_waiting}
        target: {type: AverageValue, averageValue: "5"}
"""

FAULTS: tuple[Edit, ...] = (
    # Network
    Edit("server-unselected", POLICIES, "  podSelector: {}\n  policyTypes: [Ingress, Egress]\n", "  podSelector: {}\n  policyTypes: [Ingress]\n", "NET001", "policyTypes: [Ingress]"),
    Edit("internet-for-all", POLICIES, "  policyTypes: [Ingress]\n", "  policyTypes: [Ingress, Egress]\n  egress:\n    - to:\n        - ipBlock:\n            cidr: 0.0.0.0/0\n      ports:\n        - port: 443\n", "NET002", "cidr: 0.0.0.0/0"),
    Edit("no-dns-over-tcp", POLICIES, "        - protocol: TCP\n          port: 53\n", "", "NET003", "ports:"),
    # Storage
    Edit("claim-read-write-once", CACHE, "    - ReadWriteMany\n", "    - ReadWriteOnce\n", "PVC001", "accessModes:"),
    Edit("class-not-allowed", CACHE, 'storageClassName: "shared-rwx"', 'storageClassName: "fast-local"', "PVC001", "fast-local"),
    Edit("nobody-fills-the-cache", PRELOAD, "            - name: models\n              mountPath: /models\n", "            - name: models\n              mountPath: /models\n              readOnly: true\n", "PVC002", "readOnly: true", nth=3),
    # Autoscaler and cost
    Edit("replicas-beside-autoscaler", overlay("dev", "gpu-quota.yaml"), "", AUTOSCALER, "HPA001", "replicas: 1", ("dev",), at=overlay("dev", "replicas.yaml")),
    Edit("bounds-crossed", overlay("prod", "autoscaler-bounds.yaml"), "minReplicas: 2", "minReplicas: 4", "HPA002", "minReplicas: 4", ("prod",)),
    Edit("one-replica-in-prod", overlay("prod", "autoscaler-bounds.yaml"), "minReplicas: 2", "minReplicas: 1", "HPA002", "minReplicas: 1", ("prod",)),
    Edit("peak-above-budget", overlay("prod", "autoscaler-bounds.yaml"), "maxReplicas: 3", "maxReplicas: 4", "CST001", "maxReplicas: 4", ("prod",)),
    Edit("peak-above-budget-dev", overlay("dev", "replicas.yaml"), "replicas: 1", "replicas: 2", "CST001", "replicas: 2", ("dev",)),
    Edit("budget-lowered", SETTINGS, "    gpu_budget: 12\n", "    gpu_budget: 11\n", "CST001", "maxReplicas: 3", ("prod",), at=overlay("prod", "autoscaler-bounds.yaml")),
    Edit("quota-below-peak", overlay("canary", "gpu-quota.yaml"), '"8"', '"6"', "CST002", '"6"', ("canary",)),
    Edit("quota-above-budget", overlay("prod", "gpu-quota.yaml"), '"12"', '"13"', "CST002", '"13"', ("prod",)),
    Edit("cluster-too-small", SETTINGS, "  main: {gpus: 22}", "  main: {gpus: 21}", "CST003", "main: {gpus: 21}"),
    # References
    Edit("config-map-missing", DEPLOYMENT, "            name: qwen-chat-serve\n", "            name: qwen-chat-server\n", "REF001", "qwen-chat-server"),
    Edit("claim-missing", DEPLOYMENT, "claimName: qwen-chat-models", "claimName: qwen-chat-model", "REF001", "claimName"),
    Edit("secret-key-missing", DEPLOYMENT, "key: api-key", "key: apikey", "REF001", "key: apikey"),
    Edit("account-missing", PRELOAD, "serviceAccountName: qwen-chat", "serviceAccountName: preload", "REF001", "serviceAccountName"),
    Edit("service-selects-nothing", SERVICE, "    app.kubernetes.io/component: server\n  ports", "    app.kubernetes.io/component: serving\n  ports", "REF002", "selector:"),
    Edit("target-port-missing", SERVICE, "targetPort: http", "targetPort: web", "REF002", "targetPort"),
)
