"""The report as GitLab's code quality JSON: one entry per finding, shown in a merge request.

The format has no word for an exemption: an exempted finding is an entry of the lowest severity that
says so. An object that no rule covers is one at `lockgate.yaml`.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, TextIO

from lockgate import credentials
from lockgate.model import Finding, Json, Report, Rule, Severity
from lockgate.report import common
from lockgate.settings import FILE

if TYPE_CHECKING:
    from pathlib import Path

_SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "minor", Severity.NOTE: "info"}


def write(report: Report, stream: TextIO, root: Path) -> None:
    """Writes a list of entries, paths counted from the git checkout."""
    prefix = common.prefix(root)
    entries = [_finding(f, digits, report.rules[f.rule], prefix) for f, digits in common.fingerprints(report)]
    entries += [_not_covered(name, prefix) for name in report.not_covered]
    entries += [_left_out(name, reason, prefix) for name, reason in common.left_out(report)]
    json.dump(entries, stream, indent=2, ensure_ascii=False)
    stream.write("\n")


def _finding(finding: Finding, digits: str, rule: Rule, prefix: str) -> dict[str, Json]:
    said = f"{finding.rule} ({common.where(finding)}): {credentials.said(finding.message)}"
    text = f"{said}. Fix: {credentials.said(rule.remediation)}"
    if not finding.open:
        why = common.set_aside_by(finding).rstrip(".")
        text = f"{why[:1].upper()}{why[1:]}. {text}"
    severity = _SEVERITIES[finding.severity] if finding.open else "info"
    return _entry(text, finding.rule, digits, severity, (prefix + finding.location.file, finding.location.line))


def _not_covered(name: str, prefix: str) -> dict[str, Json]:
    digits = hashlib.sha256(f"not covered\0{name}".encode()).hexdigest()
    return _entry(f"{credentials.said(name)} {common.NOT_COVERED}", "not-covered", digits, "info", (prefix + FILE, 1))


def _left_out(name: str, reason: str, prefix: str) -> dict[str, Json]:
    digits = hashlib.sha256(f"left out\0{reason}\0{name}".encode()).hexdigest()
    return _entry(f"Left out: {name}: {reason}", "left-out", digits, "info", (prefix + FILE, 1))


def _entry(text: str, check: str, digits: str, severity: str, place: tuple[str, int]) -> dict[str, Json]:
    path, line = place
    return {
        "description": text,
        "check_name": check,
        "fingerprint": digits,
        "severity": severity,
        "location": {"path": path, "lines": {"begin": max(line, 1)}},
    }
