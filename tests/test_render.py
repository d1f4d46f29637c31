"""An overlay in, objects out: the same from every renderer, and a plain sentence when it cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lockgate import render
from lockgate.errors import LockgateError
from lockgate.model import Overlay

if TYPE_CHECKING:
    from pathlib import Path

ODD = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: odd}
data:
  date: "2026-01-01"
  switch: "on"
  hex: "0x10"
  float: "1e3"
  text: |
    first
    ---
    third
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {day: 2026-01-01, ratio: "1.10"}}
spec:
  replicas: 1
  template:
    spec:
      containers:
        - name: web
          image: web
          args: [on, 2026-01-01, "null", "1_000", "~"]
          resources: {limits: {cpu: 1.5, memory: 1e3}}
"""


def overlay(root: Path, **files: str) -> Overlay:
    (root / "overlay").mkdir(exist_ok=True)
    for name, text in files.items():
        (root / "overlay" / f"{name}.yaml").write_text(text)
    return Overlay("dev", "dev", "overlay")


def test_every_renderer_gives_the_same_objects(tmp_path: Path) -> None:
    found = overlay(tmp_path, kustomization="resources: [odd.yaml]\nnamePrefix: a-\n", odd=ODD)
    first, *others = (render.render(tmp_path, found, render.choose(name)).objects for name in render.RENDERERS)
    assert [item["metadata"]["name"] for item in first] == ["a-odd", "a-web"]
    assert others == [first, first]


@pytest.mark.parametrize("renderer", render.RENDERERS)
def test_failed_build_names_the_overlay_and_no_folder_of_this_machine(tmp_path: Path, renderer: str) -> None:
    found = overlay(tmp_path, kustomization="resources: [missing.yaml]\n")
    with pytest.raises(LockgateError, match="overlay: kustomize cannot build it") as caught:
        render.render(tmp_path, found, renderer)
    assert str(tmp_path) not in caught.value.message
    assert "missing.yaml" in caught.value.message


@pytest.mark.parametrize("renderer", render.RENDERERS)
def test_empty_build_is_no_pass(tmp_path: Path, renderer: str) -> None:
    found = overlay(tmp_path, kustomization="namePrefix: a-\nresources: [empty.yaml]\n", empty="# nothing\n")
    with pytest.raises(LockgateError):
        render.render(tmp_path, found, renderer)


def test_missing_renderer_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LockgateError, match="renderer 'kustomize' is not installed") as caught:
        render.choose("kustomize")
    assert "pip install --ignore-requires-python pykustomize==" in caught.value.hint


def test_choice_falls_back_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "_library_file", lambda: None)
    assert render.choose() == "kustomize"
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LockgateError, match="no kustomize is installed"):
        render.choose()
