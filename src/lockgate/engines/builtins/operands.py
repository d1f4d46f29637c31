"""Checks of operands: each builtin takes certain types and refuses the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from lockgate.engines.values import RegoSet, items

if TYPE_CHECKING:
    from collections.abc import Callable

    Builtin: TypeAlias = Callable[..., Any]


def wanted(value: Any, *kinds: type) -> Any:
    """The value, if it is exactly of one of the types.

    Raises:
        TypeError: It is of another one; True is no number here.
    """
    if type(value) not in kinds:
        raise TypeError(value)
    return value


def string(value: Any) -> str:
    """A string, or TypeError."""
    if type(value) is not str:
        raise TypeError(value)
    return value


def number(value: Any) -> int | float:
    """A number, or TypeError."""
    if type(value) is not int and type(value) is not float:
        raise TypeError(value)
    return value


def whole(value: Any) -> int:
    """A number without a fraction, or TypeError."""
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is not int:
        raise TypeError(value)
    return value


def listed(value: Any) -> list[Any]:
    """The members of an array or a set, or TypeError."""
    found: list[Any] = items(wanted(value, list, RegoSet))
    return found


def strings(value: Any) -> list[str]:
    """The strings of an array or a set, or TypeError."""
    return [string(item) for item in listed(value)]
