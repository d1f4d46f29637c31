"""Schemas of custom resources that a team puts beside its repository: files in, types by kind out.

A folder of `schemas` in lockgate.yaml holds CustomResourceDefinitions (YAML), or JSON schemas named
`<group>/<kind>_<version>.json`. Only what a schema says without doubt is kept: fields, types, choices,
bounds. What `oneOf`, `anyOf`, `not` and validation expressions say is not.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lockgate import yamltext
from lockgate.context.types import Type
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from lockgate.model import Json

_SCALARS = {"string": "str", "integer": "int", "number": "num", "boolean": "bool"}
_ALTERNATIVES = ("oneOf", "anyOf", "allOf", "not", "$ref", "if")


def files(root: Path, folders: Sequence[str]) -> list[Path]:
    """The files with schemas, sorted.

    Raises:
        LockgateError: A folder is not there.
    """
    found: list[Path] = []
    for folder in folders:
        place = root / folder
        if not place.is_dir():
            raise LockgateError(
                f"lockgate.yaml: schemas: there is no folder {folder!r}", "create it, or correct the path"
            )
        found += (file for file in place.rglob("*") if file.suffix in {".yaml", ".yml", ".json"} and file.is_file())
    return sorted(found)


def load(root: Path, names: Sequence[Path]) -> dict[str, Type]:
    """Types by `apiVersion kind in small letters`.

    Raises:
        LockgateError: A file cannot be read.
    """
    found: dict[str, Type] = {}
    for file in names:
        shown = file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise LockgateError(f"{shown}: cannot be read: {error}", "restore the file, or remove it") from error
        found.update(_json(file, text, shown) if file.suffix == ".json" else _yaml(text, shown))
    return found


def _json(file: Path, text: str, shown: str) -> Iterator[tuple[str, Type]]:
    try:
        schema = json.loads(text)
    except ValueError as error:
        raise LockgateError(f"{shown}: no valid JSON: {error}", "mend it, or remove the file") from error
    kind, _, version = file.stem.rpartition("_")
    if kind and isinstance(schema, dict):
        yield f"{file.parent.name}/{version} {kind}".lower(), of_object(schema, pruned=False)


def _yaml(text: str, shown: str) -> Iterator[tuple[str, Type]]:
    for document in yamltext.load_all(text, shown):
        if isinstance(document, dict) and document.get("kind") == "CustomResourceDefinition":
            yield from of_crd(document)


def of_crd(crd: Mapping[str, Json]) -> Iterator[tuple[str, Type]]:
    """The types of a CustomResourceDefinition, one for each version that it serves with a schema."""
    spec = _mapping(crd.get("spec"))
    kind = _mapping(spec.get("names")).get("kind")
    for version in spec.get("versions") or []:
        schema = _mapping(_mapping(_mapping(version).get("schema")).get("openAPIV3Schema"))
        if schema and version.get("served", True):
            yield f"{spec.get('group')}/{version.get('name')} {kind}".lower(), of_object(schema)


def of_object(schema: Mapping[str, Json], *, pruned: bool = True) -> Type:
    """The type of a whole object: its head and status are not the schema's.

    Args:
        schema: OpenAPI or JSON schema.
        pruned: Whether a mapping refuses fields that it does not name, as custom resources do.
    """
    made = _type(schema, pruned)
    head = {"apiVersion": Type("str"), "kind": Type("str"), "metadata": Type("any"), "status": Type("any")}
    made.fields = {**made.fields, **head}
    made.required = tuple(key for key in made.required if key not in head)
    return made


def _type(schema: Json, pruned: bool) -> Type:  # noqa: FBT001  # handed down
    schema = _mapping(schema)
    name = _SCALARS.get(schema.get("type", ""), "")
    if schema.get("x-kubernetes-int-or-string"):
        return Type("int-or-str")
    if name:
        return _scalar(name, schema)
    if schema.get("type") == "array":
        return Type("list", inner=_type(schema.get("items"), pruned))
    if schema.get("type") == "object" or "properties" in schema:
        return _object(schema, pruned)
    return Type("any")


def _scalar(name: str, schema: Mapping[str, Json]) -> Type:
    if any(key in schema for key in _ALTERNATIVES):
        return Type("any")
    made = Type(name, choices=tuple(schema.get("enum", ())))
    pattern, least, most = (schema.get(key) for key in ("pattern", "minimum", "maximum"))
    made.pattern = pattern if isinstance(pattern, str) and not made.choices else ""
    # `exclusiveMinimum: true` moves the bound by less than can be said here; the bound itself is sure.
    made.least = least if isinstance(least, int | float) else None
    made.most = most if isinstance(most, int | float) else None
    return made


def _object(schema: Mapping[str, Json], pruned: bool) -> Type:  # noqa: FBT001  # handed down
    properties, more = _mapping(schema.get("properties")), schema.get("additionalProperties")
    if schema.get("x-kubernetes-embedded-resource") or (not properties and not isinstance(more, dict)):
        return Type("object")
    if not properties:
        return Type("map", inner=_type(more, pruned))
    return Type(
        "fields",
        fields={key: _type(one, pruned) for key, one in properties.items()},
        # What has a default is filled in.
        required=tuple(k for k in schema.get("required") or () if "default" not in _mapping(properties.get(k))),
        open=_is_open(schema, more, pruned),
    )


def _is_open(schema: Mapping[str, Json], more: Json, pruned: bool) -> bool:  # noqa: FBT001  # handed down
    if schema.get("x-kubernetes-preserve-unknown-fields") or "$ref" in schema or "if" in schema:
        return True
    return bool(more) if pruned else more is not False


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}
