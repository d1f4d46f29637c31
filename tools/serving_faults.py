"""Writes the fault table of docs/serving.md from the rows that the tests run.

Input: tests/serving/faults/. Output: the part of the page between its two marks.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from serving import faults  # noqa: E402  # the path comes first
from serving.hub import MODEL, REVISION  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = ROOT / "docs" / "serving.md"
BEGIN, END = "<!-- faults: nox -s docs -->", "<!-- end of faults -->"
PROGRAMS = {
    "preload": (faults.PRELOAD, "model cache"),
    "preload from a bucket": (faults.PRELOAD_S3, "model cache"),
    "preload from a registry": (faults.PRELOAD_OCI, "model cache"),
    "entrypoint": (faults.ENTRYPOINT, "model cache"),
    "preflight": (faults.PREFLIGHT, "model cache"),
    "smoke": (faults.SMOKE, "model cache"),
    "lockgate pin": (faults.PIN, "files"),
}


def table(rows: Iterable[faults.Row], last: str) -> str:
    """Return the rows as Markdown."""
    lines = [f"| fault | exit code | it says | {last} |", "| --- | --- | --- | --- |"]
    for row in rows:
        said = f"`{plain(row.message)}`" if row.message else "nothing more: it ends at once"
        lines.append(f"| {plain(row.fault)} | {row.code} | {said} | {row.claim} |")
    return "\n".join(lines)


def plain(text: str) -> str:
    """Return text that does not end its cell, nor its code; the model of the tests goes by no name."""
    named = text.replace(f"{MODEL}@{REVISION}", "MODEL@REVISION").replace(REVISION, "REVISION")
    return named.strip().replace("|", "\\|").replace("`", "'")


def written(page: str) -> str:
    """Return the page with the table as the tests have it."""
    parts = [f"### {name}\n\n{table(rows, last)}" for name, (rows, last) in PROGRAMS.items()]
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n" + "\n\n".join(parts) + f"\n\n{END}{after}"


def main() -> None:
    """Write the page."""
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
