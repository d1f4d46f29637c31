"""What runs in the pods: the entrypoint before the server, the smoke test and its copy in the analysis."""

from __future__ import annotations

from edits.model import DEPLOYMENT, POLICIES, Edit

SMOKE = "base/smoke.yaml"
TEMPLATE = "components/progressive/analysis/smoke.yaml"

FAULTS: tuple[Edit, ...] = (
    # Behind the entrypoint the server's flags are read all the same.
    Edit("flag-behind-the-entrypoint", DEPLOYMENT, "            - --port=8000\n", "            - --port=8000\n            - --swap-space=4\n", "VLM001", "--swap-space"),
    Edit("gpus-behind-the-entrypoint", DEPLOYMENT, "            - --port=8000\n", "            - --port=8000\n            - --tensor-parallel-size=4\n", "GPU002", "nvidia.com/gpu:", nth=2),
    Edit("smoke-without-memory-limit", SMOKE, "            limits:\n              memory: 256Mi\n", "            limits:\n", "RES001", "limits:"),
)

SILENT: tuple[Edit, ...] = (
    Edit("preflight-off", DEPLOYMENT, '              value: "on"\n', '              value: "off"\n'),
    Edit("server-without-entrypoint", DEPLOYMENT, '["python3", "/opt/serving/entrypoint.py", "vllm", "serve"]', '["vllm", "serve"]'),
    Edit("entrypoint-in-one-script", DEPLOYMENT, '["python3", "/opt/serving/entrypoint.py", "vllm", "serve"]', '["/usr/bin/python3", "-u", "/opt/serving/entrypoint.py", "vllm", "serve"]'),
    Edit("smoke-asks-more", SMOKE, "            - --max-ttft=5\n", "            - --max-ttft=2\n            - --ignore-eos\n"),
    Edit("smoke-reaches-the-gateway-by-address", POLICIES, "              app.kubernetes.io/component: server\n      ports:\n        - protocol: TCP\n          port: http\n    - to:\n", "              app.kubernetes.io/component: server\n      ports:\n        - protocol: TCP\n          port: http\n    - to:\n        - ipBlock: {cidr: 203.0.113.7/32}\n      ports:\n        - protocol: TCP\n          port: 443\n    - to:\n"),
    Edit("analysis-twice", TEMPLATE, "      count: 1\n", "      count: 2\n      interval: 1m\n"),
)
