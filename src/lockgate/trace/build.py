"""One overlay's build replayed over its sources, in kustomize's order, without kustomize."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from lockgate.errors import LockgateError
from lockgate.trace.generate import run_generators
from lockgate.trace.identity import Resource
from lockgate.trace.patches import apply_json_patches, apply_patches, merge_listed
from lockgate.trace.replace import apply_replacements
from lockgate.trace.state import State, read_spec
from lockgate.trace.writers import (
    add_affixes,
    add_annotations,
    add_labels,
    set_images,
    set_namespace,
    set_replicas,
)

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.trace.files import Kustomization, Sources
    from lockgate.trace.source import Node

_REMOTE = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://|[^/@\s]+@[^/]+:|.*[?&]ref=|github\.com/|.*\.git(//|$|\?)")

_NOT_REPLAYED = ("generators", "transformers", "helmCharts", "helmChartInflationGenerator")


def is_remote(name: str) -> bool:
    """Whether an entry of `resources` names what lies in another repository, if no file or folder has that name."""
    return _REMOTE.match(name) is not None


def build(sources: Sources, folder: str) -> State:
    """The finished build of one kustomization folder; the same object every time for the same sources.

    Args:
        sources: The repository's files.
        folder: POSIX path of the folder, relative to the root.

    Raises:
        LockgateError: A source cannot be read or found, or kustomizations name each other in a circle.
    """
    return _build(sources, _normal(folder), ())


def _normal(folder: str) -> str:
    folder = posixpath.normpath(folder) if folder else ""
    return "" if folder == "." else folder


def _build(sources: Sources, folder: str, above: tuple[str, ...], named_at: Node | None = None) -> State:
    known = sources.built.get(folder)
    if isinstance(known, State):
        return known
    kustomization = sources.kustomization(folder, named_at.location if named_at is not None else None)
    if named_at is not None and kustomization.is_component:
        message = f"{named_at.location}: {named_at.raw!r} is a component"
        raise LockgateError(message, "name it under components, not under resources")
    state = State(sources)
    _accumulate(state, kustomization, (*above, folder))
    sources.built[folder] = state
    return state


def _accumulate(state: State, kustomization: Kustomization, above: tuple[str, ...]) -> None:
    """Everything that one kustomization says, upon what is there already."""
    state.files[kustomization.file] = None
    node = kustomization.node
    for name in [*node.items("resources"), *node.items("bases")]:
        _add_resource(state, kustomization, name, above)
    _configure(state, kustomization)
    state.partial |= any(node.get(field) for field in ("generators", "helmCharts", "helmChartInflationGenerator"))
    run_generators(state, kustomization)
    for name in node.items("components"):
        _add_component(state, kustomization, name, above)
    merge_listed(state, kustomization)
    apply_patches(state, kustomization)
    set_namespace(state, kustomization)
    add_affixes(state, kustomization)
    add_labels(state, kustomization)
    add_annotations(state, kustomization)
    apply_json_patches(state, kustomization)
    set_replicas(state, kustomization)
    set_images(state, kustomization)
    apply_replacements(state, kustomization)
    state.partial |= any(node.get(field) for field in _NOT_REPLAYED)


def _add_resource(state: State, kustomization: Kustomization, name: Node, above: tuple[str, ...]) -> None:
    path = kustomization.resolve(name.raw)
    sources = state.sources
    if sources.is_file(path):
        state.resources.extend(Resource(node) for node in _objects(state, path))
    elif sources.is_folder(path):
        _refuse_circle(name, path, above)
        state.absorb(_build(sources, _normal(path), above, name))
    elif is_remote(name.raw):
        state.partial = True
    else:
        message = f"{name.location}: resource {name.raw!r} does not exist"
        raise LockgateError(message, _nearby(sources.root, path))


def _add_component(state: State, kustomization: Kustomization, name: Node, above: tuple[str, ...]) -> None:
    path = kustomization.resolve(name.raw)
    if not state.sources.is_folder(path):
        if is_remote(name.raw):
            state.partial = True
            return
        message = f"{name.location}: component {name.raw!r} is no folder"
        raise LockgateError(message, _nearby(state.sources.root, path))
    _refuse_circle(name, path, above)
    component = state.sources.kustomization(_normal(path), name.location)
    if not component.is_component:
        message = f"{name.location}: {name.raw!r} is no component"
        raise LockgateError(message, f"write kind: Component in {component.file}, or name it under resources")
    _accumulate(state, component, (*above, _normal(path)))


def _refuse_circle(name: Node, path: str, above: tuple[str, ...]) -> None:
    if _normal(path) in above:
        circle = " -> ".join([*(one or "." for one in above), _normal(path) or "."])
        raise LockgateError(f"{name.location}: {name.raw!r} leads in a circle: {circle}", "remove one of these entries")


def _nearby(root: Path, path: str) -> str:
    """A hint for a path that leads nowhere: what lies beside it."""
    folder = root / posixpath.dirname(path)
    try:
        found = sorted(one.name for one in folder.iterdir())
    except OSError:
        return f"there is no folder {posixpath.dirname(path) or '.'!r} either; correct the path"
    return "create it, or correct the path; beside it there is: " + (", ".join(found[:8]) or "nothing")


def _objects(state: State, path: str) -> list[Node]:
    """The objects of a file, those of lists included.

    Raises:
        LockgateError: A document is no object.
    """
    queue = list(state.read(path))
    found = []
    for node in queue:
        kind = node.get("kind")
        if not isinstance(node.value, dict) or kind is None or not kind.raw:
            message = f"{node.file}:{node.line}: no Kubernetes object: it has no 'kind'"
            raise LockgateError(message, "give it apiVersion, kind and metadata.name, or do not list the file")
        items = node.get("items")
        if kind.raw.endswith("List") and items is not None:
            queue.extend(items.items())  # kustomize puts the items of lists behind the file's other objects
        elif node.text("metadata", "name"):
            found.append(node)
        else:
            message = f"{kind.location}: {kind.raw} has no metadata.name"
            raise LockgateError(message, "give it a name")
    return found


def _configure(state: State, kustomization: Kustomization) -> None:
    """Take in the field specs of `configurations`, and the files that only the renderer reads."""
    for name in kustomization.node.items("configurations"):
        path = kustomization.resolve(name.raw)
        if not state.sources.is_file(path):
            message = f"{name.location}: configuration {name.raw!r} is no file"
            raise LockgateError(message, "create the file, or correct the path")
        for document in state.read(path):
            for field, specs in document.fields().items():
                state.specs.setdefault(field, []).extend(map(read_spec, specs.items()))
    openapi = kustomization.node.get("openapi", "path")
    for name in [*kustomization.node.items("crds"), *([openapi] if openapi is not None else [])]:
        path = kustomization.resolve(name.raw)
        if state.sources.is_file(path):
            state.files[path] = None
