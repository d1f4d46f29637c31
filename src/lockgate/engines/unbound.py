"""Names that mean nothing, found before the rules are compiled.

rego-cpp takes an unknown name for a variable that nothing ever binds, so that its rule finds nothing
and the gate is green; opa refuses it. Only what cannot be anything else is told: a name that is no
definition, import, builtin or argument, and stands nowhere where Rego could bind it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from lockgate.engines.definitions import WORDS, bare, definitions
from lockgate.engines.source import package_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HEAD = re.compile(r"(?:default[ \t]+)?([A-Za-z_]\w*)")
_IMPORT = re.compile(r"^import[ \t]+(?:\w+\.)*(\w+)(?:[ \t]+as[ \t]+(\w+))?", re.MULTILINE)
# A name by itself: no field, no call, no key of an object.
_NAME = re.compile(r"(?<![\w.])([a-z_]\w*)(?![\w(])(?!\.\w+(?:\.\w+)*\()(?!\s*:[^=])")


def unbound(modules: Sequence[tuple[str, str]]) -> Iterator[tuple[str, int, str]]:
    """File, line and name of each name that means nothing, in the order of files and lines."""
    known: dict[str, set[str]] = defaultdict(set)
    plain = [(name, bare(text)) for name, text in modules]
    for _, text in plain:
        known[package_of(text)] |= {head[1] for _, block in definitions(text) if (head := _HEAD.match(block))}
    for file, text in plain:
        meant = WORDS | known[package_of(text)] | {alias or last for last, alias in _IMPORT.findall(text)}
        for start, block in definitions(text):
            seen = set(meant)
            for found in _NAME.finditer(block):
                if found[1] not in seen and not _bound(found[1], block):
                    yield file, text.count("\n", 0, start + found.start()) + 1, found[1]
                seen.add(found[1])


def _bound(name: str, block: str) -> bool:
    """Whether a name stands in its definition where Rego may give it a value."""
    return any(
        re.search(pattern.replace("NAME", re.escape(name)), block)
        for pattern in (
            r"\bNAME\b\s*:?=(?!=)",
            r"(?<![=!<>:])=\s*NAME\b",
            r"[\[{][^\n]*\bNAME\b[^\n]*[\]}]\s*:?=(?!=)",  # a pattern: whatever stands in it
            r"\b(?:some|every)\b(?:(?!\bin\b)[^\n])*\bNAME\b",
            r"\[[^\]\n]*\bNAME\b[^\]\n]*\]",  # an index
            r"^(?:default[ \t]+)?[A-Za-z_][\w.]*\([^\n]*\bNAME\b",
        )
    )
