"""Rendered objects before and after in, the fields that differ out.

Objects are the same when kind, group, namespace and name are; kustomize's hash counts neither in a name nor where
another object names it. Items of a list are matched by their name where each has one, and a YAML or JSON text
inside a ConfigMap by its keys.
"""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, TypeAlias

from lockgate import credentials, yamltext
from lockgate.errors import LockgateError
from lockgate.model import Json, ObjectRef, field_text, plain_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class Item(str):
    """A step of a path: an item of a list, by its name."""

    __slots__ = ()


class _Missing:
    """What is not there, which is something else than null."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()

Path: TypeAlias = tuple[str | int, ...]
"""Keys, indexes, and an `Item` for an item that has a name."""

_NAMES = ("name", "mountPath", "containerPort", "key", "topologyKey", "alert")
"""Fields that name the items of a list, the first that all of them have."""
_STRUCTURED = {".yaml", ".yml", ".json"}
_ANCHOR = re.compile(r"(?:^|[\s\[,:-])&\w", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs.

    Attributes:
        path: Where it is.
        old: Its value before, or MISSING.
        new: Its value after, or MISSING.
        hidden: Whether the values are secret.
    """

    path: Path
    old: Json
    new: Json
    hidden: bool = False

    @property
    def field(self) -> str:
        """The field in words, like `spec.template.spec.containers[vllm].image`."""
        return path_text(self.path)

    @property
    def state(self) -> str:
        """`added`, `removed` or `changed`."""
        return _state(self.old, self.new)

    def lines(self, context: int = 1) -> list[str]:
        """A unified diff of texts of several lines, without its head; empty for other values and hidden ones."""
        if self.hidden or not (isinstance(self.old, str) and isinstance(self.new, str)):
            return []
        if "\n" not in self.old + self.new:
            return []
        sides = (self.old.splitlines(), self.new.splitlines())
        return list(difflib.unified_diff(*sides, "", "", "", "", context, ""))[2:]


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """One object that differs.

    Attributes:
        state: `added`, `removed` or `changed`.
        ref: The object, its name without kustomize's hash.
        changes: Its fields; none for a whole object.
    """

    state: str
    ref: ObjectRef
    changes: tuple[Change, ...] = ()


def _state(old: Json, new: Json) -> str:
    return "added" if old is MISSING else "removed" if new is MISSING else "changed"


def path_text(path: Path) -> str:
    """A path as a person writes it; a named item is `[name]`."""
    text = ""
    for step in path:
        word = f"[{step}]" if isinstance(step, Item) else field_text((step,))
        text += word if word.startswith("[") or not text else f".{word}"
    return text


def objects(old: Sequence[Mapping[str, Json]], new: Sequence[Mapping[str, Json]]) -> list[ObjectChange]:
    """What differs between two renderings of one environment, sorted by kind and name."""
    before, after = _by_identity(old), _by_identity(new)
    found = [_object(before.get(key), after.get(key), key[0]) for key in {**before, **after}]
    return sorted((one for one in found if one is not None), key=lambda one: one.ref)


def _by_identity(found: Sequence[Mapping[str, Json]]) -> dict[tuple[ObjectRef, str, int], Json]:
    """Each object by what it is; one that stands twice by its turn. Hashes are taken away."""
    refs = [ObjectRef.of(one) for one in found]
    plain = {ref.name: plain_name(ref) for ref in refs if plain_name(ref) != ref.name}
    turns: Counter[tuple[ObjectRef, str]] = Counter()
    result = {}
    for ref, one in zip(refs, found, strict=True):
        key = (ObjectRef(ref.kind, plain.get(ref.name, ref.name), ref.namespace), ref.group)
        turns[key] += 1
        result[*key, turns[key]] = _unhashed(one, plain) if plain else one
    return result


def _unhashed(value: Json, plain: Mapping[str, str]) -> Json:
    """A value in which generated objects are named without their hash."""
    if isinstance(value, dict):
        return {key: _unhashed(item, plain) for key, item in value.items()}
    if isinstance(value, list):
        return [_unhashed(item, plain) for item in value]
    return plain.get(value, value) if isinstance(value, str) else value


def _object(old: Json, new: Json, ref: ObjectRef) -> ObjectChange | None:
    if old is None or new is None:
        return ObjectChange("added" if old is None else "removed", ref)
    changes = tuple(_hidden(change, ref.kind) for change in differences(old, new, embedded=ref.kind == "ConfigMap"))
    return ObjectChange("changed", ref, changes) if changes else None


def _hidden(change: Change, kind: str) -> Change:
    """A change without what nobody should read."""
    fields = {"data", "stringData", "encryptedData", "annotations"}
    secret = kind in {"Secret", "SealedSecret"} and not fields.isdisjoint(change.path)
    # An `env` entry says its name beside the value.
    named = any(isinstance(step, str) and credentials.is_name_of_one(step) for step in change.path[-2:])
    old, new = _redacted(change.old), _redacted(change.new)
    return Change(change.path, old, new, secret or named or old == new)


def _redacted(value: Json) -> Json:
    """A value with `***` for what stands under a name like `HF_TOKEN`."""
    if isinstance(value, dict):
        names = {key for key in value if credentials.is_name_of_one(key)}
        if isinstance(value.get("name"), str) and credentials.is_name_of_one(value["name"]):
            names.add("value")
        return {
            key: "***" if key in names and isinstance(item, str) else _redacted(item) for key, item in value.items()
        }
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    return credentials.mask_named(value) if isinstance(value, str) else value


def differences(old: Json, new: Json, path: Path = (), *, embedded: bool = False) -> Iterator[Change]:
    """The fields of two values that differ; nothing when they are equal.

    Args:
        old: The value before.
        new: The value after.
        path: Where the values are.
        embedded: Whether texts below `data` may hold YAML, as in a ConfigMap.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            there = (*path, key)
            pair = (old.get(key, MISSING), new.get(key, MISSING))
            yield from differences(*_read(*pair, there) if embedded else pair, there, embedded=embedded)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _of_lists(old, new, path)
    elif not _same(old, new):
        yield Change(path, old, new)


def _read(old: Json, new: Json, path: Path) -> tuple[Json, Json]:
    """Two texts of a ConfigMap as what they hold, unless only the text differs."""
    if path[:1] != ("data",) or len(path) != 2 or PurePosixPath(str(path[1])).suffix not in _STRUCTURED:  # noqa: PLR2004  # data and its key
        return old, new
    first, second = _structure(old), _structure(new)
    if first is None or second is None or type(first) is not type(second) or not any(differences(first, second)):
        return old, new
    return first, second


def _structure(text: Json) -> Json:
    """The mapping or list that a text holds, else None."""
    if not isinstance(text, str) or _ANCHOR.search(text):  # an alias may stand for itself
        return None
    try:
        value = yamltext.load(text, "")
    except (LockgateError, ValueError):
        return None
    return value if isinstance(value, dict | list) else None


def _of_lists(old: list[Json], new: list[Json], path: Path) -> Iterator[Change]:
    for field in _NAMES:
        before, after = _by_name(old, field), _by_name(new, field)
        if before is not None and after is not None:
            yield from _of_named(before, after, path)
            return
    yield from _of_items(old, new, path)


def _by_name(items: list[Json], field: str) -> dict[str, Json] | None:
    """Items by the field that names them; None where one has none or shares it."""
    if not all(isinstance(item, dict) and isinstance(item.get(field), str | int) for item in items):
        return None
    named = {str(item[field]): item for item in items}
    return named if len(named) == len(items) else None


def _of_named(old: dict[str, Json], new: dict[str, Json], path: Path) -> Iterator[Change]:
    for name in {**old, **new}:
        yield from differences(old.get(name, MISSING), new.get(name, MISSING), (*path, Item(name)))
    before, after = [name for name in old if name in new], [name for name in new if name in old]
    if before != after:  # a variable may refer to those above it only
        yield Change((*path, Item("(order)")), before, after)


def _of_items(old: list[Json], new: list[Json], path: Path) -> Iterator[Change]:
    """Items without names: by what stays the same, or by their places where that says less."""
    moved = list(_by_content(old, new, path))
    if len(old) == len(new):
        placed = [
            change
            for index, pair in enumerate(zip(old, new, strict=True))
            for change in differences(*pair, (*path, index))
        ]
        if len(placed) <= len(moved):
            moved = placed
    yield from moved


def _by_content(old: list[Json], new: list[Json], path: Path) -> Iterator[Change]:
    before, after = ([json.dumps(item, sort_keys=True, default=str) for item in items] for items in (old, new))
    for _, start, end, first, last in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        common = min(end - start, last - first)
        for step in range(common):
            yield from differences(old[start + step], new[first + step], (*path, first + step))
        for index in range(start + common, end):
            yield Change((*path, index), old[index], MISSING)
        for index in range(first + common, last):
            yield Change((*path, index), MISSING, new[index])


def _same(old: Json, new: Json) -> bool:
    """Whether two values are one in JSON: 1 is 1.0, but not true."""
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    return bool(old == new) or (old != old and new != new)  # noqa: PLR0124  # .nan
