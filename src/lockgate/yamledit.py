"""One value of a YAML text replaced or added; every other byte, comments too, stays as it is."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import yaml

from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Sequence

# What may stand without quotes and is text all the same.
_PLAIN = re.compile(r"[A-Za-z][\w./:-]*")


def put(text: str, path: Sequence[str | int], value: str, file: str, after: str = "") -> str:
    """The text with a string at a path.

    Args:
        text: One YAML document.
        path: Keys and indexes; all but the last must exist.
        value: The string.
        file: The text's name, for messages.
        after: The key of the same mapping that a new one goes behind; else it goes last.

    Raises:
        LockgateError: The path does not lead to a mapping in block style.
    """
    parent = _node(yaml.compose(text, yaml.SafeLoader), path[:-1])
    if not isinstance(parent, yaml.MappingNode) or parent.flow_style or not parent.value:
        msg = f"{file}: wanted a mapping in block style at {'.'.join(map(str, path[:-1])) or 'its top'}"
        raise LockgateError(msg, "write it one key a line")
    for key, node in parent.value:
        if key.value == path[-1]:
            written = _written(value, text[node.start_mark.index : node.end_mark.index])
            return text[: node.start_mark.index] + written + text[node.end_mark.index :]
    return _added(text, parent, str(path[-1]), value, after)


def _added(text: str, parent: yaml.MappingNode, key: str, value: str, after: str) -> str:
    """The text with a new key behind another one."""
    entries = [entry for entry in parent.value if entry[0].value == after] or parent.value[-1:]
    before, node = entries[-1]
    end = _end_of_line(text, node)
    margin = " " * before.start_mark.column
    line = f"\n{margin}{key}: {_written(value, '')}"
    return text[:end] + line + text[end:]


def _end_of_line(text: str, node: yaml.Node) -> int:
    """Where the last line of a value ends, its comment included."""
    last = node
    while isinstance(last, yaml.CollectionNode) and last.value and not last.flow_style:
        last = last.value[-1][1] if isinstance(last, yaml.MappingNode) else last.value[-1]
    at = last.end_mark.index
    if text[:at].endswith("\n"):
        at = len(text[:at].rstrip("\n"))
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _node(node: yaml.Node | None, path: Sequence[str | int]) -> yaml.Node | None:
    for step in path:
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step] if step < len(node.value) else None
        else:
            return None
    return node


def _written(value: str, old: str) -> str:
    """A string as YAML: quoted as the old one was, or where it would be something else."""
    if old.startswith("'"):
        return "'" + value.replace("'", "''") + "'"
    return value if _PLAIN.fullmatch(value) and not old.startswith('"') else json.dumps(value)
