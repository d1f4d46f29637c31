"""Strategic merge as kustomize does it: a patch into an object, every leaf keeping who wrote it."""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.trace.items import ItemMerge
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
        def apply(before: Node | None, item: Node) -> tuple[Node | None, bool]:
            merge = Merge(self.api_version, self.kind)
            return merge.apply(
                before, item if before is None else _without_keys(item, before, keys), path
            ), merge.changed

        outcome = ItemMerge(keys, old.items(), items, apply).run()
        self.changed |= outcome.changed
        merged = old.changed(outcome.items)
        for before, item in outcome.removed:
            merged = merged.without(identity(before, keys), _removal(item).replacing(before))
        return merged

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


def _without_keys(item: Node, before: Node, keys: Keys) -> Node:
    """A patch's item without the fields that only say which item is meant."""
    if _DIRECTIVE in item.fields():
        return item
    fields = {key: value for key, value in item.fields().items() if key not in keys or not before.text(key)}
    return item.changed(fields)
