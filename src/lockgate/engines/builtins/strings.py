"""Strings and their formatting."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from lockgate.engines.builtins.operands import string, strings, wanted, whole
from lockgate.engines.values import pairs, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lockgate.engines.builtins.operands import Builtin

_VERB = re.compile(r"%(?:(?P<flags>[-+# 0]*)(?P<width>[0-9]+)?(?:\.(?P<places>[0-9]+))?(?P<verb>[a-zA-Z%])?)")


def _split(value: Any, separator: Any) -> list[str]:
    return string(value).split(string(separator)) if string(separator) else list(string(value))


def _substring(value: Any, first: Any, length: Any) -> str:
    start, size = whole(first), whole(length)
    if start < 0:
        raise ValueError(start)
    return string(value)[start:] if size < 0 else string(value)[start : start + size]


def _indexof(value: Any, part: Any) -> int:
    if not string(part):
        raise ValueError(part)
    return string(value).find(part)


def _replace_n(replacements: Any, value: Any) -> str:
    table = {string(old): string(new) for old, new in pairs(wanted(replacements, dict))}
    if not table:
        return string(value)
    found = re.compile("|".join(map(re.escape, table)))
    return found.sub(lambda match: table[match[0]], string(value))


def _texts(value: Any) -> list[str]:
    """One string or a collection of them."""
    return [value] if type(value) is str else strings(value)


def _any_prefix(values: Any, prefixes: Any) -> bool:
    return any(value.startswith(tuple(_texts(prefixes))) for value in _texts(values))


def _any_suffix(values: Any, suffixes: Any) -> bool:
    return any(value.endswith(tuple(_texts(suffixes))) for value in _texts(values))


def _sprintf(form: Any, values: Any) -> str:
    """Go's `fmt.Sprintf` for the verbs that read a value as it is: v, s, d, t, f, g, e, x and q."""
    rest = iter(wanted(values, list))
    return _VERB.sub(lambda match: _formatted(match, rest), string(form)) + _extra(rest)


def _formatted(match: re.Match[str], rest: Iterator[Any]) -> str:
    verb = match["verb"]
    if verb == "%":
        return "%"
    if verb is None:
        return "%!(NOVERB)"
    try:
        value = next(rest)
    except StopIteration:
        return f"%!{verb}(MISSING)"
    shown = _shown(verb, value, match["places"])
    width = int(match["width"] or 0)
    return shown.ljust(width) if "-" in match["flags"] else shown.rjust(width, "0" if "0" in match["flags"] else " ")


def _shown(verb: str, value: Any, places: str | None) -> str:
    kind = type(value)
    if kind is float and verb in "feg" and (verb != "g" or places):
        return f"{value:.{places or 6}{verb}}"
    if kind is int and verb in "dx":
        return format(value, verb)
    if verb == "v" or (verb == "s" and _go_type(value) not in {"int64", "float64"}) or (verb == "g" and kind is float):
        return _bare(value)
    if verb == "q" and kind is str:
        return text(value)
    return f"%!{verb}({_go_type(value)}={_bare(value)})"


def _go_type(value: Any) -> str:
    if type(value) is int:
        return "int64" if -(2**63) <= value < 2**63 else "big.Int"
    return "float64" if type(value) is float else "string"


def _bare(value: Any) -> str:
    """A value as Go shows it where it is no member of a collection."""
    if type(value) is str:
        return value
    return _shortest(value) if type(value) is float else text(value)


def _shortest(value: float) -> str:
    """Go's %g of the fewest digits that are this number: an exponent from 1e+06 on, where Python has 1e+16."""
    shown = text(value)
    if value.is_integer() or "e" in shown or abs(value) < 10**6:
        return shown
    return f"{value:.{len(shown.replace('.', '').lstrip('-')) - 1}e}"


def _extra(rest: Iterator[Any]) -> str:
    unused = [f"{_go_type(value)}={_bare(value)}" for value in rest]
    return f"%!(EXTRA {', '.join(unused)})" if unused else ""


TABLE: Final[Mapping[str, Builtin]] = {
    "concat": lambda a, b: string(a).join(strings(b)),
    "contains": lambda a, b: string(b) in string(a),
    "startswith": lambda a, b: string(a).startswith(string(b)),
    "endswith": lambda a, b: string(a).endswith(string(b)),
    "indexof": _indexof,
    "lower": lambda a: string(a).lower(),
    "upper": lambda a: string(a).upper(),
    "replace": lambda a, b, c: string(a).replace(string(b), string(c)),
    "split": _split,
    "substring": _substring,
    "trim": lambda a, b: string(a).strip(string(b)),
    "trim_left": lambda a, b: string(a).lstrip(string(b)),
    "trim_right": lambda a, b: string(a).rstrip(string(b)),
    "trim_prefix": lambda a, b: string(a).removeprefix(string(b)),
    "trim_suffix": lambda a, b: string(a).removesuffix(string(b)),
    "trim_space": lambda a: string(a).strip(),
    "sprintf": _sprintf,
    "strings.any_prefix_match": _any_prefix,
    "strings.any_suffix_match": _any_suffix,
    "strings.count": lambda a, b: string(a).count(string(b)),
    "strings.replace_n": _replace_n,
    "strings.reverse": lambda a: string(a)[::-1],
}
