"""What several formats say alike: text without secrets, paths in the git checkout, fingerprints, counts."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from lockgate import credentials
from lockgate.model import Exemption, Finding, LeftOut, Report, Severity, plain_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

STALE = "entry of the baseline that no finding needs"
"""What every format says of an entry of `Report.stale`."""

NOT_COVERED = "holds pods that no rule reads"
"""What every format says of an object of `Report.not_covered`."""


def where(finding: Finding) -> str:
    """The environments that a finding holds in, and its objects."""
    return credentials.said(f"{', '.join(finding.environments)}: {names(finding)}")


def names(finding: Finding) -> str:
    """The objects of a finding, each once: one object has a namespace in each environment."""
    return ", ".join(dict.fromkeys(map(str, finding.objects)))


def exempted(exemption: Exemption) -> str:
    """Until when, who and why, with what is missing said so."""
    until, owner = exemption.expires or "no date", exemption.owner or "no owner"
    return credentials.said(f"until {until}, {owner}: {exemption.reason or 'no reason'}")


def set_aside_by(finding: Finding) -> str:
    """Why a finding does not count, as a clause; empty for one that does."""
    if finding.exemption is not None:
        return f"exempted {exempted(finding.exemption)}"
    return "in the baseline" if finding.baseline else ""


def summary(report: Report) -> dict[str, int]:
    """Counts of what was checked and of what was found."""
    found = [finding.severity for finding in report.open]
    return {
        "environments": len(report.environments),
        "objects": sum((*report.objects.values(), *report.shared.values())),
        "rules": len(report.rules),
        "errors": found.count(Severity.ERROR),
        "warnings": found.count(Severity.WARNING),
        "notes": found.count(Severity.NOTE),
        "exempted": sum(finding.exemption is not None for finding in report.findings),
        "in_baseline": sum(finding.baseline for finding in report.findings),
        "stale": len(report.stale),
        "not_covered": len(report.not_covered),
        "left_out": sum(len(one.names) for one in report.left_out),
    }


def checked(counts: Mapping[str, int]) -> str:
    """What was checked, like `3 environments, 51 objects, 70 rules`."""
    return ", ".join(count(counts, name) for name in ("environments", "objects", "rules"))


def found(counts: Mapping[str, int]) -> str:
    """What was found, like `2 errors, 1 note`; empty when nothing was."""
    return ", ".join(count(counts, name) for name in ("errors", "warnings", "notes") if counts[name])


def set_aside(counts: Mapping[str, int]) -> str:
    """What is no open finding, like `, 1 exempted, 1 not covered`; empty when there is nothing."""
    names = (name for name in ("exempted", "in_baseline", "stale", "not_covered", "left_out") if counts[name])
    return "".join(f", {counts[name]} {name.replace('_', ' ')}" for name in names)


def left_out(report: Report) -> list[tuple[str, str]]:
    """What was not judged and what the baseline need not have, each name with its reason."""
    groups = [*report.left_out, LeftOut(STALE, report.stale)]
    return [(credentials.said(name), credentials.said(one.reason)) for one in groups for name in one.names]


def count(counts: Mapping[str, int], name: str) -> str:
    """One count in words, like `1 error`."""
    number = counts[name]
    return f"{number} {name.removesuffix('s') if number == 1 else name}"


def prefix(root: Path) -> str:
    """The repository's folder in its git checkout, like `services/qwen/`; empty when they are the same.

    A forge counts paths from the root of the checkout.
    """
    root = root.resolve()
    for folder in (root, *root.parents):
        if (folder / ".git").exists():
            inside = root.relative_to(folder).as_posix()
            return "" if inside == "." else f"{inside}/"
    return ""


def fingerprints(report: Report) -> Iterator[tuple[Finding, str]]:
    """Each finding with a number of 64 hexadecimal digits of its own.

    It stays the same when lines move, values change or an environment is added: it is made of rule,
    file, objects and field, and of the position among those that share all of them.
    """
    seen: Counter[str] = Counter()
    for finding in report.findings:
        objects = sorted({f"{ref.group}/{ref.kind}/{plain_name(ref)}" for ref in finding.objects})
        made_of = "\0".join([finding.rule, finding.location.file, *objects, *map(str, finding.path)])
        seen[made_of] += 1
        yield finding, hashlib.sha256(f"{made_of}\0{seen[made_of]}".encode()).hexdigest()
