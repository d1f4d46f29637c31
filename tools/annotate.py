"""Turns a report of `lockgate check --format json` into annotations of a GitHub workflow.

Input: the report's file and the folder of the gated repository inside the checkout. Output: one
workflow command per finding on stdout, at its line. Standard library only: action.yml runs it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def escaped(text: str, *, value: bool = False) -> str:
    """Return text that a workflow command takes for what it is; `value` is stricter, for properties."""
    pairs = [("%", "%25"), ("\r", "%0D"), ("\n", "%0A")] + ([(":", "%3A"), (",", "%2C")] if value else [])
    for character, code in pairs:
        text = text.replace(character, code)
    return text


def annotation(finding: dict[str, Any], folder: str) -> str:
    """Return the workflow command for one finding; an exempted one is only a notice."""
    command = "notice" if finding["exemption"] else COMMANDS[finding["severity"]]
    place = finding["location"]
    title = f"{finding['rule']} {', '.join(finding['environments'])}".strip()
    properties = {"file": (Path(folder) / place["file"]).as_posix(), "line": str(max(place["line"], 1)), "title": title}
    listed = ",".join(f"{name}={escaped(text, value=True)}" for name, text in properties.items())
    text = f"{finding['message']}\nfix: {finding['fix']}"
    if finding["exemption"]:
        text = f"exempted until {finding['exemption']['expires']}: {text}"
    return f"::{command} {listed}::{escaped(text)}"


def main(report: str, folder: str) -> int:
    """Print the annotations of a report."""
    for finding in json.loads(Path(report).read_text(encoding="utf-8"))["findings"]:
        print(annotation(finding, folder))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
