"""Every overlay of every supported answer set is accepted by the API server.

Given the overlay's Namespace with `restricted` Pod Security and its ResourceQuota; when each object is
applied on the server's side with strict fields, and a pod is created from each pod template; then nothing
is refused and nothing is warned of. All but what pods need to be judged is a dry run: admission is whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cluster.kube import ApiError
from cluster.workloads import make_namespace, rendered
from template.answers import SUPPORTED

from lockgate import generate, render
from lockgate.model import Overlay

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cluster.kube import Kube, Object

# Kept, since what comes after is judged by them.
KEPT = ("Namespace", "ResourceQuota", "ServiceAccount")


def pod_of(obj: Object) -> Object | None:
    """A pod as the controller of an object would create it."""
    template = obj.get("spec", {}).get("template")
    if not isinstance(template, dict) or "containers" not in template.get("spec", {}):
        return None
    metadata = {"name": f"{obj['metadata']['name'][:50]}-pod", "namespace": obj["metadata"]["namespace"]}
    labels = template.get("metadata", {}).get("labels", {})
    spec = {"restartPolicy": "Always", **template["spec"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "labels": labels}, "spec": spec}


def refused(kube: Kube, objects: list[Object]) -> list[str]:
    """What the server refuses or warns of, one line each."""
    kube.warnings.clear()
    found = []
    for obj in sorted(objects, key=lambda obj: KEPT.index(obj["kind"]) if obj["kind"] in KEPT else len(KEPT)):
        found += _refusals(kube.apply, obj, dry_run=obj["kind"] not in KEPT)
    for pod in filter(None, map(pod_of, objects)):
        found += _refusals(kube.create, pod, dry_run=True)
    return [*found, *kube.warnings]


def _refusals(send: Callable[..., Object], obj: Object, *, dry_run: bool) -> list[str]:
    try:
        send(obj, dry_run=dry_run)
    except ApiError as error:
        return [f"{obj['kind']}/{obj['metadata']['name']}: {error}"]
    return []


@pytest.mark.parametrize("answers", SUPPORTED)
def test_the_server_accepts_every_overlay(kube: Kube, tmp_path: Path, answers: str) -> None:
    given = SUPPORTED[answers]
    root = tmp_path / given.get("project", "qwen-chat")
    generate.generate(root, given)
    for environment, objects in rendered(root).items():
        space = next(obj for obj in objects if obj["kind"] == "Namespace")
        assert space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
        assert refused(kube, objects) == [], environment


@pytest.mark.parametrize("answers", ["default", "another-name"])
def test_the_server_accepts_what_argo_cd_is_told(kube: Kube, tmp_path: Path, answers: str) -> None:
    given = SUPPORTED[answers]
    root = tmp_path / given.get("project", "qwen-chat")
    generate.generate(root, given)
    make_namespace(kube, "argocd")
    overlay = Overlay("argocd", "prod", "argocd")
    assert refused(kube, list(render.render(root, overlay, render.choose("")).objects)) == []


@pytest.mark.parametrize(
    ("kind", "change", "refusal"),
    [
        ("Deployment", {"spec": {"template": {"spec": {"hostNetwork": True}}}}, 'violates PodSecurity "restricted'),
        ("Deployment", {"spec": {"paused_": True}}, "field not declared in schema"),
        ("PersistentVolumeClaim", {"spec": {"accessModes": ["ReadWriteAll"]}}, "Unsupported value"),
    ],
)
def test_what_is_wrong_is_refused(kube: Kube, pristine: Path, kind: str, change: dict[str, Any], refusal: str) -> None:
    objects = rendered(pristine)["dev"]
    changed = [merged(obj, change) if obj["kind"] == kind else obj for obj in objects]
    found = refused(kube, changed)
    assert found
    assert any(refusal in line for line in found), found


def test_the_quota_refuses_more_gpus_than_the_budget(kube: Kube, pristine: Path) -> None:
    objects = rendered(pristine)["dev"]
    assert refused(kube, objects) == []
    server = next(obj for obj in objects if obj["kind"] == "Deployment")
    pod = pod_of(server)
    assert pod is not None
    resources = pod["spec"]["containers"][0]["resources"]
    resources["limits"]["nvidia.com/gpu"] = resources["requests"]["nvidia.com/gpu"] = "64"
    (found,) = _refusals(kube.create, pod, dry_run=True)
    assert "exceeded quota: qwen-chat-gpu" in found


def merged(obj: Any, change: Any) -> Any:
    """A copy of `obj` with `change` merged in."""
    if not isinstance(change, dict):
        return change
    return {**obj, **{key: merged(obj.get(key, {}), value) for key, value in change.items()}}
