"""Strategic merge as kustomize does it: a patch into an object, every leaf keeping who wrote it."""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.trace.schema import Keys, merge_keys
from lockgate.trace.source import Node, same

_DIRECTIVE = "$patch"


@dataclass(slots=True)
class Merge:
    """One strategic merge.

    Attributes:
        api_version: Of the object, for the merge keys of its lists.
        kind: Likewise.
        changed: Whether anything came out different; the order of a merged list does not count.
    """

    api_version: str
    kind: str
    changed: bool = False

    def apply(self, old: Node | None, patch: Node, path: Keys = ()) -> Node | None:
        """The value at `path` after the patch; None when the patch removes it."""
        if patch.value is None:
            self.changed |= old is not None
            return None
        if isinstance(patch.value, dict):
            return self._mapping(old, patch, path)
        if isinstance(patch.value, list):
            return self._list(old, patch, path)
        return self._replaced(old, patch)

    def _replaced(self, old: Node | None, new: Node) -> Node:
        self.changed |= not same(old, new)
        return new.replacing(old)

    def _mapping(self, old: Node | None, patch: Node, path: Keys) -> Node | None:
        directive = patch.fields().get(_DIRECTIVE)
        how = directive.raw if directive else "merge"
        if how == "delete":
            self.changed |= old is not None
            return None
        if old is None or old.value is None or how == "replace" or not isinstance(old.value, dict):
            new = self._clean(patch, path)
            if directive and old is not None:
                for key in old.fields().keys() - new.fields().keys():
                    new = new.without(key, directive.replacing(old.fields()[key]))
            return self._replaced(old, new)
        values = dict(old.value)
        gone = dict(old.gone or {})
        for key, value in patch.fields().items():
            if key == _DIRECTIVE:
                continue
            before = values.get(key)
            new_value = self.apply(before, value, (*path, key))
            if new_value is not None:
                values[key] = new_value
                gone.pop(key, None)
            elif before is not None:
                del values[key]
                gone[key] = _removal(value).replacing(before)
        merged = old.changed(values)
        merged.gone = gone or None
        return merged

    def _list(self, old: Node | None, patch: Node, path: Keys) -> Node | None:
        keys = merge_keys(self.api_version, self.kind, path)
        if keys is None:
            return self._replaced(old, patch)
        directive = next((item for item in patch.items() if set(item.fields()) == {_DIRECTIVE}), None)
        how = directive.text(_DIRECTIVE) if directive else "merge"
        if how == "delete":
            self.changed |= old is not None
            return None
        if old is None or how == "replace" or not isinstance(old.value, list):
            return self._replaced(old, self._clean(patch, path))
        items = [item for item in patch.items() if item is not directive]
        return self._merged_list(old, items, keys, path) if keys else self._united(old, items)

    def _united(self, old: Node, items: list[Node]) -> Node:
        """A list of plain values as a set, the patch's first."""
        have = {item.raw for item in items}
        self.changed |= bool(have - {item.raw for item in old.items()})
        return old.changed([*items, *(item for item in old.items() if item.raw not in have)])

    def _merged_list(self, old: Node, items: list[Node], keys: Keys, path: Keys) -> Node:
        """A list merged item by item: the patch's items come first, as kustomize puts them."""
        keys = _used([*old.items(), *items], keys)
        left = {id(item): item for item in old.items()}
        gone = dict(old.gone or {})
        front: list[Node] = []
        for item in items:
            before = next((other for other in old.items() if id(other) in left and _same_item(other, item, keys)), None)
            new = self._item(before, item, keys, path)
            if new is None or not new.value:
                if before is not None:
                    del left[id(before)]
                    gone[identity(before, keys)] = _removal(item).replacing(before)
            elif before is not None and len(keys) > 1:
                left[id(before)] = new  # an item with two merge keys keeps its place
            else:
                left.pop(id(before), None)
                front.append(new)
        merged = old.changed([*front, *left.values()])
        merged.gone = gone or None
        return merged

    def _item(self, before: Node | None, item: Node, keys: Keys, path: Keys) -> Node | None:
        if before is None:
            return self.apply(None, item, path)
        if item.text(_DIRECTIVE) == "replace":
            return before  # kustomize puts the old item back over the one that was to replace it
        return self.apply(before, _without_keys(item, before, keys), path)

    def _clean(self, patch: Node, path: Keys) -> Node:
        """A value that is new as a whole, without nulls and directives."""
        if isinstance(patch.value, dict):
            values = {}
            for key, value in patch.value.items():
                directive = value.fields().get(_DIRECTIVE)
                if key == _DIRECTIVE or value.value is None or (directive and directive.raw == "delete"):
                    continue
                values[key] = self._clean(value, (*path, key))
            return patch.changed(values)
        if isinstance(patch.value, list) and merge_keys(self.api_version, self.kind, path) is not None:
            return patch.changed([self._clean(item, path) for item in patch.value if _stays(item)])
        return patch


def _stays(item: Node) -> bool:
    if item.value is None or item.value == {}:
        return False
    directive = item.fields().get(_DIRECTIVE)
    return directive is None or (directive.raw != "delete" and len(item.fields()) > 1)


def _removal(value: Node) -> Node:
    """The node to point at for a removal: the directive itself, or the null behind its key."""
    directive = value.fields().get(_DIRECTIVE)
    return directive if directive is not None else value


def identity(item: Node, keys: Keys) -> tuple[str, ...]:
    """What tells an item of a merged list from the others."""
    return tuple(item.text(key) for key in keys)


def _used(items: list[Node], keys: Keys) -> Keys:
    """The merge keys that any item has at all; the first in any case."""
    return tuple(key for index, key in enumerate(keys) if index == 0 or any(item.text(key) for item in items))


def _without_keys(item: Node, before: Node, keys: Keys) -> Node:
    """A patch's item without the fields that only say which item is meant."""
    fields = {key: value for key, value in item.fields().items() if key not in keys or not before.text(key)}
    return item.changed(fields)


def _same_item(one: Node, other: Node, keys: Keys) -> bool:
    """The same item: a second key counts only where both have it, as for `protocol` of a port."""
    left, right = identity(one, keys), identity(other, keys)
    if left[0] != right[0] or not left[0]:
        return False
    return all(a == b or not a or not b for a, b in zip(left[1:], right[1:], strict=True))
