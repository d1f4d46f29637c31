"""Programs that a test session starts, their logs, and their end.

Whatever way the session ends, they end too: at its own end, at Ctrl-C, and, on Linux, when it is killed.
"""

from __future__ import annotations

import http.server
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

TAIL = 15  # lines of a log that say why
NEVER_WORSE_THAN = 240.0  # seconds; a start takes seconds, a loaded machine many more


class ProgramError(Exception):
    """A program did not do what it was started for; the text ends with its last words."""


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def eventually(holds: Callable[[], bool], what: str, program: Program | None = None) -> None:
    """Returns when something that offers no watch holds; fails as soon as its program has ended.

    Raises:
        ProgramError: It ended, or the time is over.
    """
    end = time.monotonic() + NEVER_WORSE_THAN
    while not holds():
        if program is not None:
            program.check()
        if time.monotonic() > end:
            words = f"\n{program.last_words()}" if program else ""
            raise ProgramError(f"waited {NEVER_WORSE_THAN:.0f} s for {what}{words}")
        time.sleep(0.1)


@dataclass(frozen=True, slots=True)
class Program:
    """One that runs."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]

    def last_words(self) -> str:
        """The end of its log, with its place."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([f"{self.name} said, at the end of {self.log}:", *lines[-TAIL:]])

    def check(self) -> None:
        """Fails when it has ended.

        Raises:
            ProgramError: With its exit code and last words.
        """
        code = self.process.poll()
        if code is not None:
            raise ProgramError(f"{self.name} ended with {code}\n{self.last_words()}")


@dataclass(slots=True)
class Programs:
    """What this session started.

    Attributes:
        folder: Where logs and state lie.
    """

    folder: Path
    running: list[Program] = field(default_factory=list)

    def start(
        self, name: str, command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Program:
        """Starts a program; its output goes to `folder/NAME.log`."""
        log = self.folder / f"{name}.log"
        with log.open("ab") as stream:
            process = subprocess.Popen(
                [*tied(), *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd or self.folder,
                start_new_session=True,  # Ctrl-C is for the session, which then ends them in order
            )
        program = Program(name, log, process)
        self.running.append(program)
        return program

    def check(self) -> None:
        """Fails when any has ended.

        Raises:
            ProgramError: With its exit code and last words.
        """
        for program in self.running:
            program.check()

    def stop(self) -> None:
        """Ends all, the last started first, and waits for it."""
        while self.running:
            process = self.running.pop().process
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def tied() -> list[str]:
    """What goes before a command so that it does not outlive this process, where there is such a thing."""
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


class QuietServer(http.server.ThreadingHTTPServer):
    """A server of a test; a client that has gone is no news."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing."""
