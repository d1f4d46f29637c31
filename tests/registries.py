"""Registries on loopback: the real one, from its Go module, with each way to let somebody in, and one that errs."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import shutil
import socket
import subprocess
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import loopback
import requests
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USER, PASSWORD = "reader", "open sesame"
# bcrypt of the password.
HTPASSWD = f"{USER}:$2a$04$xsDD7FLZJPDzGx5SwU7Jc.4yzoSp4WsnsNjY7ROsnx.zSsmdefitm\n"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
REPOSITORY, TAG = "vllm/vllm-openai", "v0.32.0"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextlib.contextmanager
def real(folder: Path, auth: dict[str, Any] | None = None) -> Iterator[str]:
    """The registry of the distribution project, empty; yields its host."""
    program = shutil.which("registry")
    assert program, "run `nox -s tools`"
    host = f"127.0.0.1:{free_port()}"
    config = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}},
        "http": {"addr": host, "secret": "x"},
        **({"auth": auth} if auth else {}),
    }
    (folder / "registry.yaml").write_text(yaml.safe_dump(config))
    with (
        (folder / "registry.log").open("w") as log,
        subprocess.Popen([program, "serve", str(folder / "registry.yaml")], stdout=log, stderr=log) as process,
    ):
        try:
            wait(host)
            yield host
        finally:
            process.terminate()


def wait(host: str) -> None:
    name, _, port = host.partition(":")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((name, int(port)), 1):
            return
        time.sleep(0.05)
    raise AssertionError(host)


def push(host: str, platforms: tuple[str, ...], headers: dict[str, str] | None = None) -> str:
    """An image of each platform under the tag, or a single image when there is none; returns its digest."""
    base = f"http://{host}/v2/{REPOSITORY}"
    with requests.Session() as session:
        session.headers.update(headers or {})
        layer = upload(session, base, b"a layer")
        manifests = [manifest(session, base, layer, platform) for platform in platforms or ("linux/amd64",)]
        if not platforms:
            return put(session, base, TAG, MANIFEST, manifests[0])
        entries = []
        for platform, content in zip(platforms, manifests, strict=True):
            digest = put(session, base, sha256(content), MANIFEST, content)
            system, _, architecture = platform.partition("/")
            where = {"os": system, "architecture": architecture}
            entries.append({"mediaType": MANIFEST, "digest": digest, "size": len(content), "platform": where})
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
        return put(session, base, TAG, INDEX, json.dumps(index).encode())


def manifest(session: requests.Session, base: str, layer: dict[str, Any], platform: str) -> bytes:
    system, _, architecture = platform.partition("/")
    config = upload(session, base, json.dumps({"os": system, "architecture": architecture}).encode())
    config["mediaType"] = "application/vnd.oci.image.config.v1+json"
    content = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    return json.dumps(content).encode()


def upload(session: requests.Session, base: str, content: bytes) -> dict[str, Any]:
    began = session.post(f"{base}/blobs/uploads/", timeout=10)
    began.raise_for_status()
    place = urllib.parse.urljoin(base, began.headers["Location"])
    mark = "&" if "?" in place else "?"
    session.put(f"{place}{mark}digest={sha256(content)}", data=content, timeout=10).raise_for_status()
    return {"mediaType": "application/octet-stream", "digest": sha256(content), "size": len(content)}


def put(session: requests.Session, base: str, name: str, kind: str, content: bytes) -> str:
    answer = session.put(f"{base}/manifests/{name}", data=content, headers={"Content-Type": kind}, timeout=10)
    answer.raise_for_status()
    return sha256(content)


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Answering(ThreadingHTTPServer):
    """A server that answers what `answers` holds for a path: status, headers and body."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[tuple[str, str, str]] = []

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Answers(BaseHTTPRequestHandler):
    server: Answering
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer("")

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode())

    def answer(self, body: str) -> None:
        path, _, query = self.path.partition("?")
        self.server.asked.append((path, query + body, self.headers.get("Authorization", "")))
        status, headers, content = self.server.answers.get(path, (404, {}, b""))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def answering() -> Iterator[Answering]:
    with loopback.serving(Answering()) as server:
        yield server


class TokenService:
    """What signs the tokens of the real registry: an RSA key, and its public half as the registry reads it."""

    def __init__(self, folder: Path, service: Answering) -> None:
        self.folder = folder
        self.key = folder / "key.pem"
        subprocess.run(
            ["openssl", "genrsa", "-out", str(self.key), "2048"], check=True, capture_output=True, timeout=60
        )
        done = subprocess.run(
            ["openssl", "rsa", "-in", str(self.key), "-modulus", "-noout"], check=True, capture_output=True, text=True
        )
        modulus = bytes.fromhex(done.stdout.strip().partition("=")[2])
        key = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k", "n": plain(modulus), "e": "AQAB"}
        (folder / "jwks.json").write_text(json.dumps({"keys": [key]}))
        self.auth = {
            "token": {
                "realm": f"http://{service.host}/token",
                "service": "images",
                "issuer": "lockgate",
                "jwks": str(folder / "jwks.json"),
                "signingalgorithms": ["RS256"],
            }
        }

    def token(self, *actions: str) -> str:
        """A token that lets its bearer do these things in the repository."""
        now = int(time.time())
        access = [{"type": "repository", "name": REPOSITORY, "actions": list(actions)}]
        claims = {"iss": "lockgate", "aud": "images", "nbf": now - 5, "iat": now, "exp": now + 600, "jti": "1"}
        parts = [{"typ": "JWT", "alg": "RS256", "kid": "k"}, {**claims, "sub": "", "access": access}]
        text = ".".join(plain(json.dumps(part).encode()) for part in parts)
        signed = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", str(self.key)], input=text.encode(), check=True, capture_output=True
        )
        return f"{text}.{plain(signed.stdout)}"


def plain(content: bytes) -> str:
    """Base64 as a JSON web token has it."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
