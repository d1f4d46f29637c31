"""Looks into objects of any shape, without an error when a field has another type."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.model import Json


def at(value: Json, *path: str) -> Json:
    """The value at a path of keys; None when there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def items(value: Json, *path: str) -> list[tuple[int, Mapping[str, Json]]]:
    """The mappings in the list at a path, with their indexes."""
    found = at(value, *path)
    return [(i, item) for i, item in enumerate(found) if isinstance(item, dict)] if isinstance(found, list) else []


def reference(obj: Mapping[str, Json]) -> dict[str, str]:
    """What a result says about an object, as lib/objects.rego's `ref`."""
    fields = {
        "apiVersion": obj.get("apiVersion"),
        "kind": obj.get("kind"),
        "namespace": at(obj.get("metadata"), "namespace"),
        "name": at(obj.get("metadata"), "name"),
    }
    return {key: value if isinstance(value, str) else "" for key, value in fields.items()}
