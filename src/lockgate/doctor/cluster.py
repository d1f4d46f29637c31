"""The connection to a cluster: a kubeconfig in, JSON of its API out. Sends nothing but GET and dry runs."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.model import Json

MANAGER = "lockgate-doctor"
HTTP_OK, HTTP_UNAUTHORIZED, HTTP_FORBIDDEN, HTTP_NOT_FOUND = 200, 401, 403, 404
_HINTS = {
    "timeout": "raise --timeout, or look whether a firewall or a VPN lies between",
    "certificate": "the kubeconfig's certificate-authority must be the one that signed the server's certificate",
    "refused": "is the address in the kubeconfig right, and the cluster up?",
    "proxy": "look at proxy-url in the kubeconfig and at HTTPS_PROXY",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the API server said instead of yes.

    Attributes:
        status: The HTTP status.
        message: Its words.
        reason: Its word for machines, such as `Forbidden` or `Invalid`.
        fields: The fields that it blames, as it writes them.
    """

    status: int
    message: str
    reason: str = ""
    fields: tuple[str, ...] = ()

    @property
    def no_right(self) -> bool:
        """Whether the caller may not ask at all; what admission forbids is no such thing."""
        return self.status == HTTP_FORBIDDEN and " cannot " in self.message and "User " in self.message


class Cluster:
    """The API of the cluster that a kubeconfig names.

    Args:
        kubeconfig: The file; None for $KUBECONFIG, then ~/.kube/config.
        context: A context of the file; empty for its current one.
        timeout: Seconds that one answer may take.

    Raises:
        LockgateError: The client is not installed, or the kubeconfig is unusable.
    """

    def __init__(self, kubeconfig: Path | None, context: str, timeout: float) -> None:
        self._timeout = timeout
        self._configuration = _load(kubeconfig, context)
        self.server = str(self._configuration.host)
        self._pool = _pool(self._configuration)

    def get(self, path: str) -> Json | Refusal:
        """The object or list at `path`.

        Raises:
            LockgateError: There is no answer.
        """
        return self._send("GET", path, None, "")

    def dry_run(self, path: str, obj: dict[str, Json]) -> Json | Refusal:
        """What server-side apply of an object would make; nothing is kept.

        Raises:
            LockgateError: There is no answer.
        """
        query = f"?dryRun=All&force=true&fieldValidation=Strict&fieldManager={MANAGER}"
        return self._send("PATCH", f"{path}{query}", obj, "application/apply-patch+yaml")

    def items(self, path: str) -> Iterator[dict[str, Json]] | Refusal:
        """The objects of a list."""
        found = self.get(path)
        return found if isinstance(found, Refusal) else iter(found.get("items") or [])

    def _send(self, method: str, path: str, body: Json, media: str) -> Json | Refusal:
        token = _token(self._configuration)
        headers = {"Accept": "application/json", **({"Authorization": token} if token else {})}
        if media:
            headers["Content-Type"] = media
        answer = self._request(method, path, headers, json.dumps(body) if body is not None else None)
        text = answer.data.decode("utf-8", "replace")
        if answer.status == HTTP_UNAUTHORIZED:
            raise LockgateError(
                f"{self.server}: the cluster does not know who is asking (401 Unauthorized)",
                "log in again: the credentials of the kubeconfig are missing, wrong or out of date",
            )
        try:
            found = json.loads(text)
        except ValueError as error:
            if answer.status == HTTP_NOT_FOUND and path.startswith("/apis/"):
                return Refusal(HTTP_NOT_FOUND, f"the cluster has nothing at {path}")
            raise LockgateError(
                f"{self.server}{path}: wanted JSON, found {text[:60]!r}", "is that address a Kubernetes API server?"
            ) from error
        return found if HTTP_OK <= answer.status < HTTP_OK + 100 else _refusal(answer.status, found)

    def _request(self, method: str, path: str, headers: dict[str, str], body: str | None) -> Any:
        import urllib3

        try:
            return self._pool.request(
                method, self.server + path, headers=headers, body=body, timeout=self._timeout, retries=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise self._silence(error) from error

    def _silence(self, error: Exception) -> LockgateError:
        """Why there is no answer, in a sentence."""
        from urllib3 import exceptions

        if isinstance(error, exceptions.TimeoutError) and not isinstance(error, exceptions.NewConnectionError):
            return LockgateError(f"{self.server}: no answer within {self._timeout:g} s", _HINTS["timeout"])
        if isinstance(error, exceptions.SSLError):
            return LockgateError(f"{self.server}: its certificate is not trusted: {error}", _HINTS["certificate"])
        if isinstance(error, exceptions.ProxyError):
            return LockgateError(f"{self.server}: the proxy does not lead there: {error}", _HINTS["proxy"])
        return LockgateError(f"{self.server}: cannot be reached: {error}", _HINTS["refused"])


def _refusal(status: int, found: Json) -> Refusal:
    if not isinstance(found, dict):
        return Refusal(status, str(found)[:200])
    causes = (found.get("details") or {}).get("causes") or []
    fields = tuple(cause["field"] for cause in causes if cause.get("field"))
    return Refusal(status, str(found.get("message", "")), str(found.get("reason", "")), fields)


def _load(kubeconfig: Path | None, context: str) -> Any:
    """The client's configuration; what it would only log is an error here."""
    try:
        from kubernetes import client, config
    except ImportError as error:
        raise LockgateError(
            "lockgate doctor needs the Kubernetes client for Python", "pip install 'lockgate[doctor]'"
        ) from error
    files, loader = _files(kubeconfig), cast("Any", config)
    configuration = client.Configuration()
    try:
        contexts, current = loader.list_kube_config_contexts(config_file=files)
        chosen = _chosen(files, contexts, context) if context else current
        _check_plugin(files, chosen)
        loader.load_kube_config(files, context or None, configuration, persist_config=False)
    except LockgateError:
        raise
    except Exception as error:  # the client raises what its YAML, base64 and file readers raise
        hint = "kubectl config view shows what is read"
        raise LockgateError(f"{files}: no usable kubeconfig: {error}", hint) from error
    return configuration


def _chosen(files: str, contexts: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The context of a name.

    Raises:
        LockgateError: There is none.
    """
    for context in contexts:
        if context["name"] == name:
            return context
    names = ", ".join(str(context["name"]) for context in contexts)
    raise LockgateError(f"{files}: no context {name!r}", f"known: {names}")


def _files(kubeconfig: Path | None) -> str:
    """The kubeconfig files, as $KUBECONFIG lists them.

    Raises:
        LockgateError: None of them is there.
    """
    listed = str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())
    there = [name for name in listed.split(os.pathsep) if name and Path(name).is_file()]
    if not there:
        raise LockgateError(f"{listed}: no such kubeconfig", "name one with --kubeconfig or in $KUBECONFIG")
    return os.pathsep.join(there)


def _check_plugin(files: str, context: dict[str, Any]) -> None:
    """A credential plugin that is not installed; the client would go on without credentials.

    Raises:
        LockgateError: It is not there.
    """
    import yaml

    user = context["context"].get("user")
    for name in files.split(os.pathsep):
        found = yaml.safe_load(Path(name).read_text(encoding="utf-8")) or {}
        for entry in found.get("users") or []:
            command = ((entry.get("user") or {}).get("exec") or {}).get("command")
            if entry.get("name") == user and command and not _runs(command, Path(name).parent):
                hint = ((entry.get("user") or {}).get("exec") or {}).get(
                    "installHint"
                ) or "install it, or choose --context"
                raise LockgateError(
                    f"{name}: user {user!r} logs in by the program {command!r}, which is not there", hint
                )


def _runs(command: str, folder: Path) -> bool:
    """A plugin by name is found on the PATH; one by a relative path, from the kubeconfig."""
    return shutil.which(command) is not None or (os.sep in command and os.access(folder / command, os.X_OK))


def _pool(configuration: Any) -> Any:
    """The client's own connections, with its certificates and proxies.

    Raises:
        LockgateError: A certificate of the kubeconfig cannot be read.
    """
    import ssl

    from kubernetes.client import rest

    try:
        return rest.RESTClientObject(configuration).pool_manager
    except (OSError, ssl.SSLError) as error:
        raise LockgateError(
            f"a certificate of the kubeconfig cannot be read: {error}", "kubectl config view --raw shows it"
        ) from error


def _token(configuration: Any) -> str:
    """What the caller shows; the client names it in two ways, by its version."""
    for name in ("BearerToken", "authorization"):
        token = configuration.get_api_key_with_prefix(name)
        if token:
            return str(token)
    return ""
