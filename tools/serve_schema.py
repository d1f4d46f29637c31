"""Writes the JSON schema of serve.yaml, one for each vLLM version of the catalogue, so that editors complete it.

Input: policies/data/vllm.json. Output: serving/serve.schema.json of the template, under a name that
is only rendered for its version. A schema refuses what vLLM surely refuses, and nothing else.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "<<cookiecutter.project>>"
CATALOGUE = PROJECT / "policies" / "data" / "vllm.json"
BOOLEAN = {"type": "boolean"}
# A number, or a text that vLLM reads as one: what YAML takes for a text is given to it as it is.
KINDS: dict[str, dict[str, Any]] = {
    "str": {"type": ["string", "number", "boolean"]},
    "int": {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": r"^\s*[+-]?[0-9][0-9_]*\s*$"}]},
    "float": {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^\s*[+-]?([0-9.]|inf|nan)"}]},
    "count": {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": r"^\s*([+-]?[0-9.]+[kKmMgGtT]?|auto)\s*$"}]},
    "json": {"type": ["object", "array", "string", "number", "boolean"]},
    "any": {},
}
# Keys whose flag the schema does not know: another spelling, a part of a mapping, `no-` of a switch.
OTHER = {
    r"^no-[a-z0-9-]+$": BOOLEAN,
    r"^[a-z0-9-]+\.": {},
    r"^[a-z0-9-]*_[a-z0-9_-]*$": {},
}


def file_name(version: str) -> str:
    """Return the name of a version's schema in the template."""
    return f"<% if cookiecutter.vllm_version == '{version}' %>serve.schema.json<% endif %>"


def value(spec: Any) -> dict[str, Any]:
    """Return the schema of a flag's value, from what the catalogue says of the flag."""
    if spec in ("switch", "on"):  # a list is no member of a set
        return BOOLEAN
    kind, choices, folded = spec, None, False
    if isinstance(spec, list):
        kind, choices = "str", spec
    elif isinstance(spec, dict):
        kind, choices, folded = spec["type"], spec["choices"], spec.get("folded", False)
    plain = kind.rstrip("?+*")
    one = KINDS[plain] if choices is None else chosen(choices, plain, folded=folded)
    allowed = [one]
    if "+" in kind or "*" in kind:
        allowed.append({"type": "array", "items": one})
    elif plain not in {"json", "any"}:
        # A list of one is the one.
        allowed.append({"type": "array", "items": one, "maxItems": 1})
    if kind.endswith("?"):
        allowed.append({"enum": [None, "None", ""]})
    return {"anyOf": allowed} if one else {}


def chosen(choices: list[str], kind: str, *, folded: bool) -> dict[str, Any]:
    """Return the schema of a choice; where vLLM takes it in any case, the list is only offered."""
    if kind == "int":
        return {"enum": [*map(int, choices), *choices]}
    return {"anyOf": [{"enum": choices}, {"type": "string"}]} if folded else {"enum": choices}


def schema(catalogue: dict[str, Any], version: str) -> dict[str, Any]:
    """Return the schema of a version's configuration file."""
    own = catalogue["versions"][version]
    gone = own.get("without", {}).get("flags", {})
    flags = {name: spec for name, spec in catalogue["flags"].items() if name not in gone} | own.get("flags", {})
    # The file is named by --config, and names no other one.
    names = sorted(flags.keys() - catalogue["separate"].keys())
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"serve.yaml of vLLM {version}: flags of `vllm serve` without their dashes",
        "type": "object",
        "required": ["model"],
        "additionalProperties": False,
        "properties": {name: value(flags[name]) for name in names},
        "patternProperties": OTHER,
    }


def text(catalogue: dict[str, Any], version: str) -> str:
    """Return the schema as a file, one flag a line."""
    found = schema(catalogue, version)
    properties = found["properties"]
    lines = [f"    {json.dumps(name)}: {json.dumps(properties[name])}" for name in properties]
    found["properties"] = "HERE"
    return json.dumps(found, indent=2).replace('"HERE"', "{\n" + ",\n".join(lines) + "\n  }") + "\n"


def texts() -> dict[str, str]:
    """Return the text of each file of the template's `serving` by its name."""
    catalogue = json.loads(CATALOGUE.read_text(encoding="utf-8"))["vllm"]
    return {file_name(version): text(catalogue, version) for version in catalogue["versions"]}


def main() -> None:
    """Write the files."""
    for name, content in texts().items():
        (PROJECT / "serving" / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
