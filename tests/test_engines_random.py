"""Random damage to good documents: the three engines say the same, and never something that is no result.

`LOCKGATE_EXAMPLES=5000` looks longer than the default.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate import context, engines, resources, results, rules, testing
from lockgate.settings import parse

Json: TypeAlias = Any
Edit: TypeAlias = tuple[int, str, Json]
Decide: TypeAlias = Callable[[list[Json]], list[list[engines.Outcome]]]
Damage: TypeAlias = tuple[int, list[Edit]]
"""Which document, and what is done to it."""

FOLDER = Path(__file__).parent / "rules"
RULESET = rules.load(resources.template_root() / resources.PROJECT / "policies")
SETTINGS = parse((FOLDER / "settings.yaml").read_text())
DOCUMENTS = [sample.document for sample in testing.samples(FOLDER) if "objects" in sample.document]
BATCH = 20  # documents for one process of opa
EXAMPLES = int(os.environ.get("LOCKGATE_EXAMPLES", "200")) // BATCH

TEXTS = (
    *("", " ", "x", "é✓😀", "a\nb", "a\tb", 'a"b', "back\\slash", "\u2028", "%d %s", "{", "a: b: c", "\n\n"),
    *("$(VAR)", "${VAR}", "$VAR", "sh -c 'vllm serve x'", "--tensor-parallel-size", "--tensor-parallel-size=2"),
    *("0", "-1", "2", " 2", "1.5", "1e3", "0x10", "1_000", "٣", "NaN", "10Gi", "500m", "25%", "x%", "100%"),
    *("@", ":", "/", "/0", "a/b:c@sha256:1", "hf_" + "a" * 34, "true", "Always", "prod", "dns"),
    *("Job", "Pod", "Rollout", "Deployment", "ConfigMap", "Secret", "HorizontalPodAutoscaler", "ScaledObject"),
    *("model: x\ntensor-parallel-size: 2\n", "a: {b", "- 1\n- 2\n", "# nothing\n", "a: 1\na: 2\n"),
)
SCALARS = (None, True, False, 0, 1, 2, 53, -1, 65536, 1.5, -2.5, 10**15, 1e21, *TEXTS)
LISTS_AND_MAPPINGS: tuple[Json, ...] = (
    [],
    {},
    [None],
    [[]],
    [{}],
    ["x"],
    ["vllm", "serve"],
    {"x": "y"},
    {"a": None},
    {"": {}},
)
ACTIONS = ("put", "drop", "wrap", "text", "negate", "double", "add", "rename", "copy")
NAMES = ("x", "kind", "name", "namespace", "labels", "value", "valueFrom", "containers", "env", "args", "sizeLimit")

edits = st.tuples(st.integers(0, 10**6), st.sampled_from(ACTIONS), st.sampled_from((*SCALARS, *LISTS_AND_MAPPINGS)))
damages = st.tuples(st.integers(0, len(DOCUMENTS) - 1), st.lists(edits, min_size=1, max_size=3))


def damaged(damage: Damage) -> Json:
    """A good document after the edits."""
    number, changes = damage
    document = copy.deepcopy(DOCUMENTS[number])
    for position, action, value in changes:
        specs = [application["spec"] for application in document.get("applications", [])]
        places = list(_places([document["objects"], document.get("projects"), specs]))
        if places:
            holder, key = places[position % len(places)]
            _edit(holder, key, action, copy.deepcopy(value), places[position // 7 % len(places)])
    readable = [one for one in document["objects"] if isinstance(one, dict)]
    return {**document, **context.from_objects(readable)}


def _places(value: Json) -> Any:
    """Every holder and key below `value`, parents first."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _edit(holder: Json, key: Json, action: str, value: Json, other: tuple[Json, Json]) -> None:
    old = holder[key]
    if action == "drop":
        del holder[key]
    elif action == "wrap":
        holder[key] = {"x": old} if isinstance(value, str) else [old]
    elif action == "text":
        holder[key] = f"{old}{value}" if isinstance(old, str) else json.dumps(old)
    elif action == "negate" and isinstance(old, int):
        holder[key] = -old
    elif action == "double" and isinstance(holder, list):
        holder.append(copy.deepcopy(old))
    elif action == "add" and isinstance(old, dict):
        old[NAMES[len(str(value)) % len(NAMES)]] = value
    elif action == "add" and isinstance(old, list):
        old.append(value)
    elif action == "rename" and isinstance(holder, dict):
        holder[f"{key}{value}"] = holder.pop(key)
    elif action == "copy":
        holder[key] = copy.deepcopy(other[0][other[1]])
    else:
        holder[key] = value


@pytest.fixture(scope="module")
def decide(opa: str) -> Iterator[Decide]:
    """What the three engines say of some documents, in one order; each engine reads the rules once."""
    with contextlib.ExitStack() as stack:
        sessions = [
            stack.enter_context(engines.session(engine, RULESET, SETTINGS.data()))
            for engine in ("embedded", "opa", opa)
        ]
        yield lambda documents: [run(documents) for run in sessions]


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="LOCKGATE_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(damages, min_size=BATCH, max_size=BATCH))
def test_engines_agree_on_damaged_objects(decide: Decide, batch: list[Damage]) -> None:
    documents = [damaged(damage) for damage in batch]
    for document, ours, process, server in zip(documents, *decide(documents), strict=True):
        assert ours == process == server
        list(results.violations(RULESET, ours, document["environment"]))  # raises where a result has the wrong shape


@pytest.mark.parametrize("objects", [[], [None], [1, "x", []], [{}], [{"kind": 1}], [{"metadata": []}], {}, None])
def test_engines_agree_on_what_is_no_object(decide: Decide, objects: Json) -> None:
    document = {"environment": "prod", "objects": objects, "kustomize": {"entries": [], "generators": []}}
    [ours], [process], [server] = decide([document])
    assert ours == process == server
    assert list(results.violations(RULESET, ours, "prod")) == []


def test_engines_agree_on_objects_that_stand_twice(decide: Decide) -> None:
    """A rule with one value by kind and name would have two here, and end the run."""
    ours, process, server = decide([twice(document) for document in DOCUMENTS[::4]])
    assert ours == process == server


def twice(document: Json) -> Json:
    """A document that has each object again: from another group, without one list or number, and without a name."""
    again = [copy.deepcopy(one) for one in document["objects"] for _ in range(3)]
    for number, one in enumerate(again):
        if number % 3 == 0:
            one["apiVersion"] = "example.com/v1"
        elif number % 3 == 1:
            holder, key = next(
                ((h, k) for h, k in _places(one.get("spec")) if isinstance(h[k], list | int)), (one, "status")
            )
            holder[key] = None
        else:
            one["metadata"] = {"generateName": "x-"}
    objects = [*document["objects"], *again]
    return {**document, "objects": objects, **context.from_objects(objects)}


def test_engines_agree_on_conftest_documents(decide: Decide) -> None:
    ours, process, server = decide(
        [[{"path": "-", "contents": item} for item in document["objects"]] for document in DOCUMENTS]
    )
    assert ours == process == server
