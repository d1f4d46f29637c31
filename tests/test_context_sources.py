"""The files behind an environment: fields of its kustomizations, remote bases, what nothing reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lockgate import context, discover
from lockgate.trace import Sources, Trace

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = "version: 1\nenvironments:\n  dev: {overlay: overlays/dev}\n  prod: {overlay: overlays/prod}\n"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\n"


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(
        tmp_path,
        {
            "lockgate.yaml": SETTINGS,
            "base/kustomization.yaml": "resources: [config.yaml]\n",
            "base/config.yaml": CONFIG.replace("NAME", "a"),
            "overlays/dev/kustomization.yaml": "resources: [../../base]\npatches:\n- path: patch.yaml\n",
            "overlays/dev/patch.yaml": CONFIG.replace("NAME", "a") + "data: {a: b}\n",
            "overlays/prod/kustomization.yaml": "resources: [../../base]\n",
        },
    )
    return tmp_path


def files(root: Path, *only: str) -> context.Files:
    repository, sources = discover.find(root), Sources(root)
    builds = {
        overlay.environment: Trace(root, overlay, (), sources).files()
        for overlay in repository.overlays
        if not only or overlay.environment in only
    }
    return context.Files(repository, sources, builds)


def stray(root: Path, *only: str) -> tuple[str, ...]:
    return files(root, *only).unreferenced


def test_everything_that_a_kustomization_names_is_reached(root: Path) -> None:
    write(
        root,
        {
            "base/kustomization.yaml": "resources: [config.yaml]\n"
            "configMapGenerator:\n- {name: g, files: [key=data.yaml], envs: [x.env]}\n"
            "replacements:\n- path: replace.yaml\nconfigurations: [names.yaml]\nopenapi: {path: schema.yaml}\n",
            "base/data.yaml": "kind: Data\n",
            "base/x.env": "a=b\n",
            "base/replace.yaml": "- source: {kind: ConfigMap, name: a}\n  targets: []\n",
            "base/names.yaml": "nameReference: []\nkind: x\n",
            "base/schema.yaml": "kind: x\n",
            "overlays/prod/kustomization.yaml": "resources: [../../base]\n"
            "helmCharts:\n- {name: c, valuesFile: v.yaml}\n"
            "transformers: [plugin.yaml]\nhelmGlobals: {chartHome: charts}\n",
            "overlays/prod/v.yaml": "kind: values\n",
            "overlays/prod/plugin.yaml": "kind: Plugin\n",
            "overlays/prod/charts/c/templates/x.yaml": CONFIG,
        },
    )
    assert stray(root) == ()


def test_what_nothing_reaches_is_told_once(root: Path) -> None:
    write(
        root,
        {
            "base/old.yaml": CONFIG,
            "overlays/prod/patch.yaml": "- op: remove\n  path: /data\n",
            "overlays/prod/notes.yaml": "a: b\n",
            "overlays/prod/broken.yaml": "a: b\n c: d\n",
            "components/x/kustomization.yaml": "kind: Component\nresources: [y.yaml]\n",
            "components/x/y.yaml": CONFIG,
            "components/x/deep/kustomization.yaml": "resources: [y.yaml]\n",
            "argocd/app.yaml": CONFIG,
        },
    )
    assert stray(root) == ("base/old.yaml", "components/x/kustomization.yaml", "overlays/prod/patch.yaml")
    assert files(root).facts("dev")["unreferenced"] == ["base/old.yaml", "components/x/kustomization.yaml"]
    assert files(root).facts("prod")["unreferenced"] == list(stray(root))


def test_settings_leave_files_out(root: Path) -> None:
    write(
        root,
        {
            "base/old.yaml": CONFIG,
            "base/older.yaml": CONFIG,
            "lockgate.yaml": SETTINGS + "unreferenced: [base/old.*]\n",
        },
    )
    assert stray(root) == ("base/older.yaml",)


def test_nothing_is_said_of_a_part_of_the_environments(root: Path) -> None:
    write(root, {"base/old.yaml": CONFIG})
    assert stray(root, "dev") == ()


def test_kustomizations_and_remote_bases(root: Path) -> None:
    write(
        root,
        {
            "base/kustomization.yaml": "bases: [github.com/a/b]\nresources: [config.yaml, 'https://c/d.yaml']\n"
            "components: ['git@github.com:a/b?ref=x']\n",
        },
    )
    assert files(root).facts("dev") == {
        "kustomizations": [
            {"file": "base/kustomization.yaml", "fields": ["bases", "resources", "components"]},
            {"file": "overlays/dev/kustomization.yaml", "fields": ["resources", "patches"]},
        ],
        "remotes": [
            {"file": "base/kustomization.yaml", "path": ["resources", 1], "url": "https://c/d.yaml"},
            {"file": "base/kustomization.yaml", "path": ["bases", 0], "url": "github.com/a/b"},
            {"file": "base/kustomization.yaml", "path": ["components", 0], "url": "git@github.com:a/b?ref=x"},
        ],
        "unreferenced": [],
    }
