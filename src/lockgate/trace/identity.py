"""Who an object is during a build: its names so far, and which selectors mean it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from lockgate.trace.schema import is_cluster_scoped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lockgate.trace.source import Node

_NO_NAMESPACE = "_non_namespaceable_"


class Id(NamedTuple):
    """Group, version, kind, name and namespace as kustomize compares them."""

    group: str
    version: str
    kind: str
    name: str
    namespace: str = ""

    @property
    def api_version(self) -> str:
        """Group and version in one."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def effective_namespace(self) -> str:
        """The namespace, with the default one spelled out and none for cluster-scoped kinds."""
        if is_cluster_scoped(self.api_version, self.kind):
            return _NO_NAMESPACE
        return self.namespace or "default"

    def equals(self, other: Id) -> bool:
        """Whether both name the same object."""
        return self[:4] == other[:4] and self.effective_namespace == other.effective_namespace


def id_of(node: Node) -> Id:
    """The identity that an object states itself."""
    group, _, version = node.text("apiVersion").rpartition("/")
    return Id(group, version, node.text("kind"), node.text("metadata", "name"), node.text("metadata", "namespace"))


@dataclass(slots=True)
class Resource:
    """One object on its way through the build.

    Attributes:
        node: Its tree as it stands.
        previous: Its earlier identities, the oldest first.
        hashed: Whether a hash of its content ends its name at last.
        generated: The generator entry that made it, if any.
    """

    node: Node
    previous: list[Id] = field(default_factory=list)
    hashed: bool = False
    generated: Node | None = None

    @property
    def current(self) -> Id:
        """The identity it states now."""
        return id_of(self.node)

    @property
    def original(self) -> Id:
        """The identity it came with."""
        return self.ids()[-1] if not self.previous else self._earlier(self.previous[0])

    def ids(self) -> list[Id]:
        """All identities, the current one first."""
        return [self.current, *map(self._earlier, self.previous)]

    def remember(self) -> None:
        """Keep the current identity among the previous ones."""
        current = self.current
        self.previous.append(current._replace(namespace=current.effective_namespace))

    def copy(self) -> Resource:
        """The same object for another build."""
        return Resource(self.node, list(self.previous), self.hashed, self.generated)

    def _earlier(self, past: Id) -> Id:
        # kustomize keeps names, namespaces and kinds of the past, never group and version.
        current = self.current
        return past._replace(group=current.group, version=current.version)


@dataclass(frozen=True, slots=True)
class Selector:
    """Which objects an entry means; every text that is not empty must match.

    Attributes:
        group: Anchored regular expression, like the next four.
        labels: Label selector expression.
        annotations: The same over annotations.
    """

    group: str = ""
    version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    labels: str = ""
    annotations: str = ""

    @classmethod
    def read(cls, node: Node) -> Selector:
        """The selector written in a `target` or `select`."""
        return cls(
            node.text("group"),
            node.text("version"),
            node.text("kind"),
            node.text("name"),
            node.text("namespace"),
            node.text("labelSelector"),
            node.text("annotationSelector"),
        )

    @property
    def names_an_object(self) -> bool:
        """Whether it says anything beyond labels and annotations."""
        return any((self.group, self.version, self.kind, self.name, self.namespace))

    def selects(self, resource: Resource) -> bool:
        """Whether a patch target means the object: by its original or its current name."""
        ids = (resource.original, resource.current)
        current = ids[1]
        return (
            any(_matches(self.namespace, one.effective_namespace) for one in ids)
            and any(_matches(self.name, one.name) for one in ids)
            and _matches(self.group, current.group)
            and _matches(self.version, current.version)
            and _matches(self.kind, current.kind)
            and self.fits(resource.node)
        )

    def matches_id(self, one: Id) -> bool:
        """Whether a replacement's target means this identity."""
        wanted = (self.group, self.version, self.kind, self.name, self.namespace)
        return all(map(_matches, wanted, one))

    def fits(self, node: Node) -> bool:
        """Whether labels and annotations fit."""
        return selects_labels(self.labels, node.fields("metadata", "labels")) and selects_labels(
            self.annotations,
            node.fields("metadata", "annotations"),
        )


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Callable[[str], object]:
    try:
        return re.compile(f"(?:{pattern})").fullmatch
    except re.error:  # Go's expressions that Python lacks are rare; as a plain name they match themselves
        return pattern.__eq__


def _matches(pattern: str, text: str) -> bool:
    return not pattern or pattern == text or bool(_compiled(pattern)(text))


def selects_labels(selector: str, labels: Mapping[str, Node]) -> bool:
    """Whether a label selector expression (`a=b,c!=d,e in (f,g),!h`) holds for these labels."""
    values = {key: node.raw for key, node in labels.items()}
    return all(holds(values) for holds in _requirements(selector))


@lru_cache(maxsize=256)
def _requirements(selector: str) -> tuple[Callable[[Mapping[str, str]], bool], ...]:
    parts = re.split(r",(?![^()]*\))", selector)
    return tuple(_requirement(part.strip()) for part in parts if part.strip())


_NUMBER = re.compile(r"-?[0-9]{1,18}")
_SET = re.compile(r"(\S+)\s+(in|notin)\s*\(([^)]*)\)")
_EQUAL = re.compile(r"([^\s=!<>]+)\s*(==|=|!=|<|>)\s*(\S*)")


def _requirement(text: str) -> Callable[[Mapping[str, str]], bool]:
    if match := _SET.fullmatch(text):
        return _compared(match[1], match[2], {value.strip() for value in match[3].split(",")})
    if match := _EQUAL.fullmatch(text):
        key, operator, value = match.groups()
        if operator in "<>":
            return lambda labels: _greater(labels.get(key), value, above=operator == ">")
        return _compared(key, "notin" if operator == "!=" else "in", {value})
    if text.startswith("!"):
        return lambda labels: text[1:].strip() not in labels
    return lambda labels: text in labels


def _compared(key: str, operator: str, values: set[str]) -> Callable[[Mapping[str, str]], bool]:
    if operator == "in":
        return lambda labels: labels.get(key) in values
    return lambda labels: labels.get(key) not in values


def _greater(have: str | None, limit: str, *, above: bool) -> bool:
    if have is None or not _NUMBER.fullmatch(have) or not _NUMBER.fullmatch(limit):
        return False
    return int(have) > int(limit) if above else int(have) < int(limit)
