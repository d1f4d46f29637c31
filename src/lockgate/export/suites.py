"""Samples of a rule as a suite of `gator verify`: every object of a sample, with what is found on it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from lockgate import evaluate
from lockgate.export import gatekeeper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from lockgate.export.gatekeeper import Form
    from lockgate.model import Json, Violation
    from lockgate.rules import RuleSet
    from lockgate.settings import Settings

    # Name, what the rules get as `input`, and the settings that hold for it.
    Sample = tuple[str, Mapping[str, Json], Mapping[str, Json]]


def suite(
    form: Form,
    ruleset: RuleSet,
    samples: Sequence[Sample],
    parse: Callable[[Mapping[str, Json]], Settings],
    engine: str,
) -> Iterator[tuple[str, Json]]:
    """The files of a rule's suite, each with its name in the suite's folder.

    Args:
        form: The rule.
        ruleset: All rules.
        samples: Those of this rule that hold objects.
        parse: From the content of a lockgate.yaml to settings.
        engine: Says what is found on each object; one of `lockgate.engines.ENGINES`.
    """
    tests: list[Json] = []
    for number, (settings, environment, members) in enumerate(_groups(samples, parse), 1):
        chosen = next(gatekeeper.constraints(form, settings, environment), None)
        if chosen is None:  # the rule is off there: nothing to admit, nothing to refuse
            continue
        yield f"constraint-{number}.yaml", chosen
        namespace = settings.environments[environment].namespace
        objects = list(_objects(members, namespace))
        documents = [{"environment": environment, "objects": [one], "kustomize": _NOTHING} for _, one in objects]
        cases: list[Json] = []
        for (name, one), found in zip(objects, evaluate.judge(ruleset, settings, documents, engine), strict=True):
            yield f"{name}.yaml", one
            cases.append({"name": name, "object": f"{name}.yaml", "assertions": _assertions(form, found)})
        template = f"../../templates/{form.rule.id.lower()}.yaml"
        constraint = f"constraint-{number}.yaml"
        name = f"{environment}-{number}"
        tests.append({"name": name, "template": template, "constraint": constraint, "cases": cases})
    if tests:
        head = {"apiVersion": "test.gatekeeper.sh/v1alpha1", "kind": "Suite", "metadata": {"name": form.kind.lower()}}
        yield "suite.yaml", {**head, "tests": tests}


_NOTHING: Json = {"entries": [], "generators": []}


def _groups(
    samples: Iterable[Sample], parse: Callable[[Mapping[str, Json]], Settings]
) -> Iterator[tuple[Settings, str, list[Sample]]]:
    """Samples that one Constraint judges."""
    groups: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[json.dumps(sample[2], sort_keys=True), str(sample[1]["environment"])].append(sample)
    for (settings, environment), members in groups.items():
        yield parse(json.loads(settings)), environment, members


def _objects(samples: Iterable[Sample], namespace: str) -> Iterator[tuple[str, Json]]:
    """Every object under the name of its sample, in the namespace that is judged."""
    for name, document, _ in samples:
        for number, one in enumerate(document["objects"], 1):
            metadata = dict(one.get("metadata") or {})
            if one.get("kind") != "Namespace":
                metadata["namespace"] = namespace
            yield f"{name}-{number}", {**one, "metadata": metadata}


def _assertions(form: Form, found: Sequence[Violation]) -> list[Json]:
    """How many violations, and the message of each."""
    own = [one for one in found if one.rule == form.rule.id and one.severity is None]
    if not own:
        return [{"violations": "no"}]
    messages = sorted({f"{one.rule}: {one.message}" for one in own})
    return [
        {"violations": len(own)},
        *({"violations": "yes", "message": f"^{re.escape(message)}$"} for message in messages),
    ]
