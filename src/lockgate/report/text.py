"""The report for a person: each finding with its source line, a caret and what to write instead.

The same text with colours on a terminal and without them in a pipe.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, TextIO, TypeAlias

from lockgate import credentials
from lockgate.model import Finding, LeftOut, Location, Report, Severity
from lockgate.report import common

if TYPE_CHECKING:
    from pathlib import Path

_Line: TypeAlias = Sequence[tuple[str, str]]
"""Pieces of one line: text and style."""

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold blue"}
_WIDEST = 200
"""Characters of a source line that are shown: a minified file must not fill the screen."""


def write(report: Report, stream: TextIO, root: Path) -> None:
    """Writes `report` as text, with colours when `stream` is a terminal."""
    lines = _lines(report, root)
    if not stream.isatty():
        stream.writelines("".join(text for text, _ in line).rstrip() + "\n" for line in lines)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream, highlight=False, soft_wrap=True)
    for line in lines:
        console.print(Text.assemble(*line))


def _lines(report: Report, root: Path) -> Iterator[_Line]:
    source = _Source(root, report.texts)
    for finding in report.open:
        yield from _finding(finding, report, source)
        yield []
    yield from _exempted([f for f in report.findings if f.exemption is not None])
    yield from _baseline(report)
    yield from _not_covered(report.not_covered)
    yield from _left_out(report.left_out)
    if report.without_schema:
        kinds = credentials.said(", ".join(report.without_schema))
        yield [(f"API001 has no schema of these; `schemas:` in lockgate.yaml names a folder with them: {kinds}", "dim")]
    yield _summary(report)


def _finding(finding: Finding, report: Report, source: _Source) -> Iterator[_Line]:
    rule = report.rules[finding.rule]
    style = _STYLES[finding.severity]
    yield [
        (_place(finding.location), "bold"),
        (": ", ""),
        (str(finding.severity), style),
        (f" {finding.rule} ", "bold"),
        (credentials.said(finding.message), ""),
    ]
    yield from source.excerpt(finding, style)
    yield _field("in", common.where(finding))
    if finding.related:
        yield _field("see", ", ".join(map(str, finding.related)))
    yield _field("fix", rule.remediation)
    yield _field("docs", f"lockgate explain {finding.rule}")


def _place(location: Location) -> str:
    return f"{location}:{location.column}" if location.column else str(location)


def _field(name: str, value: str) -> _Line:
    return [(f"  {name}: ", "cyan"), (credentials.printable(value), "")]


class _Source:
    """Source lines of the repository, each file read once."""

    def __init__(self, root: Path, texts: Mapping[str, str]) -> None:
        self._root = root
        self._texts = texts
        self._read = cache(self._read_file)

    def excerpt(self, finding: Finding, style: str) -> Iterator[_Line]:
        """The source line with a caret below its column; nothing when it cannot be read."""
        location = finding.location
        lines = self._read(location.file)
        if not 0 < location.line <= len(lines):
            return
        raw = lines[location.line - 1]
        # What a secrets rule points at is a secret: logs of CI are read by many.
        shown = credentials.mask_values(raw) if finding.rule.startswith("KEY") else raw
        number = f"{location.line:>6} | "
        yield [(number, "dim"), (credentials.said(shown)[:_WIDEST], "")]
        if 0 < location.column <= min(len(raw) + 1, _WIDEST):
            indent = " " * (len(number) - 2) + "| " + " " * (location.column - 1)
            yield [(indent, "dim"), ("^", style)]

    def _read_file(self, file: str) -> tuple[str, ...]:
        if file in self._texts:
            return tuple(self._texts[file].split("\n"))
        try:
            text = (self._root / file).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ()
        return tuple(text.split("\n"))


def _exempted(findings: Sequence[Finding]) -> Iterator[_Line]:
    if not findings:
        return
    yield [("exempted:", "bold")]
    # One line of source may hold several findings of a rule; they are exempted alike.
    yield from dict.fromkeys(_exemption(finding) for finding in findings)
    yield []


def _exemption(finding: Finding) -> tuple[tuple[str, str], ...]:
    where = f"{finding.location} ({', '.join(finding.environments)})"
    why = common.exempted(finding.exemption) if finding.exemption else ""
    return ((f"  {finding.rule} ", "bold"), (f"{where} {why}", "dim"))


def _baseline(report: Report) -> Iterator[_Line]:
    """How many findings of each rule the baseline has, and what it need not have."""
    known = Counter(finding.rule for finding in report.findings if finding.baseline)
    if known:
        listed = ", ".join(f"{number} {rule}" for rule, number in sorted(known.items()))
        yield [("in the baseline: ", "bold"), (listed, "")]
        yield []
    if report.stale:
        yield [("stale in the baseline", "bold"), (" (no finding needs them; write it again):", "")]
        yield from ([(f"  {credentials.said(entry)}", "")] for entry in report.stale)
        yield []


def _not_covered(objects: Sequence[str]) -> Iterator[_Line]:
    if objects:
        yield [("not covered", "bold"), (" (they hold pods that no rule reads):", "")]
        yield from ([(f"  {credentials.printable(name)}", "")] for name in objects)
        yield []


_NAMED = 5
"""Names of what was left out for one reason; the other formats have them all."""


def _left_out(groups: Sequence[LeftOut]) -> Iterator[_Line]:
    if not groups:
        return
    yield [("left out:", "bold")]
    for group in groups:
        more = len(group.names) - _NAMED
        names = ", ".join(group.names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        yield [(credentials.said(f"  {group.reason} ({len(group.names)}): {names}"), "")]
    yield []


def _summary(report: Report) -> _Line:
    counts = common.summary(report)
    found = common.found(counts)
    style = "bold red" if counts["errors"] else "bold yellow" if found else "bold green"
    how = ", ".join(filter(None, (report.renderer, report.engine)))
    return [
        (f"{common.checked(counts)}: ", ""),
        (found or "no findings", style),
        (common.set_aside(counts), ""),
        (f" ({how})" if how else "", "dim"),
    ]
