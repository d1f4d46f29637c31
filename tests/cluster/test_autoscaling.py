"""The autoscaler decides on the queue of vLLM, within its bounds.

Given the template's HorizontalPodAutoscaler and Rollout at the minimum; when the queue of the servers grows
far above the target, and later falls; then there are as many servers as the maximum, and again the minimum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster import workloads
from cluster.kube import condition, ref
from cluster.release import NAME, Release, objects_of
from cluster.workloads import rendered

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.kube import Kube, Object

LEAST, MOST = 2, 4


def hurried(pristine: Path) -> Object:
    """The template's autoscaler without its patience."""
    (scaler,) = (obj for obj in rendered(pristine)["prod"] if obj["kind"] == "HorizontalPodAutoscaler")
    scaler["spec"].update(minReplicas=LEAST, maxReplicas=MOST)
    for direction in scaler["spec"]["behavior"].values():
        direction["stabilizationWindowSeconds"] = 0
        direction["policies"] = [{"type": "Percent", "value": 100, "periodSeconds": 1}]
    return dict(scaler)


def behave(kube: Kube, namespace: str, behaviour: str) -> None:
    """All servers do so from now on."""
    found = kube.get(f"/api/v1/namespaces/{namespace}/pods", labelSelector="app.kubernetes.io/component=server")
    for pod in found["items"]:
        path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}"
        kube.patch(path, {"metadata": {"annotations": {"behaviour": behaviour}}})


def up(obj: Object) -> int:
    return int(obj["status"].get("availableReplicas", 0))


def test_the_queue_moves_the_servers_between_their_bounds(rollouts: Kube, metrics: str, pristine: Path) -> None:
    kube, release = rollouts, Release(rollouts, "autoscaled")
    release.set_up(objects_of(pristine, metrics, release.namespace))
    scaler = hurried(pristine)
    scaler["metadata"]["namespace"] = release.namespace
    kube.apply(scaler)
    seen = ref("autoscaling/v2", "HorizontalPodAutoscaler", NAME, release.namespace)
    kube.wait_for(seen, lambda obj: condition(obj, "ScalingActive") == "True", "a metric to read")
    assert kube.get(kube.path(release.rollout))["spec"]["replicas"] == LEAST

    behave(kube, release.namespace, "queue")
    grown = kube.wait_for(
        release.rollout, lambda obj: obj["status"].get("availableReplicas") == MOST, f"{MOST} servers"
    )
    limited = kube.wait_for(seen, lambda obj: condition(obj, "ScalingLimited") == "True", "to want more than it may")
    assert limited["status"]["desiredReplicas"] == MOST
    assert grown["spec"]["replicas"] == MOST

    behave(kube, release.namespace, "good")
    kube.wait_for(release.rollout, lambda obj: up(obj) == LEAST, f"{LEAST} servers")
    kube.delete(f"/api/v1/namespaces/{release.namespace}")


def test_without_a_metric_the_count_stays(kube: Kube) -> None:
    case = workloads.Case(kind="Deployment", pods=3, strategy={}, hpa=True)
    workloads.put(kube, "unmeasured", case)
    seen = ref("autoscaling/v2", "HorizontalPodAutoscaler", workloads.NAME, "unmeasured")
    scaler = kube.wait_for(seen, lambda obj: condition(obj, "ScalingActive") == "False", "to miss its metric")
    assert scaler["status"]["currentReplicas"] == case.pods
    kube.delete("/api/v1/namespaces/unmeasured")
