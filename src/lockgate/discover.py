"""Stage 1: a path in, the repository and the overlays to check out.

Where no `lockgate.yaml` is around the path, it is one environment with default settings: a
kustomization folder, a folder or a file of plain YAML, or standard input.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate import settings
from lockgate.errors import LockgateError
from lockgate.model import LEVELS, Overlay

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockgate.settings import Settings

STDIN = Path("-")
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
ARGOCD = "argocd"
"""Where the Argo CD objects lie unless the settings name another folder."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository that Lockgate gates.

    Attributes:
        root: The folder that holds `lockgate.yaml`, absolute.
        settings: What that file says.
        overlays: The overlays to check, in the file's order; never empty.
        foreign: Whether it has no `lockgate.yaml`: settings and rules are Lockgate's own.
        delivery: The folder with the Argo CD objects, as an overlay of no environment; None without one.
    """

    root: Path
    settings: Settings
    overlays: tuple[Overlay, ...]
    foreign: bool = False
    delivery: Overlay | None = None


def find(path: Path, environments: Sequence[str] = (), level: str = "", *, foreign: bool = False) -> Repository:
    """The repository around `path`.

    Args:
        path: The repository's root or any folder in it; an overlay's folder selects that overlay. Outside
            of a repository, what to check; `-` for standard input.
        environments: Names to restrict the check to, empty for all; outside of a repository the
            environment's name.
        level: `dev`, `canary` or `prod`, outside of a repository only.
        foreign: Whether `path` may lie outside of a repository.

    Raises:
        LockgateError: No `lockgate.yaml`, an unknown environment, or an overlay without a kustomization.
    """
    if foreign and (path == STDIN or _root_above(path) is None):
        return _foreign(path, environments, level)
    root = find_root(path)
    if level:
        msg = f"--level {level}: the levels of these environments stand in {settings.FILE}"
        raise LockgateError(msg, "leave --level out")
    found = settings.load(root)
    overlays = tuple(
        Overlay(name, found.level(name), environment.overlay.strip("/"))
        for name, environment in found.environments.items()
    )
    for overlay in overlays:
        _check_overlay(root, overlay)
    chosen = _select(overlays, environments) if environments else _below(root, path, overlays)
    return Repository(root, found, chosen, delivery=_delivery(root, found.argocd))


def find_root(path: Path) -> Path:
    """The nearest folder at or above `path` that holds `lockgate.yaml`.

    Raises:
        LockgateError: There is none, or `path` does not exist.
    """
    found = _root_above(path)
    if found is not None:
        return found
    msg = f"no {settings.FILE} in {path.resolve()} or above it, so nothing to check"
    hint = "run it inside a repository that `lockgate new` wrote, or name a folder or file of manifests"
    raise LockgateError(msg, hint)


def _root_above(path: Path) -> Path | None:
    start = path.resolve()
    if not start.exists():
        msg = f"{path}: no such file or folder"
        raise LockgateError(msg, "name a repository that `lockgate new` wrote, a folder or file of manifests, or `-`")
    return next((folder for folder in (start, *start.parents) if (folder / settings.FILE).exists()), None)


def _foreign(path: Path, environments: Sequence[str], level: str) -> Repository:
    """One environment of what lies at `path`, with default settings."""
    if len(environments) > 1:
        msg = f"wanted one environment, found {', '.join(environments)}: there is no {settings.FILE} that names them"
        raise LockgateError(msg, "name one with --env, and how strict it is with --level")
    name = environments[0] if environments else level or "prod"
    level = level or (name if name in LEVELS else "prod")
    root = Path.cwd() if path == STDIN else _base(path.resolve())
    place = "-" if path == STDIN else _relative(path.resolve(), root)
    plain = path == STDIN or not path.is_dir() or kustomization(path) is None
    return Repository(
        root, settings.of_one(name, level, place), (Overlay(name, level, place, plain=plain),), foreign=True
    )


def _base(path: Path) -> Path:
    """What locations count from: the git checkout, else the working folder, else the place itself."""
    for folder in path.parents if path.is_file() else (path, *path.parents):
        if (folder / ".git").exists():
            return folder
    here = Path.cwd()
    if path.is_relative_to(here):
        return here
    return path.parent if path.is_file() else path


def _relative(path: Path, root: Path) -> str:
    return Path(os.path.relpath(path, root)).as_posix()


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


def _delivery(root: Path, named: str | None) -> Overlay | None:
    """The folder with the Argo CD objects: the one that the settings name, else the usual one if it is there."""
    path = (ARGOCD if named is None else named).strip("/")
    folder = root / path
    if not path or (named is None and not folder.is_dir()):
        return None
    if not folder.is_dir() or not folder.resolve().is_relative_to(root):
        where = "lies outside the repository" if folder.is_dir() else "does not exist"
        msg = f"{settings.FILE}: the folder {path!r} of the Argo CD objects {where}"
        raise LockgateError(msg, "mend `argocd:` in that file, or leave it out")
    return Overlay("", "", path, plain=kustomization(folder) is None)


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
