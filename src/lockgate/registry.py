"""An image by tag in, its digest out: the distribution API of an OCI registry, as container tools speak it.

Anonymous, with a token that the registry's own service gives out, or with a password; passwords and
tokens come from docker's config file or the credential helper that it names, and are never shown.
Source of the protocol: the OCI distribution specification 1.1 and docker's token authentication.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
import subprocess
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lockgate import __version__
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    import requests

_SECONDS = 20
_HUB = "docker.io"
# What docker calls its hub in its config file, and where its API is.
_HUB_KEY, _HUB_HOST = "https://index.docker.io/v1/", "registry-1.docker.io"
_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_PART = re.compile(r'(\w+)="([^"]*)"')
# Who speaks plain HTTP: a registry on this machine, as for docker.
_LOCAL = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?")


@dataclass(frozen=True, slots=True)
class Image:
    """A repository of a registry with a tag.

    Attributes:
        host: The registry as written, such as `docker.io` or `mirror.example.com:5000`.
        repository: What lies there, such as `vllm/vllm-openai`.
        tag: The tag.
    """

    host: str
    repository: str
    tag: str

    def __str__(self) -> str:
        """As it is written in a manifest."""
        return f"{self.host}/{self.repository}:{self.tag}"


@dataclass(frozen=True, slots=True)
class Pinned:
    """What a tag stands for now.

    Attributes:
        digest: `sha256:` and 64 hex digits.
        platforms: `os/architecture` of each image of an index; empty for a single image.
    """

    digest: str
    platforms: tuple[str, ...]


def parse(name: str, tag: str) -> Image:
    """The image that a container tool takes `name` for: without a host it is the hub's."""
    first, _, rest = name.partition("/")
    if rest and (re.search(r"[.:]", first) or first == "localhost"):
        return Image(_HUB if first == "index.docker.io" else first, rest, tag)
    return Image(_HUB, name if rest else f"library/{name}", tag)


def resolve(image: Image) -> Pinned:
    """The digest that the registry gives for the tag, checked against what it sends.

    Raises:
        LockgateError: The registry cannot be reached, refuses, does not have the tag, or sends something else.
    """
    with _Session(image) as session:
        answer = session.get(f"/manifests/{image.tag}", ", ".join((*_INDEXES, *_MANIFESTS)))
    body = answer.content
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    said = answer.headers.get("Docker-Content-Digest", digest)
    if said != digest:
        msg = f"{image}: the registry says {said}, but what it sends has {digest}"
        raise LockgateError(msg, "try again; if it stays so, a proxy on the way changes answers")
    return Pinned(digest, _platforms(image, body))


def _platforms(image: Image, body: bytes) -> tuple[str, ...]:
    try:
        manifest = json.loads(body)
        known = {2: manifest.get("manifests", [])}
        found = [entry.get("platform", {}) for entry in known[manifest["schemaVersion"]]]
        # What is for no system is an attestation beside the images.
        names = [f"{one['os']}/{one['architecture']}" for one in found if one.get("os", "unknown") != "unknown"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"{image}: wanted an image manifest of schema 2, found {body[:60]!r}"
        raise LockgateError(msg, "is this the registry's own address, and no page of a proxy?") from error
    return tuple(dict.fromkeys(names))


class _Session:
    """Requests to one repository, with what it takes to be let in."""

    def __init__(self, image: Image) -> None:
        self.image = image
        host = _HUB_HOST if image.host == _HUB else image.host
        self.base = f"{'http' if _LOCAL.fullmatch(image.host) else 'https'}://{host}/v2/{image.repository}"

    def __enter__(self) -> Self:
        import requests

        self.http = requests.Session()
        # An own function keeps the passwords of a ~/.netrc away: docker does not send them either.
        self.http.auth = _no_auth
        self.http.headers["User-Agent"] = f"lockgate/{__version__}"
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def get(self, path: str, accept: str) -> requests.Response:
        """An answer of 200, after as much asking as that takes."""
        headers = {"Accept": accept}
        answer = self._ask(self.base + path, headers)
        if answer.status_code == 401:  # noqa: PLR2004
            headers["Authorization"] = self._authorization(answer)
            answer = self._ask(self.base + path, headers)
        if answer.status_code != 200:  # noqa: PLR2004
            raise _refusal(self.image, answer)
        return answer

    def _ask(self, url: str, headers: dict[str, str], **more: Any) -> requests.Response:
        import requests

        try:
            return self.http.get(url, headers=headers, timeout=_SECONDS, **more)
        except requests.RequestException as error:
            raise _unreached(self.image, url, error) from error

    def _authorization(self, answer: requests.Response) -> str:
        """The header that opens the door that `answer` shut."""
        kind, _, rest = answer.headers.get("WWW-Authenticate", "").partition(" ")
        asked = dict(_PART.findall(rest))
        user, password = credentials(self.image.host)
        if kind.lower() == "basic" and user:
            return _basic(user, password)
        if kind.lower() != "bearer" or "realm" not in asked:
            raise _refusal(self.image, answer)
        return f"Bearer {self._token(asked, user, password)}"

    def _token(self, asked: dict[str, str], user: str, password: str) -> str:
        parameters = {"scope": f"repository:{self.image.repository}:pull", **asked}
        realm = parameters.pop("realm")
        if not realm.startswith("https://") and not self.base.startswith("http://"):
            msg = f"{self.image}: {self.image.host} asks for a password without encryption, at {realm}"
            raise LockgateError(msg, "nothing was sent; ask who runs the registry")
        headers = {"Authorization": _basic(user, password)} if user and user != _IDENTITY else {}
        if user == _IDENTITY:
            answer = self._refreshed(realm, parameters, password)
        else:
            answer = self._ask(realm, headers, params=parameters)
        try:
            if answer.status_code != 200:  # noqa: PLR2004
                raise _refusal(self.image, answer)
            said = answer.json()
            return str(said.get("token") or said["access_token"])
        except (ValueError, KeyError, AttributeError) as error:
            msg = f"{self.image}: wanted a token of {realm}, found {answer.content[:60]!r}"
            raise LockgateError(msg, "is this the registry's own address, and no page of a proxy?") from error

    def _refreshed(self, realm: str, parameters: dict[str, str], token: str) -> requests.Response:
        """A token for another one that a login left, as OAuth 2 has it."""
        import requests

        form = {**parameters, "grant_type": "refresh_token", "refresh_token": token, "client_id": "lockgate"}
        try:
            return self.http.post(realm, data=form, timeout=_SECONDS)
        except requests.RequestException as error:
            raise _unreached(self.image, realm, error) from error


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _unreached(image: Image, url: str, error: Exception) -> LockgateError:
    """What to say when nobody answers; off-line as anything else."""
    host = urllib.parse.urlsplit(url).netloc
    msg = f"{image}: {host} cannot be reached: {_reason(error)}"
    return LockgateError(msg, "nothing was changed; run it where the registry can be reached")


def _refusal(image: Image, answer: requests.Response) -> LockgateError:
    """Why the registry did not answer, by its status."""
    status = answer.status_code
    if status in {401, 403}:
        login = "" if image.host == _HUB else f" {image.host}"
        hint = f"`docker login{login}` with an account that may pull it; is the name right?"
        return LockgateError(f"{image}: {image.host} refuses access ({status})", hint)
    if status == 404:  # noqa: PLR2004
        return LockgateError(f"{image}: {image.host} has no such image or tag", "mend newName or newTag of the release")
    if status == 429:  # noqa: PLR2004
        wait = answer.headers.get("Retry-After", "")
        hint = f"wait {wait} seconds" if wait.isdigit() else "wait, or `docker login`: accounts may ask more often"
        return LockgateError(f"{image}: {image.host} has been asked too often (429)", hint)
    return LockgateError(f"{image}: {image.host} answers {status}", "nothing was changed; try again later")


def _reason(error: Any) -> str:
    """The innermost of a chain of network errors, on one line."""
    while True:
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        if not isinstance(inner, BaseException):
            break
        error = inner
    return " ".join(str(error).rpartition(": ")[2].split()) or type(error).__name__


_IDENTITY = "<token>"


def credentials(host: str) -> tuple[str, str]:
    """User and password that docker has for a registry; empty when there are none.

    The user `<token>` says that the password is a refresh token.

    Raises:
        LockgateError: docker's config file cannot be read, or its helper fails.
    """
    file = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    key = _HUB_KEY if host == _HUB else host
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        helper = config.get("credHelpers", {}).get(host) or config.get("credsStore")
        entry = _entry(config.get("auths", {}), key)
        if helper:
            return _helped(str(helper), key)
        if entry.get("identitytoken"):
            return _IDENTITY, str(entry["identitytoken"])
        user, _, password = base64.b64decode(entry.get("auth", ""), validate=True).decode("utf-8").partition(":")
    except FileNotFoundError:
        return "", ""
    except (OSError, ValueError, AttributeError, TypeError, binascii.Error) as error:
        msg = f"{file}: wanted docker's configuration, found something else ({type(error).__name__})"
        raise LockgateError(msg, "`docker login` writes it anew; DOCKER_CONFIG names another folder") from error
    return user, password


def _entry(auths: dict[str, Any], key: str) -> dict[str, Any]:
    """The entry of a host, which older logins wrote as a URL."""
    names = (key, f"https://{key}", f"https://{key}/v1/", f"https://{key}/v2/")
    found: dict[str, Any] = next((auths[name] for name in names if name in auths), {})
    return found


def _helped(helper: str, key: str) -> tuple[str, str]:
    """What a credential helper says of a host; nothing when it has nothing."""
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(
            [program, "get"], input=key, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
        if done.returncode != 0:
            return "", ""
        said = json.loads(done.stdout)
        return str(said["Username"]), str(said["Secret"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        msg = f"{program}, which docker's configuration names, cannot be asked ({type(error).__name__})"
        raise LockgateError(msg, f"install {program}, or take it out of docker's config.json") from error


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
