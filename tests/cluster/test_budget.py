"""The budget arithmetic against the controllers that decide: GPUs that pods ask for during an update.

Given a workload that is up at its full count; when its pod template changes; then the most GPUs that its
pods asked for at one moment are the gate's `peak`, to the GPU. A pod that is on its way out asks for nothing
any more: it has a deletion timestamp, or its ReplicaSet wants fewer pods than it has.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from cluster import workloads
from cluster.nodes import POOL
from cluster.workloads import Case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cluster.kube import Kube, Object
    from cluster.processes import Programs

GPU = "nvidia.com/gpu"


def deployment(pods: int, surge: Any = None, unavailable: Any = None, **more: Any) -> Case:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    given = {name: value for name, value in rolling.items() if value is not None}
    strategy = {"type": "RollingUpdate", "rollingUpdate": given} if given else {}
    return Case(kind="Deployment", pods=pods, strategy=strategy, **more)


def canary(pods: int, *weights: int | dict[str, Any], **strategy: Any) -> Case:
    more = {name: strategy.pop(name) for name in ("gpus", "hpa") if name in strategy}
    steps = [step for weight in weights for step in workloads.steps_of(weight)]
    return Case(kind="Rollout", pods=pods, strategy={"canary": {**strategy, "steps": steps}}, **more)


def routed(pods: int, *weights: int | dict[str, Any], **strategy: Any) -> Case:
    return canary(pods, *weights, **strategy, **workloads.ROUTED)


def blue_green(pods: int, **strategy: Any) -> Case:
    return Case(kind="Rollout", pods=pods, strategy={"blueGreen": {**workloads.BLUE_GREEN, **strategy}})


SCALE = "setCanaryScale"
CASES = {
    "deployment-default-of-1": deployment(1),
    "deployment-default-of-4": deployment(4),
    "deployment-default-of-5": deployment(5, gpus=2),
    "deployment-surge-0": deployment(3, 0, 1),
    "deployment-surge-2": deployment(3, 2, 0),
    "deployment-surge-half-of-3": deployment(3, "50%", 0),
    "deployment-surge-100": deployment(2, "100%", 0),
    "deployment-surge-above-the-count": deployment(1, 3, 0),
    "deployment-surge-200": deployment(2, "200%", 0),
    "deployment-recreate": Case(kind="Deployment", pods=2, strategy={"type": "Recreate"}, gpus=2),
    "deployment-hpa-at-max": deployment(4, "25%", "25%", hpa=True, gpus=2),
    "stateful-set": Case(kind="StatefulSet", pods=2, strategy={"type": "RollingUpdate"}),
    "canary-no-steps": canary(4),
    "canary-of-1": canary(1, 50),
    "canary-default-surge": canary(4, 25, 50),
    "canary-default-surge-of-5": canary(5, 10, 40),
    "canary-surge-0": canary(4, 25, 50, maxSurge=0, maxUnavailable=1),
    "canary-surge-2": canary(4, 50, maxSurge=2, maxUnavailable=0),
    "canary-surge-100": canary(4, 25, maxSurge="100%", maxUnavailable=0),
    "canary-surge-100-at-once": canary(4, 100, maxSurge="100%", maxUnavailable=0),
    "canary-surge-100-no-steps": canary(3, maxSurge="100%", maxUnavailable=0),
    "canary-surge-100-half": canary(4, 50, maxSurge="100%", maxUnavailable=0),
    "canary-surge-above-the-count": canary(2, maxSurge=5, maxUnavailable=0),
    "routed": routed(4, 5, 25, 50),
    "routed-hpa-at-max": routed(4, 5, 50, 100, hpa=True, gpus=2),
    "routed-of-1": routed(1, 50),
    "routed-no-steps": routed(2),
    "routed-canary-scale-above-the-count": routed(
        2, {SCALE: {"replicas": 3}}, 25, {SCALE: {"matchTrafficWeight": True}}
    ),
    "dynamic": routed(4, 25, 50, dynamicStableScale=True),
    "dynamic-one-step": routed(4, 25, dynamicStableScale=True),
    "dynamic-to-the-end": routed(4, 25, 50, 75, 100, dynamicStableScale=True),
    "dynamic-hpa-at-max": routed(3, 34, 67, dynamicStableScale=True, hpa=True, gpus=2),
    "dynamic-no-steps": routed(3, dynamicStableScale=True),
    "dynamic-canary-scale": routed(4, {SCALE: {"weight": 50}}, 10, dynamicStableScale=True),
    "dynamic-at-least-two": routed(4, 10, 50, dynamicStableScale=True, minPodsPerReplicaSet=2),
    "blue-green": blue_green(3),
    "blue-green-of-1": blue_green(1, previewReplicaCount=1),
    "blue-green-small-preview": blue_green(3, previewReplicaCount=1),
}


@dataclass(slots=True)
class Watch:
    """Every event of the pods and ReplicaSets of a namespace, in the order of the cluster."""

    kube: Kube
    namespace: str
    events: list[tuple[int, str, Object]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def begin(self, path: str) -> threading.Thread:
        """Takes down what is there, and from then on each event below a path until `ended`."""
        listed = self.kube.get(path)
        self.events += [(0, "ADDED", obj) for obj in listed["items"]]
        follower = threading.Thread(target=self.follow, args=(path, listed["metadata"]["resourceVersion"]))
        follower.start()
        return follower

    def follow(self, path: str, version: str) -> None:
        """Takes down each event after a version."""
        while not self.ended.is_set():
            for kind, obj in self.kube.events(path, version, 2):
                version = obj["metadata"]["resourceVersion"]
                self.events.append((int(version), kind, obj))

    def peak(self) -> int:
        """The most GPUs asked for at one moment."""
        wanted: dict[str, int] = {}
        pods: dict[str, tuple[str, int]] = {}
        most = 0
        for _, kind, obj in sorted(self.events, key=lambda event: event[0]):
            gone = kind == "DELETED" or "deletionTimestamp" in obj["metadata"]
            if "containers" in obj["spec"]:
                owner = obj["metadata"]["ownerReferences"][0]["uid"]
                pods[obj["metadata"]["uid"]] = (
                    owner,
                    0 if gone else int(obj["spec"]["containers"][0]["resources"]["limits"][GPU]),
                )
            else:
                wanted[obj["metadata"]["uid"]] = 0 if gone else obj["spec"]["replicas"]
            most = max(most, asked(pods, wanted))
        return most


def asked(pods: dict[str, tuple[str, int]], wanted: dict[str, int]) -> int:
    """GPUs of the pods, of each owner no more of them than it wants."""
    of: dict[str, list[int]] = {}
    for owner, gpus in pods.values():
        if gpus:
            of.setdefault(owner, []).append(gpus)
    return sum(sum(gpus[: wanted.get(owner, len(gpus))]) for owner, gpus in of.items())


def observed(kube: Kube, name: str, case: Case) -> int:
    """The most GPUs asked for at one moment of an update."""
    namespace = f"budget-{name}"
    server = workloads.put(kube, namespace, case)
    watch = Watch(kube, namespace)
    paths = [f"/api/v1/namespaces/{namespace}/pods", f"/apis/apps/v1/namespaces/{namespace}/replicasets"]
    followers = [watch.begin(path) for path in paths]
    try:
        workloads.update(kube, server)
        workloads.wait_until_updated(kube, server, case.pods)
    finally:
        watch.ended.set()
        for follower in followers:
            follower.join()
    kube.delete(f"/api/v1/namespaces/{namespace}")
    return watch.peak()


@pytest.fixture(scope="module")
def peaks(rollouts: Kube, programs: Programs) -> Iterator[dict[str, Future[int]]]:
    """All updates at once: name -> the future of what was observed. The table goes to the logs."""
    with ThreadPoolExecutor(12) as pool:
        futures = {name: pool.submit(observed, rollouts, name, case) for name, case in CASES.items()}
        yield futures
    rows = [f"{name:36} {said(name)['gpus']:3} {future.result():3}" for name, future in futures.items()]
    (programs.folder / "budget.log").write_text("\n".join(rows), encoding="utf-8")


def said(name: str) -> dict[str, Any]:
    """The gate's peak of a case."""
    return workloads.peak(workloads.objects(CASES[name], POOL))


@pytest.mark.parametrize("name", CASES)
def test_an_update_asks_for_the_peak_that_the_gate_says(peaks: dict[str, Future[int]], name: str) -> None:
    assert said(name)["gpus"] == peaks[name].result(), said(name)["terms"]
