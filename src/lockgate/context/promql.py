"""A PromQL expression in, the metrics that it reads out.

What a dashboard or an AnalysisTemplate puts in later (`$var`, `{{args.x}}`) is replaced by a word that
fits; what depends on such a word is left out. The parser speaks Prometheus 3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.model import Json

GRAFANA = r"\[\[\w+(?::\w+)?\]\]|\$\{[^}]*\}|\$[A-Za-z_]\w*"
"""Variables of a dashboard: `$name`, `${name:format}`, `[[name]]`."""

ARGO = r"\{\{.*?\}\}"
"""Arguments of an AnalysisTemplate: `{{args.name}}`."""

ENVIRONMENT = r"\$\{[^}]*\}"
"""Variables that Flux and the like put into any manifest."""

_WORD = "lockgate_variable"
_PARTS = re.compile(r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)|(?P<comment>#[^\n]*)""")
_RANGE = re.compile(r"\[[^\[\]]*\]")
# Experimental syntax of Prometheus 3 that the parser does not have, extensions of Thanos, the pipes of LogQL, for
# which some use the same objects.
_BEYOND = re.compile(
    r"\||\b(anchored|smoothed)\b|\b(info|step|range|x(rate|increase|delta))\s*\(|[<>]/|\[[^\]]*[-+*/^%(]|\boffset\s+\S*[(*/+]"
)
# The parser goes down a level for each of these, and ends the process when its stack does.
_DEEPER = re.compile(r"[-+*/%^(<>=]|\b(?:and|or|unless|atan2)\b")
_DEEPEST = 1000
# Rust and Go know different regular expressions.
_UNSURE = "illegal regex"


@dataclass(frozen=True, slots=True)
class Query:
    """What an expression reads.

    Attributes:
        error: Why it does not parse; empty when it does, and when that is not sure.
        metrics: {"name", "labels": [{"name", "op", "value"}]} of each selector with a name. Also, where it
            holds: "function", which takes its range; "alternative", it stands beside an `or`; "le_lost", its
            buckets reach histogram_quantile without `le`; "native", a histogram function takes it whole.
            A label's value is null where a variable is in it.
    """

    error: str = ""
    metrics: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class _Around:
    """What surrounds a selector."""

    function: str = ""
    quantile: bool = False
    native: bool = False
    le_lost: bool = False
    alternative: bool = False


@lru_cache(maxsize=4096)
def parse(text: str, variables: str = ENVIRONMENT) -> Query:
    """The metrics of an expression.

    Args:
        text: PromQL, perhaps with variables.
        variables: Regular expression of a variable.

    Raises:
        LockgateError: The parser is not installed.
    """
    if len(text) > _DEEPEST and len(_DEEPER.findall(text)) > _DEEPEST:
        return Query()
    promql = _parser()
    filled, unsure = _filled(text, re.compile(variables, re.DOTALL))
    try:
        tree = promql.parse(filled)
    except ValueError as error:
        return Query("" if unsure or _beyond(filled, str(error)) else str(error).splitlines()[0])
    return Query(metrics=tuple(_metrics(tree, promql)))


def _parser() -> Any:
    try:
        import promql_parser
    except ImportError as error:
        msg = "promql-parser is not installed, so no PromQL can be read"
        raise LockgateError(msg, "install Lockgate with its dependencies: pip install lockgate") from error
    return promql_parser


def _beyond(text: str, error: str) -> bool:
    """Whether Prometheus may understand what the parser refused."""
    return error.startswith(_UNSURE) or _BEYOND.search(_PARTS.sub('""', text)) is not None


def _filled(text: str, variable: re.Pattern[str]) -> tuple[str, bool]:
    """The expression with words for its variables, and whether one of them may be anything."""
    if variable.search(text) is None:
        return text, False
    free = False
    filled: list[str] = []
    for part, quoted in _parts(text):
        if quoted:
            filled.append(variable.sub(_WORD, part))
        else:
            known = _RANGE.sub(_durations, variable.sub(_MARK, part))
            free = free or _MARK in known
            filled.append(_named(known))
    return "".join(filled), free


_MARK = "\x00"


def _durations(found: re.Match[str]) -> str:
    """A range: `[$x]` is a duration, `[${x}m]` a number of minutes."""
    return re.sub(rf"{_MARK}(?=[smhdwy])", "5", found[0]).replace(_MARK, "5m")


def _named(text: str) -> str:
    """Variables outside of strings and ranges: a number as first argument, a duration, else a name."""
    text = re.sub(rf"\b((?:top|bottom|limit)k|(?:histogram_)?quantile)\s*\(\s*{_MARK}\s*,", r"\1(1,", text)
    text = re.sub(rf"\boffset\s+{_MARK}", "offset 5m", text)
    return text.replace(_MARK, _WORD)


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """The expression in pieces, and whether each is a string; comments are left out."""
    start = 0
    for found in _PARTS.finditer(text):
        yield text[start : found.start()], False
        if found["text"] is not None:
            yield found["text"], True
        start = found.end()
    yield text[start:], False


def _metrics(tree: Any, promql: Any) -> Iterator[Json]:
    """Every selector with a name, from left to right."""
    waiting: list[tuple[Any, _Around]] = [(tree, _Around())]
    while waiting:
        node, around = waiting.pop()
        if isinstance(node, promql.VectorSelector):
            yield from _selector(node, around, promql)
        else:
            waiting.extend(reversed(list(_below(node, around, promql))))


def _below(node: Any, around: _Around, promql: Any) -> Iterator[tuple[Any, _Around]]:
    """The expressions inside an expression, each with what now surrounds it."""
    if isinstance(node, promql.MatrixSelector):
        yield node.vector_selector, around
    elif isinstance(node, promql.Call):
        name = node.func.name
        inside = replace(
            around,
            function=name,
            quantile=around.quantile or name == "histogram_quantile",
            native=around.native or name.startswith("histogram_"),
        )
        yield from ((one, inside) for one in node.args)
    elif isinstance(node, promql.AggregateExpr):
        yield node.expr, replace(around, function="", **_aggregated(node, around, promql))
    elif isinstance(node, promql.BinaryExpr):
        either = around.alternative or str(node.op) == "or"
        yield from ((one, replace(around, function="", alternative=either)) for one in (node.lhs, node.rhs))
    elif isinstance(node, promql.SubqueryExpr | promql.ParenExpr | promql.UnaryExpr):
        yield node.expr, replace(around, function="")


def _aggregated(node: Any, around: _Around, promql: Any) -> dict[str, bool]:
    """What an aggregation does to the label `le`, which tells buckets apart."""
    by = node.modifier is not None and node.modifier.type == promql.AggModifierType.By
    named = node.modifier is not None and "le" in node.modifier.labels
    kept = named == by if node.modifier is not None else False
    return {"le_lost": around.le_lost or (around.quantile and not kept), "native": around.native and not (by and named)}


def _selector(node: Any, around: _Around, promql: Any) -> Iterator[Json]:
    equal = promql.MatchOp.Equal
    matchers = node.matchers.matchers
    names = [node.name] if node.name else [one.value for one in matchers if one.name == "__name__" and one.op == equal]
    if not names or _WORD in names[0] or node.matchers.or_matchers:
        return
    found: dict[str, Json] = {"name": names[0], "labels": [_label(one, promql) for one in matchers]}
    found["labels"] = [label for label in found["labels"] if label["name"] != "__name__"]
    if around.function:
        found["function"] = around.function
    for key in ("le_lost", "native", "alternative"):
        if getattr(around, key):
            found[key] = True
    yield found


def _label(matcher: Any, promql: Any) -> Json:
    ops = promql.MatchOp
    signs = ((ops.Equal, "="), (ops.NotEqual, "!="), (ops.Re, "=~"), (ops.NotRe, "!~"))
    sign = next(text for op, text in signs if matcher.op == op)
    return {"name": matcher.name, "op": sign, "value": None if _WORD in matcher.value else matcher.value}
