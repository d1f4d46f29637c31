"""`some k, v in xs` where rego-cpp cannot read it, written as it can.

In the body of a list or set comprehension rego-cpp 1.5.2 takes the comma for an element of the collection and
refuses the module. `[v | some k, v in xs]` becomes `[v | xs__1 := xs; some k; v := xs__1[k]]`, on the same lines.
"""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING, Final

from lockgate.engines.closures import Scope, comprehensions

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAIR: Final = re.compile(r"\bsome\s+(\w+)\s*,\s*(\w+)\s+in\s+")


def unpaired(text: str) -> str:
    """A module without pairs in the bodies of list and set comprehensions."""
    parts, last = [], 0
    for start, end, new in sorted(_edits(text)):
        parts += [text[last:start], new]
        last = end
    return "".join([*parts, text[last:]])


def _edits(text: str) -> Iterator[tuple[int, int, str]]:
    numbers = count(1)
    for scope in comprehensions(text):
        head = scope.own[: scope.bar - scope.start]
        if _is_object(head):
            continue
        for found in _PAIR.finditer(scope.own, len(head)):
            key, value = found[1], found[2]
            start, end = scope.start + found.start(), scope.start + found.end()
            if key == "_":
                yield start, end, f"some {value} in "
                continue
            name = f"pairs__{next(numbers)}"
            after = scope.start + _term_end(scope, found.end())
            value = f"value_{name}" if value == "_" else value
            yield start, end, f"{name} := "
            yield after, after, f"; some {key}; {value} := {name}[{key}]"


def _is_object(head: str) -> bool:
    """Whether a comprehension's head is a key and a value: those rego-cpp reads with pairs."""
    depth = 0
    for at, sign in enumerate(head):
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 1 and sign == ":" and head[0] == "{":
            return head[at + 1 : at + 2] != "="
    return False


def _term_end(scope: Scope, start: int) -> int:
    """Where the collection ends, counted from the comprehension's start."""
    depth = 0
    for at in range(start, len(scope.own)):
        sign = scope.own[at]
        if depth == 0 and (sign in ";\n" or sign in ")]}"):
            return start + len(scope.own[start:at].rstrip())  # before a comment
        depth += (sign in "([{") - (sign in ")]}")
    return len(scope.own) - 1
