"""Argo CD brings a generated repository to the cluster as its folder argocd/ says.

Given a local git repository that `lockgate new` wrote, applied as its README says; then the Applications come
to be and dev and canary are Synced and Healthy, wave by wave, and prod when its window opens; when somebody
changes an object by hand, or scales by the autoscaler, or commits what the project forbids, then each ends as
the template promises. The tests of this module follow one another.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import yaml
from cluster import platform
from cluster.kube import ApiError, ref
from cluster.test_autoscaling import behave
from cluster.workloads import rendered, volume_for

from lockgate import generate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cluster.argo import ArgoCD
    from cluster.kube import Kube, Object

NAME = "qwen-chat"
SLOW = 300.0  # seconds; Argo CD waits for resyncs of its own


@dataclass(slots=True)
class Site:
    """The repository, and the cluster that follows it."""

    kube: Kube
    root: Path

    def git(self, *arguments: str) -> str:
        """Runs git in the repository."""
        names = ("-c", "user.name=test", "-c", "user.email=test@example.com")
        done = subprocess.run(["git", *names, *arguments], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self) -> str:
        """Commits everything, has the Applications look, and returns the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "change")
        self.refresh("dev", "canary")
        return self.git("rev-parse", "HEAD")

    def refresh(self, *environments: str) -> None:
        """Has Applications compare now, not at their next resync."""
        for environment in environments:
            change = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}}
            self.kube.patch(self.kube.path(application(environment)), change)

    def wait(self, environment: str, holds: Callable[[Object], object], what: str) -> Object:
        """An Application in a state."""
        return self.kube.wait_for(application(environment), holds, what, seconds=SLOW)

    def apply_argocd(self) -> None:
        """What an administrator does: `kubectl apply -k argocd`."""
        done = subprocess.run(["kustomize", "build", "argocd"], cwd=self.root, check=True, capture_output=True)
        for obj in yaml.safe_load_all(done.stdout):
            self.kube.apply(obj)


def application(environment: str) -> Object:
    return ref("argoproj.io/v1alpha1", "Application", f"{NAME}-{environment}", "argocd")


def state(app: Object) -> tuple[str, str]:
    """Sync and health of an Application."""
    status = app.get("status", {})
    return status.get("sync", {}).get("status", ""), status.get("health", {}).get("status", "")


def well(app: Object) -> bool:
    return state(app) == ("Synced", "Healthy")


def synced_to(commit: str) -> Callable[[Object], bool]:
    """Whether a commit has been brought to the cluster."""

    def holds(app: Object) -> bool:
        operation = app.get("status", {}).get("operationState", {})
        return bool(operation.get("phase") == "Succeeded" and operation.get("syncResult", {}).get("revision") == commit)

    return holds


def window(*, open_now: bool) -> dict[str, str]:
    """A daily window that is open now, or one that is twelve hours away."""
    hour = (dt.datetime.now(tz=dt.UTC).hour + 12) % 24
    return (
        {"schedule": "0 0 * * *", "duration": "24h"} if open_now else {"schedule": f"0 {hour} * * *", "duration": "1h"}
    )


def edit(path: Path, old: str, new: str) -> None:
    """Replaces a text that is there."""
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path}: no {old!r}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def set_window(site: Site, *, open_now: bool) -> None:
    project = site.root / "argocd" / "project.yaml"
    found = yaml.safe_load(project.read_text(encoding="utf-8"))
    found["spec"]["syncWindows"][0].update(window(open_now=open_now))
    project.write_text(yaml.safe_dump(found), encoding="utf-8")


@pytest.fixture(scope="module")
def site(argo_cd: ArgoCD, rollouts: Kube, metrics: str, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A repository that is followed; its claims find volumes, its secrets are fetched."""
    assert metrics
    root = tmp_path_factory.mktemp("git") / NAME
    generate.generate(root, {})
    project = yaml.safe_load((root / "argocd" / "project.yaml").read_text(encoding="utf-8"))
    (url,) = project["spec"]["sourceRepos"]
    for name in ("project", "application-set"):
        edit(root / "argocd" / f"{name}.yaml", url, f"file://{root}")
    found = Site(rollouts, root)
    set_window(found, open_now=False)
    found.git("init", "--quiet", "--initial-branch", "main")
    found.git("add", "--all")
    found.git("commit", "--quiet", "--message", "begin")
    found.git("tag", "v0.1.0")
    for objects in rendered(root).values():
        for obj in objects:
            if obj["kind"] == "PersistentVolumeClaim":
                rollouts.apply(volume_for(obj))
    platform.play_operators(rollouts)
    assert argo_cd.folder.is_dir()
    found.apply_argocd()
    return found


def made(kube: Kube, api_version: str, kind: str, name: str, environment: str = "dev") -> str:
    """When an object was created."""
    obj = kube.get(kube.path(ref(api_version, kind, name, f"{NAME}-{environment}")))
    return str(obj["metadata"]["creationTimestamp"])


@pytest.mark.parametrize("environment", ["dev", "canary"])
def test_an_environment_is_synced_and_healthy_by_itself(site: Site, environment: str) -> None:
    site.wait(environment, well, "to be synced and healthy")


def test_the_claim_comes_first_then_the_weights_then_the_server(site: Site) -> None:
    claim = made(site.kube, "v1", "PersistentVolumeClaim", f"{NAME}-models")
    job = site.kube.get(site.kube.path(ref("batch/v1", "Job", f"{NAME}-preload", f"{NAME}-dev")))
    server = made(site.kube, "apps/v1", "Deployment", NAME)
    assert claim <= job["metadata"]["creationTimestamp"] <= job["status"]["completionTime"] <= server


def test_prod_waits_for_its_window(site: Site) -> None:
    app = site.wait("prod", lambda app: state(app)[0] == "OutOfSync", "to be compared")
    assert "operationState" not in app["status"]
    with pytest.raises(ApiError, match="404"):
        made(site.kube, "apps/v1", "Deployment", NAME, "prod")


def test_prod_syncs_when_its_window_opens(site: Site) -> None:
    set_window(site, open_now=True)
    site.apply_argocd()
    site.refresh("prod")
    site.wait("prod", well, "to be synced and healthy")


def test_a_change_by_hand_is_undone(site: Site) -> None:
    server = ref("apps/v1", "Deployment", NAME, f"{NAME}-dev")
    site.kube.patch(site.kube.path(server), {"spec": {"replicas": 0}})
    site.kube.wait_for(server, lambda obj: obj["spec"]["replicas"] == 1, "its replica back", seconds=SLOW)
    site.wait("dev", well, "to be synced and healthy again")


def test_what_the_autoscaler_sets_stays(site: Site) -> None:
    space = f"{NAME}-canary"
    rollout = ref("argoproj.io/v1alpha1", "Rollout", NAME, space)
    scaler = ref("autoscaling/v2", "HorizontalPodAutoscaler", NAME, space)
    behave(site.kube, space, "queue")
    site.kube.wait_for(scaler, lambda obj: "'40'" in str(obj["status"]["currentMetrics"]), "to see the queue")
    # What it will set itself when the queue has lasted a minute.
    site.kube.patch(site.kube.path(rollout, "scale"), {"spec": {"replicas": 2}})
    site.kube.wait_for(rollout, lambda obj: obj["status"].get("availableReplicas") == 2, "two servers")
    before = site.kube.get(site.kube.path(application("canary")))["status"]["reconciledAt"]
    site.refresh("canary")
    site.wait("canary", lambda app: app["status"]["reconciledAt"] > before and well(app), "to be compared again")
    assert site.kube.get(site.kube.path(rollout))["spec"]["replicas"] == 2


def test_what_is_taken_out_is_pruned_but_never_the_weights(site: Site) -> None:
    edit(site.root / "base" / "kustomization.yaml", "  - model-cache.yaml\n", "")
    edit(site.root / "overlays" / "dev" / "kustomization.yaml", "  - ../../observability/scrape\n", "")
    commit = site.commit()
    site.wait("dev", synced_to(commit), "to be synced to the commit")
    monitor = ref("monitoring.coreos.com/v1", "PodMonitor", NAME, f"{NAME}-dev")
    where = site.kube.kind(monitor["apiVersion"], monitor["kind"]).path(f"{NAME}-dev")
    site.kube.wait(where, lambda found: not found, "no PodMonitor")
    claim = site.kube.get(site.kube.path(ref("v1", "PersistentVolumeClaim", f"{NAME}-models", f"{NAME}-dev")))
    assert "deletionTimestamp" not in claim["metadata"]
    site.git("revert", "--no-edit", "HEAD")
    site.refresh("dev", "canary")
    site.wait("dev", synced_to(site.git("rev-parse", "HEAD")), "to be synced to the revert")


@pytest.mark.parametrize(
    ("obj", "refusal"),
    [
        (
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "forbidden"}},
            "rbac.authorization.k8s.io:ClusterRole is not permitted in project qwen-chat",
        ),
        (
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "forbidden"}},
            ":Secret is not permitted in project qwen-chat",
        ),
    ],
    ids=["cluster-role", "secret"],
)
def test_what_the_project_forbids_is_refused(site: Site, obj: Object, refusal: str) -> None:
    (site.root / "overlays" / "dev" / "forbidden.yaml").write_text(yaml.safe_dump(obj), encoding="utf-8")
    edit(site.root / "overlays" / "dev" / "kustomization.yaml", "resources:\n", "resources:\n  - forbidden.yaml\n")
    site.commit()
    app = site.wait("dev", lambda app: refusal in messages(app), "to be refused")
    assert state(app)[0] != "Synced"
    with pytest.raises(ApiError, match="404"):
        site.kube.get(site.kube.path({**obj, "metadata": {"name": "forbidden", "namespace": f"{NAME}-dev"}}))
    site.git("revert", "--no-edit", "HEAD")
    # As `argocd app terminate-op`: else it tries the same commit five times, later and later.
    site.kube.patch(site.kube.path(application("dev")), {"status": {"operationState": {"phase": "Terminating"}}})
    site.refresh("dev", "canary")
    site.wait("dev", well, "to be well again")


def messages(app: Object) -> str:
    """All that an Application says about its failures."""
    status = app.get("status", {})
    operation = status.get("operationState", {})
    results: Sequence[Object] = operation.get("syncResult", {}).get("resources") or []
    conditions: Sequence[Object] = status.get("conditions") or []
    said = [operation.get("message", ""), *(entry.get("message", "") for entry in (*results, *conditions))]
    return "\n".join(said)


def test_the_plugin_hands_out_what_the_gate_accepts_and_nothing_else(site: Site) -> None:
    gated = application("gated")
    spec = {
        "project": NAME,
        "source": {
            "repoURL": f"file://{site.root}",
            "targetRevision": "main",
            "path": "overlays/dev",
            "plugin": {"name": "lockgate"},
        },
        "destination": {"server": "https://kubernetes.default.svc", "namespace": f"{NAME}-dev"},
    }
    site.kube.apply({**gated, "spec": spec})
    accepted = site.wait("gated", lambda app: app.get("status", {}).get("resources"), "to be compared")
    kinds = {resource["kind"] for resource in accepted["status"]["resources"]}
    assert {"Deployment", "Namespace", "PersistentVolumeClaim"} <= kinds
    assert "ComparisonError" not in json.dumps(accepted["status"])

    edit(site.root / "overlays" / "dev" / "replicas.yaml", "replicas: 1", "replicas: 99")
    site.commit()
    site.refresh("gated")
    refused = site.wait("gated", lambda app: "ComparisonError" in json.dumps(app["status"]), "to be refused")
    assert "overlays/dev/replicas.yaml:6:13: error CST001" in messages(refused)

    site.git("revert", "--no-edit", "HEAD")
    site.refresh("gated")
    site.wait("gated", lambda app: "ComparisonError" not in json.dumps(app["status"]), "to be compared again")
