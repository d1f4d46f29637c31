"""Fill the model cache with the one revision that the release names, before a server starts.

In: the `serve.yaml` of the release; HF_HUB_CACHE says where the cache lies, HF_ENDPOINT which hub or
mirror is asked, HF_TOKEN (environment only) opens gated models. Out: the snapshot in the cache and a
marker file that lists it with the size and hash of each file. Nothing is marked that does not have
the hash that the hub gives it. A second run finds marker and files and asks nobody.

Killed at any moment it leaves whole files and parts of files: the next run keeps the whole ones and
removes the parts. Two at once: the second waits for the first one's marker.

Exit codes, so that a Job can tell what another try may mend (podFailurePolicy):
  0   the snapshot is whole
  64  the configuration names no model or no commit
  65  the repository holds no weights as safetensors
  66  there is no such repository or revision
  73  the cache has no room for it, or cannot be written
  77  the hub wants another token: missing, wrong, or not let into this gated model
  75  network, hub or a damaged file: try again
  143 ended by SIGTERM: try again
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import fcntl
import fnmatch
import hashlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

USAGE, NO_WEIGHTS, NOT_FOUND, NO_ROOM, TRY_AGAIN, NO_ACCESS = 64, 65, 66, 73, 75, 77
# What vLLM reads. No *.py: code of a model repository never reaches the server.
FILES = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken")
GIB = 2**30
BLOCK = 2**22
# What a file system says when nothing more can be written.
CLOSED = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST}
# Statuses of the hub that another try does not change. It answers 401 for what is not there, too.
REFUSED = {401: NO_ACCESS, 403: NO_ACCESS, 404: NOT_FOUND}


@dataclass(frozen=True)
class File:
    """A file of the repository: where, how large, and the hash the hub knows it by (`sha256` or git's `sha1`)."""

    name: str
    size: int
    kind: str
    hash: str


class Failure(Exception):  # noqa: N818  # a reason to end, with its exit code
    """The program ends: `code` is its exit code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def release(config: Path) -> tuple[str, str]:
    """Return model id and revision that `config` names."""
    try:
        serve = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Failure(USAGE, f"{config} cannot be read: {error}") from error
    if not isinstance(serve, dict):
        raise Failure(USAGE, f"{config} must be a mapping of flags to values")
    model, revision = str(serve.get("model", "")), str(serve.get("revision", ""))
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", model):
        raise Failure(USAGE, f"{config}: model must be organisation/name, found {model!r}")
    if not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise Failure(USAGE, f"{config}: revision must be a commit of 40 hexadecimal digits, found {revision!r}")
    return model, revision


class Parser(argparse.ArgumentParser):
    """A parser whose errors have this program's exit code."""

    def error(self, message: str) -> NoReturn:
        """End with 64."""
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"preload: {message}\n")


class Cache:
    """The part of the hub client's cache that one revision of one model has."""

    def __init__(self, root: Path, model: str, revision: str) -> None:
        name = model.replace("/", "--")
        self.root = root
        self.store = root / f"models--{name}"
        self.snapshot = self.store / "snapshots" / revision
        self.marker = root / ".preload" / f"{name}@{revision}.json"
        self.lock = root / ".preload" / f"{name}.lock"

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
        for path in [*(self.snapshot / file.name for file in files), *self.store.glob("blobs/*.incomplete")]:
            # A file may be missing still, a part may be renamed between the listing and the look at it.
            with contextlib.suppress(OSError):
                total += path.stat().st_size
        return total

    def drop_parts(self, quiet: float) -> int:
        """Remove the parts of files that a killed run left; return how many.

        Only who holds the lock may. Some network file systems give it to everybody: a part that was
        written to in the last `quiet` seconds, by the clock of the file system, is waited for.
        """
        removed = 0
        # HASH.RUN.incomplete is one run's own; an older client goes on with HASH.incomplete itself.
        for part in self.store.glob("blobs/*.*.incomplete"):
            with contextlib.suppress(FileNotFoundError):
                while (age := self._now() - part.stat().st_mtime) < quiet:
                    time.sleep(max(0.05, quiet - age))
                part.unlink()
                removed += 1
        return removed

    def _now(self) -> float:
        with tempfile.NamedTemporaryFile(dir=self.marker.parent) as stream:
            return Path(stream.name).stat().st_mtime

    def unmark_damaged(self) -> None:
        """Take the marker away, and every file that no longer has the hash that it lists."""
        listed = json.loads(self.marker.read_text(encoding="utf-8"))
        files = [File(name, size, *str(listed["hashes"][name]).split(":", 1)) for name, size in listed["files"].items()]
        try:
            verify(self, files)
        except Failure:
            self.marker.unlink()

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


@contextlib.contextmanager
def alone(cache: Cache, patience: float) -> Iterator[bool]:
    """Hold the lock of the model while the block runs, and say whether; wait for another run, but not for ever.

    Without the lock (a file system that has none, a holder that hangs) the run goes on: the hub
    client writes each file apart and moves it into place whole, so that two only fetch it twice.
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


def listing(model: str, revision: str, skipped: list[str]) -> list[File]:
    """Return what has to be fetched, as the hub lists it."""
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    files = []
    for entry in HfApi(token=token()).list_repo_tree(model, recursive=True, revision=revision):
        name = entry.path
        if not isinstance(entry, RepoFile) or not matches(name, FILES) or matches(name, skipped):
            continue
        if entry.lfs:
            files.append(File(name, entry.lfs.size, "sha256", entry.lfs.sha256))
        else:
            files.append(File(name, entry.size, "sha1", entry.blob_id))
    if not any(file.name.endswith(".safetensors") for file in files):
        raise Failure(NO_WEIGHTS, f"{model}@{revision} holds no *.safetensors")
    return sorted(files, key=lambda file: file.name)


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Say whether a name in the repository fits one of the patterns, as the hub client reads them."""
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def token() -> str | bool:
    """Return the token of the environment; False keeps the hub client from looking anywhere else."""
    return os.environ.get("HF_TOKEN") or False


def make_room(cache: Cache, files: list[File]) -> None:
    """Say what is to be fetched; end when the cache has no room for it."""
    missing = [file for file in files if not (cache.snapshot / file.name).is_file()]
    needed = sum(file.size for file in missing)
    free = shutil.disk_usage(cache.root).free
    say(f"{len(missing)} of {len(files)} files to fetch, {gib(needed)}; {gib(free)} free in {cache.root}")
    if needed > free:
        message = (
            f"no room in {cache.root}: {gib(needed)} wanted, {gib(free)} free; enlarge the claim or remove a model"
        )
        raise Failure(NO_ROOM, message)


def fetch(model: str, revision: str, cache: Cache, files: list[File]) -> None:
    """Download what is missing."""
    from huggingface_hub import snapshot_download

    names = [file.name for file in files]
    snapshot_download(model, revision=revision, cache_dir=cache.root, token=token(), allow_patterns=escaped(names))


def escaped(names: list[str]) -> list[str]:
    """Return names as patterns that fit nothing else."""
    return [re.sub(r"([*?\[])", r"[\1]", name) for name in names]


@contextlib.contextmanager
def progress(cache: Cache, files: list[File], every: float) -> Iterator[None]:
    """Tell every few seconds how much lies in the cache, until the block ends."""
    done = threading.Event()
    total = sum(file.size for file in files)

    def tell() -> None:
        before = cache.held(files)
        while not done.wait(every):
            now = cache.held(files)
            say(f"{gib(min(now, total))} of {gib(total)}, {(now - before) / every / 2**20:.1f} MiB/s")
            before = now

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def verify(cache: Cache, files: list[File]) -> None:
    """Compare every file with its hash; remove those that differ, so that the next try fetches them anew."""
    damaged = []
    for file in files:
        path = cache.snapshot / file.name
        if not path.is_file() or path.stat().st_size != file.size or digest(path, file.kind) != file.hash:
            damaged.append(file.name)
            path.resolve().unlink(missing_ok=True)
            path.unlink(missing_ok=True)
    if damaged:
        raise Failure(TRY_AGAIN, f"{len(damaged)} files came damaged and were removed: {', '.join(damaged[:3])}")


def digest(path: Path, kind: str) -> str:
    """Return the hash of a file: of its content, or as git names a blob."""
    if kind == "sha256":
        found = hashlib.sha256()
    else:
        # Git's name of a file, not a safeguard; large files have a sha256.
        found = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            found.update(block)
    return found.hexdigest()


def tidy(cache: Cache, quiet: float) -> None:
    """Make room: nobody goes on with what a killed run left half."""
    removed = cache.drop_parts(quiet)
    if removed:
        say(f"removed the parts of {removed} files that a killed run left")


def fill(model: str, revision: str, cache: Cache, options: argparse.Namespace) -> None:
    """Make the snapshot whole and mark it."""
    files = listing(model, revision, options.skip)
    make_room(cache, files)
    with progress(cache, files, options.progress_seconds):
        fetch(model, revision, cache, files)
    say(f"comparing {len(files)} files with their hashes")
    verify(cache, files)
    cache.mark(files)


def cause_of(error: BaseException) -> tuple[int, BaseException]:
    """Return the exit code for what the hub client or the system raised, and the error that decides it.

    The client says of many faults only that a file was not found; the fault itself is the cause of that.
    """
    seen: BaseException | None = error
    first = error
    while seen is not None:
        first = seen if hasattr(seen, "response") and not hasattr(first, "response") else first
        if type(seen).__name__ == "OfflineModeIsEnabled":
            return USAGE, seen
        if isinstance(seen, OSError) and seen.errno in CLOSED:
            return NO_ROOM, seen
        status = getattr(getattr(seen, "response", None), "status_code", None)
        if status in REFUSED:
            return REFUSED[status], seen
        seen = seen.__cause__ or seen.__context__
    return TRY_AGAIN, first


def gib(size: float) -> str:
    """Return bytes as GiB, small ones as MiB."""
    return f"{size / GIB:.1f} GiB" if size >= GIB / 10 else f"{size / 2**20:.1f} MiB"


def say(message: str) -> None:
    """Print one line of the log at once."""
    print(f"preload: {message}", flush=True)


def stop(*_: object) -> NoReturn:
    """End on SIGTERM at once: threads of the hub client would go on for as long as their file takes."""
    os.write(2, b"preload: stopped by SIGTERM; whole files stay, the next run goes on from there\n")
    os._exit(128 + signal.SIGTERM)


def options_of(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    title, _, rest = (__doc__ or "").partition("\n\n")
    parser = Parser(description=title, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="serve.yaml of the release")
    parser.add_argument(
        "--skip", action="append", default=[], metavar="PATTERN", help="files not to fetch, such as consolidated*"
    )
    parser.add_argument("--verify", action="store_true", help="compare what is marked as whole with its hashes")
    parser.add_argument(
        "--progress-seconds", type=float, default=15, help="between two lines of progress (%(default)s)"
    )
    parser.add_argument("--lock-seconds", type=float, default=1800, help="to wait for another run (%(default)s)")
    parser.add_argument(
        "--quiet-seconds", type=float, default=30, help="after which a part of a file is nobody's (%(default)s)"
    )
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Download unless the cache is whole already; return the exit code."""
    options = options_of(arguments)
    signal.signal(signal.SIGTERM, stop)
    # The client reads these when it is imported. Bars are noise in the log of a Job.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    label = ""
    try:
        model, revision = release(options.config)
        label = f"{model}@{revision}"
        cache = Cache(Path(os.environ.get("HF_HUB_CACHE") or home / "hub"), model, revision)
        if options.verify and cache.marked():
            say(f"comparing the files of {label} with their hashes")
            cache.unmark_damaged()
        if not cache.marked():
            say(f"fetching {label} into {cache.root}")
            with alone(cache, options.lock_seconds) as held:
                if not cache.marked():
                    if held:
                        tidy(cache, options.quiet_seconds)
                    fill(model, revision, cache, options)
                    say(f"{label} is whole")
                    return 0
        say(f"{label} is in {cache.root} already")
    except Failure as error:
        return told(error.code, str(error))
    except Exception as error:  # noqa: BLE001  # hub, network, disk: each says itself what it is
        code, cause = cause_of(error)
        return told(code, f"{label}: {type(cause).__name__}: {cause}")
    return 0


def told(code: int, message: str) -> int:
    """Say in one line why it ends; return the exit code."""
    print(f"preload: {' '.join(message.split())}", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
