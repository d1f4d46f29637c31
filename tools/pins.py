"""Pins in, cache places out: what tools/build.py and tools/schemas.py have in common."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent


def load() -> dict[str, Any]:
    """Return the tables of pins.toml."""
    return tomllib.loads((HERE / "pins.toml").read_text(encoding="utf-8"))


def cache_root() -> Path:
    """Return the folder that holds everything built here; outside any clone.

    `XDG_CACHE_HOME` moves it, as for other programs.
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "lockgate" / "tools"


def key(pin: object) -> str:
    """Return eight hex digits that change whenever anything in the pin does."""
    text = json.dumps(pin, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def fail(message: str) -> NoReturn:
    """Print one line on stderr and leave with 2."""
    print(f"{Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    raise SystemExit(2)


def go() -> str:
    """Return the path of the Go command; leave with a line that says what to install."""
    found = shutil.which("go")
    if found is None:
        fail("go is not on PATH; install Go 1.26 or later, then run this again")
    return found


@contextmanager
def filled(target: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `target` in one step when the block ends well.

    An interrupted build leaves nothing behind, and of two at once the first one stays.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".unfinished-") as temporary:
        folder = Path(temporary) / target.name
        folder.mkdir()
        yield folder
        try:
            folder.rename(target)
        except OSError:
            if not target.is_dir():
                raise
