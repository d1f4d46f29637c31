"""S3 on loopback: versitygw, which checks signatures, and a mirror of the tests' model in it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import boto3
from registries import free_port, wait
from serving.hub import FILES, MODEL, REVISION, WANTED, git_name, large, sha256
from serving.preloading import SNAPSHOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY, SECRET = "AKTESTTESTTESTTEST", "secret-of-the-tests"
BUCKET, PREFIX = "models", "mirror"
FOLDER = f"{PREFIX}/{MODEL}/{REVISION}"


@contextlib.contextmanager
def gateway(folder: Path) -> Iterator[str]:
    """An empty S3 server; yields its host."""
    program = shutil.which("versitygw")
    assert program, "run `nox -s tools`"
    host = f"127.0.0.1:{free_port()}"
    for name in ("objects", "sidecar"):
        (folder / name).mkdir()
    places = ["--sidecar", str(folder / "sidecar"), str(folder / "objects")]
    keys = {"ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET}
    with (
        (folder / "versitygw.log").open("w") as log,
        subprocess.Popen(
            [program, "--port", host, "--quiet", "posix", *places], env={**os.environ, **keys}, stdout=log, stderr=log
        ) as process,
    ):
        try:
            wait(host)
            yield host
        finally:
            process.terminate()


class Bucket:
    """The bucket of one test."""

    def __init__(self, host: str, name: str) -> None:
        self.client = boto3.client(
            "s3",
            endpoint_url=f"http://{host}",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )
        self.name = name
        self.client.create_bucket(Bucket=name)

    def put(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        content: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return content

    def keys(self) -> set[str]:
        return {found["Key"] for found in self.client.list_objects_v2(Bucket=self.name).get("Contents", [])}

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def fill(self, files: dict[str, bytes] | None = None) -> None:
        """A mirror as the program publishes it, code and all that it would leave out too."""
        held = FILES if files is None else files
        for name, content in held.items():
            self.put(f"{FOLDER}/{name}", content)
        self.relist(listing(held))

    def relist(self, content: Any) -> None:
        self.put(f"{FOLDER}.json", json.dumps(content).encode())


def listing(files: dict[str, bytes]) -> dict[str, Any]:
    """What the marker of these files says."""
    hashes = {
        name: f"sha256:{sha256(text)}" if large(name) else f"sha1:{git_name(text)}" for name, text in files.items()
    }
    return {
        "snapshot": str(SNAPSHOT),
        "files": {name: len(text) for name, text in files.items()},
        "hashes": hashes,
    }


def wanted() -> dict[str, Any]:
    """The listing of what the program fetches."""
    return listing({name: FILES[name] for name in WANTED})
