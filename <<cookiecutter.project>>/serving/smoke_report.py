"""What became of the smoke test's checks, as JUnit and as JSON."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """What became of one check."""

    name: str
    seconds: float
    text: str
    failed: bool = False


def as_junit(outcomes: list[Outcome]) -> str:
    """Return the outcomes as a JUnit report."""
    failures = sum(outcome.failed for outcome in outcomes)
    seconds = f"{sum(outcome.seconds for outcome in outcomes):.3f}"
    attributes = {
        "name": "smoke",
        "tests": str(len(outcomes)),
        "failures": str(failures),
        "errors": "0",
        "skipped": "0",
    }
    suite = ET.Element("testsuite", {**attributes, "time": seconds})
    for outcome in outcomes:
        case = ET.SubElement(
            suite, "testcase", {"classname": "smoke", "name": outcome.name, "time": f"{outcome.seconds:.3f}"}
        )
        if outcome.failed:
            ET.SubElement(case, "failure", {"message": printable(outcome.text)})
        else:
            ET.SubElement(case, "system-out").text = printable(outcome.text)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"


def printable(text: str) -> str:
    """Return text without what XML cannot hold."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def as_json(outcomes: list[Outcome]) -> str:
    """Return the outcomes as JSON."""
    return json.dumps({"passed": not any(one.failed for one in outcomes), "checks": [vars(one) for one in outcomes]})
