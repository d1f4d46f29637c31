"""Kubernetes' own kinds by version: the types of their fields, out of kubernetes.json.

The file holds each definition once for every version that changed it (tools/kubernetes_types.py writes
it); only what an object needs is made into types.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lockgate.context.types import Type

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = Path(__file__).with_name("kubernetes.json")

# Found by posting objects without them to the API server of 1.36.3 (dryRun=All, fieldValidation=Strict).
_FILLED_IN = {
    ("batch.v1.PodFailurePolicy", "rules!"),
    ("core.v1.HTTPHeader", "value!"),
    ("core.v1.ISCSIPersistentVolumeSource", "lun!"),
    ("core.v1.ISCSIVolumeSource", "lun!"),
    ("core.v1.LimitRangeSpec", "limits!"),
    ("core.v1.PreferredSchedulingTerm", "preference!"),
    ("core.v1.Sysctl", "value!"),
    ("core.v1.TypedLocalObjectReference", "kind!"),
    ("core.v1.TypedLocalObjectReference", "name!"),
}
"""Fields that even the newest definitions call required, and without which an API server takes an object."""


class Kubernetes:
    """The kinds of one version.

    Args:
        version: Like `1.36`; one that is not in the file means the nearest, empty the newest.
    """

    def __init__(self, version: str) -> None:
        loaded = _loaded()
        self.versions: list[str] = loaded["versions"]
        self._index = _nearest(self.versions, version)
        self._kinds: Mapping[str, list[tuple[int, str | None]]] = loaded["kinds"]
        self._definitions: Mapping[str, list[tuple[int, Any]]] = loaded["types"]
        self._made: dict[str, Type] = {}

    @property
    def version(self) -> str:
        """The version that counts."""
        return self.versions[self._index]

    def groups(self) -> set[str]:
        """API groups that no custom resource can have."""
        return {key.partition(" ")[0].rpartition("/")[0] for key in self._kinds}

    def find(self, api_version: str, kind: str) -> Type | None:
        """The type of a kind; None when this version has it not."""
        name = self._at(self._kinds.get(f"{api_version} {kind}"))
        return self._type(name) if name is not None else None

    def served(self, api_version: str, kind: str) -> tuple[str, ...]:
        """The versions that have a kind, the oldest first."""
        changes = self._kinds.get(f"{api_version} {kind}", [])
        return tuple(v for i, v in enumerate(self.versions) if _value(changes, i) is not None)

    def kinds(self) -> list[tuple[str, str]]:
        """apiVersion and kind of everything that this version has."""
        return [(key.partition(" ")[0], key.partition(" ")[2]) for key, one in self._kinds.items() if self._at(one)]

    def _sure(self, definition: str, key: str) -> bool:
        """Whether the API server asks for a field: older definitions call some required that it fills in."""
        newest: Mapping[str, str] = next(
            (value for _, value in reversed(self._definitions[definition]) if value is not None), {}
        )
        return key in newest and (definition, key) not in _FILLED_IN

    def _at(self, changes: list[tuple[int, Any]] | None) -> Any:
        return _value(changes or [], self._index)

    def _type(self, written: str) -> Type:
        """The type that a text means; made once, before its fields, since definitions contain themselves."""
        known = self._made.get(written)
        if known is not None:
            return known
        made = self._made[written] = Type("any")
        if written.startswith(("[]", "{}")):
            made.name, made.inner = "list" if written[0] == "[" else "map", self._type(written[2:])
            return made
        definition = self._at(self._definitions.get(written))
        if isinstance(definition, dict):
            made.name = "fields"
            made.fields = {key.removesuffix("!"): self._type(one) for key, one in definition.items()}
            made.required = tuple(key[:-1] for key in definition if key.endswith("!") and self._sure(written, key))
        elif isinstance(definition, str):
            made.name = definition
        elif written != "any" and written not in self._definitions:
            made.name = written
        return made


def _value(changes: list[tuple[int, Any]], index: int) -> Any:
    """What the last change up to a version says."""
    found = None
    for since, value in changes:
        if since <= index:
            found = value
    return found


def _nearest(versions: list[str], wanted: str) -> int:
    minors = [int(version.partition(".")[2]) for version in versions]
    minor = wanted.removeprefix("v").split(".")[1:2]
    if not minor or not minor[0].isdecimal():
        return len(versions) - 1
    return min(range(len(minors)), key=lambda index: abs(minors[index] - int(minor[0])))


@cache
def _loaded() -> dict[str, Any]:
    loaded: dict[str, Any] = msgspec.json.decode(FILE.read_bytes())
    return loaded
