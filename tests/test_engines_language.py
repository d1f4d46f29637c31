"""The embedded engine against OPA, expression by expression: builtins, operators and the language itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import small_policies

from lockgate import engines, rules
from lockgate.engines.builtins import TABLE
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "package lockgate.facts\n\nimport rego.v1\n\n"
VALUES = {
    "zero": 0,
    "three": 3,
    "half": 2.5,
    "minus": -7,
    "yes": True,
    "no": False,
    "nothing": None,
    "word": "a.b-C é",
    "empty": "",
    "digits": "12",
    "list": [3, 1, "b", "a", None, True, [2], {"k": 1}],
    "numbers": [4, 1.5, -2, 4],
    "words": ["b", "a", "b"],
    "object": {"b": 1, "a": {"x": [1, {"y": 2}]}, "c": None},
    "yaml": "a: 1\nb: [x, 1.5, true, yes, ~, 0x10, 1e3, 2026-01-01]\n",
}

EXPRESSIONS = """
i.three + i.half ; i.three - 5 ; i.three * i.half ; 6 / 4 ; 6 / 3 ; 1 / 0 ; 7 % 3 ; i.minus % 3 ; i.half % 2
i.yes + 1 ; abs(i.minus) ; ceil(i.half) ; floor(i.half) ; round(i.half) ; round(-2.5) ; round(2.4)
floor(i.minus) ; abs(i.word) ; to_number("12") ; to_number("1.50") ; to_number("-3e2") ; to_number(" 2")
to_number("") ; to_number("x") ; to_number(null) ; to_number(true) ; to_number(i.digits) ; to_number(i.list)
format_int(255, 16) ; format_int(5, 2) ; numbers.range(2, 5) ; numbers.range(5, 2) ; numbers.range(0, -1)
numbers.range(1, 1.5) ; count(i.list) ; count(i.word) ; count(i.object) ; count({1, 1, 2}) ; count(i.three)
sum(i.numbers) ; sum([]) ; sum(i.words) ; product([2, 3.5]) ; max(i.numbers) ; min(i.numbers) ; max([])
max(i.words) ; min({3, 2}) ; sort(i.numbers) ; sort(i.list) ; sort({3, 1, 2}) ; sort(i.word)
sort([[2, 1], [2], [1, 9]]) ; sort([{"b": 1}, {"a": 2}, {"a": 1}]) ; 1 < 2 ; "a" < "b" ; 1 < "a" ; null < false
[1] < [1, 0] ; {"a": 1} < {"b": 0} ; 2 >= 2.0 ; "b" > "a" ; true > false ; i.three == 3.0 ; i.yes == 1
i.no == 0 ; [1, true] == [1, 1] ; {"a": 1} == {"a": 1.0} ; {1, 2} == {2, 1} ; null == false ; 1 != true
"1" != 1 ; {"a": [1]} != {"a": [true]} ; array.concat([1], [2, "x"]) ; array.concat([1], i.word)
array.slice(i.list, 1, 3) ; array.slice(i.list, -4, 99) ; array.slice(i.list, 3, 1) ; array.reverse(i.words)
i.list[0] ; i.list[99] ; i.list[1.0] ; i.object.a.x[1].y ; i.word.x ; object.get(i.object, "b", 9)
object.get(i.object, "z", 9) ; object.get(i.object, ["a", "x", 1, "y"], 9)
object.get(i.object, ["a", "q", 1], 9) ; object.get(i.list, 0, 9) ; object.get(i.object, [], 9)
object.keys(i.object) ; object.union(i.object, {"a": {"z": 1}, "d": 4})
object.union_n([{"a": 1}, {"a": {"b": 2}}, {"a": {"c": 3}}]) ; object.remove(i.object, ["a", "q"])
object.remove(i.object, {"b"}) ; object.filter(i.object, ["a"]) ; object.remove(i.object, {"b": 1})
object.subset(i.object, {"a": {"x": [1, {"y": 2}]}}) ; object.subset({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}})
object.subset({1, 2}, {1}) ; object.subset([1, 2, 3], [2, 3]) ; object.subset([1, 2, 3], [1, 3])
object.subset([1, 2], {2}) ; "a" in i.words ; "z" in i.words ; 1 in {"k": 1} ; "k" in i.object
"k", 1 in {"k": 1} ; 0, "b" in i.words ; 1 in 3 ; {1, 2} | {2, 3} ; {1, 2} & {2, 3} ; {1, 2} - {2, 3}
union({{1}, {2}}) ; intersection({{1, 2}, {2, 3}}) ; {1} | i.three ; is_array(i.list) ; is_array(1)
is_boolean(i.no) ; is_null(null) ; is_number(1.5) ; is_number(true) ; is_object({}) ; is_set({1}) ; is_set([])
is_string("") ; is_string(1) ; type_name(null) ; type_name(true) ; type_name(1) ; type_name("") ; type_name([])
type_name({}) ; type_name({1}) ; is_array(i.absent) ; is_object({1}) ; concat("-", i.words)
concat("", {"b", "a"}) ; concat("-", i.numbers) ; concat("-", []) ; contains("abc", "b") ; contains("abc", "")
contains("abc", i.three) ; startswith("abc", "ab") ; endswith("abc", "bc") ; indexof("abcb", "b")
indexof("abc", "z") ; indexof("é✓", "✓") ; indexof("a", "") ; lower("ÀB") ; upper("àb")
replace("aXbX", "X", "-") ; replace("ab", "", "-") ; split("a,b,,c", ",") ; split("abc", "") ; split("", ",")
substring("héllo", 1, 3) ; substring("abc", 1, -1) ; substring("abc", 9, 1) ; substring("abc", -1, 1)
substring("abc", 1, 99) ; trim("xxaxx", "x") ; trim_left("xxax", "x") ; trim_right("axx", "x")
trim_prefix("abc", "ab") ; trim_suffix("abc", "bc") ; trim_space(" a\\n\\t") ; strings.reverse("héy")
strings.count("banana", "an") ; strings.any_prefix_match("abc", ["x", "a"])
strings.any_prefix_match(["q", "abc"], "ab") ; strings.any_suffix_match("abc", {"bc"})
strings.any_prefix_match(["q"], []) ; strings.replace_n({"a": "1", "ab": "2", "b": "a"}, "abba")
strings.replace_n({}, "x") ; sprintf("%v %v %v %v", ["x", 1, 2.5, true]) ; sprintf("%s|%d|%t", ["x", 3, false])
sprintf("%v", [[1, "a", null]]) ; sprintf("%v", [{"b": 1, "a": "x"}]) ; sprintf("%v", [{1, "a"}])
sprintf("%5d|%-5s|%05d", [42, "ab", 7]) ; sprintf("100%%", []) ; sprintf("%v %v", ["x"])
sprintf("%v", ["x", 1]) ; sprintf("%d", ["x"]) ; sprintf("%s", [1]) ; sprintf("%.2f", [1.005])
sprintf("%x", [255]) ; sprintf("%v", [null]) ; sprintf("%q", ["a"]) ; sprintf("%v", [1e3])
sprintf("%v", ["a\\"b\\n"]) ; sprintf("x", []) ; regex.match("^a+$", "aaa") ; regex.match("a$", "a\\n")
regex.match("[[:alpha:]]+[[:digit:]]", "ab1") ; regex.match("(", "a") ; regex.match("(?=a)", "a")
regex.match("(a)\\\\1", "aa") ; regex.match(`\\d+\\.?\\d*`, "1.5") ; regex.match(`(?i)HELLO`, "hello")
regex.match(`\\s`, "\\u00a0") ; regex.match(`\\w`, "é") ; regex.match(`\\bfoo\\b`, "a foo b")
regex.match(`^[^\\]]+\\z`, "abc") ; regex.is_valid("[") ; regex.is_valid("a{2}")
regex.find_n("a.", "abacad", 2) ; regex.find_n("a*", "baac", -1) ; regex.find_n("x", "abc", -1)
regex.find_n("a", "aaa", 0) ; regex.find_all_string_submatch_n("(a)(b)?", "abac", -1)
regex.find_all_string_submatch_n("(x*)", "axb", -1) ; regex.replace("a1b22", "[0-9]+", "#")
regex.replace("john smith", "(\\\\w+) (\\\\w+)", "$2, ${1}") ; regex.replace("abc", "", "-")
regex.replace("abc", "x*", "-") ; regex.split(",\\\\s*", "a, b,c") ; regex.split("x", "")
regex.split("", "abc") ; regex.split("z", "abc") ; json.marshal({"b": [1, 2.5, null], "a": "é"})
json.unmarshal("{\\"a\\": [1, 2]}") ; json.unmarshal("{") ; json.is_valid("[1]") ; json.is_valid("x")
yaml.unmarshal(i.yaml) ; yaml.unmarshal("a: {b") ; yaml.unmarshal("1: x\\ntrue: y") ; yaml.is_valid("a: 1")
yaml.is_valid("a: {b") ; yaml.unmarshal("") ; yaml.unmarshal("# c\\na: 1 # d\\n") ; base64.encode("héy")
base64.decode("aMOpeQ==") ; base64.decode("*") ; base64.is_valid("aMOpeQ==") ; base64url.decode("aGk")
hex.encode("hi") ; hex.decode("6869") ; crypto.sha256("a") ; crypto.md5("a") ; crypto.sha1("a")
units.parse_bytes("10Gi") ; units.parse_bytes("1.5MB") ; units.parse_bytes("x") ; units.parse_bytes("5")
units.parse_bytes("2KiB")
"""

RULES = """
default a := 0
a := 1 if input.i.absent
b := x if { some x in [1, 2, 3]; x > 2 }
c contains x if { some x in input.i.words }
c contains "z" if not input.i.absent
d[k] := v if { some k, v in input.i.object; k != "c" }
e := [x | some x in input.i.words]
f := {x: n | some x in input.i.words; n := count([y | some y in input.i.words; y == x])}
g := {pair | some at; word := input.i.words[at]; pair := [word, at]}
h if { not helper(3) }
helper(x) if x > 3
j := helper(4)
k := "one" if { input.i.three == 1 } else := "three" if { input.i.three == 3 } else := "none"
l := [k | {"b": 1, "a": 2, "c": 3}[k]]
m := {spot | some x in [1, 2]; spot := {"a": {"b": [1, {"c": x}]}}}
n := x if { x := input.i.object.a.x[_]; x != 1 }
o := {k: v | some k, v in {"x": 1}} == {"x": 1}
p := [v | some v in {3, 1, 2}]
q := {1: "a", true: "b", "s": "c", null: "d", [1, 2]: "e", 2.5: "f"}
r := [[k, v] | v := q[k]]
s := {true, 1, "1", null, [1], {"a": 1}}
t := count(s)
u := true in s
v := 1 in input.i.list
w := input.i.list[i] if { some i; input.i.list[i] == "a" }
x := {"a": 1, "b": 2}[y] if { y := "b" }
y := walked if { walked := [n | some n in numbers.range(1, 3); not n == 2] }
z := [f | some f in [false, null, true, 0]; f]
aa if { input.i.no }
ab if { not input.i.no }
ac if { not input.i.absent.deeper }
ad if { x := input.i.nothing; x == null }
ae := concat(",", [s | some n in [1, 2]; s := sprintf("%v", [n])])
af := first([1, 2])
first(xs) := xs[0]
first(xs) := "none" if count(xs) == 0
ag := first([])
ah := default_of(7)
default default_of(_) := "d"
default_of(x) := "big" if x > 10
ai := default_of(11)
aj[x] := true if { some x in ["p", "q"] }
ak := [x | some x in [[1, 2], [3]]; x[1]]
"""


def compared(folder: Path, text: str) -> list[dict[str, object]]:
    """The facts of one document in the embedded engine and in OPA."""
    ruleset = rules.load(small_policies.write(folder, {"facts.rego": text}))
    document = {"environment": "prod", "objects": [], "i": VALUES}
    facts = []
    for engine in ("embedded", "opa"):
        with engines.session(engine, ruleset, {}) as evaluate:
            facts.append(dict(evaluate([document])[0].facts))
    return facts


def test_expressions_have_the_values_that_opa_gives(tmp_path: Path) -> None:
    parts = [part.strip() for line in EXPRESSIONS.strip().splitlines() for part in line.split(" ; ")]
    named = {f"e{number:03}": text for number, text in enumerate(parts)}
    bodies = "\n\n".join(
        f"{name} := {{value}} if {{\n\ti := input.i\n\tvalue := {text}\n}}" for name, text in named.items()
    )
    own, theirs = compared(tmp_path, HEAD + bodies + "\n")
    assert len(theirs) > 150
    different = {
        text: (own.get(name, "undefined"), theirs.get(name, "undefined"))
        for name, text in named.items()
        if json.dumps(own.get(name), sort_keys=True) != json.dumps(theirs.get(name), sort_keys=True)
    }
    assert different == {}


def test_every_builtin_is_compared() -> None:
    operators = {"plus", "minus", "mul", "div", "rem", "equal", "neq", "gt", "gte", "lt", "lte", "and", "or"}
    named = {name for name in TABLE if not name.startswith("internal.")} - operators
    assert {name for name in named if f"{name}(" not in EXPRESSIONS} == set()


def test_rules_of_every_form_decide_as_in_opa(tmp_path: Path) -> None:
    own, theirs = compared(tmp_path, HEAD + RULES.strip().replace("\n", "\n\n") + "\n")
    assert own == theirs
    assert len(theirs) > 30


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x := time.now_ns()\n", "no builtin 'time.now_ns'"),
        ("x := 1 if { input.a == 2 with input.a as 3 }\n", "`with` is not to be had"),
    ],
)
def test_what_the_engine_lacks_is_said_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    ruleset = rules.load(small_policies.write(tmp_path, {"facts.rego": HEAD + text}))
    with (
        pytest.raises(LockgateError, match=r"^facts\.rego:5: ") as caught,
        engines.session("embedded", ruleset, {}),
    ):
        pass
    assert problem in caught.value.message
