"""Regular expressions as OPA has them (RE2), by Python's `re`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from lockgate.engines.builtins.operands import string, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lockgate.engines.builtins.operands import Builtin

_CLASSES: Final = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "space": r"\t\n\v\f\r ",
    "punct": r"!-/:-@\[-`{-~",
    "xdigit": "0-9a-fA-F",
    "word": "a-zA-Z0-9_",
}
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|\(\?[=!]|\(\?<[=!]|\$|.", re.DOTALL)
_TEMPLATE = re.compile(r"\$(?:\$|(?P<name>[A-Za-z0-9_]+)|\{(?P<braced>[A-Za-z0-9_]+)\})")
_REFUSED = ("(?=", "(?!", "(?<=", "(?<!")


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    """The pattern in Python's notation.

    Raises:
        ValueError: It is no pattern, or one that RE2 does not have (lookaround, back references).
    """
    try:
        return re.compile("".join(_translated(token[0]) for token in _TOKEN.finditer(pattern)), re.ASCII)
    except re.error as error:
        raise ValueError(pattern) from error


def _translated(token: str) -> str:
    r"""One token: `$` and `\z` mean the very end here, and POSIX classes are spelt out."""
    if token in _REFUSED or (token[0] == "\\" and token[1:].isdigit()):
        raise ValueError(token)
    if token in {"$", r"\z"}:
        return r"\Z"
    if token[0] == "[" and "[:" in token:
        return re.sub(r"\[:(\w+):\]", lambda match: _CLASSES[match[1]], token)
    return token


def _found(pattern: Any, value: Any) -> Iterator[re.Match[str]]:
    """Matches as Go finds them: none that is empty and touches the one before."""
    end = -1
    for match in _compiled(string(pattern)).finditer(string(value)):
        if match.end() > match.start() or match.start() != end:
            yield match
        end = match.end()


def _first(matches: Iterator[re.Match[str]], number: Any) -> list[re.Match[str]]:
    limit = whole(number)
    return [match for index, match in enumerate(matches) if limit < 0 or index < limit]


def _find_n(pattern: Any, value: Any, number: Any) -> list[str]:
    return [match[0] for match in _first(_found(pattern, value), number)]


def _submatches(pattern: Any, value: Any, number: Any) -> list[list[str]]:
    return [[match[0], *(part or "" for part in match.groups())] for match in _first(_found(pattern, value), number)]


def _replace(value: Any, pattern: Any, template: Any) -> str:
    parts: list[str] = []
    end = 0
    for match in _found(pattern, value):
        parts += [value[end : match.start()], _filled(string(template), match)]
        end = match.end()
    return "".join([*parts, value[end:]])


def _filled(template: str, match: re.Match[str]) -> str:
    """A template with `$1`, `${1}` or `${name}` for what was matched."""

    def part(reference: re.Match[str]) -> str:
        name = reference["name"] or reference["braced"]
        if name is None:
            return "$"
        try:
            return match[int(name) if name.isdigit() else name] or ""
        except IndexError:
            return ""

    return _TEMPLATE.sub(part, template)


def _split(pattern: Any, value: Any) -> list[str]:
    parts: list[str] = []
    begin = end = 0
    for match in _found(pattern, value):
        end = match.start()
        if match.end() != 0:
            parts.append(value[begin:end])
        begin = match.end()
    if not value or end != len(value):
        parts.append(value[begin:])
    return parts


def _valid(pattern: Any) -> bool:
    try:
        _compiled(string(pattern))
    except (TypeError, ValueError):
        return False
    return True


TABLE: Final[Mapping[str, Builtin]] = {
    "regex.match": lambda a, b: _compiled(string(a)).search(string(b)) is not None,
    "regex.is_valid": _valid,
    "regex.find_n": _find_n,
    "regex.find_all_string_submatch_n": _submatches,
    "regex.replace": _replace,
    "regex.split": _split,
}
