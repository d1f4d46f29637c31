"""Files that only save time: in the user's cache folder, written whole or not at all.

A cache that cannot be read or written is no error; the work is done again.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

KEPT = {".rules": 24, ".code": 24, ".valid": 24, ".kinds": 24}
"""Files of each kind that stay; the oldest go first."""


def folder() -> Path:
    """The cache folder: `LOCKGATE_CACHE` when it is set, else the platform's place for caches."""
    own = os.environ.get("LOCKGATE_CACHE")
    if own:
        return Path(own)
    import platformdirs

    return Path(platformdirs.user_cache_dir("lockgate"))


def read(name: str) -> bytes | None:
    """The content of the cached file `name`; None when there is none."""
    try:
        return (folder() / name).read_bytes()
    except OSError:
        return None


def write(name: str, content: bytes) -> None:
    """Stores `content` under `name`; older files with the same suffix make room."""
    with contextlib.suppress(OSError):
        place = folder()
        place.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=place, prefix=".")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            Path(temporary).replace(place / name)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
        _prune(place, Path(name))


def _prune(place: Path, newest: Path) -> None:
    """Removes the oldest files of the newest one's kind, a tenth at once, when there are too many.

    The newest is named, since the clock of a file system may give many files one time.
    """
    kept = KEPT[newest.suffix]
    names = [file.name for file in place.iterdir() if file.suffix == newest.suffix]
    if len(names) > kept:
        older = (place / name for name in names if name != newest.name)
        files = sorted(older, key=lambda file: file.stat().st_mtime_ns)
        for file in files[: len(names) - kept + kept // 10]:
            file.unlink(missing_ok=True)
