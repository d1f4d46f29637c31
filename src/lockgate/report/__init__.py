"""Stage 5: a report in, one output format written to a stream.

A format is one module with one function, `write(report, stream, root)`, and one line in `FORMATS`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, TextIO

from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.model import Report

FORMATS = ("text", "json")
"""Names of the formats, which are also the names of their modules; the default first."""


def write(name: str, report: Report, stream: TextIO, root: Path) -> None:
    """Writes `report` in the format called `name`.

    Args:
        name: One of `FORMATS`.
        report: What the gate found out.
        stream: Where to; only `text` looks at whether it is a terminal.
        root: The repository, whose source lines are shown.

    Raises:
        LockgateError: There is no such format.
    """
    if name not in FORMATS:
        msg = f"no format {name!r}"
        raise LockgateError(msg, f"known: {', '.join(FORMATS)}")
    importlib.import_module(f"lockgate.report.{name}").write(report, stream, root)
