"""What a rule returned, checked and typed: raw results in, violations out.

A result of the wrong shape is an error that names the rule's file: a rule that cannot be read must
not pass for a rule that found nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.errors import LockgateError
from lockgate.model import Fix, Json, ObjectRef, Path, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lockgate.engines import Outcome
    from lockgate.rules import RuleSet

_REQUIRED = {"id": str, "msg": str, "object": dict, "path": list}
_OPTIONAL = {"also": list, "severity": str, "environments": list, "fix": list}
_REF_KEYS = {"apiVersion", "kind", "namespace", "name"}


def violations(ruleset: RuleSet, outcome: Outcome, environment: str) -> Iterator[Violation]:
    """The raw results of one document, checked and typed.

    Raises:
        LockgateError: A result lacks a key, has one of the wrong type, or an unknown rule id.
    """
    for package, file in ruleset.packages.items():
        results = outcome.results.get(package)
        if not isinstance(results, list):
            msg = f"{_place(ruleset, file)}: deny gave {_shown(results)}; wanted a set of results"
            raise LockgateError(msg, "write `deny contains result if ...`")
        for raw in results:
            problem = _problem(raw, ruleset, file)
            if problem:
                msg = f"{_place(ruleset, file, raw)}: a result {problem}: {_shown(raw)}"
                raise LockgateError(msg, "results come from lib/results.finding(id, object, path, msg)")
            yield _violation(raw, environment)


def _place(ruleset: RuleSet, file: str, raw: Json = None) -> str:
    """File and line of the rule that gave a result, by its id; else of the file's first rule."""
    identifier = raw.get("id") if isinstance(raw, dict) else None
    here = {rule.id: rule.line for rule in ruleset.rules.values() if rule.file == file}
    line = here.get(identifier) if isinstance(identifier, str) else None
    return f"{file}:{line or min(here.values())}"


def _problem(raw: Json, ruleset: RuleSet, file: str) -> str:
    """What is wrong with a raw result; empty when nothing is."""
    if not isinstance(raw, dict):
        return "is no object"
    for key, kind in _REQUIRED.items():
        if not isinstance(raw.get(key), kind):
            return f"lacks {key!r}" if key not in raw else f"has {key!r} of the wrong type"
    for key in raw.keys() - _REQUIRED:
        if not isinstance(raw[key], _OPTIONAL.get(key, ())):
            return f"has {key!r} of the wrong type" if key in _OPTIONAL else f"has the unknown key {key!r}"
    rule = ruleset.rules.get(raw["id"])
    if rule is None or rule.file != file:
        return f"has the id {raw['id']!r}, which no METADATA in this file gives"
    return _value_problem(raw)


def _value_problem(raw: Mapping[str, Json]) -> str:
    """What is wrong with the values of a result whose keys are right."""
    if raw.get("severity", "error") not in {"error", "warning", "note"}:
        return f"has the severity {raw['severity']!r}"
    if "\n" in raw["msg"]:
        return "has a message of several lines"
    if not all(map(_is_fix, raw.get("fix", []))):
        return "has a fix of the wrong shape"
    places = [raw, *raw.get("also", [])]
    return "" if all(map(_is_place, places)) else "names an object or path of the wrong shape"


def _is_fix(fix: Json) -> bool:
    """Whether an edit says what to do: {"op", "path"} and, unless it removes, "value"."""
    if not isinstance(fix, dict):
        return False
    wanted = {"op", "path"} if fix.get("op") == "remove" else {"op", "path", "value"}
    return fix.keys() == wanted and fix["op"] in {"set", "remove", "append"} and _is_path(fix["path"])


def _is_path(path: Json) -> bool:
    return isinstance(path, list) and all(isinstance(step, str | int) and not isinstance(step, bool) for step in path)


def _is_place(place: Json) -> bool:
    """Whether `object` and `path` are what they should be."""
    if not isinstance(place, dict):
        return False
    ref, path = place.get("object"), place.get("path")
    if not isinstance(ref, dict) or set(ref) != _REF_KEYS:
        return False
    return _is_path(path) and all(isinstance(value, str) for value in ref.values())


def _violation(raw: Mapping[str, Json], environment: str) -> Violation:
    also = tuple((_ref(place["object"]), _path(place)) for place in raw.get("also", []))
    return Violation(
        rule=raw["id"],
        message=raw["msg"],
        object=_ref(raw["object"]),
        path=_path(raw),
        also=also,
        environment=environment,
        environments=tuple(raw.get("environments", ())),
        severity=Severity.named(raw["severity"]) if "severity" in raw else None,
        fix=tuple(Fix(one["op"], tuple(one["path"]), one.get("value")) for one in raw.get("fix", [])),
    )


def _ref(raw: Mapping[str, str]) -> ObjectRef:
    return ObjectRef(raw["kind"], raw["name"], raw["namespace"], raw["apiVersion"])


def _path(place: Mapping[str, Json]) -> Path:
    return tuple(place["path"])


def _shown(value: Json) -> str:
    """A value for an error message, not longer than a line."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


_SHOWN = 160
