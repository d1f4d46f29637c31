"""The report as Markdown for the comment of a pull request: a table, or one line when it is clean."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from lockgate import credentials, pages
from lockgate.report import common

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lockgate.model import Finding, Location, Report

_LONGEST = 60_000
"""Characters: GitHub refuses a comment of more than 65,536."""


def write(report: Report, stream: TextIO, root: Path) -> None:
    """Writes `report` as a table of findings, with the exempted ones folded away."""
    counts = common.summary(report)
    said = f"{common.found(counts) or 'no findings'}{common.set_aside(counts)}"
    if not report.findings and not report.not_covered and not common.left_out(report):
        stream.write(f"**Lockgate**: {said} ({common.checked(counts)})\n")
        return
    stream.write(f"### Lockgate: {said}\n")
    prefix = common.prefix(root)
    left = _LONGEST
    for title, head, rows in _tables(report, prefix):
        shown = _fitting(rows, left)
        left -= sum(map(len, shown))
        _table(stream, title, head, shown, len(rows) - len(shown))
    stream.write(f"\n{common.checked(counts)}. `lockgate explain ID` says more about a rule.\n")


def _tables(report: Report, prefix: str) -> list[tuple[str, tuple[str, ...], list[str]]]:
    """Title (empty for a table that is not folded), column heads and rows of each table."""
    left_out = common.left_out(report)
    known = [_exempted(finding, prefix) for finding in report.findings if finding.baseline]
    exempted = [_exempted(finding, prefix) for finding in report.findings if finding.exemption]
    return [
        ("", ("severity", "rule", "where", "what"), [_open(finding, report, prefix) for finding in report.open]),
        (f"{len(exempted)} exempted", ("rule", "where", "exempted"), exempted),
        (f"{len(known)} in the baseline", ("rule", "where", "what"), known),
        (
            f"{len(report.not_covered)} not covered",
            ("object",),
            [_row([f"{_text(name)} {common.NOT_COVERED}"]) for name in report.not_covered],
        ),
        (
            f"{len(left_out)} left out",
            ("what", "why"),
            [_row([_text(name), _text(reason)]) for name, reason in left_out],
        ),
    ]


def _open(finding: Finding, report: Report, prefix: str) -> str:
    places = [_place(place, prefix) for place in (finding.location, *finding.related)]
    where = [*places, _text(common.where(finding))]
    what = [
        _text(finding.message),
        f"Fix: {pages.prose(credentials.said(report.rules[finding.rule].remediation), table=True)}",
    ]
    return _row([str(finding.severity), finding.rule, "<br>".join(where), "<br>".join(what)])


def _exempted(finding: Finding, prefix: str) -> str:
    why = common.exempted(finding.exemption) if finding.exemption else ""
    where = f"{_place(finding.location, prefix)}<br>{_text(common.where(finding))}"
    return _row([finding.rule, where, "<br>".join(_text(text) for text in (finding.message, why) if text)])


def _place(location: Location, prefix: str) -> str:
    return _code(f"{prefix}{location}")


def _fitting(rows: Sequence[str], left: int) -> list[str]:
    """The first rows that fit in what is left of a comment."""
    shown: list[str] = []
    for row in rows:
        left -= len(row)
        if left < 0:
            break
        shown.append(row)
    return shown


def _table(stream: TextIO, title: str, head: tuple[str, ...], rows: Sequence[str], more: int) -> None:
    if not rows and not more:
        return
    stream.write(f"\n<details><summary>{title}</summary>\n\n" if title else "\n")
    stream.write(_row(head) + _row(["---"] * len(head)))
    stream.writelines(rows)
    if more:
        stream.write(f"\n{more} more: see `lockgate check`.\n")
    if title:
        stream.write("\n</details>\n")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _text(text: str) -> str:
    return pages.escaped(credentials.said(text))


def _code(text: str) -> str:
    return pages.code(credentials.said(text), table=True)
