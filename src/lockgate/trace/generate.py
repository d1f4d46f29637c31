"""ConfigMap and Secret generators: the objects they make, each data key where its text was written."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.errors import LockgateError
from lockgate.trace.identity import Resource, id_of
from lockgate.trace.source import Node, Place, scalar

if TYPE_CHECKING:
    from lockgate.model import Json
    from lockgate.trace.files import Kustomization
    from lockgate.trace.state import State

GENERATORS = (("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret"))


def run_generators(state: State, kustomization: Kustomization) -> None:
    """Add what the generators of one kustomization make, or merge it into what is there."""
    for field, kind in GENERATORS:
        for index, entry in enumerate(kustomization.node.items(field)):
            source = _Source(state, kustomization, entry, kind)
            data = source.data()
            state.generators.append(source.document([field, index]))
            _add(state, entry, source.resource(data))


@dataclass(slots=True)
class _Source:
    """One generator entry."""

    state: State
    kustomization: Kustomization
    entry: Node
    kind: str

    def data(self) -> dict[str, Node]:
        """The data keys with their texts, in kustomize's order: envs, literals, files."""
        found: dict[str, Node] = {}
        for name in self._env_files():
            found.update(self._env(name))
        for literal in self.entry.items("literals"):
            key, _, value = literal.raw.partition("=")
            node = literal.changed(_unquoted(value))
            node.raw, node.style = _unquoted(value), '"'
            found[key] = node
        for name in self.entry.items("files"):
            key, path = _file_source(name.raw)
            text = self._text(path, name)
            node = Node(text, Place(self.kustomization.resolve(path)), text, "file")
            node.before = name
            found[key] = node
        return found

    def resource(self, data: dict[str, Node]) -> Resource:
        """The object."""
        place = self.entry.place
        name = self.entry.get("name") or self.entry
        metadata = {"name": scalar(self.entry.text("name"), name.place)}
        if namespace := self.entry.get("namespace"):
            metadata["namespace"] = namespace
        for field in ("labels", "annotations"):
            pairs = {**self._shared().fields(field), **self.entry.fields("options", field)}
            if pairs:
                metadata[field] = Node({key: value.changed(value.raw) for key, value in pairs.items()}, place)
        fields = {
            "apiVersion": scalar("v1", place),
            "kind": scalar(self.kind, place),
            "metadata": Node(dict(metadata), place),
        }
        if data:
            fields["data"] = Node(dict(data), place)
        if self.kind == "Secret":
            fields["type"] = self.entry.get("type") or scalar("Opaque", place)
        if immutable := self._option("immutable"):
            fields["immutable"] = immutable
        node = Node(dict(fields), place)
        return Resource(node, hashed=self._option("disableNameSuffixHash") is None, generated=self.entry)

    def document(self, path: list[str | int]) -> Json:
        """As rules see it: names of keys and files, never a value."""
        resolve = self.kustomization.resolve
        return {
            "file": self.kustomization.file,
            "path": path,
            "kind": self.kind,
            "name": self.entry.text("name"),
            "literals": [item.raw.partition("=")[0] for item in self.entry.items("literals")],
            "files": [resolve(_file_source(item.raw)[1]) for item in self.entry.items("files")],
            "envs": [resolve(item.raw) for item in self._env_files()],
        }

    def _shared(self) -> Node:
        return self.kustomization.node.get("generatorOptions") or Node({}, self.entry.place)

    def _option(self, name: str) -> Node | None:
        """An option that is on, here or for all generators."""
        for node in (self.entry.get("options", name), self._shared().get(name)):
            if node is not None and node.value is True:
                return node
        return None

    def _env_files(self) -> list[Node]:
        single = self.entry.get("env")
        return [*self.entry.items("envs"), *([single] if single is not None and single.raw else [])]

    def _env(self, name: Node) -> dict[str, Node]:
        path = self.kustomization.resolve(name.raw)
        found = {}
        for number, line in enumerate(self._text(name.raw, name).splitlines(), 1):
            text = line.lstrip()
            if text and not text.startswith("#"):
                key, _, value = text.partition("=")
                found[key] = scalar(value, Place(path, number, len(line) - len(text) + 1))
        return found

    def _text(self, name: str, named: Node) -> str:
        path = self.kustomization.resolve(name)
        if not self.state.sources.is_file(path):
            made = f"{self.kind} {self.entry.text('name')!r}"
            message = f"{named.location}: {made} is made from {name!r}, which is no file"
            raise LockgateError(message, "create the file, or correct the path")
        self.state.files[path] = None
        try:
            return self.state.sources.text(path)
        except LockgateError as error:
            if not isinstance(error.__cause__, UnicodeDecodeError):
                raise
            # Binary content is allowed here: it goes into binaryData, and nothing inside it can be traced.
            return ""


def _file_source(text: str) -> tuple[str, str]:
    key, separator, path = text.partition("=")
    return (key, path) if separator else (posixpath.basename(text), text)


def _unquoted(text: str) -> str:
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def _add(state: State, entry: Node, new: Resource) -> None:
    behavior = entry.text("behavior")
    if behavior not in {"merge", "replace"}:
        state.resources.append(new)
        return
    wanted = id_of(new.node)
    old = next((one for one in state.resources if any(wanted.equals(it) for it in one.ids())), None)
    if old is None:
        state.resources.append(new)  # kustomize refuses the build, or what is not replayed has it
        return
    old.node = _merged(old.node, new.node, keep_data=behavior == "merge")
    old.hashed = old.hashed and new.hashed
    old.generated = old.generated if behavior == "merge" else entry


def _merged(old: Node, new: Node, *, keep_data: bool) -> Node:
    """The old object under the new one's data; labels and annotations of both."""
    fields = {**new.fields(), **(dict(old.fields()) if keep_data else {}), "metadata": _merged_metadata(old, new)}
    for name in ("data", "binaryData"):
        if keep_data and (old.get(name) or new.get(name)):
            base = old.get(name) or new.get(name) or new
            fields[name] = base.changed(_over(old.get(name), new.get(name)))
    return (old if keep_data else new.replacing(old)).changed(dict(fields))


def _merged_metadata(old: Node, new: Node) -> Node:
    metadata = dict(new.fields("metadata"))
    for name in ("labels", "annotations"):
        pairs = _over(old.get("metadata", name), new.get("metadata", name))
        if pairs:
            metadata[name] = (old.get("metadata", name) or new).changed(dict(pairs))
    for name in ("name", "namespace"):
        if value := old.get("metadata", name):
            metadata[name] = value
    return (old.get("metadata") or new).changed(dict(metadata))


def _over(old: Node | None, new: Node | None) -> dict[str, Node]:
    values = dict(old.fields()) if old is not None else {}
    for key, value in (new.fields() if new is not None else {}).items():
        values[key] = value.replacing(values.get(key) or value.before)
    return values
