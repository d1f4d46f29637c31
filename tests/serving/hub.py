"""A model hub on loopback: the routes that huggingface_hub really calls, and what goes wrong on them.

One repository at one commit, as the hub serves it: a listing in pages with git's names of small files
and the sha256 of large ones, metadata by HEAD, large files by redirect from another host, byte ranges.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = "lockgate/tiny"
REVISION = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_" + "x" * 34
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "model-00001-of-00002.safetensors": bytes(range(256)) * 64,
    "model-00002-of-00002.safetensors": bytes(reversed(range(256))) * 64,
    "tokenizer.json": b"{}",
    "modeling_tiny.py": b"raise SystemExit('code of a model repository was run')",
    "README.md": b"# tiny",
    "original/consolidated.00.pth": b"pickled",
}
WANTED = tuple(sorted(name for name in FILES if name.endswith((".json", ".safetensors"))))
WEIGHTS = "model-00001-of-00002.safetensors"
# A page of the listing.
PAGE = 4
CHUNK = 1024


@dataclass
class Fault:
    """What goes wrong: on which route, how, and how often."""

    route: str  # listing, metadata, body
    kind: str  # a status, or stall, truncate, corrupt, slow
    times: int = 10**6
    name: str = WEIGHTS
    headers: dict[str, str] = field(default_factory=dict)


class Hub(ThreadingHTTPServer):
    """The repository; remembers who asked for what."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.files = dict(FILES)
        self.token = ""
        self.faults: list[Fault] = []
        self.asked: list[str] = []
        self.fetched: list[str] = []
        self.ranges: list[str] = []
        self.tokens: set[str] = set()
        self.tokens_elsewhere: set[str] = set()
        self.sizes: dict[str, int] = {}
        self.seen: Callable[[int], None] = lambda _count: None
        self.began = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def elsewhere(self) -> str:
        """The host that large files come from."""
        return f"http://localhost:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has gone is what the tests want."""


class Answers(BaseHTTPRequestHandler):
    """One connection of a client."""

    server: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer()

    def do_HEAD(self) -> None:
        self.answer()

    def answer(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(f"{self.command} {path}")
        self.server.seen(len(self.server.asked))
        sent = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if path.startswith("/cdn/"):
            self.server.tokens_elsewhere.add(sent)
            self.body(path.removeprefix("/cdn/"))
            return
        self.server.tokens.add(sent)
        if self.server.token and sent != self.server.token:
            self.send(b'{"error": "Access is restricted"}', 401, {"X-Error-Code": "GatedRepo"})
        elif path == f"/api/models/{MODEL}/tree/{REVISION}":
            self.listing()
        elif path.startswith(f"/{MODEL}/resolve/{REVISION}/"):
            self.file(path.removeprefix(f"/{MODEL}/resolve/{REVISION}/"))
        elif path.startswith(f"/api/models/{MODEL}/"):
            self.send(b'{"error": "Invalid rev id"}', 404, {"X-Error-Code": "RevisionNotFound"})
        else:
            self.send(b'{"error": "not found"}', 404, {"X-Error-Code": "RepoNotFound"})

    def listing(self) -> None:
        if self.fails("listing", WEIGHTS):
            return
        entries = [entry(name, content, self.server.sizes) for name, content in self.server.files.items()]
        entries += [{"type": "directory", "path": "original", "oid": "0" * 40, "size": 0}]
        cursor = re.search(r"cursor=(\d+)", self.path)
        start = int(cursor[1]) if cursor else 0
        headers = {}
        if start + PAGE < len(entries):
            after = f"{self.server.url}/api/models/{MODEL}/tree/{REVISION}?recursive=true&cursor={start + PAGE}"
            headers["Link"] = f'<{after}>; rel="next"'
        self.send(json.dumps(entries[start : start + PAGE]).encode(), 200, headers)

    def file(self, name: str) -> None:
        content = self.server.files[name]
        if self.fails("metadata", name):
            return
        headers = {"X-Repo-Commit": REVISION, "Accept-Ranges": "bytes"}
        if large(name):
            size = str(self.server.sizes.get(name, len(content)))
            headers |= {"X-Linked-ETag": f'"{sha256(content)}"', "X-Linked-Size": size}
            self.send(b"", 302, {**headers, "Location": f"{self.server.elsewhere}/cdn/{name}"})
            return
        headers["ETag"] = f'"{git_name(content)}"'
        if self.command == "GET":
            self.server.fetched.append(name)
        self.send(content, 200, headers)

    def body(self, name: str) -> None:
        """A large file, or the part of it that is asked for."""
        content = self.server.files[name]
        self.server.fetched.append(name)
        self.server.began.set()
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked:
            self.server.ranges.append(self.headers["Range"])
        start = int(asked[1]) if asked else 0
        if self.fails("body", name, content, start):
            return
        headers = {"Accept-Ranges": "bytes"}
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.send(content[start:], 206 if asked else 200, headers)

    def fails(self, route: str, name: str, content: bytes = b"", start: int = 0) -> bool:
        """Whether this answer is one that goes wrong; then it has been given."""
        for fault in self.server.faults:
            if fault.route == route and fault.name == name and fault.times > 0:
                fault.times -= 1
                self.go_wrong(fault, content, start)
                return True
        return False

    def go_wrong(self, fault: Fault, content: bytes, start: int) -> None:
        if fault.kind.isdigit():
            self.send(b'{"error": "so the test wants it"}', int(fault.kind), fault.headers)
        elif fault.kind == "corrupt":
            damaged = bytes(255 - byte for byte in content)
            self.send(damaged[start:], 206 if start else 200, {})
        elif fault.kind == "slow":
            self.slowly(content)
        else:
            if content:
                self.half(content, start)
            if fault.kind == "stall":
                time.sleep(5)
            self.close_connection = True

    def half(self, content: bytes, start: int) -> None:
        """The header of a whole answer, and less than that."""
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : len(content) * 3 // 4])
        self.wfile.flush()

    def slowly(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        for at in range(0, len(content), CHUNK):
            self.wfile.write(content[at : at + CHUNK])
            self.wfile.flush()
            time.sleep(0.2)

    def send(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def large(name: str) -> bool:
    return name.endswith((".safetensors", ".pth"))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git_name(content: bytes) -> str:
    """The name that git gives to a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def entry(name: str, content: bytes, sizes: dict[str, int]) -> dict[str, object]:
    """A file as the listing has it; git keeps a pointer of a large one."""
    size = sizes.get(name, len(content))
    found: dict[str, object] = {"type": "file", "path": name, "size": size, "oid": git_name(content)}
    if large(name):
        found["lfs"] = {"oid": sha256(content), "size": size, "pointerSize": 134}
    return found
