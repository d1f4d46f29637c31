"""The developer tools: pins, the builder's answers, and the strict schemas made of CRDs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import build
import pins
import schemas

ROOT = Path(__file__).resolve().parent.parent
PINNED = pins.load()


def tool(*arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **env}, cwd=ROOT)


@pytest.mark.parametrize("name", [*PINNED["programs"], *PINNED["crds"]])
def test_everything_is_pinned_to_a_release(name: str) -> None:
    pin = {**PINNED["programs"], **PINNED["crds"]}[name]
    assert re.fullmatch(r"v\d+\.\d+\.\d+", pin["version"])


def test_one_version_of_pykustomize_is_named_everywhere() -> None:
    files = ["pyproject.toml", "noxfile.py", "README.md", "action.yml", ".pre-commit-hooks.yaml", "tools/make.py"]
    for name in files:
        versions = re.findall(r"pykustomize==([\d.]+)", (ROOT / name).read_text(encoding="utf-8"))
        assert set(versions) == {"0.1.4"}, name


def test_every_development_tool_has_one_version() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    loose = [entry for group in groups.values() for entry in group if isinstance(entry, str) and "==" not in entry]
    assert loose == []


def test_the_list_names_each_program_and_its_place_in_the_cache(tmp_path: Path) -> None:
    done = tool("tools/build.py", "--list", XDG_CACHE_HOME=str(tmp_path))
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == list(PINNED["programs"])
    assert {row[2] for row in rows} == {"missing"}
    assert all(row[3].startswith(f"{tmp_path}/lockgate/tools/{row[0]}-{row[1]}-") for row in rows)


def test_a_missing_go_is_one_line_that_says_so(tmp_path: Path) -> None:
    done = tool("tools/build.py", "opa", PATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == "build.py: go is not on PATH; install Go 1.26 or later, then run this again\n"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_the_cache_without_its_program_is_built_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (program,) = build.programs(["opa"])
    (program.folder / "left").mkdir(parents=True)

    def compiled(program: build.Program, folder: Path) -> None:
        (folder / program.name).touch()

    monkeypatch.setattr(build, "compile_program", compiled)
    assert "built in" in build.build(program)
    assert [path.name for path in program.folder.iterdir()] == ["opa"]
    assert build.build(program) == f"opa {program.version}: cached"


def test_the_control_plane_is_built_only_when_asked_for() -> None:
    plain = {program.name for program in build.programs([])}
    cluster = {program.name for program in build.programs([], ("", "cluster"))} - plain
    assert {"kustomize", "opa"} <= plain
    assert {"kube-apiserver", "etcd", "argocd", "rollouts-controller"} <= cluster


def test_replaces_of_a_module_count_and_its_folders_are_published_modules(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    replaces = [
        {"Old": {"Path": "k8s.io/api"}, "New": {"Path": "./staging/src/k8s.io/api"}},
        {"Old": {"Path": "a.b/c", "Version": "v1.0.0"}, "New": {"Path": "d.e/c", "Version": "v1.1.0"}},
    ]
    answers = iter(['{"GoMod": "go.mod"}', json.dumps({"Replace": replaces})] * 2)
    monkeypatch.setattr(build, "run_go", lambda *_: next(answers))
    (server,) = build.programs(["kube-apiserver"])
    assert build.replaced(server, tmp_path) == [
        "replace k8s.io/api => k8s.io/api v0.36.3\n",
        "replace a.b/c v1.0.0 => d.e/c v1.1.0\n",
    ]
    (etcd,) = build.programs(["etcd"])
    assert build.replaced(etcd, tmp_path) == ["replace a.b/c v1.0.0 => d.e/c v1.1.0\n"]


def test_a_path_of_unbuilt_programs_is_refused(tmp_path: Path) -> None:
    done = tool("tools/build.py", "--path", "opa", XDG_CACHE_HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "opa: not built yet; run `python tools/build.py`" in done.stderr


def test_an_unknown_program_is_refused_with_the_known_ones() -> None:
    done = tool("tools/build.py", "helm")
    assert done.returncode == 2
    assert "unknown program 'helm'; pinned are kustomize, opa" in done.stderr


def test_a_folder_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "cache" / "thing"
    with pytest.raises(FileNotFoundError), pins.filled(target) as folder:
        (folder / "part" / "of nothing").touch()
    assert list(target.parent.iterdir()) == []
    with pins.filled(target) as folder:
        (folder / "whole").touch()
    assert [path.name for path in target.iterdir()] == ["whole"]
    with pins.filled(target) as folder:
        (folder / "second").touch()
    assert [path.name for path in target.iterdir()] == ["whole"]


@pytest.mark.parametrize(
    ("node", "wanted"),
    [
        (
            {"type": "object", "properties": {"type": {"type": "string", "description": "x"}}},
            {"type": "object", "properties": {"type": {"type": "string"}}, "additionalProperties": False},
        ),
        (
            {"type": "object", "properties": {}, "x-kubernetes-preserve-unknown-fields": True},
            {"type": "object", "properties": {}},
        ),
        ({"type": "object"}, {"type": "object"}),
        (
            {"type": "object", "additionalProperties": {"type": "object", "properties": {}}},
            {
                "type": "object",
                "additionalProperties": {"type": "object", "properties": {}, "additionalProperties": False},
            },
        ),
        (
            {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
            {"type": ["integer", "string"], "anyOf": [{"type": "integer"}, {"type": "string"}]},
        ),
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        (
            {"oneOf": [{"properties": {"a": {"minLength": 1}}, "required": ["a"]}]},
            {"oneOf": [{"properties": {"a": {"minLength": 1}}, "required": ["a"]}]},
        ),
        ({"not": {"properties": {"a": {}}}}, {"not": {"properties": {"a": {}}}}),
    ],
)
def test_a_crd_node_becomes_a_strict_schema(node: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert schemas.strict(node) == wanted


def test_try_refuses_a_python_that_is_too_old(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import make

    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    assert make.main(["try", "x"]) == 2
    assert "Lockgate needs Python 3.11 or later, this is 3.9.2" in capsys.readouterr().err
