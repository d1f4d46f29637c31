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
_ANY_IMPORT = re.compile(r"^import[ \t]+([\w.]+)(?:[ \t]+as[ \t]+(\w+))?[^\n]*\n", re.MULTILINE)
_HEAD = re.compile(r"^(?:default[ \t]+)?(?!(?:package|import|default|else)\b)([A-Za-z_]\w*)", re.MULTILINE)
_NAME = re.compile(rf"{_SKIPPED}|(?<![\w.])(?P<name>[A-Za-z_]\w*)")
# What may give a name a meaning of its own in one rule: arguments, `some` and `every`. Where `:=` does, OPA says so.
_LOCAL = re.compile(
    rf"{_SKIPPED}|^(?:default[ \t]+)?\w+\((?P<arguments>[^)]*)"
    r"|\b(?:some|every)\b(?P<some>[^\n;]*?\bin\b|[^\n;]*[\[{,]\s*\n.*?\bin\b|[^\n;]*)",
    re.MULTILINE | re.DOTALL,
)


def package_of(text: str) -> str:
    """The package of a module, empty when it says none."""
    match = _PACKAGE.search(text)
    return match[1] if match else ""


def private(text: str, prefix: str) -> str:
    """A module and all that it reads from `data`, moved below the package `prefix`."""
    moved = _DATA.sub(lambda token: f"data.{prefix}" if token[0] == "data" else token[0], text)
    return _PACKAGE.sub(rf"package {prefix}.\1", moved, count=1)


def joined(modules: Modules, prefix: str) -> str | None:
    """All modules as one, in the package `prefix`: each rule has its package before its name.

    A server compiles all it has at each module that it is sent: one takes a moment, sixty take a minute.

    Returns:
        The text, or None where a name may be a rule's here and a variable's there. OPA refuses the
        text where another doubt remains, such as a name in a template string.
    """
    parts = [f"package {prefix}\n\nimport rego.v1\n"]
    roots = {package_of(text).partition(".")[0] for _, text in modules}
    for _, text in modules:
        body = _ANY_IMPORT.sub("", _PACKAGE.sub("", text, count=1))
        full = _full_names(text, body, prefix)
        bare = {token["name"] for token in _NAME.finditer(body)}
        if _locals(body) & full.keys() or roots & bare:
            return None
        parts.append(_qualified(body, package_of(text), full))
    return "\n".join(parts)


def _full_names(text: str, body: str, prefix: str) -> dict[str, str]:
    """What a module may call by a short name, and where it stands below `prefix`."""
    full = {"data": f"data.{prefix}"}
    full.update({head: f"data.{prefix}.{package_of(text)}.{head}" for head in _HEAD.findall(body)})
    for path, alias in _ANY_IMPORT.findall(text):
        root, _, rest = path.partition(".")
        if root in {"data", "input"}:
            full[alias or path.rpartition(".")[2]] = f"{full.get(root, root)}.{rest}"
    return full


def _locals(body: str) -> set[str]:
    """Every name that stands where a rule declares variables, and some that stand beside them."""
    declared = (match["arguments"] or match["some"] or "" for match in _LOCAL.finditer(body))
    return {token["name"] for part in declared for token in _NAME.finditer(part) if token["name"]}


def _qualified(body: str, package: str, full: Mapping[str, str]) -> str:
    """A module's rules with every short name spelled out, without comments: annotations belong to files."""
    defined = {match.start(1) for match in _HEAD.finditer(body)}

    def new(token: re.Match[str]) -> str:
        name = token["name"]
        if name is None:
            return "" if token[0].startswith("#") else token[0]
        return f"{package}.{name}" if token.start() in defined else full.get(name, name)

    return _NAME.sub(new, body)


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
