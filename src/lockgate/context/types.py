"""Types of fields and what a value has against them: the strict schemas of Kubernetes and of custom resources.

A type is written as text in kubernetes.json: `str`, `bool`, `num`, `int`, `int32`, `int64`, `base64`,
`quantity`, `int-or-str`, `any`, `object` (any fields), `[]T` a list, `{}T` a mapping, else the name of a
definition. A definition is a type or a mapping of fields, the required ones with a `!`.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from lockgate.model import Json, Path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_QUANTITY = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?")
_GO_ONLY = re.compile(r"\[\[:|\\[pPQzC]")
_PLACEHOLDER = re.compile(r"\$\{|\$\(|\$[A-Za-z_]{2}|\{\{|<[^<>]+>|ENC\[|^[A-Z][A-Z0-9]*_[A-Z0-9_]+$")
"""What another program fills in before the object is applied; its value is not known."""


@dataclass(slots=True)
class Type:
    """What a field may hold.

    Attributes:
        name: A word of the module's list, `fields` for a mapping with known fields.
        fields: Type by field.
        required: Fields that must be there.
        inner: Type of items, or of a mapping's values.
        choices: Values that are allowed; empty for all.
        pattern: Regular expression that a string has to match somewhere; empty for all.
        least: The smallest number allowed.
        most: The greatest number allowed.
        open: Whether unknown fields are kept.
    """

    name: str
    fields: Mapping[str, Type] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    inner: Type | None = None
    choices: tuple[Json, ...] = ()
    pattern: str = ""
    least: float | None = None
    most: float | None = None
    open: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field.

    Attributes:
        path: The field; one that is missing, where it should be.
        wanted: What should be there, in words.
        found: What is there.
        hint: Where the field belongs or what it may be called; empty when nothing is near.
    """

    path: Path
    wanted: str
    found: str
    hint: str = ""


_Above: TypeAlias = tuple[tuple[Type, Path], ...]
"""The mappings around a value, the outermost first."""


def faults(value: Json, wanted: Type, path: Path = (), above: _Above = ()) -> Iterator[Fault]:
    """What `value` has against its type, in the order of its fields.

    A null counts as absent, as the API server has it; a text that another program fills in has no fault.
    """
    if value is None or wanted.name == "any":
        return
    if wanted.name == "fields" and isinstance(value, dict):
        yield from _of_fields(value, wanted, path, above)
    elif wanted.name == "map" and isinstance(value, dict):
        if wanted.inner is not None and wanted.inner.name != "any":
            for key, item in value.items():
                yield from faults(item, wanted.inner, (*path, key), above)
    elif wanted.name == "list" and isinstance(value, list):
        if wanted.inner is not None and wanted.inner.name != "any":
            for index, item in enumerate(value):
                yield from faults(item, wanted.inner, (*path, index), above)
    elif not _fits(value, wanted) and not (isinstance(value, str) and _PLACEHOLDER.search(value)):
        yield Fault(path, _words(wanted), _shown(value))


def _of_fields(value: Mapping[str, Json], wanted: Type, path: Path, above: _Above) -> Iterator[Fault]:
    around = (*above, (wanted, path))
    for key, item in value.items():
        inner = wanted.fields.get(key)
        if inner is not None:
            yield from faults(item, inner, (*path, key), around)
        elif not wanted.open:
            yield Fault((*path, key), "", "", _near(key, wanted, above))
    for key in wanted.required:
        if value.get(key) is None:
            inner = wanted.fields.get(key)
            yield Fault((*path, key), _words(inner) if inner else "a value", "none")


def _near(key: str, wanted: Type, above: _Above) -> str:
    """Where an unknown field belongs, or what it is called."""
    for type_, path in reversed(above):
        if key in type_.fields:
            return f"it belongs to {_dotted(path) or 'the object itself'}"
    lower = {name.lower(): name for name in wanted.fields}
    close = difflib.get_close_matches(key.lower(), lower, 1)
    if close:
        return f"did you mean {lower[close[0]]!r}?"
    below = [name for name, inner in wanted.fields.items() if key in inner.fields]
    return f"it belongs to {below[0]!r}" if len(below) == 1 else ""


def _dotted(path: Path) -> str:
    """A path as people write it: spec.containers[0].image."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _is_int(value: Json) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())


def _is_int32(value: Json) -> bool:
    return _is_int(value) and -(2**31) <= value < 2**31


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_quantity(value: Json) -> bool:
    return _QUANTITY.fullmatch(value) is not None if isinstance(value, str) else _is_number(value)


def _is_base64(value: Json) -> bool:
    if not isinstance(value, str):
        return False
    try:
        base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


_TESTS: dict[str, Callable[[Json], bool]] = {
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "num": _is_number,
    "int": _is_int,
    "int32": _is_int32,
    "int64": lambda value: _is_int(value) and -(2**63) <= value < 2**63,
    "base64": _is_base64,
    "quantity": _is_quantity,
    "int-or-str": lambda value: isinstance(value, str) or _is_int32(value),
    "object": lambda value: isinstance(value, dict),
    "fields": lambda _: False,
    "map": lambda _: False,
    "list": lambda _: False,
}
_WORDS = {
    "str": "a string",
    "bool": "true or false",
    "num": "a number",
    "int": "a whole number",
    "int32": "a whole number of 32 bits",
    "int64": "a whole number of 64 bits",
    "base64": "base64 text",
    "quantity": "a quantity such as 500m or 16Gi",
    "int-or-str": "a whole number or a string",
    "object": "a mapping",
    "fields": "a mapping",
    "map": "a mapping",
    "list": "a list",
}


def _fits(value: Json, wanted: Type) -> bool:
    if not _TESTS[wanted.name](value):
        return False
    if wanted.choices and value not in wanted.choices:
        return False
    if wanted.pattern and isinstance(value, str) and not _searched(wanted.pattern, value):
        return False
    if not _is_number(value):
        return True
    return (wanted.least is None or value >= wanted.least) and (wanted.most is None or value <= wanted.most)


def _searched(pattern: str, value: str) -> bool:
    """Whether a pattern occurs; one that only Go understands is met."""
    if _GO_ONLY.search(pattern):
        return True
    try:
        return re.search(pattern, value) is not None
    except re.error:
        return True


def _words(wanted: Type) -> str:
    if wanted.choices:
        return f"one of {', '.join(map(str, wanted.choices))}"
    words = _WORDS[wanted.name] if wanted.name != "any" else "a value"
    if wanted.pattern:
        words += f" that matches {wanted.pattern}"
    if wanted.least is not None:
        words += f", at least {wanted.least:g}"
    if wanted.most is not None:
        words += f", at most {wanted.most:g}"
    return words


_LONGEST = 60


def _shown(value: Json) -> str:
    """A value in a message: as JSON has it, containers by their kind."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value[:_LONGEST]}'"
    return f"the number {value}"
