"""A Kubernetes control plane on loopback: etcd, API server, controller manager, scheduler, and kwok for its nodes.

In: the folders of the pinned programs on the PATH. Out: a running cluster without a node.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests
import trustme
import yaml
from cluster.kube import Kube
from cluster.processes import Program, Programs, eventually, free_port

import pins
import schemas

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
FAKE = {"kwok.x-k8s.io/node": "fake"}
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A running one.

    Attributes:
        kube: Its API, as cluster administrator.
        kubeconfig: For programs that read one; the same administrator.
        programs: What runs.
    """

    kube: Kube
    kubeconfig: Path
    programs: Programs


def start(programs: Programs) -> ControlPlane:
    """Starts a control plane and returns when it serves.

    Raises:
        ProgramError: A program ended or does not come; the text has its log's last lines.
    """
    store = _start_etcd(programs)
    kube, key = _start_api_server(programs, store)
    kubeconfig = programs.folder / "kubeconfig"
    write_kubeconfig(kubeconfig, kube.url, kube.ca, kube.token)
    fast = ["--kube-api-qps=500", "--kube-api-burst=1000"]
    common: list[str | Path] = ["--kubeconfig", kubeconfig, "--leader-elect=false", f"--bind-address={LOOPBACK}", *fast]
    programs.start(
        "kube-controller-manager",
        [
            "kube-controller-manager",
            *common,
            f"--secure-port={free_port()}",
            f"--service-account-private-key-file={key}",
            # Nodes are made by hand; their life is watched, else their not-ready taint would stay.
            "--controllers=*,-node-ipam-controller",
            "--node-monitor-grace-period=10m",
            "--horizontal-pod-autoscaler-sync-period=2s",
            "--horizontal-pod-autoscaler-downscale-stabilization=1s",
        ],
    )
    programs.start("kube-scheduler", ["kube-scheduler", *common, f"--secure-port={free_port()}"])
    _start_kwok(programs, kubeconfig)
    return ControlPlane(kube, kubeconfig, programs)


def _start_etcd(programs: Programs) -> str:
    client, peer = (f"http://{LOOPBACK}:{free_port()}" for _ in range(2))
    arguments = [
        f"--data-dir={programs.folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]
    etcd = programs.start("etcd", ["etcd", *arguments])
    eventually(lambda: answers(f"{client}/health"), "etcd to serve", etcd)
    return client


def _start_api_server(programs: Programs, store: str) -> tuple[Kube, Path]:
    """The API and the key that signs the tokens of service accounts."""
    folder, port, token = programs.folder, free_port(), secrets.token_hex(16)
    tokens, key, certificates = folder / "tokens.csv", folder / "service-accounts.key", folder / "certificates"
    tokens.write_text(f"{token},admin,admin,system:masters\n", encoding="utf-8")
    tokens.chmod(0o600)
    key.write_bytes(trustme.CA().private_key_pem.bytes())
    arguments = [
        f"--etcd-servers={store}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={port}",
        f"--cert-dir={certificates}",
        f"--token-auth-file={tokens}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-cluster-ip-range=10.0.0.0/16",
        "--endpoint-reconciler-type=none",  # loopback is no address of an endpoint
    ]
    server = programs.start("kube-apiserver", ["kube-apiserver", *arguments])
    kube = Kube(f"https://{LOOPBACK}:{port}", token, certificates / "apiserver.crt")
    eventually(lambda: answers(f"{kube.url}/readyz", kube.ca, token), "the API server to serve", server)
    return kube, key


def _start_kwok(programs: Programs, kubeconfig: Path) -> Program:
    pin = pins.load()["programs"]["kwok"]
    stages = schemas.module_folder(pin["module"], pin["version"]) / "kustomize" / "stage" / "fast"
    config = programs.folder / "kwok.yaml"
    built = subprocess.run(["kustomize", "build", str(stages)], check=True, capture_output=True)
    config.write_bytes(built.stdout)
    key, value = next(iter(FAKE.items()))
    return programs.start(
        "kwok",
        [
            "kwok",
            f"--kubeconfig={kubeconfig}",
            f"--config={config}",
            "--manage-all-nodes=false",
            f"--manage-nodes-with-annotation-selector={key}={value}",
        ],
    )


def answers(url: str, ca: Path | None = None, token: str = "") -> bool:
    """Whether a server answers with success."""
    if ca is not None and not ca.is_file():
        return False
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        return requests.get(url, headers=headers, verify=str(ca) if ca else True, timeout=5).ok
    except requests.RequestException:
        return False


def write_kubeconfig(path: Path, url: str, ca: Path, token: str) -> None:
    """Writes a kubeconfig of one cluster and one user, named `test`."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url, "certificate-authority": str(ca)}}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    path.chmod(0o600)


def definitions(name: str) -> list[dict[str, Any]]:
    """The CustomResourceDefinitions that are pinned under a name; YAML is read once, then JSON from the cache."""
    pin = pins.load()["crds"][name]
    target = pins.cache_root() / f"crds-{name}-{pin['version']}-{pins.key(pin)}"
    if not target.is_dir():
        with pins.filled(target) as folder:
            source = schemas.module_folder(pin["module"], pin["version"]) / pin["folder"]
            found = [without_words(definition) for definition in schemas.custom_resources(source)]
            (folder / "crds.json").write_text(json.dumps(found), encoding="utf-8")
    read: list[dict[str, Any]] = json.loads((target / "crds.json").read_text(encoding="utf-8"))
    return read


def without_words(value: Any) -> Any:
    """A schema without its descriptions: they are most of it, and the server reads every one."""
    if isinstance(value, dict):
        kept = {key: one for key, one in value.items() if key != "description" or not isinstance(one, str)}
        return {key: without_words(one) for key, one in kept.items()}
    return [without_words(one) for one in value] if isinstance(value, list) else value


def install_definitions(kube: Kube, names: list[str], *, kinds: frozenset[str] = frozenset()) -> None:
    """Installs pinned CRDs, all or those of the given kinds, and returns when they are served."""
    wanted = set()
    for name in names:
        for definition in definitions(name):
            if not kinds or definition["spec"]["names"]["kind"] in kinds:
                definition.pop("status", None)
                kube.create(definition)
                wanted.add(definition["metadata"]["name"])
    path = kube.kind("apiextensions.k8s.io/v1", "CustomResourceDefinition").path()
    kube.wait(path, lambda found: wanted <= {o["metadata"]["name"] for o in found if _served(o)}, f"{sorted(wanted)}")


def _served(definition: dict[str, Any]) -> bool:
    conditions = definition.get("status", {}).get("conditions") or []
    return any(entry["type"] == "Established" and entry["status"] == "True" for entry in conditions)


def missing(names: tuple[str, ...]) -> list[str]:
    """Programs that are not on the PATH."""
    return [name for name in names if shutil.which(name) is None]


def environment(plane: ControlPlane) -> dict[str, str]:
    """What a program that reads KUBECONFIG needs."""
    return {"KUBECONFIG": str(plane.kubeconfig), "HOME": str(plane.programs.folder), "PATH": os.environ["PATH"]}
