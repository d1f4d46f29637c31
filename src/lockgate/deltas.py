"""What a change means: computed facts of an environment before and after in, the numbers that differ out.

The facts are those of `lockgate plan`: GPUs at the peak as CST001 counts them, flags and images as the rules read
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from lockgate import credentials, plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lockgate.model import Json
    from lockgate.plan import Environment

NOTHING = ""
"""Where there is no such number."""

# Said apart from the other flags.
_OWN_FLAGS = {"config", "model", "revision", "shutdown-timeout"}


@dataclass(frozen=True, slots=True)
class Delta:
    """One number or word that differs.

    Attributes:
        what: Its name, like `GPUs at the peak`.
        old: What it was; `NOTHING` where there was none.
        new: What it is; `NOTHING` where there is none.
    """

    what: str
    old: str
    new: str


class _Value(NamedTuple):
    """What is compared, and what is shown of it."""

    raw: Json
    shown: str


class Side(NamedTuple):
    """An environment on one side: what it takes, and its facts."""

    environment: Environment
    facts: Mapping[str, Json]


def of(old: Side | None, new: Side | None) -> list[Delta]:
    """What differs between two sides of an environment; None for a side that does not have it."""
    named = max((len(side.facts["servers"]) for side in (old, new) if side), default=0) > 1
    before, after = (dict(_values(side, named=named)) if side else {} for side in (old, new))
    nothing = _Value(None, NOTHING)
    pairs = {what: (before.get(what, nothing), after.get(what, nothing)) for what in {**before, **after}}
    return [Delta(what, one.shown, other.shown) for what, (one, other) in pairs.items() if one.raw != other.raw]


def _values(side: Side, *, named: bool) -> Iterator[tuple[str, _Value]]:
    one = side.environment
    yield _said("GPUs at the peak", f"{one.peak_gpus} ({one.terms})")
    if one.budget is not None:
        yield _said("GPU budget", str(one.budget))
    yield from _pods(side.facts["controllers"])
    for server in side.facts["servers"]:
        prefix = f"{server['id']}: " if named else ""
        yield from ((f"{prefix}{what}", value) for what, value in _server(server))
    for memory in one.memory:
        yield _said(
            f"memory of {memory.server}", memory.verdict if memory.gpus else f"{memory.verdict}: {memory.words}"
        )
    yield from _costs(one)


def _said(what: str, text: str) -> tuple[str, _Value]:
    return what, _Value(text, text)


def _pods(controllers: Sequence[Mapping[str, Json]]) -> Iterator[tuple[str, _Value]]:
    for one in controllers:
        name = f" of {one['object']['kind']}/{one['object']['name']}" if len(controllers) > 1 else ""
        bounds = str(one["most"]) if one["fewest"] == one["most"] else f"{one['fewest']} to {one['most']}"
        yield _said(f"pods{name}", bounds)


def _server(server: Mapping[str, Json]) -> Iterator[tuple[str, _Value]]:
    flags = server["flags"]
    parts = image_parts(server["image"])
    yield from (_said(what, part) for what, part in zip(("image", "image tag", "image digest"), parts, strict=True))
    for what, name in (("model", "model"), ("model revision", "revision")):
        if name in flags:
            yield what, _flag(name, flags[name])
    yield _said("drain time (terminationGracePeriodSeconds)", str(server["grace_seconds"]))
    if "shutdown-timeout" in flags:
        yield "drain time (--shutdown-timeout)", _flag("shutdown-timeout", flags["shutdown-timeout"])
    for name in sorted(flags.keys() - _OWN_FLAGS):
        yield f"--{name}", _flag(name, flags[name])
    for name in server["unknown"]:
        yield _said(f"--{name}", "a value that only the cluster knows")


def image_parts(image: str) -> tuple[str, str, str]:
    """Name, tag and digest of an image; what it lacks is empty."""
    rest, _, digest = image.partition("@")
    folder, slash, last = rest.rpartition("/")
    name, _, tag = last.partition(":")
    return f"{folder}{slash}{name}", tag, digest


def _flag(name: str, value: Json) -> _Value:
    words = [
        str(one).lower() if isinstance(one, bool) else str(one)
        for one in (value if isinstance(value, list) else [value])
    ]
    shown = ", ".join(words)
    # 2 and "2" start the same server.
    return _Value(shown, "(hidden)" if credentials.is_name_of_one(name) else shown)


def _costs(one: Environment) -> Iterator[tuple[str, _Value]]:
    if one.price is None:
        return
    for word, gpus in (("at the peak", one.peak_gpus), ("steady", one.steady_gpus)):
        yield _said(f"cost per hour, {word}", f"{one.cost(gpus):,.2f}")
    yield _said("cost per month, steady", f"{one.cost(one.steady_gpus, plan.HOURS_PER_MONTH):,.2f}")


def total(old: Sequence[Environment], new: Sequence[Environment]) -> Iterator[Delta]:
    """What differs of all environments together."""
    before, after = (sum(one.peak_gpus for one in side) for side in (old, new))
    if before != after:
        yield Delta("GPUs at the peak", str(before), str(after))
    costs = [[one.cost(one.steady_gpus, plan.HOURS_PER_MONTH) for one in side] for side in (old, new)]
    if any(None in side for side in costs):
        return
    before_cost, after_cost = (f"{sum(one or 0 for one in side):,.2f}" for side in costs)
    if before_cost != after_cost:
        yield Delta("cost per month, steady", before_cost, after_cost)
