"""The report as workflow commands of GitHub Actions: one annotation per finding, at its line.

A clean report writes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from lockgate import credentials
from lockgate.model import Finding, Report, Rule, Severity
from lockgate.report import common

if TYPE_CHECKING:
    from pathlib import Path

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_IN_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_IN_PROPERTIES = _IN_DATA | {":": "%3A", ",": "%2C"}


def write(report: Report, stream: TextIO, root: Path) -> None:
    """Writes one command per line, paths counted from the git checkout."""
    prefix = common.prefix(root)
    lines = [_annotation(finding, report.rules[finding.rule], prefix) for finding in report.findings]
    lines += [_not_covered(name) for name in report.not_covered]
    lines += [
        _command("notice", {"title": "left out"}, f"{name}: {reason}") for name, reason in common.left_out(report)
    ]
    stream.writelines(f"{line}\n" for line in lines)


def _annotation(finding: Finding, rule: Rule, prefix: str) -> str:
    """An exempted finding is only a notice, whatever it weighs."""
    place = finding.location
    properties = {"file": prefix + place.file, "line": str(max(place.line, 1))}
    if place.column > 0:
        properties["col"] = str(place.column)
    properties["title"] = credentials.said(f"{finding.rule} {', '.join(finding.environments)}")
    text = (
        f"{credentials.said(finding.message)}\nin: {common.where(finding)}\nfix: {credentials.said(rule.remediation)}"
    )
    if not finding.open:
        return _command("notice", properties, f"{common.set_aside_by(finding)}\n{text}")
    return _command(_COMMANDS[finding.severity], properties, text)


def _not_covered(name: str) -> str:
    return _command("notice", {"title": "not covered"}, f"{credentials.said(name)} {common.NOT_COVERED}")


def _command(name: str, properties: dict[str, str], text: str) -> str:
    listed = ",".join(f"{key}={_escaped(value, _IN_PROPERTIES)}" for key, value in properties.items())
    return f"::{name} {listed}::{_escaped(text, _IN_DATA)}"


def _escaped(text: str, codes: dict[str, str]) -> str:
    return "".join(codes.get(character, character) for character in text)
