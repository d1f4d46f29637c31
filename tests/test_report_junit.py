"""JUnit, read back by junitparser and by the XML parser."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import junitparser
import pytest
from report_scene import CLEAN, HOSTILE, NASTY_FILE, REPORT, REPORTS, written

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.model import Report


def suites_of(what: Report, root: Path) -> dict[str, list[junitparser.TestCase]]:
    """The cases of each suite."""
    parsed = junitparser.JUnitXml.fromstring(written("junit", what, root).encode())
    return {suite.name: list(suite) for suite in parsed}


@pytest.mark.parametrize("what", REPORTS.values(), ids=REPORTS)
def test_the_counts_are_those_that_a_reader_counts(what: Report, tmp_path: Path) -> None:
    text = written("junit", what, tmp_path)
    parsed = junitparser.JUnitXml.fromstring(text.encode())
    said = (parsed.tests, parsed.failures, parsed.errors, parsed.skipped)
    parsed.update_statistics()  # type: ignore[no-untyped-call]
    assert (parsed.tests, parsed.failures, parsed.errors, parsed.skipped) == said
    names = [suite.name for suite in parsed]
    further = ("not covered" if what.not_covered else "", "left out" if what.left_out or what.stale else "")
    assert names == [*what.environments, *filter(None, further)]


def test_every_rule_is_a_case_of_every_environment(tmp_path: Path) -> None:
    for suite, cases in suites_of(REPORT, tmp_path).items():
        if suite != "not covered":
            assert {case.name[:6] for case in cases} == set(REPORT.rules)
            assert {case.classname for case in cases} == {f"lockgate.{suite}"}


def test_errors_fail_warnings_pass_and_exempted_ones_are_skipped(tmp_path: Path) -> None:
    suites = suites_of(REPORT, tmp_path)
    failed = {(s, case.name[:6]) for s, cases in suites.items() for case in cases if case.is_failure}
    assert failed == {("dev", "KEY003"), ("canary", "KEY003"), ("prod", "KEY003"), ("prod", "CST001")}
    skipped = {(s, case.name[:6]) for s, cases in suites.items() for case in cases if case.is_skipped}
    assert skipped == {("prod", "IMG001"), ("not covered", "RayClu")}
    [warned] = [case for case in suites["dev"] if case.name.startswith("SCH004")]
    assert warned.is_passed
    assert warned.system_out.startswith("warning: gone.yaml:9")


def test_a_failure_says_where_and_what_to_do(tmp_path: Path) -> None:
    [case] = [case for case in suites_of(REPORT, tmp_path)["prod"] if case.name.startswith("CST001")]
    [failure] = case.result
    assert failure.message == "wants at most 4 GPUs, found a peak of 8: 4 pods x 2 GPUs"
    assert failure.text.splitlines()[1:] == ["see: base/hpa.yaml:7", "fix: Lower `maxReplicas`."]
    document = ET.fromstring(written("junit", REPORT, tmp_path))  # noqa: S314  # what Lockgate wrote just now
    element = document.find(".//testcase/failure/..")
    assert element is not None
    assert element.get("file") == "base/deployment.yaml"
    assert element.get("line") == "4"


def test_nasty_text_comes_back_whole(tmp_path: Path) -> None:
    [case, _] = [case for case in suites_of(HOSTILE, tmp_path)["dev"] if case.name.startswith("NET001")]
    for part in ("größe | 'a`b``c' <b>&amp;]]> 100%", "日本 🚢"):
        assert part in case.system_out
    assert NASTY_FILE in case.system_out


def test_a_clean_report_has_only_passing_cases(tmp_path: Path) -> None:
    assert all(case.is_passed for cases in suites_of(CLEAN, tmp_path).values() for case in cases)
