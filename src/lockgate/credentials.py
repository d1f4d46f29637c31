"""Shapes of credentials that give themselves away by their value, whatever key they stand under."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SHAPES = {
    "Hugging Face token": re.compile(r"(?<![A-Za-z0-9_])(?:hf|api_org)_[A-Za-z]{30,}(?![A-Za-z0-9])"),
    "API key (sk-...)": re.compile(r"(?<![A-Za-z0-9_-])sk-(?:[a-z]+-)?[A-Za-z0-9_-]{20,}"),
}
"""Kinds that detect-secrets lacks or knows in an older form only, each with its pattern."""

_OTHERS = re.compile(
    r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"
    r"|(?<![A-Za-z0-9_])(?:gh[opusr]|github_pat|glpat)[_-][A-Za-z0-9_-]{20,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"
)
_HIDDEN = "***"


def find(text: str) -> Iterator[tuple[str, str]]:
    """Kind and value of each credential of `SHAPES` in `text`."""
    for kind, shape in SHAPES.items():
        for match in shape.finditer(text):
            if varied(match[0]):
                yield kind, match[0]


def varied(value: str) -> bool:
    """Whether a value is random enough for a credential: `hf_xxxx...` in an example is none."""
    return len(set(value)) >= _LETTERS


_LETTERS = 12


def mask(text: str) -> str:
    """`text` with every value hidden that has the shape of a credential."""
    for shape in (*SHAPES.values(), _OTHERS):
        text = shape.sub(_HIDDEN, text)
    return text


def mask_values(line: str) -> str:
    """A YAML line with everything hidden that is no key: for lines known to hold a credential."""
    match = re.match(r"(\s*(?:- )*[\w.\"'/-]+\s*[:=])(\s*)\S", line)
    if match:
        return f"{match[1]}{match[2]}{_HIDDEN}"
    return re.match(r"\s*(?:- )*", line)[0] + _HIDDEN  # type: ignore[index]  # it matches anything
