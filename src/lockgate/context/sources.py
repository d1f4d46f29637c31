"""`input.sources`: the kustomizations behind an environment and the files that nothing reaches, for rule API003.

{"kustomizations": [{"file", "fields"}], "remotes": [{"file", "path", "url"}], "unreferenced": [file]}.
"""

from __future__ import annotations

import fnmatch
import os
import posixpath
from typing import TYPE_CHECKING

from lockgate.errors import LockgateError
from lockgate.trace.build import is_remote
from lockgate.trace.files import KUSTOMIZATION_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from lockgate.discover import Repository
    from lockgate.model import Json
    from lockgate.trace import Sources
    from lockgate.trace.source import Node

_LISTS = ("resources", "bases", "components")
_MANIFESTS = (".yaml", ".yml")
_FOLDERS = ("base", "bases", "components", "overlays")
"""Where nothing lies but what kustomizations build; beside them stand values of charts and files of programs."""


class Files:
    """The files behind all environments.

    Args:
        repository: The repository; settings may leave files out.
        sources: Its files.
        builds: The files that each environment's build reads.

    Attributes:
        unreferenced: YAML files beside the kustomizations that no environment reaches, sorted. Where an
            environment of the settings is missing, nobody knows what it reaches, and there are none.
    """

    def __init__(self, repository: Repository, sources: Sources, builds: Mapping[str, Iterable[str]]) -> None:
        self._repository, self._sources, self._builds = repository, sources, builds
        known = not repository.foreign and repository.settings.environments.keys() <= builds.keys()
        self.unreferenced = tuple(sorted(_unreferenced(repository, sources, builds))) if known else ()

    def facts(self, environment: str) -> dict[str, Json]:
        """What `input.sources` holds for an environment.

        Raises:
            LockgateError: A kustomization cannot be read.
        """
        files = [file for file in self._builds[environment] if posixpath.basename(file) in KUSTOMIZATION_NAMES]
        others = [f"{o.path}/" for o in self._repository.overlays if o.environment != environment]
        return {
            "kustomizations": [{"file": file, "fields": list(_root(self._sources, file).fields())} for file in files],
            "remotes": [one for file in files for one in _remotes(self._sources, file)],
            # What lies in another overlay is that one's.
            "unreferenced": [file for file in self.unreferenced if not file.startswith(tuple(others))],
        }


def _unreferenced(repository: Repository, sources: Sources, builds: Mapping[str, Iterable[str]]) -> Iterator[str]:
    reached = {file for files in builds.values() for file in files}
    for file in sorted(reached):
        if posixpath.basename(file) in KUSTOMIZATION_NAMES:
            reached.update(_named(sources, file))
    found = [file for top in _FOLDERS for file in _files(repository.root, top) if file not in reached]
    found = [file for file in found if _is_built(sources, file)]
    stray = {posixpath.dirname(file) for file in found if posixpath.basename(file) in KUSTOMIZATION_NAMES}
    return (file for file in found if _is_told(file, stray, repository.settings.unreferenced))


def _is_told(file: str, stray: set[str], ignored: Sequence[str]) -> bool:
    """Of a kustomization that nothing reaches its own file is told, not each one beside and below it."""
    if any(fnmatch.fnmatchcase(file, pattern) for pattern in ignored):
        return False
    folder = posixpath.dirname(file)
    if folder in stray and posixpath.basename(file) in KUSTOMIZATION_NAMES:
        return not any(folder.startswith(f"{other}/") for other in stray)
    return not any(folder == other or folder.startswith(f"{other}/") for other in stray)


def _is_built(sources: Sources, file: str) -> bool:
    """Whether a file is an object, a kustomization or a patch, and no values of a chart."""
    try:
        documents = sources.documents(file)
    except LockgateError:
        return False
    return any(isinstance(one.value, list) or one.get("kind") is not None for one in documents) or (
        posixpath.basename(file) in KUSTOMIZATION_NAMES
    )


def _files(root: Path, folder: str) -> Iterator[str]:
    # os.walk: a tenth of the time of Path.rglob.
    for here, folders, names in os.walk(root / folder):
        folders.sort()
        inside = os.path.relpath(here, root).replace(os.sep, "/")
        yield from (f"{inside}/{name}" for name in sorted(names) if name.endswith(_MANIFESTS))


def _root(sources: Sources, file: str) -> Node:
    return sources.documents(file)[0]


def _remotes(sources: Sources, file: str) -> Iterator[dict[str, Json]]:
    for field in _LISTS:
        for index, node in enumerate(_root(sources, file).items(field)):
            path = _resolved(file, node.raw)
            if is_remote(node.raw) and not sources.is_file(path) and not sources.is_folder(path):
                yield {"file": file, "path": [field, index], "url": node.raw}


def _named(sources: Sources, file: str) -> Iterator[str]:
    """Files that a kustomization names in any field: values of charts, configurations, plugins."""
    for text in _texts(_root(sources, file)):
        path = _resolved(file, text)
        if sources.is_file(path):
            yield path
        elif text.strip("./") and sources.is_folder(path) and not _is_kustomization(sources, path):
            yield from _files(sources.root, path)


def _is_kustomization(sources: Sources, folder: str) -> bool:
    return any(sources.is_file(f"{folder}/{name}") for name in KUSTOMIZATION_NAMES)


def _texts(node: Node) -> Iterator[str]:
    """Every string of a tree of one line; `key=path` of generators gives the path too."""
    if isinstance(node.value, dict):
        for child in node.value.values():
            yield from _texts(child)
    elif isinstance(node.value, list):
        for child in node.value:
            yield from _texts(child)
    elif node.raw and "\n" not in node.raw:
        yield node.raw
        if "=" in node.raw:
            yield node.raw.partition("=")[2]


def _resolved(file: str, name: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(file) or ".", name))
