"""Faults with one right answer, each in three places: base, patch of one overlay, component of all.

`base` edits the file of the default repository; `fixed` edits the pristine file into what must come
out, none: the pristine file itself. `patch` breaks the same rule from a patch, `patched` is that patch mended.
"""

from __future__ import annotations

from dataclasses import dataclass

from edits.model import DEPLOYMENT, GPU_LIMIT, GPU_REQUEST, PRELOAD, ROLLOUT, SERVER_ENV, TOLERATION, release

Edits = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Case:
    """One fault and what `--fix` makes of it."""

    id: str
    rule: str
    base: Edits
    fixed: Edits = ()
    file: str = DEPLOYMENT
    patch: str = ""
    patched: str = ""


def deployment(pod: str) -> str:
    """A strategic merge patch of the server's pod."""
    return _patch("apps/v1", "Deployment", "qwen-chat", f"  template:\n    spec:\n{pod}")


def server(container: str) -> str:
    """A strategic merge patch of the server's container."""
    return deployment(f"      containers:\n        - name: vllm\n{container}")


def job(pod: str) -> str:
    return _patch("batch/v1", "Job", "qwen-chat-preload", f"  template:\n    spec:\n{pod}")


def _patch(version: str, kind: str, name: str, spec: str) -> str:
    # The annotation keeps the mended patch from changing nothing, which KUS001 would tell.
    head = f"# Tried on Monday.\napiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {name}\n  annotations: {{tried: monday}}\n"
    return f"{head}spec:\n{spec}# End.\n"


SECURITY = "            allowPrivilegeEscalation: false\n            readOnlyRootFilesystem: true\n"
LINKS = "      enableServiceLinks: false\n"
READY = "          readinessProbe:\n            httpGet:\n              path: "
LIVE = "            timeoutSeconds: 5\n            failureThreshold: 9\n"
ARGUMENTS = "            - --shutdown-timeout=60\n"
PORT = "              containerPort: 8000\n"
POD_END = "            sizeLimit: 6Gi\n"
VISIBLE = "            - name: NVIDIA_VISIBLE_DEVICES\n              value: all\n"
SECCOMP = "        seccompProfile:\n          type: RuntimeDefault\n"
ACCOUNT = "      automountServiceAccountToken: false\n      enableServiceLinks: false\n"

CASES: tuple[Case, ...] = (
    # Security context
    Case(
        "escalation", "SEC001",
        (("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true  # for now"),),
        (("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: false  # for now"),),
        patch=server("          securityContext:\n            allowPrivilegeEscalation: true # why?\n"),
        patched=server("          securityContext:\n            allowPrivilegeEscalation: false # why?\n"),
    ),
    Case(
        "capabilities", "SEC001",
        (('drop: ["ALL"]', 'drop: ["NET_RAW"]'),),
        (('drop: ["ALL"]', 'drop: ["NET_RAW", "ALL"]'),),
        patch=server("          securityContext:\n            capabilities:\n              drop:\n              - NET_RAW\n              # Not more.\n"),
        patched=server("          securityContext:\n            capabilities:\n              drop:\n              - NET_RAW\n              - ALL\n              # Not more.\n"),
    ),
    Case(
        "seccomp", "SEC001",
        ((SECCOMP, ""),),
        patch=deployment("      securityContext:\n        seccompProfile: {type: 'Unconfined'}\n"),
        patched=deployment("      securityContext:\n        seccompProfile: {type: 'RuntimeDefault'}\n"),
    ),
    Case(
        "root", "SEC001",
        (("runAsNonRoot: true", "runAsNonRoot: false"),),
        patch=deployment("      securityContext: {runAsNonRoot: false, fsGroup: 10001}\n"),
        patched=deployment("      securityContext: {runAsNonRoot: true, fsGroup: 10001}\n"),
    ),
    Case(
        "host-network", "SEC002",
        ((LINKS, LINKS + "      hostNetwork: true\n"),),
        patch=deployment("      hostNetwork: true\n      priorityClassName: system-node-critical\n"),
        patched=deployment("      priorityClassName: system-node-critical\n"),
    ),
    Case(
        "host-port", "SEC002",
        ((PORT, PORT + "              hostPort: 8000\n"),),
        patch=server("          ports:\n            - hostPort: 8000\n              containerPort: 8000\n"),
        patched=server("          ports:\n            - containerPort: 8000\n"),
    ),
    Case(
        "privileged", "SEC002",
        ((SECURITY, SECURITY + "            privileged: true\n"),),
        patch=server("          securityContext: {privileged: true}\n"),
        patched=server("          securityContext: {}\n"),
    ),
    Case(
        "read-only-root", "SEC003",
        (("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),),
        patch=server("          securityContext: {readOnlyRootFilesystem: false}\n"),
        patched=server("          securityContext: {readOnlyRootFilesystem: true}\n"),
    ),
    # GPUs and memory
    Case(
        "gpu-request", "GPU001",
        ((GPU_REQUEST, GPU_REQUEST.replace('"2"', '"1"')),),
        patch=server('          resources:\n            requests:\n              "nvidia.com/gpu": "1"\n'),
        patched=server('          resources:\n            requests:\n              "nvidia.com/gpu": "2"\n'),
    ),
    Case(
        "gpu-limit", "GPU002",
        ((GPU_REQUEST, GPU_REQUEST.replace('"2"', '"1"')), (GPU_LIMIT, GPU_LIMIT.replace('"2"', '"1"'))),
        patch=server("          resources:\n            requests: {nvidia.com/gpu: '1'}\n            limits: {nvidia.com/gpu: '1'}\n"),
        patched=server("          resources:\n            requests: {nvidia.com/gpu: '2'}\n            limits: {nvidia.com/gpu: '2'}\n"),
    ),
    Case(
        "visible-devices", "GPU004",
        ((SERVER_ENV, VISIBLE + SERVER_ENV),),
        patch=server(f"          env:\n            # All of them.\n{VISIBLE}            - name: VLLM_NO_USAGE_STATS\n              value: '1'\n"),
        patched=server("          env:\n            # All of them.\n            - name: VLLM_NO_USAGE_STATS\n              value: '1'\n"),
    ),
    Case(
        "memory-request", "RES001",
        (('requests:\n              cpu: "16"\n              memory: 96Gi', 'requests:\n              cpu: "16"\n              memory: 64Gi'),),
        patch=server("          resources:\n            requests:\n              memory: 64Gi\n"),
        patched=server("          resources:\n            requests:\n              memory: 96Gi\n"),
    ),
    Case(
        "memory-request-missing", "RES001",
        (('requests:\n              cpu: "16"\n              memory: 96Gi\n', 'requests:\n              cpu: "16"\n'),),
        (('requests:\n              cpu: "16"\n              memory: 96Gi\n', 'requests:\n              cpu: "16"\n'), (GPU_REQUEST, GPU_REQUEST.replace("            limits", "              memory: 96Gi\n            limits"))),
    ),
    # Scheduling
    Case(
        "no-toleration", "SCH001",
        (("      tolerations:\n" + TOLERATION, ""),),
        (("      tolerations:\n" + TOLERATION, ""), (POD_END, POD_END + "      tolerations:\n" + TOLERATION)),
    ),
    Case(
        "wrong-toleration", "SCH001",
        (("value: present", "value: absent"),),
        patch=deployment("      tolerations:\n      - {key: nvidia.com/gpu, operator: Equal, value: absent, effect: NoSchedule}\n"),
        patched=deployment("      tolerations:\n      - {key: nvidia.com/gpu, operator: Equal, value: present, effect: NoSchedule}\n"),
    ),
    Case(
        "foreign-toleration", "SCH001",
        ((TOLERATION, TOLERATION + "        - key: team\n          operator: Exists\n"),),
        patch=deployment(f"      tolerations:\n        - key: team\n          operator: Exists\n{TOLERATION}"),
        patched=deployment(f"      tolerations:\n{TOLERATION}"),
    ),
    Case(
        "job-tolerates", "SCH004",
        ((ACCOUNT, f"{ACCOUNT}      tolerations:\n{TOLERATION}"),),
        ((ACCOUNT, f"{ACCOUNT}      tolerations: []\n"),),
        file=PRELOAD,
        patch=job(f"      tolerations: # all\n{TOLERATION}"),
        patched=job("      tolerations: [] # all\n"),
    ),
    Case(
        "job-selects", "SCH004",
        ((ACCOUNT, f"{ACCOUNT}      nodeSelector:\n        nvidia.com/gpu.product: NVIDIA-A100-SXM4-40GB\n"),),
        ((ACCOUNT, f"{ACCOUNT}      nodeSelector: {{}}\n"),),
        file=PRELOAD,
        patch=job("      nodeSelector:\n        nvidia.com/gpu.product: NVIDIA-A100-SXM4-40GB\n        zone: a\n"),
        patched=job("      nodeSelector:\n        zone: a\n"),
    ),
    # Probes and shutdown
    Case(
        "startup-budget", "PRB001",
        (("failureThreshold: 60", "failureThreshold: 59"),),
        patch=server("          startupProbe:\n            periodSeconds: 7\n            failureThreshold: 59\n"),
        patched=server("          startupProbe:\n            periodSeconds: 7\n            failureThreshold: 86\n"),
    ),
    Case(
        "initial-delay", "PRB001",
        ((LIVE, LIVE + "            initialDelaySeconds: 300\n"),),
        patch=server("          livenessProbe:\n            initialDelaySeconds: 300\n            failureThreshold: 9\n"),
        patched=server("          livenessProbe:\n            failureThreshold: 9\n"),
    ),
    Case(
        "other-path", "PRB002",
        ((READY + "/health", READY + "/v1/models"),),
        patch=server('          readinessProbe:\n            httpGet: {path: "/v1/models", port: http}\n'),
        patched=server('          readinessProbe:\n            httpGet: {path: "/health", port: http}\n'),
    ),
    Case(
        "liveness-patience", "PRB003",
        ((LIVE, LIVE.replace("9", "2")),),
        ((LIVE, LIVE.replace("9", "6")),),
        patch=server("          livenessProbe:\n            failureThreshold: 2\n"),
        patched=server("          livenessProbe:\n            failureThreshold: 6\n"),
    ),
    Case(
        "liveness-timeout", "PRB003",
        ((LIVE, LIVE.replace("5", "1")),),
        patch=server("          livenessProbe:\n            timeoutSeconds: 1\n"),
        patched=server("          livenessProbe:\n            timeoutSeconds: 5\n"),
    ),
    Case(
        "grace", "PRB004",
        (("terminationGracePeriodSeconds: 90", "terminationGracePeriodSeconds: 75"),),
        patch=deployment("      terminationGracePeriodSeconds: 75\n"),
        patched=deployment("      terminationGracePeriodSeconds: 90\n"),
    ),
    # Model
    Case(
        "offline-missing", "MDL001",
        ((SERVER_ENV, ""),),
        ((SERVER_ENV, ""), ("              value: /scratch/config\n", "              value: /scratch/config\n" + SERVER_ENV)),
    ),
    Case(
        "offline-zero", "MDL001",
        ((SERVER_ENV, SERVER_ENV.replace("1", "0")),),
        patch=server("          env:\n            - {name: HF_HUB_OFFLINE, value: '0'}\n"),
        patched=server("          env:\n            - {name: HF_HUB_OFFLINE, value: '1'}\n"),
    ),
    Case(
        "remote-code", "MDL001",
        ((ARGUMENTS, ARGUMENTS + "            - --trust-remote-code\n"),),
        patch=server("          args: [--config, /etc/vllm/serve.yaml, --port=8000, --trust-remote-code, --shutdown-timeout=60]\n"),
        patched=server("          args: [--config, /etc/vllm/serve.yaml, --port=8000, --shutdown-timeout=60]\n"),
    ),
    Case("remote-code-in-the-file", "MDL001", (("dtype: bfloat16\n", "trust-remote-code: true\ndtype: bfloat16\n"),), file=release("prod")),
    # Autoscaler, budget, release
    Case("window", "HPA004", (("stabilizationWindowSeconds: 600", "stabilizationWindowSeconds: 599"),), file="components/hpa/autoscaler.yaml"),
    Case("eviction", "PDB001", (("unhealthyPodEvictionPolicy: AlwaysAllow", "unhealthyPodEvictionPolicy: IfHealthyBudget"),), file="components/disruption-budget/disruption-budget.yaml"),
)

ABORT = Case(
    "abort", "ROL004",
    (("progressDeadlineAbort: true", "progressDeadlineAbort: false"),),
    file=ROLLOUT,
    patch=_patch("argoproj.io/v1alpha1", "Rollout", "qwen-chat", "  progressDeadlineAbort: false\n"),
    patched=_patch("argoproj.io/v1alpha1", "Rollout", "qwen-chat", "  progressDeadlineAbort: true\n"),
)
"""Wanted in prod alone: the component's line serves canary too."""
