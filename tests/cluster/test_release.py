"""Releases of the template's prod: a good one goes through by itself, a bad one comes back by itself.

Given prod's Rollout, its analysis and its route, with two servers up; when a release is committed whose
servers do well, badly, or show nothing; then the Rollout moves the route's weights by its steps to the end,
or aborts at the first and leaves the old servers as they were, or waits for a person. Minutes of the
analysis are seconds here; conditions, limits and PromQL are the template's.
"""

from __future__ import annotations

import copy
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from cluster.conftest import make_namespace
from cluster.kube import condition, ref
from cluster.workloads import rendered, volume_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cluster.kube import Kube, Object

NAME = "qwen-chat"
KINDS = (
    "ServiceAccount",
    "ConfigMap",
    "PersistentVolumeClaim",
    "Service",
    "HTTPRoute",
    "AnalysisTemplate",
    "Deployment",
    "Rollout",
)
# What an hour of looking at a release becomes here.
FASTER = {"[2m]": "[6s]", '"initialDelay": "2m"': '"initialDelay": "6s"', '"interval": "1m"': '"interval": "1s"'}
ABORTED = ("errors", "slow-first-token", "slow-tokens", "queue")
HELD = ("unasked", "unseen")


@dataclass(slots=True)
class Release:
    """One release in a namespace of its own.

    Attributes:
        seconds: When the timeline began.
        timeline: Each change of phase or weight: seconds, phase, weight of the new servers, message.
    """

    kube: Kube
    namespace: str
    seconds: float = 0.0
    timeline: list[tuple[float, str, int, str]] = field(default_factory=list)
    before: set[str] = field(default_factory=set)
    after: set[str] = field(default_factory=set)

    @property
    def rollout(self) -> Object:
        return ref("argoproj.io/v1alpha1", "Rollout", NAME, self.namespace)

    def set_up(self, objects: list[Object]) -> None:
        """Two servers of the release before, up and serving."""
        make_namespace(self.kube, self.namespace)
        for obj in objects:
            obj["metadata"]["namespace"] = self.namespace
            if obj["kind"] == "PersistentVolumeClaim":
                self.kube.apply(volume_for(obj))
            self.kube.apply(obj)
        self.kube.wait_for(self.rollout, lambda obj: obj.get("status", {}).get("phase") == "Healthy", "two servers up")
        self.before = self.servers()

    def commit(self, behaviour: str) -> None:
        """Changes the pod template, as a release does."""
        change = {"spec": {"template": {"metadata": {"annotations": {"behaviour": behaviour}}}}}
        self.seconds = time.monotonic()
        self.kube.patch(self.kube.path(ref("apps/v1", "Deployment", NAME, self.namespace)), change)

    def end(self) -> Object:
        """The Rollout when its release is through, back, or waits for a person."""
        ended = self.kube.wait_for(self.rollout, self.over, "an end of the release", seconds=300)
        self.after = self.servers()
        return ended

    def over(self, rollout: Object) -> bool:
        """Takes down what changed."""
        status = rollout["status"]
        weight = status.get("canary", {}).get("weights", {}).get("canary", {}).get("weight", 0)
        state = (str(status.get("phase")), weight, str(status.get("message", "")))
        if not self.timeline or self.timeline[-1][1:] != state:
            self.timeline.append((round(time.monotonic() - self.seconds, 1), *state))
        if int(status.get("observedGeneration", 0)) < rollout["metadata"]["generation"] or len(self.timeline) == 1:
            return False
        return held(rollout) or (status.get("abort") and weight == 0) or condition(rollout, "Completed") == "True"

    def servers(self) -> set[str]:
        """The ready pods of the Rollout's stable set."""
        stable = self.kube.get(self.kube.path(self.rollout))["status"]["stableRS"]
        selector = f"rollouts-pod-template-hash={stable}"
        found = self.kube.get(f"/api/v1/namespaces/{self.namespace}/pods", labelSelector=selector)["items"]
        return {pod["metadata"]["uid"] for pod in found if condition(pod, "Ready") == "True"}

    def weights(self) -> dict[str, int]:
        """What the route gives each Service of this environment."""
        route = self.kube.get(self.kube.path(ref("gateway.networking.k8s.io/v1", "HTTPRoute", NAME, self.namespace)))
        backends = route["spec"]["rules"][0]["backendRefs"]
        return {backend["name"]: backend["weight"] for backend in backends if "namespace" not in backend}


def held(rollout: Object) -> bool:
    """Whether a release waits for a person, since its analysis proves nothing."""
    pauses = rollout["status"].get("pauseConditions") or []
    return any(pause["reason"] == "InconclusiveAnalysisRun" for pause in pauses)


def objects_of(pristine: Path, prometheus: str, namespace: str) -> list[Object]:
    """Prod's objects that take part, in a hurry, with one GPU for each server."""
    found = [copy.deepcopy(obj) for obj in rendered(pristine)["prod"] if obj["kind"] in KINDS]
    for obj in found:
        if obj["kind"] == "Rollout":
            obj["spec"]["replicas"] = 2
            router = obj["spec"]["strategy"]["canary"]["trafficRouting"]["plugins"]["argoproj-labs/gatewayAPI"]
            router["namespace"] = namespace
        if obj["kind"] == "Deployment":
            server = obj["spec"]["template"]["spec"]["containers"][0]["resources"]
            server["limits"]["nvidia.com/gpu"] = server["requests"]["nvidia.com/gpu"] = "1"
        if obj["kind"] == "AnalysisTemplate":
            text = json.dumps(obj)
            for slow, fast in FASTER.items():
                assert slow in text
                text = text.replace(slow, fast)
            obj.update(json.loads(text))
            obj["spec"]["metrics"][0]["provider"]["prometheus"]["address"] = prometheus
    return sorted(found, key=lambda obj: KINDS.index(obj["kind"]))


def released(kube: Kube, pristine: Path, prometheus: str, behaviour: str) -> tuple[Release, Object]:
    """A release, and the Rollout at its end."""
    release = Release(kube, f"release-{behaviour}")
    release.set_up(objects_of(pristine, prometheus, release.namespace))
    release.commit(behaviour)
    return release, release.end()


@pytest.fixture(scope="module")
def releases(rollouts: Kube, pristine: Path, prometheus: str, programs: Any) -> Iterator[dict[str, Any]]:
    """All releases at once: behaviour -> the future of (release, Rollout). Their timelines go to the logs."""
    names = ("good", *ABORTED, *HELD)
    with ThreadPoolExecutor(len(names)) as pool:
        futures = {name: pool.submit(released, rollouts, pristine, prometheus, name) for name in names}
        yield futures
    for name, future in futures.items():
        lines = [
            f"{at:6.1f} s  {phase:12} {weight:3} %  {text}" for at, phase, weight, text in future.result()[0].timeline
        ]
        (programs.folder / f"release-{name}.log").write_text("\n".join(lines), encoding="utf-8")
        rollouts.delete(f"/api/v1/namespaces/release-{name}")


def test_a_good_release_goes_through_its_steps_by_itself(releases: dict[str, Any]) -> None:
    release, rollout = releases["good"].result()
    assert rollout["status"]["phase"] == "Healthy", release.timeline
    weights = [weight for _, _, weight, _ in release.timeline]
    assert [weight for i, weight in enumerate(weights) if weight and weight != weights[i - 1]] == [5, 25, 50, 100]
    assert len(release.after) == 2
    assert not release.after & release.before


@pytest.mark.parametrize("behaviour", ABORTED)
def test_a_bad_release_comes_back_by_itself_with_nothing_lost(releases: dict[str, Any], behaviour: str) -> None:
    release, rollout = releases[behaviour].result()
    assert rollout["status"]["abort"], release.timeline
    assert max(weight for _, _, weight, _ in release.timeline) == 5, release.timeline
    assert release.after == release.before
    assert release.weights() == {f"{NAME}-stable": 100, f"{NAME}-canary": 0}


@pytest.mark.parametrize("behaviour", HELD)
def test_a_release_that_shows_nothing_is_never_promoted(releases: dict[str, Any], behaviour: str) -> None:
    release, rollout = releases[behaviour].result()
    assert held(rollout), release.timeline
    assert max(weight for _, _, weight, _ in release.timeline) == 5, release.timeline
    assert release.after == release.before
