"""The preload program and a registry: the real one on loopback, filled by oras, with faults in front of it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from huggingface_hub import snapshot_download
from registries import (
    HTPASSWD,
    INDEX,
    MANIFEST,
    PASSWORD,
    REPOSITORY,
    USER,
    TokenService,
    answering,
    put,
    real,
    upload,
)
from serving.faults import PRELOAD_OCI, Row
from serving.hub import FILES, MODEL, REVISION, WANTED, WEIGHTS, Hub, sha256
from serving.preloading import MARKER, SNAPSHOT, as_a_shell_says, begun, ends_as, is_whole, marked, preload
from serving.proxy import Fault, Proxy, before

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow

Done = subprocess.CompletedProcess[str]
# A busy machine is no stall.
WAITS = ("--stall-seconds=20",)
STALLED = "--stall-seconds=0.5"
TITLE, FILEPATH = "org.opencontainers.image.title", "org.cncf.model.filepath"


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def server(storage: Path) -> Iterator[str]:
    with real(storage) as host:
        yield host


@pytest.fixture
def proxy(server: str) -> Iterator[Proxy]:
    with before(server) as passing:
        yield passing


class Artifact:
    """A repository of a registry behind a proxy, and the program told of an artifact in it."""

    def __init__(self, proxy: Proxy, config: Path, cache: Path) -> None:
        self.proxy, self.config, self.cache = proxy, config, cache
        self.repository = f"models/t{uuid.uuid4().hex}"
        self.digest = f"sha256:{'0' * 64}"

    @property
    def base(self) -> str:
        return f"http://{self.proxy.to}/v2/{self.repository}"

    @property
    def place(self) -> str:
        return f"oci://{self.proxy.host}/{self.repository}:v1@{self.digest}"

    def push(self, folder: Path, *names: str, annotations: tuple[str, ...] = (f"revision={REVISION}",)) -> None:
        """What docs/serving.md says, from a folder that holds the files."""
        words = [word for one in annotations for word in ("--annotation", f"org.opencontainers.image.{one}")]
        where = f"{self.proxy.to}/{self.repository}:v1"
        told = ["oras", "push", "--plain-http", "--format=go-template={{.digest}}", *words, where, *names]
        done = subprocess.run(told, cwd=folder, capture_output=True, text=True, check=True, timeout=60)
        self.digest = done.stdout.strip()

    def fill(self, files: dict[str, bytes] | None = None) -> None:
        """All files of the model, code too."""
        folder = self.config.parent / f"files-{uuid.uuid4().hex}"
        for name, content in (files or FILES).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        self.push(folder, *(files or FILES))

    def layers(self, session: requests.Session, key: str = TITLE) -> list[dict[str, Any]]:
        wanted = [(name, upload(session, self.base, FILES[name])) for name in WANTED]
        return [{**layer, "annotations": {key: name}} for name, layer in wanted]

    def send(self, session: requests.Session, layers: object, annotations: dict[str, str] | None = None) -> None:
        config = {**upload(session, self.base, b"{}"), "mediaType": "application/vnd.oci.empty.v1+json"}
        content = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
        if annotations:
            content["annotations"] = annotations
        self.digest = put(session, self.base, "v1", MANIFEST, json.dumps(content).encode())

    def fetch(self, *options: str, **extra: str) -> Done:
        return preload(self.config, None, self.cache, *WAITS, f"--source={self.place}", *options, **extra)

    def begin(self, *options: str) -> subprocess.Popen[str]:
        return begun(self.config, None, self.cache, *WAITS, f"--source={self.place}", *options)


@pytest.fixture
def artifact(proxy: Proxy, config: Path, cache: Path) -> Artifact:
    return Artifact(proxy, config, cache)


def test_it_fetches_the_layers_that_are_wanted_and_no_code(artifact: Artifact, cache: Path) -> None:
    artifact.fill()
    done = artifact.fetch()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"preload: {MODEL}@{REVISION} is whole"
    assert is_whole(cache)
    base = f"GET /v2/{artifact.repository}"
    blobs = [f"{base}/blobs/sha256:{sha256(FILES[name])}" for name in WANTED]
    assert sorted(artifact.proxy.asked) == sorted([f"{base}/manifests/{artifact.digest}", *blobs])


def test_the_marker_has_the_digests_of_the_layers(artifact: Artifact) -> None:
    artifact.fill()
    assert artifact.fetch().returncode == 0
    assert json.loads((artifact.cache / MARKER).read_text()) == {
        "snapshot": str(SNAPSHOT),
        "files": {name: len(FILES[name]) for name in WANTED},
        "hashes": {name: f"sha256:{sha256(FILES[name])}" for name in WANTED},
    }


def test_the_client_of_the_hub_finds_the_snapshot(artifact: Artifact, cache: Path) -> None:
    artifact.fill()
    assert artifact.fetch().returncode == 0
    found = snapshot_download(MODEL, revision=REVISION, cache_dir=cache, local_files_only=True)
    assert {path.name: path.read_bytes() for path in Path(found).iterdir()} == {name: FILES[name] for name in WANTED}


def test_a_snapshot_that_came_from_the_hub_can_be_pushed(artifact: Artifact, hub: Hub, tmp_path: Path) -> None:
    """As docs/serving.md has it: from within the snapshot, whose files are links."""
    assert preload(artifact.config, hub, tmp_path / "other").returncode == 0
    artifact.push(tmp_path / "other" / SNAPSHOT, *WANTED)
    assert artifact.fetch().returncode == 0
    assert is_whole(artifact.cache)


def test_a_second_run_asks_the_registry_for_nothing(artifact: Artifact) -> None:
    artifact.fill()
    artifact.fetch()
    artifact.proxy.asked.clear()
    assert artifact.fetch().returncode == 0
    assert artifact.proxy.asked == []


def test_within_a_run_it_goes_on_where_a_connection_broke(artifact: Artifact) -> None:
    content = os.urandom(8 * 2**20)
    artifact.fill({**FILES, WEIGHTS: content})
    artifact.proxy.faults = [Fault(sha256(content), "truncate", times=1)]
    done = artifact.fetch()
    assert done.returncode == 0, done.stderr
    assert artifact.proxy.ranges == [f"bytes={6 * 2**20}-"]
    assert (artifact.cache / SNAPSHOT / WEIGHTS).read_bytes() == content


def test_a_registry_without_ranges_is_read_from_the_start(artifact: Artifact) -> None:
    content = os.urandom(8 * 2**20)
    artifact.fill({**FILES, WEIGHTS: content})
    artifact.proxy.faults = [Fault(sha256(content), "truncate", times=1)]
    artifact.proxy.dropped = {"Range"}
    done = artifact.fetch()
    assert done.returncode == 0, done.stderr
    assert len(artifact.proxy.ranges) == 1
    assert (artifact.cache / SNAPSHOT / WEIGHTS).read_bytes() == content


@pytest.mark.parametrize("count", range(1, 6))
def test_killed_at_any_request_it_marks_nothing_and_the_next_run_ends_it(artifact: Artifact, count: int) -> None:
    artifact.fill()
    with artifact.proxy.stopped_at(count) as reached, artifact.begin() as process:
        assert reached.wait(60), process.communicate(timeout=5)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not marked(artifact.cache)
    done = artifact.fetch()
    assert done.returncode == 0, done.stderr
    assert is_whole(artifact.cache)
    assert marked(artifact.cache)


def test_two_at_once_fetch_it_once(artifact: Artifact) -> None:
    artifact.fill()
    artifact.proxy.faults = [Fault("/blobs/", "hold")]
    with artifact.begin() as first:
        assert artifact.proxy.held.wait(60), first.communicate(timeout=5)
        with artifact.begin() as second:
            assert second.stdout
            said = [second.stdout.readline() for _ in range(2)]
            artifact.proxy.release.set()
            rest = second.communicate(timeout=60)
        first.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0), rest
    assert said[1] == "preload: another run fills the cache: waiting for it\n"
    assert rest[0].endswith(" already\n")
    assert len(artifact.proxy.asked) == 1 + len(WANTED)
    assert is_whole(artifact.cache)


def test_a_token_is_asked_for_once_and_goes_to_the_registry_alone(config: Path, cache: Path, tmp_path: Path) -> None:
    """A layer lies on another host, as cloud registries have it."""
    with answering() as elsewhere, answering() as service:
        tokens = TokenService(tmp_path, service)
        with real(tmp_path, tokens.auth) as host, before(host) as proxy:
            artifact = guarded(proxy, config, cache, f"Bearer {tokens.token('push', 'pull')}")
            service.answers["/token"] = (200, {}, json.dumps({"token": tokens.token("pull")}).encode())
            there = f"http://{elsewhere.host.replace('127.0.0.1', 'localhost')}/{WEIGHTS}"
            elsewhere.answers[f"/{WEIGHTS}"] = (200, {}, FILES[WEIGHTS])
            proxy.faults = [
                Fault(sha256(FILES[WEIGHTS]), "401", times=1, headers=proxy_door(service.host)),
                Fault(sha256(FILES[WEIGHTS]), "307", headers={"Location": there}),
            ]
            done = artifact.fetch(DOCKER_CONFIG=docker(tmp_path, proxy.host, PASSWORD))
    assert done.returncode == 0, done.stderr
    assert is_whole(cache)
    first, second = service.asked
    assert f"scope=repository%3A{REPOSITORY.replace('/', '%2F')}%3Apull" in first[1]
    assert {first[2], second[2]} == {f"Basic {basic(PASSWORD)}"}
    assert [asked[2] for asked in elsewhere.asked] == [""]
    assert PASSWORD not in done.stdout + done.stderr


def proxy_door(host: str) -> dict[str, str]:
    return {"WWW-Authenticate": f'Bearer realm="http://{host}/token",service="images"'}


def guarded(proxy: Proxy, config: Path, cache: Path, key: str) -> Artifact:
    """An artifact in the one repository that the tests' tokens open."""
    artifact = Artifact(proxy, config, cache)
    artifact.repository = REPOSITORY
    with requests.Session() as session:
        session.headers["Authorization"] = key
        artifact.send(session, artifact.layers(session))
    return artifact


def basic(password: str) -> str:
    return base64.b64encode(f"{USER}:{password}".encode()).decode()


def docker(folder: Path, host: str, password: str, *, apart: bool = False) -> str:
    """The folder of a configuration of docker that has a password for this host."""
    entry = {"username": USER, "password": password} if apart else {"auth": basic(password)}
    (folder / "docker").mkdir()
    (folder / "docker" / "config.json").write_text(json.dumps({"auths": {host: entry}}))
    return str(folder / "docker")


@pytest.mark.parametrize("row", PRELOAD_OCI, ids=lambda row: row.fault)
def test_each_fault_ends_as_the_table_says(
    row: Row, artifact: Artifact, config: Path, cache: Path, tmp_path: Path, storage: Path
) -> None:
    scene: Callable[..., Done] = globals()[f"scene_{row.scene}"]
    known = {"artifact": artifact, "config": config, "cache": cache, "tmp_path": tmp_path, "storage": storage}
    ends_as(row, cache, scene, known)
    assert list(tmp_path.rglob("x.safetensors")) == []


def scene_words(config: Path, cache: Path, said: tuple[str, ...]) -> Done:
    done = preload(config, None, cache, *said)
    assert "reader" not in done.stdout + done.stderr
    return done


def scene_without(artifact: Artifact, tmp_path: Path) -> Done:
    (tmp_path / "lacking").mkdir()
    (tmp_path / "lacking" / "requests.py").write_text("raise ImportError('no requests')")
    return artifact.fetch(PYTHONPATH=str(tmp_path / "lacking"))


def scene_docker(artifact: Artifact, tmp_path: Path) -> Done:
    artifact.proxy.faults = [Fault("/manifests/", "401", headers={"WWW-Authenticate": 'Basic realm="x"'})]
    (tmp_path / "config.json").write_text('{"auths')
    return artifact.fetch(DOCKER_CONFIG=str(tmp_path))


def scene_no_artifact(artifact: Artifact) -> Done:
    return artifact.fetch()


def scene_no_layer(artifact: Artifact, storage: Path) -> Done:
    """Of this artifact alone, so that no other has it."""
    content = uuid.uuid4().bytes
    artifact.fill({**FILES, WEIGHTS: content})
    digest = sha256(content)
    shutil.rmtree(storage / "storage/docker/registry/v2/blobs/sha256" / digest[:2] / digest)
    return artifact.fetch()


def scene_revision(artifact: Artifact) -> Done:
    with requests.Session() as session:
        artifact.send(session, artifact.layers(session), {"org.opencontainers.image.revision": "main"})
    return artifact.fetch()


def scene_no_revision(artifact: Artifact) -> Done:
    with requests.Session() as session:
        artifact.send(session, artifact.layers(session))
    return artifact.fetch()


def scene_filepath(artifact: Artifact) -> Done:
    with requests.Session() as session:
        artifact.send(session, artifact.layers(session, FILEPATH))
    return artifact.fetch()


def scene_index(artifact: Artifact) -> Done:
    artifact.fill()
    with requests.Session() as session:
        content = {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
        artifact.digest = put(session, artifact.base, "all", INDEX, json.dumps(content).encode())
    return artifact.fetch()


def scene_manifest(artifact: Artifact, layers: object) -> Done:
    """A registry refuses such a manifest, so it is sent in front of it."""
    content = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "layers": layers})
    artifact.digest = f"sha256:{sha256(content.encode())}"
    artifact.proxy.faults = [Fault("/manifests/", "200", body=content)]
    return artifact.fetch()


def scene_layer(artifact: Artifact, title: str = WEIGHTS, size: int = 0, kind: str = "") -> Done:
    with requests.Session() as session:
        layers = artifact.layers(session)
        weights = next(layer for layer in layers if layer["annotations"][TITLE] == WEIGHTS)
        weights["annotations"] = {TITLE: title}
        weights["size"] = size or weights["size"]
        weights["mediaType"] = kind or weights["mediaType"]
    return scene_manifest(artifact, layers)


def scene_proxy(artifact: Artifact, fault: dict[str, Any]) -> Done:
    artifact.fill()
    artifact.proxy.faults = [Fault(**fault)]
    return artifact.fetch(*[STALLED] * (fault["kind"] == "stall"))


def scene_nobody(artifact: Artifact) -> Done:
    artifact.proxy.to = "127.0.0.1:9"
    return preload(artifact.config, None, artifact.cache, f"--source=oci://127.0.0.1:9/models/tiny@{artifact.digest}")


def scene_password(artifact: Artifact, tmp_path: Path, password: str = "", apart: bool = False) -> Done:  # noqa: FBT001, FBT002
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    auth = {"htpasswd": {"realm": "images", "path": str(tmp_path / "htpasswd")}}
    with real(tmp_path, auth) as host, before(host) as proxy:
        closed = guarded(proxy, artifact.config, artifact.cache, f"Basic {basic(PASSWORD)}")
        extra = {"DOCKER_CONFIG": docker(tmp_path, proxy.host, password, apart=apart)} if password else {}
        return closed.fetch(**extra)


def scene_token(artifact: Artifact, tmp_path: Path, password: str = "", status: int = 200, body: str = "") -> Done:
    with answering() as service:
        tokens = TokenService(tmp_path, service)
        with real(tmp_path, tokens.auth) as host, before(host) as proxy:
            closed = guarded(proxy, artifact.config, artifact.cache, f"Bearer {tokens.token('push', 'pull')}")
            content = body or json.dumps({"access_token": tokens.token("pull")} if status == 200 else {})
            service.answers["/token"] = (status, {}, content.encode())
            extra = {"DOCKER_CONFIG": docker(tmp_path, proxy.host, password)} if password else {}
            done = closed.fetch(**extra)
    assert {asked[2] for asked in service.asked} == {f"Basic {basic(password)}" if password else ""}
    return done


def scene_signal(artifact: Artifact, number: int) -> Done:
    artifact.fill()
    artifact.proxy.faults = [Fault("/blobs/", "hold")]
    with artifact.begin() as process:
        assert artifact.proxy.held.wait(60), process.communicate(timeout=5)
        process.send_signal(number)
        said = process.communicate(timeout=20)
    return as_a_shell_says(process, said)
