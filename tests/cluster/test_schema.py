"""API001 says of damaged objects what the API server says: no claim that it does not share, no refusal missed.

Given one object of each kind that services use; when a field is removed, added or overwritten with a value
of another type, and the result is created by a dry run with strict fields; then the server refuses whatever
the schema check finds fault with, and the schema check finds what the server cannot decode.
"""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cluster.kube import ApiError

from lockgate import yamltext
from lockgate.context import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cluster.kube import Kube, Object

FILE = Path(__file__).with_name("objects.yaml")
VERSION = "1.36"
DAMAGES = 40
VALUES: tuple[Any, ...] = ("x", 1, -1, 2**40, 1.5, True, None, {}, [], {"a": "b"}, ["a"], "1", "16 GB", "100m")
UNDECODABLE = (
    "strict decoding error",
    "cannot unmarshal",
    "cannot be handled as",
    "unrecognized type",
    "quantities must match",
)
# Without these there is no path to send the object to.
HEAD = {("apiVersion",), ("kind",), ("metadata",), ("metadata", "name"), ("metadata", "namespace")}
OBJECTS = yamltext.load_all(FILE.read_text(encoding="utf-8"), FILE.name)


def refusal(kube: Kube, obj: Object) -> str:
    """Why the server refuses an object; empty when it takes it."""
    try:
        kube.create(obj, dry_run=True)
    except ApiError as error:
        return "" if error.status == 409 else str(error)
    return ""


def spots(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in an object."""
    yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in entries:
        yield from spots(item, (*path, key))


def damaged(obj: Object, chance: random.Random) -> Object:
    """An object with one fault, or with a value that happens to fit."""
    made = copy.deepcopy(obj)
    fields = [path for path in spots(made) if path and not {path[:1], path[:2]} & HEAD]
    *above, last = chance.choice(fields)
    inside: Any = made
    for step in above:
        inside = inside[step]
    action = chance.choice(("remove", "add", "write"))
    if action == "remove":
        del inside[last]
    elif action == "add" and isinstance(inside[last], dict):
        inside[last]["unknownField"] = chance.choice(VALUES)
    else:
        inside[last] = chance.choice(VALUES)
    return made


def test_the_objects_are_right(kube: Kube) -> None:
    assert [refusal(kube, obj) for obj in OBJECTS] == [""] * len(OBJECTS)
    assert schema.facts(FILE.parent, VERSION, (), OBJECTS)["faults"] == []


@pytest.mark.parametrize("obj", OBJECTS, ids=lambda obj: obj["kind"])
def test_the_schema_check_and_the_server_agree(obj: Object, kube: Kube) -> None:
    chance = random.Random(obj["kind"])  # noqa: S311  # the same damages in every run
    for _ in range(DAMAGES):
        made = damaged(obj, chance)
        faults = schema.facts(FILE.parent, VERSION, (), [made])["faults"]
        why = refusal(kube, made)
        assert not faults or why, f"the server takes {made}, the schema check finds {faults}"
        assert faults or not any(text in why for text in UNDECODABLE), f"{why}: {made}"
