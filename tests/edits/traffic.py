"""Faults of who may ask, how a release moves, and how many servers stay: network, routes, autoscaler, budgets, Rollout."""

from __future__ import annotations

from edits.model import DEPLOYMENT, POLICIES, ROLLOUT, SERVICE, SETTINGS, UPPER, Edit, overlay

ROUTE = "components/gateway-api/route.yaml"
AUTOSCALER = "components/hpa/autoscaler.yaml"
BUDGET = "components/disruption-budget/disruption-budget.yaml"
BACKENDS = "components/progressive/route-backends.yaml"
QUEUE = "components/progressive/analysis/queue.yaml"
TTFT = "components/progressive/analysis/ttft.yaml"

GATEWAY = "        - namespaceSelector:\n            matchLabels:\n              kubernetes.io/metadata.name: gateway-system\n"
PROMETHEUS = GATEWAY.replace("gateway-system", "monitoring")
SMOKE = "        - podSelector:\n            matchLabels:\n              app.kubernetes.io/name: qwen-chat\n              app.kubernetes.io/component: smoke\n"
PORTS = SMOKE + "      ports:\n        - protocol: TCP\n"
PORT = PORTS + "          port: http\n"
WINDOW = "      stabilizationWindowSeconds: 600\n"
POD_HASH = "              # The new pods only: the old ones would hide a bad release behind their 95 %.\n              - name: pod-hash\n                valueFrom:\n                  podTemplateHashValue: Latest\n"
SAFE = "successCondition: len(result) > 0 && !isNaN(result[0]) && result[0] <= {{args.queue-limit}}"
TTFT_SAFE = SAFE.replace("queue", "ttft")
FAILURE = "      failureCondition: len(result) > 0 && !isNaN(result[0]) && result[0] > {{args.ttft-limit}}\n"
POOL = "    gpus: 22\n    gpus_per_node: 8\n"
NO_ROUTER = "  - target:\n      kind: Rollout\n    patch: |-\n      - op: remove\n        path: /spec/strategy/canary/trafficRouting\n"
LAST_PATCH = "  - path: spread.yaml\n"

FAULTS: tuple[Edit, ...] = (
    # Who may ask
    Edit("ingress-from-anyone", POLICIES, f"    - from:\n{GATEWAY}{PROMETHEUS}{PORT}", "    - ports:\n        - protocol: TCP\n          port: http\n", "NET004", "- ports:"),
    Edit("ingress-from-every-namespace", POLICIES, PROMETHEUS, "        - namespaceSelector: {}\n", "NET004", "namespaceSelector: {}"),
    Edit("ingress-from-the-world", POLICIES, PROMETHEUS, "        - ipBlock:\n            cidr: 0.0.0.0/0\n", "NET004", "cidr: 0.0.0.0/0"),
    Edit("ingress-port-name", POLICIES, PORT, PORTS + "          port: web\n", "NET004", "port: web"),
    Edit("ingress-port-number", POLICIES, PORT, PORTS + "          port: 8080\n", "NET004", "port: 8080"),
    # Services and routes
    Edit("service-outside", SERVICE, "type: ClusterIP", "type: LoadBalancer", "NET005", "type: LoadBalancer", UPPER),
    Edit("route-by-everything", ROUTE, "            value: /v1\n", "            value: /\n", "NET005", "value: /", UPPER),
    Edit("route-to-plain-http", ROUTE, "sectionName: https", "sectionName: http", "NET005", "sectionName: http", UPPER),
    # Autoscaler and disruption budget
    Edit("window-below-the-budget", AUTOSCALER, WINDOW, WINDOW.replace("600", "599"), "HPA004", "stabilizationWindowSeconds: 599", UPPER, severity="warning"),
    Edit("window-by-default", AUTOSCALER, WINDOW, "", "HPA004", "scaleDown:", UPPER, severity="warning"),
    Edit("no-disruption", BUDGET, "maxUnavailable: 1", "maxUnavailable: 0", "PDB001", "maxUnavailable: 0", UPPER),
    Edit("no-disruption-of-two", BUDGET, "maxUnavailable: 1", "minAvailable: 2", "PDB001", "minAvailable: 2", UPPER),
    Edit("no-disruption-of-one", BUDGET, "maxUnavailable: 1", "minAvailable: 1", "PDB001", "minReplicas: 1", ("canary",), at=overlay("canary", "autoscaler-bounds.yaml"), severity="warning"),
    Edit("unhealthy-pods-stay", BUDGET, "unhealthyPodEvictionPolicy: AlwaysAllow", "unhealthyPodEvictionPolicy: IfHealthyBudget", "PDB001", "IfHealthyBudget", UPPER),
    Edit("no-disruption-budget", overlay("prod"), "  - ../../components/disruption-budget\n", "", "PDB001", "      labels:", ("prod",), at=DEPLOYMENT),
    # Steps and analysis
    Edit("full-weight-first", ROLLOUT, "        - setWeight: 5\n", "        - setWeight: 100\n", "ROL001", "setWeight: 100", ("prod",)),
    Edit("template-missing", ROLLOUT, "templateName: qwen-chat-ttft", "templateName: qwen-chat-tftt", "ROL002", "qwen-chat-tftt", UPPER),
    Edit("argument-missing", ROLLOUT, POD_HASH, "", "ROL002", "args:", UPPER),
    Edit("argument-of-two-values", TTFT, "    - name: ttft-limit\n", '    - name: queue-limit\n      value: "5"\n    - name: ttft-limit\n', "ROL002", 'value: "10"', UPPER, at=QUEUE),
    Edit("two-metrics-of-a-name", QUEUE, "    - name: queue\n", "    - name: ttft\n", "ROL002", "- name: ttft", UPPER),
    Edit("analysis-that-cannot-fail", TTFT, "failureLimit: 1", "failureLimit: 5", "ROL002", "failureLimit: 5", UPPER),
    Edit("analysis-without-a-limit", TTFT, "      failureLimit: 1\n", "", "ROL002", "- name: ttft", UPPER, nth=2),
    Edit("index-into-nothing", QUEUE, SAFE, "successCondition: result[0] <= {{args.queue-limit}}", "ROL002", "successCondition", UPPER),
    Edit("no-data-is-success", TTFT, f"      {TTFT_SAFE}\n{FAILURE}", "      failureCondition: len(result) > 0 && result[0] > {{args.ttft-limit}}\n", "ROL002", "failureCondition", UPPER),
    # Services, deadline, room
    Edit("one-service-for-both", ROLLOUT, "canaryService: qwen-chat-canary", "canaryService: qwen-chat-stable", "ROL003", "canaryService", UPPER),
    Edit("canary-service-missing", ROLLOUT, "canaryService: qwen-chat-canary", "canaryService: qwen-chat-new", "ROL003", "canaryService", UPPER),
    Edit("route-without-the-canary", BACKENDS, "name: qwen-chat-canary", "name: qwen-chat", "ROL003", "value:", UPPER),
    Edit("deadline-at-the-budget", ROLLOUT, "progressDeadlineSeconds: 1200", "progressDeadlineSeconds: 600", "ROL004", "progressDeadlineSeconds: 600", UPPER),
    Edit("no-way-back", ROLLOUT, "  progressDeadlineAbort: true\n", "", "ROL004", "spec:", ("prod",)),
    Edit("weight-without-a-router", overlay("prod"), LAST_PATCH, LAST_PATCH + NO_ROUTER, "ROL005", "setWeight: 5", ("prod",), at=ROLLOUT, severity="warning"),
    Edit("pool-too-small", SETTINGS, POOL, "    gpus: 11\n    gpus_per_node: 8\n", "ROL006", "maxReplicas: 3", ("prod",), at=overlay("prod", "autoscaler-bounds.yaml")),
    Edit("nodes-too-small", SETTINGS, POOL, "    gpus: 15\n    gpus_per_node: 3\n", "ROL006", "maxReplicas: 3", ("prod",), at=overlay("prod", "autoscaler-bounds.yaml")),
)

SILENT: tuple[Edit, ...] = (
    Edit("ingress-port-by-number", POLICIES, PORT, PORTS + "          port: 8000\n"),
    Edit("ingress-to-a-side-channel", POLICIES, PORT, PORT + "        - port: 5600\n"),
    Edit("ingress-by-labels-anywhere", POLICIES, PROMETHEUS, "        - namespaceSelector: {}\n          podSelector:\n            matchLabels: {app.kubernetes.io/name: prometheus}\n"),
    Edit("ingress-within-the-namespace", POLICIES, PROMETHEUS, PROMETHEUS + "        - podSelector: {}\n"),
    Edit("headless-service", SERVICE, "type: ClusterIP", "clusterIP: None"),
    Edit("listener-of-the-platform", ROUTE, "      sectionName: https\n", ""),
    Edit("route-by-one-path", ROUTE, "            type: PathPrefix\n            value: /v1\n", "            type: Exact\n            value: /v1/chat/completions\n"),
    Edit("never-scaled-down", AUTOSCALER, WINDOW, "      selectPolicy: Disabled\n"),
    Edit("disruption-in-percent", BUDGET, "maxUnavailable: 1", "maxUnavailable: 25%"),
    Edit("pause-before-the-analysis", ROLLOUT, "        - setWeight: 5\n", "        - setWeight: 5\n        - pause: {duration: 10m}\n"),
    Edit("limit-just-below-the-count", TTFT, "failureLimit: 1", "failureLimit: 4"),
    Edit("limit-of-successes", TTFT, "      failureLimit: 1\n", "      failureLimit: -1\n      consecutiveSuccessLimit: 3\n"),
    Edit("success-of-nothing-on-purpose", QUEUE, SAFE, "successCondition: len(result) == 0 || result[0] <= {{args.queue-limit}}"),
    Edit("template-of-the-cluster", ROLLOUT, "              - templateName: qwen-chat-ttft\n", "              - templateName: company-ttft\n                clusterScope: true\n"),
    Edit("deadline-above-the-budget", ROLLOUT, "progressDeadlineSeconds: 1200", "progressDeadlineSeconds: 601"),
    Edit("pool-that-just-does", SETTINGS, POOL, "    gpus: 12\n    gpus_per_node: 2\n"),
)
