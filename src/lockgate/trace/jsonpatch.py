"""JSON 6902 patches over trees: each operation's value keeps its place in the patch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockgate.trace.source import Node


_INDEX = re.compile(r"-?[0-9]{1,9}")


class PatchError(Exception):
    """An operation that does not fit the object: the renderer will refuse the build, with its own words."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One operation at a place: what to do with the container at the end of a pointer."""

    kind: str
    value: Node | None
    by: Node


def apply(node: Node, operations: list[Node]) -> Node:
    """An object after all operations.

    Raises:
        PatchError: An operation does not fit.
    """
    for operation in operations:
        node = _apply_one(node, operation)
    return node


def _apply_one(node: Node, operation: Node) -> Node:
    kind, by = operation.text("op"), operation.get("path") or operation
    path = _pointer(operation.text("path"))
    if kind in {"add", "replace"}:
        value = operation.get("value")
        return _change(node, path, _Step(kind, value if value is not None else by.changed(None), by))
    if kind == "remove":
        return _change(node, path, _Step(kind, None, by))
    if kind in {"copy", "move"}:
        source = _pointer(operation.text("from"))
        value = _moved(_find(node, source), by)
        if kind == "move":
            node = _change(node, source, _Step("remove", None, by))
        return _change(node, path, _Step("add", value, by))
    if kind == "test":
        return node
    raise PatchError(kind)


def _moved(value: Node, by: Node) -> Node:
    """A value that an operation brought here: blamed on the operation, with the old place behind it."""
    moved = value.changed(value.value)
    moved.file, moved.line, moved.column = by.file, by.line, by.column
    moved.key_line, moved.key_column = by.key_line, by.key_column
    return moved.replacing(value)


def _pointer(text: str) -> list[str]:
    if not text:
        return []
    if not text.startswith("/"):
        raise PatchError(text)
    return [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]


def _index(items: list[Node], part: str, *, end: bool) -> int:
    """A list position; `-` and the length itself only where an item is added."""
    if part == "-" and end:
        return len(items)
    if not _INDEX.fullmatch(part):
        raise PatchError(part)
    index = int(part)
    if index < 0:
        index += len(items) + end
    if not 0 <= index < len(items) + end:
        raise PatchError(part)
    return index


def _find(node: Node, path: list[str]) -> Node:
    for part in path:
        if isinstance(node.value, dict) and part in node.value:
            node = node.value[part]
        elif isinstance(node.value, list):
            node = node.value[_index(node.value, part, end=False)]
        else:
            raise PatchError(part)
    return node


def _change(node: Node, path: list[str], step: _Step) -> Node:
    if not path:
        if step.value is None:
            raise PatchError
        return step.value.replacing(node)
    part, rest = path[0], path[1:]
    if isinstance(node.value, dict):
        return _change_field(node, node.value, part, rest, step)
    if isinstance(node.value, list):
        return _change_item(node, node.value, part, rest, step)
    raise PatchError(part)


def _change_field(node: Node, fields: dict[str, Node], part: str, rest: list[str], step: _Step) -> Node:
    old = fields.get(part)
    if rest:
        if old is None:
            raise PatchError(part)
        return node.changed({**fields, part: _change(old, rest, step)})
    if step.value is not None and (old is not None or step.kind == "add"):
        return node.changed({**fields, part: step.value.replacing(old)})
    if old is None:
        raise PatchError(part)
    values = {key: value for key, value in fields.items() if key != part}
    return node.changed(values).without(part, step.by.replacing(old))


def _change_item(node: Node, items: list[Node], part: str, rest: list[str], step: _Step) -> Node:
    index = _index(items, part, end=not rest and step.kind == "add")
    if rest:
        return node.changed([*items[:index], _change(items[index], rest, step), *items[index + 1 :]])
    if step.value is None:
        removed = (items[index].text("name") or items[index].raw,)
        left = node.changed([*items[:index], *items[index + 1 :]])
        by = step.by.replacing(items[index])
        # By its identity, and as the place at the end that the list no longer has.
        return left.without(removed, by).without(len(items) - 1, by)
    if step.kind == "add":
        return node.changed([*items[:index], step.value, *items[index:]])
    return node.changed([*items[:index], step.value.replacing(items[index]), *items[index + 1 :]])
