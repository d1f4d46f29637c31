"""GitLab's code quality report: what its documentation asks of each entry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from report_scene import CLEAN, HOSTILE, NASTY_FILE, REPORT, REPORTS, in_a_checkout, written

from lockgate.report import common

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.model import Report

SEVERITIES = {"info", "minor", "major", "critical", "blocker"}


def entries(what: Report, root: Path) -> list[dict[str, Any]]:
    found = json.loads(written("gitlab", what, root))
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("what", REPORTS.values(), ids=REPORTS)
def test_every_entry_has_the_keys_that_gitlab_asks_for(what: Report, tmp_path: Path) -> None:
    found = entries(what, tmp_path)
    assert len(found) == len(what.findings) + len(what.not_covered) + len(common.left_out(what))
    for entry in found:
        assert set(entry) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert entry["description"]
        assert entry["severity"] in SEVERITIES
        assert not entry["location"]["path"].startswith(("/", "./"))
        assert entry["location"]["lines"]["begin"] >= 1
    assert len({entry["fingerprint"] for entry in found}) == len(found)


def test_a_clean_report_is_an_empty_list(tmp_path: Path) -> None:
    assert entries(CLEAN, tmp_path) == []


def test_severities_and_texts(tmp_path: Path) -> None:
    found = entries(REPORT, tmp_path)
    assert [entry["severity"] for entry in found] == ["info", "critical", "minor", "critical", "info"]
    why = "Exempted until 2026-12-08, ml-platform: not pinned yet. IMG001 (prod: Deployment/api): "
    assert found[0]["description"].startswith(why)
    assert found[3]["description"].endswith("4 pods x 2 GPUs. Fix: Lower `maxReplicas`.")
    assert found[4]["location"] == {"path": "lockgate.yaml", "lines": {"begin": 1}}


def test_paths_are_those_of_the_checkout(tmp_path: Path) -> None:
    paths = {entry["location"]["path"] for entry in entries(HOSTILE, in_a_checkout(tmp_path))}
    assert paths == {f"services/qwen chat/{NASTY_FILE}", "services/qwen chat/lockgate.yaml"}
