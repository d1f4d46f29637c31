"""`lockgate doctor` against a real API server: what is there, what is missing, what cannot be asked or answered."""

from __future__ import annotations

import http.server
import json
import re
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
import trustme
import yaml
from cluster import plane
from cluster.kube import ref
from cluster.processes import free_port
from cluster.workloads import rendered

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from cluster.kube import Kube, Object
    from cluster.plane import ControlPlane

    Run = Callable[..., subprocess.CompletedProcess[str]]

NAME = "qwen-chat"


@pytest.fixture
def doctor(lockgate: Run, cluster: ControlPlane, repository: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command in a copy of the default repository."""

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return lockgate("doctor", *arguments, cwd=repository, **{"KUBECONFIG": str(cluster.kubeconfig), **env})

    return run


def answers(done: subprocess.CompletedProcess[str], check: str) -> list[tuple[str, str, str]]:
    """State, place and text of each answer to one question."""
    assert done.returncode in {0, 1}, done.stderr
    rows = json.loads(done.stdout)
    return [(row["state"], f"{row['file']}:{row['line']}", row["text"]) for row in rows if row["check"] == check]


def prepare(kube: Kube, pristine: Path, *, kinds: tuple[str, ...] = ("Namespace", "ResourceQuota")) -> None:
    """What an administrator sets up before the first sync."""
    for objects in rendered(pristine).values():
        for obj in objects:
            if obj["kind"] in kinds:
                kube.apply(obj)
    claim = next(obj for obj in rendered(pristine)["dev"] if obj["kind"] == "PersistentVolumeClaim")
    storage = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "files.example.com"}
    kube.apply({**storage, "metadata": {"name": claim["spec"]["storageClassName"]}})


def test_a_cluster_that_is_set_up_lacks_what_nobody_installed(
    kube: Kube, pristine: Path, doctor: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    prepare(kube, pristine)
    done = doctor("--format", "json")
    assert done.returncode == 1
    assert answers(done, "kubernetes") == [("ok", "None:None", "v1.36.3")]
    assert {state for state, _, _ in answers(done, "kinds")} == {"ok"}
    ((state, _, text),) = answers(done, "nodes")
    assert state == "ok"
    assert re.fullmatch(r"pool a100-40gb: \d{3} GPUs on \d+ ready nodes, 22 are asked for at the peak", text)
    assert {state for state, _, _ in answers(done, "storage")} == {"ok"}
    assert {state for state, _, _ in answers(done, "namespaces")} == {"ok"}
    assert [row for row in answers(done, "dry-run") if row[0] != "ok"] == []
    secrets = answers(done, "secrets")
    assert {state for state, _, _ in secrets} == {"missing"}
    assert all(place.startswith("components/external-secrets/external-secrets.yaml:") for _, place, _ in secrets)


@pytest.mark.parametrize(
    ("file", "old", "new", "line", "text"),
    [
        ("base/service.yaml", "type: ClusterIP", "type: Cluster", "type: Cluster", "Unsupported value"),
        ("base/deployment.yaml", "preStop:", "beforeStop:", "beforeStop:", "field not declared in schema"),
        ("base/model-cache.yaml", "ReadWriteMany", "ReadWriteAll", "accessModes:", "Unsupported value"),
    ],
    ids=["value", "field", "item"],
)
def test_what_the_server_would_refuse_has_its_line(  # noqa: PLR0913, PLR0917  # a table's columns, and fixtures
    kube: Kube, pristine: Path, repository: Path, doctor: Run, file: str, old: str, new: str, line: str, text: str
) -> None:
    prepare(kube, pristine)
    source = repository / file
    before = source.read_text(encoding="utf-8")
    assert old in before
    after = before.replace(old, new)
    source.write_text(after, encoding="utf-8")
    number = next(i for i, found in enumerate(after.splitlines(), 1) if line in found)
    done = doctor("--env", "dev", "--format", "json")
    refused = [row for row in answers(done, "dry-run") if row[0] == "missing"]
    assert refused
    assert all(text in said for _, _, said in refused)
    assert f"{file}:{number}" in {where for _, where, _ in refused}


def test_a_kind_that_is_not_served_says_what_is(kube: Kube, repository: Path, doctor: Run) -> None:
    monitor = repository / "observability" / "scrape" / "pod-monitor.yaml"
    text = monitor.read_text(encoding="utf-8")
    monitor.write_text(text.replace("coreos.com/v1\n", "coreos.com/v9\n"), encoding="utf-8")
    number = next(i for i, line in enumerate(text.splitlines(), 1) if line.startswith("apiVersion"))
    done = doctor("--env", "dev", "--format", "json")
    (row,) = [row for row in answers(done, "kinds") if row[0] == "missing"]
    assert row[1] == f"observability/scrape/pod-monitor.yaml:{number}"
    assert "not served; the cluster has monitoring.coreos.com/v1" in row[2]
    assert kube.url


def test_a_pool_without_nodes_is_missing(repository: Path, doctor: Run) -> None:
    settings = repository / "lockgate.yaml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("NVIDIA-A100-SXM4-40GB", "NVIDIA-A100-PCIE-40GB"), encoding="utf-8")
    (row,) = [row for row in answers(doctor("--format", "json"), "nodes") if row[0] == "missing"]
    assert row[1].startswith("lockgate.yaml:")
    assert "none of them ready for pods" in row[2]


def test_nothing_is_written(kube: Kube, pristine: Path, doctor: Run) -> None:
    prepare(kube, pristine)
    place = f"/apis/apps/v1/namespaces/{NAME}-dev/deployments"
    before = kube.get(place)["items"]
    doctor("--env", "dev")
    assert kube.get(place)["items"] == before


def binding(kind: str, name: str, user: str) -> Object:
    metadata = {"name": name}
    if kind == "ClusterRole":
        rules = [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}]
        return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, "rules": rules}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    who = [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}]
    subject = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata}
    return {**subject, "roleRef": role, "subjects": who}


def test_missing_rights_are_unknown_not_missing(kube: Kube, pristine: Path, doctor: Run, tmp_path: Path) -> None:
    prepare(kube, pristine)
    for kind in ("ClusterRole", "ClusterRoleBinding"):
        kube.apply(binding(kind, "reader", "system:serviceaccount:default:reader"))
    kube.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader", "namespace": "default"}})
    path = f"{kube.path(ref('v1', 'ServiceAccount', 'reader'))}/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = kube.request("POST", path, json=body).json()["status"]["token"]
    config = tmp_path / "kubeconfig"
    plane.write_kubeconfig(config, kube.url, kube.ca, token)
    done = doctor("--env", "dev", "--format", "json", KUBECONFIG=str(config))
    assert done.returncode in {0, 1}, done.stderr
    nodes = answers(done, "nodes")
    assert [state for state, _, _ in nodes] == ["unknown"]
    assert "cannot list resource" in nodes[0][2]
    assert {state for state, _, _ in answers(done, "dry-run")} == {"unknown"}


def config_with(cluster: ControlPlane, path: Path, change: Callable[[Any], None]) -> str:
    """A kubeconfig after a change."""
    found = yaml.safe_load(cluster.kubeconfig.read_text(encoding="utf-8"))
    change(found)
    path.write_text(yaml.safe_dump(found), encoding="utf-8")
    return str(path)


def refused_with(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit code 2, a sentence with these words, and nothing else."""
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert [word for word in words if word not in done.stderr] == [], done.stderr


def test_a_cluster_that_cannot_be_reached(cluster: ControlPlane, tmp_path: Path, doctor: Run) -> None:
    address = f"https://127.0.0.1:{free_port()}"
    config = config_with(cluster, tmp_path / "c", lambda c: c["clusters"][0]["cluster"].update(server=address))
    refused_with(doctor(KUBECONFIG=config), f"error: {address}: cannot be reached", "hint: is the address")


def test_a_cluster_that_does_not_answer_in_time(cluster: ControlPlane, tmp_path: Path, doctor: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"https://127.0.0.1:{silent.getsockname()[1]}"
        config = config_with(cluster, tmp_path / "c", lambda c: c["clusters"][0]["cluster"].update(server=address))
        refused_with(doctor("--timeout", "1", KUBECONFIG=config), f"{address}: no answer within 1 s", "--timeout")


def test_a_certificate_that_is_not_trusted(cluster: ControlPlane, tmp_path: Path, doctor: Run) -> None:
    other = tmp_path / "ca.crt"
    trustme.CA().cert_pem.write_to_path(other)
    change = {"certificate-authority": str(other)}
    config = config_with(cluster, tmp_path / "c", lambda c: c["clusters"][0]["cluster"].update(change))
    refused_with(doctor(KUBECONFIG=config), "its certificate is not trusted", "certificate-authority")


def test_a_certificate_file_that_is_not_there(cluster: ControlPlane, tmp_path: Path, doctor: Run) -> None:
    change = {"certificate-authority": str(tmp_path / "absent.crt")}
    config = config_with(cluster, tmp_path / "c", lambda c: c["clusters"][0]["cluster"].update(change))
    refused_with(doctor(KUBECONFIG=config), "absent.crt")


def test_a_login_program_that_is_not_installed(cluster: ControlPlane, tmp_path: Path, doctor: Run) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "cloud-login", "installHint": "get it there"}
    config = config_with(cluster, tmp_path / "c", lambda c: c["users"][0].update(user={"exec": plugin}))
    refused_with(doctor(KUBECONFIG=config), "logs in by the program 'cloud-login', which is not there", "get it there")


def test_credentials_that_the_cluster_does_not_know(cluster: ControlPlane, tmp_path: Path, doctor: Run) -> None:
    config = config_with(cluster, tmp_path / "c", lambda c: c["users"][0].update(user={"token": "wrong"}))
    refused_with(doctor(KUBECONFIG=config), "401 Unauthorized", "hint: log in again")


def test_a_context_that_is_not_there(doctor: Run) -> None:
    refused_with(doctor("--context", "moon"), "no context 'moon'", "known: test")


@pytest.mark.parametrize("text", ["", "clusters: [", "- a", "clusters: 3", "apiVersion: v1\nkind: Config"])
def test_a_kubeconfig_that_is_none(tmp_path: Path, doctor: Run, text: str) -> None:
    config = tmp_path / "c"
    config.write_text(text, encoding="utf-8")
    refused_with(doctor(KUBECONFIG=str(config)), f"{config}: no usable kubeconfig")


def test_no_kubeconfig_at_all(tmp_path: Path, doctor: Run) -> None:
    refused_with(doctor(KUBECONFIG=str(tmp_path / "absent")), "absent: no such kubeconfig", "--kubeconfig")


def test_a_server_that_is_no_kubernetes(cluster: ControlPlane, tmp_path: Path, doctor: Run) -> None:
    class Web(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>hello</html>")

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Web) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        change = {"server": f"http://127.0.0.1:{server.server_port}", "certificate-authority": None}
        config = config_with(cluster, tmp_path / "c", lambda c: c["clusters"][0]["cluster"].update(change))
        refused_with(doctor(KUBECONFIG=config), "wanted JSON, found '<html>hello</html>'", "Kubernetes API server?")
        server.shutdown()
