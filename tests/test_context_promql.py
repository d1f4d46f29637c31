"""PromQL as Prometheus reads it: the parser's verdicts compared with promtool's, and what each selector says."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from lockgate.context import promql

if TYPE_CHECKING:
    from pathlib import Path

GOOD = (
    "up",
    "vector(1)",
    "rate(vllm:prompt_tokens_total[5m])",
    'sum by (le, pod) (rate(vllm:time_to_first_token_seconds_bucket{namespace=~"chat-(dev|prod)"}[1h30m]))',
    "histogram_quantile(0.95, sum(rate(a_bucket[5m])) by (le))",
    "max_over_time(sum(rate(a[5m]))[30m:1m])",
    "a{b='c', d!~`e.*`} offset 5m @ start()",
    "a unless on (namespace) (b == 1)",
    "a / on (pod) group_left (node) b",
    'label_replace(a, "x", "$1", "y", "(.*)-z")',
    "topk(3, a) or absent(b)",
    "sum(a > bool 2) # why",
    'count_values("version", a)',
    "quantile_over_time(0.9, a[5m])",
    '{__name__="a", b="c"}',
    '{"with.dots", "a label"="x"}',
    "mad_over_time(a[5m])",
    "0x1f + 1e3 - Inf ^ -2",
    "sort_by_label(a, 'b')",
    "rate(a[5])",
)
BAD = (
    "",
    "sum(rate(a[5m])",
    "rate(a)",
    "rate(a[$__rate_interval])",
    "a >",
    "a{b=c}",
    'a{b="c"',
    "{}",
    "no_such_function(a)",
    "histogram_quantile(a_bucket)",
    "sum(a) by le",
    "rate(sum(a)[5m])",
    'a{b="\\."}',
    "a[5m] > 1",
    "and a",
    'label_replace(a, "x", "y")',
)


def names(text: str, variables: str = promql.ENVIRONMENT) -> list[str]:
    return [metric["name"] for metric in promql.parse(text, variables).metrics]


def one(text: str, variables: str = promql.ENVIRONMENT) -> dict[str, Any]:
    [metric] = promql.parse(text, variables).metrics
    return dict(metric)


def promtool(text: str, folder: Path) -> bool:
    """Whether Prometheus takes an expression as a rule."""
    file = folder / "rules.yaml"
    quoted = text.replace("'", "''")
    file.write_text(f"groups: [{{name: a, rules: [{{record: 'x:y', expr: '{quoted}'}}]}}]", encoding="utf-8")
    command = ["promtool", "check", "rules", "--enable-feature=promql-experimental-functions", str(file)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("text", GOOD)
def test_what_prometheus_understands_is_no_fault(text: str, tmp_path: Path) -> None:
    assert promtool(text, tmp_path)
    assert promql.parse(text).error == ""


@pytest.mark.parametrize("text", BAD)
def test_what_prometheus_refuses_is_a_fault(text: str, tmp_path: Path) -> None:
    assert not promtool(text, tmp_path)
    assert promql.parse(text).error != ""


@pytest.mark.parametrize(
    "text",
    [
        "rate(a[5m] anchored)",
        "a </ 2",
        "rate(a[5m+1m])",
        "a offset (5m)",
        'info(a, {b=~".*"})',
        "xrate(a[5m])",
        'sum(rate({app="a"} |= "error" [5m])) > 1',
        'count_over_time({app="a"} | json [5m])',
        r'a{b=~"\\Qx\\E"}',
    ],
)
def test_what_the_parser_does_not_know_yet_decides_nothing(text: str) -> None:
    assert promql.parse(text) == promql.Query()


@pytest.mark.parametrize("text", ["(" * 200_000 + "a", "a+" * 200_000 + "a", "-" * 200_000 + "a", "abs(" * 50_000])
def test_an_endless_expression_ends_no_process(text: str) -> None:
    assert promql.parse(text) == promql.Query()


def test_labels_of_a_selector() -> None:
    found = one('a{b="1", c!="2", d=~"3", e!~"4"}')
    signs = [(label["name"], label["op"], label["value"]) for label in found["labels"]]
    assert signs == [("b", "=", "1"), ("c", "!=", "2"), ("d", "=~", "3"), ("e", "!~", "4")]


def test_a_name_may_stand_in_the_braces() -> None:
    assert one('{__name__="a", b="c"}') == {"name": "a", "labels": [{"name": "b", "op": "=", "value": "c"}]}
    assert one('{"a", b="c"}')["name"] == "a"
    assert names('{__name__=~"a|b", c="d"}') == []


def test_selectors_come_from_left_to_right() -> None:
    assert names("a + rate(b[5m]) / sum(c) unless d") == ["a", "b", "c", "d"]


def test_the_function_that_takes_a_series_itself() -> None:
    assert one("sum(rate(a[5m]))")["function"] == "rate"
    assert one("absent(a)")["function"] == "absent"
    assert "function" not in one("rate(sum(a)[5m:])")
    assert "function" not in one("abs(a + 1)")


def test_alternatives() -> None:
    assert [metric.get("alternative", False) for metric in promql.parse("a or sum(b)").metrics] == [True, True]
    assert "alternative" not in one("a and 1 == 1") if promql.parse("a and 1 == 1").metrics else True


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("histogram_quantile(0.9, rate(a_bucket[5m]))", False),
        ("histogram_quantile(0.9, sum by (le) (rate(a_bucket[5m])))", False),
        ("histogram_quantile(0.9, sum without (pod) (rate(a_bucket[5m])))", False),
        ("histogram_quantile(0.9, sum(rate(a_bucket[5m])))", True),
        ("histogram_quantile(0.9, sum by (pod) (rate(a_bucket[5m])))", True),
        ("histogram_quantile(0.9, sum without (le) (rate(a_bucket[5m])))", True),
        ("histogram_quantile(0.9, sum by (le) (sum by (pod) (rate(a_bucket[5m]))))", True),
        ("max(histogram_quantile(0.9, rate(a_bucket[5m])))", False),
        ("sum(rate(a_bucket[5m]))", False),
    ],
)
def test_whether_le_reaches_the_quantile(text: str, lost: bool) -> None:  # noqa: FBT001
    assert one(text).get("le_lost", False) is lost


def test_a_histogram_taken_whole() -> None:
    assert one("histogram_quantile(0.9, sum(rate(a[5m])))")["native"]
    assert one("histogram_avg(a)")["native"]
    assert "native" not in one("histogram_quantile(0.9, sum by (le) (rate(a[5m])))")
    assert "native" not in one("rate(a[5m])")


@pytest.mark.parametrize(
    "text",
    [
        "rate(a[$__rate_interval])",
        "rate(a[[[window]]])",
        "rate(a[${minutes}m])",
        "avg_over_time(sum(a)[$__range:$__interval])",
        'a{b="$c", d=~"${e:regex}", f="[[g]]"}',
        "topk($n, a)",
        "histogram_quantile($q, sum by (le) (a))",
        "sum by ($label, le) (a)",
        "a > $limit",
        "a offset $time",
        "quantile($q, a)",
        "a # $comment\n",
    ],
)
def test_variables_of_a_dashboard(text: str) -> None:
    assert names(text, promql.GRAFANA) == ["a"]
    assert promql.parse(text, promql.GRAFANA).error == ""


def test_a_value_with_a_variable_is_unknown() -> None:
    [label] = one('a{b=~"x-$c"}', promql.GRAFANA)["labels"]
    assert label == {"name": "b", "op": "=~", "value": None}


@pytest.mark.parametrize("text", ["${metric}", "rate(vllm:${metric}_total[5m])", "$query"])
def test_a_name_with_a_variable_is_left_out(text: str) -> None:
    assert promql.parse(text, promql.GRAFANA) == promql.Query()


@pytest.mark.parametrize("text", ["sum(a) $rest", "clamp_max(a, $x $y)", "a{$filter}"])
def test_a_variable_that_may_be_anything_excuses_the_rest(text: str) -> None:
    assert promql.parse(text, promql.GRAFANA) == promql.Query()


def test_a_variable_in_a_string_or_range_excuses_nothing() -> None:
    assert promql.parse('sum(rate(a{b="$c"}[$__rate_interval])', promql.GRAFANA).error == "unclosed left parenthesis"


def test_arguments_of_an_analysis() -> None:
    text = 'sum(rate(a{b="{{args.c}}"}[{{ args.window }}])) > {{args.limit}}'
    assert names(text, promql.ARGO) == ["a"]


def test_variables_that_something_else_fills_in() -> None:
    assert names('sum(rate(a{b="${ENVIRONMENT}"}[${WINDOW}]))') == ["a"]
