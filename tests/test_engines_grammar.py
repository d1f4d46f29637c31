"""Random small modules: the embedded engine decides as OPA does, or refuses the module.

`LOCKGATE_EXAMPLES=5000` looks longer than the default. Lists are compared in any order: rego-cpp may
begin with another loop of a body than OPA.
"""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING, Any

import pytest
import small_policies
from test_engines_constructs import DOCUMENTS

from lockgate import engines, rules
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EXAMPLES = int(os.environ.get("LOCKGATE_EXAMPLES", "40"))
SOURCES = (
    *("input.m", "input.o", "input.xs", "input.names", "input.objects", "input.m.a", "[1, 2]", "t"),
    *('{"a": 1, "x": [1]}', "input.objects[0].metadata.labels"),
)
ASKED = (("input.m", '"a"'), ("input.o", '"x"'), ("t", '"q"'), ("input.names", "0"))
HEAD = 't := {"a": [1, 2], "x": {"a": 3}}\n\nh(p, q) if p[q]\n\nh(p, q) if p == q\n\n'


class Writer:
    """Writes a module: comprehensions in functions and rules, with names around them in every place."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311  # nothing secret
        self._names = 0

    def module(self) -> str:
        """A function with two arguments and what it gives, a set and a list."""
        calls = "\n\n".join(f"a{number} := f({one}, {two})" for number, (one, two) in enumerate(ASKED))
        names: list[str] = []
        body = self._body(names, 2)
        shown = f"c contains [{', '.join(names[-2:])}]" if names else "c"
        listed = self._comprehension([], 2)
        function = self._comprehension(["p", "q"], 2)
        return f"{HEAD}f(p, q) := {function}\n\n{calls}\n\n{shown} if {{ {body} }}\n\nd := {listed}\n"

    def _one_of(self, *choices: str) -> str:
        return self._random.choice(choices)

    def _new(self, names: list[str]) -> str:
        self._names += 1
        names.append(f"w{self._names}")
        return names[-1]

    def _index(self, names: list[str]) -> str:
        return self._one_of('"a"', '"x"', "0", "1", *names * 3)

    def _reference(self, names: list[str]) -> str:
        indexes = [f"[{self._index(names)}]" for _ in range(self._random.choice((0, 1, 1, 2)))]
        return self._one_of(*SOURCES, *names) + "".join(indexes)

    def _term(self, names: list[str], depth: int) -> str:
        found = [self._reference(names), f"count({self._reference(names)})", self._one_of("1", '"x"', "true")]
        found += [f"[{self._reference(names)}, {self._index(names)}]", *self._random.sample(names, min(2, len(names)))]
        found += [self._comprehension(names, depth - 1) for _ in range(2) if depth > 0]
        return self._one_of(*found)

    def _statement(self, names: list[str], depth: int) -> str:
        known, source = list(names), self._one_of(*SOURCES, *names)
        forms: tuple[Callable[[], str], ...] = (
            lambda: f"{self._new(names)} := {self._term(known, depth)}",
            lambda: f"some {self._new(names)} in {source}",
            lambda: f"some {self._new(names)}, {self._new(names)} in {source}",
            lambda: f"some {self._new(names)}; {self._new(names)} := {source}[{names[-2]}]",
            lambda: f"{source}[{self._new(names)}]",
            lambda: f"not {self._test(known, depth)}",
            lambda: f"not {self._test(known, depth)}",
            lambda: self._test(known, depth),
        )
        return self._random.choice(forms)()

    def _test(self, names: list[str], depth: int) -> str:
        one, index = self._reference(names), self._index(names)
        compared = f"{one} {self._one_of('==', '!=', '>', '<')} {self._term(names, 0)}"
        known = f"count({self._comprehension(names, 0)}) > 0" if depth > 0 else one
        return self._one_of(one, compared, f"{index} in {one}", f"h({one}, {index})", f"is_string({one})", known)

    def _body(self, names: list[str], depth: int) -> str:
        return "; ".join(self._statement(names, depth) for _ in range(self._random.randint(1, 3)))

    def _comprehension(self, names: list[str], depth: int) -> str:
        inner = list(names)
        body = self._body(inner, depth)
        head = self._one_of(*inner) if inner and self._random.random() < 0.7 else self._term(inner, 0)
        return f"[{head} | {body}]" if self._random.random() < 0.6 else f"{{{head} | {body}}}"


def decided(folder: Path, engine: str, text: str) -> list[Any] | str:
    """What a module says of each document; why the engine takes it not, or has no answer."""
    module = f"package lockgate.facts\n\nimport rego.v1\n\n{text}"
    ruleset = rules.load(small_policies.write(folder, {"facts.rego": module}))
    try:
        with engines.session(engine, ruleset, {}) as evaluate:
            return [unordered(dict(outcome.facts)) for outcome in evaluate(DOCUMENTS)]
    except LockgateError as error:
        return error.message


def unordered(value: Any) -> Any:
    """A value whose lists are in one order."""
    if isinstance(value, list):
        return sorted((unordered(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    return {key: unordered(item) for key, item in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("seed", range(EXAMPLES))
def test_a_random_module_is_decided_as_by_opa_or_refused(tmp_path: Path, opa: str, seed: int) -> None:
    text = Writer(seed).module()
    ours = decided(tmp_path, "embedded", text)
    if not isinstance(ours, str):
        theirs = decided(tmp_path, opa, text)
        assert isinstance(theirs, str) or ours == theirs, text


def test_most_random_modules_are_read(tmp_path: Path) -> None:
    said = [decided(tmp_path, "embedded", Writer(seed).module()) for seed in range(20)]
    assert sum(not isinstance(one, str) for one in said) > len(said) // 2
