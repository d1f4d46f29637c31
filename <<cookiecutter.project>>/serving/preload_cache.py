"""The model cache that preload.py fills, as the hub's own client lays it out, and the marker of what is whole.

A file's content lies under its hash in `blobs`, and the snapshot of a revision links to it by the file's name.
The marker lists one revision of one model; preflight reads it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
import tempfile
import time
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

USAGE, UNUSABLE, NOT_FOUND, NO_ROOM, TRY_AGAIN, NO_ACCESS = 64, 65, 66, 73, 75, 77
BLOCK = 2**22
# A layer that holds an archive: its hash is not that of the file.
PACKED = "packed"
HASHES = {"sha256": r"[0-9a-f]{64}", "sha1": r"[0-9a-f]{40}"}
# What a file system says that has no symbolic links.
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


class Failure(Exception):  # noqa: N818  # a reason to end, with its exit code
    """The program ends: `code` is its exit code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class File:
    """A file of the repository: where, how large, and its hash (`sha256` of the content or git's `sha1`)."""

    name: str
    size: int
    kind: str
    hash: str


class Cache:
    """The part of the hub client's cache that one revision of one model has."""

    def __init__(self, root: Path, model: str, revision: str) -> None:
        name = model.replace("/", "--")
        self.root = root
        self.store = root / f"models--{name}"
        self.blobs = self.store / "blobs"
        self.snapshot = self.store / "snapshots" / revision
        self.marker = root / ".preload" / f"{name}@{revision}.json"
        self.lock = root / ".preload" / f"{name}.lock"
        self.run = f"preload-{secrets.token_hex(4)}"

    def marked(self) -> bool:
        """Say whether every file that the marker lists is there in its full size."""
        try:
            listed = json.loads(self.marker.read_text(encoding="utf-8"))
            snapshot = self.root / listed["snapshot"]
            return all((snapshot / name).stat().st_size == size for name, size in listed["files"].items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return False

    def held(self, files: list[File]) -> int:
        """Return the bytes of `files` that lie in the cache, whole files and parts."""
        total = 0
        for path in [*(self.snapshot / file.name for file in files), *self.blobs.glob("*.incomplete")]:
            # A file may be missing still, a part may be renamed between the listing and the look at it.
            with contextlib.suppress(OSError):
                total += path.stat().st_size
        return total

    def missing(self, files: list[File]) -> list[File]:
        """Return the files that the snapshot lacks."""
        return [file for file in files if not (self.snapshot / file.name).is_file()]

    def part(self, file: File) -> Path:
        """Return where this run gathers a file, and nobody else: two files may have one content."""
        return self.blobs / f"{file.hash}.{self.run}-{zlib.crc32(file.name.encode()):08x}.incomplete"

    def gathered(self, file: File) -> int:
        """Return the bytes of a file that this run has gathered, or has taken over."""
        try:
            return self.part(file).stat().st_size
        except OSError:
            return 0

    def place(self, file: File) -> None:
        """Make the part of a file the file itself, under the name that the snapshot has for it."""
        self.blobs.mkdir(parents=True, exist_ok=True)
        self.part(file).replace(self.blobs / file.hash)
        self._link(file)

    def link_known(self, files: list[File]) -> None:
        """Give the snapshot what another revision has already; `verify` compares it all the same."""
        for file in self.missing(files):
            blob = self.blobs / file.hash
            if blob.is_file() and blob.stat().st_size == file.size:
                self._link(file)

    def _link(self, file: File) -> None:
        link, blob = self.snapshot / file.name, self.blobs / file.hash
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.exists() and link.samefile(blob):
            return
        link.unlink(missing_ok=True)
        try:
            link.symlink_to(os.path.relpath(blob, link.parent))
        except FileExistsError:
            pass  # another run without a lock was faster
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            blob.replace(link)

    def settle(self, quiet: float, wanted: Iterable[File]) -> int:
        """Take over the parts of `wanted` that killed runs left, remove all others; return how many those were.

        Only who holds the lock may. Some network file systems give it to everybody: a part that was
        written to in the last `quiet` seconds, by the clock of the file system, is waited for.
        """
        removed = 0
        own = {file.hash: self.part(file) for file in wanted}
        # HASH.RUN.incomplete is one run's own; an older client goes on with HASH.incomplete itself.
        for part in sorted(self.blobs.glob("*.*.incomplete")):
            with contextlib.suppress(FileNotFoundError):
                while (age := self._now() - part.stat().st_mtime) < quiet:
                    time.sleep(max(0.05, quiet - age))
                name, _, run = part.name.partition(".")
                if name in own and run.startswith("preload-") and not own[name].exists():
                    part.rename(own[name])
                else:
                    part.unlink()
                    removed += 1
        return removed

    def _now(self) -> float:
        with tempfile.NamedTemporaryFile(dir=self.marker.parent) as stream:
            return Path(stream.name).stat().st_mtime

    def unmark_damaged(self) -> None:
        """Take the marker away, and every file that no longer has the hash that it lists."""
        try:
            verify(self, self.listed())
        except Failure:
            self.marker.unlink()

    def listed(self) -> list[File]:
        """Return what the marker lists."""
        return files_of(json.loads(self.marker.read_text(encoding="utf-8")))

    def mark(self, files: list[File]) -> None:
        """Write the list of files; readers see the old marker or the whole new one."""
        content = {
            "snapshot": str(self.snapshot.relative_to(self.root)),
            "files": {file.name: file.size for file in files},
            "hashes": {file.name: f"{file.kind}:{file.hash}" for file in files},
        }
        with tempfile.NamedTemporaryFile(
            "w", dir=self.marker.parent, prefix=".marker-", delete=False, encoding="utf-8"
        ) as stream:
            try:
                json.dump(content, stream, indent=2)
                stream.flush()
                os.fsync(stream.fileno())
                Path(stream.name).chmod(0o644)
                Path(stream.name).replace(self.marker)
            except BaseException:
                Path(stream.name).unlink(missing_ok=True)
                raise


def files_of(listing: Any) -> list[File]:
    """Return what a marker, or the listing of a mirror, holds.

    Raises:
        Failure: It is no listing.
    """
    try:
        sizes, hashes = dict(listing["files"]), listing["hashes"]
        return [File(name, size, *str(hashes[name]).split(":", 1)) for name, size in sorted(sizes.items())]
    except (KeyError, TypeError, ValueError) as error:
        raise Failure(UNUSABLE, f"wanted a listing with files and hashes: {type(error).__name__}: {error}") from error


def checked(files: Iterable[File]) -> list[File]:
    """Return files of a listing that may be written: they stay in their folder, and are what they say.

    Raises:
        Failure: One of them is not.
    """
    known: dict[str, File] = {}
    for file in files:
        parts = file.name.split("/")
        if any(part in {"", ".", ".."} or "\0" in part for part in parts) or file.name in known:
            raise Failure(UNUSABLE, f"the listing names {file.name!r}: wanted relative paths, each once")
        if file.kind == PACKED:
            raise Failure(UNUSABLE, f"{file.name} lies in an archive: push files as they are")
        if not re.fullmatch(HASHES.get(file.kind, r"\b\B"), file.hash):
            raise Failure(UNUSABLE, f"the listing gives {file.name} the hash {file.kind}:{file.hash}: wanted a sha256")
        if type(file.size) is not int or file.size < 0:
            raise Failure(UNUSABLE, f"the listing gives {file.name} the size {file.size!r}: wanted bytes")
        known[file.name] = file
    for name in known:
        if any(str(parent) in known for parent in PurePosixPath(name).parents):
            raise Failure(UNUSABLE, f"the listing names {name!r} below another file")
    return list(known.values())


@contextlib.contextmanager
def alone(cache: Cache, patience: float) -> Iterator[bool]:
    """Hold the lock of the model while the block runs, and say whether; wait for another run, but not for ever.

    Without the lock (a file system that has none, a holder that hangs) the run goes on: each file is
    written apart and moved into place whole, so that two only fetch it twice.
    """
    cache.lock.parent.mkdir(parents=True, exist_ok=True)
    with cache.lock.open("w") as stream:
        start = time.monotonic()
        waiting = held = False
        while not held:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held = True
            except OSError as error:
                if error.errno not in {errno.EAGAIN, errno.EACCES} or time.monotonic() - start > patience:
                    say(f"going on without the lock: {error.strerror}")
                    break
                if not waiting:
                    say("another run fills the cache: waiting for it")
                    waiting = True
                time.sleep(min(1.0, patience / 20))
        yield held


def verify(cache: Cache, files: list[File]) -> None:
    """Compare every file with its hash; remove those that differ, so that the next try fetches them anew."""
    damaged = []
    for file in files:
        path = cache.snapshot / file.name
        if not path.is_file() or path.stat().st_size != file.size or digest(path, file) != file.hash:
            damaged.append(file.name)
            path.resolve().unlink(missing_ok=True)
            path.unlink(missing_ok=True)
    if damaged:
        raise Failure(TRY_AGAIN, f"{len(damaged)} files came damaged and were removed: {', '.join(damaged[:3])}")


def hasher(file: File) -> Any:
    """Return what the hash of a file is made with: of its content, or as git names a blob."""
    if file.kind == "sha256":
        return hashlib.sha256()
    # Git's name of a file, not a safeguard; large files have a sha256.
    return hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)


def digest(path: Path, file: File) -> str:
    """Return the hash that the content of `path` has, of the kind that `file` has one of."""
    found = hasher(file)
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            found.update(block)
    return str(found.hexdigest())


def say(message: str) -> None:
    """Print one line of the log at once."""
    print(f"preload: {message}", flush=True)
