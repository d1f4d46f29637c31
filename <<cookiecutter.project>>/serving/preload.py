"""Fill the model cache with the one revision that the release names, before a server starts.

In: the `serve.yaml` of the release, which names model and commit; HF_HUB_CACHE says where the cache lies. The bytes
come from the hub (HF_ENDPOINT names a mirror of it, HF_TOKEN opens gated models), or from where `--source` says: a
bucket, or an artifact of a registry by its digest. Keys and tokens come from the environment only. Out: the snapshot
in the cache, as the hub's client lays it out, and a marker file that lists it with the size and hash of each file.
Nothing is marked that does not have the hash that its source lists. A second run finds marker and files and asks
nobody. `--publish` fills a bucket with what the cache holds.

Killed at any moment it leaves whole files and parts of files: the next run keeps the whole ones; from a bucket or a
registry it goes on with the parts, from the hub it removes them. Two at once: the second waits for the first one's
marker.

Exit codes, so that a Job can tell what another try may mend (podFailurePolicy):
  0   the snapshot is whole
  64  the configuration names no model or no commit; --source names no source, or needs a package that is not there
  65  the repository holds no weights as safetensors; the listing of a mirror cannot be used
  66  there is no such repository, revision or mirror
  73  the cache has no room for it, or cannot be written
  77  the source wants another key: missing, wrong, or not let into this model
  75  network, source or a damaged file: try again
  143 ended by SIGTERM: try again
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import fnmatch
import os
import re
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import yaml

# Nothing is written beside the program: its folder is a ConfigMap, or part of a repository.
sys.dont_write_bytecode = True

from preload_cache import (  # noqa: E402  # the line above comes first
    NO_ACCESS,
    NO_ROOM,
    NOT_FOUND,
    TRY_AGAIN,
    UNUSABLE,
    USAGE,
    Cache,
    Failure,
    File,
    alone,
    checked,
    say,
    verify,
)
from preload_mirrors import bucket_of, source_of  # noqa: E402  # as above

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from preload_sources import Hub, Mirror

# What vLLM reads. No *.py: code of a model repository never reaches the server.
FILES = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken")
GIB = 2**30
# What a file system says when nothing more can be written.
CLOSED = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST}
# Statuses that another try does not change. The hub answers 401 for what is not there, too.
REFUSED = {401: NO_ACCESS, 403: NO_ACCESS, 404: NOT_FOUND}
# Errors of the libraries that another try does not change either.
NAMED = {
    "OfflineModeIsEnabled": USAGE,
    "ParamValidationError": USAGE,
    "ProfileNotFound": USAGE,
    "NoCredentialsError": NO_ACCESS,
    "PartialCredentialsError": NO_ACCESS,
}


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


def wanted(files: Iterable[File], skipped: Iterable[str]) -> list[File]:
    """Return what has to be fetched of what a source lists."""
    found = [file for file in files if matches(file.name, FILES) and not matches(file.name, skipped)]
    return sorted(checked(found), key=lambda file: file.name)


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Say whether a name in the repository fits one of the patterns, as the hub client reads them."""
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def make_room(cache: Cache, files: list[File]) -> None:
    """Say what is to be fetched; end when the cache has no room for it."""
    missing = cache.missing(files)
    needed = sum(file.size - cache.gathered(file) for file in missing)
    free = shutil.disk_usage(cache.root).free
    say(f"{len(missing)} of {len(files)} files to fetch, {gib(needed)}; {gib(free)} free in {cache.root}")
    if needed > free:
        message = (
            f"no room in {cache.root}: {gib(needed)} wanted, {gib(free)} free; enlarge the claim or remove a model"
        )
        raise Failure(NO_ROOM, message)


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


def tidy(cache: Cache, files: list[File], quiet: float) -> None:
    """Make room: nobody goes on with what a killed run left half, but for the parts of `files`."""
    removed = cache.settle(quiet, files)
    if removed:
        say(f"removed the parts of {removed} files that a killed run left")


def fill(source: Hub | Mirror, cache: Cache, options: argparse.Namespace, *, held: bool) -> None:
    """Make the snapshot whole and mark it; `held` says whether this run has the lock."""
    files = wanted(source.files(), options.skip)
    if not any(file.name.endswith(".safetensors") for file in files):
        raise Failure(UNUSABLE, f"{options.label} holds no *.safetensors")
    if held:
        tidy(cache, files if source.resumes else [], options.quiet_seconds)
    if source.resumes:
        cache.link_known(files)
    make_room(cache, files)
    with progress(cache, files, options.progress_seconds):
        right = source.fetch(cache, files)
    rest = [file for file in files if file.name not in right]
    if rest:
        say(f"comparing {len(rest)} files with their hashes")
        verify(cache, rest)
    cache.mark(files)


def cause_of(error: BaseException) -> tuple[int, BaseException]:
    """Return the exit code for what a library or the system raised, and the error that decides it.

    The hub client says of many faults only that a file was not found; the fault itself is the cause of that.
    """
    seen: BaseException | None = error
    first = error
    while seen is not None:
        first = seen if hasattr(seen, "response") and not hasattr(first, "response") else first
        if type(seen).__name__ in NAMED:
            return NAMED[type(seen).__name__], seen
        if isinstance(seen, OSError) and seen.errno in CLOSED:
            return NO_ROOM, seen
        status = status_of(getattr(seen, "response", None))
        if status in REFUSED:
            return REFUSED[status], seen
        seen = seen.__cause__ or seen.__context__
    return TRY_AGAIN, first


def status_of(response: Any) -> int:
    """Return the status of an answer as the hub's client keeps it, or boto3; 0 when there is none."""
    if not isinstance(response, dict):
        return int(getattr(response, "status_code", 0))
    # S3 answers 400 to a token that is too old or not its own.
    if "Token" in response.get("Error", {}).get("Code", ""):
        return 401
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def gib(size: float) -> str:
    """Return bytes as GiB, small ones as MiB."""
    return f"{size / GIB:.1f} GiB" if size >= GIB / 10 else f"{size / 2**20:.1f} MiB"


def stop(*_: object) -> NoReturn:
    """End on SIGTERM at once: threads would go on for as long as their file takes."""
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
    parser.add_argument(
        "--source",
        default="hub",
        metavar="PLACE",
        help="hub, s3://BUCKET[/PREFIX] or oci://REGISTRY/REPOSITORY[:TAG]@sha256:DIGEST (%(default)s)",
    )
    parser.add_argument(
        "--publish",
        metavar="PLACE",
        help="then compare what is marked with its hashes and copy it to s3://BUCKET[/PREFIX]",
    )
    parser.add_argument("--verify", action="store_true", help="compare what is marked as whole with its hashes")
    parser.add_argument(
        "--progress-seconds", type=float, default=15, help="between two lines of progress (%(default)s)"
    )
    parser.add_argument("--lock-seconds", type=float, default=1800, help="to wait for another run (%(default)s)")
    parser.add_argument(
        "--quiet-seconds", type=float, default=30, help="after which a part of a file is nobody's (%(default)s)"
    )
    parser.add_argument(
        "--stall-seconds", type=float, default=60, help="without a byte of a bucket or registry (%(default)s)"
    )
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Download unless the cache is whole already; return the exit code."""
    options = options_of(arguments)
    signal.signal(signal.SIGTERM, stop)
    # The client reads these when it is imported. Bars are noise in the log of a Job.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    options.label = ""
    try:
        run(options)
    except Failure as error:
        return told(error.code, str(error))
    except Exception as error:  # noqa: BLE001  # hub, network, disk: each says itself what it is
        code, cause = cause_of(error)
        return told(code, f"{options.label}: {type(cause).__name__}: {cause}")
    return 0


def run(options: argparse.Namespace) -> None:
    """Make the snapshot whole, then publish it if that is asked for."""
    model, revision = release(options.config)
    options.label = f"{model}@{revision}"
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Cache(Path(os.environ.get("HF_HUB_CACHE") or home / "hub"), model, revision)
    source = source_of(options.source, model, cache, options.stall_seconds)
    target = bucket_of(options.publish, model, cache, options.stall_seconds) if options.publish else None
    if (options.verify or target) and cache.marked():
        say(f"comparing the files of {options.label} with their hashes")
        cache.unmark_damaged()
    if cache.marked():
        say(f"{options.label} is in {cache.root} already")
    else:
        where = "" if options.source == "hub" else f" from {options.source}"
        say(f"fetching {options.label} into {cache.root}{where}")
        with alone(cache, options.lock_seconds) as held:
            if cache.marked():
                say(f"{options.label} is in {cache.root} already")
            else:
                fill(source(), cache, options, held=held)
                say(f"{options.label} is whole")
    if target:
        target().publish()
        say(f"{options.label} is published")


def told(code: int, message: str) -> int:
    """Say in one line why it ends; return the exit code."""
    print(f"preload: {' '.join(message.split())}", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
