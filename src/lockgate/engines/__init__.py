"""Rego engines with equal decisions: rules, settings and documents in, outcomes out.

Each engine is one module with one function, `session(ruleset, settings, engine)`, a context
manager that gives a function from documents to outcomes. Only `lockgate.evaluate` imports this.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from lockgate.errors import LockgateError
from lockgate.model import Json

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from lockgate.rules import RuleSet

ENGINES = ("embedded", "opa")
"""Names of the engines, the default first; a third one is a URL, of an OPA server."""

PACKAGE = "lockgate_gate"
"""The package of the generated entry module; not below `lockgate`, so that it meets no rule."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the rules said about one document.

    Attributes:
        results: Raw results of each package's `deny`, in canonical order; another type than a
            list when the `deny` is no set.
        facts: What `policies/facts.rego` computed; empty when there is none.
    """

    results: Mapping[str, Json]
    facts: Mapping[str, Json]


Evaluate: TypeAlias = Callable[[Sequence[Mapping[str, Json]]], list[Outcome]]


def session(engine: str, ruleset: RuleSet, settings: Mapping[str, Json]) -> AbstractContextManager[Evaluate]:
    """Opens the engine called `engine`.

    Args:
        engine: One of `ENGINES`, or the URL of an OPA server.
        ruleset: The rules to run.
        settings: `lockgate.yaml` as rules see it, one `data` key per top-level key.

    Raises:
        LockgateError: Unknown engine; or later, from the session: the engine is not to be had,
            a module has an error, or a rule failed while it ran.
    """
    name = "server" if "://" in engine else engine
    if name != "server" and engine not in ENGINES:
        msg = f"no engine {engine!r}"
        raise LockgateError(msg, f"known: {', '.join(ENGINES)}, or an OPA server's URL")
    module = importlib.import_module(f"lockgate.engines.{name}")
    opened: AbstractContextManager[Evaluate] = module.session(ruleset, settings, engine)
    return opened


def entry(ruleset: RuleSet) -> str:
    """The entry module: `outcome`, the union of every package's `deny`, and the facts."""
    lines = [f"package {PACKAGE}", "", "import rego.v1", ""]
    lines += [f'results["{package}"] := data.{package}.deny' for package in ruleset.packages]
    facts = "data.lockgate.facts" if ruleset.has_facts else "{}"
    lines += ["", f'outcome := {{"results": results, "facts": {facts}}}', ""]
    return "\n".join(lines)


def batch_entry() -> str:
    """A module for engines that take all documents at once, as `input.documents`."""
    return (
        f"package {PACKAGE}_batch\n\nimport rego.v1\n\n"
        "outcomes := [one |\n"
        "\tsome document in input.documents\n"
        f"\tone := data.{PACKAGE}.outcome with input as document\n"
        "]\n"
    )


def base_documents(ruleset: RuleSet, settings: Mapping[str, Json]) -> dict[str, Json]:
    """What rules see under `data`: catalogues and settings side by side.

    Raises:
        LockgateError: A catalogue has the name of a settings key, or of the rules' own package.
    """
    clash = sorted(set(ruleset.data) & {*settings, "lockgate", PACKAGE})
    if clash:
        msg = f"policies/data: key {clash[0]!r} is also a key of lockgate.yaml"
        raise LockgateError(msg, "give the catalogue another name")
    return {**ruleset.data, **settings}


def copied(document: Json) -> Json:
    """A document as every engine gets it: through JSON, whose 100.0 and 1e2 are the number 100."""
    return json.loads(json.dumps(document), parse_float=_number)


def _number(text: str) -> float:
    value = float(text)
    return int(value) if value.is_integer() else value


def outcomes(values: Iterable[Json]) -> list[Outcome]:
    """Raw values of `outcome` as `Outcome` objects in canonical form."""
    return [
        Outcome(
            {package: _canonical_set(found) for package, found in sorted(value["results"].items())},
            _canonical(value["facts"]),
        )
        for value in values
    ]


def _canonical_set(found: Json) -> Json:
    """A set's members in one order, whatever order the engine keeps them in."""
    members = _canonical(found)
    if not isinstance(members, list):
        return members
    return sorted(members, key=lambda member: json.dumps(member, sort_keys=True))


def _canonical(value: Json) -> Json:
    """5.0 and 5 are one number in JSON, but not in Python's text."""
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
