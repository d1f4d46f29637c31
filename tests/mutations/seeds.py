"""The faults: an object of the generated repository, one of its fields, and a value that breaks one rule."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from edits.model import ALL, TOKEN, UPPER

PROJECT = "qwen-chat"
Step: TypeAlias = str | Mapping[str, str | int]
"""A key, or the merge key of a list's item."""

API = {
    "Deployment": "apps/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "Job": "batch/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "PodDisruptionBudget": "policy/v1",
    "Rollout": "argoproj.io/v1alpha1",
}
BASE = ("Deployment", "Job", "NetworkPolicy", "PersistentVolumeClaim", "Service", "ServiceAccount")


@dataclass(frozen=True)
class Seed:
    """One fault.

    Attributes:
        rule: The rule that must find it.
        kind: Kind of the object.
        path: The field, through lists by merge key; empty steps are not allowed.
        value: What is written there; None removes the field.
        environments: Where the rule is on for it.
        built: Where the object exists.
        suffix: What the object's name has after the project's.
        operation: Set for a JSON patch, whose path is a pointer: `add`, `replace` or `remove`.
        on_item: The line to blame is the list item's, not the value's.
        overlaid: The overlays patch the same field themselves: only a later patch there takes effect.
    """

    rule: str
    kind: str
    path: tuple[Step, ...] | str
    value: Any = None
    environments: tuple[str, ...] = ALL
    built: tuple[str, ...] = ALL
    suffix: str = ""
    operation: str = ""
    on_item: bool = False
    overlaid: bool = False

    @property
    def what(self) -> str:
        """Tells seeds of one rule apart."""
        steps = self.path.split("/") if isinstance(self.path, str) else self.path
        last = next(step for step in reversed(steps) if isinstance(step, str) and step not in {"", "-"})
        return f"{self.kind}{self.suffix}-{last.rpartition('~1')[2].rpartition('/')[2]}-{json.dumps(self.value)[-24:]}"

    @property
    def name(self) -> str:
        return f"{PROJECT}{self.suffix}"

    @property
    def in_base(self) -> bool:
        return self.kind in BASE

    def entry(self, file: str) -> str:
        """The entry of `patches:`."""
        if not self.operation:
            return f"  - path: {file}\n"
        return f"  - path: {file}\n    target: {{kind: {self.kind}, name: {self.name}}}\n"

    def patch(self) -> str:
        """The text of the patch; the faulty line ends in `# fault`."""
        if isinstance(self.path, str):
            written = "" if self.operation == "remove" else f"\n  value: {json.dumps(self.value)}"
            return f"- op: {self.operation}\n  path: {self.path}{written}  # fault\n"
        head = [f"apiVersion: {API.get(self.kind, 'v1')}", f"kind: {self.kind}", f"metadata: {{name: {self.name}}}"]
        if self.path[0] == "metadata":
            head.pop()
        return "\n".join([*head, *self._nested(self.path)]) + "\n"

    def _nested(self, path: tuple[Step, ...]) -> list[str]:
        lines, indent = [], 0
        *above, last = path
        for step in above:
            if isinstance(step, Mapping):
                [(key, value)] = step.items()
                lines.append(
                    f"{' ' * indent}- {key}: {value}{'  # fault' if self.on_item and step is above[-1] else ''}"
                )
            else:
                lines.append(f"{' ' * indent}{step}:")
                if step == "metadata":
                    lines.append(f"  name: {self.name}")
            indent += 2
        return [*lines, f"{' ' * indent}{last}: {json.dumps(self.value)}{'' if self.on_item else '  # fault'}"]


POD: tuple[Step, ...] = ("spec", "template", "spec")
SERVER: tuple[Step, ...] = (*POD, "containers", {"name": "vllm"})
LOADER: tuple[Step, ...] = (*POD, "containers", {"name": "preload"})
GPU = "nvidia.com/gpu"
RIGHT = {"key": GPU, "operator": "Equal", "value": "present", "effect": "NoSchedule"}


def deployment(
    rule: str, *path: Step, value: Any = None, environments: tuple[str, ...] = ALL, on_item: bool = False
) -> Seed:
    return Seed(rule, "Deployment", path, value, environments, on_item=on_item)


def job(rule: str, *path: Step, value: Any = None, environments: tuple[str, ...] = ALL) -> Seed:
    return Seed(rule, "Job", path, value, environments, suffix="-preload")


def upper(
    rule: str, kind: str, pointer: str, value: Any = None, *, suffix: str = "", operation: str = "replace"
) -> Seed:
    """A field of an object that only canary and prod have."""
    return Seed(rule, kind, pointer, value, UPPER, UPPER, suffix, operation)


def patched(
    rule: str, kind: str, pointer: str, value: Any = None, *, suffix: str = "", environments: tuple[str, ...] = ALL
) -> Seed:
    """A field by its pointer, of an object that every environment has; without a value it is removed."""
    return Seed(
        rule, kind, pointer, value, environments, suffix=suffix, operation="replace" if value is not None else "remove"
    )


def bound(rule: str, field: str, value: int) -> Seed:
    """A bound of the autoscaler, which the overlays patch themselves."""
    return Seed(
        rule, "HorizontalPodAutoscaler", f"/spec/{field}", value, UPPER, UPPER, operation="replace", overlaid=True
    )


PODS = (
    deployment("GPU001", *SERVER, "resources", "limits", GPU, value="1.5"),
    deployment("GPU001", *SERVER, "resources", "limits", GPU, value="0"),
    deployment("GPU001", *SERVER, "resources", "requests", GPU, value="1"),
    deployment("GPU003", *SERVER, "lifecycle", "postStart", "exec", "command", value=["vllm", "serve", "warm"]),
    deployment("GPU004", *SERVER, "env", {"name": "NVIDIA_VISIBLE_DEVICES"}, "value", value="all"),
    deployment("GPU004", *SERVER, "env", {"name": "CUDA_VISIBLE_DEVICES"}, "value", value="0"),
    deployment("GPU005", *POD, "volumes", {"name": "shm"}, "emptyDir", "sizeLimit", value="96Gi"),
    deployment("GPU005", *POD, "volumes", {"name": "shm"}, "emptyDir", "sizeLimit"),
    deployment("RES001", *SERVER, "resources", "requests", "cpu"),
    job("RES001", *LOADER, "resources", "limits", "memory", value="9Gi"),
    deployment("RES002", *SERVER, "resources", "limits", "ephemeral-storage"),
    job("RES002", *LOADER, "resources", "requests", "ephemeral-storage"),
    deployment("RES002", *POD, "volumes", {"name": "scratch"}, "emptyDir", "sizeLimit"),
    deployment("SCH001", *POD, "tolerations", value=[{**RIGHT, "value": "absent"}]),
    deployment("SCH001", *POD, "tolerations", value=[{**RIGHT, "effect": "NoExecute"}]),
    deployment("SCH002", *POD, "tolerations", value=[RIGHT, {"operator": "Exists"}]),
    deployment("SCH003", *POD, "nodeSelector", "nvidia.com/gpu.product", value="Tesla-T4", environments=UPPER),
    job("SCH004", *POD, "tolerations", value=[RIGHT]),
    deployment("PRB001", *SERVER, "startupProbe", "failureThreshold", value=59),
    deployment("PRB001", *SERVER, "startupProbe", "initialDelaySeconds", value=300),
    deployment("PRB002", *SERVER, "readinessProbe", "httpGet", "path", value="/ping"),
    deployment("PRB002", *SERVER, "startupProbe", "httpGet", "path", value="/v1/models"),
    deployment("PRB003", *SERVER, "livenessProbe", "failureThreshold", value=5, environments=UPPER),
    deployment("PRB003", *SERVER, "livenessProbe", "timeoutSeconds", value=1, environments=UPPER),
    deployment("PRB004", *POD, "terminationGracePeriodSeconds", value=75, environments=UPPER),
    deployment("IMG002", *SERVER, "image", value="registry.example/x/vllm:v0.32.0"),
    job("IMG002", *LOADER, "image", value="registry.example/x/vllm:v0.32.0"),
    deployment("MDL001", *SERVER, "env", {"name": "HF_HUB_OFFLINE"}, "value", value="0"),
    deployment("VLM001", *SERVER, "env", {"name": "VLLM_NO_USAGE_STAT"}, "value", value="1", on_item=True),
    deployment("VLM004", *SERVER, "env", {"name": "TRITON_CACHE_DIR"}, "value", value="/root/.triton"),
    deployment("VLM004", *SERVER, "env", {"name": "TMPDIR"}, "value", value="/opt/scratch"),
)
SECURITY = (
    deployment("SEC001", *SERVER, "securityContext", "allowPrivilegeEscalation", value=True),
    deployment("SEC001", *POD, "securityContext", "runAsNonRoot", value=False),
    deployment("SEC001", *POD, "securityContext", "seccompProfile", "type", value="Unconfined"),
    job("SEC001", *LOADER, "securityContext", "capabilities", "drop", value=["NET_RAW"]),
    deployment("SEC002", *SERVER, "securityContext", "privileged", value=True),
    deployment("SEC002", *POD, "hostNetwork", value=True),
    deployment("SEC002", *POD, "hostPID", value=True),
    job("SEC002", *POD, "hostIPC", value=True),
    deployment("SEC003", *SERVER, "securityContext", "readOnlyRootFilesystem", value=False, environments=UPPER),
    deployment("RBA001", *POD, "serviceAccountName", value="default"),
    deployment("RBA001", *POD, "automountServiceAccountToken", value=True),
    job("RBA001", *POD, "automountServiceAccountToken", value=True),
    deployment("KEY003", *SERVER, "env", {"name": "SIDE_TOKEN"}, "value", value=TOKEN),
    deployment("KEY003", "metadata", "annotations", "example.com/token", value=TOKEN),
    job("KEY003", *LOADER, "env", {"name": "SIDE_TOKEN"}, "value", value=TOKEN),
)
AROUND = (
    deployment("REF001", *POD, "serviceAccountName", value="nobody"),
    deployment("REF001", *POD, "volumes", {"name": "serve"}, "configMap", "name", value="other"),
    job("REF001", *POD, "volumes", {"name": "program"}, "configMap", "name", value="other"),
    Seed("REF002", "Service", ("spec", "selector", "app.kubernetes.io/component"), "worker"),
    Seed("REF002", "Service", ("spec", "ports", {"port": 80}, "targetPort"), "https"),
    Seed("PVC001", "PersistentVolumeClaim", ("spec", "accessModes"), ["ReadWriteOnce"], suffix="-models"),
    Seed("PVC001", "PersistentVolumeClaim", ("spec", "storageClassName"), "fast-local", suffix="-models"),
    Seed("PVC003", "PersistentVolumeClaim", ("spec", "resources", "requests", "storage"), "33Gi", suffix="-models"),
    Seed(
        "PVC004",
        "PersistentVolumeClaim",
        ("metadata", "annotations", "argocd.argoproj.io/sync-options"),
        "Prune=false",
        UPPER,
        suffix="-models",
    ),
    deployment("PVC003", *SERVER, "volumeMounts", {"mountPath": "/models"}, "readOnly", value=False),
    job("PVC002", *LOADER, "volumeMounts", {"mountPath": "/models"}, "readOnly", value=True),
    upper("CST002", "ResourceQuota", "/spec/hard/requests.nvidia.com~1gpu", "100", suffix="-gpu"),
    upper("CST002", "ResourceQuota", "/spec/hard/requests.nvidia.com~1gpu", "3", suffix="-gpu"),
    bound("HPA002", "minReplicas", 0),
    bound("HPA002", "minReplicas", 9),
    bound("CST001", "maxReplicas", 9),
)
REACH = (
    patched("NET001", "NetworkPolicy", "/spec/policyTypes", ["Ingress"], suffix="-default-deny"),
    patched("NET003", "NetworkPolicy", "/spec/egress/0/ports/1", suffix="-dns"),
    patched("NET004", "NetworkPolicy", "/spec/ingress/0/from", [], suffix="-server"),
    Seed("NET005", "Service", ("spec", "type"), "LoadBalancer", UPPER),
    patched("NET005", "HTTPRoute", "/spec/rules/0/matches/0/path/value", "/", environments=UPPER),
    patched("KEY004", "ExternalSecret", "/spec/refreshInterval", "0", suffix="-api-key", environments=UPPER),
    patched("KEY004", "ExternalSecret", "/spec/secretStoreRef/name", "other", suffix="-api-key", environments=UPPER),
    # The Rollout brings its own backends.
    Seed("REF003", "HTTPRoute", "/spec/rules/0/backendRefs/0/name", "other", ("dev",), ("dev",), operation="replace"),
    patched("MON002", "PodMonitor", "/spec/podMetricsEndpoints/0/port", "metrics"),
    Seed("LBL001", "Service", ("metadata", "labels", "app.kubernetes.io/name")),
)
RELEASES = (
    upper("HPA003", "HorizontalPodAutoscaler", "/spec/metrics/0/pods/metric/name", "vllm_gpu_cache_usage_perc"),
    upper("HPA004", "HorizontalPodAutoscaler", "/spec/behavior/scaleDown/stabilizationWindowSeconds", 300),
    upper("REF003", "HorizontalPodAutoscaler", "/spec/scaleTargetRef/name", "other"),
    upper("REF003", "HorizontalPodAutoscaler", "/spec/scaleTargetRef/kind", "StatefulSet"),
    upper("PDB001", "PodDisruptionBudget", "/spec/unhealthyPodEvictionPolicy", "IfHealthyBudget"),
    upper("PDB001", "PodDisruptionBudget", "/spec/maxUnavailable", 0),
    upper("ROL002", "AnalysisTemplate", "/spec/metrics/0/failureLimit", suffix="-ttft", operation="remove"),
    upper(
        "MON001",
        "AnalysisTemplate",
        "/spec/metrics/0/provider/prometheus/query",
        "sum(vllm:num_requests_wait)",
        suffix="-queue",
    ),
    upper("ROL003", "Rollout", "/spec/strategy/canary/canaryService", "other"),
    upper("ROL003", "Rollout", "/spec/strategy/canary/stableService", "qwen-chat-canary"),
    upper("ROL004", "Rollout", "/spec/progressDeadlineSeconds", 600),
)

SCHEMAS = (
    deployment("API001", "spec", "revisionHistoryLimits", value=3),
    deployment("API001", "spec", "revisionHistoryLimit", value="three"),
    deployment("API001", *POD, "schedulerNames", value="default"),
    deployment("API001", *SERVER, "workingDirectory", value="/"),
    job("API001", "spec", "backoffLimits", value=1),
)

SEEDS: tuple[Seed, ...] = (*SCHEMAS, *PODS, *SECURITY, *AROUND, *REACH, *RELEASES)
