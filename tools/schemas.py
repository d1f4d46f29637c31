"""Writes the strict JSON schemas that kubeconform reads, offline.

Input: tools/pins.toml, the installed package kubernetes-validate (Kubernetes' own kinds) and the
pinned Go modules (CustomResourceDefinitions). Output: CACHE/schemas-KEY/{kubernetes,crds}/ and, on
stdout, one value for kubeconform's -schema-location per line. Strict: a field that the schema does
not know is an error, as with `kubectl apply --validate=strict`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import pins

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

# How kubernetes-validate names its shared file; it is no file of ours.
SHARED = "/api/_definitions.json#/$defs/"
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
# fmt: off
VALIDATION = frozenset({
    "type", "enum", "required", "pattern", "format", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems",
    "uniqueItems", "minProperties", "maxProperties",
})
# fmt: on
KUBERNETES_FILE = "{{.NormalizedKubernetesVersion}}/{{.ResourceKind}}{{.KindSuffix}}.json"
CRD_FILE = "{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"
COMBINED = ("allOf", "anyOf", "oneOf")


class CrdLoader(yaml.CSafeLoader):
    """Reads a bare `=` as the string that CRD authors mean; YAML 1.1 gives it a type of its own."""


CrdLoader.add_constructor("tag:yaml.org,2002:value", lambda _, node: node.value)


def target(pinned: dict[str, Any]) -> Path:
    """Return the folder for these pins, this program and this kubernetes-validate."""
    made_by = [
        pinned["kubernetes"],
        pinned["crds"],
        Path(__file__).read_text(encoding="utf-8"),
        metadata.version("kubernetes-validate"),
    ]
    return pins.cache_root() / f"schemas-{pins.key(made_by)}"


def locations(folder: Path) -> list[str]:
    """Return the templates that kubeconform fills in for each object."""
    return [
        f"{folder}/kubernetes/{KUBERNETES_FILE}",
        f"{folder}/crds/{CRD_FILE}",
    ]


def kubernetes_folder(version: str) -> Traversable:
    """Return where kubernetes-validate keeps the strict schemas of one version."""
    return resources.files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}-local-strict"


def load_definitions(version: str) -> dict[str, Any]:
    """Return the definitions that Kubernetes' kinds share, by name."""
    text = (kubernetes_folder(version) / "_definitions.json").read_text(encoding="utf-8")
    definitions: dict[str, Any] = json.loads(text.replace(SHARED, "#/$defs/"))["$defs"]
    return definitions


def referred(text: str) -> set[str]:
    """Return the names of the definitions that JSON text refers to."""
    return set(re.findall(r'"#/\$defs/([^"]+)"', text))


def whole(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Return a schema as JSON text with the definitions that it needs, and no others.

    kubeconform compiles the whole file for each kind: with all definitions that takes a second.
    """
    needed: dict[str, Any] = {}
    waiting = referred(json.dumps(schema))
    while waiting:
        name = waiting.pop()
        needed[name] = definitions[name]
        waiting |= referred(json.dumps(definitions[name])) - needed.keys()
    return json.dumps({**schema, "$defs": needed})


def write_kubernetes(folder: Path, version: str, definitions: dict[str, Any]) -> None:
    """Write Kubernetes' own schemas, each in one file that needs no network."""
    target_folder = folder / "kubernetes" / f"v{version}"
    target_folder.mkdir(parents=True)
    for entry in kubernetes_folder(version).iterdir():
        schema = json.loads(entry.read_text(encoding="utf-8").replace(SHARED, "#/$defs/"))
        if "x-kubernetes-group-version-kind" in schema:
            # With an $id of kubernetes.io kubeconform would look for references there.
            del schema["$id"]
            (target_folder / entry.name).write_text(whole(schema, definitions), encoding="utf-8")


def module_folder(module: str, version: str) -> Path:
    """Return where Go keeps the module, after a download when it is new here."""
    command = [pins.go(), "mod", "download", "-json", f"{module}@{version}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    answer = json.loads(result.stdout or "{}")
    if "Dir" not in answer:
        pins.fail(f"{module} {version}: {answer.get('Error') or result.stderr.strip()}")
    return Path(answer["Dir"])


def custom_resources(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield every CustomResourceDefinition of a folder of YAML files."""
    for path in sorted(folder.glob("*.yaml")):
        with path.open(encoding="utf-8") as stream:
            for document in yaml.load_all(stream, Loader=CrdLoader):
                if document and document.get("kind") == "CustomResourceDefinition":
                    yield document


def strict(schema: dict[str, Any], *, closed: bool = True) -> dict[str, Any]:
    """Turn one openAPIV3Schema node into JSON schema (draft 4) that refuses unknown fields.

    Branches of allOf, anyOf, oneOf and not stay open: they only add conditions to their parent.
    """
    result = {name: value for name, value in schema.items() if name in VALIDATION}
    if schema.get("x-kubernetes-int-or-string"):
        result["type"] = ["integer", "string"]
    if schema.get("nullable") and "type" in result:
        kinds = result["type"] if isinstance(result["type"], list) else [result["type"]]
        result["type"] = [*kinds, "null"]
    if "properties" in schema:
        result["properties"] = {name: strict(value, closed=closed) for name, value in schema["properties"].items()}
    if "items" in schema:
        result["items"] = strict(schema["items"], closed=closed)
    for name in COMBINED:
        if name in schema:
            result[name] = [strict(branch, closed=False) for branch in schema[name]]
    if "not" in schema:
        result["not"] = strict(schema["not"], closed=False)
    return {**result, **others(schema, closed=closed)}


def others(schema: dict[str, Any], *, closed: bool) -> dict[str, Any]:
    """Return what holds for fields that `properties` does not name."""
    rest = schema.get("additionalProperties")
    if isinstance(rest, dict):
        return {"additionalProperties": strict(rest, closed=closed)}
    is_open = schema.get("x-kubernetes-preserve-unknown-fields") or rest is True
    if closed and "properties" in schema and not is_open:
        return {"additionalProperties": False}
    return {}


def resource_schema(definition: dict[str, Any], version: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one served version of a custom resource."""
    spec = definition["spec"]
    schema = strict(version["schema"]["openAPIV3Schema"])
    schema.setdefault("properties", {}).update(
        apiVersion={"enum": [f"{spec['group']}/{version['name']}"]},
        kind={"enum": [spec["names"]["kind"]]},
        metadata={"$ref": f"#/$defs/{OBJECT_META}"},
    )
    return schema


def write_crds(folder: Path, pins_of_crds: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Write GROUP/KIND_VERSION.json for each served version of each pinned custom resource."""
    for pin in pins_of_crds.values():
        for definition in custom_resources(module_folder(pin["module"], pin["version"]) / pin["folder"]):
            group = folder / "crds" / definition["spec"]["group"]
            group.mkdir(parents=True, exist_ok=True)
            kind = definition["spec"]["names"]["kind"].lower()
            for version in definition["spec"]["versions"]:
                if version["served"]:
                    text = whole(resource_schema(definition, version), definitions)
                    (group / f"{kind}_{version['name']}.json").write_text(text, encoding="utf-8")


def ensure() -> list[str]:
    """Write the schemas unless they are there; return kubeconform's schema locations."""
    pinned = pins.load()
    folder = target(pinned)
    if not folder.is_dir():
        print("schemas: writing", file=sys.stderr, flush=True)
        with pins.filled(folder) as unfinished:
            definitions = load_definitions(pinned["kubernetes"]["version"])
            write_kubernetes(unfinished, pinned["kubernetes"]["version"], definitions)
            write_crds(unfinished, pinned["crds"], definitions)
    return locations(folder)


if __name__ == "__main__":
    print("\n".join(ensure()))
