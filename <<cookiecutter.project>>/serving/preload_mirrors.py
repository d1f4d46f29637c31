"""The mirrors that preload.py gets a model from: an S3 bucket or an artifact of an OCI registry.

Keys come from the environment alone: what boto3 reads (AWS_ENDPOINT_URL, AWS_REGION, AWS_PROFILE, a web identity,
keys), and the config.json in DOCKER_CONFIG.

In a bucket a revision is PREFIX/ORGANISATION/NAME/REVISION/FILE, and beside its folder REVISION.json, the marker of
the cache that it was published from. That goes last, so that half a mirror is none. In a registry it is an artifact
with one layer for each file, as `oras push` makes it; the digest of the manifest pins them all.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preload_cache import (
    NO_ACCESS,
    NOT_FOUND,
    PACKED,
    TRY_AGAIN,
    UNUSABLE,
    USAGE,
    Cache,
    Failure,
    File,
    files_of,
    say,
)
from preload_sources import WORKERS, Hub, Mirror, library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Read of a connection at once.
READ = 2**20
# A listing has some hundred bytes a file.
LARGEST_LISTING = 4 * 2**20
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
# The name of a layer's file: as `oras push` writes it, and as the model specification of the CNCF has it.
NAMES = ("org.opencontainers.image.title", "org.cncf.model.filepath")
# `oras push` calls every file a .tar that is given no type, and packs a folder as .tar+gzip.
ARCHIVE = r"^application/vnd\.cncf\.model\..*\.tar\b|\+(gzip|zstd)$"
REVISION = "org.opencontainers.image.revision"
BUCKETS = "s3://BUCKET[/PREFIX]"
PLACES = f"wanted hub, {BUCKETS} or oci://REGISTRY/REPOSITORY[:TAG]@sha256:DIGEST"
# docker's own name for its registry, and where that is.
DOCKER_HUB = {"docker.io": "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}


class S3(Mirror):
    """A bucket of S3 or of what speaks like it."""

    def __init__(self, bucket: str, prefix: str, model: str, cache: Cache, stall: float) -> None:
        boto3, errors = library("boto3"), library("botocore.exceptions")
        self.broken = (errors.HTTPClientError, errors.IncompleteReadError, errors.FlexibleChecksumError)
        os.environ.setdefault("AWS_RETRY_MODE", "standard")
        settings = library("botocore.config").Config(
            connect_timeout=stall, read_timeout=stall, max_pool_connections=2 * WORKERS
        )
        try:
            self.client = boto3.client("s3", config=settings)
        except ValueError as error:
            raise Failure(USAGE, f"AWS_ENDPOINT_URL: {error}") from error
        self.bucket = bucket
        self.cache = cache
        self.folder = "/".join(filter(None, [prefix.strip("/"), model, cache.snapshot.name]))

    def files(self) -> list[File]:
        """Return what the listing beside the folder holds."""
        key = f"{self.folder}.json"
        try:
            body = self._small(
                lambda: self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read(LARGEST_LISTING)
            )
        except self.client.exceptions.NoSuchKey as error:
            message = f"s3://{self.bucket}/{key} is not there: --publish fills a mirror, its listing last"
            raise Failure(NOT_FOUND, message) from error
        try:
            listing = json.loads(body)
            snapshot = listing["snapshot"]
        except (ValueError, KeyError, TypeError) as error:
            raise Failure(UNUSABLE, f"s3://{self.bucket}/{key} is no listing of a mirror") from error
        if snapshot != str(self.cache.snapshot.relative_to(self.cache.root)):
            raise Failure(UNUSABLE, f"s3://{self.bucket}/{key} lists another snapshot: {snapshot!r}")
        return files_of(listing)

    def read(self, file: File, start: int) -> Iterator[bytes]:
        """Yield the bytes of an object from `start` on."""
        place = {"Bucket": self.bucket, "Key": f"{self.folder}/{file.name}"}
        try:
            answer = self.client.get_object(**place, **({"Range": f"bytes={start}-"} if start else {}))
        except self.client.exceptions.NoSuchKey as error:
            raise Failure(
                NOT_FOUND, f"{file.name} is listed, but s3://{'/'.join(place.values())} is not there"
            ) from error
        yield from self._rest(
            file, start, answer.get("ContentRange", ""), answer["ContentLength"], answer["Body"].iter_chunks(READ)
        )

    def publish(self) -> None:
        """Copy the marked snapshot into the bucket, then its marker; what is there already stays."""
        files = self.cache.listed()
        for number, file in enumerate(files, 1):
            place = {"Bucket": self.bucket, "Key": f"{self.folder}/{file.name}"}
            marked = {"preload-hash": f"{file.kind}:{file.hash}"}
            known = self._head(place)
            if (known.get("ContentLength"), known.get("Metadata")) != (file.size, marked):
                self.client.upload_file(str(self.cache.snapshot / file.name), **place, ExtraArgs={"Metadata": marked})
                say(f"published {number} of {len(files)}: {file.name}")
        listing = self.cache.marker.read_bytes()
        self.client.put_object(
            Bucket=self.bucket, Key=f"{self.folder}.json", Body=listing, ContentType="application/json"
        )

    def _head(self, place: dict[str, str]) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self.client.head_object(**place)
        except self.client.exceptions.ClientError as error:
            # An answer to HEAD has no body that could say NoSuchKey.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != HTTPStatus.NOT_FOUND:
                raise
            return {}
        return found


class Oci(Mirror):
    """An artifact of an OCI registry, by the distribution API and docker's token authentication."""

    def __init__(self, host: str, repository: str, digest: str, cache: Cache, stall: float) -> None:
        requests = library("requests")
        self.broken = (requests.RequestException,)
        self.digest = digest
        self.revision = cache.snapshot.name
        self.stall = stall
        self.host = host
        # Plain HTTP only to this machine, as docker does it.
        local = re.fullmatch(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?", host)
        self.base = f"{'http' if local else 'https'}://{DOCKER_HUB.get(host, host)}/v2/{repository}"
        self.scope = f"repository:{repository}:pull"
        self.realms = ("https://", "http://") if local else ("https://",)
        self.http = requests.Session()
        # A connection that breaks is tried again where it is read.
        retry = library("urllib3.util").Retry(
            3, connect=0, read=0, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504), raise_on_status=False
        )
        adapter = library("requests.adapters").HTTPAdapter(pool_maxsize=WORKERS, max_retries=retry)
        self.http.mount("http://", adapter)
        self.http.mount("https://", adapter)
        # An own function keeps the passwords of a ~/.netrc away.
        self.http.auth = lambda request: request
        self.door: dict[str, str] = {}

    def files(self) -> list[File]:
        """Return the layers of the manifest that the digest names."""
        body = self._small(lambda: self._get(f"/manifests/{self.digest}", {"Accept": MANIFEST}).content)
        if f"sha256:{hashlib.sha256(body).hexdigest()}" != self.digest:
            raise Failure(TRY_AGAIN, f"{self.host} sends another manifest than {self.digest}")
        try:
            manifest = json.loads(body)
            revision = (manifest.get("annotations") or {}).get(REVISION)
            files = [file for layer in manifest["layers"] for file in layer_file(layer)]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Failure(UNUSABLE, f"{self.digest} is no manifest of an artifact with layers") from error
        if revision is None:
            say(f"the artifact does not name its revision ({REVISION}): taken for {self.revision}")
        elif revision != self.revision:
            raise Failure(UNUSABLE, f"the artifact is revision {revision!r}, the release wants {self.revision}")
        return files

    def read(self, file: File, start: int) -> Iterator[bytes]:
        """Yield the bytes of a layer from `start` on."""
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
        with self._get(f"/blobs/sha256:{file.hash}", headers) as answer:
            known = answer.headers
            size = int(known.get("Content-Length", file.size))
            yield from self._rest(file, start, known.get("Content-Range", ""), size, answer.iter_content(READ))

    def _get(self, path: str, headers: dict[str, str]) -> Any:
        """Return an answer, after as much asking as that takes: a token may end within the hour that a model takes."""
        answer = self._ask(self.base + path, headers | self.door)
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            self.door = {"Authorization": self._key(answer)}
            answer = self._ask(self.base + path, headers | self.door)
        if not answer.ok:
            code = {401: NO_ACCESS, 403: NO_ACCESS, 404: NOT_FOUND}.get(answer.status_code, TRY_AGAIN)
            raise Failure(code, f"{self.host} answers {answer.status_code} {answer.reason} for {path}")
        return answer

    def _ask(self, url: str, headers: dict[str, str], **more: Any) -> Any:
        return self.http.get(url, headers=headers, timeout=self.stall, stream=True, **more)

    def _key(self, answer: Any) -> str:
        """Return the header that opens the door that `answer` shut."""
        kind, _, rest = answer.headers.get("WWW-Authenticate", "").partition(" ")
        asked = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        password = docker_password(self.host)
        if kind.lower() == "basic" and password:
            return f"Basic {password}"
        realm = asked.pop("realm", "")
        if kind.lower() != "bearer" or not realm.startswith(self.realms):
            raise Failure(NO_ACCESS, f"{self.host} refuses access ({kind or 'no way to log in'}): see DOCKER_CONFIG")
        sent = {"Authorization": f"Basic {password}"} if password else {}
        said = self._ask(realm, sent, params={"scope": self.scope, **asked})
        try:
            found = said.json()
            return f"Bearer {found.get('token') or found['access_token']}"
        except (ValueError, KeyError, AttributeError) as error:
            code = NO_ACCESS if said.status_code in {401, 403} else TRY_AGAIN
            raise Failure(code, f"{self.host}: its token service answers {said.status_code} {said.reason}") from error


def layer_file(layer: dict[str, Any]) -> Iterator[File]:
    """Yield the file that a layer is, if it has a name."""
    annotations = layer.get("annotations") or {}
    name = next((annotations[key] for key in NAMES if key in annotations), "")
    kind, _, value = str(layer["digest"]).partition(":")
    if re.search(ARCHIVE, str(layer.get("mediaType"))):
        kind = PACKED
    if name:
        yield File(str(name), layer["size"], kind, value)


def docker_password(host: str) -> str:
    """Return user and password for a registry as docker's config.json has them; empty when there are none."""
    folder = os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"
    key = "https://index.docker.io/v1/" if host in DOCKER_HUB else host
    file = Path(folder, "config.json")
    try:
        auths = json.loads(file.read_text(encoding="utf-8")).get("auths") or {}
        entry: dict[str, Any] = next((auths[name] for name in (key, f"https://{key}") if name in auths), {})
        if "username" in entry:
            return base64.b64encode(f"{entry['username']}:{entry['password']}".encode()).decode()
        base64.b64decode(entry.get("auth", ""), validate=True)
        return str(entry.get("auth", ""))
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, AttributeError, TypeError, binascii.Error) as error:
        raise Failure(USAGE, f"{file} is no docker configuration: {type(error).__name__}") from error


def bucket_of(place: str, model: str, cache: Cache, stall: float) -> Callable[[], S3]:
    """Return how to open the bucket that `s3://BUCKET/PREFIX` names.

    Raises:
        Failure: It names none.
    """
    found = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]+)(?:/([^@?#]*))?", place)
    if not found:
        raise Failure(USAGE, f"wanted {BUCKETS}; keys come from the environment")
    return partial(S3, found[1], found[2] or "", model, cache, stall)


def source_of(place: str, model: str, cache: Cache, stall: float) -> Callable[[], Hub | Mirror]:
    """Return how to open the source that `--source` names.

    Raises:
        Failure: It names none.
    """
    if place == "hub":
        return partial(Hub, model, cache.snapshot.name)
    if place.startswith("s3://"):
        return bucket_of(place, model, cache, stall)
    found = re.fullmatch(r"oci://([\w.-]+(?::\d+)?)/([a-z0-9._/-]+)(?::[\w.-]+)?@(sha256:[0-9a-f]{64})", place)
    if not found:
        raise Failure(USAGE, f"{PLACES}; a tag alone can be moved, keys come from the environment")
    return partial(Oci, found[1], found[2], found[3], cache, stall)
