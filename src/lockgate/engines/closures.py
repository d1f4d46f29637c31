"""Rego text rewritten so that rego-cpp sees in a comprehension what OPA sees there.

rego-cpp 1.5.2 takes a name that stands alone in an index, `[x | x := o[key]]`, for a variable of the
comprehension's own when it is a function's argument or is bound by an index itself: `key` is then any key,
and the rule finds too much or nothing. A name that only the head says it does not see at all. Here the
comprehension gets the name as a variable of its own, on the same line: `[x | key__1 := key; x := o[key__1]]`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Final

from lockgate.engines.definitions import NAME, WORDS, bare, blank, definitions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_INDEX: Final = re.compile(r"(?<=[\w\])}])\[\s*([A-Za-z_]\w*)\s*\]")
_DECLARED: Final = re.compile(r"\b(?:some|every)\s+([\w\s,]+?)(?:\s+(in)\b|\s*(?=[;\n{}\[\]])|$)")
_ASSIGNED: Final = re.compile(r"\b(\w+)\s*:=")
_RULE: Final = re.compile(r"(?:default\s+)?(\w+)")
_HEAD: Final = re.compile(r"\s*(?:default\s+)?[\w.]+(?:\(([^()]*)\))?")


@dataclass(slots=True)
class Scope:
    """A comprehension, or one body of the definition that holds it.

    Attributes:
        start: Where it begins in the module; a comprehension's is its bracket.
        bar: Where the comprehension's bar is.
        end: Where it ends.
        own: Its text from `start` on; comprehensions in it are empty brackets.
        outer: What is around it, the nearest first.
        in_head: Names in the comprehensions of its head.
        shown: Names that it declares and that rego-cpp shows to comprehensions in it.
        hidden: Names that it declares in another way.
    """

    start: int
    bar: int
    end: int
    own: str = ""
    outer: list[Scope] = field(default_factory=list)
    in_head: set[str] = field(default_factory=set)
    shown: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)

    @property
    def names(self) -> set[str]:
        """Names that stand in it."""
        return set(NAME.findall(self.own)) - WORDS


def closed(text: str) -> str:
    """A module whose comprehensions see the names around them; lines stay where they are."""
    parts, last = [], 0
    for start, end, new in sorted(edit for scope, names in unseen(text) for edit in _edits(scope, names)):
        parts += [text[last:start], new]
        last = end
    return "".join([*parts, text[last:]])


def unseen(text: str) -> Iterator[tuple[Scope, Mapping[str, str]]]:
    """Each comprehension with the names that rego-cpp does not see in it, and what to call them there."""
    numbers = count(1)
    pieces = list(definitions(bare(text)))
    rules = {head[1] for _, definition in pieces if (head := _RULE.match(definition))}
    for start, definition in pieces:
        for scope in _comprehensions(start, definition) if "|" in definition else ():
            names = [name for name in sorted(_wanted(scope)) if _around(name, scope, rules)]
            if names:
                yield scope, {name: f"{name}__{next(numbers)}" for name in names}


def comprehensions(text: str) -> Iterator[Scope]:
    """All comprehensions of a module, each with those in it as empty brackets."""
    for start, definition in definitions(bare(text)):
        yield from _comprehensions(start, definition) if "|" in definition else ()


def _edits(scope: Scope, names: Mapping[str, str]) -> Iterator[tuple[int, int, str]]:
    yield scope.bar + 1, scope.bar + 1, "".join(f" {new} := {name};" for name, new in names.items())
    for found in NAME.finditer(scope.own):
        if found[1] in names:
            yield scope.start + found.start(1), scope.start + found.end(1), names[found[1]]


def _wanted(scope: Scope) -> set[str]:
    """Names that stand alone in an index, or in the head and not in the body."""
    bar = scope.bar - scope.start
    lost = (set(NAME.findall(scope.own[:bar])) | scope.in_head) - set(NAME.findall(scope.own[bar:]))
    return (set(_INDEX.findall(scope.own)) | lost) - WORDS - scope.shown - scope.hidden


def _around(name: str, scope: Scope, rules: set[str]) -> bool:
    """Whether a name is a variable of what is around the comprehension, and not shown to it."""
    for outer in scope.outer:
        if name in outer.shown:
            return name not in set(_INDEX.findall(scope.own))  # in the head alone nothing is shown
        if name in outer.hidden or (name in outer.names and name not in rules):
            return True
    return False


def _comprehensions(start: int, definition: str) -> list[Scope]:
    """The comprehensions of a definition, outer ones first."""
    found = _brackets(start, definition)
    bodies = _bodies(start, definition)
    for scope in (*found, *bodies):
        inner = [one for one in found if scope.start <= one.start and one.end <= scope.end and one is not scope]
        scope.own = _own(definition[scope.start - start : scope.end + 1 - start], scope.start, inner)
        in_head = [definition[one.start - start : one.end - start] for one in inner if one.end < scope.bar]
        scope.in_head = {name for text in in_head for name in NAME.findall(text)}
        _declare(scope, start, definition)
    for scope in found:
        scope.outer = [one for one in (*reversed(found), *bodies) if one.start < scope.start and scope.end <= one.end]
        scope.outer = [one for one in scope.outer if one is not scope]
    return found


def _brackets(start: int, definition: str) -> list[Scope]:
    stack: list[list[int]] = []
    found: list[Scope] = []
    for position, sign in enumerate(definition, start):
        if sign in "[{(":
            stack.append([position, -1])
        elif sign in "]})" and stack:
            opened, bar = stack.pop()
            if bar >= 0:
                found.append(Scope(opened, bar, position))
        elif sign == "|" and stack and stack[-1][1] < 0 and _may_hold(definition, stack[-1][0] - start):
            stack[-1][1] = position
    return sorted(found, key=lambda scope: scope.start)


def _may_hold(definition: str, at: int) -> bool:
    """Whether a bracket may be a comprehension's: no parenthesis, and no body, whose bars are unions."""
    before = definition[definition.rfind("\n", 0, at) + 1 : at].rstrip()
    body = definition[at] == "{" and re.search(r"(\b(if|else)|[\w\])}])$", before)
    return definition[at] != "(" and (not body or re.search(r"\b(in|not|contains)$", before) is not None)


def _bodies(start: int, definition: str) -> list[Scope]:
    """The parts of a definition between its `else`s: what one of them binds the others do not see."""
    ends = [match.start() for match in re.finditer(r"\belse\b", definition)]
    parts = zip([0, *ends], [*ends, len(definition)], strict=True)
    return [Scope(start + begin, -1, start + end - 1) for begin, end in parts]


def _own(text: str, start: int, inner: list[Scope]) -> str:
    signs = list(text)
    for one in inner:
        first, last = one.start + 1 - start, one.end - start
        signs[first:last] = blank("".join(signs[first:last]))
    return "".join(signs)


def _declare(scope: Scope, start: int, definition: str) -> None:
    body, arguments = scope.own, set[str]()
    if scope.bar < 0 and (head := _HEAD.match(definition)):
        arguments = set(NAME.findall(head[1] or "")) - WORDS
        body = body[head.end() :] if scope.start == start else body  # `name :=` in the head names the rule
    declared = [(set(re.findall(r"\w+", names)), within) for names, within in _DECLARED.findall(body)]
    scope.shown = set(_ASSIGNED.findall(body)).union(*(names for names, within in declared if within))
    scope.hidden = arguments.union(*(names for names, within in declared if not within)) - scope.shown
