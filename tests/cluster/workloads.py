"""Small GPU workloads of every strategy, their updates, and what the gate says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from cluster.kube import condition, ref
from cluster.nodes import POOL, accelerator

from lockgate import discover, engines, evaluate, render, resources, rules
from lockgate.model import Overlay, Rendering
from lockgate.settings import parse

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.kube import Kube, Object

NAME = "server"
LABELS = {"app": NAME}
# A router that lives in the annotations of Ingress objects, which need no controller here.
ROUTED = {
    "stableService": "stable",
    "canaryService": "canary",
    "trafficRouting": {"nginx": {"stableIngress": "stable"}},
}
BLUE_GREEN = {"activeService": "stable", "previewService": "canary"}
SETTINGS = {
    "version": 1,
    "environments": {"prod": {"overlay": "overlays/prod", "gpu_budget": 100}},
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One line of the table.

    Attributes:
        kind: Deployment, Rollout or StatefulSet.
        pods: How many run when the update begins; with `most` they are the autoscaler's maximum.
        strategy: What `spec.strategy` (of a StatefulSet `updateStrategy`) says.
        gpus: GPUs of a pod.
        hpa: Whether an autoscaler owns the count.
    """

    kind: str
    pods: int
    strategy: dict[str, Any]
    gpus: int = 1
    hpa: bool = False


def rendered(root: Path) -> dict[str, list[Object]]:
    """The objects of each environment of a repository."""
    renderer = render.choose("")
    return {o.environment: list(render.render(root, o, renderer).objects) for o in discover.find(root).overlays}


def volume_for(claim: Object) -> Object:
    """A volume that the claim binds."""
    spec = claim["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{claim['metadata']['namespace']}-{claim['metadata']['name']}"},
        "spec": {
            "capacity": spec["resources"]["requests"],
            "accessModes": spec["accessModes"],
            "storageClassName": spec["storageClassName"],
            "claimRef": {"namespace": claim["metadata"]["namespace"], "name": claim["metadata"]["name"]},
            "hostPath": {"path": "/models"},
        },
    }


def steps_of(step: int | dict[str, Any]) -> list[dict[str, Any]]:
    """A weight to hold for a second, or a step as it is."""
    return [{"setWeight": step}, {"pause": {"duration": "1s"}}] if isinstance(step, int) else [step]


def template(gpus: int, pool: str, labels: dict[str, str] | None = None) -> Object:
    """A pod template for GPUs of a pool."""
    entry = accelerator(pool)
    key = entry["gpu_resource"]
    resources_ = {"limits": {key: str(gpus), "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}
    server = {
        "name": "vllm",
        "image": "vllm/vllm-openai:v0.32.0",
        "args": ["--model=Qwen/Qwen3-0.6B", f"--tensor-parallel-size={gpus}"],
        "resources": resources_,
    }
    return {
        "metadata": {"labels": LABELS},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "nodeSelector": labels or {name: values[0] for name, values in entry["node_labels"].items()},
            "tolerations": [{"key": key, "operator": "Equal", "value": "present", "effect": "NoSchedule"}],
            "containers": [server],
        },
    }


def objects(case: Case, pool: str, labels: dict[str, str] | None = None) -> list[Object]:
    """The workload, then what it refers to."""
    kind, strategy = case.kind, case.strategy
    group = "argoproj.io/v1alpha1" if kind == "Rollout" else "apps/v1"
    spec: Object = {"selector": {"matchLabels": LABELS}, "template": template(case.gpus, pool, labels)}
    if not case.hpa:
        spec["replicas"] = case.pods
    if strategy:
        spec["updateStrategy" if kind == "StatefulSet" else "strategy"] = strategy
    if kind == "StatefulSet":
        spec["serviceName"] = "stable"
    workload = {"apiVersion": group, "kind": kind, "metadata": {"name": NAME}, "spec": spec}
    return [
        workload,
        _service("stable"),
        _service("canary"),
        _ingress(),
        *([_autoscaler(group, kind, case.pods)] if case.hpa else []),
    ]


def _service(name: str) -> Object:
    spec = {"selector": LABELS, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def _ingress() -> Object:
    backend = {"service": {"name": "stable", "port": {"number": 80}}}
    paths = [{"path": "/v1", "pathType": "Prefix", "backend": backend}]
    spec = {"ingressClassName": "nginx", "rules": [{"host": "a.example.com", "http": {"paths": paths}}]}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "stable"}, "spec": spec}


def _autoscaler(group: str, kind: str, most: int) -> Object:
    """One whose metric nobody serves: it keeps its hands off a count between its bounds."""
    metric = {
        "type": "Pods",
        "pods": {"metric": {"name": "unserved"}, "target": {"type": "AverageValue", "averageValue": "5"}},
    }
    spec = {
        "scaleTargetRef": {"apiVersion": group, "kind": kind, "name": NAME},
        "minReplicas": 1,
        "maxReplicas": most,
        "metrics": [metric],
    }
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": NAME}, "spec": spec}


def make_namespace(kube: Kube, name: str, labels: dict[str, str] | None = None) -> None:
    """Makes a namespace, or finds it made."""
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}})


def put(
    kube: Kube, namespace: str, case: Case, *, labels: dict[str, str] | None = None, deadline: int | None = None
) -> Object:
    """Makes a namespace with a case in it, on nodes with `labels`, and returns its controller when all pods are up.

    `deadline` is how many seconds without progress the controller takes for a failure.
    """
    make_namespace(kube, namespace)
    found = objects(case, POOL, labels)
    if deadline is not None:
        found[0]["spec"]["progressDeadlineSeconds"] = deadline
    for obj in found:
        obj["metadata"]["namespace"] = namespace
        kube.apply(obj)
    server = ref(found[0]["apiVersion"], case.kind, NAME, namespace)
    if case.hpa:
        kube.patch(kube.path(server, "scale"), {"spec": {"replicas": case.pods}})
    wait_until_up(kube, server, case.pods)
    return server


def wait_until_up(kube: Kube, server: Object, pods: int) -> None:
    """Returns when so many pods are ready and the controller says that it is done."""
    kube.wait_for(server, lambda obj: _done(obj, pods), f"{pods} pods up")


def update(kube: Kube, server: Object) -> None:
    """Changes the pod template, as a release does."""
    change = {"spec": {"template": {"metadata": {"annotations": {"release": "next"}}}}}
    kube.patch(kube.path(server), change)


def wait_until_updated(kube: Kube, server: Object, pods: int) -> None:
    """Returns when the update is over and every pod is a new one."""
    kube.wait_for(server, lambda obj: updated(obj, pods), "an update")


def updated(obj: Object, pods: int) -> bool:
    """Whether an update is over."""
    return _done(obj, pods) and obj["status"].get("updatedReplicas") == pods


def stuck(obj: Object) -> bool:
    """Whether the controller has given up on an update."""
    conditions = obj.get("status", {}).get("conditions") or []
    return any(entry.get("reason") == "ProgressDeadlineExceeded" for entry in conditions)


def running(pod: Object) -> bool:
    """Whether a pod runs."""
    return bool(pod["status"].get("phase") == "Running")


def unschedulable(pod: Object) -> bool:
    """Whether the scheduler has found no place for a pod."""
    conditions = pod["status"].get("conditions") or []
    return any(entry.get("reason") == "Unschedulable" for entry in conditions)


def _done(obj: Object, pods: int) -> bool:
    status = obj.get("status", {})
    if int(status.get("observedGeneration", 0)) < obj["metadata"]["generation"]:
        return False
    if obj["kind"] == "Rollout":
        return bool(
            status.get("phase") == "Healthy"
            and status.get("availableReplicas") == pods
            and condition(obj, "Completed") == "True"
        )
    if obj["kind"] == "StatefulSet":
        return bool(
            status.get("readyReplicas") == pods and status.get("currentRevision") == status.get("updateRevision")
        )
    return bool(status.get("availableReplicas") == pods and status.get("replicas") == pods)


def peak(found: list[Object]) -> dict[str, Any]:
    """The `peak` fact of the gate for these objects."""
    ruleset = rules.load(resources.template_root() / resources.PROJECT / "policies")
    document = evaluate.environment_document(Rendering(Overlay("prod", "", ""), tuple(found), ""))
    with engines.session("embedded", ruleset, parse(yaml.safe_dump(SETTINGS)).data()) as run:
        fact: dict[str, Any] = run([document])[0].facts["peak"]
    return fact
