"""Objects in, every PromQL expression in them with the metrics it reads out: `input.queries`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.context import promql
from lockgate.context.fields import at, items, reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lockgate.model import Json, Path

# A data source of this type is Prometheus; one that names no type may be anything that has an `expr`.
_PROMETHEUS = "prometheus"
_LABEL = "grafana_dashboard"
"""Grafana's sidecar finds ConfigMaps by it."""
_LABEL_VALUES = re.compile(r"\s*label_values\(\s*(?P<selector>.+)\s*,\s*\w+\s*\)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Expression:
    """An expression in an object: `sure`, whether it must be PromQL; `broken`, why it cannot be looked for."""

    path: Path
    source: str
    text: Json
    variables: str = promql.ENVIRONMENT
    sure: bool = True
    broken: str = ""

    def query(self, ref: Json) -> Json:
        """What rules see of it."""
        parsed = promql.Query(self.broken) if self.broken else promql.parse(self.text, self.variables)
        return {
            "object": ref,
            "path": list(self.path),
            "source": self.source,
            "language": "JSON" if self.broken else "PromQL",
            "text": self.text,
            "error": parsed.error if self.sure else "",
            "metrics": list(parsed.metrics),
        }


def gather(objects: Iterable[Mapping[str, Json]], adapter: Iterable[Mapping[str, Json]] = ()) -> list[Json]:
    """Every expression, in the order of the objects.

    Args:
        objects: Rendered objects.
        adapter: Rules of prometheus-adapter, as `lockgate.context.adapter` reads them.

    Returns:
        {"object", "path", "source": alert, record, analysis, trigger, dashboard or adapter, "text",
        "language": PromQL, or JSON of a dashboard that cannot be read, "error": why it is none (empty: it is,
        or nobody knows), "metrics": see `promql.Query`}.
    """
    found = [(reference(obj), one) for obj in objects for one in _of_object(obj)]
    found += [(rule["object"], one) for rule in adapter for one in _of_adapter(rule)]
    return [one.query(ref) for ref, one in found if isinstance(one.text, str) and one.text.strip()]


def _of_object(obj: Mapping[str, Json]) -> Iterator[_Expression]:
    read = _READERS.get((str(obj.get("apiVersion", "")).rpartition("/")[0], str(obj.get("kind"))))
    return read(obj) if read else iter(())


def _of_rules(obj: Mapping[str, Json]) -> Iterator[_Expression]:
    for index, group in items(obj, "spec", "groups"):
        for number, rule in items(group, "rules"):
            path = ("spec", "groups", index, "rules", number, "expr")
            yield _Expression(path, "record" if "record" in rule else "alert", rule.get("expr"))


def _of_analysis(obj: Mapping[str, Json]) -> Iterator[_Expression]:
    for index, metric in items(obj, "spec", "metrics"):
        path = ("spec", "metrics", index, "provider", "prometheus", "query")
        yield _Expression(path, "analysis", at(metric, "provider", "prometheus", "query"), promql.ARGO)


def _of_triggers(obj: Mapping[str, Json]) -> Iterator[_Expression]:
    for index, trigger in items(obj, "spec", "triggers"):
        if trigger.get("type") == "prometheus":
            yield _Expression(
                ("spec", "triggers", index, "metadata", "query"), "trigger", at(trigger, "metadata", "query")
            )


def _of_config_map(obj: Mapping[str, Json]) -> Iterator[_Expression]:
    data = obj.get("data")
    labels = at(obj, "metadata", "labels")
    marked = isinstance(labels, dict) and _LABEL in labels
    for key, text in data.items() if isinstance(data, dict) else ():
        if key.endswith(".json"):
            yield from _of_dashboard(text, ("data", key), marked=marked)


def _of_grafana(obj: Mapping[str, Json]) -> Iterator[_Expression]:
    yield from _of_dashboard(at(obj, "spec", "json"), ("spec", "json"), marked=True)


_READERS = {
    ("monitoring.coreos.com", "PrometheusRule"): _of_rules,
    ("argoproj.io", "AnalysisTemplate"): _of_analysis,
    ("argoproj.io", "ClusterAnalysisTemplate"): _of_analysis,
    ("keda.sh", "ScaledObject"): _of_triggers,
    ("keda.sh", "ScaledJob"): _of_triggers,
    ("", "ConfigMap"): _of_config_map,
    ("grafana.integreatly.org", "GrafanaDashboard"): _of_grafana,
}


def _of_adapter(rule: Mapping[str, Json]) -> Iterator[_Expression]:
    for field, text in rule["queries"].items():
        yield _Expression((*rule["path"], field), "adapter", text)


def _of_dashboard(text: Json, path: Path, *, marked: bool) -> Iterator[_Expression]:
    """The expressions of a dashboard's panels and variables; none when the text is no dashboard.

    A text that is marked as one and is no JSON is a fault, unless Flux and the like may still mend it.
    """
    if not isinstance(text, str) or '"panels"' not in text:
        return
    try:
        board = json.loads(text)
    except json.JSONDecodeError as error:
        if marked and "${" not in text.replace('"${', ""):
            yield _Expression(path, "dashboard", text, broken=str(error))
        return
    except (ValueError, RecursionError):
        return
    for place, panel in _panels(board, path):
        for index, target in items(panel, "targets"):
            sure = _is_prometheus(target.get("datasource"), panel.get("datasource"))
            if sure is not None:
                where = (*place, "targets", index, "expr")
                yield _Expression(where, "dashboard", target.get("expr"), promql.GRAFANA, sure)
    yield from _of_variables(board, path)


def _panels(board: Json, path: Path) -> Iterator[tuple[Path, Mapping[str, Json]]]:
    """Every panel with its path, those in rows too."""
    waiting: list[tuple[Path, Json]] = [(path, board)]
    while waiting:
        place, holder = waiting.pop()
        for field in ("panels", "rows"):
            inside = [((*place, field, index), panel) for index, panel in items(holder, field)]
            waiting += inside
            yield from inside


def _of_variables(board: Json, path: Path) -> Iterator[_Expression]:
    """What `label_values(...)` of a variable selects."""
    for index, variable in items(board, "templating", "list"):
        sure = _is_prometheus(variable.get("datasource"))
        place = (*path, "templating", "list", index, "query")
        query = variable.get("query")
        if isinstance(query, dict):
            place, query = (*place, "query"), query.get("query")
        match = _LABEL_VALUES.fullmatch(query) if isinstance(query, str) else None
        if match and sure is not None:
            yield _Expression(place, "dashboard", match["selector"], promql.GRAFANA, sure)


def _is_prometheus(*sources: Json) -> bool | None:
    """Whether the first data source that says its type is Prometheus; None: it is another one."""
    for source in sources:
        kind = at(source, "type")
        if isinstance(kind, str) and kind != "datasource":
            return True if kind == _PROMETHEUS else None
    return False
