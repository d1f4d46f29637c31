"""What preload.py gets a model from: the hub, by its own client, or a mirror, which gives a file from any byte on.

A source lists the files of one revision with sizes and hashes, and fetches those that the cache lacks. Which mirrors
there are is in preload_mirrors.py.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any

from preload_cache import (
    BLOCK,
    TRY_AGAIN,
    UNUSABLE,
    USAGE,
    Cache,
    Failure,
    File,
    hasher,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# Files at once, as the hub's client does it.
WORKERS = 8
# In a row that bring nothing, before the Job tries again.
TRIES = 4


def library(name: str) -> Any:
    """Import what a source needs and a vLLM image may lack."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        message = f"this source needs the Python package {name}, which this image lacks: add it, or take another source"
        raise Failure(USAGE, message) from error


class Hub:
    """The model hub, or the mirror of it that HF_ENDPOINT names, by its own client."""

    resumes = False

    def __init__(self, model: str, revision: str) -> None:
        self.model = model
        self.revision = revision
        # False keeps the client from looking for a token anywhere else.
        self.token: str | bool = os.environ.get("HF_TOKEN") or False

    def files(self) -> list[File]:
        """Return what the repository holds; the hub has a sha256 of large files and git's name of small ones."""
        from huggingface_hub import HfApi
        from huggingface_hub.hf_api import RepoFile

        files = []
        for entry in HfApi(token=self.token).list_repo_tree(self.model, recursive=True, revision=self.revision):
            if isinstance(entry, RepoFile) and entry.lfs:
                files.append(File(entry.path, entry.lfs.size, "sha256", entry.lfs.sha256))
            elif isinstance(entry, RepoFile):
                files.append(File(entry.path, entry.size, "sha1", entry.blob_id))
        return files

    def fetch(self, cache: Cache, files: list[File]) -> set[str]:
        """Download what is missing; nothing is compared with its hash yet."""
        from huggingface_hub import snapshot_download

        # Names as patterns that fit nothing else.
        names = [re.sub(r"([*?\[])", r"[\1]", file.name) for file in files]
        snapshot_download(
            self.model, revision=self.revision, cache_dir=cache.root, token=self.token, allow_patterns=names
        )
        return set()


class Mirror(ABC):
    """A source that gives the bytes of a file from any of them on."""

    resumes = True
    # What a connection that breaks off raises.
    broken: tuple[type[Exception], ...] = ()

    @abstractmethod
    def files(self) -> list[File]:
        """Return what is listed."""

    @abstractmethod
    def read(self, file: File, start: int) -> Iterator[bytes]:
        """Yield the bytes of a file from `start` on."""

    def fetch(self, cache: Cache, files: list[File]) -> set[str]:
        """Fetch what is missing, some files at once; return the names, whose hashes are right."""
        missing = cache.missing(files)
        with ThreadPoolExecutor(WORKERS) as pool:
            jobs = [pool.submit(self._fetch, cache, file) for file in missing]
            try:
                for job in as_completed(jobs):
                    job.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return {file.name for file in missing}

    def _fetch(self, cache: Cache, file: File) -> None:
        part = cache.part(file)
        part.parent.mkdir(parents=True, exist_ok=True)
        found = hasher(file)
        with part.open("a+b") as stream:
            stream.seek(0)
            while block := stream.read(BLOCK):
                found.update(block)
            idle = 0
            while (start := stream.tell()) < file.size:
                reason = self._append(file, stream, found)
                idle = 0 if stream.tell() > start else idle + 1
                if idle == TRIES:
                    raise reason
                time.sleep(2.0 ** (idle - 2) if idle else 0)
            size = stream.tell()
        if size != file.size or found.hexdigest() != file.hash:
            part.unlink()
            raise Failure(TRY_AGAIN, f"1 files came damaged and were removed: {file.name}")
        cache.place(file)

    def _append(self, file: File, stream: Any, found: Any) -> Exception:
        """Write what comes until that ends; return why it ended if the file has not."""
        start = stream.tell()
        try:
            for block in self.read(file, start):
                stream.write(block)
                found.update(block)
                if stream.tell() > file.size:
                    break
        except self.broken as error:
            return Failure(TRY_AGAIN, f"{file.name}: {type(error).__name__}: {error}")
        return Failure(TRY_AGAIN, f"{file.name} ends after {stream.tell()} of {file.size} bytes")

    def _small(self, ask: Callable[[], bytes]) -> bytes:
        """Return what `ask` does, tried again when the connection breaks off."""
        for idle in range(1, TRIES):
            with contextlib.suppress(*self.broken):
                return ask()
            time.sleep(2.0 ** (idle - 2))
        return ask()

    @staticmethod
    def _rest(file: File, start: int, ranged: str, size: int, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield a file's bytes from `start` on; `ranged` is the Content-Range of an answer that begins there."""
        size = int(ranged.rpartition("/")[2]) if ranged else size
        if size != file.size:
            raise Failure(UNUSABLE, f"{file.name} has {size} bytes, {file.size} are listed: publish it anew")
        skip = 0 if ranged else start  # who knows no ranges begins anew
        for block in blocks:
            yield block[skip:]
            skip = max(0, skip - len(block))
