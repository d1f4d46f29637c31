"""The definitions of a Rego module as pieces of text, strings and comments blank."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_SKIPPED: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`|#[^\n]*')
_DEFINITION: Final = re.compile(
    r"^(?!package\b|import\b|else\b)[A-Za-z_].*(?:\n(?!(?!else\b)[A-Za-z_]).*)*", re.MULTILINE
)

NAME: Final = re.compile(r"(?<![\w.])([A-Za-z_]\w*)(?![\w(])(?!\.\w+(?:\.\w+)*\()")
"""A name by itself: no field, no call."""
WORDS: Final = frozenset(
    (
        *("as", "contains", "data", "default", "else", "every", "false", "if", "import", "in", "input"),
        *("not", "null", "package", "some", "true", "with", "_"),
    )
)
"""Words that are no variables."""


def bare(text: str) -> str:
    """A module with strings and comments as blanks, so that positions stay."""
    return _SKIPPED.sub(lambda found: blank(found[0]), text)


def blank(text: str) -> str:
    """As many blanks; lines stay lines."""
    return re.sub(r"[^\n]", " ", text)


def definitions(plain: str) -> Iterator[tuple[int, str]]:
    """Start and text of each definition of a bare module; `else` on a line of its own belongs to the one before."""
    for found in _DEFINITION.finditer(plain):
        yield found.start(), found[0]
