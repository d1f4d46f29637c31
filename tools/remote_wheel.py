"""Reads single files of a wheel on the package index by byte ranges, without the rest of it.

Input: project and version. Output: the texts of its Python files. A wheel of vLLM is 400 MB, its
Python text a hundredth of that. What answers is checked as pip checks it: the index is asked over
TLS, and each member against the checksum in the archive.
"""

from __future__ import annotations

import io
import json
import re
import urllib.request
import zipfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.client import HTTPResponse

INDEX = "https://pypi.org/simple"
AHEAD = 1 << 20  # bytes read at once: members of one folder lie side by side
SECONDS = 120
PARTIAL_CONTENT = 206


class RemoteFile(io.RawIOBase):
    """A file behind a URL as one that can be read anywhere; each read is one request."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._at = 0
        with _open(url, method="HEAD") as answer:
            self._size = int(answer.headers["Content-Length"])

    def seekable(self) -> bool:
        """Say yes: a request may begin anywhere."""
        return True

    def readable(self) -> bool:
        """Say yes."""
        return True

    def tell(self) -> int:
        """Return the position of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a position and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer from the current position on; 0 at the end."""
        last = min(self._at + len(buffer), self._size) - 1
        if last < self._at:
            return 0
        with _open(self._url, Range=f"bytes={self._at}-{last}") as answer:
            if answer.status != PARTIAL_CONTENT:
                msg = f"{self._url}: the server sends no ranges"
                raise OSError(msg)
            content = answer.read()
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)


def _open(url: str, method: str = "GET", **headers: str) -> HTTPResponse:
    request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310  # both callers give https
    answer: HTTPResponse = urllib.request.urlopen(request, timeout=SECONDS)  # noqa: S310
    return answer


def files(project: str) -> list[dict[str, Any]]:
    """Return what the index knows of a project's files, each with `filename` and `url`."""
    with _open(f"{INDEX}/{project}/", Accept="application/vnd.pypi.simple.v1+json") as answer:
        found: list[dict[str, Any]] = json.load(answer)["files"]
    return found


def wheel(project: str, version: str) -> zipfile.ZipFile:
    """Return the Linux wheel of a version, opened from afar.

    Raises:
        LookupError: The index has no such wheel.
    """
    pattern = re.compile(rf"{re.escape(project)}-{re.escape(version)}-.*(x86_64|any)\.whl")
    for file in files(project):
        if pattern.fullmatch(file["filename"]):
            return zipfile.ZipFile(io.BufferedReader(RemoteFile(file["url"]), AHEAD))
    msg = f"{project} {version}: no wheel for Linux on {INDEX}"
    raise LookupError(msg)


def python_files(archive: zipfile.ZipFile, wanted: Callable[[str], bool]) -> dict[str, str]:
    """Return name and text of the Python files that `wanted` says yes to, in the archive's order."""
    members = sorted(archive.infolist(), key=lambda member: member.header_offset)
    return {
        member.filename: archive.read(member).decode("utf-8")
        for member in members
        if member.filename.endswith(".py") and wanted(member.filename)
    }
