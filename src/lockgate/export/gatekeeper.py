"""Rules as Gatekeeper's ConstraintTemplates, environments as its Constraints, samples as its suites.

Only rules of scope `object` can judge an object at admission; the others need what admission does not
see, and stay with the gate. The cluster judges with the numbers that `lockgate.yaml` had at the export.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.errors import LockgateError
from lockgate.export.shake import Reached, outside_strings, reached
from lockgate.model import Json, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lockgate.rules import RuleSet
    from lockgate.settings import Settings

ACTIONS = {Severity.ERROR: "deny", Severity.WARNING: "warn", Severity.NOTE: "dryrun"}
"""What Gatekeeper does about a violation of each severity."""

_HOME = "lib.lockgate"
_DATA = "lib.lockgate_data"
_REASONS = {
    "environment": "referential: it compares objects of an environment",
    "repository": "audit-only: it compares environments, or judges lockgate.yaml",
}

# Gatekeeper refuses `import rego.v1`: that the Rego is of version 1 stands beside it.
_MAIN = """package {package}

# Objects of other namespaces are other teams'; a controller's objects were judged in its template.
judged if {{
	object := input.review.object
	here(object)
	not controlled(object)
}}

here(object) if object.metadata.namespace == input.parameters.namespace

here(object) if {{
	object.kind == "Namespace"
	object.metadata.name == input.parameters.namespace
}}

controlled(object) if object.metadata.ownerReferences[_].controller == true

document := {{
	"environment": input.parameters.environment,
	"objects": [input.review.object],
	"kustomize": {{"entries": [], "generators": []}},
	"settings": input.parameters.settings,
}}

violation contains {{"msg": msg, "details": details}} if {{
	judged
	results := data.{rules}.deny with input as document
	some result in results
	weight(result) == input.parameters.severity
	not exempted(result)
	msg := sprintf("{id}: %v", [result.msg])
	details := {{"rule": "{id}", "path": result.path, "docs": "lockgate explain {id}"}}
}}

weights := {{"note": 1, "warning": 2, "error": 3}}

# A result may weigh less than its rule, never more.
weight(result) := own if {{
	own := object.get(result, "severity", input.parameters.rule_severity)
	weights[own] <= weights[input.parameters.rule_severity]
}} else := input.parameters.rule_severity

exempted(result) if {{
	some exemption in input.parameters.exemptions
	exemption.object in names(result.object)
	time.now_ns() < time.parse_rfc3339_ns(sprintf("%vT00:00:00Z", [exemption.expires])) + ((24 * 3600) * 1000000000)
}}

# kustomize ends the names of what it generates in a hash.
names(object) := {{sprintf("%v/%v", [object.kind, object.name]), sprintf("%v/%v", [object.kind, plain])}} if {{
	object.kind in {{"ConfigMap", "Secret"}}
	plain := regex.replace(object.name, `-[2456789bcdfghkmt]{{10}}$`, "")
}} else := {{sprintf("%v/%v", [object.kind, object.name])}}
"""


@dataclass(frozen=True, slots=True)
class Form:
    """One rule in Gatekeeper's words.

    Attributes:
        rule: The rule.
        kind: Of its Constraints.
        template: The ConstraintTemplate.
        reads: Keys of the settings that the rule reads.
        severities: Those that its results may have beside the rule's own.
    """

    rule: Rule
    kind: str
    template: dict[str, Json]
    reads: frozenset[str]
    severities: tuple[Severity, ...]


def forms(ruleset: RuleSet, known: frozenset[str]) -> tuple[list[Form], dict[str, str]]:
    """The rules that can judge at admission, and why each other one cannot, by id.

    Args:
        ruleset: The rules.
        known: The keys of `lockgate.yaml`.

    Raises:
        LockgateError: A rule reads `data` that neither a catalogue nor lockgate.yaml holds.
    """
    made = [_form(ruleset, rule, known) for rule in ruleset.rules.values() if rule.scope == "object"]
    left = {rule.id: _REASONS[rule.scope] for rule in ruleset.rules.values() if rule.scope != "object"}
    return made, left


def constraints(form: Form, settings: Settings, environment: str) -> Iterator[dict[str, Json]]:
    """The Constraints of one rule for one environment: one for each severity; none where the rule is off.

    Raises:
        LockgateError: `lockgate.yaml` does not say the environment's namespace.
    """
    severity = form.rule.severity.get(settings.level(environment))
    if severity is None:
        return
    namespace = settings.environments[environment].namespace
    if not namespace:
        msg = f"lockgate.yaml: environment {environment!r} has no namespace, so a Constraint would judge all of them"
        raise LockgateError(msg, f"add `namespace:` to environments.{environment}")
    for one in dict.fromkeys([severity, *(lower for lower in form.severities if lower < severity)]):
        name = f"{form.kind.lower()}-{environment}" + ("" if one == severity else f"-{one}")
        yield {
            "apiVersion": "constraints.gatekeeper.sh/v1beta1",
            "kind": form.kind,
            "metadata": {"name": name, "annotations": _annotations(form.rule, "1")},
            "spec": {
                "enforcementAction": ACTIONS[one],
                "match": {"namespaces": [namespace]},
                "parameters": {
                    "environment": environment,
                    "namespace": namespace,
                    "rule_severity": str(severity),
                    "severity": str(one),
                    "settings": _settings(form, settings, environment),
                    "exemptions": _exemptions(form.rule, settings, environment),
                },
            },
        }


def _form(ruleset: RuleSet, rule: Rule, known: frozenset[str]) -> Form:
    found = reached(ruleset, rule)
    catalogues = frozenset(ruleset.data)
    if strange := sorted(found.data - catalogues - known - {"data"}):
        msg = f"{rule.file}:{rule.line}: {rule.id} reads data.{strange[0]}, which nothing in the repository holds"
        raise LockgateError(msg, "name a key of lockgate.yaml or of policies/data")
    kind = f"Lockgate{rule.id.capitalize()}"
    texts = "".join(found.modules.values())
    lower = tuple(one for one in (Severity.WARNING, Severity.NOTE) if f'"{one}"' in texts)
    template = {
        "apiVersion": "templates.gatekeeper.sh/v1",
        "kind": "ConstraintTemplate",
        "metadata": {"name": kind.lower(), "annotations": _annotations(rule, "0")},
        "spec": {
            "crd": {"spec": {"names": {"kind": kind}, "validation": {"openAPIV3Schema": _SCHEMA}}},
            "targets": [
                {
                    "target": "admission.k8s.gatekeeper.sh",
                    "code": [{"engine": "Rego", "source": _source(ruleset, rule, found)}],
                }
            ],
        },
    }
    return Form(rule, kind, template, found.data & known, lower)


def _source(ruleset: RuleSet, rule: Rule, found: Reached) -> dict[str, Json]:
    """The rule's Rego and the modules that it needs, moved to where Gatekeeper allows them."""
    package = next(name for name, file in ruleset.packages.items() if file == rule.file)
    libs = [_moved(text, ruleset.data) for text in found.modules.values()]
    if used := sorted(found.data & frozenset(ruleset.data)):
        values = [f"{key} := {json.dumps(ruleset.data[key], ensure_ascii=False, sort_keys=True)}" for key in used]
        libs.append("\n\n".join([f"package {_DATA}", *values]) + "\n")
    main = _MAIN.format(package=f"lockgate{rule.id.lower()}", rules=_place(package), id=rule.id)
    return {"version": "v1", "rego": main, "libs": libs}


def _place(package: str) -> str:
    """Where a package of ours lies below `data.lib`, the only place that Gatekeeper allows."""
    return _HOME + package.removeprefix("lockgate")


def _moved(text: str, catalogues: Mapping[str, Json]) -> str:
    """A module that finds its packages, catalogues and settings where an export has them."""

    def move(word: str) -> str:
        first, _, rest = word.partition(".")
        if first != "data":
            return _place(word) if word.startswith("lockgate.") else word
        rest = rest.removeprefix("data.")
        key = rest.partition(".")[0]
        if key == "lockgate":
            return f"data.{_place(rest)}"
        return f"data.{_DATA}.{rest}" if key in catalogues else f"input.settings.{rest}"

    return outside_strings(text, move)


def _settings(form: Form, settings: Settings, environment: str) -> dict[str, Json]:
    """What the rule reads of `lockgate.yaml`; of environments, pools and clusters this environment's."""
    mine = settings.environments[environment]
    names = {"environments": environment, "pools": mine.pool, "clusters": mine.cluster}
    data = settings.data()
    return {
        key: {name: one for name, one in data[key].items() if name == names[key]} if key in names else data[key]
        for key in sorted(form.reads)
        if key in data
    }


def _exemptions(rule: Rule, settings: Settings, environment: str) -> list[Json]:
    return [
        {"object": one.object, "expires": one.expires, "reason": one.reason, "owner": one.owner}
        for one in settings.exempted()
        if one.rule == rule.id and one.expires and (not one.environments or environment in one.environments)
    ]


def _annotations(rule: Rule, wave: str) -> dict[str, str]:
    """Title and fix for a person; for Argo CD, that a Constraint comes after the kind that it is of."""
    return {
        "metadata.gatekeeper.sh/title": f"{rule.id}: {rule.title}",
        "description": rule.description,
        "lockgate/remediation": rule.remediation,
        "argocd.argoproj.io/sync-wave": wave,
        **({"argocd.argoproj.io/sync-options": "SkipDryRunOnMissingResource=true"} if wave == "1" else {}),
    }


_OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_SCHEMA: dict[str, Json] = {
    "type": "object",
    "required": ["environment", "namespace", "rule_severity", "severity"],
    "properties": {
        "environment": {"type": "string", "description": "A key of environments in lockgate.yaml."},
        "namespace": {"type": "string", "description": "Only its objects are judged."},
        "rule_severity": {"type": "string", "enum": ["note", "warning", "error"]},
        "severity": {
            "type": "string",
            "enum": ["note", "warning", "error"],
            "description": "Results of this severity are reported.",
        },
        "settings": {**_OPEN, "description": "What the rule reads of lockgate.yaml."},
        "exemptions": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["object", "expires"],
                "properties": {
                    "object": {"type": "string", "description": "Kind/name."},
                    "expires": {"type": "string", "description": "Last day, YYYY-MM-DD."},
                    "reason": {"type": "string"},
                    "owner": {"type": "string"},
                },
            },
        },
    },
}
