"""What the cluster tests start ends with them, and says why when it ends before."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cluster import plane
from cluster.processes import ProgramError, Programs, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
SESSION = """
import pathlib, sys, time
from cluster.processes import Programs
programs = Programs(pathlib.Path(sys.argv[1]))
print(programs.start("sleep", ["sleep", "600"]).process.pid, flush=True)
try:
    time.sleep(600)
finally:
    programs.stop()
"""


def runs(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").split()[2] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Programs]:
    """Programs of one test."""
    programs = Programs(tmp_path)
    yield programs
    programs.stop()


def test_a_program_that_ends_says_its_last_words_and_nothing_stays(own: Programs) -> None:
    programs = own
    other = programs.start("sleep", ["sleep", "600"])
    program = programs.start("etcd", ["sh", "-c", "echo no such flag >&2; exit 3"])
    with pytest.raises(ProgramError, match=r"etcd ended with 3\netcd said, at the end of .*etcd\.log:\nno such flag$"):
        eventually(lambda: False, "etcd to serve", program)
    programs.stop()
    assert not runs(other.process.pid)
    assert programs.running == []


def test_a_port_that_is_taken_is_named(own: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(plane, "free_port", lambda: taken.getsockname()[1])
        with pytest.raises(ProgramError, match="etcd ended with") as caught:
            plane.start(own)
    assert "address already in use" in str(caught.value)


def test_a_program_that_dies_later_is_told_at_the_next_look(own: Programs) -> None:
    programs = own
    programs.start("etcd", ["sh", "-c", "echo out of memory; exec sleep 600"])
    programs.check()
    programs.running[0].process.kill()
    programs.running[0].process.wait()
    with pytest.raises(ProgramError, match="etcd ended with -9"):
        programs.check()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_nothing_outlives_the_session(tmp_path: Path, how: signal.Signals) -> None:
    if how is signal.SIGKILL and shutil.which("setpriv") is None:
        pytest.skip("only setpriv of util-linux ties a program to a session that is killed")
    env = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    command = [sys.executable, "-c", SESSION, str(tmp_path)]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as session:
        assert session.stdout is not None
        pid = int(session.stdout.readline())
        assert runs(pid)
        session.send_signal(how)
        session.wait()
    eventually(lambda: not runs(pid), "the end of what it started")
