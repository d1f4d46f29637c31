"""docs/other-runners.md: every command runs as it stands there and says what stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).resolve().parent.parent / "docs" / "other-runners.md"


def commands() -> Iterator[tuple[str, str]]:
    """Every command with the output that the page shows."""
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            yield command, shown


def pattern(shown: str) -> str:
    """What is shown as a regular expression: `...` stands for anything, alone on a line for any lines."""
    return r"\s*".join(
        ".*" if line == "..." else re.escape(line).replace(r"\.\.\.", "[^\n]*") for line in shown.splitlines()
    )


@pytest.mark.slow
def test_the_commands_of_the_page_run_as_typed(repository: Path, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "lockgate"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m lockgate "$@"\n')
    program.chmod(0o755)
    found = list(commands())
    assert len(found) > 10
    for command, shown in found:
        done = subprocess.run(
            ["bash", "-c", f"PATH={program.parent}:$PATH; {command}"],
            cwd=repository,
            capture_output=True,
            text=True,
            check=False,
        )
        said = (done.stdout + done.stderr).strip()
        assert re.fullmatch(pattern(shown), said, re.DOTALL), f"{command}\n{said}"
        fails = "FAIL" in shown
        assert done.returncode == (1 if fails else 0), f"{command}\n{said}"
