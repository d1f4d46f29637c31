"""Releases of the template's prod in a hurry, each in a namespace of its own, with what became of them."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cluster.kube import condition, ref
from cluster.workloads import make_namespace, rendered, volume_for

if TYPE_CHECKING:
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
        if obj["kind"] == "AnalysisTemplate" and "prometheus" in obj["spec"]["metrics"][0]["provider"]:
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
