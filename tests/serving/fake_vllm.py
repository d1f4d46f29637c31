"""A vLLM on loopback that streams: its routes, its key, its way to end, and what goes wrong in it.

As a program it is `vllm serve --port=N [--shutdown-timeout=S]`: SIGTERM lets a stream in flight end
within the timeout, and breaks it off when that is 0, as vLLM 0.32.0 does.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

MODEL = "tiny"
WORDS = 20


WHOLE_LIFE = 10**9


class FakeVllm(ThreadingHTTPServer):
    """One server; the attributes say how it behaves."""

    daemon_threads = True

    def __init__(self, port: int = 0, **how: Any) -> None:
        super().__init__(("127.0.0.1", port), Answers)
        self.key = ""
        self.models = [MODEL]
        self.health = 200
        self.first_token = 0.0
        self.slow_streams = WHOLE_LIFE  # how many streams wait for their first token
        self.token = 0.005
        self.statuses: dict[str, int] = {}
        self.bodies: dict[str, bytes] = {}
        self.stream = "whole"
        self.routed: tuple[str, ...] = ("/",)
        self.name = "uvicorn"
        self.streaming = 0
        self.healthy_at = 0.0
        for name, value in how.items():
            setattr(self, name, value)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has gone is what some tests want."""


class Answers(BaseHTTPRequestHandler):
    """One connection of a client."""

    server: FakeVllm
    protocol_version = "HTTP/1.1"

    def version_string(self) -> str:
        return self.server.name

    def do_GET(self) -> None:
        self.answer({})

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length", "0"))
        self.answer(json.loads(self.rfile.read(size) or b"{}"))

    def answer(self, asked: dict[str, Any]) -> None:
        if not self.path.startswith(self.server.routed):
            self.send(404, b"", server="envoy")
        elif self.path in self.server.statuses:
            self.send(self.server.statuses[self.path], b'{"error": {"message": "so the test wants it"}}')
        elif self.path in self.server.bodies:
            self.send(200, self.server.bodies[self.path])
        elif self.path == "/health":
            self.send(self.server.health if time.monotonic() >= self.server.healthy_at else 503, b"")
        elif self.path == "/metrics":
            self.send(200, b"vllm:num_requests_running 0\n")
        elif self.path == "/invocations":
            self.send(200, b'{"choices": []}')
        elif self.path.startswith("/v1") and self.server.key and not self.allowed():
            self.send(401, b'{"error": "Unauthorized"}')
        elif self.path == "/v1/models":
            self.send(200, json.dumps({"data": [{"id": name} for name in self.server.models]}).encode())
        elif asked.get("stream"):
            self.streamed()
        else:
            self.whole()

    def allowed(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.server.key}"

    def whole(self) -> None:
        choice = {"text": "one", "message": {"content": "one"}, "finish_reason": "length"}
        self.send(200, json.dumps({"choices": [choice], "usage": {"completion_tokens": 8}}).encode())

    def streamed(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.server.streaming += 1
        try:
            self.events()
        finally:
            self.server.streaming -= 1

    def events(self) -> None:
        self.event({"choices": [{"delta": {"role": "assistant", "content": ""}}]})
        self.server.slow_streams -= 1
        if self.server.slow_streams >= 0:
            time.sleep(self.server.first_token)
        for number in range(WORDS):
            if self.server.stream == "broken" and number == WORDS // 2:
                self.close_connection = True
                return
            if self.server.stream == "error" and number == WORDS // 2:
                self.event({"error": {"message": "EngineCore encountered an issue."}})
            if self.server.stream == "garbage" and number == WORDS // 2:
                self.piece("data: {half\n\n")
            if self.server.stream == "stall" and number == WORDS // 2:
                time.sleep(5)
            if self.server.stream == "one" and number == 1:
                break
            self.event({"choices": [{"delta": {"content": f" {number}"}}]})
            time.sleep(self.server.token)
        if self.server.stream == "undone":
            self.piece("")
            return
        self.event({"choices": [], "usage": {"completion_tokens": WORDS}})
        self.piece("data: [DONE]\n\n")
        self.piece("")

    def event(self, content: dict[str, Any]) -> None:
        self.piece(f"data: {json.dumps(content)}\n\n")

    def piece(self, text: str) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(text.encode()), text.encode()))
        self.wfile.flush()

    def send(self, status: int, body: bytes, server: str = "") -> None:
        if server:
            self.server_version, self.sys_version = server, ""
        self.send_response_only(status)
        self.send_header("Server", server or self.server.name)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def main(arguments: list[str]) -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command")
    parser.add_argument("model", nargs="?")
    parser.add_argument("--config")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--shutdown-timeout", type=float, default=0)
    options, _ = parser.parse_known_args(arguments)
    server = FakeVllm(options.port, token=0.1)

    def end(_number: int, _frame: FrameType | None) -> None:
        deadline = time.monotonic() + options.shutdown_timeout
        while server.streaming and time.monotonic() < deadline:
            time.sleep(0.02)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(json.dumps({"port": server.server_address[1], "pid": os.getpid()}) + "\n")
    sys.stdout.flush()
    while True:
        signal.pause()


if __name__ == "__main__":
    main(sys.argv[1:])
