"""`lockgate pin` against the real registry and a hub on loopback: what it writes, and that it writes nothing else."""

from __future__ import annotations

import base64
import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from registries import HTPASSWD, PASSWORD, REPOSITORY, TAG, USER, Answering, TokenService, answering, push, real
from serving.faults import PIN, Row

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Lockgate = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.slow

MODEL, REVISION = "Qwen/Qwen3-14B", "40c069824f4251a91eefaf281ebe4c544efd3e18"
NEWER = "1234567890" * 4
PLATFORMS = ("linux/amd64", "linux/arm64")
KUSTOMIZATION, SERVE = "overlays/dev/release/kustomization.yaml", "overlays/dev/release/serve.yaml"


@pytest.fixture
def hub() -> Iterator[Answering]:
    with answering() as server:
        for name, sha in ((REVISION, REVISION), ("main", NEWER)):
            server.answers[f"/api/models/{MODEL}/revision/{name}"] = (200, {}, listing(sha))
        yield server


def listing(sha: str, *names: str) -> bytes:
    files = names or ("model-1.safetensors", "model-2.safetensors", "config.json")
    siblings = [{"rfilename": name, "size": 2**30 if name.endswith("safetensors") else 600} for name in files]
    return json.dumps({"id": MODEL, "sha": sha, "siblings": siblings}).encode()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    with real(tmp_path) as host:
        yield host


def at(repository: Path, host: str, tag: str = TAG) -> None:
    """Lets dev's release name an image of this registry."""
    file = repository / KUSTOMIZATION
    text = file.read_text().replace("docker.io/vllm", f"{host}/vllm").replace("newTag: v0.32.0", f"newTag: {tag}")
    file.write_text(text)


@pytest.fixture
def pin(lockgate: Lockgate, repository: Path, hub: Answering, tmp_path: Path) -> Lockgate:
    def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        mine = {"HOME": str(home), "HF_ENDPOINT": f"http://{hub.host}", "DOCKER_CONFIG": str(home / ".docker")}
        return lockgate("pin", str(repository), *words, **{**mine, "HF_TOKEN": "", **env})

    return run


def files(repository: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(repository.rglob("*")) if path.is_file()}


def docker(folder: Path, **config: Any) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def test_it_writes_the_digest_of_the_index_beside_the_tag(pin: Lockgate, repository: Path, registry: str) -> None:
    digest = push(registry, PLATFORMS)
    at(repository, registry)
    before = files(repository)
    done = pin()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"image {registry}/{REPOSITORY}:{TAG}: {digest} (linux/amd64, linux/arm64)",
        f"model {MODEL}: {REVISION} (3 files, 2 of weights, 2.0 GiB)",
        f"wrote {KUSTOMIZATION}",
    ]
    after = files(repository)
    changed = [name for name in after if after[name] != before.get(name)]
    assert changed == [str(repository / KUSTOMIZATION)]
    old = before[changed[0]].decode()
    assert after[changed[0]].decode() == old.replace(f"newTag: {TAG}\n", f"newTag: {TAG}\n    digest: {digest}\n")


def test_the_gate_needs_no_exemption_once_it_is_pinned_and_promoted(
    pin: Lockgate, lockgate: Lockgate, repository: Path, registry: str
) -> None:
    push(registry, PLATFORMS)
    at(repository, registry)
    assert pin().returncode == 0
    settings = repository / "lockgate.yaml"
    text = settings.read_text().replace("docker.io/vllm", f"{registry}/vllm")
    settings.write_text(text[: text.index("exemptions:")])
    for environment in ("canary", "prod"):
        for name in ("kustomization.yaml", "serve.yaml"):
            target = repository / "overlays" / environment / "release" / name
            target.write_bytes((repository / "overlays/dev/release" / name).read_bytes())
    done = lockgate("check", str(repository), "--format", "json")
    assert [one["rule"] for one in json.loads(done.stdout)["findings"] if one["rule"] in {"IMG001", "IMG002"}] == []


def test_a_second_time_there_is_nothing_to_write(pin: Lockgate, repository: Path, registry: str) -> None:
    digest = push(registry, PLATFORMS)
    at(repository, registry)
    pin()
    before = files(repository)
    done = pin()
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].startswith(f"image {registry}/{REPOSITORY}:{TAG}: {digest} as before (")
    assert done.stdout.splitlines()[-1] == "overlays/dev/release is pinned already"
    assert files(repository) == before


def test_a_tag_that_moved_is_told(pin: Lockgate, repository: Path, registry: str) -> None:
    old = push(registry, PLATFORMS)
    at(repository, registry)
    pin()
    new = push(registry, (*PLATFORMS, "linux/ppc64le"))
    done = pin()
    assert f"{old} -> {new} (linux/amd64, linux/arm64, linux/ppc64le)" in done.stdout
    text = (repository / KUSTOMIZATION).read_text()
    assert (text.count(new), text.count(old)) == (1, 0)


def test_a_single_image_is_pinned_by_its_own_digest(pin: Lockgate, repository: Path, registry: str) -> None:
    digest = push(registry, ())
    at(repository, registry)
    done = pin()
    assert done.stdout.splitlines()[0] == f"image {registry}/{REPOSITORY}:{TAG}: {digest}"


def test_a_dry_run_says_it_and_writes_nothing(pin: Lockgate, repository: Path, registry: str) -> None:
    push(registry, PLATFORMS)
    at(repository, registry)
    before = files(repository)
    done = pin("--dry-run", "--revision=main")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-2:] == [f"would write {KUSTOMIZATION}", f"would write {SERVE}"]
    assert files(repository) == before


def test_a_branch_becomes_a_commit_and_comments_stay(pin: Lockgate, repository: Path, registry: str) -> None:
    push(registry, PLATFORMS)
    at(repository, registry)
    before = (repository / SERVE).read_text()
    done = pin("--revision", "main")
    assert f"model {MODEL}: {REVISION} -> {NEWER} (3 files" in done.stdout
    assert (repository / SERVE).read_text() == before.replace(REVISION, NEWER)
    assert yaml.safe_load((repository / SERVE).read_text())["revision"] == NEWER


def test_a_release_without_revision_gets_that_of_main(pin: Lockgate, repository: Path, registry: str) -> None:
    push(registry, PLATFORMS)
    at(repository, registry)
    file = repository / SERVE
    file.write_text(re.sub(r"revision:.*\n", "", file.read_text()))
    assert pin().returncode == 0
    serve = yaml.safe_load(file.read_text())
    assert (serve["revision"], list(serve)[:2]) == (NEWER, ["model", "revision"])


def test_the_token_of_the_hub_comes_from_the_environment(
    pin: Lockgate, repository: Path, registry: str, hub: Answering
) -> None:
    push(registry, PLATFORMS)
    at(repository, registry)
    done = pin(HF_TOKEN="hf_secret")
    assert hub.asked[-1] == (f"/api/models/{MODEL}/revision/{REVISION}", "blobs=true", "Bearer hf_secret")
    assert "hf_secret" not in done.stdout + done.stderr


def test_a_password_comes_from_the_configuration_of_docker(pin: Lockgate, repository: Path, tmp_path: Path) -> None:
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    auth = {"htpasswd": {"realm": "images", "path": str(tmp_path / "htpasswd")}}
    secret = basic(USER, PASSWORD)
    with real(tmp_path, auth) as host:
        digest = push(host, PLATFORMS, {"Authorization": f"Basic {secret}"})
        at(repository, host)
        closed = pin()
        config = docker(tmp_path / "docker", auths={host: {"auth": secret}})
        done = pin(DOCKER_CONFIG=config)
        wrong = pin(DOCKER_CONFIG=docker(tmp_path / "other", auths={host: {"auth": basic(USER, "no")}}))
    for refused in (closed, wrong):
        assert refused.returncode == 2
        assert f"refuses access (401)\nhint: `docker login {host}`" in refused.stderr
    assert digest in done.stdout
    assert PASSWORD not in done.stdout + wrong.stderr


def test_a_credential_helper_is_asked(pin: Lockgate, repository: Path, tmp_path: Path) -> None:
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    auth = {"htpasswd": {"realm": "images", "path": str(tmp_path / "htpasswd")}}
    helper = tmp_path / "bin" / "docker-credential-test"
    helper.parent.mkdir()
    said = json.dumps({"Username": USER, "Secret": PASSWORD})
    helper.write_text(f"#!/bin/sh\nread host; echo $host > {tmp_path}/asked; echo '{said}'\n")
    helper.chmod(0o755)
    with real(tmp_path, auth) as host:
        digest = push(host, PLATFORMS, {"Authorization": f"Basic {basic(USER, PASSWORD)}"})
        at(repository, host)
        config = docker(tmp_path / "docker", credHelpers={host: "test"})
        done = pin(DOCKER_CONFIG=config, PATH=f"{helper.parent}{os.pathsep}{os.environ['PATH']}")
        missing = pin(DOCKER_CONFIG=docker(tmp_path / "other", credsStore="nowhere"))
    assert digest in done.stdout
    assert (tmp_path / "asked").read_text() == f"{host}\n"
    assert missing.returncode == 2
    assert "docker-credential-nowhere, which docker's configuration names, cannot be asked" in missing.stderr


@pytest.mark.parametrize("login", ["anonymous", "password", "identity"])
def test_a_token_is_fetched_where_the_registry_says(
    pin: Lockgate, repository: Path, tmp_path: Path, login: str
) -> None:
    with answering() as service:
        tokens = TokenService(tmp_path, service)
        with real(tmp_path, tokens.auth) as host:
            digest = push(host, PLATFORMS, {"Authorization": f"Bearer {tokens.token('push', 'pull')}"})
            at(repository, host)
            key = "access_token" if login == "identity" else "token"
            service.answers["/token"] = (200, {}, json.dumps({key: tokens.token("pull")}).encode())
            entry = {
                "anonymous": {},
                "password": {"auth": basic(USER, PASSWORD)},
                "identity": {"auth": basic(USER, ""), "identitytoken": "refresh-me"},
            }[login]
            done = pin(DOCKER_CONFIG=docker(tmp_path / "docker", auths={f"https://{host}/v2/": entry}))
    assert digest in done.stdout, done.stderr
    (asked,) = service.asked
    assert f"scope=repository%3A{REPOSITORY.replace('/', '%2F')}%3Apull" in asked[1]
    assert "service=images" in asked[1]
    assert asked[2] == (f"Basic {basic(USER, PASSWORD)}" if login == "password" else "")
    assert ("refresh_token=refresh-me" in asked[1]) is (login == "identity")


@pytest.mark.parametrize("row", PIN, ids=lambda row: row.fault)
def test_each_fault_ends_as_the_table_says(
    row: Row, pin: Lockgate, repository: Path, hub: Answering, tmp_path: Path
) -> None:
    with answering() as server:
        body = json.dumps({"schemaVersion": 2, "manifests": [{"platform": {"os": "linux", "architecture": "amd64"}}]})
        server.answers[f"/v2/{REPOSITORY}/manifests/{TAG}"] = (200, {}, body.encode())
        at(repository, server.host)
        scene: Callable[..., tuple[list[str], dict[str, str]]] = globals()[f"scene_{row.scene}"]
        words, variables = scene(server, hub, repository, tmp_path, **row.given)
        before = files(repository)
        done = pin(*words, **variables)
    assert done.returncode == row.code, done.stdout + done.stderr
    assert row.message in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stderr
    assert (files(repository) == before) is (row.code == 2)


def scene_words(_server: Answering, _hub: Answering, _root: Path, _tmp: Path, words: list[str]) -> Any:
    return words, {}


def scene_registry(
    server: Answering,
    _hub: Answering,
    _root: Path,
    _tmp: Path,
    status: int,
    headers: dict[str, str] | None = None,
    body: str = "",
) -> Any:
    said = {name: value.replace("HOST", server.host) for name, value in (headers or {}).items()}
    server.answers[f"/v2/{REPOSITORY}/manifests/{TAG}"] = (status, said, body.encode())
    server.answers["/token"] = (200, {}, b"<html>")
    return [], {}


def scene_hub(
    _server: Answering, hub: Answering, _root: Path, _tmp: Path, status: int, code: str = "", body: str = ""
) -> Any:
    headers = {"X-Error-Code": code} if code else {}
    hub.answers[f"/api/models/{MODEL}/revision/{REVISION}"] = (status, headers, body.encode())
    return [], {}


def scene_nobody(_server: Answering, _hub: Answering, root: Path, _tmp: Path, who: str) -> Any:
    if who == "registry":
        file = root / KUSTOMIZATION
        file.write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:9", file.read_text()))
        return [], {}
    return [], {"HF_ENDPOINT": "http://127.0.0.1:9"}


def scene_no_name(_server: Answering, _hub: Answering, root: Path, _tmp: Path) -> Any:
    file = root / KUSTOMIZATION
    file.write_text(re.sub(r"127\.0\.0\.1:\d+", "registry.invalid", file.read_text()))
    return [], {}


def scene_file(_server: Answering, _hub: Answering, root: Path, _tmp: Path, name: str, text: str | None) -> Any:
    file = root / "overlays" / "dev" / "release" / name
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    return [], {}


def scene_docker(_server: Answering, _hub: Answering, _root: Path, tmp: Path, text: str) -> Any:
    server, folder = _server, tmp / "docker"
    server.answers[f"/v2/{REPOSITORY}/manifests/{TAG}"] = (401, {"WWW-Authenticate": 'Basic realm="x"'}, b"")
    folder.mkdir()
    (folder / "config.json").write_text(text)
    return [], {"DOCKER_CONFIG": str(folder)}


def scene_nothing(_server: Answering, _hub: Answering, _root: Path, _tmp: Path) -> Any:
    return [], {}
