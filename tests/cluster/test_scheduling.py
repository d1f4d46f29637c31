"""The scheduler puts serving pods on the right GPU nodes and only there, as the SCH rules say.

Given a pool of A100 nodes, one L4 node with more GPUs than any of these, and one node without GPUs; when the
overlay's pods, or pods without a toleration or a selector, want a place; then they run, wait or stray where
the rules predict.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cluster import nodes
from cluster.kube import ref
from cluster.workloads import rendered, unschedulable, volume_for

from lockgate import testing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cluster.kube import Kube, Object

WIDE = 16  # GPUs that no node of the pool has
KINDS = ("ConfigMap", "ServiceAccount", "PersistentVolumeClaim", "Job", "Deployment")


@pytest.fixture(scope="module", autouse=True)
def other_pool(kube: Kube) -> None:
    """One node of another accelerator."""
    nodes.add(kube, nodes.gpu_node("l4-0", "l4", WIDE))


@pytest.fixture
def world(kube: Kube, namespace: Callable[..., str], pristine: Path) -> Callable[..., list[Object]]:
    """Puts dev's pods and what they need into a namespace of their own, after a change; returns them."""

    def put(name: str, change: Callable[[Object], object] = lambda _pod: None) -> list[Object]:
        namespace(name)
        found = [copy.deepcopy(obj) for obj in rendered(pristine)["dev"] if obj["kind"] in KINDS]
        for obj in found:
            obj["metadata"]["namespace"] = name
            if obj["kind"] in {"Deployment", "Job"}:
                change(obj)
            if obj["kind"] == "PersistentVolumeClaim":
                kube.apply(volume_for(obj))
            kube.apply(obj)
        return found

    return put


def pods(kube: Kube, namespace: str, component: str, holds: Callable[[list[Object]], Any], what: str) -> list[Object]:
    """The pods of a component when `holds` is true of them."""
    label = f"app.kubernetes.io/component={component}"
    return kube.wait(f"/api/v1/namespaces/{namespace}/pods", holds, what, labelSelector=label)


def placed(found: list[Object]) -> bool:
    return bool(found) and all(pod["spec"].get("nodeName") for pod in found)


def said(pristine: Path, objects: list[Object], kind: str) -> set[str]:
    """The SCH rules that the gate reports for objects of a kind."""
    settings = yaml.safe_load((pristine / "lockgate.yaml").read_text(encoding="utf-8"))
    found = testing.check_documents(objects, environment="canary", settings=settings)
    return {v.rule for v in found if v.rule.startswith("SCH") and v.object.kind == kind}


def pod_spec(obj: Object) -> Any:
    return obj["spec"]["template"]["spec"]


def without_toleration(obj: Object) -> None:
    pod_spec(obj).pop("tolerations", None)


def without_selector(obj: Object) -> None:
    pod_spec(obj).pop("nodeSelector", None)
    if obj["kind"] == "Deployment":
        for side in ("limits", "requests"):
            pod_spec(obj)["containers"][0]["resources"][side]["nvidia.com/gpu"] = str(WIDE)


def job_like_a_server(obj: Object) -> None:
    if obj["kind"] == "Job":
        pod_spec(obj)["nodeSelector"] = {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB"}
        pod_spec(obj)["tolerations"] = [{"key": "nvidia.com/gpu", "operator": "Exists"}]


def test_servers_run_on_their_pool_and_the_preload_job_elsewhere(
    kube: Kube, world: Callable[..., list[Object]], pristine: Path
) -> None:
    objects = world("placed")
    (server,) = pods(kube, "placed", "server", placed, "a server with a place")
    assert server["spec"]["nodeName"].startswith("gpu-")
    (preload,) = pods(kube, "placed", "preload", placed, "a preload pod with a place")
    assert preload["spec"]["nodeName"] == "plain"
    kube.wait_for(
        ref("batch/v1", "Job", "qwen-chat-preload", "placed"), lambda job: job["status"].get("succeeded"), "done"
    )
    assert said(pristine, objects, "Deployment") == set()
    assert said(pristine, objects, "Job") == set()


def test_without_a_toleration_they_wait_for_ever(
    kube: Kube, world: Callable[..., list[Object]], pristine: Path
) -> None:
    objects = world("untolerated", without_toleration)
    (server,) = pods(
        kube, "untolerated", "server", lambda all_: any(map(unschedulable, all_)), "a server without a place"
    )
    assert "untolerated taint" in server["status"]["conditions"][0]["message"]
    assert "nodeName" not in server["spec"]
    assert "SCH001" in said(pristine, objects, "Deployment")


def test_without_a_selector_they_stray_to_another_accelerator(
    kube: Kube, world: Callable[..., list[Object]], pristine: Path
) -> None:
    objects = world("unselected", without_selector)
    (server,) = pods(kube, "unselected", "server", placed, "a server with a place")
    assert server["spec"]["nodeName"] == "l4-0"
    assert "SCH003" in said(pristine, objects, "Deployment")


def test_a_preload_job_with_selector_and_toleration_sits_on_a_gpu_node(
    kube: Kube, world: Callable[..., list[Object]], pristine: Path
) -> None:
    objects = world("preloaded", job_like_a_server)
    (preload,) = pods(kube, "preloaded", "preload", placed, "a preload pod with a place")
    assert preload["spec"]["nodeName"].startswith("gpu-")
    assert "SCH004" in said(pristine, objects, "Job")
