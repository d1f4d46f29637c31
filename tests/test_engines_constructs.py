"""Constructs of Rego: the embedded engine reads each as OPA does, or refuses it with its line.

`tests/constructs.txt` holds small modules between lines of `===`; each becomes a package of its own,
HERE is its name. All are asked about the same documents: objects, empty fields, fields of other types,
conftest's array.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import small_policies

from lockgate import engines, rules
from lockgate.engines.closures import closed
from lockgate.engines.pairs import unpaired
from lockgate.errors import LockgateError

CONSTRUCTS = Path(__file__).with_name("constructs.txt").read_text(encoding="utf-8").rstrip().split("\n===\n")
DEPLOYMENT = {
    "kind": "Deployment",
    "metadata": {"name": "a", "labels": {"app": "x", "team": "t"}, "annotations": {"k": "v"}},
    "spec": {
        "replicas": 3,
        "ports": [80, 8080],
        "containers": [
            {"name": "c1", "image": "a:1", "env": [{"name": "X", "value": "1"}], "ports": [{"containerPort": 80}]},
            {"name": "c2", "image": "b@sha256:1", "ports": [{"containerPort": 81, "name": "m"}]},
        ],
    },
}
SERVICE = {"kind": "Service", "metadata": {"name": "a", "labels": {"app": "x"}}, "spec": {"selector": {"app": "x"}}}
CONFIG = {"kind": "ConfigMap", "metadata": {"name": "cm"}, "data": {"a": "1", "b": "yes"}}
DOCUMENTS: list[Any] = [
    {
        "environment": "prod",
        "objects": [DEPLOYMENT, SERVICE, CONFIG],
        "m": {"a": [1, 2], "b": [], "c": [3]},
        "o": {"x": 1, "y": 2, "z": {"w": 5}},
        "xs": [1, 2, 3, 2],
        "names": ["a", "b"],
        "flag": True,
        "no": False,
        "nil": None,
        "key": "x",
        "s": "hello world",
        "n": 4.5,
    },
    {
        "environment": "dev",
        "objects": [SERVICE],
        "m": {},
        "o": {},
        "xs": [],
        "names": [],
        "flag": False,
        "no": True,
        "key": "zz",
        "s": "",
        "n": 0,
    },
    {
        "environment": "dev",
        "objects": [],
        "m": [1, [2]],
        "o": [1, 2],
        "xs": {"p": 1},
        "names": "a",
        "flag": "x",
        "nil": [],
        "key": 0,
        "s": ["q"],
        "n": "1",
    },
    [{"path": "-", "contents": DEPLOYMENT}, {"path": "-", "contents": [SERVICE]}],
]


BATCH = 30  # the time to compile grows faster than the number of modules


@pytest.mark.parametrize("first", range(0, len(CONSTRUCTS), BATCH))
def test_every_construct_is_read_as_by_opa(tmp_path: Path, opa: str, first: int) -> None:
    texts = {f"c{number:03}": text for number, text in enumerate(CONSTRUCTS[first : first + BATCH], first)}
    modules: dict[str, str | None] = {
        f"lib/{name}.rego": f"package lockgate.lib.{name}\n\nimport rego.v1\n\n{text.replace('HERE', name)}\n"
        for name, text in texts.items()
    }
    asked = "\n\n".join(f"{name} := data.lockgate.lib.{name}" for name in texts)
    modules["facts.rego"] = f"package lockgate.facts\n\nimport rego.v1\n\n{asked}\n"
    ruleset = rules.load(small_policies.write(tmp_path, modules))
    said = []
    for engine in ("embedded", opa):
        with engines.session(engine, ruleset, {}) as evaluate:
            said.append([outcome.facts for outcome in evaluate(DOCUMENTS)])
    for number, ours, theirs in zip(range(len(DOCUMENTS)), *said, strict=True):
        for name, text in texts.items():
            assert ours[name] == theirs[name], f"document {number}: {json.dumps(ours[name])}\n{text}"
    assert sum(len(value) for value in said[0][0].values()) > len(texts) // 2  # most have something to say


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a if { every x in input.xs { not x.port } }", "loses a variable"),
        ("a if { every x in input.xs {\n\t\tx.port\n\t\tnot x.name } }", "loses a variable"),
        ("a if { every x in input.xs { every y in input.xs { y >= x } } }", "loses a variable"),
        ("a if { every x in input.xs { count([y | some y in input.xs; y > x]) == 0 } }", "loses a variable"),
        ("a if { some x; x == 1 }", "loses a variable"),
        ("a := [[i, j] | input.xs[i] < input.xs[j]]", "loses a variable"),
        ("a if { input.key == x; x := 1 }", "loses a variable"),
        ("a if { not every x in input.xs { x > 2 } }", "Syntax error"),
        ("a if every x in input.xs { x > 0 }", "Invalid rule head"),
        ("f(o, key) := [x | x := o[key]]\n\na if every x in input.xs { x > 0 }", "Invalid rule head"),
        ("f(o, key) := [x | x := o[lower(key)]]", "an index that is computed in a comprehension"),
        ("f(i) := [x | x := input.xs[i + 1]]", "an index that is computed in a comprehension"),
        ("a := [p | walk(input, [p, v])]", "no builtin 'walk'"),
        ("a := 1 if input.x with input as {}", "`with` is not to be had"),
    ],
)
def test_what_is_not_read_as_by_opa_is_refused_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    head = "package lockgate.facts\n\nimport rego.v1\n\n"
    ruleset = rules.load(small_policies.write(tmp_path, {"facts.rego": f"{head}{text}\n"}))
    place = r"^facts\.rego:[567]: "
    with pytest.raises(LockgateError, match=place) as caught, engines.session("embedded", ruleset, {}):
        pass
    assert problem in caught.value.message
    assert "engine opa" in caught.value.hint or "variable first" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("f(o, key) := [x | x := o[key]]", "f(o, key) := [x | key__1 := key; x := o[key__1]]"),
        ("f(o, key) := [o[key] | true]", "f(o, key) := [o__2[key__1] | key__1 := key; o__2 := o; true]"),
        ("f(o, key) := [x | x := o[key.name]]", ""),
        ("f(o, key) := [x | some key in [1]; x := o[key]]", ""),
        ("f(o) := [v | v := o[k]; k != 1]", ""),
        ("a := [v | v := input.o[b]]\n\nb := 1", ""),
        ('a := {x | x := "o[key] | b"} # [key | key]', ""),
        ("f(key) if {\n\tall := key | {1}\n\tall[key]\n}", ""),
    ],
)
def test_a_comprehension_gets_the_names_around_it(text: str, written: str) -> None:
    assert closed(text) == (written or text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a := [v | some k, v in xs]", "a := [v | pairs__1 := xs; some k; v := pairs__1[k]]"),
        ("a := [v |\n\tsome k, v in xs # all\n]", "a := [v |\n\tpairs__1 := xs; some k; v := pairs__1[k] # all\n]"),
        ("a := [v | some _, v in xs]", "a := [v | some v in xs]"),
        ("a := {k: v | some k, v in xs}", ""),
        ("a if { some k, v in xs }", ""),
    ],
)
def test_a_pair_of_a_list_is_written_out(text: str, written: str) -> None:
    assert unpaired(text) == (written or text)
