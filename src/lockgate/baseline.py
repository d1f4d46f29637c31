"""A baseline: the findings that a repository had when it took up Lockgate, so that only new ones fail the gate.

A file of one entry per line and of no line numbers: rule, objects, field, environments. An entry covers a
finding in its environments and fewer; one that is also in another environment is new.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from lockgate.errors import LockgateError
from lockgate.model import Finding, Report, plain_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

VERSION = 1


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands for so many findings of a rule on one field.

    Attributes:
        rule: Rule id.
        objects: `Kind/name`, sorted; generated names without their hash.
        path: The field.
        environments: Where it was found.
        count: How many findings had all of these in common.
    """

    rule: str
    objects: tuple[str, ...]
    path: tuple[str | int, ...]
    environments: tuple[str, ...]
    count: int = 1

    def __str__(self) -> str:
        field = ".".join(map(str, self.path))
        return f"{self.rule} {', '.join(self.objects)} {field} ({', '.join(self.environments)})".replace("  ", " ")


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    version: int
    findings: list[Entry]


_Key: TypeAlias = tuple[str, tuple[str, ...], tuple[str | int, ...]]


def text(report: Report) -> str:
    """The baseline that covers every finding of a report which no exemption covers."""
    counts = Counter((*_key(finding), finding.environments) for finding in report.findings if finding.exemption is None)
    entries = [
        json.dumps(
            {"rule": rule, "objects": objects, "path": path, "environments": environments}
            | ({"count": count} if count > 1 else {}),
            ensure_ascii=False,
        )
        for (rule, objects, path, environments), count in sorted(counts.items(), key=lambda one: json.dumps(one[0]))
    ]
    return f'{{"version": {VERSION}, "findings": [\n' + ",\n".join(entries) + "\n]}\n"


def load(file: Path) -> list[Entry]:
    """The entries of a baseline.

    Raises:
        LockgateError: The file cannot be read or is no baseline.
    """
    hint = "write it with `lockgate check --write-baseline FILE`"
    try:
        content = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise LockgateError(f"{file}: wanted UTF-8 text, found a binary file", hint) from error
    except OSError as error:
        raise LockgateError(f"{file}: the baseline cannot be read: {error.strerror}", hint) from error
    return parse(content, str(file))


def parse(content: str, name: str) -> list[Entry]:
    """`load` for text that is already in hand, called `name` in messages."""
    hint = "write it with `lockgate check --write-baseline FILE`"
    try:
        found = msgspec.convert(json.loads(content), _File)
    except msgspec.ValidationError as error:
        raise LockgateError(f"{name}: no baseline: {error}", hint) from error
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        raise LockgateError(f"{name}:{line}: no baseline: {getattr(error, 'msg', error)}", hint) from error
    if found.version != VERSION:
        raise LockgateError(f"{name}: wanted version {VERSION} of a baseline, found {found.version}", hint)
    return found.findings


def applied(report: Report, entries: Sequence[Entry]) -> Report:
    """The report with the findings that entries cover set aside, and with the entries that cover none."""
    left = [entry.count for entry in entries]
    by_key: dict[_Key, list[int]] = {}
    for index, entry in enumerate(entries):
        by_key.setdefault((entry.rule, entry.objects, entry.path), []).append(index)
    findings = []
    for finding in report.findings:
        by = None if finding.exemption else _covering(finding, by_key.get(_key(finding), ()), entries, left)
        if by is not None:
            left[by] -= 1
        findings.append(finding if by is None else replace(finding, baseline=True))
    stale = (e for e, rest in zip(entries, left, strict=True) if rest and set(e.environments) <= {*report.environments})
    return replace(report, findings=tuple(findings), stale=tuple(sorted(map(str, stale))))


def _covering(finding: Finding, candidates: Iterable[int], entries: Sequence[Entry], left: Sequence[int]) -> int | None:
    """The entry with the fewest environments that covers a finding and is not used up."""
    fitting = [i for i in candidates if left[i] and set(finding.environments) <= set(entries[i].environments)]
    return min(fitting, key=lambda index: (len(entries[index].environments), index), default=None)


def _key(finding: Finding) -> _Key:
    objects = tuple(sorted({f"{ref.kind}/{plain_name(ref)}" for ref in finding.objects}))
    return finding.rule, objects, finding.path
