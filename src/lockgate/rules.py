"""The registry of rules: the policies folder in, its rules, modules and catalogues out.

A rule is a METADATA block directly above its first `deny`. What is wrong with one is an error with
file and line, before anything is evaluated: a rule that silently did not run would be a green gate.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate import __version__, cache
from lockgate.errors import LockgateError
from lockgate.model import LEVELS, Json, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping


_BLOCK = re.compile(r"^# METADATA[ \t]*\n((?:#.*\n)*)", re.MULTILINE)
_DENY = re.compile(r"^(?:default[ \t]+)?deny\b.*", re.MULTILINE)
_SET_HEAD = re.compile(r"deny\s+contains\b")
_PACKAGE = re.compile(r"^package[ \t]+([\w.]+)", re.MULTILINE)
_ID = re.compile(r"([A-Z]{3,8})[0-9]{3}")
_TEAM = "team/"
_KEYS = ("title", "description", "related_resources", "custom")
_CUSTOM_KEYS = ("id", "severity", "remediation", "scope")
_SCOPES = ("object", "environment", "repository")


@dataclass(frozen=True)
class RuleSet:
    """All rules of a policies folder, and what an engine needs to run them.

    Attributes:
        folder: The policies folder.
        rules: By id, in the order of files and lines.
        modules: Path relative to the folder and source text of every Rego file that is no test.
        packages: The packages that hold a `deny`, each with its file.
        data_files: Path relative to the folder and text of every catalogue.
        digest: Of modules and catalogues, hexadecimal.
    """

    folder: Path
    rules: Mapping[str, Rule]
    modules: tuple[tuple[str, str], ...]
    packages: Mapping[str, str]
    data_files: tuple[tuple[str, str], ...]
    digest: str

    @cached_property
    def data(self) -> dict[str, Json]:
        """The catalogues, merged by their top-level keys.

        Raises:
            LockgateError: A file is unreadable, holds no object, or repeats a key of another one.
        """
        merged: dict[str, Json] = {}
        origin: dict[str, str] = {}
        for name, text in self.data_files:
            for key, value in _catalogue(name, text).items():
                if key in merged:
                    msg = f"{name}: key {key!r} is already in {origin[key]}"
                    raise LockgateError(msg, "each catalogue has one top-level key of its own")
                merged[key] = value
                origin[key] = name
        return merged

    @property
    def has_facts(self) -> bool:
        """Whether a module computes facts for the repository document."""
        return any(_package(text) == "lockgate.facts" for _, text in self.modules)


def load(policies: Path) -> RuleSet:
    """The rules in the folder `policies`.

    Raises:
        LockgateError: No folder, no rule, an unreadable file, or METADATA that does not fit.
    """
    if not policies.is_dir():
        msg = f"no policies folder {str(policies)!r}, so no rule to check"
        raise LockgateError(msg, "restore it from git, or name the repository's root")
    modules, data_files = _read_folder(policies)
    digest = _digest(modules, data_files)
    rules, packages = _registry(policies, modules, digest)
    if not rules:
        msg = f"{policies}: no rule, so nothing would be checked"
        raise LockgateError(msg, "a rule is a METADATA block above a `deny contains` in a .rego file")
    return RuleSet(policies, rules, modules, packages, data_files, digest)


_Files = tuple[tuple[str, str], ...]


def _read_folder(policies: Path) -> tuple[_Files, _Files]:
    """Modules and catalogues, sorted by path."""
    modules: list[tuple[str, str]] = []
    data: list[tuple[str, str]] = []
    for current, folders, files in os.walk(policies):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in files:
            path = Path(current, file)
            name = path.relative_to(policies).as_posix()
            if file.endswith(".rego") and not file.endswith("_test.rego"):
                modules.append((name, _text(path, name)))
            elif name.startswith("data/") and path.suffix in {".json", ".yaml", ".yml"}:
                data.append((name, _text(path, name)))
    return tuple(sorted(modules)), tuple(sorted(data))


def _text(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        msg = f"{name}: wanted UTF-8 text, found a binary file"
        raise LockgateError(msg, "restore the file from git") from error
    except OSError as error:
        msg = f"{name}: cannot be read: {error.strerror}"
        raise LockgateError(msg, "check its permissions") from error


def _digest(*groups: _Files) -> str:
    """One number for everything that decides what the rules say."""
    total = hashlib.sha256(__version__.encode())
    for group in groups:
        for name, text in group:
            total.update(f"\0{name}\0{len(text)}\0".encode())
            total.update(text.encode())
    return total.hexdigest()


def _catalogue(name: str, text: str) -> dict[str, Json]:
    value: Json
    if name.endswith(".json"):
        try:
            value = json.loads(text)
        except ValueError as error:
            line = getattr(error, "lineno", 1)
            msg = f"{name}:{line}: not readable as JSON: {getattr(error, 'msg', error)}"
            raise LockgateError(msg, "mend the JSON at that line") from error
    else:
        from lockgate import yamltext

        value = yamltext.load(text, name)
    if not isinstance(value, dict):
        msg = f"{name}: wanted an object with one top-level key, found {type(value).__name__}"
        raise LockgateError(msg, "put the values under a key with the file's name")
    return value


_Registry = tuple[dict[str, Rule], dict[str, str]]


def _registry(policies: Path, modules: _Files, digest: str) -> _Registry:
    """Rules by id and packages; from the cache when these very files were read before."""
    name = f"{digest}.rules"
    known = cache.read(name)
    if known is not None:
        try:
            return _thaw(json.loads(known))
        except (ValueError, KeyError, TypeError):
            pass
    rules, packages = _scan_all(policies, modules)
    frozen = {"rules": [asdict(rule) for rule in rules.values()], "packages": packages}
    cache.write(name, json.dumps(frozen).encode())
    return rules, packages


def _thaw(frozen: Json) -> _Registry:
    """Rules as they were before they went into the cache."""
    rules: dict[str, Rule] = {}
    for fields in frozen["rules"]:
        fields["severity"] = {level: Severity(value) for level, value in fields["severity"].items()}
        fields["links"] = tuple(fields["links"])
        rules[fields["id"]] = Rule(**fields)
    return rules, dict(frozen["packages"])


def _scan_all(policies: Path, modules: _Files) -> _Registry:
    rules: dict[str, Rule] = {}
    packages: dict[str, str] = {}
    prefixes: dict[str, str] = {}
    for name, text in modules:
        found = _scan(name, text)
        if not found:
            continue
        packages[_checked_package(name, text)] = name
        for rule in found:
            _check_unique(rule, rules, prefixes)
            rules[rule.id] = rule
    if not modules:
        msg = f"{policies}: no .rego file, so no rule to check"
        raise LockgateError(msg, "restore the policies folder from git")
    return rules, packages


def _check_unique(rule: Rule, rules: Mapping[str, Rule], prefixes: dict[str, str]) -> None:
    """An id exists once, and its letters belong to one family's file; a team's files share theirs."""
    if rule.id in rules:
        other = rules[rule.id]
        msg = f"{rule.file}:{rule.line}: id {rule.id!r} is already used at {other.file}:{other.line}"
        raise LockgateError(msg, "take the next free number of the family")
    prefix = rule.id[:-3]
    place = _TEAM if rule.file.startswith(_TEAM) else rule.file
    home = prefixes.setdefault(prefix, place)
    if home != place:
        msg = f"{rule.file}:{rule.line}: id {rule.id!r} does not match the family: {prefix} is {home}'s"
        raise LockgateError(msg, f"move the rule to {home}, or take letters of its own")


def _checked_package(name: str, text: str) -> str:
    package = _package(text)
    wanted = "lockgate." + name.removesuffix(".rego").replace("/", ".").replace("-", "_")
    if package != wanted:
        msg = f"{name}:1: wanted `package {wanted}`, found {package!r}"
        raise LockgateError(msg, "the package of a rule file follows its path")
    return wanted


def _package(text: str) -> str:
    match = _PACKAGE.search(text)
    return match[1] if match else ""


def _scan(name: str, text: str) -> list[Rule]:
    """The rules of one module, in its order."""
    if "deny" not in text:
        return []
    blocks = {block.end(): block for block in _BLOCK.finditer(text)}
    rules: list[Rule] = []
    for head in _DENY.finditer(text):
        line = _line(text, head.start())
        if not _SET_HEAD.match(head[0]):
            msg = f"{name}:{line}: wanted `deny contains result if ...`, found {head[0].strip()!r}"
            raise LockgateError(msg, "every deny is a set of result objects")
        block = blocks.pop(head.start(), None)
        if block is not None:
            rules.append(_rule(name, _line(text, block.start()), block[1]))
        elif not rules:
            msg = f"{name}:{line}: the first `deny` has no METADATA block directly above it"
            raise LockgateError(msg, "add title, description, custom id, severity and remediation")
    if rules:
        _check_blocks_used(name, text, blocks)
    return rules


def _check_blocks_used(name: str, text: str, unused: Mapping[int, re.Match[str]]) -> None:
    """A block that stands above something else than a `deny` would be a rule that is none."""
    for end, block in unused.items():
        if not text.startswith("package", end) and re.search(r"^#\s+id:", block[1], re.MULTILINE):
            msg = f"{name}:{_line(text, block.start())}: this METADATA has no `deny` directly below it"
            raise LockgateError(msg, "put it right above the rule's first `deny contains`")


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _rule(name: str, line: int, comment: str) -> Rule:
    """One METADATA block as a rule.

    Args:
        name: The module.
        line: Where the block starts, from 1.
        comment: The block's lines below the word METADATA, with their `#`.
    """
    from lockgate import yamltext

    plain = re.sub(r"^# ?", "", comment, flags=re.MULTILINE)
    block = _Block(name, line, plain)
    # Empty lines in front make the YAML reader count lines as the file does.
    value = block.mapping(yamltext.load("\n" * line + plain, name), _KEYS, "")
    custom = block.mapping(value.get("custom"), _CUSTOM_KEYS, "custom")
    links = value.get("related_resources", [])
    if not isinstance(links, list) or not all(isinstance(link, str) for link in links):
        block.fail("related_resources", "wanted a list of links")
    identifier = block.text(custom, "id")
    if not _ID.fullmatch(identifier):
        block.fail("id", f"wanted an id like 'GPU001', found {identifier!r}")
    return Rule(
        id=identifier,
        family=name.rpartition("/")[2].removesuffix(".rego"),
        title=block.text(value, "title"),
        description=block.text(value, "description"),
        severity=block.severities(custom.get("severity")),
        remediation=block.text(custom, "remediation"),
        links=tuple(links),
        file=name,
        line=line,
        scope=block.choice(custom, "scope", _SCOPES, "environment"),
    )


@dataclass(frozen=True, slots=True)
class _Block:
    """Where a METADATA block stands, for errors that name the line."""

    file: str
    line: int
    comment: str

    def fail(self, key: str, problem: str) -> None:
        """Raises the error about `key`, at its line when it is there, else at the block."""
        line = self.line
        for number, content in enumerate(self.comment.splitlines(), self.line + 1):
            if re.match(rf"\s*{re.escape(key)}\s*:", content):
                line = number
                break
        msg = f"{self.file}:{line}: METADATA: {problem}"
        raise LockgateError(msg, "a block has title, description, custom {id, severity, remediation}")

    def mapping(self, value: Json, known: tuple[str, ...], where: str) -> dict[str, Json]:
        """`value` when it is a mapping of known keys."""
        if not isinstance(value, dict):
            self.fail(where, f"wanted a mapping{f' under {where!r}' if where else ''}")
        for key in value:
            if key not in known:
                self.fail(str(key), f"unknown key {key!r}; known: {', '.join(known)}")
        result: dict[str, Json] = value
        return result

    def text(self, holder: Mapping[str, Json], key: str) -> str:
        """The non-empty text under `key`, in one line."""
        value = holder.get(key)
        if not isinstance(value, str) or not value.strip():
            self.fail(key, f"wanted text under {key!r}, found {value!r}")
        return " ".join(str(value).split())

    def choice(self, holder: Mapping[str, Json], key: str, known: tuple[str, ...], otherwise: str) -> str:
        """The word under `key`, one of `known`; `otherwise` when there is none."""
        value = holder.get(key, otherwise)
        if value not in known:
            self.fail(key, f"wanted one of {', '.join(known)} under {key!r}, found {value!r}")
        return str(value)

    def severities(self, value: Json) -> dict[str, Severity]:
        """Severity by level."""
        for level, name in self.mapping(value, LEVELS, "severity").items():
            if name not in {"error", "warning", "note"}:
                self.fail("severity", f"wanted error, warning or note for {level}, found {name!r}")
        if not value:
            self.fail("severity", "wanted at least one of dev, canary, prod")
        return {level: Severity.named(name) for level, name in value.items()}
