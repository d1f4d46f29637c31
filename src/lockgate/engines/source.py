"""Rego text rewritten for one engine: names only, so that lines stay where they are."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

Modules: TypeAlias = Sequence[tuple[str, str]]
"""Name and text of each module."""

# Strings and comments are matched first, so that what stands in them stays as it is.
_SKIPPED = r'"(?:[^"\\\n]|\\.)*"|`[^`]*`|#[^\n]*'
_DATA = re.compile(rf"{_SKIPPED}|(?<![\w.])data\b(?!\s*:[^=])")
_CALL = re.compile(rf"{_SKIPPED}|(?<![\w.])(?P<owner>(?:\w+\.)*)(?P<name>[A-Za-z_]\w*)(?=\()")
_FUNCTION = re.compile(r"^(?:default[ \t]+)?([A-Za-z_]\w*)\(", re.MULTILINE)
_PACKAGE = re.compile(r"^package[ \t]+([\w.]+)", re.MULTILINE)
_IMPORT = re.compile(r"^import[ \t]+data\.([\w.]+)(?:[ \t]+as[ \t]+(\w+))?", re.MULTILINE)


def package_of(text: str) -> str:
    """The package of a module, empty when it says none."""
    match = _PACKAGE.search(text)
    return match[1] if match else ""


def private(text: str, prefix: str) -> str:
    """A module and all that it reads from `data`, moved below the package `prefix`."""
    moved = _DATA.sub(lambda token: f"data.{prefix}" if token[0] == "data" else token[0], text)
    return _PACKAGE.sub(rf"package {prefix}.\1", moved, count=1)


def distinct(modules: Modules) -> list[tuple[str, str]]:
    """Modules in which no two packages have a function of the same name.

    rego-cpp 1.5.2 takes such functions for one another while it compiles; with different numbers
    of arguments it reads beyond its memory and the process dies.
    """
    owners: dict[str, set[str]] = defaultdict(set)
    for _, text in modules:
        for function in _FUNCTION.findall(text):
            owners[function].add(package_of(text))
    shared = {
        (package, name): f"{name}__{number}"
        for name, packages in owners.items()
        if len(packages) > 1
        for number, package in enumerate(sorted(packages))
    }
    return [(name, _renamed(text, shared)) for name, text in modules] if shared else list(modules)


def _renamed(text: str, names: Mapping[tuple[str, str], str]) -> str:
    """A module that defines and calls functions by their new names."""
    packages = {"": package_of(text)}
    for package, alias in _IMPORT.findall(text):
        packages[f"{alias or package.rpartition('.')[2]}."] = package

    def new(call: re.Match[str]) -> str:
        name, owner = call["name"], call["owner"]
        if name is None:
            return call[0]
        package = packages.get(owner, owner.removeprefix("data.").rstrip("."))
        return f"{owner}{names.get((package, name), name)}"

    return _CALL.sub(new, text)


def ordered(modules: Modules) -> Iterable[tuple[str, str]]:
    """Modules in an order in which each comes after those whose packages it names."""
    texts = dict(modules)
    homes: dict[str, list[str]] = defaultdict(list)
    for name, text in modules:
        homes[package_of(text)].append(name)
    entered: set[str] = set()
    done: list[tuple[str, str]] = []

    def visit(name: str) -> None:
        if name in entered:
            return
        entered.add(name)
        for used in re.findall(r"\bdata\.([A-Za-z_][\w.]*)", texts[name]):
            for package, members in homes.items():
                if package and f"{used}.".startswith(f"{package}."):
                    for member in members:
                        visit(member)
        done.append((name, texts[name]))

    for name in texts:
        visit(name)
    return done
