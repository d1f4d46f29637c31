"""Markdown, read back by a CommonMark parser with the tables that forges add."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt
from report_scene import CLEAN, FINDINGS, HOSTILE, NASTY, NASTY_FILE, REPORT, REPORTS, in_a_checkout, written

from lockgate import pages
from lockgate.report import common

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.model import Report

PARSER = MarkdownIt("commonmark").enable("table")


def plain(source: str) -> str:
    """A line of Markdown as a reader sees it; an element that is neither text nor code fails."""
    [_, inline, _] = PARSER.parse(source)
    children = inline.children or []
    assert {child.type for child in children} <= {"text", "text_special", "code_inline", "html_inline"}
    return "".join(child.content for child in children if child.type != "html_inline")


def cells(what: Report, root: Path) -> list[list[str]]:
    """The rows of all tables, each cell as a reader sees it."""
    rows: list[list[str]] = []
    inside = False
    for token in PARSER.parse(written("markdown", what, root)):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in {"td_open", "th_open"}:
            inside = True
        elif token.type == "inline" and inside:
            children = token.children or []
            assert {c.type for c in children} <= {"text", "text_special", "code_inline", "html_inline"}
            assert {c.content for c in children if c.type == "html_inline"} <= {"<br>", "<!-- -->"}
            parts = ("\n" if c.content == "<br>" else "" if c.type == "html_inline" else c.content for c in children)
            rows[-1].append("".join(parts))
            inside = False
    return rows


@pytest.mark.parametrize("what", [report for name, report in REPORTS.items() if name != "clean"])
def test_every_finding_is_a_whole_row(what: Report, tmp_path: Path) -> None:
    rows = cells(what, tmp_path)
    tables = [len(what.open) > 0, any(f.exemption for f in what.findings), bool(what.not_covered)]
    tables += [bool(common.left_out(what)), any(f.baseline for f in what.findings)]
    assert len(rows) == len(what.findings) + len(what.not_covered) + len(common.left_out(what)) + sum(tables)
    assert {len(row) for row in rows} <= {4, 3, 2, 1}


def test_a_clean_report_is_one_line(tmp_path: Path) -> None:
    assert written("markdown", CLEAN, tmp_path) == "**Lockgate**: no findings (1 environment, 1 object, 4 rules)\n"


def test_a_row_says_what_where_and_how_to_mend_it(tmp_path: Path) -> None:
    rows = cells(REPORT, in_a_checkout(tmp_path))
    places = ["overlays/prod/hpa.yaml:2", "base/hpa.yaml:7"]
    assert rows[3] == [
        "error",
        "CST001",
        "\n".join([*(f"services/qwen chat/{place}" for place in places), "prod: HorizontalPodAutoscaler/api"]),
        "wants at most 4 GPUs, found a peak of 8: 4 pods x 2 GPUs\nFix: Lower maxReplicas.",
    ]
    assert rows[5][2] == "wants a digest, found 'v0.32.0'\nuntil 2026-12-08, ml-platform: not pinned yet"


def test_nasty_text_comes_back_whole(tmp_path: Path) -> None:
    row = cells(HOSTILE, tmp_path)[1]
    message, fix = row[3].split("\nFix: ")
    assert message.startswith(NASTY.replace("\x1b", " "))
    assert fix.startswith("Write a|b, not größe | 'a")
    assert row[2].startswith(f"{NASTY_FILE}:0")


def test_nobody_is_called(tmp_path: Path) -> None:
    assert "@team" not in written("markdown", HOSTILE, tmp_path)


def test_a_long_report_fits_in_a_comment(tmp_path: Path) -> None:
    text = written("markdown", replace(REPORT, findings=FINDINGS * 1000), tmp_path)
    assert len(text) < 65_536
    assert "more: see `lockgate check`" in text


@pytest.mark.parametrize("text", [NASTY, "a_b __init__ <x> [y](z)", "`", "``a`` b", "1. one", "a\\`b`"])
def test_prose_keeps_its_text(text: str) -> None:
    printable = text.replace("\x1b", " ")
    assert plain(f"x {pages.escaped(printable)}") == f"x {printable}"
    assert plain(f"x {pages.code(printable)}") == f"x {printable}"
