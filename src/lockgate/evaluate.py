"""Stage 4: rendered environments and rules in, violations out.

One document per environment, then one for the repository, made of what the rules computed for the
environments. A result of the wrong shape is an error that names the rule's file: a rule that
cannot be read must not pass for a rule that found nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from lockgate import engines
from lockgate.model import Exemption, Json, Rendering, Violation, field_text, plain_name
from lockgate.results import violations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lockgate.engines import Outcome
    from lockgate.rules import RuleSet
    from lockgate.settings import Settings

REPOSITORY = ""
"""Stands for the repository's document where others are named by their environment."""

# Where lib/workloads.rego finds pod specs.
_KNOWN_SHAPES = (
    ("spec", "template", "spec"),
    ("spec", "jobTemplate", "spec", "template", "spec"),
    ("spec", "jobTargetRef", "template", "spec"),
    ("spec", "leaderWorkerTemplate", "leaderTemplate", "spec"),
    ("spec", "leaderWorkerTemplate", "workerTemplate", "spec"),
    ("spec", "metrics", "provider", "job", "spec", "template", "spec"),
    ("spec", "predictor"),
)
# Kinds whose pods have no list of containers in the object: a controller writes it.
_HIDDEN_PODS = {
    ("ray.io", "RayCluster"),
    ("ray.io", "RayJob"),
    ("ray.io", "RayService"),
    ("serving.kserve.io", "InferenceService"),
    ("serving.kserve.io", "LLMInferenceService"),
    ("production-stack.vllm.ai", "VLLMRuntime"),
}
# These speak of containers without holding any.
_POLICY_GROUPS = ("apiextensions.k8s.io", "constraints.gatekeeper.sh", "kyverno.io", "templates.gatekeeper.sh")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the rules said about the whole repository.

    Attributes:
        violations: In a fixed order; those of levels at which their rule is off are left out.
        not_covered: Objects that hold pods which no rule reads, each `Kind/name (environment)`.
        documents: What the rules saw, by environment, and under `REPOSITORY`.
    """

    violations: tuple[Violation, ...]
    not_covered: tuple[str, ...]
    documents: Mapping[str, Mapping[str, Json]]


def evaluate(  # the stage's whole input
    ruleset: RuleSet,
    settings: Settings,
    renderings: Sequence[Rendering],
    context: Mapping[str, Mapping[str, Json]],
    today: date,
    engine: str = "embedded",
) -> Evaluation:
    """Runs every rule on every environment and on the repository.

    Args:
        ruleset: The rules.
        settings: The team's numbers; rules see them as `data`.
        renderings: The environments to check.
        context: What rules cannot read off the objects alone, by environment, and under `REPOSITORY` for
            the repository's document (see `lockgate.context`).
        today: Decides how many days an exemption has left.
        engine: One of `lockgate.engines.ENGINES`, or the URL of an OPA server.

    Raises:
        LockgateError: The engine failed, or a rule returned something else than a result.
    """
    documents = [environment_document(r, context.get(r.overlay.environment, {})) for r in renderings]
    with engines.session(engine, ruleset, settings.data()) as run:
        outcomes = run(documents)
        found = [
            violation
            for rendering, outcome in zip(renderings, outcomes, strict=True)
            for violation in _of_environment(ruleset, rendering, outcome)
        ]
        facts = {r.overlay.environment: o.facts for r, o in zip(renderings, outcomes, strict=True)}
        repository = partial(repository_document, settings, facts, today=today, shared=context.get(REPOSITORY, {}))
        more, last = _of_repository(ruleset, settings, repository, found, list(facts), run)
    seen = {r.overlay.environment: d for r, d in zip(renderings, documents, strict=True)} | {REPOSITORY: last}
    return Evaluation((*found, *more), tuple(_not_covered(renderings, facts)), seen)


def judge(
    ruleset: RuleSet, settings: Settings, documents: Sequence[Mapping[str, Json]], engine: str
) -> list[list[Violation]]:
    """What the rules say about each of several documents, taken for itself.

    A rule that is off at the level of a document's environment is silent. Arguments and errors are
    those of `evaluate`.
    """
    with engines.session(engine, ruleset, settings.data()) as run:
        outcomes = run(documents)
    names = [str(document.get("environment", "")) for document in documents]
    levels = [settings.level(name) if name in settings.environments else "" for name in names]
    return [
        [v for v in violations(ruleset, outcome, name) if not level or level in ruleset.rules[v.rule].severity]
        for outcome, name, level in zip(outcomes, names, levels, strict=True)
    ]


def environment_document(rendering: Rendering, context: Mapping[str, Json] = MappingProxyType({})) -> dict[str, Json]:
    """The document that rules see for one environment: `context` adds and replaces keys."""
    return {
        "environment": rendering.overlay.environment,
        "objects": list(rendering.objects),
        "kustomize": {"entries": [], "generators": []},
        **context,
    }


def repository_document(
    settings: Settings,
    facts: Mapping[str, Mapping[str, Json]],
    used: Mapping[int, set[str]],
    today: date,
    shared: Mapping[str, Json] = MappingProxyType({}),
) -> dict[str, Json]:
    """The document that rules see for the repository as a whole.

    Args:
        settings: The team's numbers.
        facts: What was computed for each checked environment.
        used: The fields that each exemption covers, by its index.
        today: Decides the days left.
        shared: More keys, such as the Applications.
    """
    environments = {
        name: {
            "level": settings.level(name),
            "overlay": settings.environments[name].overlay,
            "cluster": settings.environments[name].cluster,
            "pool": settings.environments[name].pool,
            "facts": dict(computed),
        }
        for name, computed in facts.items()
    }
    exemptions = [
        {
            "index": exemption.index,
            "rule": exemption.rule,
            "object": exemption.object,
            "environments": list(exemption.environments),
            "reason": exemption.reason,
            "owner": exemption.owner,
            "expires": exemption.expires,
            "days_left": days_left(exemption, today),
            "used": exemption.index in used or not _checked(exemption, settings, facts),
            "fields": sorted(used.get(exemption.index, ())),
        }
        for exemption in settings.exempted()
    ]
    return {"repository": {"environments": environments, "exemptions": exemptions, **shared}}


def days_left(exemption: Exemption, today: date) -> int | None:
    """Days until an exemption ends, 0 on its last day; None when it says no date."""
    try:
        return (date.fromisoformat(exemption.expires) - today).days
    except ValueError:
        return None


def covers(exemption: Exemption, violation: Violation, environment: str) -> bool:
    """Whether an exemption speaks of a violation in an environment; its date is not asked."""
    ref = violation.object
    if exemption.rule != violation.rule or exemption.object not in {str(ref), f"{ref.kind}/{plain_name(ref)}"}:
        return False
    if exemption.field and exemption.field != field_text(violation.path):
        return False
    return not exemption.environments or environment in exemption.environments


def _checked(exemption: Exemption, settings: Settings, facts: Mapping[str, object]) -> bool:
    """Whether the run looks at all of an exemption's environments; if not, its use is not known."""
    return set(exemption.environments or settings.environments) <= set(facts)


def _of_environment(ruleset: RuleSet, rendering: Rendering, outcome: Outcome) -> Iterator[Violation]:
    overlay = rendering.overlay
    for violation in violations(ruleset, outcome, overlay.environment):
        if overlay.level in ruleset.rules[violation.rule].severity:
            yield violation


def _of_repository(
    ruleset: RuleSet,
    settings: Settings,
    document: Callable[[Mapping[int, set[str]]], dict[str, Json]],
    found: Sequence[Violation],
    checked: Sequence[str],
    run: engines.Evaluate,
) -> tuple[list[Violation], dict[str, Json]]:
    """Violations of the repository and its document; asked twice when one makes an exemption a used one."""
    used = _used(settings, found, checked)
    while True:
        asked = document(used)
        [outcome] = run([asked])
        result = [
            violation
            for violation in violations(ruleset, outcome, "")
            if _on_somewhere(ruleset, settings, violation, checked)
        ]
        more = _used(settings, [*found, *result], checked)
        if all(more[index] <= used.get(index, set()) for index in more):
            return result, asked
        used = {index: used.get(index, set()) | more.get(index, set()) for index in {*used, *more}}


def _used(settings: Settings, found: Sequence[Violation], checked: Sequence[str]) -> dict[int, set[str]]:
    """The fields that each exemption covers, by its index; one that covers nothing has no entry."""
    used: dict[int, set[str]] = {}
    for exemption in settings.exempted():
        for violation in found:
            if any(covers(exemption, violation, name) for name in environments_of(violation, checked)):
                used.setdefault(exemption.index, set()).add(field_text(violation.path))
    return used


def environments_of(violation: Violation, checked: Sequence[str]) -> tuple[str, ...]:
    """The environments that a violation concerns, in the settings' order."""
    if violation.environment:
        return (violation.environment,)
    named = violation.environments or tuple(checked)
    return tuple(name for name in checked if name in named)


def _on_somewhere(ruleset: RuleSet, settings: Settings, violation: Violation, checked: Sequence[str]) -> bool:
    levels = {settings.level(name) for name in environments_of(violation, checked)}
    return bool(levels & set(ruleset.rules[violation.rule].severity))


def _not_covered(renderings: Sequence[Rendering], facts: Mapping[str, Mapping[str, Json]]) -> Iterator[str]:
    """Objects that hold pods which no rule reads, in the order of environments and objects."""
    for rendering in renderings:
        environment = rendering.overlay.environment
        said = {(ref["kind"], ref["name"]) for ref in facts[environment].get("not_covered", [])}
        for obj in rendering.objects:
            kind, name = str(obj.get("kind")), str((obj.get("metadata") or {}).get("name"))
            if (kind, name) in said or holds_unread_pods(obj):
                yield f"{kind}/{name} ({environment})"


def holds_unread_pods(obj: Mapping[str, Json]) -> bool:
    """Whether an object holds pods at a place that the rules do not know."""
    group = str(obj.get("apiVersion", "")).rpartition("/")[0]
    if group in _POLICY_GROUPS:
        return False
    if (group, obj.get("kind")) in _HIDDEN_PODS and not _lists_containers(_at(obj, _KNOWN_SHAPES[-1])):
        return True
    known: set[tuple[str, ...]] = set(_KNOWN_SHAPES)
    if obj.get("kind") == "Pod":
        known.add(("spec",))
    return any(path not in known for path in _pod_specs(obj.get("spec"), ("spec",)))


def _at(value: Json, path: Sequence[str]) -> Json:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _lists_containers(value: Json) -> bool:
    """Whether a value looks like a pod spec: its containers have names, and images or commands."""
    containers = value.get("containers") if isinstance(value, dict) else None
    return isinstance(containers, list) and any(
        isinstance(one, dict) and "name" in one and one.keys() & {"image", "command", "args"} for one in containers
    )


def _pod_specs(value: Json, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Paths of everything below `value` that looks like a pod spec; list indexes are left out."""
    if isinstance(value, dict):
        if _lists_containers(value):
            yield path
        for key, item in value.items():
            yield from _pod_specs(item, (*path, str(key)))
    elif isinstance(value, list):
        for item in value:
            yield from _pod_specs(item, path)
