"""A repository's files, read once: text, YAML documents, kustomizations. Several traces share one."""

from __future__ import annotations

import difflib
import posixpath
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lockgate.errors import LockgateError
from lockgate.trace.source import Node, Place, parse

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.model import Location

KUSTOMIZATION_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")

FIELDS = frozenset(
    [
        "apiVersion",
        "kind",
        "metadata",
        "openapi",
        "namePrefix",
        "nameSuffix",
        "namespace",
        "commonLabels",
        "labels",
        "commonAnnotations",
        "patchesStrategicMerge",
        "patchesJson6902",
        "patches",
        "images",
        "imageTags",
        "replacements",
        "replicas",
        "vars",
        "sortOptions",
        "resources",
        "components",
        "crds",
        "bases",
        "configMapGenerator",
        "secretGenerator",
        "helmGlobals",
        "helmCharts",
        "helmChartInflationGenerator",
        "generatorOptions",
        "configurations",
        "generators",
        "transformers",
        "validators",
        "buildMetadata",
    ],
)
"""Every field of a kustomization that kustomize 5 reads; another one makes it refuse the file."""


@dataclass(frozen=True, slots=True)
class Kustomization:
    """One kustomization file.

    Attributes:
        folder: Its folder, POSIX, relative to the repository root; empty for the root itself.
        file: The file, likewise.
        node: Its content.
    """

    folder: str
    file: str
    node: Node

    @property
    def is_component(self) -> bool:
        """Whether it adds to the kustomization that names it instead of standing alone."""
        return self.node.text("kind") == "Component"

    def resolve(self, name: str) -> str:
        """A path written in this kustomization, relative to the repository root."""
        return posixpath.normpath(posixpath.join(self.folder or ".", name))


@dataclass(slots=True)
class Sources:
    """The files below one repository root, each read and parsed at most once.

    Attributes:
        root: Folder of the repository.
        built: What other parts keep here per kustomization folder, so that overlays share a base.
    """

    root: Path
    built: dict[str, object] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict)
    _given: set[str] = field(default_factory=set)
    _lines: dict[str, list[str]] = field(default_factory=dict)
    _documents: dict[str, list[Node]] = field(default_factory=dict)
    _kustomizations: dict[str, Kustomization] = field(default_factory=dict)

    def add(self, path: str, text: str) -> None:
        """Takes in a text as the file `path`, which need not be on disk."""
        self._texts[path] = text
        self._given.add(path)

    def texts(self) -> dict[str, str]:
        """The texts that were taken in by `add`, by path."""
        return {path: self._texts[path] for path in sorted(self._given)}

    def is_text(self, path: str) -> bool:
        """Whether the file's text has been read."""
        return path in self._texts

    def is_file(self, path: str) -> bool:
        """Whether a file is there."""
        return path in self._texts or stat.S_ISREG(self._mode(path))

    def is_folder(self, path: str) -> bool:
        """Whether a folder is there."""
        return path in self._kustomizations or stat.S_ISDIR(self._mode(path))

    def text(self, path: str) -> str:
        """A file's text.

        Raises:
            LockgateError: It cannot be read or is not UTF-8.
        """
        if path not in self._texts:
            self._texts[path] = self._read(path)
        return self._texts[path]

    def lines(self, path: str) -> list[str]:
        """A file's lines."""
        if path not in self._lines:
            self._lines[path] = self.text(path).split("\n")
        return self._lines[path]

    def documents(self, path: str) -> list[Node]:
        """The YAML documents of a file, empty ones left out.

        Raises:
            LockgateError: It cannot be read or is no YAML.
        """
        if path not in self._documents:
            self._documents[path] = parse(self.text(path), Place(path))
        return self._documents[path]

    def kustomization(self, folder: str, named_at: Location | None = None) -> Kustomization:
        """The kustomization of a folder.

        Args:
            folder: POSIX path relative to the root.
            named_at: Where another kustomization names it, for the message.

        Raises:
            LockgateError: There is none, there are several, or it is not one.
        """
        folder = "" if folder == "." else folder
        if folder not in self._kustomizations:
            self._kustomizations[folder] = self._load(folder, named_at)
        return self._kustomizations[folder]

    def _mode(self, path: str) -> int:
        """Kind and permissions of what lies at a path; 0 where nothing can (not even by its name)."""
        try:
            return (self.root / path).stat().st_mode
        except (OSError, ValueError):
            return 0

    def _read(self, path: str) -> str:
        try:
            content = (self.root / path).read_bytes()
        except OSError as error:
            raise LockgateError(f"{path}:1: cannot be read: {error.strerror or error}", _access_hint(error)) from error
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            message = f"{path}:{line}: not UTF-8 text: byte {content[error.start]:#04x}"
            raise LockgateError(message, "save it as UTF-8; a binary file cannot be a manifest or a patch") from error

    def _load(self, folder: str, named_at: Location | None) -> Kustomization:
        prefix = f"{named_at}: " if named_at else ""
        shown = folder or "."
        if not stat.S_ISDIR(self._mode(folder)):
            raise LockgateError(f"{prefix}there is no folder {shown!r}", "create it, or correct the path")
        found = [name for name in KUSTOMIZATION_NAMES if (self.root / folder / name).is_file()]
        if not found:
            message = f"{prefix}folder {shown!r} has no kustomization.yaml"
            raise LockgateError(message, f"add one, or name the files of {shown!r} one by one")
        if len(found) > 1:
            message = f"{prefix}folder {shown!r} has several kustomizations: {', '.join(found)}"
            raise LockgateError(message, "keep one of them")
        file = posixpath.join(folder, found[0])
        documents = self.documents(file)
        if not documents or not documents[0].fields():
            raise LockgateError(f"{file}:1: the kustomization is empty", "name at least one resource")
        _check(file, documents[0])
        return Kustomization(folder, file, documents[0])


def _access_hint(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "give yourself the right to read it"
    return "create the file, or correct the path that names it"


def _check(file: str, node: Node) -> None:
    """Refuse what kustomize refuses, with the line.

    Raises:
        LockgateError: An unknown field, or a kind that is no kustomization's.
    """
    known = {name.casefold() for name in FIELDS}  # kustomize compares the names without regard to case
    for key, value in node.fields().items():
        if key.casefold() not in known:
            near = difflib.get_close_matches(key, FIELDS, 1)
            hint = f"did you mean {near[0]!r}?" if near else "remove it: kustomize refuses unknown fields"
            line = value.key_line or value.line
            raise LockgateError(f"{file}:{line}: unknown field {key!r} in a kustomization", hint)
    kind = node.get("kind")
    if kind is not None and kind.raw not in {"", "Kustomization", "Component"}:
        message = f"{kind.location}: kind {kind.raw!r} is no kustomization"
        raise LockgateError(message, "write kind: Kustomization or kind: Component")
    if not node.fields().keys() - {"apiVersion", "kind"}:
        raise LockgateError(f"{file}:1: the kustomization is empty", "name at least one resource")
