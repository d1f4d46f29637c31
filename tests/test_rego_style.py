"""Rego that the embedded engine and opa read differently stays out of the rules; CONTRIBUTING.md has the list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from lockgate import resources

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POLICIES = resources.template_root() / resources.PROJECT / "policies"
MODULES = sorted(path for path in POLICIES.rglob("*.rego") if not path.name.endswith("_test.rego"))

# What is wrong, and what to write instead.
IN_STRINGS = {
    r'\bsprintf\(\s*"(?:[^"\\%]|\\.|%[v%])*%[^v%]': "%v: opa writes %!s(int=1) for another type",
}
PATTERNS = {
    r"^package\s+\S*\binput\s*$": "a package name that does not end in `input`",
    r"\[_\]": "`some i` and a variable for the element: `f(xs[_])` does not compile in rego-cpp",
    r"^[ \t]*(some[ \t]+)?\[.*\][ \t]*:=": "one variable and indexes: rego-cpp loses its way in arrays taken apart",
    r"\bevery\b[^{\n]*\{\s*(?:[^}]*[;\n]\s*)?(some|not|every)\b": "`not bad(xs)`: rego-cpp loses variables in `every`",
    r"\b(time|net|http|crypto|uuid|rand)\.\w+\(": "nothing of the kind: the embedded engine lacks it, or it changes",
    r"\bwalk\(": "the fields themselves: a walk over all objects takes longer than all rules",
}


def faults(text: str) -> Iterator[tuple[int, str]]:
    """Line and advice for each construct of a module that one engine reads differently."""
    bare = _without(text, strings=True)
    for patterns, searched in ((IN_STRINGS, _without(text, strings=False)), (PATTERNS, bare)):
        for pattern, advice in patterns.items():
            for match in re.finditer(pattern, searched, re.MULTILINE):
                yield _line(text, match.start()), f"write {advice}"
    for position, advice in _comprehension_faults(bare):
        yield _line(text, position), f"write {advice}"


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _without(text: str, *, strings: bool) -> str:
    """The module with comments, and strings if asked for, as blanks, so that positions stay."""
    skipped = r'"(?:[^"\\\n]|\\.)*"|`[^`]*`|#[^\n]*'

    def blank(match: re.Match[str]) -> str:
        gone = strings or match[0].startswith("#")
        return re.sub(r"[^\n]", " ", match[0]) if gone else match[0]

    return re.sub(skipped, blank, text)


def _comprehension_faults(bare: str) -> Iterator[tuple[int, str]]:
    for end in _comprehensions(bare):
        if bare[end + 1 : end + 2] == "[":
            yield end, "a variable for the comprehension before its index: rego-cpp refuses both at once"


def _comprehensions(bare: str) -> Iterator[int]:
    """The closing bracket of every comprehension."""
    stack: list[list[int]] = []
    for position, sign in enumerate(bare):
        if sign in "[{(":
            stack.append([position, -1])
        elif sign in "]})" and stack:
            if stack.pop()[1] >= 0:
                yield position
        elif sign == "|" and stack and bare[stack[-1][0]] != "(":
            stack[-1][1] = position


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(POLICIES).as_posix())
def test_rules_are_written_for_two_engines(path: Path) -> None:
    name = path.relative_to(POLICIES)
    found = [f"{name}:{line}: {advice}" for line, advice in sorted(faults(path.read_text(encoding="utf-8")))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ('m := sprintf("has %d", [1])', "%v"),
        ('m := sprintf("%v of %s", [1, 2])', "%v"),
        ("package lockgate.input", "package name"),
        ("v := f(xs[_])", "some i"),
        ("[[_, a]] := found", "taken apart"),
        ("deny if { every x in xs { some y in x } }", "every"),
        ("deny if { every x in xs {\n\ta\n\tnot x.b\n} }", "every"),
        ("deny if { every x in xs { every y in ys { x == y } } }", "every"),
        ("deny if net.cidr_contains(a, b)", "lacks"),
        ("deny if walk(input, x)", "walk"),
        ("v := [x | some x in xs][0]", "refuses both"),
    ],
)
def test_a_construct_is_found_at_its_line(line: str, advice: str) -> None:
    [(number, said)] = faults(f"# a\n\n{line}\n")
    assert (number, advice in said) == (3, True)


@pytest.mark.parametrize(
    "line",
    [
        "v := [x | some i, x in xs]",
        "f(o, key) := [x | x := o[key]]",
        "deny if not f(x) <= 0",
        'm := sprintf("%v of %v: 100%%", [1, 2])',
        '# sprintf("%d", [1]) is not written here',
        "v := {k: x | some k, x in xs}",
        "deny if { some i, x in xs }",
        "v := [y | y := {k: x | some k, x in xs}]",
        'f(entry) := [spot | some v in m; spot := {"o": entry.object, "v": v}]',
        "deny if not f(x)",
        "deny if { every x in xs { x.port } }",
        "v := xs[0]",
    ],
)
def test_what_both_engines_read_alike_is_allowed(line: str) -> None:
    assert list(faults(f"# a\n\n{line}\n")) == []
