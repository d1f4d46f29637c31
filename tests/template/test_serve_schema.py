"""The JSON schema of serve.yaml: as the catalogue says, true to vLLM's own reader, and found by editors."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml
from template.answers import SUPPORTED
from template.serve_flags import REFUSED, TAKEN

import serve_schema
from lockgate import generate, resources

if TYPE_CHECKING:
    from pathlib import Path

SERVING = resources.template_root() / resources.PROJECT / "serving"
CATALOGUE = json.loads(serve_schema.CATALOGUE.read_text(encoding="utf-8"))["vllm"]
ENVIRONMENTS = ("dev", "canary", "prod")


def faults(version: str, **flags: Any) -> list[str]:
    validator = jsonschema.Draft7Validator(serve_schema.schema(CATALOGUE, version))
    return [error.message for error in validator.iter_errors({"model": "a/b", **flags})]


def test_the_files_are_what_the_catalogue_says() -> None:
    assert {path.name: path.read_text() for path in SERVING.iterdir() if "schema" in path.name} == serve_schema.texts()


def test_the_template_names_the_versions_that_have_one() -> None:
    raw = json.loads((resources.template_root() / "cookiecutter.json").read_text())
    assert raw["_schemas"] == list(CATALOGUE["versions"])


@pytest.mark.parametrize("version", CATALOGUE["versions"])
def test_each_is_a_schema(version: str) -> None:
    jsonschema.Draft7Validator.check_schema(serve_schema.schema(CATALOGUE, version))


@pytest.mark.parametrize("name", ["default", "older-versions", "l4-fp8-one-gpu"])
def test_each_release_points_to_its_own_and_fits_it(tmp_path: Path, name: str) -> None:
    given = SUPPORTED[name]
    target = tmp_path / given.get("project", "qwen-chat")
    generate.generate(target, given)
    known = given.get("vllm_version", "0.32.0") in CATALOGUE["versions"]
    assert (target / "serving" / "serve.schema.json").is_file() is known
    for environment in ENVIRONMENTS:
        file = target / "overlays" / environment / "release" / "serve.yaml"
        found = re.match(r"# yaml-language-server: \$schema=(.*)\n", file.read_text())
        assert (found is not None) is known
        if found:
            schema = json.loads((file.parent / found[1]).resolve().read_text())
            jsonschema.validate(yaml.safe_load(file.read_text()), schema)
            assert schema["title"].startswith("serve.yaml of vLLM 0.32.0:")


@pytest.mark.parametrize("flags", TAKEN, ids=json.dumps)
def test_what_vllm_takes_is_right(flags: dict[str, Any]) -> None:
    assert faults("0.32.0", **flags) == []


@pytest.mark.parametrize("flags", [*REFUSED, {"config": "other.yaml"}], ids=json.dumps)
def test_what_vllm_refuses_is_wrong(flags: dict[str, Any]) -> None:
    assert len(faults("0.32.0", **flags)) == 1


def test_each_version_has_its_own_flags() -> None:
    assert faults("0.16.0", **{"swap-space": 4}) == []
    assert faults("0.16.0", **{"shutdown-timeout": 60}) != []
    assert faults("0.33.0", **{"swap-space": 4}) != []


def test_a_file_without_a_model_is_wrong() -> None:
    validator = jsonschema.Draft7Validator(serve_schema.schema(CATALOGUE, "0.32.0"))
    assert [error.message for error in validator.iter_errors({})] == ["'model' is a required property"]
