"""Findings get their line here: a field of a rendered object -> the file and line that wrote it.

The build of an overlay is replayed over its sources, in kustomize's order, without kustomize and
without touching a file. Every value of the replayed objects knows where it was written, what it
replaced and what removed a field, so that a path in a rendered object leads to the line to change.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from lockgate.errors import LockgateError
from lockgate.model import Json, Location, ObjectRef, Overlay
from lockgate.trace.build import build
from lockgate.trace.files import Sources
from lockgate.trace.walk import Found, follow, locations

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lockgate import model
    from lockgate.trace.identity import Resource
    from lockgate.trace.source import Node
    from lockgate.trace.state import State

__all__ = ["Sources", "Trace", "Written", "check_sources"]

FILE_KINDS = frozenset({"Kustomization", "Settings", "Values"})
"""Kinds of references that name a file of the repository instead of an object."""


class Written(NamedTuple):
    """Where a field is written, or the nearest parent of one that is missing.

    Attributes:
        file: POSIX path relative to the root.
        line: Line of the value, from 1.
        column: Column of the value, from 1.
        kind: `mapping`, `list` or `scalar`.
        raw: A scalar's own text.
        rest: The steps from there to the field; empty when it is there.
    """

    file: str
    line: int
    column: int
    kind: str
    raw: str
    rest: model.Path


def check_sources(root: Path, overlay: Overlay, sources: Sources | None = None) -> None:
    """Find what keeps an overlay from being built, where a file and a line can be named for it.

    Args:
        root: Folder of the repository.
        overlay: Which overlay.
        sources: Files that other traces have read already.

    Raises:
        LockgateError: A source is missing, unreadable, no YAML, no object, or leads in a circle; the
            message starts with `file:line:`.
    """
    build(sources if sources is not None else Sources(root), overlay.path)


class Trace:
    """Where the fields of one overlay's rendered objects come from.

    Args:
        root: Folder of the repository.
        overlay: Which overlay.
        objects: What was rendered from it, to find list items by what they hold.
        sources: Files that other traces of the same repository share.
        built: The finished build, where it is no kustomization's.
    """

    def __init__(  # a trace is made in one place
        self,
        root: Path,
        overlay: Overlay,
        objects: Sequence[dict[str, Json]],
        sources: Sources | None = None,
        built: State | None = None,
    ) -> None:
        self._sources = sources if sources is not None else Sources(root)
        self._overlay = overlay
        self._objects = {_rendered_key(one): one for one in objects}
        self._built = built

    def facts(self) -> dict[str, Json]:
        """What the entries of all kustomizations in the tree did, and their generators: `input.kustomize`.

        Raises:
            LockgateError: A source cannot be read.
        """
        state = self._state()
        found: dict[str, Json] = {
            "entries": [entry.document() for entry in state.entries.values()],
            "generators": list(state.generators),
        }
        twice = [_again(*pair) for pair in state.twice if _beside(*pair)]
        return found | {"twice": twice} if twice else found

    def files(self) -> tuple[str, ...]:
        """Every file that the build reads: POSIX paths relative to the root, sorted.

        Raises:
            LockgateError: A source cannot be read.
        """
        return tuple(sorted(self._state().files))

    def locate(self, ref: ObjectRef, path: model.Path) -> tuple[Location, tuple[Location, ...]]:
        """The line to change for a field, and related lines, such as the base's that a patch overrides.

        A path may go on inside a string that is itself YAML, to a line of a text by its number from 0,
        and into the parts `name`, `tag` and `digest` of an image that an `images` entry wrote. For a
        missing field: the entry that removed it, else its nearest existing parent. What cannot be traced
        gets the best place that is known.

        Args:
            ref: A rendered object; kinds Kustomization and Settings name a file instead.
            path: The field in it.
        """
        try:
            found = self._find(ref, path)
        except LockgateError:
            found = None
        if found is not None:
            return locations(found)
        return Location(self._fallback(ref), 1), ()

    def written(self, ref: ObjectRef, path: model.Path) -> Written | None:
        """Where to write a field; None when something removes it, or nobody knows.

        Arguments are those of `locate`.
        """
        try:
            found = self._find(ref, path)
        except LockgateError:
            return None
        if found is None or found.rest is None:
            return None
        node = found.node
        kind = "mapping" if isinstance(node.value, dict) else "list" if isinstance(node.value, list) else "scalar"
        return Written(node.file, node.line, node.column, kind, node.raw, found.rest)

    def _state(self) -> State:
        if self._built is None:
            self._built = build(self._sources, self._overlay.path)
        return self._built

    def _find(self, ref: ObjectRef, path: model.Path) -> Found | None:
        if ref.kind in FILE_KINDS and self._sources.is_file(ref.name):
            documents = self._sources.documents(ref.name)
            return follow(documents[0], path, None, self._sources) if documents else None
        resource = _resource(self._state().resources, ref)
        if resource is None:
            return None
        rendered = self._objects.get((ref.kind, ref.group, ref.namespace, ref.name))
        return follow(resource.node, path, rendered, self._sources)

    def _fallback(self, ref: ObjectRef) -> str:
        if ref.kind in FILE_KINDS:
            return ref.name
        try:
            return self._sources.kustomization(self._overlay.path).file
        except LockgateError:
            return self._overlay.path


def _beside(first: Node, again: Node) -> bool:
    """Whether one file holds both, and they are applied together; several files may be a choice."""
    return first.file == again.file


def _again(first: Node, again: Node) -> Json:
    names = {key: first.text("metadata", key) for key in ("namespace", "name")}
    return {
        "object": {key: first.text(key) for key in ("apiVersion", "kind")} | names,
        "place": f"{again.file}:{again.line}",
    }


def _rendered_key(one: dict[str, Json]) -> tuple[str, str, str, str]:
    metadata = one.get("metadata") or {}
    group = str(one.get("apiVersion", "")).rpartition("/")[0]
    return str(one.get("kind", "")), group, str(metadata.get("namespace", "")), str(metadata.get("name", ""))


_HASH = re.compile(r"-[a-z0-9]{10}")


def _resource(resources: Sequence[Resource], ref: ObjectRef) -> Resource | None:
    """The built object that a reference means; the surest agreement first."""
    named = [one for one in resources if one.current.kind == ref.kind and _is_named(one, ref.name)]
    for fits in (
        lambda one: one.current.namespace == ref.namespace and one.current.group == ref.group,
        lambda one: one.current.namespace == ref.namespace,
        lambda one: one.current.group == ref.group,
        lambda _: True,
    ):
        found = [one for one in named if fits(one)]
        if found:
            return found[0]
    earlier = [one for one in resources if any(it.kind == ref.kind and it.name == ref.name for it in one.ids())]
    return earlier[0] if earlier else None


def _is_named(resource: Resource, name: str) -> bool:
    current = resource.current.name
    if name == current:
        return True
    return resource.hashed and name.startswith(current) and _HASH.fullmatch(name[len(current) :]) is not None
