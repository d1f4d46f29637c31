"""An OPA server by opa-python-client: rules go there under a private name and are taken back.

The server may hold other teams' policies, so every package and every `data` reference of ours is
moved below one package with a random name before it is sent.
"""

from __future__ import annotations

import json
import re
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lockgate.engines import (
    PACKAGE,
    Evaluate,
    Outcome,
    base_documents,
    batch_entry,
    copied,
    entry,
    outcomes,
)
from lockgate.engines.opa import MINIMUM, error_from
from lockgate.engines.source import joined, ordered, private
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lockgate.model import Json
    from lockgate.rules import RuleSet

_SECONDS = 120  # a server that shares a busy machine still answers


@contextmanager
def session(ruleset: RuleSet, settings: Mapping[str, Json], server: str) -> Iterator[Evaluate]:
    """A function that evaluates documents on the OPA server at `server`.

    Raises:
        LockgateError: No URL, nobody answers there, an OPA before 1.0, or a module has an error.
    """
    client = _connect(server)
    prefix = f"lockgate_{secrets.token_hex(8)}"
    pushed: list[str] = []
    try:
        _push(client, server, prefix, ruleset, pushed)
        _call(server, client.update_or_create_data, copied(base_documents(ruleset, settings)), prefix)

        def evaluate(documents: Sequence[Mapping[str, Json]]) -> list[Outcome]:
            return outcomes(_query(client, server, prefix, documents))

        yield evaluate
    finally:
        _remove(client, prefix, pushed)
        client.close_connection()


def _connect(server: str) -> Any:
    """A client of a server that answered and is new enough."""
    url = urlsplit(server)
    if url.scheme not in {"http", "https"} or not url.hostname:
        msg = f"wanted the OPA server's URL like 'http://localhost:8181', found {server!r}"
        raise LockgateError(msg, "name it with --engine URL")
    from opa_client.opa import OpaClient

    port = url.port or (443 if url.scheme == "https" else 8181)
    client = OpaClient(host=url.hostname, port=port, ssl=url.scheme == "https", retries=0, timeout=_SECONDS)
    answer = _call(server, client.ad_hoc_query, "version := opa.runtime().version")
    rows = answer.get("result") or [{}]
    version = str(rows[0].get("version", ""))
    found = re.match(r"(\d+)\.(\d+)", version)
    if not found or (int(found[1]), int(found[2])) < MINIMUM:
        msg = f"the server at {server} is OPA {version or 'of unknown version'}; wanted 1.0 or newer"
        raise LockgateError(msg, "use a newer server, or leave --engine out")
    return client


def _push(client: Any, server: str, prefix: str, ruleset: RuleSet, pushed: list[str]) -> None:
    """Sends the modules as one, since OPA compiles all it has at each.

    Where that cannot be, or has an error, each goes alone, the used ones before their users: the
    error then names its own file and line.
    """
    modules = (*ruleset.modules, ("entry.rego", entry(ruleset)), ("batch.rego", batch_entry()))
    text = joined(modules, prefix)
    if text is not None:
        with suppress(LockgateError):
            _send(client, server, f"{prefix}/rules.rego", text, pushed)
            return
    for name, text in ordered(modules):
        _send(client, server, f"{prefix}/{name}", private(text, prefix), pushed)


def _send(client: Any, server: str, endpoint: str, text: str, pushed: list[str]) -> None:
    pushed.append(endpoint)
    _call(server, client.update_policy_from_string, text, endpoint, rego_compat=False)


def _query(client: Any, server: str, prefix: str, documents: Sequence[Mapping[str, Json]]) -> list[Json]:
    package = f"{prefix}.{PACKAGE}_batch"
    answer = _call(server, client.query_rule, {"documents": copied(list(documents))}, package, "outcomes")
    values: list[Json] = answer.get("result", [])
    if len(values) != len(documents):
        msg = f"the OPA server answered for {len(values)} of {len(documents)} documents"
        raise LockgateError(msg, "a rule or fact that is needed is undefined; try `opa check --strict`")
    return values


def _call(server: str, method: Any, *arguments: Any, **options: Any) -> Any:
    """One request; what goes wrong becomes one line."""
    import requests
    from opa_client.errors import RegoParseError

    try:
        return method(*arguments, **options)
    except RegoParseError as error:
        raise _rego_error(error.errors, str(error)) from error
    except requests.HTTPError as error:
        with suppress(ValueError):
            body = error.response.json()
            raise _rego_error(body.get("errors") or [], str(body.get("message", body))) from error
        msg = f"the server at {server} answered {error.response.status_code}, which OPA does not"
        raise LockgateError(msg, "check the URL of the OPA server") from error
    except requests.Timeout as error:
        msg = f"the OPA server at {server} took longer than {_SECONDS} s to answer"
        raise LockgateError(msg, "try again when it is less busy, or leave --engine out") from error
    except (requests.RequestException, ValueError) as error:
        msg = f"no OPA server answers at {server}"
        raise LockgateError(msg, "start one with `opa run --server`, or leave --engine out") from error


def _rego_error(errors: Sequence[Mapping[str, Json]], detail: str) -> LockgateError:
    """OPA's errors with our own names again."""
    plain = re.sub(r"lockgate_[0-9a-f]{16}[./]", "", json.dumps(list(errors)))
    return error_from(json.loads(plain), detail, "")


def _remove(client: Any, prefix: str, pushed: Sequence[str]) -> None:
    """Takes everything back, users before the used; what fails here must not hide a first error."""
    for endpoint in reversed(pushed):
        with suppress(Exception):
            client.delete_policy(endpoint)
    with suppress(Exception):
        client.delete_data(prefix)
