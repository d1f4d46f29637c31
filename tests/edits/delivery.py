"""Faults of what Argo CD is told: projects, revisions, sync, order."""

from __future__ import annotations

from edits.model import CACHE, PRELOAD, ROLLOUT, UPPER, Edit

SET = "argocd/application-set.yaml"
PROJECT = "argocd/project.yaml"
PROD = "          - environment: prod\n            revision: v0.1.0\n"
CANARY = "          - environment: canary\n            revision: main\n"
DEV = "          - environment: dev\n            revision: main\n"
REPLICAS = "        - group: argoproj.io\n          kind: Rollout\n          jsonPointers:\n            - /spec/replicas\n"
RESPECT = "        syncOptions:\n          - RespectIgnoreDifferences=true\n"
WAVE = '    argocd.argoproj.io/sync-wave: "1"\n'
SECOND = """---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: second
spec:
  project: qwen-chat
  source:
    repoURL: "https://git.example.com/ml-platform/qwen-chat.git"
    targetRevision: main
    path: overlays/dev
  destination: {server: CLUSTER, namespace: qwen-chat-dev}
  syncPolicy:
    automated: {prune: true, selfHeal: true}
"""

FAULTS: tuple[Edit, ...] = (
    # Projects
    Edit("default-project", SET, "      project: qwen-chat\n", "      project: default\n", "ARG001", "project: default", UPPER),
    Edit("project-of-nobody", SET, "      project: qwen-chat\n", "      project: qwen-chats\n", "ARG001", "project: qwen-chats", UPPER),
    Edit("any-repository", PROJECT, "  sourceRepos:\n", "  sourceRepos:\n    - '*'\n", "ARG001", "- '*'", UPPER),
    Edit("any-namespace", PROJECT, "      namespace: qwen-chat-prod\n", "      namespace: '*'\n", "ARG001", "namespace: '*'", UPPER),
    Edit("any-cluster-kind", PROJECT, '    - {group: "", kind: Namespace}\n', '    - {group: "*", kind: "*"}\n', "ARG001", 'kind: "*"', UPPER),
    # Revisions
    Edit("prod-follows-main", SET, PROD, PROD.replace("v0.1.0", "main"), "ARG002", "revision: main", ("prod",), nth=3),
    Edit("prod-follows-a-range", SET, PROD, PROD.replace("v0.1.0", '"0.*"'), "ARG002", 'revision: "0.*"', ("prod",)),
    Edit("canary-follows-the-default", SET, CANARY, CANARY.replace("main", "HEAD"), "ARG002", "revision: HEAD", ("canary",), severity="warning"),
    # Folders and namespaces
    Edit("folder-that-is-not-there", SET, '"overlays/{{ .environment }}"', '"overlay/{{ .environment }}"', "ARG003", "path:"),
    Edit("element-misspelt", SET, "- environment: prod\n", "- environment: prd\n", "ARG003", "environment: prd", ("prod",)),
    Edit("element-missing", SET, CANARY, "", "ARG003", "elements:", ("canary",)),
    Edit("overlay-twice", SET, DEV, DEV + DEV, "ARG003", "- environment: dev", ("dev",), nth=2),
    Edit("namespace-of-another", SET, '        namespace: "qwen-chat-{{ .environment }}"\n', "        namespace: qwen-chat-prod\n", "ARG003", "namespace: qwen-chat-prod", ("dev", "canary")),
    Edit("second-application", SET, "", SECOND.replace("CLUSTER", '"https://kubernetes.default.svc"'), "ARG003", "path: overlays/dev", ("dev",)),
    # Sync
    Edit("replicas-not-ignored", SET, REPLICAS, "", "ARG004", "ignoreDifferences:", UPPER),
    Edit("replicas-of-another-kind", SET, "          kind: Rollout\n", "          kind: Deployment\n", "ARG004", "ignoreDifferences:", UPPER),
    Edit("differences-not-respected", SET, RESPECT, "", "ARG004", "syncPolicy:", UPPER, nth=2),
    Edit("no-prune", SET, "          prune: true\n", "", "ARG004", "automated:"),
    Edit("no-self-heal", SET, "          selfHeal: true\n", "          selfHeal: false\n", "ARG004", "selfHeal: false"),
    Edit("no-automated-sync", SET, "        automated:\n          prune: true\n          selfHeal: true\n", "", "ARG004", "syncPolicy:", ("dev", "canary"), nth=2),
    # Order
    Edit("server-beside-the-preload", ROLLOUT, 'sync-wave: "2"', 'sync-wave: "1"', "ARG005", "sync-wave", UPPER, severity="warning"),
    Edit("claim-after-the-preload", CACHE, 'sync-wave: "0"', 'sync-wave: "2"', "ARG005", "sync-wave", UPPER, at=PRELOAD, severity="warning"),
    Edit("preload-before-the-sync", PRELOAD, "hook: Sync", "hook: PreSync", "ARG005", "sync-wave", UPPER, severity="warning"),
    Edit("hook-without-delete-policy", PRELOAD, "    argocd.argoproj.io/hook-delete-policy: BeforeHookCreation\n", "", "ARG005", "annotations:", UPPER, severity="warning"),
)

SILENT: tuple[Edit, ...] = (
    Edit("prod-at-a-commit", SET, PROD, PROD.replace("v0.1.0", "0123456789abcdef0123456789abcdef01234567")),
    Edit("prod-at-a-dated-tag", SET, PROD, PROD.replace("v0.1.0", "release-2026-11-24")),
    Edit("canary-at-a-tag", SET, CANARY, CANARY.replace("main", "v0.2.0-rc.1")),
    Edit("canary-on-its-own-branch", SET, CANARY, CANARY.replace("main", "canary")),
    Edit("dev-follows-the-default", SET, DEV, DEV.replace("main", "HEAD")),
    Edit("path-with-dot-and-slash", SET, '"overlays/{{ .environment }}"', '"./overlays/{{ .environment }}/"'),
    Edit("repositories-of-the-team", PROJECT, "  sourceRepos:\n", "  sourceRepos:\n    - https://git.example.com/ml-platform/*\n"),
    Edit("replicas-by-jq", SET, "          jsonPointers:\n            - /spec/replicas\n", "          jqPathExpressions:\n            - .spec.replicas\n"),
    Edit("replicas-of-every-kind", SET, "        - group: argoproj.io\n          kind: Rollout\n", '        - group: "*"\n          kind: "*"\n'),
    Edit("replicas-that-argo-cd-ignores", ROLLOUT, "spec:\n", "spec:\n  replicas: 2\n"),
    Edit("second-cluster", SET, "", SECOND.replace("CLUSTER", "https://other.example.com")),
    Edit("chart-beside-the-overlay", SET, "", SECOND.replace("CLUSTER", '"https://kubernetes.default.svc"').replace("targetRevision: main\n    path: overlays/dev", "targetRevision: 1.*\n    chart: redis")),
    Edit("claim-in-the-wave-of-the-preload", CACHE, 'sync-wave: "0"', 'sync-wave: "1"'),
    Edit("waves-far-apart", ROLLOUT, 'sync-wave: "2"', 'sync-wave: "20"'),
    Edit("two-delete-policies", PRELOAD, "hook-delete-policy: BeforeHookCreation", "hook-delete-policy: HookSucceeded, BeforeHookCreation"),
)
