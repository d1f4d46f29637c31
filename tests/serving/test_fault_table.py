"""docs/serving.md shows the faults that the tests run, each with its outcome."""

from __future__ import annotations

import re

import serving_faults


def test_the_page_is_what_the_tests_run() -> None:
    page = serving_faults.PAGE.read_text(encoding="utf-8")
    assert serving_faults.written(page) == page, "run `nox -s docs`"


def test_no_cell_is_empty() -> None:
    page = serving_faults.PAGE.read_text(encoding="utf-8")
    block = page.partition(serving_faults.BEGIN)[2].partition(serving_faults.END)[0]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in block.splitlines() if line.startswith("|")]
    assert len(rows) > 150
    assert {len(row) for row in rows} == {4}
    assert [row for row in rows if not all(cell.strip() for cell in row)] == []


def test_no_fault_stands_twice() -> None:
    for rows, _ in serving_faults.PROGRAMS.values():
        names = [row.fault for row in rows]
        assert sorted(set(names)) == sorted(names)
