"""Whether an update that finds no free GPU ends: one pool for each case, with just so many GPUs.

Given a workload that is up on a pool of its own; when its pod template changes; then the update completes
where the gate says that it fits, and where the gate says that it does not, the new pod stays Pending until
the controller gives up (progressDeadlineSeconds).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from cluster import nodes, workloads
from cluster.nodes import POOL
from cluster.test_budget import blue_green, canary, deployment, routed
from cluster.workloads import Case

from lockgate import testing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cluster.kube import Kube

DEADLINE = 10  # seconds without progress, after which a controller says so


@dataclass(frozen=True, slots=True)
class Pool:
    """A case on `gpus` GPUs; whether it gets `stuck` there."""

    case: Case
    gpus: int
    stuck: bool


POOLS = {
    "default-on-one-gpu": Pool(deployment(1), 1, stuck=True),
    "default-with-a-free-gpu": Pool(deployment(1), 2, stuck=False),
    "surge-0-on-one-gpu": Pool(deployment(1, 0, 1), 1, stuck=False),
    "recreate-on-one-gpu": Pool(Case(kind="Deployment", pods=1, strategy={"type": "Recreate"}), 1, stuck=False),
    "default-of-4-may-miss-one": Pool(deployment(4), 4, stuck=False),
    "surge-1-unavailable-0": Pool(deployment(2, 1, 0), 2, stuck=True),
    "surge-1-unavailable-0-free": Pool(deployment(2, 1, 0), 3, stuck=False),
    "pods-of-two-and-one-free": Pool(deployment(1, 1, 0, gpus=2), 3, stuck=True),
    "canary-on-one-gpu": Pool(canary(1, 50), 1, stuck=True),
    "routed-below-twice": Pool(routed(2, 50), 3, stuck=True),
    "routed-at-twice": Pool(routed(2, 50), 4, stuck=False),
    "dynamic-below-its-peak": Pool(routed(2, 50, dynamicStableScale=True), 2, stuck=True),
    "dynamic-at-its-peak": Pool(routed(2, 50, dynamicStableScale=True), 3, stuck=False),
    "blue-green-below-twice": Pool(blue_green(2, previewReplicaCount=1), 3, stuck=True),
    "blue-green-at-twice": Pool(blue_green(2, previewReplicaCount=1), 4, stuck=False),
}


def outcome(kube: Kube, name: str, pool: Pool) -> str:
    """`stuck` or `done`, and in the first case the pods that wait."""
    namespace = f"pool-{name}"
    nodes.add(kube, nodes.gpu_node(namespace, POOL, pool.gpus, {"pool": name}))
    server = workloads.put(kube, namespace, pool.case, labels={"pool": name}, deadline=DEADLINE)
    workloads.update(kube, server)
    ended = kube.wait_for(
        server, lambda obj: workloads.stuck(obj) or workloads.updated(obj, pool.case.pods), "an end of its update"
    )
    if not workloads.stuck(ended):
        return "done"
    found = kube.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    waiting = [pod for pod in found if workloads.unschedulable(pod)]
    if waiting:
        return f"stuck with {len(waiting)} pods for which there is no GPU"
    workloads.wait_until_updated(kube, server, pool.case.pods)  # it was slow, no more
    return "done"


@pytest.fixture(scope="module")
def outcomes(rollouts: Kube) -> Iterator[dict[str, Any]]:
    """All cases at once: name -> the future of its outcome."""
    with ThreadPoolExecutor(len(POOLS)) as pool:
        yield {name: pool.submit(outcome, rollouts, name, case) for name, case in POOLS.items()}
    for name in POOLS:
        rollouts.delete(f"/api/v1/namespaces/pool-{name}")
        rollouts.delete(f"/api/v1/nodes/pool-{name}")


@pytest.mark.parametrize("name", POOLS)
def test_an_update_completes_unless_its_pods_find_no_gpu(outcomes: dict[str, Any], name: str) -> None:
    expected = "stuck with" if POOLS[name].stuck else "done"
    assert outcomes[name].result().startswith(expected), outcomes[name].result()


def deadlock_is_said(pool: Pool) -> bool:
    """Whether the gate says that the update gets stuck."""
    settings = {
        "version": 1,
        "environments": {"prod": {"overlay": "overlays/prod", "pool": "own"}},
        "pools": {"own": {"gpus": pool.gpus, "gpus_per_node": pool.gpus, "gpu_resources": ["nvidia.com/gpu"]}},
    }
    found = testing.check_documents(workloads.objects(pool.case, POOL), settings=settings)
    return "ROL006" in {violation.rule for violation in found}


@pytest.mark.parametrize("name", POOLS)
def test_the_gate_says_which_updates_get_stuck(name: str) -> None:
    assert deadlock_is_said(POOLS[name]) == POOLS[name].stuck
