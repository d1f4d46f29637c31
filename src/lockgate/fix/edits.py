"""One edit of a YAML text at a known place: every other byte stays as it is.

The text is composed to know where each value begins and ends, and then cut; it is never written
anew, since every YAML writer indents, wraps and quotes in its own way.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import yaml

from lockgate.scalars import resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lockgate.model import Fix, Json
    from lockgate.trace import Written

Change: TypeAlias = tuple[int, int, str]
"""Offsets in a text, and what comes in between instead."""

_LINE = re.compile(r"\r\n|\n|\r")
_OTHER_BREAKS = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029\ufeff]")
_ALIAS = re.compile(r"\s*:\s+\*[^\s,\]}]+")
_PLAIN = re.compile(r"[\w./][\w./:-]*", re.ASCII)


class Refused(Exception):  # noqa: N818  # an answer, not a fault
    """An edit that cannot be made without touching more; its text says why."""


_Around: TypeAlias = tuple[tuple[yaml.CollectionNode, yaml.Node | None], ...]
"""The collections around a node, the innermost last, each with the node's key (None in a list)."""


class _Found(NamedTuple):
    """A node, and where it is."""

    node: yaml.Node
    around: _Around


def edited(text: str, edits: Sequence[tuple[Written, Fix]]) -> str:
    """The text after the edits.

    Args:
        text: Content of a YAML file.
        edits: Where each field, or its nearest parent, stands in it, and what to write.

    Raises:
        Refused: It cannot be done there; says why.
    """
    if _OTHER_BREAKS.search(text):
        reason = "the file has line breaks that YAML readers count differently"
        raise Refused(reason)
    return _applied(text, [change for edit in edits for change in _changes(text, *edit, 0)])


def _applied(text: str, changes: Iterable[Change]) -> str:
    result, last = text, len(text)
    for start, end, new in sorted(changes, reverse=True):
        if end > last:
            reason = "two of its edits meet at one place"
            raise Refused(reason)
        result, last = result[:start] + new + result[end:], start
    return result


def _changes(text: str, spot: Written, fix: Fix, line: int) -> list[Change]:
    """The changes of a text that begins `line` lines below the file's start, indentation taken off."""
    try:
        roots = list(yaml.compose_all(text, yaml.SafeLoader))
    except yaml.YAMLError as error:
        reason = "the place is inside a text that is no YAML"
        raise Refused(reason) from error
    wanted = (spot.line - 1 - line, spot.column - 1)
    for root in roots:
        for found in _walk(root, ()):
            if _is_at(found.node, wanted, spot):
                return _Edit(text, found, spot, fix).changes()
    for root in roots:
        for found in _walk(root, ()):
            if _holds(found.node, wanted[0]):
                return _inside(text, found.node, spot, fix, line)
    reason = "the value is not written out there"
    raise Refused(reason)


def _walk(node: yaml.Node, around: _Around) -> Iterator[_Found]:
    """Every value of a text; an alias leads to its anchor, which was there before."""
    yield _Found(node, around)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if value.start_mark.index >= key.start_mark.index:
                yield from _walk(value, (*around, (node, key)))
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            if item.start_mark.index >= node.start_mark.index:
                yield from _walk(item, (*around, (node, None)))


def _is_at(node: yaml.Node, wanted: tuple[int, int], spot: Written) -> bool:
    kinds: dict[type, str] = {yaml.MappingNode: "mapping", yaml.SequenceNode: "list"}
    kind = kinds.get(type(node), "scalar")
    if (node.start_mark.line, node.start_mark.column) != wanted or kind != spot.kind:
        return False
    return kind != "scalar" or node.value == spot.raw


def _holds(node: yaml.Node, line: int) -> bool:
    """Whether a literal block holds the line."""
    return isinstance(node, yaml.ScalarNode) and node.style == "|" and node.start_mark.line < line < _last_line(node)


def _last_line(node: yaml.Node) -> int:
    """The line behind a block."""
    return int(node.end_mark.line) + bool(node.end_mark.column)


def _inside(text: str, node: yaml.Node, spot: Written, fix: Fix, line: int) -> list[Change]:
    """The changes of a text inside a literal block, as changes of the text around it."""
    starts = _line_starts(text)
    first = node.start_mark.line + 1
    header = text[node.start_mark.index : _line_end(text, node.start_mark.index)]
    lines = [text[start : _line_end(text, start)] for start in starts[first : _last_line(node)]]
    indent = min((len(one) - len(one.lstrip(" ")) for one in lines if one.strip()), default=0)
    if re.search(r"[0-9]", header.partition("#")[0]):
        reason = "the text says its indentation itself"
        raise Refused(reason)
    inner = "\n".join(one[indent:] for one in lines)
    # Columns of the file count the indentation, those of the inner text do not.
    moved = spot._replace(column=spot.column - indent)
    inner_starts = _line_starts(inner)

    def outer(offset: int) -> int:
        number = bisect_right(inner_starts, offset) - 1
        return min(
            starts[first + number] + indent + offset - inner_starts[number], _line_end(text, starts[first + number])
        )

    newline = _newline(text)
    changes = _changes(inner, moved, fix, line + first)
    if _applied(inner, changes).lstrip("\n").startswith(" "):
        reason = "the text would begin with an indented line"
        raise Refused(reason)
    return [(outer(s), outer(e), new.replace("\n", newline + " " * indent)) for s, e, new in changes]


class _Edit:
    """One edit at one node."""

    def __init__(self, text: str, found: _Found, spot: Written, fix: Fix) -> None:
        self._text = text
        self._node, self._around = found
        self._rest = spot.rest
        self._fix = fix

    def changes(self) -> list[Change]:
        """What to cut and what to put there."""
        match self._fix.op:
            case "set":
                return [self._insert(self._fix.value)] if self._rest else [self._replace()]
            case "append":
                return [self._insert([self._fix.value])] if self._rest else [self._append()]
        return self._remove()

    def _replace(self) -> Change:
        node = self._node
        start, end = node.start_mark.index, node.end_mark.index
        old = self._text[start:end]
        if not isinstance(node, yaml.ScalarNode) or "\n" in old or old[:1] in {"&", "!", "*", "|", ">"}:
            reason = "the value is not a plain one"
            raise Refused(reason)
        new = _scalar(self._fix.value, old[:1] if old[:1] in {"'", '"'} else "")
        return start, end, new if old else f" {new}"

    def _insert(self, value: Json) -> Change:
        """A field that is missing, with the parents that are missing, at the end of the mapping."""
        node = self._node
        if not isinstance(node, yaml.MappingNode) or not all(isinstance(key, str) for key in self._rest):
            reason = "the list or value that it belongs into is not there"
            raise Refused(reason)
        for key in reversed(self._rest[1:]):
            value = {key: value}
        first = str(self._rest[0])
        if node.flow_style or not node.value:
            pair = f"{_scalar(first)}: {_flow(value)}"
            return self._into_flow(pair)
        at = _line_end(self._text, self._content_end(node))
        column = node.value[0][0].start_mark.column
        lines = [" " * column + line for line in _block(first, value)]
        return at, at, "".join(f"{self._newline()}{line}" for line in lines)

    def _append(self) -> Change:
        node = self._node
        if not isinstance(node, yaml.SequenceNode):
            reason = "there is no list at that place"
            raise Refused(reason)
        if node.flow_style or not node.value:
            last = node.value[-1] if node.value else None
            quote = last.style if isinstance(last, yaml.ScalarNode) and last.style in {"'", '"'} else ""
            return self._into_flow(_flow(self._fix.value, quote))
        at = _line_end(self._text, self._content_end(node))
        lines = _item(self._fix.value)
        return at, at, "".join(f"{self._newline()}{' ' * node.start_mark.column}{line}" for line in lines)

    def _into_flow(self, new: str) -> Change:
        """Something more at the end of `{...}` or `[...]`."""
        node = self._node
        last = node.value[-1] if node.value else None
        if last is None:
            return node.start_mark.index + 1, node.end_mark.index - 1, new
        end = self._content_end(last[1] if isinstance(last, tuple) else last)
        return end, end, f", {new}"

    def _remove(self) -> list[Change]:
        if self._rest or not self._around:
            reason = "the field is not written there"
            raise Refused(reason)
        parent, key = self._around[-1]
        members = (
            [key.start_mark.index for key, _ in parent.value]
            if key
            else [item.start_mark.index for item in parent.value]
        )
        start = key.start_mark.index if key else self._node.start_mark.index
        position = members.index(start)
        end = self._content_end(self._node)
        if parent.flow_style:
            return [self._out_of_flow(parent, position, members, start, end)]
        if len(members) == 1:
            return self._emptied(parent, end)
        return [self._cut(position, members, start, end, in_list=key is None)]

    def _out_of_flow(
        self, parent: yaml.CollectionNode, position: int, members: list[int], start: int, end: int
    ) -> Change:
        if position + 1 < len(members):
            return start, members[position + 1], ""
        if position == 0:
            return start, end, ""
        before = parent.value[position - 1]
        return self._content_end(before[1] if isinstance(before, tuple) else before), end, ""

    def _cut(self, position: int, members: list[int], start: int, end: int, *, in_list: bool) -> Change:
        """The lines of one member of several in a block."""
        begin = _line_begin(self._text, start)
        lead = self._text[begin:start]
        if not re.fullmatch(r" *(- +)?" if in_list else r" *", lead):
            # The first field behind a dash: the next one takes its place.
            if position + 1 == len(members) or "#" in self._text[end : members[position + 1]]:
                reason = "it shares its line with the dash of a list"
                raise Refused(reason)
            return start, members[position + 1], ""
        if in_list and lead.count("-") != 1:
            reason = "its dash stands on another line"
            raise Refused(reason)
        stop = _line_end(self._text, end)
        return (begin, _next_line(self._text, stop), "") if begin == 0 else (_break_before(self._text, begin), stop, "")

    def _emptied(self, parent: yaml.Node, end: int) -> list[Change]:
        """The last member goes: an empty collection stays, for nothing at all would mean null."""
        holder, key = self._around[-2] if len(self._around) > 1 else (None, None)
        if holder is None or key is None:
            reason = "nothing would be left of the list item or document that holds it"
            raise Refused(reason)
        colon = self._text.index(":", key.end_mark.index) + 1
        empty = "{}" if isinstance(parent, yaml.MappingNode) else "[]"
        first = _break_before(self._text, _line_begin(self._text, parent.start_mark.index))
        if first < colon:
            reason = "it shares its line with its parent"
            raise Refused(reason)
        return [(colon, colon, f" {empty}"), (first, _line_end(self._text, end), "")]

    def _content_end(self, node: yaml.Node) -> int:
        """The offset behind the last character of a value, comments and blank lines left out."""
        if isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}:
            kept = self._text[: node.end_mark.index].rstrip(" \r\n")
            return len(kept)
        if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
            return int(node.end_mark.index)
        last = node.value[-1]
        key, value = last if isinstance(last, tuple) else (None, last)
        if value.start_mark.index >= node.start_mark.index:
            return self._content_end(value)
        # An alias: its value stands elsewhere, its name behind the key.
        name = _ALIAS.match(self._text, key.end_mark.index) if key else None
        if name is None:
            reason = "an alias ends the list that it belongs into"
            raise Refused(reason)
        return name.end()

    def _newline(self) -> str:
        return _newline(self._text)


def _newline(text: str) -> str:
    found = _LINE.search(text)
    return found[0] if found else "\n"


def _line_starts(text: str) -> list[int]:
    return [0, *(found.end() for found in _LINE.finditer(text))]


def _line_begin(text: str, offset: int) -> int:
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1


def _line_end(text: str, offset: int) -> int:
    found = _LINE.search(text, offset)
    return found.start() if found else len(text)


def _next_line(text: str, end: int) -> int:
    found = _LINE.match(text, end)
    return found.end() if found else end


def _break_before(text: str, begin: int) -> int:
    """Where the line break in front of a line begins."""
    return begin - 2 if text[begin - 2 : begin] == "\r\n" else max(begin - 1, 0)


def _block(key: str, value: Json) -> list[str]:
    """A field as lines of a block."""
    if isinstance(value, dict) and value:
        return [f"{_scalar(key)}:", *(f"  {line}" for name, one in value.items() for line in _block(name, one))]
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        return [f"{_scalar(key)}:", *(f"  {line}" for one in value for line in _item(one))]
    return [f"{_scalar(key)}: {_flow(value)}"]


def _item(value: Json) -> list[str]:
    """A list item as lines of a block."""
    if isinstance(value, dict) and value:
        lines = [line for name, one in value.items() for line in _block(name, one)]
        return [f"- {lines[0]}", *(f"  {line}" for line in lines[1:])]
    return [f"- {_flow(value)}"]


def _flow(value: Json, quote: str = "") -> str:
    """A value on one line, a string in these quotes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value, quote)


def _scalar(value: Json, quote: str = "") -> str:
    """A scalar, in the quotes that were there, else plain where that means the same to every reader."""
    if not isinstance(value, str):
        return json.dumps(value)
    if quote == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    plain = _PLAIN.fullmatch(value) and resolve(value) == value and isinstance(yaml.safe_load(value), str)
    return value if plain and not quote and not value.endswith(":") else json.dumps(value)
