"""Faults of what pods stand in: disk, spread, accounts, labels, the model cache, service links."""

from __future__ import annotations

from edits.model import (
    CACHE,
    DEPLOYMENT,
    PRELOAD,
    SERVICE,
    SETTINGS,
    UPPER,
    Edit,
    overlay,
)

ACCOUNT = "base/service-account.yaml"
LABELS = "components/labels/kustomization.yaml"
SERVER_ACCOUNT = "      serviceAccountName: qwen-chat\n"
NO_TOKEN = "      automountServiceAccountToken: false\n"
LINKS = "      enableServiceLinks: false\n"
SIZE = 'storage: "100Gi"'
VERSION = "    pod-security.kubernetes.io/enforce-version: v1.36\n"
HOST_SPREAD = """        - topologyKey: kubernetes.io/hostname
          maxSkew: 1
          whenUnsatisfiable: ScheduleAnyway
          labelSelector: *servers
"""
OWN_SELECTOR = """            matchLabels:
              app.kubernetes.io/name: qwen-chat
              app.kubernetes.io/component: server
"""
REQUIRED = f"""      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            - topologyKey: kubernetes.io/hostname
              labelSelector:
    {OWN_SELECTOR.replace(chr(10), chr(10) + "    ").rstrip()}
"""
# Weights of 100 GiB as published, of which half is loaded.
OWN_FACTS = """
models:
  Qwen/Qwen3-14B:
    parameters: 14768307200
    weights_bytes: 107374182400
    layers: 40
    heads: 40
    kv_heads: 8
    head_dim: 128
    max_position: 40960
"""
ROLE = """---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: qwen-chat
rules:
  - apiGroups: [""]
    resources: [{resources}]
    verbs: [{verbs}]
"""
BINDING = """---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: qwen-chat
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ROLE}
subjects:
  - {kind: ServiceAccount, name: qwen-chat, namespace: qwen-chat-dev}
"""
SERVICE_NAMED = """---
apiVersion: v1
kind: Service
metadata:
  name: NAME
  labels:
    app.kubernetes.io/name: qwen-chat
spec:
  type: ClusterIP
  selector:
    app.kubernetes.io/name: qwen-chat
  ports:
    - name: http
      port: 80
      targetPort: http
"""


def service(name: str) -> Edit:
    """One more Service of the server."""
    return Edit(f"service-named-{name}", SERVICE, "", SERVICE_NAMED.replace("NAME", name))


SERVICE_VLLM = service("vllm")

FAULTS: tuple[Edit, ...] = (
    # Disk
    Edit("disk-limit-removed", DEPLOYMENT, "Gi\n              ephemeral-storage: 16Gi\n              # Equal", "Gi\n              # Equal", "RES002", "limits:", severity="warning"),
    Edit("disk-request-removed", PRELOAD, "              memory: 8Gi\n              ephemeral-storage: 16Gi\n            limits", "              memory: 8Gi\n            limits", "RES002", "requests:", severity="warning"),
    Edit("scratch-unbounded", DEPLOYMENT, "          emptyDir:\n            sizeLimit: 10Gi\n", "          emptyDir: {}\n", "RES002", "emptyDir: {}", severity="warning"),
    # Spread
    Edit("spread-of-other-pods", overlay("prod", "spread.yaml"), "app.kubernetes.io/component: server", "app.kubernetes.io/component: router", "SCH005", "topologySpreadConstraints:", ("prod",), severity="warning"),
    Edit("node-of-its-own", overlay("prod", "spread.yaml"), "    spec:\n", "    spec:\n" + REQUIRED, "SCH005", "- topologyKey: kubernetes.io/hostname", ("prod",), severity="warning"),
    # Namespace
    Edit("pod-security-baseline", overlay("prod", "namespace.yaml"), "enforce: restricted", "enforce: baseline", "SEC004", "baseline", ("prod",)),
    Edit("pod-security-latest", overlay("canary", "namespace.yaml"), "enforce-version: v1.36", "enforce-version: latest", "SEC004", "latest", ("canary",)),
    Edit("pod-security-unversioned", overlay("prod", "namespace.yaml"), VERSION, "", "SEC004", "labels:", ("prod",)),
    # Service links
    Edit("links-of-a-service-named-vllm", DEPLOYMENT, LINKS, "", "VLM003", "    spec:", before=SERVICE_VLLM),
    Edit("links-on-beside-a-service-named-vllm", DEPLOYMENT, LINKS, LINKS.replace("false", "true"), "VLM003", "enableServiceLinks: true", before=SERVICE_VLLM),
    Edit("links-of-a-service-like-vllm", DEPLOYMENT, LINKS, "", "VLM003", "    spec:", severity="warning", before=service("vllm-chat")),
    # Accounts
    Edit("no-account", DEPLOYMENT, SERVER_ACCOUNT, "", "RBA001", "    spec:"),
    Edit("default-account", PRELOAD, SERVER_ACCOUNT, "      serviceAccountName: default\n", "RBA001", "serviceAccountName: default"),
    Edit("token-mounted", DEPLOYMENT, NO_TOKEN, NO_TOKEN.replace("false", "true"), "RBA001", "automountServiceAccountToken: true"),
    Edit("role-of-everything", ACCOUNT, "", ROLE.format(resources="pods", verbs='"*"'), "RBA002", "verbs:"),
    Edit("role-lists-secrets", ACCOUNT, "", ROLE.format(resources="secrets", verbs="list"), "RBA002", "secrets"),
    Edit("role-of-a-shell", ACCOUNT, "", ROLE.format(resources="pods/exec", verbs="create"), "RBA002", "pods/exec"),
    Edit("account-of-the-cluster", ACCOUNT, "", BINDING.replace("ROLE", "cluster-admin"), "RBA002", "cluster-admin"),
    # Labels, namespaces, names
    Edit("service-without-a-name-label", SERVICE, "    app.kubernetes.io/name: qwen-chat\n    app.kubernetes.io/component: server\nspec:", "    app.kubernetes.io/component: server\nspec:", "LBL001", "labels:"),
    Edit("environment-of-another", overlay("canary"), "environment: canary", "environment: prod", "LBL001", "environment: prod", ("canary",)),
    Edit("no-environment", overlay("dev"), "      environment: dev\n", "", "LBL001", "- pairs:", ("dev",)),
    Edit("no-owner", LABELS, '      owner: "ml-platform"\n', "", "LBL001", "- pairs:"),
    Edit("name-with-capitals", CACHE, "", "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: Notes\n", "LBL001", "name: Notes"),
    # Model cache
    Edit("cache-below-the-weights", CACHE, SIZE, "storage: 33Gi", "PVC003", "storage: 33Gi", severity="warning"),
    Edit("weights-above-the-cache", SETTINGS, "", OWN_FACTS, "PVC003", "storage:", at=CACHE, severity="warning"),
    Edit("cache-may-be-written", DEPLOYMENT, "              mountPath: /models\n              readOnly: true\n", "              mountPath: /models\n", "PVC003", "- name: models", severity="warning"),
    Edit("cache-pruned", CACHE, "    argocd.argoproj.io/sync-options: Prune=false,Delete=false\n", "", "PVC004", "annotations:", UPPER),
    Edit("cache-deleted", CACHE, "Prune=false,Delete=false", "Prune=false", "PVC004", "sync-options", UPPER),
)

SILENT: tuple[Edit, ...] = (
    Edit("shared-memory-of-its-own-size", DEPLOYMENT, "sizeLimit: 6Gi", "sizeLimit: 5Gi"),
    Edit("another-medium-for-scratch", DEPLOYMENT, "            sizeLimit: 10Gi\n", "            medium: Memory\n            sizeLimit: 10Gi\n"),
    Edit("spread-by-zone-alone", overlay("prod", "spread.yaml"), HOST_SPREAD, ""),
    Edit("older-pod-security", overlay("prod", "namespace.yaml"), "enforce-version: v1.36", "enforce-version: v1.30"),
    SERVICE_VLLM,
    Edit("links-of-another-service", DEPLOYMENT, LINKS, "", before=service("chat-vllm")),
    Edit("token-by-the-account-but-not-in-the-pods", ACCOUNT, "automountServiceAccountToken: false", "automountServiceAccountToken: true"),
    Edit("token-off-by-the-account", DEPLOYMENT, NO_TOKEN, ""),
    Edit("role-reads-pods", ACCOUNT, "", ROLE.format(resources="pods", verbs="get, list, watch")),
    Edit("role-with-a-colon", ACCOUNT, "", ROLE.format(resources="pods", verbs="get").replace("name: qwen-chat", 'name: "chat:reader"')),
    Edit("config-map-with-dots", CACHE, "", "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: notes.v1\n"),
    Edit("class-of-the-cluster", CACHE, "", "---\napiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata:\n  name: qwen-chat\nvalue: 1000\n"),
    Edit("cache-just-large-enough", CACHE, SIZE, "storage: 34Gi"),
    Edit("a-person-confirms-the-prune", CACHE, "Prune=false,Delete=false", "Prune=confirm,Delete=false"),
)
