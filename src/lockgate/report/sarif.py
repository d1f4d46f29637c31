"""The report as SARIF 2.1.0, which code scanning of forges and editors reads.

Exempted findings are results with a suppression; objects that no rule covers are notifications.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TextIO
from urllib.parse import quote

from lockgate import __version__, credentials, pages
from lockgate.report import common

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.model import Finding, Json, Location, ObjectRef, Report, Rule

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_BASE = "%SRCROOT%"
_FINGERPRINT = "lockgateFinding/v1"


def write(report: Report, stream: TextIO, root: Path) -> None:
    """Writes `report` as one SARIF log with one run, paths counted from the git checkout."""
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [_run(report, common.prefix(root))]}
    json.dump(log, stream, indent=2, ensure_ascii=False)
    stream.write("\n")


def _run(report: Report, prefix: str) -> dict[str, Json]:
    identifiers = sorted(report.rules)
    numbers = {identifier: number for number, identifier in enumerate(identifiers)}
    return {
        "tool": {
            "driver": {
                "name": "Lockgate",
                "semanticVersion": __version__,
                "informationUri": pages.HOME,
                "rules": [_rule(report.rules[identifier]) for identifier in identifiers],
            }
        },
        "invocations": [_invocation(report)],
        "originalUriBaseIds": {_BASE: {"description": {"text": "The root of the git checkout."}}},
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(finding, digits, prefix) | {"ruleIndex": numbers[finding.rule]}
            for finding, digits in common.fingerprints(report)
        ],
        "properties": {"environments": list(report.environments), "summary": common.summary(report)},
    }


def _invocation(report: Report) -> dict[str, Json]:
    notes = [
        {"level": "note", "message": {"text": f"{credentials.said(name)} {common.NOT_COVERED}"}}
        for name in report.not_covered
    ]
    notes += [
        {"level": "note", "message": {"text": f"left out: {name}: {reason}"}}
        for name, reason in common.left_out(report)
    ]
    return {"executionSuccessful": True, "toolExecutionNotifications": notes}


def _rule(rule: Rule) -> dict[str, Json]:
    described: dict[str, Json] = {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.description},
        "help": {"text": pages.plain(rule), "markdown": pages.markdown(rule)},
        "defaultConfiguration": {"level": str(max(rule.severity.values()))},
        "properties": {
            "tags": [rule.family],
            "severity": {level: str(severity) for level, severity in rule.severity.items()},
        },
    }
    if rule.links:
        described["helpUri"] = quote(rule.links[0], safe=":/?#[]@!$&'()*+,;=%~")
    return described


def _result(finding: Finding, digits: str, prefix: str) -> dict[str, Json]:
    place = {
        "physicalLocation": _physical(finding.location, prefix),
        "logicalLocations": [_logical(ref) for ref in finding.objects],
    }
    result: dict[str, Json] = {
        "ruleId": finding.rule,
        "level": str(finding.severity),
        "message": {"text": credentials.said(f"{finding.message} ({', '.join(finding.environments)})")},
        "locations": [place],
        "partialFingerprints": {_FINGERPRINT: digits},
        # Either every result says what suppresses it or none does: an empty list is "nothing".
        "suppressions": [] if finding.open else [_suppression(finding)],
        "properties": {"environments": list(finding.environments), "path": list(finding.path)},
    }
    if finding.related:
        result["relatedLocations"] = [
            {"id": number, "physicalLocation": _physical(other, prefix), "message": {"text": "takes part in the value"}}
            for number, other in enumerate(finding.related, 1)
        ]
    return result


def _physical(location: Location, prefix: str) -> dict[str, Json]:
    region = {"startLine": max(location.line, 1)}
    if location.column > 0:
        region["startColumn"] = location.column
    return {"artifactLocation": {"uri": quote(prefix + location.file), "uriBaseId": _BASE}, "region": region}


def _logical(ref: ObjectRef) -> dict[str, Json]:
    parts = filter(None, (ref.api_version, ref.namespace, str(ref)))
    return {"name": ref.name, "fullyQualifiedName": " ".join(parts), "kind": "resource"}


def _suppression(finding: Finding) -> dict[str, Json]:
    why = common.exempted(finding.exemption) if finding.exemption else common.set_aside_by(finding)
    return {"kind": "external", "status": "accepted", "justification": why}
