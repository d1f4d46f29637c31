"""Faults of the metric contract: what alerts, dashboards, analyses, autoscalers and monitors read."""

from __future__ import annotations

from edits.model import ALL, UPPER, Edit, release

RULES = "observability/alerts/rules.yaml"
DASHBOARD = "observability/alerts/dashboard.json"
ADAPTER = "observability/adapter/values.yaml"
MONITOR = "observability/scrape/pod-monitor.yaml"
TTFT = "components/progressive/analysis/ttft.yaml"
QUEUE = "components/progressive/analysis/queue.yaml"
SCALER = "components/hpa/autoscaler.yaml"
PROD = ("prod",)

WAITING = "avg_over_time(vllm:num_requests_waiting{"
CACHE = "avg_over_time(vllm:kv_cache_usage_perc{"
FIRST_TOKEN = "rate(vllm:time_to_first_token_seconds_bucket{"
PER_POD = "max by (namespace, pod) (vllm:kv_cache_usage_perc{"
CRITICAL = '            severity: critical\n            owner: "ml-platform"\n          annotations:\n            summary: \'{{ $value | humanizePercentage }} of'

FAULTS: tuple[Edit, ...] = (
    # Alerts
    Edit("alert-on-a-metric-that-went-away", RULES, CACHE, "avg_over_time(vllm:gpu_cache_usage_perc{", "MON001", "expr: |", PROD, nth=2),
    Edit("alert-on-a-histogram", RULES, FIRST_TOKEN, "rate(vllm:time_to_first_token_seconds{", "MON001", "expr: |", PROD, nth=3),
    Edit("alert-on-a-rate-of-a-gauge", RULES, WAITING, "rate(vllm:num_requests_waiting{", "MON001", "expr: |", PROD, nth=1),
    Edit("quantile-without-le", RULES, "sum by (le, namespace, environment)", "sum by (namespace, environment)", "MON001", "expr: |", PROD, nth=3),
    Edit("alert-that-does-not-parse", RULES, "            )) > 2\n", "            ) > 2\n", "MON001", "expr: |", PROD, nth=3),
    Edit("alert-without-for", RULES, "          for: 5m\n", "", "MON003", "- alert: VllmErrors", PROD, severity="warning"),
    Edit("alert-without-severity", RULES, CRITICAL, CRITICAL.replace("            severity: critical\n", ""), "MON003", "labels:", PROD, nth=5, severity="warning"),
    Edit("no-alert-on-the-queue", RULES, WAITING, "avg_over_time(vllm:num_requests_running{", "MON003", "groups:", PROD, severity="warning"),
    # Dashboard
    Edit("panel-on-a-metric-that-went-away", DASHBOARD, "vllm:prefix_cache_hits_total{", "vllm:gpu_prefix_cache_hits_total{", "MON001", "vllm:gpu_prefix_cache_hits_total", PROD),
    Edit("panel-with-an-underscore", DASHBOARD, PER_POD, PER_POD.replace("vllm:", "vllm_"), "MON001", "vllm_kv_cache_usage_perc", PROD),
    Edit("variable-of-a-metric-that-went-away", DASHBOARD, "label_values(vllm:num_requests_running{", "label_values(vllm:num_requests_swapped{", "MON001", "vllm:num_requests_swapped", PROD),
    Edit("dashboard-that-is-no-json", DASHBOARD, '"refresh": "30s",', '"refresh": "30s"', "MON001", "{", PROD),
    # Analysis of a release
    Edit("analysis-on-a-metric-that-went-away", TTFT, "vllm:time_to_first_token_seconds_bucket{", "vllm:time_per_output_token_seconds_bucket{", "MON001", "query: |", UPPER),
    Edit("analysis-by-another-label", QUEUE, '"}[2m]', '", model="qwen-chat"}[2m]', "MON001", "query: |", UPPER),
    # Autoscaler and the rules behind it
    Edit("autoscaler-on-what-nobody-serves", SCALER, "name: vllm_num_requests_waiting", "name: vllm_num_requests_pending", "HPA003", "vllm_num_requests_pending", UPPER),
    Edit("autoscaler-without-the-prefix", SCALER, "name: vllm_num_requests_waiting", "name: num_requests_waiting", "HPA003", "name: num_requests_waiting", UPPER),
    Edit("adapter-serves-another-name", ADAPTER, "as: vllm_kv_cache_usage_perc", "as: vllm_cache_usage", "HPA003", "name: vllm_kv_cache_usage_perc", UPPER, at=SCALER),
    Edit("adapter-on-a-metric-that-went-away", ADAPTER, "'vllm:kv_cache_usage_perc{", "'vllm:gpu_cache_usage_perc{", "HPA003", "seriesQuery: 'vllm:gpu_cache_usage_perc", ALL),
    # Scraping
    Edit("monitor-of-no-pod", MONITOR, "component: server\n  podMetrics", "component: engine\n  podMetrics", "MON002", "selector:"),
    Edit("monitor-of-no-port", MONITOR, "port: http", "port: metrics", "MON002", "port: metrics"),
    Edit("server-without-metrics", release("prod"), "dtype: bfloat16", "dtype: bfloat16\ndisable-log-stats: true", "MON002", "disable-log-stats", PROD),
    Edit("monitor-of-another-path", MONITOR, "path: /metrics", "path: /v1/metrics", "MON002", "path: /v1/metrics"),
)

SILENT: tuple[Edit, ...] = (
    Edit("alert-on-both-names", RULES, CACHE + '\n                namespace=~"qwen-chat-(dev|canary|prod)"\n              }[5m])', 'avg_over_time((vllm:gpu_cache_usage_perc{namespace=~"qwen-chat-.*"} or vllm:kv_cache_usage_perc{namespace=~"qwen-chat-.*"})[5m:1m])'),
    Edit("alert-on-the-gpu", RULES, "        - alert: VllmQueueGrows\n", '        - alert: GpuIdle\n          expr: avg(DCGM_FI_DEV_GPU_UTIL{namespace="qwen-chat-prod"}) < 5\n          for: 1h\n          labels: {severity: info}\n          annotations: {summary: GPUs idle, runbook_url: https://example.com}\n        - alert: VllmQueueGrows\n'),
    Edit("recorded-for-all-environments", RULES, "        - alert: VllmQueueGrows\n", "        - record: vllm:ttft\n          expr: sum(rate(vllm:time_to_first_token_seconds_sum[5m]))\n        - alert: VllmSlow\n          expr: vllm:ttft > 3\n          for: 1h\n          labels: {severity: info}\n          annotations: {summary: Slow, runbook_url: https://example.com}\n        - alert: VllmQueueGrows\n"),
    Edit("dashboard-variables", DASHBOARD, PER_POD + 'namespace=~\\"$namespace\\"})', 'topk($count, max by ($by) (max_over_time(vllm:kv_cache_usage_perc{namespace=~\\"${namespace:regex}\\", pod=~\\"[[pod]]\\"}[$__range])))'),
    Edit("panel-of-logs", DASHBOARD, '"type": "prometheus",\n            "uid": "${datasource}"\n          },\n          "expr": "' + PER_POD + 'namespace=~\\"$namespace\\"})', '"type": "loki",\n            "uid": "${datasource}"\n          },\n          "expr": "{namespace=~\\"$namespace\\"} |= `vllm:gpu_cache_usage_perc`'),
    Edit("analysis-window-as-an-argument", TTFT, "[2m]", "[{{args.window}}]"),
    Edit("autoscaler-on-cpu-too", SCALER, "  metrics:\n", "  metrics:\n    - type: Resource\n      resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}\n"),
    Edit("adapter-name-by-a-pattern", ADAPTER, "        as: vllm_kv_cache_usage_perc\n", '        matches: "^vllm:(.*)$"\n        as: "vllm_${1}"\n'),
    Edit("monitor-path-by-default", MONITOR, "      path: /metrics\n", ""),
    Edit("monitor-of-the-platform", MONITOR, "spec:\n  selector:\n", "spec:\n  namespaceSelector:\n    matchNames: [platform]\n  selector:\n"),
)
