"""The same findings, byte for byte, from the three engines and the three renderers."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from edits import FAULTS

from lockgate.render import RENDERERS

if TYPE_CHECKING:
    from pathlib import Path

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def opa_server() -> Iterator[str]:
    """A real OPA server on a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with subprocess.Popen(["opa", "run", "--server", "--addr", address, "--log-level", "error"]) as process:
        try:
            _wait(f"http://{address}/health")
            yield f"http://{address}"
        finally:
            process.terminate()


def _wait(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310  # the server of this test
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.fixture
def broken(repository: Path) -> Path:
    """A repository with as many of the single faults at once as do not stand in each other's way."""
    applied = 0
    for edit in FAULTS:
        path = repository / edit.file
        if edit.old and path.read_text().count(edit.old) == 1:
            edit.apply(repository)
            applied += 1
    assert applied > len(FAULTS) // 2
    return repository


def test_engines_and_renderers_agree(broken: Path, opa_server: str, lockgate: Run) -> None:
    outputs = {}
    for engine in ("embedded", "opa", opa_server):
        for renderer in RENDERERS:
            done = lockgate("check", str(broken), "--format", "json", "--engine", engine, "--renderer", renderer)
            assert done.returncode == 1, done.stderr
            outputs[engine, renderer] = done.stdout
    first = outputs["embedded", "pykustomize"]
    rules = {finding["rule"] for finding in json.loads(first)["findings"]}
    assert len(rules) >= 25
    assert {key: text == first for key, text in outputs.items()} == dict.fromkeys(outputs, True)
