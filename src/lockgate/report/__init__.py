"""Stage 5: a report in, one output format written to a stream.

A format is one module with one function, `write(report, stream, root)`, and one line in `FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TextIO, TypeAlias

from lockgate.model import Report
from lockgate.report import github, gitlab, json, junit, markdown, sarif, text

Write: TypeAlias = Callable[[Report, TextIO, Path], None]
"""Writes a report to a stream; the path is the repository, whose source lines may be shown."""

FORMATS: dict[str, Write] = {
    "text": text.write,
    "json": json.write,
    "sarif": sarif.write,
    "junit": junit.write,
    "github": github.write,
    "gitlab": gitlab.write,
    "markdown": markdown.write,
}
"""Every format by the name that a person types, the default first."""
