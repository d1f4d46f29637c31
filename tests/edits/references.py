"""Faults of what objects say of one another: targets, selectors, backends, names, and prod of canary."""

from __future__ import annotations

from edits.model import POLICIES, SECRETS, UPPER, Edit, release

HPA = "components/hpa/autoscaler.yaml"
BUDGET = "components/disruption-budget/disruption-budget.yaml"
ROUTE = "components/gateway-api/route.yaml"
BACKENDS = "components/progressive/route-backends.yaml"
TTFT = "components/progressive/analysis/ttft.yaml"
ALERTS = "observability/alerts/rules.yaml"
DIGEST = "sha256:" + "0123456789abcdef" * 4
TARGET = "  scaleTargetRef:\n    apiVersion: argoproj.io/v1alpha1\n    kind: Rollout\n    name: qwen-chat\n"
WAITING = "              avg_over_time(vllm:num_requests_waiting{\n"
API_KEY = 'spec:\n  refreshInterval: 1h\n  secretStoreRef:\n    kind: ClusterSecretStore\n    name: "platform-secrets"\n  target:\n    name: qwen-chat-api-key\n'
BUDGETED = "  selector:\n    matchLabels:\n      app.kubernetes.io/name: qwen-chat\n      app.kubernetes.io/component: server\n"
PRELOAD_POLICY = "    matchLabels:\n      app.kubernetes.io/name: qwen-chat\n      app.kubernetes.io/component: preload\n"

FAULTS: tuple[Edit, ...] = (
    # prod and canary
    Edit("prod-of-another-revision", release("prod"), "40c069824f4251a91eefaf281ebe4c544efd3e18", "0123456789abcdef0123456789abcdef01234567", "IMG003", "revision:", ("prod",), severity="warning"),
    Edit("canary-of-another-revision", release("canary"), "40c069824f4251a91eefaf281ebe4c544efd3e18", "0123456789abcdef0123456789abcdef01234567", "IMG003", "revision:", ("prod",), at=release("prod"), severity="warning"),
    # ExternalSecrets
    Edit("store-of-nobody", SECRETS, API_KEY, API_KEY.replace("platform-secrets", "laptop-secrets"), "KEY004", "laptop-secrets", UPPER),
    Edit("never-refreshed", SECRETS, API_KEY, API_KEY.replace("1h", '"0"'), "KEY004", 'refreshInterval: "0"', UPPER),
    Edit("secret-for-nobody", SECRETS, "", "---\napiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata:\n  name: qwen-chat-spare\n  labels:\n    app.kubernetes.io/name: qwen-chat\nspec:\n  secretStoreRef:\n    kind: ClusterSecretStore\n    name: platform-secrets\n  target:\n    name: qwen-chat-spare\n  data:\n    - secretKey: a\n      remoteRef: {key: x, property: a}\n", "KEY004", "name: qwen-chat-spare", UPPER, nth=2),
    # Targets and selectors
    Edit("autoscaler-of-nothing", HPA, TARGET, TARGET.replace("name: qwen-chat", "name: qwen-chats"), "REF003", "name: qwen-chats", UPPER),
    Edit("autoscaler-of-the-template", HPA, TARGET, TARGET.replace("argoproj.io/v1alpha1", "apps/v1").replace("Rollout", "Deployment"), "REF003", "kind: Deployment", UPPER),
    Edit("autoscaler-of-another-group", HPA, TARGET, TARGET.replace("argoproj.io/v1alpha1", "apps/v1"), "REF003", "apiVersion: apps/v1", UPPER),
    Edit("policy-for-no-pod", POLICIES, PRELOAD_POLICY, PRELOAD_POLICY.replace("preload", "download"), "REF003", "component: download"),
    Edit("budget-for-no-pod", BUDGET, BUDGETED, BUDGETED.replace("server", "serving"), "REF003", "component: serving", UPPER),
    Edit("budget-without-selector", BUDGET, BUDGETED, "", "REF003", "spec:", UPPER),
    # Backends
    Edit("backend-missing", ROUTE, "          name: qwen-chat\n          port: 80\n", "          name: qwen-chats\n          port: 80\n", "REF003", "name: qwen-chats", ("dev",)),
    Edit("backend-port-missing", ROUTE, "          name: qwen-chat\n          port: 80\n", "          name: qwen-chat\n          port: 8000\n", "REF003", "port: 8000", ("dev",)),
    Edit("backend-of-the-core-group", ROUTE, '        - group: ""\n', "        - group: core\n", "REF003", "group: core", ("dev",)),
    # One name of the model
    Edit("alert-of-another-model", ALERTS, WAITING, WAITING + '                model_name="qwen3-14b-chat",\n', "REF004", "expr: |", ("prod",)),
    Edit("route-of-another-model", ROUTE, "            value: /v1\n", "            value: /v1\n          headers:\n            - name: x-model\n              value: other\n", "REF004", "value: other"),
    Edit("analysis-of-another-model", TTFT, "seconds_bucket{", 'seconds_bucket{model_name="Qwen/Qwen3-14B", ', "REF004", "query: |", UPPER),
)

SILENT: tuple[Edit, ...] = (
    Edit("alert-of-this-model", ALERTS, WAITING, WAITING + '                model_name="qwen3-14b",\n'),
    Edit("alert-of-models-alike", ALERTS, WAITING, WAITING + '                model_name=~"qwen3.*",\n'),
    Edit("name-that-nobody-repeats", release("prod"), 'served-model-name: "qwen3-14b"', "served-model-name: [chat, qwen3-14b]"),
    Edit("revision-of-dev-ahead", release("dev"), "40c069824f4251a91eefaf281ebe4c544efd3e18", "0123456789abcdef0123456789abcdef01234567"),
    Edit("digest-of-canary-first", release("canary", "kustomization.yaml"), "newTag: v0.32.0", f"newTag: v0.32.0\n    digest: {DIGEST}"),
    Edit("refreshed-every-half-hour", SECRETS, API_KEY, API_KEY.replace("1h", "0h30m")),
    Edit("refreshed-by-default", SECRETS, API_KEY, API_KEY.replace("  refreshInterval: 1h\n", "")),
    Edit("route-to-another-namespace", ROUTE, "          port: 80\n", "          port: 80\n        - name: elsewhere\n          namespace: shared\n          port: 80\n"),
    Edit("backend-of-another-kind", ROUTE, "          port: 80\n          weight: 1\n", "          port: 80\n          weight: 1\n        - group: inference.networking.k8s.io\n          kind: InferencePool\n          name: pool\n"),
    Edit("policy-by-expression", POLICIES, PRELOAD_POLICY, PRELOAD_POLICY + "    matchExpressions:\n      - {key: batch.kubernetes.io/job-name, operator: Exists}\n"),
)
