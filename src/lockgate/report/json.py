"""The report as one JSON document for programs: stable keys, nothing that differs between engines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TextIO

from lockgate import credentials
from lockgate.report import common

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lockgate.model import Exemption, Finding, Json, Location, ObjectRef, Report, Rule

VERSION = 1
"""Rises when a key changes its meaning or goes; new keys may come without it."""


def write(report: Report, stream: TextIO, _root: Path) -> None:  # every format has this signature
    """Writes `report` as JSON with sorted keys and a line end."""
    json.dump(document(report), stream, indent=2, sort_keys=True, ensure_ascii=False)
    stream.write("\n")


def document(report: Report) -> dict[str, Json]:
    """The document that `write` writes.

    Engine, renderer and time are left out on purpose: the same repository gives the same bytes.
    """
    return {
        "version": VERSION,
        "environments": [{"name": name, "objects": report.objects.get(name, 0)} for name in report.environments],
        "shared": [{"path": path, "objects": number} for path, number in report.shared.items()],
        "rules": sorted(report.rules),
        "findings": [_finding(f, report.rules[f.rule]) for f in report.findings],
        "not_covered": list(report.not_covered),
        "left_out": [
            {"reason": one.reason, "names": list(map(credentials.mask, one.names))} for one in report.left_out
        ],
        "stale_baseline": list(report.stale),
        "without_schema": list(report.without_schema),
        "summary": common.summary(report),
    }


def _finding(finding: Finding, rule: Rule) -> dict[str, Json]:
    return {
        "rule": finding.rule,
        "severity": str(finding.severity),
        "title": rule.title,
        "message": credentials.mask(finding.message),
        "location": _location(finding.location),
        "related": [_location(other) for other in finding.related],
        "objects": [_object(ref) for ref in finding.objects],
        "path": list(finding.path),
        "environments": list(finding.environments),
        "fix": rule.remediation,
        "links": list(rule.links),
        "exemption": _exemption(finding.exemption) if finding.exemption else None,
        "baseline": finding.baseline,
    }


def _location(location: Location) -> dict[str, Json]:
    return {"file": location.file, "line": location.line, "column": location.column}


def _object(ref: ObjectRef) -> Mapping[str, str]:
    return {
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "namespace": ref.namespace,
        "name": ref.name,
    }


def _exemption(exemption: Exemption) -> Mapping[str, str]:
    return {"reason": credentials.mask(exemption.reason), "owner": exemption.owner, "expires": exemption.expires}
