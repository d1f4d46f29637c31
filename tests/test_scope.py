"""What `scope` of a rule claims: `object` means that each object is judged for itself, and is proved here.

`LOCKGATE_EXAMPLES=5000` looks at more damaged documents than the default.
"""

from __future__ import annotations

import json
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import test_engines_random as damage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate import engines, pipeline, resources, rules, testing
from lockgate.settings import parse

Json: TypeAlias = Any
Found: TypeAlias = set[str]
"""Results as text."""

RULESET = rules.load(resources.template_root() / resources.PROJECT / "policies")
SAMPLES = [sample for sample in testing.samples(Path(__file__).parent / "rules") if "objects" in sample.document]
OBJECT_RULES = {rule.id for rule in RULESET.rules.values() if rule.scope == "object"}


def results(outcome: engines.Outcome) -> Found:
    return {json.dumps(one, sort_keys=True) for found in outcome.results.values() for one in found}


def whole_and_parts(data: Json, documents: list[Json]) -> list[tuple[Found, Found]]:
    """What is found on each document as a whole, and on its objects one by one."""
    singles = [[{**document, "objects": [one]} for one in document["objects"]] for document in documents]
    with engines.session("embedded", RULESET, data) as run:
        said = run([*documents, *(single for group in singles for single in group)])
    rest = iter(said[len(documents) :])
    parts = [set[str]().union(*(results(next(rest)) for _ in group)) for group in singles]
    return list(zip(map(results, said), parts, strict=False))


def told_otherwise(pairs: list[tuple[Found, Found]]) -> dict[str, list[str]]:
    """Results that only the whole document has, or only a part, by rule."""
    differing: dict[str, list[str]] = defaultdict(list)
    for whole, parts in pairs:
        for text in sorted(whole ^ parts):
            differing[json.loads(text)["id"]].append(text)
    return differing


@cache
def evidence() -> dict[str, list[str]]:
    """By rule, what the samples show to need more than one object."""
    groups: dict[str, list[Json]] = defaultdict(list)
    for sample in SAMPLES:
        groups[json.dumps(sample.settings)].append(sample.document)
    found: dict[str, list[str]] = defaultdict(list)
    for text, documents in groups.items():
        for rule, texts in told_otherwise(whole_and_parts(parse(text).data(), documents)).items():
            found[rule] += texts
    return found


def test_an_object_rule_says_of_each_object_of_a_sample_what_it_says_of_all() -> None:
    assert {rule: texts for rule, texts in evidence().items() if rule in OBJECT_RULES} == {}


@pytest.mark.parametrize("identifier", sorted(r.id for r in RULESET.rules.values() if r.scope == "environment"))
def test_an_environment_rule_has_a_sample_that_shows_what_else_it_needs(identifier: str) -> None:
    needs_input = any(sample.path.name.endswith(".input.yaml") for sample in SAMPLES if sample.rule == identifier)
    assert identifier in evidence() or needs_input, "say `scope: object`, or add the sample that shows why not"


@pytest.mark.parametrize("identifier", sorted(r.id for r in RULESET.rules.values() if r.scope == "repository"))
def test_a_repository_rule_says_nothing_of_objects(identifier: str) -> None:
    documents = [sample.document for sample in SAMPLES]
    data = parse((Path(__file__).parent / "rules" / "settings.yaml").read_text()).data()
    with engines.session("embedded", RULESET, data) as run:
        said = set[str]().union(*map(results, run(documents)))
    assert identifier not in {json.loads(text)["id"] for text in said}


def test_object_rules_judge_a_generated_repository_object_by_object(pristine: Path) -> None:
    repository, _, documents = pipeline.documents(pristine, pipeline.Options())
    whole = [document for name, document in documents.items() if name]
    found = told_otherwise(whole_and_parts(repository.settings.data(), whole))
    assert OBJECT_RULES & found.keys() == set()


@settings(
    max_examples=damage.EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(damage.damages, min_size=damage.BATCH, max_size=damage.BATCH))
def test_object_rules_judge_damaged_objects_one_by_one(batch: list[damage.Damage]) -> None:
    documents = [document for document in map(damage.damaged, batch) if isinstance(document["objects"], list)]
    found = told_otherwise(whole_and_parts(damage.SETTINGS.data(), documents))
    assert {rule: texts for rule, texts in found.items() if rule in OBJECT_RULES} == {}
