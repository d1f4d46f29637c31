"""The preload program against a small hub on loopback, through the real hub client."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PRELOAD = Path(__file__).parents[2] / "<<cookiecutter.project>>" / "serving" / "preload.py"
MODEL = "lockgate/tiny"
REVISION = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_" + "x" * 34
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "model.safetensors": bytes(range(256)) * 64,
    "tokenizer.json": b"{}",
    "modeling_tiny.py": b"raise SystemExit('code of a model repository was run')",
    "README.md": b"# tiny",
}


class Hub(ThreadingHTTPServer):
    """One repository at one commit; remembers who asked for what."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.files = dict(FILES)
        self.token = ""
        self.asked: list[str] = []
        self.fetched: list[str] = []
        self.tokens: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answers(BaseHTTPRequestHandler):
    """The three routes that the hub client needs to fetch a snapshot."""

    server: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer()

    def do_HEAD(self) -> None:
        self.answer()

    def answer(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(path)
        sent = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.server.tokens.add(sent)
        if self.server.token and sent != self.server.token:
            self.send(b'{"error": "Access is restricted"}', 401, {"X-Error-Code": "GatedRepo"})
        elif path == f"/api/models/{MODEL}/revision/{REVISION}":
            siblings = [{"rfilename": name} for name in self.server.files]
            self.send(json.dumps({"id": MODEL, "sha": REVISION, "siblings": siblings}).encode())
        elif path == f"/api/models/{MODEL}/tree/{REVISION}":
            self.send(json.dumps([entry(*item) for item in self.server.files.items()]).encode())
        elif path.startswith(f"/{MODEL}/resolve/{REVISION}/"):
            name = path.rpartition("/")[2]
            if self.command == "GET":
                self.server.fetched.append(name)
            content = self.server.files[name]
            etag = hashlib.sha256(content).hexdigest()
            self.send(content, 200, {"ETag": f'"{etag}"', "X-Repo-Commit": REVISION})
        else:
            self.send(b'{"error": "not found"}', 404, {"X-Error-Code": "RepoNotFound"})

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


def entry(name: str, content: bytes) -> dict[str, object]:
    return {
        "type": "file",
        "path": name,
        "size": len(content),
        "oid": hashlib.sha256(content).hexdigest(),
    }


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "serve.yaml"
    file.write_text(f"model: {MODEL}\nrevision: {json.dumps(REVISION)}\n")
    return file


def preload(config: Path, hub: Hub | None, cache: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PRELOAD), f"--config={config}"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(cache.parent),
            "HF_ENDPOINT": hub.url if hub else "http://127.0.0.1:9",
            "HF_HUB_CACHE": str(cache),
            "HF_HUB_DISABLE_XET": "1",
            **extra,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_it_fetches_the_pinned_commit_and_no_code(hub: Hub, config: Path, cache: Path) -> None:
    done = preload(config, hub, cache)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"preload: {MODEL}@{REVISION} is whole"
    snapshot = cache / "models--lockgate--tiny" / "snapshots" / REVISION
    names = sorted(path.name for path in snapshot.iterdir())
    assert names == ["config.json", "model.safetensors", "tokenizer.json"]
    assert (snapshot / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_the_marker_lists_each_file_with_its_size(hub: Hub, config: Path, cache: Path) -> None:
    preload(config, hub, cache)
    markers = list((cache / ".preload").iterdir())
    assert [path.name for path in markers] == [f"lockgate--tiny@{REVISION}.json"]
    marker = json.loads(markers[0].read_text())
    assert marker["files"] == {
        name: len(FILES[name]) for name in ("config.json", "model.safetensors", "tokenizer.json")
    }


def test_a_second_run_asks_the_hub_for_nothing(hub: Hub, config: Path, cache: Path) -> None:
    preload(config, hub, cache)
    hub.asked.clear()
    done = preload(config, hub, cache)
    assert (done.returncode, hub.asked) == (0, [])
    assert done.stdout == f"preload: {MODEL}@{REVISION} is in {cache} already\n"


def test_a_second_run_needs_no_network(hub: Hub, config: Path, cache: Path) -> None:
    preload(config, hub, cache)
    assert preload(config, None, cache).returncode == 0


def test_a_lost_file_is_fetched_again(hub: Hub, config: Path, cache: Path) -> None:
    preload(config, hub, cache)
    snapshot = cache / "models--lockgate--tiny" / "snapshots" / REVISION
    weights = snapshot / "model.safetensors"
    weights.resolve().unlink()
    weights.unlink()
    hub.fetched.clear()
    assert preload(config, hub, cache).returncode == 0
    assert hub.fetched == ["model.safetensors"]
    assert weights.read_bytes() == FILES["model.safetensors"]


def test_a_broken_marker_is_written_anew(hub: Hub, config: Path, cache: Path) -> None:
    preload(config, hub, cache)
    marker = next((cache / ".preload").iterdir())
    marker.write_text("[1, 2")
    assert preload(config, hub, cache).returncode == 0
    assert json.loads(marker.read_text())["files"]


def test_the_token_comes_from_the_environment(hub: Hub, config: Path, cache: Path) -> None:
    hub.token = TOKEN
    done = preload(config, hub, cache, HF_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert TOKEN not in done.stdout + done.stderr
    written = b"".join(path.read_bytes() for path in cache.rglob("*") if path.is_file())
    assert TOKEN.encode() not in written


def test_a_token_file_in_the_home_is_not_used(hub: Hub, config: Path, cache: Path) -> None:
    file = cache.parent / ".cache" / "huggingface" / "token"
    file.parent.mkdir(parents=True)
    file.write_text(TOKEN)
    assert preload(config, hub, cache).returncode == 0
    assert hub.tokens == {""}


def test_a_gated_model_without_token_fails_with_the_reason(hub: Hub, config: Path, cache: Path) -> None:
    hub.token = TOKEN
    done = preload(config, hub, cache)
    assert done.returncode == 1
    assert done.stderr.startswith(f"preload: {MODEL}@{REVISION}: GatedRepoError: ")
    assert not (cache / ".preload").exists()


def test_an_offline_client_fails_in_one_line_and_leaves_no_marker(hub: Hub, config: Path, cache: Path) -> None:
    done = preload(config, hub, cache, HF_HUB_OFFLINE="1")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"preload: {MODEL}@{REVISION}: ")
    assert hub.asked == []
    assert not (cache / ".preload").exists()


def test_a_repository_without_safetensors_fails(hub: Hub, config: Path, cache: Path) -> None:
    del hub.files["model.safetensors"]
    done = preload(config, hub, cache)
    assert done.returncode == 1
    assert done.stderr == f"preload: {MODEL}@{REVISION} holds no *.safetensors\n"
    assert not (cache / ".preload").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"model: {MODEL}\nrevision: main\n",
            "revision must be a commit of 40 hexadecimal digits, found 'main'",
        ),
        (
            f"model: {MODEL}\n",
            "revision must be a commit of 40 hexadecimal digits, found ''",
        ),
        (
            f"revision: {json.dumps(REVISION)}\n",
            "model must be organisation/name, found ''",
        ),
        ("- 1\n", "must be a mapping of flags to values"),
        ("model: [\n", "cannot be read: "),
    ],
)
def test_a_configuration_that_names_no_commit_is_refused_with_64(
    config: Path, cache: Path, text: str, message: str
) -> None:
    config.write_text(text)
    done = preload(config, None, cache)
    assert done.returncode == 64
    assert done.stderr.startswith(f"preload: {config}")
    assert message in done.stderr
    assert not cache.exists()
