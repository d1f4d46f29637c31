"""The three patch fields of a kustomization, replayed: strategic merges and JSON 6902."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.errors import LockgateError
from lockgate.trace import jsonpatch
from lockgate.trace.identity import Resource, Selector, id_of
from lockgate.trace.merge import Merge
from lockgate.trace.source import Node, parse_embedded, same
from lockgate.trace.state import Entry, State

if TYPE_CHECKING:
    from lockgate.model import Path
    from lockgate.trace.files import Kustomization


def merge_listed(state: State, kustomization: Kustomization) -> None:
    """`patchesStrategicMerge`: files, or patches written right there."""
    for index, item in enumerate(kustomization.node.items("patchesStrategicMerge")):
        inline = "\n" in item.raw.strip()
        documents = _inline(state, item) if inline else _from_file(state, kustomization, item)
        patch = _Patch(state, _entry(kustomization, ("patchesStrategicMerge", index), item, inline=inline))
        patch.merge_by_id(documents)


def apply_patches(state: State, kustomization: Kustomization) -> None:
    """`patches`: inline or by path, with or without a target."""
    for index, item in enumerate(kustomization.node.items("patches")):
        documents, inline = _documents(state, kustomization, item)
        name = item if inline else item.get("path") or item
        patch = _Patch(state, _entry(kustomization, ("patches", index), name, inline=inline), item.get("options"))
        target = item.get("target")
        if documents and isinstance(documents[0].value, list):
            patch.operate(documents[0].items(), target)
        elif target is not None:
            patch.merge_selected(documents, Selector.read(target))
        else:
            patch.merge_by_id(documents)
        state.note(patch.entry)


def apply_json_patches(state: State, kustomization: Kustomization) -> None:
    """`patchesJson6902`."""
    for index, item in enumerate(kustomization.node.items("patchesJson6902")):
        documents, inline = _documents(state, kustomization, item)
        name = item if inline else item.get("path") or item
        patch = _Patch(state, _entry(kustomization, ("patchesJson6902", index), name, inline=inline))
        patch.operate(documents[0].items() if documents else [], item.get("target"), remember=False)
        state.note(patch.entry)


def _entry(kustomization: Kustomization, path: Path, name: Node, *, inline: bool) -> Entry:
    what = "inline patch" if inline else f"patch {posixpath.basename(name.raw)}"
    return Entry(kustomization.file, path, "patch", what)


def _documents(state: State, kustomization: Kustomization, item: Node) -> tuple[list[Node], bool]:
    """The documents of an entry's patch, and whether they stand in the kustomization itself."""
    path, text = item.get("path"), item.get("patch")
    if path is not None and path.raw:
        return _from_file(state, kustomization, path), False
    if text is not None and text.raw:
        return _inline(state, text), True
    message = f"{item.location}: a patch needs 'path' or 'patch'"
    raise LockgateError(message, "name the patch file with path:, or write the patch under patch: |-")


def _inline(state: State, text: Node) -> list[Node]:
    return parse_embedded(text, state.sources.lines(text.file))


def _from_file(state: State, kustomization: Kustomization, name: Node) -> list[Node]:
    path = kustomization.resolve(name.raw)
    if not state.sources.is_file(path):
        message = f"{name.location}: patch {name.raw!r} is no file"
        raise LockgateError(message, "create the file, or correct the path")
    return state.read(path)


@dataclass(slots=True)
class _Patch:
    """One patch entry at work."""

    state: State
    entry: Entry
    options: Node | None = None

    def merge_by_id(self, documents: list[Node]) -> None:
        """Merge each document into the one object that it names."""
        for document in documents:
            wanted = id_of(document)
            found = [one for one in self.state.resources if any(wanted.equals(it) for it in one.ids())]
            if len(found) == 1:
                self._merge(found, document)
        self.state.note(self.entry)

    def merge_selected(self, documents: list[Node], target: Selector) -> None:
        """Merge the document into every object that the target selects."""
        found = [one for one in self.state.resources if target.selects(one)]
        for document in documents:
            self._merge(found, document)

    def operate(self, operations: list[Node], target: Node | None, *, remember: bool = True) -> None:
        """Apply JSON 6902 operations to every object that the target selects."""
        selector = Selector.read(target) if target is not None else None
        for resource in self.state.resources:
            if selector is None or not selector.selects(resource):
                continue
            self.entry.matched = True
            if remember:
                resource.remember()
            try:
                new = jsonpatch.apply(resource.node, operations)
            except jsonpatch.PatchError:
                self.entry.changed = self.entry.changed or None  # the renderer will say what does not fit
                continue
            self.entry.changed = self.entry.changed or not same(resource.node, new)
            resource.node = new

    def _merge(self, found: list[Resource], document: Node) -> None:
        names, kinds = self._allows("allowNameChange"), self._allows("allowKindChange")
        patch = _without_identity(document, names=names, kinds=kinds)
        removed = set()
        for resource in found:
            self.entry.matched = True
            if names or kinds:
                resource.remember()
            merge = Merge(resource.node.text("apiVersion"), resource.node.text("kind"))
            new = merge.apply(resource.node, patch)
            self.entry.changed = self.entry.changed or merge.changed
            if new is None:
                removed.add(id(resource))
            else:
                resource.node = new
        if removed:
            self.state.resources[:] = [one for one in self.state.resources if id(one) not in removed]

    def _allows(self, option: str) -> bool:
        node = self.options.get(option) if self.options is not None else None
        return node is not None and node.value is True


def _without_identity(document: Node, *, names: bool, kinds: bool) -> Node:
    """A patch without the fields that only say which object is meant: kustomize keeps the object's."""
    fields = _left(document, {"apiVersion"} if kinds else {"apiVersion", "kind"})
    metadata = fields.get("metadata")
    if metadata is not None and metadata.fields():
        fields["metadata"] = metadata.changed(_left(metadata, {"namespace"} if names else {"namespace", "name"}))
    return document.changed(fields)


def _left(node: Node, out: set[str]) -> dict[str, Node]:
    return {key: value for key, value in node.fields().items() if key not in out}
