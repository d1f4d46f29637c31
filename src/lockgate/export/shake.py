"""The Rego that one rule reaches, and nothing else.

Text in, text out: definitions start at column 1, as `opa fmt` writes them. What a definition names
is taken along, so that too much may stay and nothing that counts is lost.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lockgate.model import Rule
    from lockgate.rules import RuleSet

_STRING = r'"(?:[^"\\\n]|\\.)*"|`[^`]*`'
_COMMENT = re.compile(rf"({_STRING})|[ \t]*#[^\n]*")
_WORDS = re.compile(rf"{_STRING}|(?<![\w.])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_HEAD = re.compile(r"(?:default[ \t]+)?([A-Za-z_]\w*)")
_PACKAGE = re.compile(r"package[ \t]+([\w.]+)")
_IMPORT = re.compile(r"import[ \t]+data\.([\w.]+)(?:[ \t]+as[ \t]+(\w+))?")


@dataclass(slots=True)
class _Module:
    """One module taken apart.

    Attributes:
        imports: Package or rule, without `data.`, by the name it goes by.
        definitions: Line (from 1) and text of each, comments left out, by name.
    """

    imports: dict[str, str] = field(default_factory=dict)
    definitions: dict[str, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True, slots=True)
class Reached:
    """What a rule needs.

    Attributes:
        modules: Text of each module by its package, with what is needed of it.
        names: What was taken, each `package.name`.
        data: The first keys below `data` that are read, packages left out.
    """

    modules: Mapping[str, str]
    names: frozenset[str]
    data: frozenset[str]


def reached(ruleset: RuleSet, rule: Rule) -> Reached:
    """Everything that `deny` of one rule reaches.

    Args:
        ruleset: All rules.
        rule: One of them.

    Raises:
        LockgateError: The rule reads all of `data`, so that nobody can say what it needs.
    """
    modules = {_package(text): _take_apart(text) for _, text in ruleset.modules}
    home = next(package for package, file in ruleset.packages.items() if file == rule.file)
    own = _own_denies(ruleset, rule, modules[home])
    walk = _Walk(modules, rule)
    for _, text in own:
        walk.follow(home, text)
    walk.taken[home]["deny"] = own
    texts = {package: _written(package, modules[package], taken) for package, taken in walk.taken.items()}
    names = {f"{package}.{name}" for package, taken in walk.taken.items() for name in taken}
    return Reached(texts, frozenset(names), frozenset(walk.data))


def outside_strings(text: str, change: Callable[[str], str]) -> str:
    """Rego text with every dotted name outside of strings changed."""
    return _WORDS.sub(lambda found: found[0] if found[0][0] in '"`' else change(found[0]), text)


class _Walk:
    """Follows names from definition to definition."""

    def __init__(self, modules: Mapping[str, _Module], rule: Rule) -> None:
        self._modules = modules
        self._rule = rule
        self.taken: dict[str, dict[str, list[tuple[int, str]]]] = defaultdict(dict)
        self.data: set[str] = set()

    def follow(self, package: str, text: str) -> None:
        """Takes along what `text`, a part of `package`, names."""
        module = self._modules[package]
        for word in _names(text):
            first, _, rest = word.partition(".")
            if first == "data":
                self._absolute(rest)
            elif first in module.imports:
                self._absolute(f"{module.imports[first]}.{rest}".rstrip("."))
            elif first in module.definitions:
                self._take(package, first)

    def _absolute(self, path: str) -> None:
        """Takes along what `data.<path>` means: a definition, a whole package, or a document."""
        inside = [package for package in self._modules if f"{path}.".startswith(f"{package}.")]
        if inside:
            package = max(inside, key=len)
            name = path.removeprefix(package).lstrip(".").partition(".")[0]
            for one in [name] if name else list(self._modules[package].definitions):
                self._take(package, one)
            return
        if not path or path.partition(".")[0] == "lockgate":
            msg = f"{self._rule.file}:{self._rule.line}: {self._rule.id} reads all of `data{f'.{path}' * bool(path)}`"
            raise LockgateError(msg, "name the key that it needs, like `data.environments`")
        self.data.add(path.removeprefix("data.").partition(".")[0])

    def _take(self, package: str, name: str) -> None:
        found = self._modules[package].definitions.get(name, [])
        if name in self.taken[package]:
            return
        self.taken[package][name] = found
        for _, text in found:
            self.follow(package, text)


def _names(text: str) -> Iterator[str]:
    for found in _WORDS.findall(text):
        if found[0] not in '"`':
            yield found


def _package(text: str) -> str:
    found = re.search(rf"^{_PACKAGE.pattern}", text, re.MULTILINE)
    return found[1] if found else ""


def _take_apart(text: str) -> _Module:
    """A module's imports and definitions."""
    module = _Module()
    for line, block in _blocks(_COMMENT.sub(lambda found: found[1] or "", text)):
        head = block.partition("\n")[0]
        if _PACKAGE.match(head):
            continue
        if head.startswith("import "):
            if found := _IMPORT.match(head):
                module.imports[found[2] or found[1].rpartition(".")[2]] = found[1]
        elif name := _HEAD.match(head):
            module.definitions[name[1]].append((line, block))
    return module


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """Line and text of whatever starts at column 1 with a name."""
    start = 1
    lines: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"[A-Za-z_]", line) and lines:
            yield start, "\n".join(lines).rstrip()
            lines = []
        if not lines:
            start = number
        if line.strip() or lines:
            lines.append(line)
    if lines:
        yield start, "\n".join(lines).rstrip()


def _own_denies(ruleset: RuleSet, rule: Rule, module: _Module) -> list[tuple[int, str]]:
    """The `deny` definitions between a rule's METADATA and the next rule's."""
    later = [one.line for one in ruleset.rules.values() if one.file == rule.file and one.line > rule.line]
    end = min(later, default=1 << 30)
    return [found for found in module.definitions["deny"] if rule.line < found[0] < end]


def _written(package: str, module: _Module, taken: Mapping[str, list[tuple[int, str]]]) -> str:
    """A module with only the definitions in `taken`, in their order, and the imports that they use."""
    blocks = [text for _, text in sorted(block for found in taken.values() for block in found)]
    used = {word.partition(".")[0] for text in blocks for word in _names(text)}
    imports = [
        f"import data.{path}" + (f" as {name}" if path.rpartition(".")[2] != name else "")
        for name, path in sorted(module.imports.items())
        if name in used
    ]
    return "\n\n".join([f"package {package}", *(["\n".join(imports)] if imports else []), *blocks]) + "\n"
