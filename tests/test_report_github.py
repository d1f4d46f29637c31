"""Workflow commands, read back by a parser that takes nothing but their grammar."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pytest
from report_scene import CLEAN, HOSTILE, NASTY, NASTY_FILE, REPORT, REPORTS, in_a_checkout, written

from lockgate.report import common

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.model import Report

# A value ends at a comma or colon, so it holds neither; a % starts one of the known codes.
VALUE = r"(?:[^%\r\n:,]|%(?:25|0D|0A|3A|2C))*"
DATA = r"(?:[^%\r\n]|%(?:25|0D|0A))*"
COMMAND = re.compile(rf"::(error|warning|notice) ([a-z]+={VALUE}(?:,[a-z]+={VALUE})*)::({DATA})")
CODES = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}


class Command(NamedTuple):
    """A workflow command as the runner understands it."""

    name: str
    properties: dict[str, str]
    text: str


def decoded(text: str) -> str:
    return re.sub("|".join(CODES), lambda match: CODES[match[0]], text)


def commands(what: Report, root: Path) -> list[Command]:
    """Every line as a command; a line that is none fails."""
    found: list[Command] = []
    for line in written("github", what, root).split("\n")[:-1]:
        match = COMMAND.fullmatch(line)
        assert match, line
        pairs = (pair.partition("=") for pair in match[2].split(","))
        found.append(Command(match[1], {key: decoded(value) for key, _, value in pairs}, decoded(match[3])))
    return found


@pytest.mark.parametrize("what", REPORTS.values(), ids=REPORTS)
def test_every_line_is_a_command(what: Report, tmp_path: Path) -> None:
    found = commands(what, tmp_path)
    assert len(found) == len(what.findings) + len(what.not_covered) + len(common.left_out(what))
    assert all(set(one.properties) <= {"file", "line", "col", "title"} for one in found)


def test_a_clean_report_says_nothing(tmp_path: Path) -> None:
    assert written("github", CLEAN, tmp_path) == ""


def test_severities_places_and_fixes(tmp_path: Path) -> None:
    found = commands(REPORT, tmp_path)
    assert [one.name for one in found] == ["notice", "error", "warning", "error", "notice"]
    assert found[0].text.startswith("exempted until 2026-12-08, ml-platform: not pinned yet\n")
    assert found[2].properties == {"file": "gone.yaml", "line": "9", "title": "SCH004 dev"}
    assert found[3].properties["col"] == "3"
    assert found[3].text.splitlines() == [
        "wants at most 4 GPUs, found a peak of 8: 4 pods x 2 GPUs",
        "in: prod: HorizontalPodAutoscaler/api",
        "fix: Lower `maxReplicas`.",
    ]


def test_nasty_text_comes_back_whole(tmp_path: Path) -> None:
    first = commands(HOSTILE, in_a_checkout(tmp_path))[0]
    assert first.properties["file"] == f"services/qwen chat/{NASTY_FILE}"
    assert first.properties["title"] == "NET001 prod, dev"
    assert first.properties["line"] == "1"
    assert first.text.startswith(NASTY.replace("\x1b", " "))


def test_outside_of_git_paths_are_the_repositorys(tmp_path: Path) -> None:
    assert commands(REPORT, tmp_path)[0].properties["file"] == "base/deployment.yaml"
