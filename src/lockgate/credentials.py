"""Shapes of credentials that give themselves away by their value, whatever key they stand under."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SHAPES = {
    "Hugging Face token": re.compile(r"(?<![A-Za-z0-9_])hf_[A-Za-z0-9]{30,}(?![A-Za-z0-9_])"),
    "API key (sk-...)": re.compile(r"(?<![A-Za-z0-9_-])sk-(?:[a-z0-9]{1,8}-){0,3}[A-Za-z0-9_]{16,}[A-Za-z0-9_-]*"),
}
"""Kinds that detect-secrets lacks or knows in an older form only, each with its pattern."""

_OTHERS = re.compile(
    r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"
    r"|(?<![A-Za-z0-9_])(?:gh[opusr]|github_pat|glpat)[_-][A-Za-z0-9_-]{20,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"
)
_ENCODED = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{24,}={0,2}(?![A-Za-z0-9+/=])")
_HIDDEN = "***"
_NAMES = r"(?:token|passwords?|passwd|secret|api[_-]?keys?|credentials?)"
_NAME = re.compile(rf"(?:^|[_.-]){_NAMES}$", re.IGNORECASE)
_NAMED = re.compile(rf"(?<![A-Za-z0-9])((?:[\w-]*[_-])?{_NAMES}[\"']?\s*[:=]\s*)[^\s,}}]+", re.IGNORECASE)
_LETTERS = 12
"""Different characters that a random value of this length has at least; `hf_xxxx` has fewer."""


def find(text: str) -> Iterator[str]:
    """The kind of each credential of `SHAPES` in `text`, as it stands or in base64."""
    for kind, shape in SHAPES.items():
        for match in shape.finditer(text):
            if _is_random(match[0]):
                yield kind
    for match in _ENCODED.finditer(text):
        decoded = _decoded(match[0])
        if decoded:
            yield from (f"{kind} in base64" for kind in find(decoded))


def is_name_of_one(name: str) -> bool:
    """Whether a variable or flag of that name holds a credential: `HF_TOKEN`, `api-key`."""
    return _NAME.search(name) is not None


def _is_random(value: str) -> bool:
    """Whether a value looks drawn and not written: an example repeats itself, a name has no digits."""
    body = value.partition("-" if value.startswith("sk-") else "_")[2]
    return len(set(body)) >= _LETTERS and (value.startswith("hf_") or any(c.isdigit() for c in body))


def _decoded(value: str) -> str:
    """The text behind a base64 value; empty when it is no such."""
    try:
        return base64.b64decode(value, validate=True).decode("ascii")
    except ValueError:
        return ""


def mask(text: str) -> str:
    """`text` with every value hidden that has the shape of a credential."""
    for shape in (*SHAPES.values(), _OTHERS):
        text = shape.sub(_HIDDEN, text)
    return text


def printable(text: str) -> str:
    """Text without control characters, which could rewrite a terminal and which XML refuses."""
    return "".join(c if c.isprintable() else " " for c in text)


def said(text: str) -> str:
    """Text for a report that others read: nothing that has the shape of a credential, printable only."""
    return printable(mask(text))


def mask_named(text: str) -> str:
    """`text` with every value hidden that stands behind a name like `HF_TOKEN:` or `--api-key=`."""
    return _NAMED.sub(rf"\1{_HIDDEN}", text)


def mask_values(line: str) -> str:
    """A YAML line with everything hidden that is no key: for lines known to hold a credential."""
    match = re.match(r"(\s*(?:- )*[\w.\"'/-]+\s*[:=])(\s*)\S", line)
    if match:
        return f"{match[1]}{match[2]}{_HIDDEN}"
    indent = len(line) - len(line.lstrip(" -"))
    return line[:indent] + _HIDDEN
