"""YAML text in, trees out whose every node knows the file, line and column it was written at.

Nodes are never changed after parsing: a writer makes new ones that remember what they replaced.
So trees are shared freely between overlays, and the history of a field hangs on its node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import yaml

from lockgate.errors import LockgateError
from lockgate.model import Json, Location
from lockgate.scalars import resolve, tagged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# libyaml is ten times faster; the pure loader gives the same events where it was not built.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_DEPTH = 100
"""Deepest nesting that is read: no manifest comes near it, and recursion stays safe."""

MAX_ALIASED = 200_000
"""Most nodes that aliases may stand for in one text: more is an attack, not a manifest."""

Value: TypeAlias = "dict[str, Node] | list[Node] | str | int | float | bool | None"


class Place(NamedTuple):
    """Where a text begins inside a file; `fixed` when its lines cannot be told apart there."""

    file: str
    line: int = 1
    column: int = 1
    fixed: bool = False


class Node:
    """One YAML value and where it was written.

    Attributes:
        value: Mapping of nodes, list of nodes, or scalar.
        raw: A scalar's own text.
        style: How a scalar was written: empty (plain), `'`, `"`, `|`, `>`; `file` for a file's content.
        file: POSIX path relative to the repository root.
        line: Line of the value, from 1.
        column: Column of the value, from 1.
        key_line: Line of the key in front of it, 0 without one.
        key_column: Column of that key.
        before: What this value replaced, if anything.
        gone: Fields (or identities of list items) that a writer removed, by the node that says so.
        inner: The tree behind a string that writers changed in parts (structured text, an image's parts).
        source: The value that a replacement copied here.
    """

    __slots__ = (
        "before",
        "column",
        "file",
        "gone",
        "inner",
        "key_column",
        "key_line",
        "line",
        "raw",
        "source",
        "style",
        "value",
    )

    def __init__(self, value: Value, place: Place, raw: str = "", style: str = "") -> None:
        self.value = value
        self.raw = raw
        self.style = style
        self.file, self.line, self.column, _ = place
        self.key_line = 0
        self.key_column = 0
        self.before: Node | None = None
        self.gone: dict[object, Node] | None = None
        self.inner: Node | None = None
        self.source: Node | None = None

    @property
    def location(self) -> Location:
        """The line to change: a scalar's own, else the key in front of the block."""
        if self.key_line and isinstance(self.value, dict | list) and self.value:
            return Location(self.file, self.key_line, self.key_column)
        return Location(self.file, self.line, self.column)

    @property
    def place(self) -> Place:
        """The place of the value itself."""
        return Place(self.file, self.line, self.column)

    def get(self, *keys: str) -> Node | None:
        """The node below these keys; None when a key is missing or no mapping is on the way."""
        node: Node | None = self
        for key in keys:
            if node is None or not isinstance(node.value, dict):
                return None
            node = node.value.get(key)
        return node

    def text(self, *keys: str) -> str:
        """The text of the scalar below these keys; empty when there is none or it is null."""
        node = self.get(*keys)
        if node is None or node.value is None or isinstance(node.value, dict | list):
            return ""
        return node.raw

    def items(self, *keys: str) -> list[Node]:
        """The items of the list below these keys; empty when there is no list."""
        node = self.get(*keys)
        return node.value if node is not None and isinstance(node.value, list) else []

    def fields(self, *keys: str) -> Mapping[str, Node]:
        """The fields of the mapping below these keys; empty when there is no mapping."""
        node = self.get(*keys)
        return node.value if node is not None and isinstance(node.value, dict) else {}

    def changed(self, value: Value) -> Node:
        """The same place with another value."""
        node = self._copy()
        node.value = value
        return node

    def replacing(self, before: Node | None) -> Node:
        """This node, remembering what it replaced."""
        if before is None:
            return self
        node = self._copy()
        node.before = before
        return node

    def without(self, key: object, by: Node) -> Node:
        """This node, remembering that `by` removed the field or item `key`."""
        node = self._copy()
        node.gone = {**(self.gone or {}), key: by}
        return node

    def keyed(self, key: Node | None) -> Node:
        """This node behind the key at the place of `key`."""
        node = self._copy()
        node.key_line, node.key_column = (key.line, key.column) if key else (0, 0)
        return node

    def _copy(self) -> Node:
        node = Node.__new__(Node)
        node.value = self.value
        node.raw, node.style = self.raw, self.style
        node.file, node.line, node.column = self.file, self.line, self.column
        node.key_line, node.key_column = self.key_line, self.key_column
        node.before, node.gone = self.before, self.gone
        node.inner, node.source = self.inner, self.source
        return node


def scalar(text: str, place: Place, *, plain: bool = False) -> Node:
    """A node that a writer makes: a string, or whatever the plain text means."""
    return Node(resolve(text) if plain else text, place, text, "" if plain else '"')


def data(node: Node) -> Json:
    """The plain JSON value of a tree."""
    if isinstance(node.value, dict):
        return {key: data(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [data(child) for child in node.value]
    return node.value


def same(one: Node | None, other: Node | None) -> bool:
    """Whether two trees hold the same value, wherever they were written."""
    if one is other:
        return True
    if one is None or other is None:
        return False
    left, right = one.value, other.value
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


def parse(text: str, place: Place) -> list[Node]:
    """The documents of a YAML text, empty ones left out.

    Args:
        text: YAML, one or more documents.
        place: Where the text begins.

    Raises:
        LockgateError: It is no YAML, or nested or aliased beyond reason; starts with `file:line:`.
    """
    try:
        return list(_Composer(text, place).documents())
    except yaml.YAMLError as error:
        raise _unreadable(error, text, place) from error


def parse_embedded(node: Node, lines: Sequence[str]) -> list[Node]:
    """The documents of a string's own YAML text, with their places in the file that holds the string.

    Args:
        node: The string.
        lines: The lines of the file it was written in.

    Raises:
        LockgateError: The text is no YAML.
    """
    return parse(node.raw, embedded_place(node, lines))


def embedded_place(node: Node, lines: Sequence[str]) -> Place:
    """Where the text of a string begins: inside a block, at the file's start, or all on one line."""
    if node.style == "file":
        return Place(node.file)
    if node.style != "|":
        return Place(node.file, node.line, node.column, fixed=True)
    content = next((line for line in node.raw.splitlines() if line.strip()), "")
    source = next((line for line in lines[node.line :] if line.strip()), "")
    indent = _margin(source) - _margin(content)
    return Place(node.file, node.line + 1, max(indent, 0) + 1)


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


class _Composer:
    """Builds nodes from the parser's events, one pass, without recursion."""

    def __init__(self, text: str, place: Place) -> None:
        self._loader = _LOADER(text)
        self._start = place
        self._anchors: dict[str, Node] = {}
        self._open: dict[int, dict[str, Node]] = {}
        self._aliased = 0

    def documents(self) -> Iterator[Node]:
        loader = self._loader
        try:
            while not isinstance(event := loader.get_event(), yaml.StreamEndEvent):
                if isinstance(event, yaml.DocumentStartEvent):
                    self._anchors = {}
                    root = self._document()
                    if root.value is not None:
                        yield root
        finally:
            loader.dispose()

    def _document(self) -> Node:
        """Everything up to the document's end."""
        root = Node([], self._start)
        stack: list[tuple[Node, list[Node] | None, Node | None]] = []
        container: Node = root
        keys: list[Node] | None = None  # the mappings that `<<` merges into a mapping; None in a list
        key: Node | None = None
        while not isinstance(event := self._loader.get_event(), yaml.DocumentEndEvent):
            kind = type(event)
            if kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                if keys:
                    _merge(container, keys)
                # Known only from here on, so that no value can contain itself.
                self._anchors.update(self._open.pop(id(container), {}))
                container, keys, key = stack.pop()
                continue
            node = self._node(event, kind)
            if keys is None:
                if isinstance(container.value, list):
                    container.value.append(node)
            elif key is None:
                key = node
            else:
                _put(container, keys, key, node)
                key = None
            if kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                stack.append((container, keys, key))
                if len(stack) > MAX_DEPTH:
                    message = f"{node.file}:{node.line}: nested more than {MAX_DEPTH} levels deep"
                    raise LockgateError(message, "is this file really a manifest?")
                container, keys, key = node, [] if kind is yaml.MappingStartEvent else None, None
        return root.value[0] if isinstance(root.value, list) and root.value else Node(None, self._start)

    def _node(self, event: Any, kind: type) -> Node:
        mark = event.start_mark
        file, line, column, fixed = self._start
        place = self._start if fixed else Place(file, line + mark.line, column + mark.column)
        if kind is yaml.ScalarEvent:
            style = event.style or ""
            text = event.value
            value = resolve(text) if event.implicit[0] and not style else tagged(text, event.tag)
            node = Node(value, place, text, style)
        elif kind is yaml.AliasEvent:
            return self._alias(event.anchor, place)
        else:
            node = Node({} if kind is yaml.MappingStartEvent else [], place)
            if event.anchor:
                self._open[id(node)] = {event.anchor: node}
            return node
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, name: str, place: Place) -> Node:
        node = self._anchors.get(name)
        if node is None:
            message = f"{place.file}:{place.line}: alias {name!r} stands for nothing"
            raise LockgateError(message, f"define the anchor first: &{name}")
        self._aliased += _size(node)
        if self._aliased > MAX_ALIASED:
            message = f"{place.file}:{place.line}: aliases stand for more than {MAX_ALIASED} values"
            raise LockgateError(message, "write the values out")
        return node.keyed(None)


def _put(container: Node, merged: list[Node], key: Node, node: Node) -> None:
    """Set a field; `<<` only takes note of what is to be merged, for a mapping's own keys win."""
    if key.raw == "<<" and not key.style:
        merged.extend(node.value if isinstance(node.value, list) else [node])
        return
    if isinstance(container.value, dict):
        if isinstance(key.value, dict | list):
            raise LockgateError(f"{key.file}:{key.line}: a key is no text", "quote the key, or fill in the template")
        if first := container.value.get(key.raw):
            message = f"{key.file}:{key.line}: key {key.raw!r} is there already, at line {first.key_line}"
            raise LockgateError(message, "keep one of the two: readers disagree on which one counts")
        node.key_line, node.key_column = key.line, key.column
        container.value[key.raw] = node


def _merge(container: Node, merged: list[Node]) -> None:
    if isinstance(container.value, dict):
        for source in merged:
            for key, node in source.fields().items():
                container.value.setdefault(key, node)


def _size(node: Node) -> int:
    if isinstance(node.value, dict):
        return 1 + sum(map(_size, node.value.values()))
    if isinstance(node.value, list):
        return 1 + sum(map(_size, node.value))
    return 1


def _unreadable(error: yaml.YAMLError, text: str, place: Place) -> LockgateError:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line = mark.line if mark else 0
        what = error.problem or "cannot be read"
    elif isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position if isinstance(error.position, int) else 0)
        what = error.reason
    else:
        line, what = 0, str(error)
    line = place.line + (0 if place.fixed else line)
    return LockgateError(f"{place.file}:{line}: no valid YAML: {what}", _yaml_hint(what))


def _yaml_hint(problem: str) -> str:
    if "special characters" in problem or "control characters" in problem:
        return "this looks like a binary file; remove the character, or do not list the file as a resource"
    if "\\t" in problem or "tab" in problem or "cannot start any token" in problem:
        return "indent with spaces, and quote a value that starts with a special character"
    return "check indentation, colons and quotes at that line and the one above"
