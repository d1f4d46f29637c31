"""What the Makefile runs: `try DIR` and `test [SESSION]`, with nothing but Python's standard library.

`try` installs Lockgate into the active virtual environment, or into .venv of the clone when none is
active, and writes a repository and gates it. `test` runs nox from a virtual environment of its own.
Output: the exit code of the last command.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
# Its wheel asks for Python 3.14 and runs on 3.11: from there on the dependency of pyproject.toml takes over.
PYKUSTOMIZE = "pykustomize==0.1.4"
PYKUSTOMIZE_PYTHON = (3, 14)
NOX = "nox==2026.10.20"


def say(line: str) -> None:
    """Print one line of progress."""
    print(f"-- {line}", flush=True)


def run(*command: str | Path) -> None:
    """Run a command and leave with its exit code when that is not 0."""
    code = subprocess.run([str(part) for part in command], check=False).returncode
    if code != 0:
        raise SystemExit(code)


def pip(python: Path, *arguments: str) -> None:
    """Run pip of an environment, quietly."""
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments)


def environment(folder: Path) -> Path:
    """Return the Python of the virtual environment in `folder`, made when it is not there."""
    python = folder / "bin" / "python"
    if not python.exists():
        say(f"making a virtual environment in {folder}")
        run(sys.executable, "-m", "venv", folder)
    return python


def active() -> Path | None:
    """Return the Python of the active virtual environment, or None."""
    return Path(sys.executable) if sys.prefix != sys.base_prefix else None


def ensure_pip(python: Path) -> None:
    """Give an environment pip that was made without it."""
    found = subprocess.run([str(python), "-m", "pip", "--version"], capture_output=True, check=False)
    if found.returncode != 0:
        run(python, "-m", "ensurepip", "--default-pip")


def first_try(target: Path) -> None:
    """Install Lockgate, then write a repository with the default answers and gate it."""
    python = active() or environment(ROOT / ".venv")
    ensure_pip(python)
    say(f"installing Lockgate into {python.parent.parent}")
    pip(python, str(ROOT))
    if sys.version_info < PYKUSTOMIZE_PYTHON:
        pip(python, "--ignore-requires-python", "--no-deps", PYKUSTOMIZE)
    if (target / "lockgate.yaml").is_file():
        say(f"gating {target}, which is there already")
        run(python, "-m", "lockgate", "check", target)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    say(f"writing a repository with the default answers into {target} and gating it")
    run(python, "-m", "lockgate", "new", target, "--defaults")


def test(sessions: list[str]) -> None:
    """Run the nox sessions, all that CI has when none is named."""
    python = environment(ROOT / ".nox" / "launcher")
    pip(python, NOX)
    os.chdir(ROOT)
    chosen = ["--sessions", *sessions] if sessions else ["--tags", "ci"]
    run(python, "-m", "nox", *chosen)


def main(arguments: list[str]) -> int:
    """Run `try DIR` or `test [SESSION...]`."""
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        print(f"Lockgate needs Python 3.11 or later, this is {found}: make ... PYTHON=python3.12", file=sys.stderr)
        return 2
    what, *rest = arguments
    if what == "try":
        first_try(Path(rest[0]).absolute())
    else:
        test(rest)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
