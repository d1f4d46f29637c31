"""Whatever a message says, each format gives it back as it was: random texts, written and read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st
from report_scene import FINDINGS, REPORT, written
from test_report_github import commands
from test_report_markdown import cells

from lockgate import credentials

if TYPE_CHECKING:
    from lockgate.model import Report

NOWHERE = Path("/nowhere")
TEXTS = st.text(max_size=60) | st.text("|`\\<>&*_[](){}#@!~%:,'\"-+. \t1a", max_size=30)


def saying(message: str) -> Report:
    return replace(REPORT, findings=(replace(FINDINGS[3], message=message),), not_covered=())


@given(TEXTS)
def test_sarif_and_gitlab(message: str) -> None:
    said = credentials.said(message)
    [run] = json.loads(written("sarif", saying(message), NOWHERE))["runs"]
    assert run["results"][0]["message"]["text"] == f"{said} (prod)"
    [entry] = json.loads(written("gitlab", saying(message), NOWHERE))
    assert entry["description"] == f"CST001 (prod: HorizontalPodAutoscaler/api): {said}. Fix: Lower `maxReplicas`."


@given(TEXTS)
def test_junit(message: str) -> None:
    document = ET.fromstring(written("junit", saying(message), NOWHERE))  # noqa: S314  # what Lockgate wrote just now
    [failure] = document.iter("failure")
    assert failure.get("message") == credentials.said(message)


@given(TEXTS)
def test_github(message: str) -> None:
    [command] = commands(saying(message), NOWHERE)
    where = "in: prod: HorizontalPodAutoscaler/api"
    assert command.text == f"{credentials.said(message)}\n{where}\nfix: Lower `maxReplicas`."


@given(TEXTS)
def test_markdown(message: str) -> None:
    [_, row] = cells(saying(message), NOWHERE)
    assert row[3] == f"{credentials.said(message)}\nFix: Lower maxReplicas.".lstrip(" ")
