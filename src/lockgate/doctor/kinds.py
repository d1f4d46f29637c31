"""Which kinds the cluster serves, and what it says to each object in a dry run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lockgate.doctor import Answer, State
from lockgate.doctor.cluster import HTTP_NOT_FOUND, Refusal
from lockgate.model import Json, ObjectRef

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.doctor import Subject
    from lockgate.doctor.cluster import Cluster
    from lockgate.model import Path

# `unknown field "spec.a"` and `.spec.a[0].b: field not declared in schema`, as the server writes them.
_IN_WORDS = (
    re.compile(r'unknown field "(?P<field>[^"]+)"'),
    re.compile(r"\.(?P<field>[\w.\[\]=\"-]+): field not declared in schema"),
)
_STEP = re.compile(r'\[(\d+)\]|\[([^\]]*)\]|"([^"]+)"|([^.\[\]"]+)')
_KEY = re.compile(r'(\w+)="?([^",]*)"?')


class Served:
    """The kinds of a cluster, asked for once per API version."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._known: dict[str, dict[str, tuple[str, bool]] | Refusal] = {}

    def path(self, obj: dict[str, Json]) -> str | Refusal:
        """Where an object of that kind lives; the refusal when the cluster does not serve it."""
        version = str(obj.get("apiVersion"))
        prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
        kinds = self._kinds(prefix)
        if isinstance(kinds, Refusal):
            return kinds
        if obj.get("kind") not in kinds:
            return Refusal(HTTP_NOT_FOUND, f"{version} has no kind {obj.get('kind')}")
        plural, namespaced = kinds[obj["kind"]]
        metadata = obj["metadata"]
        space = f"/namespaces/{metadata.get('namespace', 'default')}" if namespaced else ""
        return f"{prefix}{space}/{plural}/{metadata['name']}"

    def _kinds(self, prefix: str) -> dict[str, tuple[str, bool]] | Refusal:
        if prefix not in self._known:
            found = self._cluster.get(prefix)
            self._known[prefix] = (
                found
                if isinstance(found, Refusal)
                else {
                    entry["kind"]: (entry["name"], entry["namespaced"])
                    for entry in found.get("resources") or []
                    if "/" not in entry["name"]
                }
            )
        return self._known[prefix]


def check_kinds(subject: Subject, cluster: Cluster, served: Served) -> Iterator[Answer]:
    """Whether each kind that is rendered is served, one answer for each."""
    seen: dict[tuple[str, str], list[str]] = {}
    first: dict[tuple[str, str], tuple[str, dict[str, Json]]] = {}
    for environment, obj in subject.objects():
        key = (str(obj.get("apiVersion")), str(obj.get("kind")))
        seen.setdefault(key, []).append(environment)
        first.setdefault(key, (environment, obj))
    for (version, kind), environments in sorted(seen.items()):
        environment, obj = first[version, kind]
        names = tuple(dict.fromkeys(environments))
        if isinstance(served.path(obj), Refusal):
            line = subject.lines(environment, ref_of(obj), ("apiVersion",))
            yield Answer("kinds", State.MISSING, f"{kind} of {version}: {_instead(cluster, version)}", names, line)
        elif "." in version.partition("/")[0]:
            yield Answer("kinds", State.FINE, f"{kind} of {version} is served", names)


def _instead(cluster: Cluster, version: str) -> str:
    """What the cluster serves of a group."""
    group, _, _ = version.rpartition("/")
    found = cluster.get(f"/apis/{group}") if group else Refusal(HTTP_NOT_FOUND, "")
    if isinstance(found, Refusal):
        return f"the cluster has no group {group}: install its operator or CRDs"
    return f"not served; the cluster has {', '.join(one['groupVersion'] for one in found.get('versions') or [])}"


def check_objects(subject: Subject, cluster: Cluster, served: Served) -> Iterator[Answer]:
    """What server-side apply would say to each object; nothing is kept."""
    for rendering in subject.renderings:
        environment = rendering.overlay.environment
        spaces = {_space(obj) for obj in rendering.objects} - {""}
        absent = {space for space in spaces if isinstance(cluster.get(f"/api/v1/namespaces/{space}"), Refusal)}
        for space in sorted(absent):
            number = sum(_space(obj) == space for obj in rendering.objects)
            text = f"the namespace {space} is not there yet, so {number} objects cannot be tried"
            yield Answer("dry-run", State.UNKNOWN, text, (environment,))
        fine = 0
        for obj in rendering.objects:
            if _space(obj) in absent:
                continue
            found = list(_try(subject, cluster, served, environment, obj))
            fine += not found
            yield from found
        if fine:
            yield Answer("dry-run", State.FINE, f"{fine} objects would be accepted", (environment,))


def _space(obj: dict[str, Json]) -> str:
    return str(obj["metadata"].get("namespace", ""))


def _try(
    subject: Subject, cluster: Cluster, served: Served, environment: str, obj: dict[str, Json]
) -> Iterator[Answer]:
    path = served.path(obj)
    if isinstance(path, Refusal):
        return  # said once, by check_kinds
    answer = cluster.dry_run(path, obj)
    if not isinstance(answer, Refusal) or _made_anew(obj, answer):
        return
    ref = ref_of(obj)
    if answer.no_right:
        yield Answer("dry-run", State.UNKNOWN, f"{ref}: {answer.message}", (environment,))
        return
    for field in fields_of(answer, obj) or ((),):
        line = subject.lines(environment, ref, field)
        yield Answer("dry-run", State.MISSING, f"{ref}: {answer.message}", (environment,), line)


def _made_anew(obj: dict[str, Json], answer: Refusal) -> bool:
    """Whether a refused change concerns an object that Argo CD deletes and makes anew, such as a Job."""
    policy = (obj["metadata"].get("annotations") or {}).get("argocd.argoproj.io/hook-delete-policy", "")
    return "BeforeHookCreation" in policy and "field is immutable" in answer.message


def fields_of(answer: Refusal, obj: Json = None) -> tuple[Path, ...]:
    """The fields that a refusal blames, as paths."""
    named = answer.fields or tuple(
        match["field"] for pattern in _IN_WORDS for match in pattern.finditer(answer.message)
    )
    return tuple(dict.fromkeys(steps(field, obj) for field in named))


def steps(field: str, obj: Json = None) -> Path:
    """`spec.template.spec.containers[0].image` as keys and indexes.

    An item that is named by its keys, `containers[name="vllm"]`, has the index that it has in `obj`; the
    path ends before one that is not there.
    """
    found: list[str | int] = []
    for match in _STEP.finditer(field):
        index, keys, quoted, plain = match.groups()
        step = _item(obj, keys) if keys else int(index) if index else quoted or plain
        if step is None:
            break
        found.append(step)
        obj = _below(obj, step)
    return tuple(found)


def _below(obj: Json, step: str | int) -> Json:
    try:
        return obj[step]
    except (KeyError, IndexError, TypeError):
        return None


def _item(items: Json, keys: str) -> int | None:
    """The index of the item that has all the keys, each written `name="value"`."""
    wanted = dict(_KEY.findall(keys))
    if not wanted or not isinstance(items, list):
        return None
    for index, item in enumerate(items):
        if isinstance(item, dict) and all(str(item.get(key)) == value for key, value in wanted.items()):
            return index
    return None


def ref_of(obj: dict[str, Json]) -> ObjectRef:
    """An object's reference."""
    metadata = obj["metadata"]
    return ObjectRef(
        str(obj.get("kind")),
        str(metadata["name"]),
        str(metadata.get("namespace", "")),
        str(obj.get("apiVersion", "")),
    )
