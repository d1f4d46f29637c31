"""Arithmetic and comparison."""

from __future__ import annotations

import math
import operator
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from lockgate.engines.builtins.operands import listed, number, string, whole
from lockgate.engines.values import RegoSet, compare, equal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lockgate.engines.builtins.operands import Builtin

_DECIMAL = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_COUNTED = (list, dict, RegoSet, str)


def _plain(value: float) -> int | float:
    """A result as JSON would write it: no fraction, no float."""
    if not math.isfinite(value):
        raise ArithmeticError(value)
    return int(value) if value == int(value) else value


def _exactly(operation: Callable[[Any, Any], Any], one: Any, other: Any) -> int | float:
    """Decimal fractions as OPA counts with them: 0.1 + 0.2 is 0.3."""
    first, second = number(one), number(other)
    if isinstance(first, int) and isinstance(second, int):
        return _plain(operation(first, second))
    return _plain(float(operation(Decimal(repr(first)), Decimal(repr(second)))))


def _folded(operation: Callable[[Any, Any], Any], start: int, values: Any) -> int | float:
    total: int | float = start
    for value in listed(values):
        total = _exactly(operation, total, value)
    return total


def _minus(one: Any, other: Any) -> Any:
    if type(one) is RegoSet and type(other) is RegoSet:
        return RegoSet((key, item) for key, item in one.items() if key not in other)
    return _exactly(operator.sub, one, other)


def _divided(one: Any, other: Any) -> int | float:
    dividend, divisor = number(one), number(other)
    if isinstance(dividend, int) and isinstance(divisor, int) and dividend % divisor == 0:
        return dividend // divisor
    return _plain(dividend / divisor)


def _remainder(one: Any, other: Any) -> int:
    dividend, divisor = whole(one), whole(other)
    return dividend - divisor * _truncated(dividend, divisor)


def _truncated(dividend: int, divisor: int) -> int:
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


def _round(value: Any) -> int:
    """Halves go away from zero."""
    given = number(value)
    return int(math.copysign(math.floor(abs(given) + 0.5), given))


def _to_number(value: Any) -> int | float:
    if value is None or isinstance(value, bool):
        return int(bool(value))
    if type(value) is not str:
        return number(value)
    if not _DECIMAL.fullmatch(value):
        raise ValueError(value)
    try:
        return int(value)
    except ValueError:
        return _plain(float(value))


def _count(value: Any) -> int:
    if type(value) not in _COUNTED:
        raise TypeError(value)
    return len(value)


def _largest(value: Any) -> Any:
    found = listed(value)
    best = found[0]
    for item in found[1:]:
        best = item if compare(item, best) > 0 else best
    return best


def _smallest(value: Any) -> Any:
    found = listed(value)
    best = found[0]
    for item in found[1:]:
        best = item if compare(item, best) < 0 else best
    return best


def _range(first: Any, last: Any) -> list[int]:
    start, end = whole(first), whole(last)
    return list(range(start, end + 1)) if start <= end else list(range(start, end - 1, -1))


def _format_int(value: Any, base: Any) -> str:
    forms = {2: "b", 8: "o", 10: "d", 16: "x"}
    return format(math.floor(number(value)), forms[whole(base)])


_BYTES: Final = {
    "": 1,
    **{f"{unit}{end}": 1000**power for power, unit in enumerate("kmgtpe", 1) for end in ("", "b")},
    **{f"{unit}i{end}": 1024**power for power, unit in enumerate("kmgtpe", 1) for end in ("", "b")},
}
_UNITS: Final = re.compile(r"([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)([a-zA-Z]*)")


def _parse_bytes(value: Any) -> int:
    match = _UNITS.fullmatch(string(value).replace('"', ""))
    if match is None:
        raise ValueError(value)
    return math.floor(float(match[1]) * int(_BYTES[match[2].lower()]))


TABLE: Final[Mapping[str, Builtin]] = {
    "plus": lambda a, b: _exactly(operator.add, a, b),
    "minus": _minus,
    "mul": lambda a, b: _exactly(operator.mul, a, b),
    "div": _divided,
    "rem": _remainder,
    "abs": lambda a: abs(number(a)),
    "ceil": lambda a: math.ceil(number(a)),
    "floor": lambda a: math.floor(number(a)),
    "round": _round,
    "to_number": _to_number,
    "count": _count,
    "sum": lambda a: _folded(operator.add, 0, a),
    "product": lambda a: _folded(operator.mul, 1, a),
    "max": _largest,
    "min": _smallest,
    "numbers.range": _range,
    "format_int": _format_int,
    "units.parse_bytes": _parse_bytes,
    "equal": equal,
    "neq": lambda a, b: not equal(a, b),
    "gt": lambda a, b: compare(a, b) > 0,
    "gte": lambda a, b: compare(a, b) >= 0,
    "lt": lambda a, b: compare(a, b) < 0,
    "lte": lambda a, b: compare(a, b) <= 0,
}
