"""Tables in, text for a person or Markdown out: what commands show that is no list of findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from lockgate import credentials, pages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    Attributes:
        title: Stands above it, empty for none.
        head: Names of its columns.
        rows: Its cells.
        right: Columns of numbers, by their index.
        headed: Whether text shows the head; Markdown always does.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()
    headed: bool = True


def text(tables: Sequence[Table], stream: TextIO) -> None:
    """Writes tables for a person: framed by the terminal's width there, aligned columns in a pipe."""
    if not stream.isatty():
        stream.write("\n".join("".join(_aligned(table)) for table in tables))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table as Framed
    from rich.text import Text

    console = Console(file=stream, highlight=False)
    for table in tables:
        framed = Framed(
            title=table.title or None,
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE,
            show_header=table.headed,
        )
        for index, name in enumerate(table.head):
            framed.add_column(
                name, justify="right" if index in table.right else "left", overflow="fold", no_wrap=index == 0
            )
        for row in table.rows:
            framed.add_row(*(Text(credentials.said(cell)) for cell in row))
        console.print(framed)


def _aligned(table: Table) -> Iterator[str]:
    rows = [tuple(map(credentials.said, row)) for row in ([table.head] if table.headed else []) + list(table.rows)]
    widths = [max((len(row[index]) for row in rows), default=0) for index in range(len(table.head))]
    if table.title:
        yield f"{table.title}\n"
    for row in rows:
        cells = (
            cell.rjust(width) if index in table.right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield f"{'  ' if table.title else ''}{'  '.join(cells)}".rstrip() + "\n"


def markdown(tables: Sequence[Table]) -> str:
    """Tables as Markdown."""
    return "\n".join("".join(_marked(table)) for table in tables)


def _marked(table: Table) -> Iterator[str]:
    if table.title:
        yield f"#### {pages.escaped(credentials.said(table.title))}\n\n"
    yield row(table.head)
    yield row(["---:" if index in table.right else "---" for index in range(len(table.head))])
    for cells in table.rows:
        yield row([pages.escaped(credentials.said(cell)) for cell in cells])


def row(cells: Sequence[str]) -> str:
    """One row of a Markdown table; the cells are Markdown."""
    return f"| {' | '.join(cells)} |\n"
