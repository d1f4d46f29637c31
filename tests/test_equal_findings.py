"""The same findings, byte for byte, from the three engines and the three renderers."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import pytest
from edits import FAULTS, Edit

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


def broken(pristine: Path, root: Path, edits: Iterable[Edit]) -> Path:
    """A copy of the repository with those of the edits that do not stand in each other's way."""
    shutil.copytree(pristine, root, symlinks=True)
    for edit in edits:
        if not edit.old or (root / edit.file).read_text().count(edit.old) == 1:
            edit.apply(root)
    return root


def agreed(root: Path, opa_server: str, lockgate: Run) -> set[str]:
    """The rules that are broken, once every pair of engine and renderer has given the same bytes."""
    outputs = {}
    for engine in ("embedded", "opa", opa_server):
        for renderer in RENDERERS:
            done = lockgate("check", str(root), "--format", "json", "--engine", engine, "--renderer", renderer)
            assert done.returncode == 1, done.stderr
            outputs[engine, renderer] = done.stdout
    first = outputs["embedded", "pykustomize"]
    assert {key: text == first for key, text in outputs.items()} == dict.fromkeys(outputs, True)
    return {finding["rule"] for finding in json.loads(first)["findings"]}


def test_engines_and_renderers_agree(pristine: Path, tmp_path: Path, opa_server: str, lockgate: Run) -> None:
    """Many faults at once; a rule that another fault hides gets a repository of its own."""
    faults = {edit.rule: edit for edit in reversed(FAULTS)}
    rules: set[str] = set()
    # Rules of one family hide one another: the first of all families break together, then the second ones.
    for number in sorted({rule[-3:] for rule in faults}):
        together = [edit for rule, edit in faults.items() if rule.endswith(number)]
        rules |= agreed(broken(pristine, tmp_path / number, together), opa_server, lockgate)
    for rule in sorted(faults.keys() - rules):
        found = agreed(broken(pristine, tmp_path / rule, [faults[rule]]), opa_server, lockgate)
        assert rule in found
