"""One control plane for all cluster tests, started once; and what the tests put into it."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest
from cluster import argo, fleet, nodes, plane, platform, release
from cluster.processes import Programs
from cluster.workloads import make_namespace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cluster.kube import Kube, Object
    from cluster.plane import ControlPlane

    Releases: TypeAlias = dict[str, Future[tuple[release.Release, Object]]]

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
TEMPLATE_CRDS = [
    "argo-rollouts",
    "argo-cd",
    "gateway-api",
    "prometheus-operator",
    "external-secrets",
    "keda",
    "sealed-secrets",
]
PROGRAMS = pytest.StashKey[Programs]()
PLUGIN = ROOT / "<<cookiecutter.project>>" / "argocd" / "plugin"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test of this folder: `-m "not cluster"` leaves it out, and one process has the control plane."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.xdist_group("cluster"))


@pytest.fixture(scope="session", autouse=True)
def tools() -> None:
    """Puts the control plane's programs on the PATH too; what is missing fails the run."""
    command = [sys.executable, str(ROOT / "tools" / "build.py"), "--cluster", "--path"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}: run `python tools/build.py --cluster`"
    os.environ["PATH"] = f"{done.stdout.strip()}{os.pathsep}{os.environ['PATH']}"


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Ends the control plane after its last test: idle it would take a third of a core from the tests that follow."""
    if PROGRAMS in item.session.stash and (nextitem is None or HERE not in nextitem.path.parents):
        item.session.stash[PROGRAMS].stop()


@pytest.fixture(scope="session")
def programs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    """Everything that the tests of this folder start; it ends with the last of them."""
    started = request.session.stash[PROGRAMS] = Programs(tmp_path_factory.mktemp("cluster"))
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="session")
def cluster(programs: Programs) -> ControlPlane:
    """A control plane with the CRDs of the template, a plain node and a pool of 128 GPUs."""
    running = plane.start(programs)
    plane.install_definitions(running.kube, TEMPLATE_CRDS, kinds=KINDS)
    pool = [nodes.gpu_node(f"gpu-{number}", nodes.POOL, 8) for number in range(16)]
    nodes.add(running.kube, nodes.plain_node("plain"), *pool)
    return running


# Those that some object of the template or of a test has; every other one would only cost time.
KINDS = frozenset(
    {
        "AnalysisRun",
        "AnalysisTemplate",
        "AppProject",
        "Application",
        "ApplicationSet",
        "ClusterAnalysisTemplate",
        "Experiment",
        "ExternalSecret",
        "HTTPRoute",
        "PodMonitor",
        "PrometheusRule",
        "ReferenceGrant",
        "Rollout",
        "ScaledObject",
        "SealedSecret",
        "SecretStore",
        "ServiceMonitor",
        "TriggerAuthentication",
    }
)


@pytest.fixture(scope="session")
def kube(cluster: ControlPlane) -> Kube:
    """The API of the cluster."""
    return cluster.kube


@pytest.fixture(autouse=True)
def alive(request: pytest.FixtureRequest) -> Iterator[None]:
    """Says at each test whether a program has died, rather than let the test wait for it."""
    yield
    if "programs" in request.fixturenames:
        request.getfixturevalue("programs").check()


@pytest.fixture
def namespace(kube: Kube) -> Iterator[Callable[[str], str]]:
    """Makes namespaces, which go when the test ends."""
    made = []

    def make(name: str, labels: dict[str, str] | None = None) -> str:
        make_namespace(kube, name, labels)
        made.append(name)
        return name

    yield make
    for name in made:
        kube.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="session")
def rollouts(cluster: ControlPlane) -> Kube:
    """The API of the cluster, with the controller of Argo Rollouts."""
    argo.start_rollouts(cluster)
    return cluster.kube


@pytest.fixture(scope="session")
def argo_cd(cluster: ControlPlane) -> argo.ArgoCD:
    """Argo CD in the cluster."""
    return argo.start_cd(cluster, plugin=PLUGIN)


@pytest.fixture(scope="session")
def prometheus(cluster: ControlPlane) -> str:
    """The address of a Prometheus that scrapes what the servers in the cluster would expose."""
    return fleet.start_prometheus(cluster.programs, fleet.serve(cluster.kube))


@pytest.fixture(scope="session")
def metrics(cluster: ControlPlane, prometheus: str) -> str:
    """The address of that Prometheus, which the autoscaler now reads too."""
    key = cluster.kube.ca.with_suffix(".key")
    platform.serve_metrics(cluster.kube, prometheus, cluster.kube.ca, key)
    return prometheus


@pytest.fixture(scope="session")
def releases(rollouts: Kube, pristine: Path, prometheus: str, programs: Programs) -> Iterator[Releases]:
    """All releases at once: behaviour -> the future of (release, Rollout). Their timelines go to the logs."""
    names = ("good", *release.ABORTED, *release.HELD)
    with ThreadPoolExecutor(len(names)) as pool:
        futures = {name: pool.submit(release.released, rollouts, pristine, prometheus, name) for name in names}
        yield futures
    for name, future in futures.items():
        moments = future.result()[0].timeline
        lines = [f"{at:6.1f} s  {phase:12} {weight:3} %  {text}" for at, phase, weight, text in moments]
        (programs.folder / f"release-{name}.log").write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture(scope="session", autouse=True)
def begun(request: pytest.FixtureRequest) -> None:
    """Starts the releases before all other tests, which pass while they wait for their analyses."""
    if any(item.path.stem == "test_release" for item in request.session.items):
        request.getfixturevalue("releases")
