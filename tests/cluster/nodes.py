"""Fake GPU nodes, made from an accelerator of the catalogue; kwok keeps them and their pods alive."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cluster.plane import FAKE

from lockgate import resources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cluster.kube import Kube, Object

# The accelerator of the default answers.
POOL = "a100-40gb"
# Wide enough that GPUs alone decide.
ROOM = {"cpu": "512", "memory": "4Ti", "ephemeral-storage": "10Ti", "pods": "250"}


def accelerator(name: str) -> dict[str, Any]:
    """An entry of the catalogue."""
    file = resources.template_root() / resources.PROJECT / "policies" / "data" / "accelerators.json"
    entry: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["accelerators"][name]
    return entry


def gpu_node(name: str, kind: str, gpus: int, labels: Mapping[str, str] | None = None) -> Object:
    """A node as GPU operators leave it: labelled, tainted, with `gpus` to give."""
    entry = accelerator(kind)
    products = {label: values[0] for label, values in entry["node_labels"].items()}
    taint = {"key": entry["gpu_resource"], "value": "present", "effect": "NoSchedule"}
    return node(name, {**products, **(labels or {})}, {entry["gpu_resource"]: str(gpus)}, [taint])


def plain_node(name: str) -> Object:
    """A node without GPUs."""
    return node(name, {}, {}, [])


def node(name: str, labels: Mapping[str, str], extra: Mapping[str, str], taints: list[dict[str, str]]) -> Object:
    """A node that kwok looks after."""
    zone = {"topology.kubernetes.io/zone": "a", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    room = {**ROOM, **extra}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": FAKE, "labels": {**zone, **labels}},
        "spec": {"taints": taints},
        "status": {"capacity": room, "allocatable": room},
    }


def add(kube: Kube, *nodes: Object) -> None:
    """Creates nodes and returns when the scheduler may use them."""
    names = {obj["metadata"]["name"] for obj in nodes}
    for obj in nodes:
        kube.create(obj)
    kube.wait("/api/v1/nodes", lambda found: names <= {o["metadata"]["name"] for o in found if _usable(o)}, "nodes")


def _usable(obj: Object) -> bool:
    conditions = obj["status"].get("conditions") or []
    ready = any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)
    taints = obj["spec"].get("taints") or []
    return ready and not any(taint["key"].startswith("node.kubernetes.io/") for taint in taints)
