"""What a replayed build has so far: its objects, what each entry did, which files were read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lockgate.trace.schema import FieldSpec
from lockgate.trace.source import Node, Place

if TYPE_CHECKING:
    from lockgate.model import Json, Path
    from lockgate.trace.files import Kustomization, Sources
    from lockgate.trace.identity import Resource


@dataclass(slots=True)
class Entry:
    """What one entry of a kustomization did.

    Attributes:
        file: The kustomization.
        path: The entry in it.
        type: `patch`, `image`, `replica`, `replacement` or `label`.
        what: The entry in words.
        matched: Whether some object matched; None when that cannot be known.
        changed: Whether something came out different; None likewise.
    """

    file: str
    path: Path
    type: str
    what: str
    matched: bool | None = False
    changed: bool | None = False

    def add(self, other: Entry) -> None:
        """The same entry at work in another place of the tree."""
        self.matched = _either(self.matched, other.matched)
        self.changed = _either(self.changed, other.changed)

    def document(self) -> Json:
        """As rules see it."""
        return {
            "file": self.file,
            "path": list(self.path),
            "type": self.type,
            "what": self.what,
            "matched": self.matched,
            "changed": self.changed,
        }


def _either(*known: bool | None) -> bool | None:
    """Yes if one is yes, else unknown if one is unknown."""
    if any(known):
        return True
    return None if None in known else False


@dataclass(slots=True)
class State:
    """A build on its way.

    Attributes:
        sources: The files.
        resources: The objects, in the build's order.
        entries: What the entries did, by file and path.
        generators: The generator entries, as rules see them.
        files: Files read, in order, without repetition (a dict for that).
        specs: Field specs that configurations add, by transformer.
        twice: Objects of plain YAML that stand a second time: the first and the later one.
        partial: Whether something took part that cannot be replayed (a remote base, a plugin, a chart).
    """

    sources: Sources
    resources: list[Resource] = field(default_factory=list)
    entries: dict[tuple[str, Path], Entry] = field(default_factory=dict)
    generators: list[Json] = field(default_factory=list)
    files: dict[str, None] = field(default_factory=dict)
    specs: dict[str, list[FieldSpec]] = field(default_factory=dict)
    twice: list[tuple[Node, Node]] = field(default_factory=list)
    partial: bool = False

    def read(self, path: str) -> list[Node]:
        """The documents of a file that the build reads."""
        self.files[path] = None
        return self.sources.documents(path)

    def note(self, entry: Entry) -> None:
        """Take note of what an entry did."""
        if self.partial:  # what is not known may have matched, or changed the value before
            entry.matched, entry.changed = entry.matched or None, entry.changed or None
        known = self.entries.setdefault((entry.file, entry.path), entry)
        if known is not entry:
            known.add(entry)

    def absorb(self, other: State) -> None:
        """Take in a finished build (which stays as it is)."""
        self.resources.extend(resource.copy() for resource in other.resources)
        for (file, path), entry in other.entries.items():
            copied = Entry(file, path, entry.type, entry.what, entry.matched, entry.changed)
            if (known := self.entries.setdefault((file, path), copied)) is not copied:
                known.add(copied)
        self.generators.extend(one for one in other.generators if one not in self.generators)
        self.files.update(other.files)
        for name, specs in other.specs.items():
            self.specs.setdefault(name, []).extend(specs)
        self.partial |= other.partial

    def field_specs(self, name: str, defaults: Iterable[FieldSpec]) -> list[FieldSpec]:
        """The places that a transformer writes to, those of `configurations` included."""
        return [*defaults, *self.specs.get(name, ())]


@dataclass(frozen=True, slots=True)
class Field:
    """An entry's own node with the kustomization it stands in."""

    kustomization: Kustomization
    node: Node


Write = Callable[[Node | None], Node | None]
"""From the value there (None: missing) to the new one (None: leave it)."""


def write_field(node: Node, parts: list[str], write: Write, made: Place | None) -> Node:
    """A tree with the field at `parts` written, in every item of the lists on the way.

    Args:
        node: The tree.
        parts: Names; a `[]` behind one says that it is a list.
        write: Gives the new value.
        made: Where containers that are missing are said to be written; None makes none.
    """
    if isinstance(node.value, list):
        items = [write_field(item, parts, write, made) for item in node.value]
        return node if all(map(_is, items, node.value)) else node.changed(list(items))
    if not isinstance(node.value, dict):
        return node
    name = parts[0].removesuffix("[]")
    old = node.value.get(name)
    missing = old is None or old.value is None
    if missing and (made is None or parts[0].endswith("[]")):
        return node
    if len(parts) == 1:
        new = write(None if missing else old)
    elif missing and made is not None:
        new = write_field(Node({}, made), parts[1:], write, made)
    else:
        new = write_field(old, parts[1:], write, made) if old is not None else None
    return node if new is None or new is old else node.changed({**node.value, name: new})


def _is(one: object, other: object) -> bool:
    return one is other


def read_spec(node: Node) -> FieldSpec:
    """A field spec of a configuration file or a labels entry."""
    create = node.get("create")
    return FieldSpec(
        node.text("path"),
        node.text("kind"),
        node.text("group"),
        node.text("version"),
        create=create is not None and create.value is True,
    )
