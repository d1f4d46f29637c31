"""What rules know of the queries in objects and files, and of the metrics API."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from lockgate import context, pipeline, settings, yamltext
from lockgate.context import adapter, recorded
from lockgate.discover import Repository
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from pathlib import Path


def obj(api_version: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "namespace": "b"}, **fields}


def found(*objects: dict[str, Any]) -> list[tuple[list[str | int], str, list[str]]]:
    """Path, source and names of all queries."""
    queries = context.from_objects(objects)["queries"]
    return [(q["path"], q["source"], [metric["name"] for metric in q["metrics"]]) for q in queries]


def dashboard(board: Any) -> dict[str, Any]:
    return obj("v1", "ConfigMap", data={"d.json": json.dumps(board), "other": "x"})


PROMETHEUS = {"type": "prometheus", "uid": "${datasource}"}
HEAD: list[str | int] = ["data", "d.json"]


def test_rules() -> None:
    rules = [{"alert": "a", "expr": "up == 0"}, {"record": "b", "expr": "sum(c)"}, {"alert": "d"}, "x"]
    path = ["spec", "groups", 0, "rules"]
    assert found(obj("monitoring.coreos.com/v1", "PrometheusRule", spec={"groups": [{"rules": rules}]})) == [
        ([*path, 0, "expr"], "alert", ["up"]),
        ([*path, 1, "expr"], "record", ["c"]),
    ]


def test_analysis_and_triggers() -> None:
    metrics = [{"provider": {"web": {}}}, {"provider": {"prometheus": {"query": "a{b='{{args.c}}'}"}}}]
    triggers = [{"type": "cpu"}, {"type": "prometheus", "metadata": {"query": "d"}}]
    assert found(
        obj("argoproj.io/v1alpha1", "AnalysisTemplate", spec={"metrics": metrics}),
        obj("argoproj.io/v1alpha1", "ClusterAnalysisTemplate", spec={"metrics": metrics}),
        obj("keda.sh/v1alpha1", "ScaledObject", spec={"triggers": triggers}),
    ) == [
        (["spec", "metrics", 1, "provider", "prometheus", "query"], "analysis", ["a"]),
        (["spec", "metrics", 1, "provider", "prometheus", "query"], "analysis", ["a"]),
        (["spec", "triggers", 1, "metadata", "query"], "trigger", ["d"]),
    ]


def test_panels_of_a_dashboard_those_in_rows_too() -> None:
    target = {"expr": "a", "datasource": PROMETHEUS}
    board = {
        "panels": [{"targets": [target]}, {"type": "row", "panels": [{"targets": [target, {"refId": "B"}]}]}],
        "rows": [{"panels": [{"targets": [target]}]}],
    }
    assert sorted(map(str, found(dashboard(board)))) == sorted(
        map(
            str,
            [
                ([*HEAD, "panels", 0, "targets", 0, "expr"], "dashboard", ["a"]),
                ([*HEAD, "panels", 1, "panels", 0, "targets", 0, "expr"], "dashboard", ["a"]),
                ([*HEAD, "rows", 0, "panels", 0, "targets", 0, "expr"], "dashboard", ["a"]),
            ],
        )
    )


def test_a_dashboard_of_the_grafana_operator() -> None:
    text = json.dumps({"panels": [{"datasource": PROMETHEUS, "targets": [{"expr": "a"}]}]})
    path = ["spec", "json", "panels", 0, "targets", 0, "expr"]
    assert found(obj("grafana.integreatly.org/v1beta1", "GrafanaDashboard", spec={"json": text})) == [
        (path, "dashboard", ["a"])
    ]


def test_variables_of_a_dashboard() -> None:
    board = {
        "panels": [],
        "templating": {
            "list": [
                {"query": 'label_values(a{b="c"}, d)'},
                {"query": {"query": "label_values(e, f)"}},
                {"query": "label_values(f)"},
                {"query": "prometheus"},
            ]
        },
    }
    assert found(dashboard(board)) == [
        ([*HEAD, "templating", "list", 0, "query"], "dashboard", ["a"]),
        ([*HEAD, "templating", "list", 1, "query", "query"], "dashboard", ["e"]),
    ]


@pytest.mark.parametrize(
    ("target", "panel", "error"),
    [
        (PROMETHEUS, None, True),
        (None, PROMETHEUS, True),
        ({"type": "datasource", "uid": "-- Mixed --"}, PROMETHEUS, True),
        (None, None, False),
        ("${DS}", "Prometheus", False),
    ],
)
def test_only_what_says_prometheus_must_be_promql(target: Any, panel: Any, *, error: bool) -> None:
    board = {"panels": [{"datasource": panel, "targets": [{"datasource": target, "expr": "sum("}]}]}
    [query] = context.from_objects([dashboard(board)])["queries"]
    assert bool(query["error"]) is error


@pytest.mark.parametrize(
    ("label", "text", "error"),
    [
        ("grafana_dashboard", '{"panels": [}', "Expecting value: line 1 column 13 (char 12)"),
        ("grafana_dashboard", '{"panels": [{"max": ${LIMIT}}]}', ""),
        ("app", '{"panels": [}', ""),
    ],
    ids=["broken", "filled-in-later", "no-dashboard"],
)
def test_a_dashboard_that_is_no_json(label: str, text: str, error: str) -> None:
    board = obj("v1", "ConfigMap", data={"d.json": text})
    board["metadata"]["labels"] = {label: "1"}
    queries = context.from_objects([board])["queries"]
    assert [(q["language"], q["error"], q["path"]) for q in queries] == [("JSON", error, HEAD)] * bool(error)


@pytest.mark.parametrize("target", [{"type": "loki"}, {"type": "tempo", "uid": "x"}])
def test_other_data_sources_are_left_out(target: Any) -> None:
    board = {"panels": [{"datasource": PROMETHEUS, "targets": [{"datasource": target, "expr": "a"}]}]}
    assert found(dashboard(board)) == []


@pytest.mark.parametrize(
    "objects",
    [
        [{}],
        [{"kind": "PrometheusRule", "apiVersion": "monitoring.coreos.com/v1"}],
        [obj("monitoring.coreos.com/v1", "PrometheusRule", spec=[])],
        [obj("monitoring.coreos.com/v1", "PrometheusRule", spec={"groups": {"a": 1}})],
        [obj("monitoring.coreos.com/v1", "PrometheusRule", spec={"groups": [{"rules": [{"expr": 3}, {"expr": " "}]}]})],
        [obj("keda.sh/v1", "ScaledObject", spec={"triggers": [{"type": "prometheus", "metadata": "x"}]})],
        [obj("example.com/v1", "PrometheusRule", spec={"groups": [{"rules": [{"expr": "a"}]}]})],
        [obj("v1", "ConfigMap", data=[])],
        [obj("v1", "ConfigMap", data={"a.json": 3, "b.json": '{"panels": [', "c.json": '["panels"]'})],
        [obj("v1", "ConfigMap", data={"a.json": '{"panels": ' + "[" * 100_000})],
        [obj("v1", "ConfigMap", data={"a.yaml": "seriesQuery: [", "b.yaml": "seriesQuery"})],
    ],
    ids=[f"{number}" for number in range(11)],
)
def test_fields_of_other_types_give_nothing(objects: list[Any]) -> None:
    assert context.from_objects(objects) == {"adapter": [], "queries": [], "recorded": []}


def served(text: str) -> list[tuple[str, bool]]:
    rules = adapter.gather([], [obj("v1", "ConfigMap", data={"config.yaml": text})])
    return [(rule["serves"], rule["external"]) for rule in rules]


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("seriesQuery: 'vllm:a{namespace!=\"\"}'", "vllm:a"),
        ("seriesQuery: 'vllm:a', name: {as: vllm_a}", "vllm_a"),
        ("seriesQuery: '{__name__=~\"^vllm:a$\"}', name: {matches: '', as: vllm_a}", "vllm_a"),
        (
            "seriesQuery: 'vllm:a_total', name: {matches: '^vllm:(.*)_total$', as: 'vllm_${1}_per_second'}",
            "vllm_a_per_second",
        ),
        ("seriesQuery: 'vllm:a_total', name: {matches: '^(.*)_total$'}", "vllm:a"),
        ("seriesQuery: 'vllm:a', name: {matches: '^vllm:(?P<x>.*)$', as: '${x}'}", "a"),
        ("seriesQuery: '{__name__=~\"^vllm:.*\"}', name: {matches: '^vllm:(.*)$', as: '$1'}", ""),
        ("seriesQuery: '{__name__=~\"^vllm:.*\"}', name: {as: queue}", "queue"),
        ("seriesQuery: 'vllm:a', name: {matches: '('}", ""),
        ("seriesQuery: 'vllm:a', name: {matches: '^b'}", ""),
        ("seriesQuery: 3", ""),
    ],
)
def test_names_that_the_adapter_serves(rule: str, name: str) -> None:
    assert served(f"rules:\n  - {{{rule}}}\n") == [(name, False)]
    assert served(f"externalRules:\n  - {{{rule}}}\n") == [(name, True)]


def test_queries_of_the_adapter_are_read_with_its_templates_filled_in() -> None:
    text = """
rules:
  - seriesQuery: 'vllm:a{namespace!=""}'
    metricsQuery: sum(rate(<<.Series>>{<<.LabelMatchers>>,b="c"}[2m])) by (<<.GroupBy>>) / sum(d)
  - seriesQuery: e
    metricsQuery: << range .LabelValuesByName >>(<< end >>
"""
    head = ["data", "config.yaml", "rules"]
    assert found(obj("v1", "ConfigMap", data={"config.yaml": text})) == [
        ([*head, 0, "seriesQuery"], "adapter", ["vllm:a"]),
        ([*head, 0, "metricsQuery"], "adapter", ["d"]),
        ([*head, 1, "seriesQuery"], "adapter", ["e"]),
    ]


def repository(root: Path, section: str = "") -> Repository:
    text = f"version: 1\nenvironments:\n  dev: {{overlay: dev}}\n{section}"
    (root / "lockgate.yaml").write_text(text)
    return Repository(root, settings.load(root), ())


VALUES = "rules:\n  default: false\n  custom:\n    - seriesQuery: a\n  external:\n    - seriesQuery: b\n"


def test_the_chart_values_that_the_settings_name(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(VALUES)
    rules = adapter.read(repository(tmp_path, "metrics: {adapter: values.yaml}\n"))
    assert [(rule["serves"], rule["path"], rule["object"]["name"]) for rule in rules] == [
        ("a", ["rules", "custom", 0], "values.yaml"),
        ("b", ["rules", "external", 0], "values.yaml"),
    ]


def test_values_of_a_chart_inside_another(tmp_path: Path) -> None:
    inner = "".join(f"  {line}\n" for line in VALUES.splitlines())
    (tmp_path / "values.yaml").write_text(f"prometheus-adapter:\n{inner}")
    rules = adapter.read(repository(tmp_path, "metrics: {adapter: values.yaml}\n"))
    assert rules[0]["path"] == ["prometheus-adapter", "rules", "custom", 0]


def test_without_a_file_there_are_no_rules(tmp_path: Path) -> None:
    assert adapter.read(repository(tmp_path)) == []


@pytest.mark.parametrize("name", ["gone.yaml", "../lockgate.yaml", "."])
def test_a_named_file_that_is_not_there_is_an_error_with_its_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(LockgateError, match=r"lockgate\.yaml:4: no file '.*' in the repository"):
        repository(tmp_path, f"metrics: {{adapter: {name}}}\n")


@pytest.mark.parametrize(("content", "error"), [(b"a: [", "not readable as YAML"), (b"\xff", "cannot be read")])
def test_values_that_cannot_be_read_are_an_error(tmp_path: Path, content: bytes, error: str) -> None:
    (tmp_path / "values.yaml").write_bytes(content)
    with pytest.raises(LockgateError, match=error):
        adapter.read(repository(tmp_path, "metrics: {adapter: values.yaml}\n"))


def test_recorded_names_are_sought_in_all_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("rules:\n  - record: x:y\n    expr: z\n  -   \"record\" : 'vllm:b'\n")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.yml").write_text("- expr: a\n  record: c\n# record: d\n")
    for skipped in (".git", "policies"):
        (tmp_path / skipped).mkdir()
        (tmp_path / skipped / "a.yaml").write_text("record: e\n")
    assert recorded.of_files(tmp_path) == ["c", "vllm:b", "x:y"]


def test_one_environment_knows_what_another_records(repository: Path) -> None:
    rules = repository / "observability/alerts/rules.yaml"
    rules.write_text(
        rules.read_text().replace(
            "      rules:\n",
            "      rules:\n        - record: vllm:queue\n          expr: sum(vllm:num_requests_waiting)\n",
        )
    )
    analysis = repository / "components/progressive/analysis/queue.yaml"
    text = analysis.read_text()
    query = text[text.index("query: |") :]
    analysis.write_text(text.replace(query, "query: vllm:queue\n"))
    result = pipeline.check(repository, pipeline.Options(environments=("canary",)))
    assert result is not None
    assert [finding.message for finding in result[1].open] == []
    rules.write_text(rules.read_text().replace("record: vllm:queue", "record: vllm:other"))
    result = pipeline.check(repository, pipeline.Options(environments=("canary",)))
    assert result is not None
    assert [finding.rule for finding in result[1].open] == ["MON001"]


def test_a_change_of_the_adapter_concerns_all_environments(repository: Path) -> None:
    changed = [repository / "observability/adapter/values.yaml"]
    result = pipeline.check(repository, pipeline.Options(), changed=changed)
    assert result is not None
    assert result[1].environments == ("dev", "canary", "prod")


def test_a_missing_parser_is_one_line(repository: Path) -> None:
    code = "import sys; sys.modules['promql_parser'] = None; from lockgate.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "check", str(repository)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-2:] == [
        "error: promql-parser is not installed, so no PromQL can be read",
        "hint: install Lockgate with its dependencies: pip install lockgate",
    ]


def test_an_equals_sign_is_a_string() -> None:
    assert yamltext.load("enum: [=, '!=']\nplain: =\n", "crd.yaml") == {"enum": ["=", "!="], "plain": "="}


def test_a_mapping_as_a_key_is_no_error_of_ours() -> None:
    assert yamltext.load("{{ a }}: 1\n", "a.yaml") == {'{"{\\"a\\": null}": null}': 1}
