"""A proxy on loopback in front of a real server: passes on what is asked, but for what goes wrong."""

from __future__ import annotations

import contextlib
import http.client
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 20


@dataclass
class Fault:
    """What goes wrong: with which requests, how, and how often."""

    path: str  # a regular expression, looked for in the path
    kind: str  # a status, or stall, truncate, corrupt, hold
    times: int = 10**6
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


class Proxy(ThreadingHTTPServer):
    """Remembers what was asked; `held` is set once an answer is held back, which `release` lets go on."""

    daemon_threads = True

    def __init__(self, to: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.to = to
        self.faults: list[Fault] = []
        self.asked: list[str] = []
        self.ranges: list[str] = []
        self.seen: Callable[[int], None] = lambda _count: None
        self.held = threading.Event()
        self.release = threading.Event()
        # Headers that the real server does not see.
        self.dropped: set[str] = set()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @contextlib.contextmanager
    def stopped_at(self, count: int) -> Iterator[threading.Event]:
        """Holds the request of that number back while the block runs, and never answers it; yields when it came."""
        reached, over = threading.Event(), threading.Event()

        def seen(number: int) -> None:
            if number == count:
                reached.set()
                over.wait(SECONDS)
                raise ConnectionAbortedError

        self.asked.clear()
        self.seen = seen
        yield reached
        over.set()
        self.seen = lambda _number: None

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has gone is what the tests want."""


class _Passing(BaseHTTPRequestHandler):
    server: Proxy
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer()

    def do_HEAD(self) -> None:
        self.answer()

    def do_PUT(self) -> None:
        self.answer()

    def answer(self) -> None:
        path = self.path.partition("?")[0]
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.server.asked.append(f"{self.command} {path}")
        self.server.seen(len(self.server.asked))
        if "Range" in self.headers:
            self.server.ranges.append(self.headers["Range"])
        for fault in self.server.faults:
            if fault.times > 0 and fault.method == self.command and re.search(fault.path, path):
                fault.times -= 1
                self.go_wrong(fault, body)
                return
        self.send(*self.passed(body))

    def passed(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """What the real server says; it sees the client's own headers, which S3 signs."""
        backend = http.client.HTTPConnection(self.server.to, timeout=SECONDS)
        with contextlib.closing(backend):
            backend.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name not in self.server.dropped:
                    backend.putheader(name, value)
            backend.endheaders(body)
            answer = backend.getresponse()
            return answer.status, answer.getheaders(), answer.read()

    def go_wrong(self, fault: Fault, body: bytes) -> None:
        if fault.kind.isdigit():
            self.send(int(fault.kind), list(fault.headers.items()), fault.body.encode())
            return
        status, headers, content = self.passed(body)
        if fault.kind == "corrupt":
            self.send(status, headers, bytes(255 - byte for byte in content))
            return
        self.begin(status, headers, len(content))
        sent = len(content) * 3 // 4
        self.wfile.write(content[:sent])
        self.wfile.flush()
        if fault.kind == "truncate":
            self.close_connection = True
            return
        self.server.held.set()
        self.server.release.wait(SECONDS)
        if fault.kind == "hold":
            self.wfile.write(content[sent:])
        else:
            self.close_connection = True

    def send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.begin(status, headers, len(body))
        self.wfile.write(body)

    def begin(self, status: int, headers: list[tuple[str, str]], size: int) -> None:
        self.send_response_only(status)
        named = {name.lower() for name, _ in headers}
        for name, value in headers:
            if name.lower() not in {"connection", "transfer-encoding", "keep-alive"}:
                self.send_header(name, value)
        if "content-length" not in named:
            self.send_header("Content-Length", str(size))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def before(to: str) -> Iterator[Proxy]:
    """A proxy in front of the server `to`."""
    with loopback.serving(Proxy(to)) as server:
        yield server
        server.release.set()
