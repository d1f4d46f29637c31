"""From a path in a rendered object to the node that wrote it, list items found by what they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.errors import LockgateError
from lockgate.trace.source import Node, data, parse_embedded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockgate.model import Json, Location, Path
    from lockgate.trace.files import Sources

_ITEM_KEYS = (
    ("name",),
    ("mountPath",),
    ("devicePath",),
    ("containerPort", "protocol"),
    ("port", "protocol"),
    ("ip",),
    ("topologyKey", "whenUnsatisfiable"),
    ("secretKey",),
    ("key", "operator", "value", "effect"),
    ("alert",),
    ("record",),
    ("path",),
    ("type",),
    ("host",),
    ("kind",),
)
"""Fields that tell the items of a list apart, the surest first."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where a path ends.

    Attributes:
        node: The node of the field, or of the nearest parent that exists, or of what removed the field.
        exact: Whether the field itself was found.
        replaced: The nodes that were there before, the latest first.
        rest: The steps below `node` that are not there; None when a writer removed the field.
    """

    node: Node
    exact: bool
    replaced: tuple[Node, ...]
    rest: Path | None = ()


def follow(node: Node, path: Path, rendered: Json, sources: Sources) -> Found:
    """Follow a path down a built tree.

    Args:
        node: The object's root.
        path: The field in the rendered object.
        rendered: The rendered object, to find list items by what they hold; None when it is not known.
        sources: For the text of strings that hold YAML.
    """
    replaced: tuple[Node, ...] = ()
    for position, key in enumerate(path):
        replaced = _history(node) or replaced
        child = _child(node, key, rendered)
        if child is None and isinstance(node.value, str):
            inner = _inside(node, sources)
            if inner is None:
                return Found(node, exact=False, replaced=replaced, rest=path[position:])
            return follow(inner, path[position:], None, sources)
        if child is None:
            return _missing(node, path[position:], replaced)
        rendered = _below(rendered, key)
        node = child
    return Found(node, exact=True, replaced=_history(node) or replaced)


def _history(node: Node) -> tuple[Node, ...]:
    found: list[Node] = []
    before = node.before
    while before is not None:
        found.append(before)
        before = before.before
    return tuple(found)


def _missing(node: Node, rest: Path, replaced: tuple[Node, ...]) -> Found:
    """The writer that removed the field, else the parent as it stands."""
    key, gone = rest[0], node.gone or {}
    by = gone.get(key) or gone.get((key,))
    if by is not None:
        return Found(by, exact=False, replaced=_history(by), rest=None)
    return Found(node, exact=False, replaced=replaced, rest=rest)


def _below(rendered: Json, key: str | int) -> Json:
    if isinstance(rendered, dict):
        return rendered.get(str(key))
    if isinstance(rendered, list) and isinstance(key, int) and 0 <= key < len(rendered):
        return rendered[key]
    return None


def _child(node: Node, key: str | int, rendered: Json) -> Node | None:
    if isinstance(node.value, dict):
        return node.value.get(str(key))
    if isinstance(node.value, list):
        if isinstance(key, int):
            return _item(node.value, key, rendered)
        return next((item for item in node.value if item.text("name") == key), None)
    return None


def _item(items: Sequence[Node], index: int, rendered: Json) -> Node | None:
    """The item that was rendered at `index`: of the same identity, else equal, else at that position."""
    wanted = _below(rendered, index) if isinstance(rendered, list) else None
    there = items[index] if 0 <= index < len(items) else None
    if wanted is None:
        return there
    if isinstance(wanted, dict):
        for keys in _ITEM_KEYS:
            if wanted.get(keys[0]) is None:
                continue
            same = [item for item in items if all(_plain(item, key) == wanted.get(key) for key in keys)]
            if there is not None and any(item is there for item in same):
                return there
            if len(same) == 1:
                return same[0]
    if there is not None and data(there) == wanted:
        return there
    equal = [item for item in items if data(item) == wanted]
    return equal[0] if equal else there


def _plain(item: Node, key: str) -> Json:
    node = item.get(key)
    return data(node) if node is not None else None


def _inside(node: Node, sources: Sources) -> Node | None:
    """The tree of a string that is itself YAML; None when it is not."""
    if node.inner is not None:
        return node.inner
    try:
        lines = sources.lines(node.file) if node.style == "|" else []
        documents = parse_embedded(node, lines)
    except LockgateError:
        documents = []
    if len(documents) == 1 and isinstance(documents[0].value, dict | list):
        return documents[0]
    return None


def locations(found: Found) -> tuple[Location, tuple[Location, ...]]:
    """The line to change, and the lines that it overrides or takes its value from."""
    first = found.node.location
    others = list(found.replaced)
    if found.node.source is not None:
        others.insert(0, found.node.source)
    related: list[Location] = []
    for node in others:
        if node.location != first and node.location not in related:
            related.append(node.location)
    return first, tuple(related)
