"""Quota, PodDisruptionBudget and priority do what the rules assume of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
from cluster import nodes, workloads
from cluster.kube import ApiError, condition, ref
from cluster.nodes import POOL
from cluster.workloads import Case, make_namespace, rendered

from lockgate import testing

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.kube import Kube, Object

GPU = "nvidia.com/gpu"


def quota(namespace: str, gpus: int) -> Object:
    spec = {"hard": {f"requests.{GPU}": str(gpus)}}
    metadata = {"name": "gpu", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": spec}


def server_pods(kube: Kube, namespace: str) -> list[Object]:
    found: list[Object] = kube.get(f"/api/v1/namespaces/{namespace}/pods", labelSelector="app=server")["items"]
    return found


@pytest.mark.parametrize(("gpus", "fits"), [(5, True), (4, False)])
def test_a_quota_below_the_peak_stops_an_update_half_way(kube: Kube, gpus: int, *, fits: bool) -> None:
    case = Case(kind="Deployment", pods=4, strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
    namespace = f"quota-{gpus}"
    make_namespace(kube, namespace)
    kube.apply(quota(namespace, gpus))
    server = workloads.put(kube, namespace, case, deadline=5)
    workloads.update(kube, server)
    ended = kube.wait_for(server, lambda obj: workloads.stuck(obj) or workloads.updated(obj, case.pods), "an end")
    assert workloads.updated(ended, case.pods) == fits
    if not fits:
        assert condition(ended, "ReplicaFailure") == "True"
    peak = workloads.peak(workloads.objects(case, POOL))["gpus"]
    assert (peak <= gpus) == fits
    kube.delete(f"/api/v1/namespaces/{namespace}")


def evict(kube: Kube, pod: Object) -> int:
    """The status of an eviction."""
    metadata = {"name": pod["metadata"]["name"], "namespace": pod["metadata"]["namespace"]}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    try:
        answer = kube.request(
            "POST", f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/eviction", json=body
        )
    except ApiError as error:
        return error.status
    return answer.status_code


def budget_of(pristine: Path, namespace: str) -> Object:
    """The template's PodDisruptionBudget, for the pods of a test."""
    (found,) = (obj for obj in rendered(pristine)["prod"] if obj["kind"] == "PodDisruptionBudget")
    found["metadata"]["namespace"] = namespace
    found["spec"]["selector"] = {"matchLabels": workloads.LABELS}
    return dict(found)


@pytest.mark.parametrize("kind", ["Deployment", "Rollout"])
def test_at_the_minimum_one_server_may_go_and_the_next_when_it_is_back(
    rollouts: Kube, pristine: Path, kind: str
) -> None:
    kube, namespace = rollouts, f"budgeted-{kind.lower()}"
    strategy: dict[str, Any] = {"canary": {"steps": []}} if kind == "Rollout" else {}
    nodes.add(kube, nodes.gpu_node(namespace, POOL, 2, {"pool": namespace}))
    workloads.put(kube, namespace, Case(kind=kind, pods=2, strategy=strategy), labels={"pool": namespace})
    kube.apply(budget_of(pristine, namespace))
    budget = ref("policy/v1", "PodDisruptionBudget", "qwen-chat", namespace)
    kube.wait_for(budget, lambda obj: obj.get("status", {}).get("disruptionsAllowed") == 1, "one disruption")
    first, second = server_pods(kube, namespace)
    cordon(kube, namespace, closed=True)
    assert evict(kube, first) == requests.codes.created
    assert evict(kube, second) == requests.codes.too_many_requests
    cordon(kube, namespace, closed=False)
    kube.wait_for(budget, lambda obj: obj["status"].get("disruptionsAllowed") == 1, "one disruption again")
    assert evict(kube, second) == requests.codes.created
    kube.delete(f"/api/v1/namespaces/{namespace}")
    kube.delete(f"/api/v1/nodes/{namespace}")


def cordon(kube: Kube, node: str, *, closed: bool) -> None:
    kube.patch(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": closed}})


def test_a_budget_without_room_blocks_every_drain(kube: Kube, pristine: Path) -> None:
    namespace = "unbudgeted"
    workloads.put(kube, namespace, Case(kind="Deployment", pods=2, strategy={}))
    budget = budget_of(pristine, namespace)
    del budget["spec"]["maxUnavailable"]
    budget["spec"]["minAvailable"] = 2
    kube.apply(budget)
    seen = ref("policy/v1", "PodDisruptionBudget", "qwen-chat", namespace)
    kube.wait_for(seen, lambda obj: obj.get("status", {}).get("currentHealthy") == 2, "two healthy servers")
    assert [evict(kube, pod) for pod in server_pods(kube, namespace)] == [requests.codes.too_many_requests] * 2
    objects = [*workloads.objects(Case(kind="Deployment", pods=2, strategy={}), POOL), budget]
    assert "PDB001" in {v.rule for v in testing.check_documents(objects)}
    kube.delete(f"/api/v1/namespaces/{namespace}")


def prioritised(name: str, value: int, policy: str) -> Object:
    metadata = {"name": name}
    more = {"value": value, "preemptionPolicy": policy}
    return {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": metadata, **more}


@pytest.mark.parametrize(("policy", "taken"), [("PreemptLowerPriority", True), ("Never", False)])
def test_a_server_of_higher_priority_takes_the_last_gpu_unless_its_class_forbids_it(
    kube: Kube, policy: str, *, taken: bool
) -> None:
    namespace = f"priority-{policy.lower()}"
    kube.apply(prioritised(namespace, 1000, policy))
    nodes.add(kube, nodes.gpu_node(namespace, POOL, 1, {"pool": namespace}))
    workloads.put(kube, namespace, Case(kind="Deployment", pods=1, strategy={}), labels={"pool": namespace})
    (low,) = server_pods(kube, namespace)
    spec = {**workloads.template(1, POOL, {"pool": namespace})["spec"], "priorityClassName": namespace}
    high = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "high", "namespace": namespace}, "spec": spec}
    kube.create(high)
    kube.wait_for(high, workloads.running if taken else workloads.unschedulable, "an answer of the scheduler")
    uids = {pod["metadata"]["uid"] for pod in server_pods(kube, namespace) if workloads.running(pod)}
    assert (low["metadata"]["uid"] in uids) != taken
    kube.delete(f"/api/v1/namespaces/{namespace}")
    kube.delete(f"/api/v1/nodes/{namespace}")
