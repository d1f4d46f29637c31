"""YAML read with places: what every node says of itself, and what is refused with a line."""

from __future__ import annotations

import pytest

from lockgate.errors import LockgateError
from lockgate.model import Location
from lockgate.trace.source import MAX_DEPTH, Node, Place, data, embedded_place, parse, parse_embedded, same

HERE = Place("f.yaml")


def one(text: str) -> Node:
    (node,) = parse(text, HERE)
    return node


def at(node: Node | None) -> tuple[int, int]:
    assert node is not None
    return node.location.line, node.location.column


def test_a_scalar_is_at_its_value() -> None:
    assert one("a:\n  b: 17\n").get("a", "b").location == Location("f.yaml", 2, 6)  # type: ignore[union-attr]


def test_a_mapping_is_at_its_key() -> None:
    assert at(one("a: 1\nb:\n  c: 1\n").get("b")) == (2, 1)


def test_an_item_is_at_its_first_key() -> None:
    assert at(one("a:\n  - b: 1\n    c: 2\n").items("a")[0]) == (2, 5)


def test_a_value_below_its_key_is_at_the_value() -> None:
    assert at(one("a:\n  long\n").get("a")) == (2, 3)


def test_columns_count_characters() -> None:
    assert at(one('"ü": {x: "é", y: 1}\n').get("ü", "y")) == (1, 18)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("~", None),
        ("", None),
        ("1_000", 1000),
        ("0o17", 15),
        ("017", 15),
        ("08", 8.0),
        ("0x1F", 31),
        ("-3", -3),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.2.3", "1.2.3"),
        ("2026-12-08", "2026-12-08"),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ('!!int "1"', 1),
        ("1:2", "1:2"),
    ],
)
def test_a_plain_scalar_means_what_kustomize_reads(text: str, value: object) -> None:
    assert data(one(f"a: {text}\n")) == {"a": value}


def test_documents_are_apart_and_empty_ones_left_out() -> None:
    nodes = parse("# none\n---\na: 1\n---\n---\nb: 2\n", HERE)
    assert [(data(node), node.line) for node in nodes] == [({"a": 1}, 3), ({"b": 2}, 6)]


def test_an_alias_stands_for_the_anchored_value_under_its_own_key() -> None:
    node = one("a: &x\n  b: 1\nc: *x\n")
    assert data(node) == {"a": {"b": 1}, "c": {"b": 1}}
    assert at(node.get("c")) == (3, 1)
    assert at(node.get("c", "b")) == (2, 6)


def test_merged_keys_yield_to_own_keys() -> None:
    assert data(one("x: &x {a: 1, b: 1}\ny: {b: 2, <<: *x}\n"))["y"] == {"a": 1, "b": 2}


def test_an_anchor_cannot_contain_itself() -> None:
    with pytest.raises(LockgateError, match=r"f\.yaml:1: alias 'x' stands for nothing"):
        one("a: &x [*x]\n")


def test_the_text_of_a_block_has_places_of_its_own() -> None:
    text = "data:\n  serve.yaml: |\n\n    one: 1\n    two:\n      - 2\n"
    node = one(text).get("data", "serve.yaml")
    assert node is not None
    (inner,) = parse_embedded(node, text.split("\n"))
    assert at(inner.get("one")) == (4, 10)
    assert at(inner.items("two")[0]) == (6, 9)


def test_the_text_of_a_quoted_string_is_at_the_string() -> None:
    text = 'patch: "a:\\n  b: 1"\n'
    node = one(text).get("patch")
    assert node is not None
    (inner,) = parse_embedded(node, text.split("\n"))
    assert at(inner.get("a", "b")) == (1, 8)


def test_a_block_with_an_indentation_indicator() -> None:
    text = "a: |2\n    x: 1\n"
    node = one(text).get("a")
    assert node is not None
    assert embedded_place(node, text.split("\n")) == Place("f.yaml", 2, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\n\tb: 2\n", "f.yaml:2: no valid YAML"),
        ("a: [1\n", "f.yaml:2: no valid YAML"),
        ("a: 1\na: 2\n", "f.yaml:2: key 'a' is there already, at line 1"),
        ("a: *none\n", "f.yaml:1: alias 'none' stands for nothing"),
        ("a: \x01\n", "f.yaml:1: no valid YAML"),
    ],
)
def test_what_is_no_yaml_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(LockgateError) as caught:
        one(text)
    assert caught.value.message.startswith(message)
    assert caught.value.hint


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(LockgateError, match="nested more than"):
        one("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


def test_a_bomb_of_aliases_is_refused() -> None:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]" for number in range(1, 9)]
    with pytest.raises(LockgateError, match="aliases stand for more than"):
        one("\n".join(lines))


def test_same_looks_at_values_only() -> None:
    assert same(one("a: [1, {b: c}]\n"), one("\n# x\na:\n- 1\n- b: 'c'\n"))
    assert not same(one("a: 1\n"), one("a: '1'\n"))
    assert not same(one("a: true\n"), one("a: 1\n"))
    assert not same(one("a: [1]\n"), None)


@pytest.mark.slow
def test_ten_megabytes_are_read() -> None:
    text = "items:\n" + "".join(
        f"- name: n{number}\n  value: some text of a usual length\n" for number in range(200_000)
    )
    assert len(one(text).items("items")) == 200_000
