"""A real OPA server on loopback for the length of a test."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 60  # seconds, on a busy machine


@contextlib.contextmanager
def running(*arguments: str, ready: str = "/health") -> Iterator[str]:
    """Starts `opa run --server` on a free port; the URL, once `ready` answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = ["opa", "run", "--server", f"--addr={address}", "--log-level=error", *arguments]
    with subprocess.Popen(command) as process:
        try:
            _wait(f"http://{address}{ready}", process)
            yield f"http://{address}"
        finally:
            process.terminate()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, "the OPA server ended"
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(url, timeout=9).ok:
                return
        time.sleep(0.05)
    raise TimeoutError(url)
