"""The report as JUnit XML, which every CI system shows: a suite per environment, a case per rule.

An error is a failure; warnings and notes pass with a text, as they do not fail the gate by default;
an exempted finding is a skipped case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from lockgate import credentials
from lockgate.model import Finding, Report, Rule, Severity
from lockgate.report import common

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element


def write(report: Report, stream: TextIO, _root: Path) -> None:  # every format has this signature
    """Writes `report` as XML with a suite for each environment, and one for what is not covered."""
    from xml.etree import ElementTree as ET

    suites = ET.Element("testsuites", name="lockgate")
    for environment in report.environments:
        found = [finding for finding in report.findings if environment in finding.environments]
        suite = ET.SubElement(suites, "testsuite", name=environment)
        for identifier in sorted(report.rules):
            _rule(suite, report.rules[identifier], [f for f in found if f.rule == identifier], environment)
    if report.not_covered:
        suite = ET.SubElement(suites, "testsuite", name="not covered")
        for name in report.not_covered:
            case = ET.SubElement(suite, "testcase", classname="lockgate.not-covered", name=credentials.said(name))
            ET.SubElement(case, "skipped", message=common.NOT_COVERED)
    if common.left_out(report):
        suite = ET.SubElement(suites, "testsuite", name="left out")
        for name, reason in common.left_out(report):
            case = ET.SubElement(suite, "testcase", classname="lockgate.left-out", name=name)
            ET.SubElement(case, "skipped", message=reason)
    _count(suites)
    ET.indent(suites)
    stream.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    stream.write(ET.tostring(suites, encoding="unicode") + "\n")


def _rule(suite: Element, rule: Rule, found: list[Finding], environment: str) -> None:
    """The cases of one rule: one that passes, or one for each finding."""
    for finding in found:
        case = _case(suite, f"{rule.id} {common.names(finding)}: {rule.title}", environment)
        case.set("file", credentials.said(finding.location.file))
        case.set("line", str(max(finding.location.line, 1)))
        _outcome(case, finding, rule)
    if not found:
        _case(suite, f"{rule.id}: {rule.title}", environment)


def _case(suite: Element, name: str, environment: str) -> Element:
    from xml.etree.ElementTree import SubElement

    return SubElement(
        suite, "testcase", classname=credentials.said(f"lockgate.{environment}"), name=credentials.said(name), time="0"
    )


def _outcome(case: Element, finding: Finding, rule: Rule) -> None:
    from xml.etree.ElementTree import SubElement

    message = credentials.said(finding.message)
    places = "".join(f"\nsee: {credentials.said(str(other))}" for other in finding.related)
    text = f"{credentials.said(str(finding.location))}: {message}{places}\nfix: {credentials.said(rule.remediation)}"
    if not finding.open:
        SubElement(case, "skipped", message=f"{common.set_aside_by(finding)}: {message}").text = text
    elif finding.severity is Severity.ERROR:
        SubElement(case, "failure", type=finding.rule, message=message).text = text
    else:
        SubElement(case, "system-out").text = f"{finding.severity}: {text}"


def _count(suites: Element) -> None:
    """Sets the counts that readers take from each suite and from the whole."""
    for parent in (*suites, suites):
        totals = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
        for name, tag in totals.items():
            parent.set(name, str(sum(1 for _ in parent.iter(tag))))
        parent.set("time", "0")
