"""`lockgate plan`: what each environment takes, at the peak and between changes, against what it may."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate import pipeline, plan, tables
from lockgate.progress import progress
from lockgate.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockgate.model import Json
    from lockgate.plan import Environment, Plan

FORMATS = ("text", "json", "markdown")

_STEADY = "steady: between changes, autoscalers at their minimum"
_MONTH = f"a month: {plan.HOURS_PER_MONTH} hours"


@click.command(epilog="Examples:\n\n  lockgate plan\n\n  lockgate plan --env prod --format json")
@click.argument("path", default=".", metavar="[PATH]", type=click.Path(path_type=Path))
@click.option("--env", "environments", multiple=True, metavar="NAME", help="Plan this environment only; repeatable.")
@click.option("--format", "shape", type=click.Choice(FORMATS), default="text", show_default=True)
def command(path: Path, environments: tuple[str, ...], shape: str) -> int:
    """Say what the repository at PATH (default: here) takes: pods, GPUs and their memory, and what they cost.

    GPUs are counted as CST001 does, memory as VLM002 does. Costs appear where lockgate.yaml has a price
    (pools.NAME.gpu_hour). It is no gate: a peak above its budget is only told.

    Exit code 0: a plan; 2: no answer, such as a build that fails.
    """
    with progress() as line:
        line.step("rendering")
        found = pipeline.compute(path, pipeline.Options(environments), plan.FACTS)
    result = plan.of(found.repository.settings, found.facts, found.not_covered)
    if shape == "json":
        click.echo(json.dumps(document(result), indent=2, sort_keys=True, ensure_ascii=False))
    elif shape == "markdown":
        click.echo(tables.markdown(list(_tables(result))), nl=False)
    else:
        tables.text(list(_tables(result)), sys.stdout)
    return 0


def _tables(found: Plan) -> Iterator[Table]:
    yield _overview(found)
    terms = _joined((e.name, e.terms) for e in found.environments)
    yield Table("GPUs at the peak", ("environments", "sum"), terms, headed=False)
    memory = _joined((e.name, str(one)) for e in found.environments for one in e.memory)
    if memory:
        yield Table("Memory of a pod's GPUs", ("environments", "sum"), memory, headed=False)
    if found.shared:
        yield Table("Together", ("sum",), tuple((str(one),) for one in found.shared), headed=False)
    yield Table("Notes", ("note",), tuple((note,) for note in _notes(found)), headed=False)


def _overview(found: Plan) -> Table:
    priced = any(e.price is not None for e in found.environments)
    head = ("environment", "pods", "GPUs", "budget", *(("per hour", "per month") if priced else ()))
    rows = [_row(e, priced=priced) for e in found.environments]
    if len(rows) > 1:
        rows.append(_total(found.environments, priced=priced))
    return Table("Peak / steady", head, tuple(rows), frozenset(range(1, len(head))))


def _row(one: Environment, *, priced: bool) -> tuple[str, ...]:
    budget = "none" if one.budget is None else str(one.budget)
    cells = (one.name, f"{one.peak_pods} / {one.steady_pods}", f"{one.peak_gpus} / {one.steady_gpus}", budget)
    return (*cells, *(_costs([one], hours) for hours in (1, plan.HOURS_PER_MONTH))) if priced else cells


def _total(environments: tuple[Environment, ...], *, priced: bool) -> tuple[str, ...]:
    pods = f"{sum(e.peak_pods for e in environments)} / {sum(e.steady_pods for e in environments)}"
    gpus = f"{sum(e.peak_gpus for e in environments)} / {sum(e.steady_gpus for e in environments)}"
    budgets = [e.budget for e in environments if e.budget is not None]
    cells = ("total", pods, gpus, str(sum(budgets)) if len(budgets) == len(environments) else "none")
    return (*cells, *(_costs(environments, hours) for hours in (1, plan.HOURS_PER_MONTH))) if priced else cells


def _costs(environments: Iterable[Environment], hours: int) -> str:
    """Peak and steady; unknown as soon as one price is."""
    every = tuple(environments)
    sums = (_sum(e.cost(e.peak_gpus, hours) for e in every), _sum(e.cost(e.steady_gpus, hours) for e in every))
    return " / ".join("unknown" if number is None else f"{number:,.2f}" for number in sums)


def _sum(numbers: Iterable[float | None]) -> float | None:
    known = list(numbers)
    return None if None in known else round(sum(number or 0 for number in known), 6)


def _joined(lines: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Environments of which the same is said share a line."""
    names: dict[str, list[str]] = {}
    for name, text in lines:
        names.setdefault(text, []).append(name)
    return tuple((", ".join(dict.fromkeys(found)), text) for text, found in names.items())


def _notes(found: Plan) -> Iterator[str]:
    for one in found.environments:
        if one.above_budget:
            yield f"{one.name} is above its budget: {one.peak_gpus} > {one.budget} GPUs (CST001)"
    for shared in found.shared:
        if shared.together > shared.gpus:
            yield f"the {shared.kind} {shared.name} is too small for all peaks at once"
    for name in found.not_counted:
        yield f"not covered: {name}: its pods are not counted"
    priced = any(one.price is not None for one in found.environments)
    yield f"{_STEADY}; {_MONTH}" if priced else _STEADY


def document(found: Plan) -> dict[str, Json]:
    """The plan for programs: stable keys."""
    every = found.environments
    return {
        "version": 1,
        "hours_per_month": plan.HOURS_PER_MONTH,
        "environments": [_entry(one) for one in every],
        "total": {
            "peak": {"pods": sum(e.peak_pods for e in every), "gpus": sum(e.peak_gpus for e in every)},
            "steady": {"pods": sum(e.steady_pods for e in every), "gpus": sum(e.steady_gpus for e in every)},
            "cost_per_hour": {
                "peak": _sum(e.cost(e.peak_gpus) for e in every),
                "steady": _sum(e.cost(e.steady_gpus) for e in every),
            },
        },
        "shared": [
            {"kind": s.kind, "name": s.name, "gpus": s.gpus, "peaks": dict(s.peaks), "together": s.together}
            for s in found.shared
        ],
        "not_covered": list(found.not_counted),
    }


def _entry(one: Environment) -> dict[str, Json]:
    return {
        "name": one.name,
        "pool": one.pool,
        "cluster": one.cluster,
        "gpu_budget": one.budget,
        "above_budget": one.above_budget,
        "peak": {"pods": one.peak_pods, "gpus": one.peak_gpus, "terms": one.terms},
        "steady": {"pods": one.steady_pods, "gpus": one.steady_gpus},
        "gpu_hour": one.price,
        "cost_per_hour": {"peak": one.cost(one.peak_gpus), "steady": one.cost(one.steady_gpus)},
        "cost_per_month": {
            "peak": one.cost(one.peak_gpus, plan.HOURS_PER_MONTH),
            "steady": one.cost(one.steady_gpus, plan.HOURS_PER_MONTH),
        },
        "memory": [
            {
                "server": m.server,
                "fits": m.fits,
                "gpus": m.gpus,
                "need_bytes": m.need,
                "have_bytes": m.have,
                "words": m.words,
            }
            for m in one.memory
        ],
    }
