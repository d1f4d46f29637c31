"""Stage 1: a path in, the repository and the overlays to check out."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate import settings
from lockgate.errors import LockgateError
from lockgate.model import Overlay

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lockgate.settings import Settings

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository that Lockgate gates.

    Attributes:
        root: The folder that holds `lockgate.yaml`, absolute.
        settings: What that file says.
        overlays: The overlays to check, in the file's order; never empty.
    """

    root: Path
    settings: Settings
    overlays: tuple[Overlay, ...]


def find(path: Path, environments: Sequence[str] = ()) -> Repository:
    """The repository around `path`.

    Args:
        path: The repository's root or any folder in it; an overlay's folder selects that overlay.
        environments: Names to restrict the check to; empty for all.

    Raises:
        LockgateError: No `lockgate.yaml`, an unknown environment, or an overlay without a kustomization.
    """
    root = find_root(path)
    found = settings.load(root)
    overlays = tuple(
        Overlay(name, found.level(name), environment.overlay.strip("/"))
        for name, environment in found.environments.items()
    )
    for overlay in overlays:
        _check_overlay(root, overlay)
    return Repository(root, found, _select(overlays, environments) if environments else _below(root, path, overlays))


def find_root(path: Path) -> Path:
    """The nearest folder at or above `path` that holds `lockgate.yaml`.

    Raises:
        LockgateError: There is none, or `path` does not exist.
    """
    start = path.resolve()
    if not start.exists():
        msg = f"{path}: no such file or folder"
        raise LockgateError(msg, "name the root of a repository that `lockgate new` wrote")
    for folder in (start, *start.parents):
        if (folder / settings.FILE).is_file():
            return folder
    msg = f"no {settings.FILE} in {start} or above it, so nothing to check"
    raise LockgateError(msg, "run it inside a repository that `lockgate new` wrote")


def kustomization(folder: Path) -> Path | None:
    """The kustomization file in `folder`, by any of the names that kustomize knows."""
    return next((folder / name for name in KUSTOMIZATIONS if (folder / name).is_file()), None)


def _check_overlay(root: Path, overlay: Overlay) -> None:
    folder = root / overlay.path
    if not folder.resolve().is_relative_to(root):
        msg = f"{settings.FILE}: overlay {overlay.path!r} of {overlay.environment!r} lies outside the repository"
        raise LockgateError(msg, "use a path relative to the repository's root")
    if not folder.is_dir():
        msg = f"{settings.FILE}: overlay {overlay.path!r} of {overlay.environment!r} does not exist"
        raise LockgateError(msg, "mend `overlay:` of that environment")
    if kustomization(folder) is None:
        msg = f"{overlay.path}: no kustomization.yaml, so nothing to render for {overlay.environment!r}"
        raise LockgateError(msg, "restore the file from git, or take the environment out of lockgate.yaml")


def _below(root: Path, path: Path, overlays: tuple[Overlay, ...]) -> tuple[Overlay, ...]:
    """The overlays at or below `path`; all of them when `path` is elsewhere in the repository."""
    start = path.resolve()
    inside = tuple(o for o in overlays if start.is_relative_to((root / o.path).resolve()))
    return inside or overlays


def _select(overlays: tuple[Overlay, ...], names: Sequence[str]) -> tuple[Overlay, ...]:
    known = [overlay.environment for overlay in overlays]
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
            msg = f"environment {name!r} is not in {settings.FILE}"
            raise LockgateError(msg, hint)
    return tuple(overlay for overlay in overlays if overlay.environment in names)
