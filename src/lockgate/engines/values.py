"""Rego values as Python values, for rules that run as Python code.

null, booleans, numbers, strings and arrays are None, bool, int or float, str and list. An object
is a dict whose keys are frozen values, so a string key is itself; a set is a `RegoSet`. Python
takes True for 1 and Rego does not, which is why values are compared and frozen here.
"""

from __future__ import annotations

import json
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence


class _Undefined:
    """What an expression without a value yields; it is no Rego value and stands in no collection."""

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED: Final = _Undefined()


class RegoSet(dict[Any, Any]):
    """A set: its members by their frozen form."""

    __slots__ = ()

    @classmethod
    def of(cls, members: Iterable[Any]) -> RegoSet:
        """The set of `members`."""
        return cls((freeze(member), member) for member in members)

    def add(self, member: Any) -> None:
        """Puts a member in, unless an equal one is there."""
        self.setdefault(freeze(member), member)


_RANKS: Final = {type(None): 0, bool: 1, int: 2, float: 2, str: 3, list: 4, dict: 5, RegoSet: 6}
"""The order of types in Rego: null < booleans < numbers < strings < arrays < objects < sets."""

_NUMBERS: Final = frozenset({int, float})


def freeze(value: Any) -> Hashable:
    """A hashable form; two values have the same one exactly when Rego calls them equal."""
    kind = type(value)
    if kind is str or kind is int or kind is float or value is None:
        return value  # type: ignore[no-any-return]  # one of the four
    if kind is list:
        return ("array", *map(freeze, value))
    if kind is dict:
        return ("object", frozenset((key, freeze(item)) for key, item in value.items()))
    if kind is RegoSet:
        return ("set", frozenset(value))
    return ("boolean", value)


def thaw(key: Any) -> Any:
    """The value that was frozen to `key`."""
    if type(key) is not tuple:
        return key
    tag, *rest = key
    if tag == "array":
        return [thaw(item) for item in rest]
    if tag == "object":
        return {name: thaw(item) for name, item in rest[0]}
    if tag == "set":
        return RegoSet((item, thaw(item)) for item in rest[0])
    return rest[0]


def equal(one: Any, other: Any) -> bool:
    """Rego's `==`."""
    if one is other:
        return True
    kind = type(one)
    if kind is not type(other):
        return kind in _NUMBERS and type(other) in _NUMBERS and one == other
    if kind is list:
        return len(one) == len(other) and all(map(equal, one, other))
    if kind is dict:
        return one.keys() == other.keys() and all(equal(item, other[key]) for key, item in one.items())
    if kind is RegoSet:
        return bool(one.keys() == other.keys())
    return bool(one == other)


def compare(one: Any, other: Any) -> int:
    """-1, 0 or 1 as Rego orders two values of any types."""
    rank, second = _RANKS[type(one)], _RANKS[type(other)]
    if rank != second:
        return -1 if rank < second else 1
    if rank == _RANKS[list]:
        return _compare_all(one, other)
    if rank == _RANKS[dict]:
        return _compare_objects(one, other)
    if rank == _RANKS[RegoSet]:
        return _compare_all(members(one), members(other))
    if one is None:
        return 0
    return int(one > other) - int(one < other)


def _compare_all(one: Sequence[Any], other: Sequence[Any]) -> int:
    for left, right in zip(one, other, strict=False):
        order = compare(left, right)
        if order:
            return order
    return (len(one) > len(other)) - (len(one) < len(other))


def _compare_objects(one: dict[Any, Any], other: dict[Any, Any]) -> int:
    order = _compare_all(keys(one), keys(other))
    return order or _compare_all(items(one), items(other))


def in_order(values: Iterable[Any]) -> list[Any]:
    """Values sorted as Rego orders them."""
    found = list(values)
    kinds = set(map(type, found))
    if kinds == {str} or kinds <= _NUMBERS:
        found.sort()
    else:
        found.sort(key=cmp_to_key(compare))
    return found


def keys(value: dict[Any, Any]) -> list[Any]:
    """An object's keys in order."""
    return [thaw(key) for key in _frozen(value)]


def _frozen(value: dict[Any, Any]) -> list[Any]:
    """An object's keys in order, as they stand in the dict; nearly always strings."""
    if set(map(type, value)) <= {str}:
        return sorted(value)
    return [freeze(key) for key in in_order(map(thaw, value))]


def members(value: RegoSet) -> list[Any]:
    """A set's members in order."""
    return in_order(value.values())


def items(value: Any) -> Any:
    """What `some v in value` gives, in order; undefined for what is no collection."""
    kind = type(value)
    if kind is list:
        return value
    if kind is dict:
        return [value[key] for key in _frozen(value)]
    return members(value) if kind is RegoSet else UNDEFINED


def pairs(value: Any) -> Any:
    """What `some k, v in value` gives, in order; undefined for what is no collection."""
    kind = type(value)
    if kind is list:
        return enumerate(value)
    if kind is dict:
        return [(thaw(key), value[key]) for key in _frozen(value)]
    return [(member, member) for member in members(value)] if kind is RegoSet else UNDEFINED


def dot(value: Any, key: Any) -> Any:
    """`value[key]`; undefined where there is nothing."""
    kind = type(value)
    if kind is list:
        whole = type(key) is int or (type(key) is float and key.is_integer())
        return value[int(key)] if whole and 0 <= key < len(value) else UNDEFINED
    if kind is dict or kind is RegoSet:
        return value.get(freeze(key), UNDEFINED)
    return UNDEFINED


def merge(one: Any, other: Any) -> Any:
    """Two documents in one; where both say something that is no object, `other` is right."""
    if type(one) is not dict or type(other) is not dict:
        return other
    merged = dict(one)
    for key, item in other.items():
        merged[key] = merge(merged[key], item) if key in merged else item
    return merged


def plain(value: Any) -> Any:
    """A value as JSON has it: sets as sorted arrays, keys as strings, whole floats as integers."""
    kind = type(value)
    if kind is list:
        return [plain(item) for item in value]
    if kind is dict:
        return {key if type(key) is str else as_json(thaw(key)): plain(item) for key, item in value.items()}
    if kind is RegoSet:
        return [plain(item) for item in members(value)]
    if kind is float and value.is_integer():
        return int(value)
    return value


def as_json(value: Any) -> str:
    """A value as compact JSON, keys sorted."""
    return json.dumps(plain(value), separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def text(value: Any) -> str:
    """A value in Rego's own notation, as `sprintf("%v", [value])` shows it inside of collections."""
    kind = type(value)
    if kind is list:
        return f"[{', '.join(map(text, value))}]"
    if kind is dict:
        return "{" + ", ".join(f"{text(key)}: {text(item)}" for key, item in pairs(value)) + "}"
    if kind is RegoSet:
        return "{" + ", ".join(map(text, members(value))) + "}" if value else "set()"
    return as_json(value)
