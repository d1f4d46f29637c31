"""A small client of the Kubernetes API: server-side apply with strict fields, and waiting by watch."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Object: TypeAlias = dict[str, Any]

MANAGER = "cluster-test"
# No state that a test waits for takes a tenth of this on an idle machine.
PATIENCE = 180.0


class ApiError(Exception):
    """The API server refused."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Kind:
    """Where objects of a kind live."""

    prefix: str
    plural: str
    namespaced: bool

    def path(self, namespace: str = "", name: str = "") -> str:
        """The path of one object, or of the list."""
        place = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{self.prefix}{place}/{self.plural}" + (f"/{name}" if name else "")


@dataclass(slots=True)
class Kube:
    """The API at `url`, as the bearer of `token`.

    Attributes:
        warnings: What the server warned of, by request, since the test last looked.
    """

    url: str
    token: str
    ca: Path
    kinds: dict[str, Kind] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    local: threading.local = field(default_factory=threading.local)

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request; `options` are those of requests.

        Raises:
            ApiError: The answer is no success.
        """
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        options.setdefault("timeout", PATIENCE)
        if not hasattr(self.local, "session"):
            self.local.session = requests.Session()
        answer: requests.Response = self.local.session.request(
            method, self.url + path, headers=headers, verify=str(self.ca), **options
        )
        if "Warning" in answer.headers:
            self.warnings.append(f"{path}: {answer.headers['Warning']}")
        if not answer.ok:
            raise ApiError(answer.status_code, message_of(answer))
        return answer

    def answers(self) -> bool:
        """Whether the server is still there."""
        try:
            self.request("GET", "/readyz", timeout=5)
        except (ApiError, OSError):
            return False
        return True

    def kind(self, apiVersion: str, kind: str) -> Kind:  # noqa: N803  # as objects spell it
        """Where a kind lives; discovery is asked once, and again for a kind that came later."""
        api_version, key = apiVersion, f"{apiVersion}/{kind}"
        if key not in self.kinds:
            prefix = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            for entry in self.request("GET", prefix).json()["resources"]:
                if "/" not in entry["name"]:
                    self.kinds[f"{api_version}/{entry['kind']}"] = Kind(prefix, entry["name"], entry["namespaced"])
        if key not in self.kinds:
            raise ApiError(404, f"the server has no {key}")
        return self.kinds[key]

    def path(self, obj: Object, sub: str = "") -> str:
        """The path of an object, or of a subresource of it."""
        metadata = obj["metadata"]
        where = self.kind(obj["apiVersion"], obj["kind"])
        return where.path(metadata.get("namespace", "default"), metadata["name"]) + (f"/{sub}" if sub else "")

    def apply(self, obj: Object, *, dry_run: bool = False, sub: str = "", manager: str = MANAGER) -> Object:
        """Applies an object on the server's side; a field that it does not know is an error."""
        query = {"fieldManager": manager, "force": "true", "fieldValidation": "Strict"}
        return self._send("PATCH", self.path(obj, sub), obj, query, dry_run=dry_run, media="apply-patch+yaml")

    def create(self, obj: Object, *, dry_run: bool = False) -> Object:
        """Creates an object, with strict fields."""
        where = self.kind(obj["apiVersion"], obj["kind"])
        path = where.path(obj["metadata"].get("namespace", "default"))
        return self._send("POST", path, obj, {"fieldValidation": "Strict"}, dry_run=dry_run, media="json")

    def patch(self, path: str, change: Object) -> Object:
        """Merges a change into the object at `path`."""
        return self._send("PATCH", path, change, {}, dry_run=False, media="merge-patch+json")

    def get(self, path: str, **query: str) -> Object:
        """The object or list at `path`."""
        found: Object = self.request("GET", path, params=query).json()
        return found

    def delete(self, path: str) -> None:
        """Deletes in the background; what is gone already is fine."""
        try:
            self.request("DELETE", path, params={"propagationPolicy": "Background"})
        except ApiError as error:
            if error.status != requests.codes.not_found:
                raise

    def events(self, path: str, version: str, seconds: float, **query: str) -> Iterator[tuple[str, Object]]:
        """What happens below the list `path` after `version`, for some seconds at most."""
        query = {**query, "watch": "1", "resourceVersion": version, "timeoutSeconds": str(max(1, int(seconds)))}
        with self.request("GET", path, params=query, stream=True, timeout=seconds + 30) as answer:
            for line in answer.iter_lines(chunk_size=None):
                event = json.loads(line)
                yield event["type"], event["object"]

    def wait(
        self, path: str, holds: Callable[[list[Object]], Any], what: str, *, seconds: float = PATIENCE, **query: str
    ) -> list[Object]:
        """The objects of the list `path` when `holds` is true of them; looked at again at each change.

        Raises:
            AssertionError: The time is over; the message says what was wanted and what there is.
        """
        end = time.monotonic() + seconds
        listed = self.get(path, **query)
        known = {obj["metadata"]["uid"]: obj for obj in listed["items"]}
        version = listed["metadata"]["resourceVersion"]
        while not holds(list(known.values())):
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError(f"waited {seconds:.0f} s for {what}; there is\n{shown(list(known.values()))}")
            for kind, obj in self.events(path, version, left, **query):
                if kind == "ERROR":  # the version is too old to watch from
                    return self.wait(path, holds, what, seconds=left, **query)
                version = obj["metadata"]["resourceVersion"]
                if kind == "DELETED":
                    known.pop(obj["metadata"]["uid"], None)
                else:
                    known[obj["metadata"]["uid"]] = obj
                if holds(list(known.values())):
                    return list(known.values())
        return list(known.values())

    def wait_for(self, obj: Object, holds: Callable[[Object], Any], what: str, *, seconds: float = PATIENCE) -> Object:
        """The named object when it is there and `holds` is true of it."""
        metadata = obj["metadata"]
        typed = {"apiVersion": obj["apiVersion"], "kind": obj["kind"]}  # the items of a list do not say it
        found = self.wait(
            self.kind(**typed).path(metadata.get("namespace", "default")),
            lambda objects: objects and holds({**objects[0], **typed}),
            f"{obj['kind']}/{metadata['name']}: {what}",
            seconds=seconds,
            fieldSelector=f"metadata.name={metadata['name']}",
        )
        return {**found[0], **typed}

    def _send(
        self, method: str, path: str, body: Object, query: dict[str, str], *, dry_run: bool, media: str
    ) -> Object:
        query = {**query, **({"dryRun": "All"} if dry_run else {})}
        headers = {"Content-Type": f"application/{media}"}
        done: Object = self.request(method, path, params=query, data=json.dumps(body), headers=headers).json()
        return done


def message_of(answer: requests.Response) -> str:
    """What the server said, out of its Status object where it sent one."""
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError):
        return answer.text


def ref(api_version: str, kind: str, name: str, namespace: str = "default") -> Object:
    """An object by its name alone."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}}


def condition(obj: Object, kind: str) -> str:
    """The status of a condition: True, False, Unknown, or nothing when it is not there."""
    conditions = obj.get("status", {}).get("conditions") or []
    return next((str(entry["status"]) for entry in conditions if entry["type"] == kind), "")


def shown(objects: list[Object]) -> str:
    """Names and states, one a line, for the message of a failure."""
    lines = defaultdict(list)
    for obj in objects:
        status = json.dumps(obj.get("status") or {}, indent=None)
        lines[obj["metadata"].get("namespace", "")].append(f"  {obj['metadata']['name']} {status[:1500]}")
    return "\n".join(f"{namespace}:\n" + "\n".join(sorted(found)) for namespace, found in sorted(lines.items()))
