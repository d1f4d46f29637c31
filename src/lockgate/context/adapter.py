"""Rules of prometheus-adapter in, the metrics that it serves to autoscalers out: `input.adapter`.

The rules stand in a ConfigMap of the environment, or in the chart's values that `metrics.adapter` of
`lockgate.yaml` names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lockgate import yamltext
from lockgate.context import promql
from lockgate.context.fields import at, items, reference
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lockgate.discover import Repository
    from lockgate.model import Json, Path

# Where rules stand: in the chart's values, in the adapter's own configuration; and whether they are external.
_LISTS = (
    (("rules", "custom"), False),
    (("rules", "external"), True),
    (("rules",), False),
    (("externalRules",), True),
)
_NAME = re.compile(r"\^?([a-zA-Z_:][\w:]*)\$?")
_GROUP = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
_TEMPLATE = re.compile(r"<<.*?>>", re.DOTALL)
_FILLED = {"LabelMatchers": 'namespace!=""', "GroupBy": "namespace", "Series": "lockgate_variable"}


def gather(values: Iterable[Json], objects: Iterable[Mapping[str, Json]]) -> list[Json]:
    """Every rule: those of the repository's file first, then those of ConfigMaps.

    Args:
        values: As `read` returns them.
        objects: Rendered objects.

    Returns:
        {"object", "path", "external", "serves": the name of the metric, empty when it is not known,
        "queries": {field: expression}}.
    """
    found = list(values)
    for obj in objects:
        if obj.get("kind") == "ConfigMap":
            data = obj.get("data")
            for key, text in data.items() if isinstance(data, dict) else ():
                if isinstance(text, str) and "seriesQuery" in text:
                    found += _rules(_loaded(text, key), reference(obj), ("data", key))
    return found


def read(repository: Repository) -> list[Json]:
    """The rules in the file that the settings name; none when there is no such file.

    Raises:
        LockgateError: The file cannot be read, or is no YAML.
    """
    name = repository.settings.metrics.adapter
    file = repository.root / name
    if not file.is_file():
        return []
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{name}: cannot be read: {error}"
        raise LockgateError(msg, "mend the file that `metrics.adapter` of lockgate.yaml names") from error
    ref = {"apiVersion": "", "kind": "Values", "namespace": "", "name": name}
    return list(_rules(yamltext.load(text, name), ref, ()))


def _loaded(text: str, name: str) -> Json:
    try:
        return yamltext.load(text, name)
    except LockgateError:
        return None


def _rules(config: Json, ref: Json, path: Path) -> Iterator[Json]:
    below = at(config, "prometheus-adapter")
    if isinstance(below, dict) and "rules" in below:
        config, path = below, (*path, "prometheus-adapter")
    for keys, external in _LISTS:
        for index, rule in items(config, *keys):
            series = _series(rule.get("seriesQuery"))
            yield {
                "object": ref,
                "path": [*path, *keys, index],
                "external": external,
                "serves": _served(series, rule.get("name")),
                "queries": dict(_expressions(rule)),
            }


def _series(query: Json) -> str:
    """The series that a rule is about; empty when it is not one."""
    if not isinstance(query, str):
        return ""
    for metric in promql.parse(query).metrics:
        return str(metric["name"])
    match = re.search(r"""__name__\s*=~\s*["']([^"']*)["']""", query)
    name = _NAME.fullmatch(match[1]) if match else None
    return name[1] if name else ""


def _served(series: str, name: Json) -> str:
    """The name under which the adapter serves a series, by its rules for names."""
    pattern, written = at(name, "matches") or ".*", at(name, "as") or ""
    if not series or not isinstance(pattern, str) or not isinstance(written, str):
        return "" if "$" in str(written) else str(written)
    try:
        found = re.search(pattern, series)
    except re.error:
        return ""
    if found is None:
        return ""
    written = written or ("$1" if found.re.groups == 1 else "$0")
    groups = {str(index): found[index] or "" for index in range(found.re.groups + 1)} | found.groupdict("")
    return _GROUP.sub(lambda group: groups.get(group[1] or group[2], ""), written)


def _expressions(rule: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """The rule's PromQL, with words for what the adapter fills in; what has other templates is left out."""
    for field in ("seriesQuery", "metricsQuery"):
        text = rule.get(field)
        if isinstance(text, str):
            filled = _TEMPLATE.sub(_fill, text)
            if "<<" not in filled:
                yield field, filled


def _fill(found: re.Match[str]) -> str:
    return _FILLED.get(found[0][2:-2].strip(" -").removeprefix("."), found[0])
