"""A path in, overlays out; nothing to check is never a pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lockgate import discover
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two environments, each with an empty kustomization."""
    for name in ("dev", "prod"):
        (tmp_path / "overlays" / name / "release").mkdir(parents=True)
        (tmp_path / "overlays" / name / "kustomization.yaml").write_text("{}\n")
    (tmp_path / "lockgate.yaml").write_text(
        "version: 1\nenvironments:\n  dev: {overlay: overlays/dev}\n  prod: {overlay: overlays/prod/}\n"
    )
    return tmp_path


def names(root: Path, path: str = ".", *only: str) -> list[str]:
    return [overlay.environment for overlay in discover.find(root / path, only).overlays]


def test_root_and_shared_folders_mean_all_and_an_overlay_means_itself(root: Path) -> None:
    assert names(root) == ["dev", "prod"]
    assert names(root, "overlays") == ["dev", "prod"]
    assert names(root, "overlays/prod/release") == ["prod"]
    assert names(root, ".", "prod") == ["prod"]
    assert discover.find(root).overlays[1].path == "overlays/prod"


def test_unknown_environment_names_the_nearest(root: Path) -> None:
    with pytest.raises(LockgateError, match="environment 'prd' is not in") as caught:
        names(root, ".", "prd")
    assert caught.value.hint == "did you mean 'prod'?"


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        ("overlays/live", "overlay 'overlays/live' of 'prod' does not exist"),
        ("overlays/prod/release", "no kustomization.yaml, so nothing to render"),
        ("../elsewhere", "lies outside the repository"),
    ],
)
def test_overlay_that_is_not_there(root: Path, overlay: str, message: str) -> None:
    file = root / "lockgate.yaml"
    file.write_text(file.read_text().replace("overlays/prod/", overlay))
    with pytest.raises(LockgateError) as caught:
        discover.find(root)
    assert message in caught.value.message


def test_no_settings_file_and_no_folder(tmp_path: Path) -> None:
    with pytest.raises(LockgateError, match="so nothing to check"):
        discover.find(tmp_path)
    with pytest.raises(LockgateError, match="no such file or folder"):
        discover.find(tmp_path / "nowhere")
