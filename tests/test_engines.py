"""Three engines, one decision; and what each says when it cannot decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import opa_server
import pytest
import requests
import small_policies

from lockgate import engines, resources, rules
from lockgate.engines import compiler, source
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lockgate.rules import RuleSet

POLICIES = resources.template_root() / resources.PROJECT / "policies"
SETTINGS: dict[str, Any] = {"version": 1, "environments": {"prod": {"level": "prod"}}}


def deployment(name: str, replicas: int = 1, image: str = "a") -> dict[str, Any]:
    container = {"name": 'c"1\n', "image": image}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [container]}}},
    }


DOCUMENTS: list[dict[str, Any]] = [
    {"environment": "prod", "objects": [deployment("a"), deployment("b", 5), deployment("c", 6)]},
    {"environment": "dev", "objects": []},
    {"repository": {"exemptions": [{"index": 0, "used": False, "days_left": None}], "environments": {}}},
]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of an OPA server of this module's own: its tests ask what it holds."""
    with opa_server.running() as url:
        yield url


@pytest.fixture
def ruleset(tmp_path: Path) -> RuleSet:
    return rules.load(small_policies.write(tmp_path))


def run(engine: str, ruleset: RuleSet, documents: list[dict[str, Any]] | None = None) -> list[engines.Outcome]:
    with engines.session(engine, ruleset, SETTINGS) as evaluate:
        return evaluate(documents if documents is not None else DOCUMENTS)


def held_by(server: str) -> tuple[Any, Any]:
    """Policies and data that the server holds."""
    return requests.get(f"{server}/v1/policies", timeout=9).json(), requests.get(f"{server}/v1/data", timeout=9).json()


def test_three_engines_decide_alike(ruleset: RuleSet, server: str) -> None:
    found = run("embedded", ruleset)
    assert run("opa", ruleset) == found
    assert run(server, ruleset) == found
    [prod, dev, repository] = found
    assert [r["object"]["name"] for r in prod.results["lockgate.gpu"]] == ["b", "c", "a", "b", "c"]
    assert prod.results["lockgate.gpu"][2]["msg"] == "container 'c\"1\n' wants a memory limit, found none"
    assert prod.facts == {"replicas": 12}
    assert dev.results == {"lockgate.exemptions": [], "lockgate.gpu": []}
    assert [r["path"] for r in repository.results["lockgate.exemptions"]] == [["exemptions", 0]]


def test_a_second_question_reuses_the_session(ruleset: RuleSet, server: str) -> None:
    for engine in ("embedded", "opa", server):
        with engines.session(engine, ruleset, SETTINGS) as evaluate:
            first = evaluate(DOCUMENTS)
            assert [evaluate([document])[0] for document in DOCUMENTS] == first
            assert evaluate([]) == []


def test_the_server_is_left_as_it_was(ruleset: RuleSet, server: str) -> None:
    other = "package lockgate.gpu\n\nimport rego.v1\n\ndeny contains 1\n"
    requests.put(f"{server}/v1/policies/theirs", data=other, timeout=9).raise_for_status()
    requests.put(f"{server}/v1/data/environments", json={"x": 1}, timeout=9).raise_for_status()
    before = held_by(server)
    assert run(server, ruleset) == run("opa", ruleset)
    assert held_by(server) == before
    broken = rules.load(small_policies.write(ruleset.folder, {"facts.rego": "package lockgate.facts\n\nx := {\n"}))
    with pytest.raises(LockgateError):
        run(server, broken)
    assert held_by(server) == before
    requests.delete(f"{server}/v1/policies/theirs", timeout=9).raise_for_status()


SHADOW = """package lockgate.facts

import rego.v1

limit := 4

doubled(limit) := limit * 2

replicas := doubled(limit) + sum([limit | some limit in [1, 3]])
"""


def sent_to(server: str, ruleset: RuleSet) -> list[str]:
    """Names of the modules that a session sends."""
    with engines.session(server, ruleset, SETTINGS):
        held, _ = held_by(server)
        return sorted(module["id"].partition("/")[2] for module in held["result"])


def test_the_server_gets_one_module(ruleset: RuleSet, server: str) -> None:
    assert sent_to(server, ruleset) == ["rules.rego"]
    assert source.joined(rules.load(POLICIES).modules, "p") is not None


def test_the_server_gets_each_module_where_a_variable_is_called_as_a_rule(tmp_path: Path, server: str) -> None:
    ruleset = rules.load(small_policies.write(tmp_path, {"facts.rego": SHADOW}))
    assert "facts.rego" in sent_to(server, ruleset)
    found = run(server, ruleset)
    assert found[0].facts["replicas"] == 12
    assert found == run("opa", ruleset)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("LOCKGATE_CACHE", str(folder))
    return folder


def test_only_an_edited_rule_is_compiled_again(
    tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies = small_policies.write(tmp_path / "policies")
    found = run("embedded", rules.load(policies))
    [code] = empty_cache.glob("*.code")
    with monkeypatch.context() as patch:
        patch.setattr(compiler, "python_code", None)
        assert run("embedded", rules.load(policies)) == found
        changed = rules.load(small_policies.write(policies, {"data/limits.json": '{"limits": {"replicas": 5}}'}))
        assert len(run("embedded", changed)[0].results["lockgate.gpu"]) == 4
        with engines.session("embedded", changed, {**SETTINGS, "owner": "x"}) as evaluate:
            evaluate(DOCUMENTS)
    text = "package lockgate.facts\n\nimport rego.v1\n\nreplicas := 3\n"
    edited = rules.load(small_policies.write(policies, {"facts.rego": text}))
    assert run("embedded", edited)[0].facts == {"replicas": 3}
    assert len(list(empty_cache.glob("*.code"))) == 2
    assert code.is_file()


def test_damaged_code_is_compiled_again(ruleset: RuleSet, empty_cache: Path) -> None:
    found = run("embedded", ruleset)
    [code] = empty_cache.glob("*.code")
    content = code.read_bytes()
    for damaged in (b"", content[:200]):
        code.write_bytes(damaged)
        assert run("embedded", ruleset) == found
        assert code.read_bytes() == content


def test_nothing_is_cached_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_CACHE", str(small_policies.write(tmp_path) / "gpu.rego"))
    assert run("embedded", rules.load(tmp_path)) == run("opa", rules.load(tmp_path))


BROKEN = {
    "unclosed": ('package lockgate.facts\n\nimport rego.v1\n\nreplicas := {"a": 1\n', "facts.rego:"),
    "string": ('package lockgate.facts\n\nimport rego.v1\n\nreplicas := "a\n', "facts.rego:5: "),
    "function": (
        "package lockgate.facts\n\nimport rego.v1\n\nreplicas := nosuchthing(1)\n",
        "facts.rego:5: ",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_an_error_in_a_rule_names_file_and_line(tmp_path: Path, server: str, case: str) -> None:
    text, place = BROKEN[case]
    ruleset = rules.load(small_policies.write(tmp_path, {"facts.rego": text}))
    for engine in ("embedded", "opa", server):
        with pytest.raises(LockgateError) as caught:
            run(engine, ruleset)
        assert caught.value.message.startswith(place), engine
        assert str(tmp_path) not in caught.value.message


def test_a_conflict_while_running_is_an_error(tmp_path: Path, server: str) -> None:
    text = "package lockgate.facts\n\nimport rego.v1\n\nreplicas := count(input.objects)\n\nreplicas := 7\n"
    ruleset = rules.load(small_policies.write(tmp_path, {"facts.rego": text}))
    for engine in ("embedded", "opa", server):
        with pytest.raises(LockgateError):
            run(engine, ruleset)


NUMBERS = """package lockgate.facts

import rego.v1

shown := [sprintf("%v %s %d %f %g", [one, one, one, one, one]) | some one in input.numbers]

inside := sprintf("%v %v", [input.numbers, json.marshal(input.numbers)])

added := [sprintf("%v", [one + 1]) | some one in input.numbers]

same := input.numbers
"""


def test_numbers_of_every_size_are_shown_alike(tmp_path: Path, server: str) -> None:
    """YAML has 1e21, 100.0 and -0.0, and the API server takes them as whole numbers."""
    small = [0.1, -0.5, 1e-5, 1e-7, 0.0001, 1.5, -0.0, 5e-324]
    large = [100.0, 1e5, 123456.7, 1e6, 1234567.5, -1234567.1, 123456789.0, 12345678901234.567, 1e15, 1e16, 1e21]
    whole = [0, -1, 2**31, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**21]
    ruleset = rules.load(small_policies.write(tmp_path, {"facts.rego": NUMBERS}))
    documents = [{"environment": "prod", "objects": [], "numbers": [*small, *large, *whole]}]
    found = run("embedded", ruleset, documents)
    assert run("opa", ruleset, documents) == found
    assert run(server, ruleset, documents) == found
    assert found[0].facts["shown"][8] == "100 %!s(int64=100) 100 %!f(int64=100) %!g(int64=100)"
    assert found[0].facts["shown"][12].startswith("1.2345675e+06 ")


def test_strings_of_every_kind_come_back_alike(tmp_path: Path, server: str) -> None:
    text = (
        "package lockgate.facts\n\nimport rego.v1\n\nreplicas := 1\n\n"
        "trimmed := trim_space(input.text)\n\nquoted := {x: {x} | some x in input.texts}\n"
    )
    texts = ['a"b', "line\nline", "back\\slash", "tab\t", "é€😀", "C:\\new", "", "'", "\u2028"]
    document = {"environment": "prod", "objects": [], "text": '  "a"\nb  ', "texts": texts}
    ruleset = rules.load(small_policies.write(tmp_path, {"facts.rego": text}))
    found = run("embedded", ruleset, [document])
    assert found[0].facts["trimmed"] == '"a"\nb'
    assert found[0].facts["quoted"] == {text: [text] for text in texts}
    assert run("opa", ruleset, [document]) == found
    assert run(server, ruleset, [document]) == found


def test_a_catalogue_must_not_hide_a_setting(tmp_path: Path, server: str) -> None:
    ruleset = rules.load(small_policies.write(tmp_path, {"data/x.json": '{"environments": {}}'}))
    for engine in ("embedded", "opa", server):
        with pytest.raises(LockgateError, match="'environments' is also a key"):
            run(engine, ruleset)


def test_an_unknown_engine_is_refused(ruleset: RuleSet) -> None:
    with pytest.raises(LockgateError, match="no engine 'gpu'"):
        run("gpu", ruleset)


def test_rules_that_end_the_compiler_are_one_line(tmp_path: Path, empty_cache: Path) -> None:
    """rego-cpp 1.5.2 reads out of bounds when functions of one name take different numbers of arguments."""
    text = "package lockgate.facts\n\nimport rego.v1\n\nreplicas := f(1, 2)\n\nf(a, b) := a + b\n\nf(a, b, c) := a\n"
    ruleset = rules.load(small_policies.write(tmp_path, {"facts.rego": text}))
    with pytest.raises(LockgateError) as caught:
        run("embedded", ruleset)
    assert "\n" not in caught.value.message
    assert "opa check --strict" in caught.value.hint
    assert list(empty_cache.glob("*.code")) == []


def test_a_missing_regopy_is_one_line(
    ruleset: RuleSet, tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "libraries" / "regopy.py"
    broken.parent.mkdir()
    broken.write_text("raise ImportError('no library')", encoding="utf-8")
    monkeypatch.syspath_prepend(str(broken.parent))
    assert not empty_cache.exists()
    with pytest.raises(LockgateError, match="the embedded engine cannot be loaded") as caught:
        run("embedded", ruleset)
    assert "--engine opa" in caught.value.hint


def test_a_missing_opa_is_one_line(ruleset: RuleSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(LockgateError, match="no `opa` on PATH") as caught:
        run("opa", ruleset)
    assert "go install" in caught.value.hint


def fake_opa(folder: Path, script: str) -> None:
    program = folder / "opa"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ('if [ "$1" = version ]; then echo "Version: 0.70.0"; else exit 1; fi', "is OPA 0.70.0; wanted 1.0 or newer"),
        ("echo it is broken >&2; exit 1", "it is broken"),
        ('cat >/dev/null; echo "{}"', "opa answered for 0 of 3 documents"),
        ("exit 1", "opa failed without a word"),
    ],
)
def test_an_opa_that_fails_is_one_line(
    ruleset: RuleSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    fake_opa(tmp_path, script)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(LockgateError) as caught:
        run("opa", ruleset)
    assert message in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:9", "no OPA server answers at http://127.0.0.1:9"),
        ("ftp://127.0.0.1", "wanted the OPA server's URL"),
        ("http://", "wanted the OPA server's URL"),
    ],
)
def test_an_unreachable_server_is_one_line(ruleset: RuleSet, url: str, message: str) -> None:
    with pytest.raises(LockgateError) as caught:
        run(url, ruleset)
    assert message in caught.value.message
    assert caught.value.hint


def test_names_that_two_packages_share_are_told_apart() -> None:
    modules = [
        ("a", 'package a\n\nf(x) := "f(x) data.b.f(1)" if x # f(2)\n\ng := f(1)\n'),
        ("b", "package b\n\nimport data.a\n\nf(x, y) := a.f(x)\n\nh := data.a.f(f(1, 2))\n\nobject.f(1)\n"),
        ("c", "package c\n\nimport data.b as other\n\nk := other.f(1, 2)\n"),
    ]
    assert source.distinct(modules) == [
        ("a", 'package a\n\nf__0(x) := "f(x) data.b.f(1)" if x # f(2)\n\ng := f__0(1)\n'),
        ("b", "package b\n\nimport data.a\n\nf__1(x, y) := a.f__0(x)\n\nh := data.a.f__0(f__1(1, 2))\n\nobject.f(1)\n"),
        ("c", "package c\n\nimport data.b as other\n\nk := other.f__1(1, 2)\n"),
    ]


def test_modules_are_joined_by_the_full_names_of_their_rules() -> None:
    modules = [
        (
            "a",
            "# of a\npackage x.a\n\nimport rego.v1\n\ndefault f(_) := false\n\nf(y) if y.g == g # g\n\ng := data.q\n",
        ),
        (
            "b",
            'package x.b\n\nimport data.x.a as first\nimport input.h\n\ng contains k if first.f({"g": `g`, k: g[h]})\n',
        ),
    ]
    joined = source.joined(modules, "p")
    assert joined is not None
    assert [line for line in joined.splitlines() if line.strip()] == [
        "package p",
        "import rego.v1",
        "default x.a.f(_) := false",
        "x.a.f(y) if y.g == data.p.x.a.g ",
        "x.a.g := data.p.q",
        'x.b.g contains k if data.p.x.a.f({"g": `g`, k: data.p.x.b.g[input.h]})',
    ]


@pytest.mark.parametrize(
    "rule",
    [
        "f(g) := 1",
        "f(y,\n\tg) := 1",
        "f(y) if some g in y",
        "f(y) if {\n\tsome [\n\t\tg,\n\t\t_,\n\t] in y\n}",
        "f(y) if every g in y { g > 1 }",
        "f(y) if {\n\tsome g\n\ty[g]\n}",
        "f(y) if { x = y; x > 1 }",
    ],
)
def test_modules_are_not_joined_where_a_name_has_two_meanings(rule: str) -> None:
    assert source.joined([("a", f"package x.a\n\ng := 1\n\n{rule}\n")], "p") is None


def test_a_private_module_touches_no_other_data() -> None:
    text = (
        'package a.b\n\nimport data.a.c\n\nx := data.y[z.data] # data.q\n\nv := object.get(data, "data.w", `data.v`)\n'
    )
    assert source.private(text, "p") == (
        "package p.a.b\n\nimport data.p.a.c\n\nx := data.p.y[z.data] # data.q\n\n"
        'v := object.get(data.p, "data.w", `data.v`)\n'
    )
