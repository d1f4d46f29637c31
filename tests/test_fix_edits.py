"""Edits of YAML texts at every place of every generated file: the value is there, and every other byte too."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
import yaml

from lockgate import yamltext
from lockgate.fix.edits import Refused, edited
from lockgate.model import Fix
from lockgate.trace import Written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Json: TypeAlias = Any
Steps: TypeAlias = tuple[str | int, ...]


def places(text: str) -> Iterator[tuple[int, Steps, yaml.Node]]:
    """Document, path and node of every value of a text."""
    for number, root in enumerate(yaml.compose_all(text, yaml.SafeLoader)):
        yield from _below(number, (), root)


def _below(number: int, path: Steps, node: yaml.Node) -> Iterator[tuple[int, Steps, yaml.Node]]:
    yield number, path, node
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _below(number, (*path, key.value), value)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _below(number, (*path, index), item)


def keys(text: str) -> Iterator[tuple[int, Steps, yaml.Node]]:
    """Path, with the document's number first, of every value, with the key or else the value itself."""
    for number, path, node in places(text):
        if isinstance(node, yaml.MappingNode):
            yield from ((number, (number, *path, key.value), key) for key, _ in node.value)
        elif isinstance(node, yaml.SequenceNode):
            yield from ((number, (number, *path, index), item) for index, item in enumerate(node.value))


def spot(node: yaml.Node, rest: Steps = ()) -> Written:
    kinds: dict[type, str] = {yaml.MappingNode: "mapping", yaml.SequenceNode: "list"}
    raw = node.value if isinstance(node, yaml.ScalarNode) else ""
    mark = node.start_mark
    return Written("x.yaml", mark.line + 1, mark.column + 1, kinds.get(type(node), "scalar"), raw, rest)


def holder(documents: list[Json], number: int, path: Steps) -> Json:
    found: Json = documents[number]
    for step in path:
        found = found[step]
    return found


def is_subsequence(lines: list[str], of: list[str]) -> bool:
    rest = iter(of)
    return all(line in rest for line in lines)


def files(root: Path) -> list[Path]:
    return [path for path in sorted(root.rglob("*.yaml")) if not path.is_relative_to(root / "policies")]


def test_every_scalar_can_be_set(pristine: Path) -> None:
    tried = 0
    for file in files(pristine):
        text = file.read_text()
        for number, path, node in places(text):
            if not isinstance(node, yaml.ScalarNode) or node.style in {"|", ">"} or not path:
                continue
            if node.start_mark.line != node.end_mark.line:
                continue
            new = edited(text, [(spot(node), Fix("set", path, "new: #value"))])
            wanted = yamltext.load_all(text, file.name)
            holder(wanted, number, path[:-1])[path[-1]] = "new: #value"
            assert yamltext.load_all(new, file.name) == wanted, (file.name, path)
            old, made = text.split("\n"), new.split("\n")
            differing = [index for index, (one, other) in enumerate(zip(old, made, strict=True)) if one != other]
            assert differing == [node.start_mark.line]
            tried += 1
    assert tried > 300


def test_every_mapping_takes_a_field_and_every_list_an_item(pristine: Path) -> None:
    tried = 0
    value = {"key": "a/b", "values": [1, "2"], "deep": {"on": True}}
    for file in files(pristine):
        text = file.read_text()
        for number, path, node in places(text):
            if not isinstance(node, yaml.CollectionNode):
                continue
            wanted = yamltext.load_all(text, file.name)
            if isinstance(node, yaml.MappingNode):
                new = edited(text, [(spot(node, ("added", "one")), Fix("set", (), value))])
                holder(wanted, number, path)["added"] = {"one": value}
            else:
                new = edited(text, [(spot(node), Fix("append", path, value))])
                holder(wanted, number, path).append(value)
            assert yamltext.load_all(new, file.name) == wanted, (file.name, path)
            if not node.flow_style:
                assert is_subsequence(text.split("\n"), new.split("\n")), (file.name, path)
            tried += 1
    assert tried > 200


def test_everything_can_be_removed_or_says_why_not(pristine: Path) -> None:
    tried = refused = 0
    for file in files(pristine):
        text = file.read_text()
        for number, path, node in places(text):
            anchored = text[node.start_mark.index : node.end_mark.index]
            if not path or re.search(r"&\w", anchored):  # without the anchor its aliases mean nothing
                continue
            wanted = yamltext.load_all(text, file.name)
            del holder(wanted, number, path[:-1])[path[-1]]
            try:
                new = edited(text, [(spot(node), Fix("remove", path))])
            except Refused:
                refused += 1
                continue
            assert yamltext.load_all(new, file.name) == wanted, (file.name, path)
            # Comments stay, unless they stand inside of what goes: from its key to its end.
            starts = [one.start_mark.line for _, found, one in keys(text) if found == (number, *path)]
            outside = [
                line
                for index, line in enumerate(text.split("\n"))
                if line.lstrip().startswith("#") and not starts[0] < index < node.end_mark.line
            ]
            assert is_subsequence(outside, new.split("\n")), (file.name, path)
            tried += 1
    assert tried > 500
    assert refused < tried / 8


def test_texts_in_literal_blocks_are_edited_like_files() -> None:
    inner = "a:\n  b: 1 # one\n\n  c:\n    - x\n    # end\nd: [1]\n"
    outer = "before: 1\ntext: |\n" + "".join(f"    {line}\n" if line else "\n" for line in inner.splitlines())
    outer += "after: 2\n"
    for _, path, node in places(inner):
        if not path:
            continue
        moved = spot(node)._replace(line=node.start_mark.line + 3, column=node.start_mark.column + 5)
        for fix in (Fix("set", path, 5), Fix("remove", path), Fix("append", path, 5)):
            try:
                wanted = edited(inner, [(spot(node), fix)])
                new = yaml.safe_load(edited(outer, [(moved, fix)]))
            except Refused:
                continue
            assert new == {"before": 1, "text": wanted, "after": 2}, (path, fix)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("abc", "abc"),
        ("96Gi", "96Gi"),
        ("/health", "/health"),
        ("a:b", "a:b"),
        ("yes", '"yes"'),
        ("true", '"true"'),
        ("1", '"1"'),
        ("0x1f", '"0x1f"'),
        ("1:30", '"1:30"'),
        ("2026-11-28", '"2026-11-28"'),
        ("1e3", '"1e3"'),
        ("", '""'),
        ("a: b", '"a: b"'),
        ("- a", '"- a"'),
        ("a #b", '"a #b"'),
        ("é\n", '"\\u00e9\\n"'),
        (True, "true"),
        (600, "600"),
        (None, "null"),
    ],
)
def test_a_scalar_is_plain_where_every_reader_agrees(value: Json, text: str) -> None:
    [(_, path, node)] = [one for one in places("a: b\n") if one[1]]
    new = edited("a: b\n", [(spot(node), Fix("set", path, value))])
    assert new == f"a: {text}\n"
    assert yaml.safe_load(new) == {"a": value}
    assert yamltext.load(new, "x") == {"a": value}


@pytest.mark.parametrize(
    ("text", "path", "fix", "wanted"),
    [
        ("a:\n  - x\n", ("a", 0), Fix("remove", ()), "a: []\n"),
        ("a:  # all\n  b: 1  # one\nc: 2\n", ("a", "b"), Fix("remove", ()), "a: {}  # all\nc: 2\n"),
        ("a:\n- b: 1\n  c: 2\n- d: 3\n", ("a", 0, "b"), Fix("remove", ()), "a:\n- c: 2\n- d: 3\n"),
        ("a: [x, y]\n", ("a", 0), Fix("remove", ()), "a: [y]\n"),
        ("a: [x, y]\n", ("a", 1), Fix("remove", ()), "a: [x]\n"),
        ("a: [x]\n", ("a", 0), Fix("remove", ()), "a: []\n"),
        ("a: {b: 1}", ("a", "b"), Fix("remove", ()), "a: {}"),
        ("a: 1\nb: 2", ("b",), Fix("remove", ()), "a: 1"),
        ("a: 1\nb: 2\n", ("a",), Fix("remove", ()), "b: 2\n"),
        ("a: |\n  text\n\n# end\n", (), Fix("set", (), 1), "a: |\n  text\nnew: 1\n\n# end\n"),
        ("a: []\n", ("a",), Fix("append", (), {"x": 1}), "a: [{x: 1}]\n"),
        ("a: ['x']\n", ("a",), Fix("append", (), "y"), "a: ['x', 'y']\n"),
        ("a:\n", ("a",), Fix("set", (), 1), "a: 1\n"),
    ],
)
def test_the_corners(text: str, path: Steps, fix: Fix, wanted: str) -> None:
    node = next(node for _, found, node in places(text) if found == path)
    rest = ("new",) if fix.op == "set" and not path else ()
    assert edited(text, [(spot(node, rest), fix)]) == wanted


@pytest.mark.parametrize(
    ("text", "path", "fix", "reason"),
    [
        ("a: &x 1\n", ("a",), Fix("set", (), 2), "the value is not a plain one"),
        ("a: |\n  b\n", ("a",), Fix("set", (), 2), "the value is not a plain one"),
        ("a: 1\n", ("a",), Fix("append", (), 2), "there is no list at that place"),
        ("- a: 1\n- 2\n", (0, "a"), Fix("remove", ()), "nothing would be left of the list item"),
        ("- a: 1 # one\n  b: 2\n", (0, "a"), Fix("remove", ()), "it shares its line with the dash of a list"),
        ("a: 1\u2028\n", ("a",), Fix("set", (), 2), "the file has line breaks"),
    ],
)
def test_what_cannot_be_done_says_why(text: str, path: Steps, fix: Fix, reason: str) -> None:
    node = next(node for _, found, node in places(text.replace("\u2028", "")) if found == path)
    with pytest.raises(Refused, match=re.escape(reason)):
        edited(text, [(spot(node), fix)])


def test_a_field_goes_into_parents_that_are_there_only() -> None:
    text = "a: 1\nb: [1]\n"
    for _, path, node in places(text):
        if path:
            with pytest.raises(Refused, match="is not there"):
                edited(text, [(spot(node, ("c",)), Fix("set", (), 1))])
    root = next(node for _, path, node in places(text) if not path)
    with pytest.raises(Refused, match="is not there"):
        edited(text, [(spot(root, ("c", 0)), Fix("set", (), 1))])
