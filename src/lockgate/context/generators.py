"""An ApplicationSet's generators without a cluster: the parameters of each Application that it makes.

Only what the repository itself decides: lists, folders of the own repository, and matrix and merge of
these. Anything else is `UnknownGenerator`, never a guess.
Source: https://argo-cd.readthedocs.io/en/stable/operator-manual/applicationset/Generators/
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path as Folder

    from lockgate.model import Json, Path

_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_FIELD = re.compile(r"\s*\.(?P<key>\w+(?:\.\w+)*)\s*")
_INDEX = re.compile(r"\s*index\s+\.(?P<key>\w+(?:\.\w+)*)\s+(?P<index>\d+)\s*")
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9.-]+")


class UnknownGenerator(Exception):  # noqa: N818  # no error of the repository: what only the cluster knows
    """What keeps an ApplicationSet from being expanded: `with ...`."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that a generator gives.

    Attributes:
        value: The text that takes the placeholder's place.
        path: Where it is written in the ApplicationSet.
    """

    value: str
    path: Path


@dataclass(frozen=True, slots=True)
class Element:
    """The parameters of one Application.

    Attributes:
        parameters: By name; a nested one's name is joined by dots.
        path: Where the element is written in the ApplicationSet.
    """

    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    path: Path = ()


@dataclass(frozen=True, slots=True)
class Text:
    """A text of the template with its placeholders filled in.

    Attributes:
        value: The text.
        whole: Whether it is one placeholder and nothing else.
        parameters: What took part, in order.
    """

    value: str
    whole: bool
    parameters: tuple[Parameter, ...]


def elements(spec: Mapping[str, Json], root: Folder, repository: str) -> list[Element]:
    """The elements of all generators of an ApplicationSet's spec.

    Args:
        spec: The ApplicationSet's `spec`.
        root: Folder of the repository, whose folders a git generator lists.
        repository: URL that the template's source names: a git generator of another one is unknown.

    Raises:
        UnknownGenerator: Only the cluster, or another repository, knows them.
    """
    generators = spec.get("generators")
    if not isinstance(generators, list):
        return []
    reader = _Reader(root, repository)
    return [one for i, g in enumerate(generators) for one in reader.read(g, ("spec", "generators", i))]


def fill(text: str, parameters: Mapping[str, Parameter], *, go: bool) -> Text:
    """A text of the template with its placeholders filled in.

    Args:
        text: As the template has it.
        parameters: Of one element.
        go: Whether the ApplicationSet says `goTemplate: true`.

    Raises:
        UnknownGenerator: A placeholder calls functions, or names a parameter that is not there.
    """
    used: list[Parameter] = []

    def value(match: re.Match[str]) -> str:
        name = _go_name(match[1]) if go else match[1].strip()
        found = parameters.get(name)
        if found is None:
            reason = f"with the placeholder '{{{{{match[1]}}}}}'"
            raise UnknownGenerator(reason)
        used.append(found)
        return found.value

    filled = _TAG.sub(value, text)
    return Text(filled, _TAG.fullmatch(text) is not None and len(used) == 1, tuple(used))


def _go_name(expression: str) -> str:
    """The parameter that a Go template's expression names; empty when it is more than a name."""
    if match := _FIELD.fullmatch(expression):
        return match["key"]
    match = _INDEX.fullmatch(expression)
    return f"{match['key']}.{match['index']}" if match else ""


class _Reader:
    """Reads generators; knows the folders of the repository."""

    def __init__(self, root: Folder, repository: str) -> None:
        self._root = root
        self._repository = repository

    def read(self, generator: Json, path: Path) -> list[Element]:
        """The elements of one generator."""
        kinds = list(generator) if isinstance(generator, dict) else []
        if len(kinds) != 1:
            reason = "with a generator with a selector" if "selector" in kinds else "with a generator of no kind"
            raise UnknownGenerator(reason)
        kind, body = kinds[0], generator[kinds[0]]
        readers = {"list": self._list, "git": self._git, "matrix": self._matrix, "merge": self._merge}
        if kind not in readers or not isinstance(body, dict) or body.get("template"):
            reason = f"with a generator '{kind}'"
            raise UnknownGenerator(reason)
        return readers[kind](body, (*path, kind))

    def _list(self, body: Mapping[str, Json], path: Path) -> list[Element]:
        listed = body.get("elements", [])
        if body.get("elementsYaml") or not isinstance(listed, list):
            reason = "with a list generator with elementsYaml"
            raise UnknownGenerator(reason)
        return [
            Element(dict(_leaves(element, (), (*path, "elements", i))), (*path, "elements", i))
            for i, element in enumerate(listed)
        ]

    def _git(self, body: Mapping[str, Json], path: Path) -> list[Element]:
        directories = body.get("directories")
        if not isinstance(directories, list) or body.keys() & {"files", "values", "pathParamPrefix"}:
            reason = "with a git generator that reads more than folders"
            raise UnknownGenerator(reason)
        if body.get("repoURL") != self._repository:
            reason = "with a git generator of another repository"
            raise UnknownGenerator(reason)
        found: dict[str, Path] = {}
        for i, entry in enumerate(directories):
            place = (*path, "directories", i, "path")
            found |= dict.fromkeys(self._folders(entry) - found.keys(), place)
        for entry in directories:
            if isinstance(entry, dict) and entry.get("exclude"):
                for folder in self._folders({**entry, "exclude": False}):
                    found.pop(folder, None)
        if not found:
            reason = "with a git generator that matches no folder of this repository"
            raise UnknownGenerator(reason)
        return [Element(dict(_of_folder(folder, found[folder])), found[folder]) for folder in sorted(found)]

    def _folders(self, entry: Json) -> set[str]:
        """Folders that one entry matches; none for one that excludes."""
        pattern = entry.get("path") if isinstance(entry, dict) else None
        if not isinstance(pattern, str) or entry.get("exclude") or not pattern.strip("./"):
            return set()
        if ".." in pattern.split("/"):
            return set()
        try:
            names = [match.relative_to(self._root) for match in self._root.glob(pattern.strip("/")) if match.is_dir()]
        except ValueError:  # `**` beside letters: no pattern of Argo CD's either.
            return set()
        return {name.as_posix() for name in names if not any(part.startswith(".") for part in name.parts)}

    def _matrix(self, body: Mapping[str, Json], path: Path) -> list[Element]:
        children = self._children(body, path)
        return [
            Element({name: p for one in chosen for name, p in one.parameters.items()}, chosen[0].path)
            for chosen in product(*children)
        ]

    def _merge(self, body: Mapping[str, Json], path: Path) -> list[Element]:
        keys = body.get("mergeKeys")
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            return []
        merged, *overriding = self._children(body, path)
        for others in overriding:
            by_key = {_key(other, keys): other for other in others}
            merged = [_overridden(one, by_key.get(_key(one, keys))) for one in merged]
        return merged

    def _children(self, body: Mapping[str, Json], path: Path) -> list[list[Element]]:
        """The elements of each generator inside matrix or merge."""
        inner = body.get("generators")
        if not isinstance(inner, list) or not inner or "{{" in str(inner):
            reason = "with a generator whose parts depend on one another"
            raise UnknownGenerator(reason)
        return [self.read(one, (*path, "generators", i)) for i, one in enumerate(inner)]


def _key(element: Element, keys: Sequence[str]) -> tuple[str | None, ...]:
    found = (element.parameters.get(key) for key in keys)
    return tuple(one.value if one else None for one in found)


def _overridden(element: Element, other: Element | None) -> Element:
    """An element of the first generator with the values of the one that has the same keys."""
    return Element({**element.parameters, **other.parameters}, element.path) if other else element


def _leaves(value: Json, name: tuple[str, ...], path: Path) -> Iterator[tuple[str, Parameter]]:
    """Every scalar below an element, by its joined name."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*name, str(key)), (*path, str(key)))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _leaves(item, (*name, str(i)), (*path, i))
    elif value is not None:
        # Go writes true and false in small letters.
        yield ".".join(name), Parameter(str(value).lower() if isinstance(value, bool) else str(value), path)


def _of_folder(folder: str, path: Path) -> Iterator[tuple[str, Parameter]]:
    """The parameters of a folder, for Go templates (`path.path`) and for plain ones (`path`, `path[0]`)."""
    *_, base = parts = folder.split("/")
    plain = _NOT_IN_A_NAME.sub("-", base.lower()).strip("-.")
    values = {"path": folder, "path.path": folder, "path.basename": base, "path.basenameNormalized": plain}
    for i, part in enumerate(parts):
        values |= {f"path[{i}]": part, f"path.segments.{i}": part}
    for name, value in values.items():
        yield name, Parameter(value, path)
