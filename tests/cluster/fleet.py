"""What vLLM servers would expose, for pods that run nothing: a metrics endpoint, and the Prometheus that reads it.

A pod's annotation `behaviour` says how its server does. Series have vLLM's own names, and the labels that the
PodMonitor of the template gives them. A scrape computes counters from the time that a pod has been ready.
"""

from __future__ import annotations

import http.server
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml
from cluster.kube import ApiError
from cluster.plane import LOOPBACK, answers
from cluster.processes import Programs, QuietServer, eventually, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cluster.kube import Kube, Object

COMPONENT = "app.kubernetes.io/component=server"
HASH = "rollouts-pod-template-hash"
# Upper bounds of buckets, in seconds, among those of vLLM.
TTFT = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0)
TOKEN = (0.01, 0.025, 0.05, 0.1, 0.2, 0.5)


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How a server does.

    Attributes:
        rate: Requests in a second; 0 is a server that nobody asks.
        errors: Share of them that is answered with 500.
        ttft: Seconds to the first token, of each request.
        token: Seconds between two tokens.
        waiting: Requests in the queue.
        seen: Whether there are any series at all.
    """

    rate: float = 20.0
    errors: float = 0.0
    ttft: float = 0.3
    token: float = 0.02
    waiting: int = 1
    seen: bool = True


BEHAVIOURS = {
    "good": Behaviour(),
    "errors": Behaviour(errors=0.2),
    "slow-first-token": Behaviour(ttft=4.0),
    "slow-tokens": Behaviour(token=0.3),
    "queue": Behaviour(waiting=40),
    "unasked": Behaviour(rate=0.0),
    "unseen": Behaviour(seen=False),
}


@dataclass(slots=True)
class Fleet:
    """The servers of all ready pods of a cluster, behind one endpoint."""

    kube: Kube
    ready: dict[str, tuple[Object, float]] = field(default_factory=dict)
    port: int = 0

    def follow(self) -> None:
        """Keeps up with the pods for as long as there is a cluster."""
        version = "0"
        while True:
            try:
                for kind, pod in self.kube.events("/api/v1/pods", version, 300, labelSelector=COMPONENT):
                    self.take(kind, pod)
            except (OSError, ApiError):
                if not self.kube.answers():
                    return

    def take(self, kind: str, pod: Object) -> None:
        """One event."""
        key = pod["metadata"]["uid"]
        if kind == "DELETED" or "deletionTimestamp" in pod["metadata"]:
            self.ready.pop(key, None)
        elif pod["status"].get("phase") == "Running":
            since = self.ready[key][1] if key in self.ready else time.monotonic()
            self.ready[key] = (pod, since)

    def exposition(self) -> str:
        """What one scrape reads."""
        now = time.monotonic()
        return "\n".join(line for pod, since in list(self.ready.values()) for line in series(pod, now - since)) + "\n"


def series(pod: Object, age: float) -> Iterator[str]:
    """A pod's lines, `age` seconds after it became ready."""
    metadata = pod["metadata"]
    behaviour = BEHAVIOURS[metadata.get("annotations", {}).get("behaviour", "good")]
    if not behaviour.seen:
        return
    template = metadata.get("labels", {}).get(HASH, "")
    labels = f'namespace="{metadata["namespace"]}",pod="{metadata["name"]}",rollouts_pod_template_hash="{template}"'
    requests = behaviour.rate * age
    yield f"vllm:num_requests_waiting{{{labels}}} {behaviour.waiting}"
    yield f"vllm:kv_cache_usage_perc{{{labels}}} 0.4"
    for status, share in (("2xx", 1 - behaviour.errors), ("5xx", behaviour.errors)):
        if share:
            yield f'http_requests_total{{{labels},status="{status}"}} {requests * share}'
    yield from histogram("vllm:time_to_first_token_seconds", labels, TTFT, behaviour.ttft, requests)
    yield from histogram("vllm:inter_token_latency_seconds", labels, TOKEN, behaviour.token, requests * 100)


def histogram(name: str, labels: str, bounds: tuple[float, ...], value: float, count: float) -> Iterator[str]:
    """The buckets of `count` observations of one value."""
    for bound in bounds:
        yield f'{name}_bucket{{{labels},le="{bound}"}} {count if value <= bound else 0}'
    yield f'{name}_bucket{{{labels},le="+Inf"}} {count}'


def serve(kube: Kube) -> Fleet:
    """A fleet that follows the pods of a cluster and answers scrapes."""
    fleet = Fleet(kube)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = fleet.exposition().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = QuietServer((LOOPBACK, 0), Handler)
    fleet.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=fleet.follow, daemon=True).start()
    return fleet


def start_prometheus(programs: Programs, fleet: Fleet) -> str:
    """A Prometheus that scrapes the fleet twice a second; its address."""
    folder = programs.folder / "prometheus"
    folder.mkdir()
    job = {
        "job_name": "vllm",
        "honor_labels": True,
        "scrape_interval": "500ms",
        "scrape_timeout": "500ms",
        "static_configs": [{"targets": [f"{LOOPBACK}:{fleet.port}"]}],
    }
    config = folder / "prometheus.yml"
    config.write_text(yaml.safe_dump({"scrape_configs": [job]}), encoding="utf-8")
    address = f"{LOOPBACK}:{free_port()}"
    arguments = [f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}"]
    program = programs.start("prometheus", ["prometheus", *arguments, "--log.level=warn"])
    eventually(lambda: answers(f"http://{address}/-/ready"), "Prometheus", program)
    return f"http://{address}"
