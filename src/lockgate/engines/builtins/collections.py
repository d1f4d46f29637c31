"""Arrays, objects, sets and types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lockgate.engines.builtins.operands import listed, wanted, whole
from lockgate.engines.values import UNDEFINED, RegoSet, dot, equal, freeze, in_order, items, merge, thaw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.engines.builtins.operands import Builtin

_TYPES: Final = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    RegoSet: "set",
}


def _slice(value: Any, first: Any, last: Any) -> list[Any]:
    array = wanted(value, list)
    start, end = max(whole(first), 0), min(whole(last), len(array))
    return list(array[start:end]) if start < end else []


def _get(value: Any, key: Any, default: Any) -> Any:
    """`object.get`: a key, or an array of keys that is a path."""
    found = wanted(value, dict)
    if type(key) is not list:
        return found.get(freeze(key), default)
    for step in key:
        found = dot(found, step)
        if found is UNDEFINED:
            return default
    return found


def _subset(one: Any, other: Any) -> bool:
    """Whether `other` is a part of `one`."""
    if type(one) is dict and type(other) is dict:
        return all(key in one and _part(one[key], item) for key, item in other.items())
    if type(one) is list and type(other) is list:
        return _sequence(one, other)
    if type(other) is RegoSet and type(one) is RegoSet:
        return set(other) <= set(one)
    inside = {freeze(item) for item in wanted(one, list)}
    return set(wanted(other, RegoSet)) <= inside


def _part(one: Any, other: Any) -> bool:
    kinds = {type(one), type(other)}
    if kinds in ({dict}, {list}, {RegoSet}):
        return _subset(one, other)
    return equal(one, other)


def _sequence(one: list[Any], other: list[Any]) -> bool:
    last = len(one) - len(other)
    return any(equal(one[start : start + len(other)], other) for start in range(last + 1))


def _keys_of(value: Any) -> set[Any]:
    """The keys that `object.remove` and `object.filter` take: members, or an object's keys."""
    return set(wanted(value, dict)) if type(value) is dict else {freeze(item) for item in listed(value)}


def _without(value: Any, names: Any) -> dict[Any, Any]:
    removed = _keys_of(names)
    return {key: item for key, item in wanted(value, dict).items() if key not in removed}


def _only(value: Any, names: Any) -> dict[Any, Any]:
    kept = _keys_of(names)
    return {key: item for key, item in wanted(value, dict).items() if key in kept}


def _member(value: Any, inside: Any) -> bool:
    """`value in inside`; false for what is no collection."""
    if type(inside) is RegoSet:
        return freeze(value) in inside
    found = items(inside)
    return found is not UNDEFINED and any(equal(value, item) for item in found)


def _member_at(key: Any, value: Any, inside: Any) -> bool:
    """`key, value in inside`."""
    found = dot(inside, key)
    return found is not UNDEFINED and equal(found, value)


def _union(sets: Any) -> RegoSet:
    merged = RegoSet()
    for one in listed(wanted(sets, RegoSet)):
        merged.update(wanted(one, RegoSet))
    return merged


def _intersection(sets: Any) -> RegoSet:
    first, *rest = listed(wanted(sets, RegoSet)) or [RegoSet()]
    return RegoSet((key, item) for key, item in wanted(first, RegoSet).items() if all(key in one for one in rest))


def _both(one: Any, other: Any) -> RegoSet:
    second = wanted(other, RegoSet)
    return RegoSet((key, item) for key, item in wanted(one, RegoSet).items() if key in second)


def _either(one: Any, other: Any) -> RegoSet:
    return RegoSet({**wanted(other, RegoSet), **wanted(one, RegoSet)})


def _union_n(objects: Any) -> Any:
    merged: Any = {}
    for one in wanted(objects, list):
        merged = merge(merged, wanted(one, dict))
    return merged


def _is(*kinds: type) -> Builtin:
    return lambda value: type(value) in kinds


TABLE: Final[Mapping[str, Builtin]] = {
    "array.concat": lambda a, b: wanted(a, list) + wanted(b, list),
    "array.slice": _slice,
    "array.reverse": lambda a: wanted(a, list)[::-1],
    "sort": lambda a: in_order(listed(a)),
    "object.get": _get,
    "object.keys": lambda a: RegoSet((key, thaw(key)) for key in wanted(a, dict)),
    "object.union": lambda a, b: merge(wanted(a, dict), wanted(b, dict)),
    "object.union_n": _union_n,
    "object.remove": _without,
    "object.filter": _only,
    "object.subset": _subset,
    "internal.member_2": _member,
    "internal.member_3": _member_at,
    "union": _union,
    "intersection": _intersection,
    "and": _both,
    "or": _either,
    "is_array": _is(list),
    "is_boolean": _is(bool),
    "is_null": _is(type(None)),
    "is_number": _is(int, float),
    "is_object": _is(dict),
    "is_set": _is(RegoSet),
    "is_string": _is(str),
    "type_name": lambda a: _TYPES[type(a)],
}
