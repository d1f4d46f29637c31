"""What differs between two renderings, field by field."""

from __future__ import annotations

import copy
import json
from typing import Any, TypeAlias

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lockgate import compare
from lockgate.compare import MISSING, Item

Json: TypeAlias = Any

SERVE = "# Flags.\nmodel: x\nmax-model-len: 32768\n"


def config(name: str = "serve", **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "chat"}, "data": data}


def pod(name: str = "chat", **spec: Json) -> Json:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def told(old: Json, new: Json) -> list[tuple[str, Json, Json]]:
    """The fields that differ between two values."""
    return [(change.field, change.old, change.new) for change in compare.differences(old, new)]


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, [("a", 1, True)]),
        ({"a": None}, {}, [("a", None, MISSING)]),
        ({}, {"a": None}, [("a", MISSING, None)]),
        ({"a": "2"}, {"a": 2}, [("a", "2", 2)]),
        ({"a": {"b": 1}}, {"a": [1]}, [("a", {"b": 1}, [1])]),
        ({"x/y": {"z": 1}}, {"x/y": {"z": 2}}, [('["x/y"].z', 1, 2)]),
        ({"a": ["x", "y", "z"]}, {"a": ["x", "z"]}, [("a[1]", "y", MISSING)]),
        ({"a": ["x", "z"]}, {"a": ["w", "x", "z"]}, [("a[0]", MISSING, "w")]),
        ({"a": ["x", "y"]}, {"a": ["x", "q"]}, [("a[1]", "y", "q")]),
        ({"a": ["x", "y"]}, {"a": ["y", "y"]}, [("a[0]", "x", "y")]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}, {"b": 3}]}, [("a[0].b", 1, 2), ("a[1]", MISSING, {"b": 3})]),
        (
            {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
            {"env": [{"name": "N", "value": "0"}, {"name": "A", "value": "1"}, {"name": "B", "value": "3"}]},
            [("env[B].value", "2", "3"), ("env[N]", MISSING, {"name": "N", "value": "0"})],
        ),
        (
            {"env": [{"name": "A"}, {"name": "B"}]},
            {"env": [{"name": "B"}, {"name": "A"}]},
            [("env[(order)]", ["A", "B"], ["B", "A"])],
        ),
        (
            {"m": [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}]},
            {"m": [{"name": "v", "mountPath": "/a"}, {"name": "w", "mountPath": "/b"}]},
            [("m[/b].name", "v", "w")],
        ),
        ({"ports": [{"containerPort": 1}]}, {"ports": []}, [("ports[1]", {"containerPort": 1}, MISSING)]),
    ],
)
def test_fields(old: Json, new: Json, changes: list[tuple[str, Json, Json]]) -> None:
    assert told(old, new) == changes


def test_a_yaml_text_is_compared_by_its_keys() -> None:
    other = SERVE.replace("32768", "16384").replace("# Flags.", "# Other.")
    [one] = compare.objects([config(**{"serve.yaml": SERVE})], [config(**{"serve.yaml": other})])
    assert [(c.field, c.old, c.new) for c in one.changes] == [('data["serve.yaml"].max-model-len', 32768, 16384)]
    assert one.changes[0].path == ("data", "serve.yaml", "max-model-len")


@pytest.mark.parametrize(
    ("key", "old", "new", "lines"),
    [
        # Only a comment: the pods start again all the same, since the hash is another.
        ("serve.yaml", SERVE, SERVE.replace("Flags", "Our flags"), ["-# Flags.", "+# Our flags."]),
        ("run.sh", "a\nb\n", "a\nc\n", ["-b", "+c"]),
        ("serve.yaml", "a: [\nb\n", "a: [\nc\n", ["-b", "+c"]),
        ("serve.yaml", "a: 1\na: 2\n", "a: 1\na: 3\n", ["-a: 2", "+a: 3"]),
        ("serve.yaml", "a: &x [*x]\nb: 1\n", "a: &x [*x]\nb: 2\n", ["-b: 1", "+b: 2"]),
        ("serve.yaml", "a: 1\n---\nb: 1\n", "a: 1\n---\nb: 2\n", ["-b: 1", "+b: 2"]),
        ("serve.yaml", "a: 1\nb: 1\n", "- 1\n- 2\n", ["-a: 1", "-b: 1", "+- 1", "+- 2"]),
    ],
)
def test_other_texts_are_compared_by_their_lines(key: str, old: str, new: str, lines: list[str]) -> None:
    [one] = compare.objects([config(**{key: old})], [config(**{key: new})])
    [change] = one.changes
    assert change.path == ("data", key)
    assert [line for line in change.lines() if line[0] in "+-"] == lines


def test_the_hash_of_a_generated_name_is_no_difference() -> None:
    def rendering(suffix: str, text: str) -> list[Json]:
        name = f"serve-{suffix}"
        volume = {"name": "serve", "configMap": {"name": name}}
        return [config(name, **{"serve.yaml": text}), pod(volumes=[volume], args=[f"--x={name}"])]

    old, same, new = rendering("6ct58987ht", "a: 1"), rendering("9f2k8g7hbt", "a: 1"), rendering("9f2k8g7hbt", "a: 2")
    [one] = compare.objects(old, same)
    assert [change.field for change in one.changes] == ["spec.args[0]"]  # no name of an object, only a text like it
    [first, second] = compare.objects(old, new)
    assert (str(first.ref), [c.field for c in first.changes]) == ("ConfigMap/serve", ['data["serve.yaml"].a'])
    assert [change.field for change in second.changes] == ["spec.args[0]"]


def test_objects_are_matched_by_kind_group_namespace_and_name() -> None:
    old = [pod(), config(a="1"), {"apiVersion": "a.io/v1", "kind": "Service", "metadata": {"name": "x"}}]
    other = {"apiVersion": "b.io/v1", "kind": "Service", "metadata": {"name": "x"}}
    moved = {**config(a="1"), "metadata": {"name": "serve", "namespace": "other"}}
    newer = {**pod(), "apiVersion": "v2"}
    found = [
        (one.state, str(one.ref), [c.field for c in one.changes]) for one in compare.objects(old, [newer, moved, other])
    ]
    assert sorted(found) == [
        ("added", "ConfigMap/serve", []),
        ("added", "Service/x", []),
        ("changed", "Pod/chat", ["apiVersion"]),
        ("removed", "ConfigMap/serve", []),
        ("removed", "Service/x", []),
    ]


def test_an_object_that_stands_twice_is_compared_by_its_turn() -> None:
    assert compare.objects([pod(a=1), pod(a=2)], [pod(a=1), pod(a=2)]) == []
    [one] = compare.objects([pod(a=1), pod(a=2)], [pod(a=1), pod(a=3)])
    assert [(c.field, c.old, c.new) for c in one.changes] == [("spec.a", 2, 3)]
    assert [one.state for one in compare.objects([pod(a=1), pod(a=1)], [pod(a=1)])] == ["removed"]


def secret(value: str, kind: str = "Secret", field: str = "stringData") -> Json:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "s"}, field: {"k": value}}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (secret("one-1"), secret("two-2")),
        (secret("one-1", field="data"), secret("two-2", field="data")),
        (pod(env=[{"name": "HF_TOKEN", "value": "one-1"}]), pod(env=[{"name": "HF_TOKEN", "value": "two-2"}])),
        (pod(), pod(env=[{"name": "HF_TOKEN", "value": "two-2"}])),
        (pod(), pod(containers=[{"name": "a", "env": [{"name": "VLLM_API_KEY", "value": "two-2"}]}])),
        (pod(args=["--api-key=one-1"]), pod(args=["--api-key=two-2"])),
        (config(**{"serve.yaml": "api-key: one-1\n"}), config(**{"serve.yaml": "api-key: two-2\n"})),
        (config(**{"a.env": "X=1\nHF_TOKEN=one-1\n"}), config(**{"a.env": "X=2\nHF_TOKEN=two-2\n"})),
    ],
)
def test_what_is_secret_is_not_shown(old: Json, new: Json) -> None:
    [one] = compare.objects([old], [new])
    shown = [[c.field, *([] if c.hidden else [c.old, c.new]), *c.lines()] for c in one.changes]
    assert shown
    for value in ("one-1", "two-2"):
        assert value not in json.dumps(shown, default=str)


def test_what_only_sounds_secret_is_shown() -> None:
    reference = {"secretKeyRef": {"name": "s", "key": "k"}}
    old, new = {"name": "A", "valueFrom": reference}, {"name": "A", "value": "9"}
    [one] = compare.objects(
        [pod(env=[old], args=["--max-num-batched-tokens=1"])], [pod(env=[new], args=["--max-num-batched-tokens=2"])]
    )
    assert [c.hidden for c in one.changes] == [False] * 3
    assert one.changes[-1].new == "--max-num-batched-tokens=2"


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
keys = st.text(alphabet="abcdef/.-", min_size=1, max_size=4)
names = st.text(alphabet="xyz", min_size=1, max_size=3)


def _named(items: list[tuple[str, Json]]) -> Json:
    return [{"name": name, **(value if isinstance(value, dict) else {"value": value})} for name, value in items]


def _branches(children: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    unique = st.lists(st.tuples(names, children), max_size=4, unique_by=lambda item: item[0])
    return st.lists(children, max_size=5) | st.dictionaries(keys, children, max_size=4) | unique.map(_named)


trees = st.recursive(scalars, _branches, max_leaves=20)


@given(trees)
def test_a_tree_does_not_differ_from_itself(tree: Json) -> None:
    assert compare.objects([pod(tree=tree)], [pod(tree=copy.deepcopy(tree))]) == []


def _leaves(value: Json, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [leaf for key, item in items for leaf in _leaves(item, (*path, key))] or [path]


@given(trees, st.data())
def test_one_field_that_changes_is_the_one_that_is_told(tree: Json, data: st.DataObject) -> None:
    old = {"tree": tree}
    path = data.draw(st.sampled_from(_leaves(old)))
    assume(path[-1] not in {"name", "key"})  # another name is another item
    new = copy.deepcopy(old)
    holder: Json = new
    for step in path[:-1]:
        holder = holder[step]
    before = holder[path[-1]]
    holder[path[-1]] = "another value"
    [change] = compare.differences(old, new)
    assert (json.dumps(change.old), change.new) == (json.dumps(before), "another value")
    assert _indexes(old, change.path) == path


def _indexes(value: Json, path: compare.Path) -> tuple[str | int, ...]:
    """A path with indexes where it has names."""
    found: list[str | int] = []
    for step in path:
        key = next(i for i, item in enumerate(value) if item["name"] == step) if isinstance(step, Item) else step
        found.append(key)
        value = value[key]
    return tuple(found)
