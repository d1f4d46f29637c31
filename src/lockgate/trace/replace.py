"""Replacements, replayed: a value copied from one object's field (or written out) into others' fields."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import yaml

from lockgate.errors import LockgateError
from lockgate.trace.identity import Id, Resource, Selector
from lockgate.trace.source import Node, data, parse_embedded, same, scalar
from lockgate.trace.state import Entry, State

if TYPE_CHECKING:
    from lockgate.trace.files import Kustomization

Write = Callable[[Node], Node]


_INDEX = re.compile(r"[0-9]{1,9}")


def apply_replacements(state: State, kustomization: Kustomization) -> None:
    """`replacements` of one kustomization, in their order."""
    for index, item in enumerate(kustomization.node.items("replacements")):
        what = "replacement"
        if item.text("path"):
            what = f"replacement {item.text('path')}"
        entry = Entry(kustomization.file, ("replacements", index), "replacement", what)
        for replacement in _written(state, kustomization, item):
            _apply(state, replacement, entry)
        state.note(entry)


def _written(state: State, kustomization: Kustomization, item: Node) -> list[Node]:
    """The replacements of an entry: itself, or those of the file that it names."""
    name = item.get("path")
    if name is None or not name.raw:
        return [item]
    path = kustomization.resolve(name.raw)
    if not state.sources.is_file(path):
        message = f"{name.location}: replacement file {name.raw!r} is no file"
        raise LockgateError(message, "create the file, or correct the path")
    documents = state.read(path)
    if documents and isinstance(documents[0].value, list):
        return documents[0].value
    return documents[:1]


def _apply(state: State, replacement: Node, entry: Entry) -> None:
    value = _value(state, replacement)
    for target in replacement.items("targets"):
        select = target.get("select")
        if select is None:
            continue
        paths = target.items("fieldPaths") or [scalar("metadata.name", select.place)]
        wanted = Selector.read(select)
        rejected = [Selector.read(one) for one in target.items("reject")]
        for resource in state.resources:
            if not _selected(resource, wanted, rejected):
                continue
            entry.matched = True
            if value is None:
                entry.changed = entry.changed or None
                continue
            for path in paths:
                writing = _Writing(state, value, path, target, by=_by(replacement, path))
                new = writing.into(resource.node)
                entry.changed = entry.changed or not same(resource.node, new)
                resource.node = new


def _by(replacement: Node, path: Node) -> Node:
    """The line to change: the value where it is written out, else the field path that asks for it."""
    written = replacement.get("sourceValue")
    return written if written is not None else path


def _selected(resource: Resource, wanted: Selector, rejected: list[Selector]) -> bool:
    ids = resource.ids()
    if not wanted.fits(resource.node) or not any(wanted.matches_id(one) for one in ids):
        return False
    for one in rejected:
        if one.names_an_object and any(one.matches_id(it) for it in ids):
            return False
        if (one.labels or one.annotations) and one.fits(resource.node):
            return False
    return True


def _value(state: State, replacement: Node) -> Node | None:
    """What is copied; None when the source is not found (the renderer refuses that)."""
    written = replacement.get("sourceValue")
    if written is not None:
        return scalar(written.raw, written.place)
    source = replacement.get("source")
    if source is None:
        return None
    found = next((one for one in state.resources if any(_is_source(it, source) for it in one.ids())), None)
    if found is None:
        return None
    path = source.text("fieldPath") or "metadata.name"
    nodes = _find(found.node, split_path(path))
    node = nodes[0] if nodes else None
    delimiter = source.text("options", "delimiter")
    if node is None or not delimiter or isinstance(node.value, dict | list):
        return node
    parts = node.raw.split(delimiter)
    index = _number(source.get("options", "index"))
    return scalar(parts[index], node.place) if 0 <= index < len(parts) else None


def _is_source(one: Id, source: Node) -> bool:
    exact = all(
        not source.text(name) or source.text(name) == getattr(one, name)
        for name in ("group", "version", "kind", "name")
    )
    namespace = source.text("namespace")
    return exact and (not namespace or one._replace(namespace=namespace).equals(one))


def _number(node: Node | None) -> int:
    return node.value if node is not None and isinstance(node.value, int) else 0


def split_path(path: str) -> list[str]:
    """The parts of a field path: dots separate, escaped ones do not, `[name=a.b]` stays whole."""
    parts = re.findall(r"\[[^\]]*\]|(?:\\.|[^.\\\[]|\\)(?:\\.|[^.\\])*|\[", path)
    return [part[1:-1] if part.startswith("[") and "=" not in part else part.replace("\\.", ".") for part in parts]


def _find(node: Node, parts: list[str]) -> list[Node]:
    found: list[Node] = []

    def keep(one: Node) -> Node:
        found.append(one)
        return one

    _visit(node, parts, keep, None)
    return found


def _visit(node: Node, parts: list[str], write: Write, made: Node | None) -> Node:
    """A tree with every node at the path rewritten; `made` (a place) creates fields that are missing."""
    if not parts:
        return write(node)
    part, rest = parts[0], parts[1:]
    if isinstance(node.value, list):
        return _visit_items(node, node.value, part, rest, write, made)
    if not isinstance(node.value, dict):
        return node
    old = node.value.get(part)
    if old is None:
        if made is None:
            return node
        old = _empty(rest, made)
    new = _visit(old, rest, write, made)
    return node if new is node.value.get(part) else node.changed({**node.value, part: new})


def _visit_items(
    node: Node,
    items: list[Node],
    part: str,
    rest: list[str],
    write: Write,
    made: Node | None,
) -> Node:
    chosen = [_chosen(item, index, part) for index, item in enumerate(items)]
    new = [_visit(item, rest, write, made) if yes else item for item, yes in zip(items, chosen, strict=True)]
    if made is not None and not any(chosen):
        new.extend(_visit(fresh, rest, write, made) for fresh in _fresh_item(part, rest, len(items), made))
    untouched = len(new) == len(items) and all(one is other for one, other in zip(new, items, strict=True))
    return node if untouched else node.changed(new)


def _fresh_item(part: str, rest: list[str], length: int, made: Node) -> list[Node]:
    """The item to append for a path that names one which is not there; none where kustomize refuses."""
    if part == str(length):
        return [_empty(rest, made)]
    if not part.startswith("["):
        return []
    name, _, text = part[1:-1].partition("=")
    return [made.changed({name: scalar(text, made.place)}) if name else scalar(text, made.place)]


def _empty(rest: list[str], made: Node) -> Node:
    """A new container or scalar, as the next part of the path wants it."""
    if not rest:
        new = made.changed("")
        new.raw = new.style = ""
    else:
        new = made.changed([] if rest[0].startswith("[") or _INDEX.fullmatch(rest[0]) else {})
    new.key_line = new.key_column = 0
    return new


def _chosen(item: Node, index: int, part: str) -> bool:
    if part == "*":
        return True
    if _INDEX.fullmatch(part):
        return int(part) == index
    if not (part.startswith("[") and part.endswith("]")):
        return False
    name, _, pattern = part[1:-1].partition("=")
    text = item.text(name) if name else item.raw
    try:
        return bool(text) and re.search(pattern, text) is not None
    except re.error:
        return text == pattern


@dataclass(slots=True)
class _Writing:
    """One value on its way into the fields of one path."""

    state: State
    value: Node
    path: Node
    target: Node
    by: Node

    def into(self, node: Node) -> Node:
        """An object with the value in it."""
        parts = split_path(self.path.raw)
        create = self.target.get("options", "create")
        made = self.path if create is not None and create.value is True else None
        for end in range(1, len(parts)):
            text = _exact(node, parts[:end])
            if text is not None and isinstance(text.value, str) and text.value:
                return _visit(node, parts[:end], partial(self._inside, parts=parts[end:], made=made), None)
        return _visit(node, parts, self._field, made)

    def _field(self, old: Node) -> Node:
        """The field after the write: a scalar keeps its type, anything else is replaced."""
        value = self.value
        delimiter = self.target.text("options", "delimiter")
        if delimiter and not isinstance(old.value, dict | list) and not isinstance(value.value, dict | list):
            text = _spliced(old.raw.split(delimiter), value.raw, _number(self.target.get("options", "index")))
            value = scalar(delimiter.join(text), value.place)
        if isinstance(old.value, dict | list) or isinstance(value.value, dict | list):
            new = self.by.changed(value.value)
        else:
            plain = not isinstance(old.value, str) or not (old.raw or old.style)  # a field made for it has no type
            new = self.by.changed(scalar(value.raw, self.by.place, plain=plain).value)
            new.raw = value.raw
        new.style = '"'
        new.source = self.value if self.value is not self.by else None
        return new.replacing(old if old.file != self.path.file or old.line != self.path.line else None)

    def _inside(self, old: Node, *, parts: list[str], made: Node | None) -> Node:
        """A string whose own YAML has the value in it."""
        try:
            tree = old.inner or next(iter(parse_embedded(old, self.state.sources.lines(old.file))), None)
        except LockgateError:
            return old
        if tree is None or not isinstance(tree.value, dict | list):
            return old
        inner = _visit(tree, parts, self._field, made)
        if inner is tree:
            return old
        text = yaml.safe_dump(data(inner), sort_keys=False)
        new = old.changed(text)
        new.raw, new.inner = text, inner
        return new


def _exact(node: Node, parts: list[str]) -> Node | None:
    found = _find(node, parts)
    return found[0] if len(found) == 1 else None


def _spliced(parts: list[str], text: str, index: int) -> list[str]:
    if index < 0:
        return [text, *parts]
    if index >= len(parts):
        return [*parts, text]
    return [*parts[:index], text, *parts[index + 1 :]]
