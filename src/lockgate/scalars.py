"""What a YAML scalar means to kustomize: strings, numbers, booleans, null."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Scalar: TypeAlias = str | int | float | bool | None

_CONSTANTS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[1-9][0-9_]*|0)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_MAY_BE_OTHER = frozenset("0123456789+-.~nNtTfF")


def resolve(text: str) -> Scalar:
    """What a plain scalar means to kustomize's YAML reader (`yes` and `on` are strings there)."""
    if text and text[0] not in _MAY_BE_OTHER:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text.replace("_", ""))
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _integer(text: str) -> int | str:
    digits = text.lstrip("+-")
    octal = digits.startswith("0") and digits[1:].isdecimal()
    try:
        value = int(digits, 8 if octal else 0)
    except ValueError:  # `0x_`, or more digits than a number has
        return text
    return -value if text.startswith("-") else value


def tagged(text: str, tag: str | None) -> Scalar:
    """What a scalar with an explicit tag means."""
    kind = (tag or "").rpartition(":")[2]
    return resolve(text) if kind in {"int", "float", "bool", "null"} else text
