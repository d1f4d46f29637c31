"""Writes src/lockgate/context/kubernetes.json: fields and types of Kubernetes' own kinds, by version.

Input: the installed package kubernetes-validate, which carries the API server's OpenAPI definitions of
1.25 and later; of them only names, types and required fields are taken. A definition stands there once
for each version that changed it. How a type is written is in src/lockgate/context/types.py.
"""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET = Path(__file__).resolve().parent.parent / "src" / "lockgate" / "context" / "kubernetes.json"
FOLDERS = re.compile(r"v(1\.\d+)\.0-local-strict")
SIMPLE = {"string": "str", "boolean": "bool", "number": "num", "integer": "int"}
FORMATS = {"int32": "int32", "int64": "int64", "byte": "base64"}
SPECIAL = {"Quantity": "quantity", "IntOrString": "int-or-str"}


def versions() -> list[str]:
    """The versions that the package carries, the oldest first."""
    folder = resources.files("kubernetes_validate") / "kubernetes-json-schema"
    found = [match[1] for entry in folder.iterdir() if (match := FOLDERS.fullmatch(entry.name))]
    return sorted(found, key=lambda version: int(version.partition(".")[2]))


def definitions(version: str) -> dict[str, Any]:
    """The definitions of one version, by their full names."""
    file = resources.files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}.0-local-strict"
    loaded: dict[str, Any] = json.loads((file / "_definitions.json").read_text(encoding="utf-8"))["$defs"]
    return loaded


def short(name: str) -> str:
    """`apps.v1.DeploymentSpec` of the full name."""
    return ".".join(name.split(".")[-3:])


def written(schema: dict[str, Any]) -> str:
    """A type as the file has it."""
    if "$ref" in schema:
        return short(schema["$ref"].rpartition("/")[2])
    kinds = schema.get("type", [])
    kind = next((k for k in ([kinds] if isinstance(kinds, str) else kinds) if k != "null"), "")
    if kind == "array":
        return f"[]{written(schema['items'])}"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"{{}}{written(inner)}" if isinstance(inner, dict) and inner else "object"
    return FORMATS.get(schema.get("format", ""), SIMPLE.get(kind, "any"))


def definition(name: str, schema: dict[str, Any]) -> Any:
    """A definition: a type that stands for it, or its fields, the required ones with a `!`."""
    special = SPECIAL.get(name.rpartition(".")[2])
    if special or "properties" not in schema:
        return special or written(schema)
    required = set(schema.get("required", []))
    return {f"{key}{'!' if key in required else ''}": written(one) for key, one in schema["properties"].items()}


def kinds(found: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """apiVersion, kind and definition of what can be created."""
    for name, schema in found.items():
        meta = schema.get("properties", {}).get("metadata", {}).get("$ref", "")
        if meta.endswith(".ObjectMeta"):
            for one in schema.get("x-kubernetes-group-version-kind", []):
                yield "/".join(filter(None, (one["group"], one["version"]))), one["kind"], short(name)


def changes(by_version: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Each name with [index of the version, value] of each change; null where it is gone."""
    result: dict[str, list[Any]] = {}
    for name in sorted({name for one in by_version for name in one}):
        before: Any = None
        for index, one in enumerate(by_version):
            value = one.get(name)
            if value != before:
                result.setdefault(name, []).append([index, value])
                before = value
    return result


def main() -> None:
    """Writes the file."""
    names = versions()
    loaded = [definitions(version) for version in names]
    types = [{short(name): definition(name, schema) for name, schema in one.items()} for one in loaded]
    served = [{f"{api} {kind}": name for api, kind, name in kinds(one)} for one in loaded]
    text = json.dumps({"versions": names, "kinds": changes(served), "types": changes(types)}, sort_keys=True, indent=0)
    # One definition to a line: a change of one is a change of few lines.
    TARGET.write_text(re.sub(r"\n(?!\"[^\"\n]+\": \[)", "", text).replace('": [[', '":[[') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
