"""GPU nodes, storage classes, metrics, secret stores and namespaces: what the cluster has against what is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.doctor import Answer, State
from lockgate.doctor.cluster import HTTP_NOT_FOUND, Refusal
from lockgate.doctor.kinds import ref_of
from lockgate.model import Json, ObjectRef

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lockgate.doctor import Subject
    from lockgate.doctor.cluster import Cluster
    from lockgate.settings import Pool

_SETTINGS = ObjectRef("Settings", "lockgate.yaml")
_LEVEL = "pod-security.kubernetes.io/enforce"
_METRICS = {"Pods": "custom.metrics.k8s.io", "Object": "custom.metrics.k8s.io", "External": "external.metrics.k8s.io"}


def check_version(subject: Subject, cluster: Cluster) -> Iterator[Answer]:
    """Whether the cluster's version is the one that the repository targets."""
    found = cluster.get("/version")
    wanted = subject.settings.versions.kubernetes
    if isinstance(found, Refusal):
        yield Answer("kubernetes", State.UNKNOWN, f"its version: {found.message}")
        return
    version = f"{found.get('major')}.{str(found.get('minor', '')).rstrip('+')}"
    if wanted and version != wanted:
        line = subject.lines(next(iter(subject.gpus)), _SETTINGS, ("versions", "kubernetes"))
        text = f"the cluster is {found.get('gitVersion')}, lockgate.yaml targets {wanted}"
        yield Answer("kubernetes", State.MISSING, text, location=line)
        return
    yield Answer("kubernetes", State.FINE, f"{found.get('gitVersion')}")


def check_nodes(subject: Subject, cluster: Cluster) -> Iterator[Answer]:
    """Whether each pool has ready nodes with the labels, taints and GPUs that lockgate.yaml counts on."""
    pools: dict[str, list[str]] = {}
    for name in subject.gpus:
        pool = subject.settings.environments[name].pool
        if pool:
            pools.setdefault(pool, []).append(name)
    nodes = cluster.items("/api/v1/nodes")
    if isinstance(nodes, Refusal):
        yield Answer("nodes", State.UNKNOWN, nodes.message, tuple(subject.gpus))
        return
    all_nodes = list(nodes)
    for pool, environments in pools.items():
        yield from _check_pool(subject, pool, tuple(environments), all_nodes)


def _check_pool(
    subject: Subject, name: str, environments: tuple[str, ...], nodes: Sequence[dict[str, Json]]
) -> Iterator[Answer]:
    pool = subject.settings.pools[name]

    def missing(text: str, *field: str) -> Answer:
        line = subject.lines(environments[0], _SETTINGS, ("pools", name, *field))
        return Answer("nodes", State.MISSING, f"pool {name}: {text}", environments, line)

    selected = [node for node in nodes if _selected(node, pool)]
    ready = [node for node in selected if _ready(node)]
    if not ready:
        labels = ", ".join(f"{label}={'|'.join(values)}" for label, values in pool.node_selector.items())
        yield missing(f"{len(selected)} nodes with {labels}, none of them ready for pods", "node_selector")
        return
    untainted = [node for node in ready for taint in pool.taints if not _tainted(node, taint)]
    if untainted:
        names = ", ".join(sorted({node["metadata"]["name"] for node in untainted}))
        yield missing(f"{names}: not every taint of the pool is there, so other pods may take the GPUs", "taints")
    gpus = sum(_allocatable(node, key) for node in ready for key in pool.gpu_resources)
    peak = sum(subject.gpus[environment] for environment in environments)
    if pool.gpus is not None and gpus < pool.gpus:
        yield missing(f"{gpus} GPUs on {len(ready)} ready nodes, lockgate.yaml counts {pool.gpus}", "gpus")
    if gpus < peak:
        yield missing(f"{gpus} GPUs on {len(ready)} ready nodes, {', '.join(environments)} ask for {peak} at the peak")
    elif not untainted:
        text = f"pool {name}: {gpus} GPUs on {len(ready)} ready nodes, {peak} are asked for at the peak"
        yield Answer("nodes", State.FINE, text, environments)


def _selected(node: dict[str, Json], pool: Pool) -> bool:
    labels = node["metadata"].get("labels") or {}
    return all(labels.get(label) in values for label, values in pool.node_selector.items())


def _ready(node: dict[str, Json]) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or []
    up = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return up and not (node.get("spec") or {}).get("unschedulable")


def _tainted(node: dict[str, Json], wanted: Json) -> bool:
    taints = (node.get("spec") or {}).get("taints") or []
    return any(
        (one["key"], one["effect"]) == (wanted.key, wanted.effect) and wanted.value in {None, one.get("value")}
        for one in taints
    )


def _allocatable(node: dict[str, Json], key: str) -> int:
    return int(((node.get("status") or {}).get("allocatable") or {}).get(key, "0"))


def check_storage(subject: Subject, cluster: Cluster) -> Iterator[Answer]:
    """Whether the class of each claim exists, and binds at once where Argo CD waits for it."""
    for environment, obj in subject.objects():
        name = (obj.get("spec") or {}).get("storageClassName") if obj.get("kind") == "PersistentVolumeClaim" else None
        if not name:
            continue
        found = cluster.get(f"/apis/storage.k8s.io/v1/storageclasses/{name}")
        line = subject.lines(environment, ref_of(obj), ("spec", "storageClassName"))
        modes = ", ".join(obj["spec"].get("accessModes") or [])
        if isinstance(found, Refusal):
            state = State.MISSING if found.status == HTTP_NOT_FOUND else State.UNKNOWN
            yield Answer("storage", state, f"{ref_of(obj)}: {found.message}", (environment,), line)
        elif found.get("volumeBindingMode") == "WaitForFirstConsumer":
            text = (
                f"{ref_of(obj)}: class {name} binds only when a pod comes; a sync wave waits for the claim before that"
            )
            yield Answer("storage", State.MISSING, text, (environment,), line)
        else:
            text = f"{ref_of(obj)}: class {name} of {found.get('provisioner')}; whether it can {modes}, its maker says"
            yield Answer("storage", State.FINE, text, (environment,))


def check_metrics(subject: Subject, cluster: Cluster) -> Iterator[Answer]:
    """Whether the metrics that autoscalers read are served."""
    for environment, obj in subject.objects():
        if obj.get("kind") != "HorizontalPodAutoscaler":
            continue
        for index, metric in enumerate((obj.get("spec") or {}).get("metrics") or []):
            group = _METRICS.get(metric.get("type"), "metrics.k8s.io")
            source = metric.get(str(metric.get("type", "")).lower()) or {}
            name = (source.get("metric") or {}).get("name") or source.get("name", "")
            problem = _unserved(cluster, group, name)
            line = subject.lines(environment, ref_of(obj), ("spec", "metrics", index))
            state = State.MISSING if problem else State.FINE
            text = f"{ref_of(obj)}: {name} {problem or f'is served by {group}'}"
            yield Answer("metrics", state, text, (environment,), line if problem else None)


def _unserved(cluster: Cluster, group: str, name: str) -> str:
    """Why a metric cannot be read; empty when it can."""
    found = cluster.get(f"/apis/{group}")
    if isinstance(found, Refusal):
        return f"cannot be read: the cluster has no {group}; install an adapter"
    version = found["preferredVersion"]["groupVersion"]
    listed = cluster.get(f"/apis/{version}")
    if isinstance(listed, Refusal):
        return f"cannot be read: {version} does not answer: {listed.message}"
    if group == "metrics.k8s.io":
        return ""
    served = {entry["name"].rpartition("/")[2] for entry in listed.get("resources") or []}
    return "" if name in served else f"is not served by {version}, which has {', '.join(sorted(served)) or 'nothing'}"


def check_secrets(subject: Subject, cluster: Cluster) -> Iterator[Answer]:
    """Whether the store of each ExternalSecret is there and ready."""
    for environment, obj in subject.objects():
        if obj.get("kind") != "ExternalSecret":
            continue
        wanted = (obj.get("spec") or {}).get("secretStoreRef") or {}
        kind, name = wanted.get("kind", "SecretStore"), wanted.get("name", "")
        space = f"namespaces/{obj['metadata'].get('namespace', 'default')}/" if kind == "SecretStore" else ""
        found = cluster.get(f"/apis/{obj['apiVersion']}/{space}{kind.lower()}s/{name}")
        line = subject.lines(environment, ref_of(obj), ("spec", "secretStoreRef", "name"))
        text = f"{ref_of(obj)}: {kind}/{name}"
        if isinstance(found, Refusal):
            state = State.MISSING if found.status == HTTP_NOT_FOUND else State.UNKNOWN
            yield Answer("secrets", state, f"{text}: {found.message}", (environment,), line)
        elif not _is_ready(found):
            yield Answer("secrets", State.MISSING, f"{text} is there, but not ready", (environment,), line)
        else:
            yield Answer("secrets", State.FINE, f"{text} is ready", (environment,))


def _is_ready(store: Json) -> bool:
    conditions = (store.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def check_namespaces(subject: Subject, cluster: Cluster) -> Iterator[Answer]:
    """Whether namespaces that are there enforce the Pod Security level that the overlay gives them."""
    for environment, obj in subject.objects():
        if obj.get("kind") != "Namespace":
            continue
        name = obj["metadata"]["name"]
        wanted = (obj["metadata"].get("labels") or {}).get(_LEVEL, "")
        found = cluster.get(f"/api/v1/namespaces/{name}")
        if isinstance(found, Refusal):
            text = found.message if found.status != HTTP_NOT_FOUND else f"{name} comes with the first sync"
            yield Answer("namespaces", State.UNKNOWN, text, (environment,))
            continue
        has = (found["metadata"].get("labels") or {}).get(_LEVEL, "")
        line = subject.lines(environment, ref_of(obj), ("metadata", "labels", _LEVEL))
        if has != wanted:
            text = f"{name} enforces {has or 'no Pod Security level'}, wanted {wanted or 'none'}"
            yield Answer("namespaces", State.MISSING, text, (environment,), line)
        else:
            yield Answer("namespaces", State.FINE, f"{name} enforces {has or 'no level'}", (environment,))
