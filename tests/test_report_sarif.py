"""SARIF against the official schema, and what the schema cannot say."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import jsonschema
import pytest
from report_scene import CLEAN, FINDINGS, HOSTILE, NASTY_FILE, REPORT, REPORTS, in_a_checkout, written

import pins
import schemas

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.model import Report


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft4Validator:
    """The schema of SARIF 2.1.0, from the pinned Go module that carries it."""
    pin = pins.load()["sarif"]
    file = schemas.module_folder(pin["module"], pin["version"]) / pin["file"]
    schema = json.loads(file.read_text(encoding="utf-8"))
    assert "/v2.1.0/" in schema["id"]
    return jsonschema.Draft4Validator(schema, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER)


def run_of(what: Report, root: Path) -> dict[str, Any]:
    [run] = json.loads(written("sarif", what, root))["runs"]
    assert isinstance(run, dict)
    return run


@pytest.mark.parametrize("what", [*REPORTS.values(), replace(CLEAN, rules={}, environments=(), objects={})])
def test_the_log_fits_the_schema(what: Report, tmp_path: Path, validator: jsonschema.Draft4Validator) -> None:
    log = json.loads(written("sarif", what, tmp_path))
    assert [error.message for error in validator.iter_errors(log)] == []


def test_the_schema_would_refuse_a_fault(tmp_path: Path, validator: jsonschema.Draft4Validator) -> None:
    log = json.loads(written("sarif", REPORT, tmp_path))
    log["runs"][0]["results"][0]["level"] = "fatal"
    assert not validator.is_valid(log)


def test_every_rule_has_its_help(tmp_path: Path) -> None:
    rules = run_of(REPORT, tmp_path)["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted(REPORT.rules)
    assert all("Write" in r["help"]["text"] or "Fix" in r["help"]["text"] for r in rules)
    assert all("## Fix" in rule["help"]["markdown"] for rule in rules)
    assert rules[0]["helpUri"] == "https://example.com"
    assert {rule["defaultConfiguration"]["level"] for rule in rules} == {"error"}


def test_a_result_names_its_rule_place_and_object(tmp_path: Path) -> None:
    run = run_of(REPORT, tmp_path)
    for result, finding in zip(run["results"], REPORT.findings, strict=True):
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == finding.rule
        assert result["level"] == str(finding.severity)
        [place] = result["locations"]
        assert place["physicalLocation"]["artifactLocation"]["uri"] == finding.location.file
        assert place["physicalLocation"]["region"]["startLine"] == finding.location.line
        assert [one["name"] for one in place["logicalLocations"]] == [ref.name for ref in finding.objects]
    [related] = run["results"][3]["relatedLocations"]
    assert related["physicalLocation"]["artifactLocation"]["uri"] == "base/hpa.yaml"
    assert "startColumn" not in run["results"][2]["locations"][0]["physicalLocation"]["region"]


def test_an_exempted_finding_is_suppressed_with_its_reason(tmp_path: Path) -> None:
    suppressions = [result["suppressions"] for result in run_of(REPORT, tmp_path)["results"]]
    reason = "until 2026-12-08, ml-platform: not pinned yet"
    assert suppressions == [[{"kind": "external", "status": "accepted", "justification": reason}], [], [], []]


def test_what_is_not_covered_is_a_notification(tmp_path: Path) -> None:
    [invocation] = run_of(REPORT, tmp_path)["invocations"]
    texts = [notification["message"]["text"] for notification in invocation["toolExecutionNotifications"]]
    assert texts == ["RayCluster/x (dev) holds pods that no rule reads"]


def test_fingerprints_stay_when_lines_move(tmp_path: Path) -> None:
    moved = tuple(replace(f, location=replace(f.location, line=f.location.line + 5)) for f in FINDINGS)
    before, after = (run_of(replace(REPORT, findings=f), tmp_path)["results"] for f in (FINDINGS, moved))
    assert [r["partialFingerprints"] for r in before] == [r["partialFingerprints"] for r in after]


def test_paths_are_those_of_the_checkout_and_escaped(tmp_path: Path) -> None:
    folder = in_a_checkout(tmp_path)
    place = run_of(HOSTILE, folder)["results"][0]["locations"][0]["physicalLocation"]
    assert unquote(place["artifactLocation"]["uri"]) == f"services/qwen chat/{NASTY_FILE}"
    assert " " not in place["artifactLocation"]["uri"]
    assert place["region"] == {"startLine": 1}
