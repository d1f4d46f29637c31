"""A model's name and revision in, the commit and its files out: the API of the model hub, or of a mirror of it.

HF_ENDPOINT names a mirror, HF_TOKEN opens gated and private models; neither is shown. One request.
"""

from __future__ import annotations

import os
import re
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lockgate import __version__
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    import requests

_SECONDS = 20
_HOST = "https://huggingface.co"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A model at one commit.

    Attributes:
        model: organisation/name.
        revision: The commit, 40 hex digits.
        files: Size in bytes of each file by its name.
    """

    model: str
    revision: str
    files: dict[str, int]

    def weights(self) -> dict[str, int]:
        """The weight files that the preload Job fetches."""
        return {name: size for name, size in self.files.items() if name.endswith(".safetensors")}


def resolve(model: str, revision: str) -> Snapshot:
    """The commit that a revision (a commit, branch or tag) of a model stands for, with its files.

    Raises:
        LockgateError: The hub cannot be reached, refuses, does not have it, or sends something else.
    """
    import requests

    host = (os.environ.get("HF_ENDPOINT") or _HOST).rstrip("/")
    url = f"{host}/api/models/{model}/revision/{urllib.parse.quote(revision, safe='')}"
    headers = {"User-Agent": f"lockgate/{__version__}"}
    if os.environ.get("HF_TOKEN"):
        headers["Authorization"] = f"Bearer {os.environ['HF_TOKEN']}"
    try:
        answer = requests.get(url, params={"blobs": "true"}, headers=headers, timeout=_SECONDS)
    except requests.RequestException as error:
        msg = f"{model}: {urllib.parse.urlsplit(host).netloc} cannot be reached"
        raise LockgateError(
            msg, "nothing was changed; run it where the hub can be reached, or set HF_ENDPOINT"
        ) from error
    if answer.status_code != 200:  # noqa: PLR2004
        raise _refusal(model, revision, answer)
    return _snapshot(model, answer)


def _snapshot(model: str, answer: requests.Response) -> Snapshot:
    try:
        said: Any = answer.json()
        found = str(said["sha"])
        files = {str(one["rfilename"]): int(one.get("size") or 0) for one in said["siblings"]}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"{model}: wanted a model of the hub, found {answer.content[:60]!r}"
        raise LockgateError(msg, "is HF_ENDPOINT the address of a hub?") from error
    if not re.fullmatch(r"[0-9a-f]{40}", found):
        msg = f"{model}: wanted a commit of 40 hex digits, found {found[:60]!r}"
        raise LockgateError(msg, "is HF_ENDPOINT the address of a hub?")
    return Snapshot(model, found, files)


def _refusal(model: str, revision: str, answer: requests.Response) -> LockgateError:
    """Why the hub did not answer, by its status; it answers 401 for what is not there, too."""
    status = answer.status_code
    if status in {401, 403}:
        hint = "is the name right? A gated or private model needs a token in HF_TOKEN that was let in"
        return LockgateError(f"{model}: the hub refuses access ({status})", hint)
    if status == 404:  # noqa: PLR2004
        if answer.headers.get("X-Error-Code") == "RevisionNotFound":
            return LockgateError(f"{model}: the hub has no revision {revision!r}", "mend `revision` of serve.yaml")
        return LockgateError(f"{model}: the hub has no such model", "mend `model` of serve.yaml")
    if status == 429:  # noqa: PLR2004
        return LockgateError(f"{model}: the hub has been asked too often (429)", "wait, or set HF_TOKEN")
    return LockgateError(f"{model}: the hub answers {status}", "nothing was changed; try again later")
