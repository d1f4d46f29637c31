"""A list merged item by item, in kustomize's own steps: its order, and its oddities with two merge keys.

With a second key (`protocol` of a port) an item of a patch that leaves it out is lost when the
object's item has it. Such a patch changes nothing, and a gate must know that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lockgate.trace.source import Node, scalar

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockgate.trace.schema import Keys

Values = tuple[str, ...]


@dataclass(slots=True)
class Outcome:
    """What a merge made of a list.

    Attributes:
        items: The items.
        removed: Items of the object that are gone, each with the patch's item that removed it.
        changed: Whether anything but the order came out different.
    """

    items: list[Node]
    removed: list[tuple[Node, Node]]
    changed: bool


@dataclass(slots=True)
class ItemMerge:
    """One list of an object under one list of a patch.

    Attributes:
        keys: The fields that identify an item.
        old: The object's items.
        patch: The patch's items.
        apply: Merges one item: (object's item, patch's item) to the new one and whether it differs.
    """

    keys: Keys
    old: list[Node]
    patch: list[Node]
    apply: Callable[[Node | None, Node], tuple[Node | None, bool]]
    _stands_for: dict[int, Node] = field(default_factory=dict)
    _differs: dict[int, bool] = field(default_factory=dict)
    _made: list[Node] = field(default_factory=list)

    def run(self) -> Outcome:
        """Merge."""
        rest = list(self.old)
        front: list[Node] = []
        removed: list[tuple[Node, Node]] = []
        found = [*map(self._values, self.patch), *map(self._values, self.old)]
        found = list(dict.fromkeys(found))
        if len(self.keys) > 1:
            _complete(found)
        keys: Keys = self.keys
        for values in found:
            keys, used = self._used(found, values)
            mine, theirs = _match(rest, keys, used), _match(self.patch, keys, used)
            new = self._merged(mine, theirs, rest)
            if new is None or not new.value:
                if mine is not None and theirs is not None:
                    removed.append((mine, theirs))
                _put(rest, None, keys, used)
            else:
                _put(front, self._with_keys(new, rest, keys, used), keys, used)
        _append(front, rest, keys)
        return Outcome(front, removed, self._changed(front))

    def _values(self, item: Node) -> Values:
        return tuple(item.text(key) for key in self.keys)

    def _used(self, found: list[Values], values: Values) -> tuple[Keys, Values]:
        """The keys that any item has, with this item's values for them."""
        used = [index for index in range(len(self.keys)) if any(one[index] for one in found)]
        if not used:
            return self.keys, values
        return tuple(self.keys[index] for index in used), tuple(values[index] for index in used)

    def _merged(self, mine: Node | None, theirs: Node | None, rest: list[Node]) -> Node | None:
        if theirs is None:
            return mine
        new, differs = self.apply(mine, theirs)
        if new is None or not new.value:
            return None
        if mine is not None and not _replaces(theirs):
            rest[_position(rest, mine)] = new
            self._note(new, self._stands_for.get(id(mine), mine), differs=differs)
        elif mine is None:
            self._note(new, None, differs=True)
        return new

    def _with_keys(self, new: Node, rest: list[Node], keys: Keys, values: Values) -> Node:
        """The item with the merge keys that only its counterpart had."""
        fields = {key: scalar(value, new.place) for key, value in zip(keys, values, strict=True) if value}
        if not fields.keys() - new.fields().keys():
            return new
        full = new.changed({**fields, **new.fields()})
        if any(one is new for one in rest):
            rest[_position(rest, new)] = full
        self._note(
            full, self._stands_for.get(id(new), new if any(one is new for one in self.old) else None), differs=True
        )
        return full

    def _note(self, new: Node, before: Node | None, *, differs: bool) -> None:
        self._made.append(new)  # kept alive, so that its id stays its own
        if before is not None:
            self._stands_for[id(new)] = before
        self._differs[id(new)] = differs or self._differs.get(id(before), False)

    def _changed(self, items: list[Node]) -> bool:
        own = {id(item) for item in self.old}
        standing = {id(self._stands_for.get(id(item), item)) for item in items}
        return standing != own or any(self._differs.get(id(item), False) for item in items) or len(items) != len(own)


def _replaces(item: Node) -> bool:
    """Whether the item has a directive; kustomize then puts the old item back over the new one."""
    return item.text("$patch") == "replace"


def _position(items: list[Node], wanted: Node) -> int:
    return next(index for index, item in enumerate(items) if item is wanted)


def _complete(found: list[Values]) -> None:
    """Items that differ only where one leaves a key out count as the same."""
    for one in range(len(found)):
        for other in range(len(found)):
            both = list(zip(found[one], found[other], strict=True))
            agree = all(left == right or not left or not right for left, right in both)
            if agree and any(left == right for left, right in both):
                found[one] = found[other] = tuple(left or right for left, right in both)


def _match(items: list[Node], keys: Keys, values: Values) -> Node | None:
    """The first item with these values; keys without a value are left out unless all are."""
    wanted = [(key, value) for key, value in zip(keys, values, strict=True) if value] or [(key, "") for key in keys]
    for item in items:
        if all(_has(item, key, value) for key, value in wanted):
            return item
    return None


def _has(item: Node, key: str, value: str) -> bool:
    node = item.get(key)
    return node is not None and node.raw == value


def _put(items: list[Node], new: Node | None, keys: Keys, values: Values) -> None:
    """Replace the items with these values, or append; None removes them."""
    kept: list[Node] = []
    found = False
    for item in items:
        if item.value is None or item.value == {}:
            continue
        if not _fits(item, keys, values):
            kept.append(item)
            continue
        found = True
        if new is not None:
            kept.append(new)
    if new is not None and not found:
        kept.append(new)
    items[:] = kept


def _fits(item: Node, keys: Keys, values: Values) -> bool:
    """As `_match`, but an empty value means that the field is there at all; keys without values do not count."""
    for key, value in zip(keys, values, strict=False):
        node = item.get(key)
        if node is None or node.value is None or (value and node.raw != value):
            return False
    return bool(values)


def _append(front: list[Node], rest: list[Node], keys: Keys) -> None:
    """The object's own items behind (or, with two keys, moved behind) those of the patch."""
    for item in rest:
        values = []
        for key in keys:
            node = item.get(key)
            if node is None:
                front.append(item)
            else:
                values.append(node.raw)
        if len(keys) > 1:
            _put(front, None, keys, tuple(values))
        _put(front, item, keys, tuple(values))
