"""Writes the example of README.md from a real run; a test fails when the two differ.

Input: the markers in README.md. Output: README.md with a default repository, one edit, and what the
gate said of it, on a fixed day so that it stays the same.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
START, END = "<!-- example:start -->\n", "<!-- example:end -->"
TODAY, EXPIRES = "2026-12-01", "2026-12-08"
EDITED = Path("overlays") / "prod" / "autoscaler-bounds.yaml"
BEFORE, AFTER = "maxReplicas: 3", "maxReplicas: 4"


def lockgate(folder: Path, *arguments: str, code: int) -> str:
    """Run Lockgate in `folder`, which must end with this exit code; return its stdout."""
    command = [sys.executable, "-m", "lockgate", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != code:
        raise RuntimeError(done.stderr)
    return done.stdout


def example() -> str:
    """Generate, edit, gate; return the Markdown that belongs between the markers."""
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder) / "qwen-chat"
        lockgate(Path(folder), "new", "qwen-chat", "--defaults", code=0)
        settings = repository / "lockgate.yaml"
        dated = re.sub(r'(expires: ")[\d-]+', rf"\g<1>{EXPIRES}", settings.read_text(encoding="utf-8"))
        settings.write_text(dated, encoding="utf-8")
        edited = repository / EDITED
        edited.write_text(edited.read_text(encoding="utf-8").replace(BEFORE, AFTER), encoding="utf-8")
        said = lockgate(repository, "check", "--today", TODAY, code=1)
    shown = f"```console\n$ sed -i 's/{BEFORE}/{AFTER}/' {EDITED.as_posix()}\n$ lockgate check\n{said.rstrip()}\n```"
    return f"{shown}\n"


def replaced(text: str, content: str) -> str:
    """Return the README's text with `content` between the markers."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}{content}{END}{after}"


def main() -> int:
    """Write the example into README.md."""
    README.write_text(replaced(README.read_text(encoding="utf-8"), example()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
