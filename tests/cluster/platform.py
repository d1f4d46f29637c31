"""What a platform adds to a cluster, as far as a test needs it: custom metrics, and states of secrets and routes.

The metrics API is a small HTTPS server that asks a real Prometheus, behind the real aggregation layer. The
operator of secrets and the gateway are played: their objects get the states that they would set.
"""

from __future__ import annotations

import http.server
import json
import ssl
import threading
import urllib.parse
from typing import TYPE_CHECKING

import requests
from cluster.kube import ApiError, condition, ref
from cluster.plane import LOOPBACK
from cluster.processes import QuietServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cluster.kube import Kube, Object

GROUP = "custom.metrics.k8s.io"
VERSION = "v1beta2"
ROOT = f"/apis/{GROUP}/{VERSION}"
# As observability/adapter of the template names them.
METRICS = {
    "vllm_num_requests_waiting": "sum by (pod) (vllm:num_requests_waiting{{namespace='{}'}})",
    "vllm_kv_cache_usage_perc": "max by (pod) (vllm:kv_cache_usage_perc{{namespace='{}'}})",
}


def serve_metrics(kube: Kube, prometheus: str, certificate: Path, key: Path) -> None:
    """Serves custom metrics of pods out of Prometheus, and tells the API server so."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answer(prometheus, urllib.parse.unquote(urllib.parse.urlsplit(self.path).path))
            body = json.dumps(found or {}).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = QuietServer((LOOPBACK, 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for obj in _registration(server.server_port):
        kube.apply(obj)
    name = f"{VERSION}.{GROUP}"
    service = ref("apiregistration.k8s.io/v1", "APIService", name)
    kube.wait_for(service, lambda obj: condition(obj, "Available") == "True", "to serve")


def _registration(port: int) -> Iterator[Object]:
    """Where the API server finds the metrics: a Service that is a name for this machine."""
    space = "monitoring"
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}
    service = {"type": "ExternalName", "externalName": "localhost"}
    yield {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "adapter", "namespace": space}, "spec": service}
    spec = {
        "group": GROUP,
        "version": VERSION,
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
        "insecureSkipTLSVerify": True,
        "service": {"name": "adapter", "namespace": space, "port": port},
    }
    metadata = {"name": f"{VERSION}.{GROUP}"}
    yield {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": metadata, "spec": spec}


def answer(prometheus: str, path: str) -> Object | None:
    """What the metrics API says at a path; None for what it does not know."""
    if path.rstrip("/") == ROOT:
        resources = [
            {
                "name": f"pods/{name}",
                "singularName": "",
                "namespaced": True,
                "kind": "MetricValueList",
                "verbs": ["get"],
            }
            for name in METRICS
        ]
        version = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/{VERSION}"}
        return {**version, "resources": resources}
    match path.removeprefix(f"{ROOT}/").split("/"):
        case ["namespaces", namespace, "pods", "*", metric] if metric in METRICS:
            return values(prometheus, namespace, metric)
    return None


def values(prometheus: str, namespace: str, metric: str) -> Object:
    """One value for each pod that has the series."""
    query = METRICS[metric].format(namespace)
    found = requests.get(f"{prometheus}/api/v1/query", params={"query": query}, timeout=30).json()["data"]["result"]
    pod = {"kind": "Pod", "apiVersion": "v1", "namespace": namespace}
    items = [
        {
            "describedObject": {**pod, "name": series["metric"]["pod"]},
            "metric": {"name": metric},
            "timestamp": "2026-01-01T00:00:00Z",
            "value": f"{round(float(series['value'][1]) * 1000)}m",
        }
        for series in found
    ]
    return {"kind": "MetricValueList", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {}, "items": items}


def play_operators(kube: Kube) -> None:
    """Gives each ExternalSecret and HTTPRoute the state of one that works, for as long as there is a cluster."""
    for api_version, kind, state in (
        ("external-secrets.io/v1", "ExternalSecret", _fetched),
        ("gateway.networking.k8s.io/v1", "HTTPRoute", _accepted),
    ):
        threading.Thread(target=_follow, args=(kube, api_version, kind, state), daemon=True).start()


def _follow(kube: Kube, api_version: str, kind: str, state: Callable[[Object], Object]) -> None:
    path, version = kube.kind(api_version, kind).path(), "0"
    while True:
        try:
            for event, obj in kube.events(path, version, 300):
                if event in {"ADDED", "MODIFIED"} and "status" not in obj:
                    typed = {**obj, "apiVersion": api_version, "kind": kind}
                    kube.patch(kube.path(typed, "status"), {"status": state(obj)})
        except (OSError, ApiError):
            if not kube.answers():
                return


def _fetched(_: Object) -> Object:
    return {"conditions": [{"type": "Ready", "status": "True", "reason": "SecretSynced"}]}


def _accepted(route: Object) -> Object:
    now = "2026-01-01T00:00:00Z"
    condition = {"type": "Accepted", "status": "True", "reason": "Accepted", "message": "", "lastTransitionTime": now}
    name = "example.com/gateway"
    parents = [
        {"parentRef": ref, "controllerName": name, "conditions": [condition]} for ref in route["spec"]["parentRefs"]
    ]
    return {"parents": parents}
