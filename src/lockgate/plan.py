"""What each environment takes at the peak of a change and between changes: facts and settings in, sums out.

The facts come from `policies/facts.rego`, the same that CST001 and VLM002 judge by; here they are only added up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lockgate.model import Json
    from lockgate.settings import Settings

FACTS = ("peak", "controllers", "servers")
"""What must have been computed."""

HOURS_PER_MONTH = 730
"""365 days of 24 hours in 12 months."""

_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Memory:
    """Whether a server's model fits the GPUs of its pod.

    Attributes:
        server: Its container, or workload and container where several servers have that name.
        fits: Whether it does; None where nobody can tell.
        gpus: GPUs of the pod, 0 where there is no sum.
        need: Bytes that it wants of all of them together, 0 where there is no sum.
        have: Bytes that vLLM takes of them, 0 where there is no sum.
        words: The sum, or why there is none.
    """

    server: str
    fits: bool | None
    gpus: int
    need: int
    have: int
    words: str

    @property
    def verdict(self) -> str:
        """Whether it fits, with both numbers for one GPU where there is a sum."""
        verdict = {True: "fits", False: "does not fit", None: "not covered"}[self.fits]
        if not self.gpus:
            return verdict
        need, have = (f"{size / self.gpus / _GIB:.1f}" for size in (self.need, self.have))
        return f"{verdict}: {need} of {have} GiB a GPU"

    def __str__(self) -> str:
        return f"{self.server}: {self.verdict}: {self.words}"


@dataclass(frozen=True, slots=True)
class Environment:
    """What one environment takes.

    Attributes:
        name: Its name.
        pool: Its pool of GPU nodes, empty for none.
        cluster: Its cluster, empty for none.
        peak_pods: Pods with GPUs at the worst moment.
        peak_gpus: Their GPUs.
        terms: How that number comes about.
        steady_pods: Pods with GPUs between changes, autoscalers at their minimum.
        steady_gpus: Their GPUs.
        budget: The most GPUs that it may use; None when nobody says.
        price: Of one GPU for an hour; None when nobody says.
        memory: Each server's.
    """

    name: str
    pool: str
    cluster: str
    peak_pods: int
    peak_gpus: int
    terms: str
    steady_pods: int
    steady_gpus: int
    budget: int | None
    price: float | None
    memory: tuple[Memory, ...]

    @property
    def above_budget(self) -> bool:
        """Whether the peak is more than the environment may use."""
        return self.budget is not None and self.peak_gpus > self.budget

    def cost(self, gpus: int, hours: int = 1) -> float | None:
        """The price of so many GPUs for so long; None when nobody says what one costs."""
        return None if self.price is None else round(gpus * self.price * hours, 6)


@dataclass(frozen=True, slots=True)
class Shared:
    """GPUs that environments share.

    Attributes:
        kind: `pool` or `cluster`.
        name: Its name in lockgate.yaml.
        gpus: How many there are.
        peaks: GPUs at the peak by environment.
    """

    kind: str
    name: str
    gpus: int
    peaks: Mapping[str, int]

    @property
    def together(self) -> int:
        """All peaks at once."""
        return sum(self.peaks.values())

    def __str__(self) -> str:
        words = " + ".join(f"{name} {gpus}" for name, gpus in self.peaks.items())
        return f"{self.kind} {self.name}: {words} = {self.together} of {self.gpus} GPUs"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a repository takes.

    Attributes:
        environments: In the settings' order.
        shared: Pools and clusters whose GPUs are counted.
        not_counted: Objects whose pods nobody counts, each `Kind/name (environment)`.
    """

    environments: tuple[Environment, ...]
    shared: tuple[Shared, ...]
    not_counted: tuple[str, ...]


def of(settings: Settings, facts: Mapping[str, Mapping[str, Json]], not_counted: Sequence[str]) -> Plan:
    """The plan of a repository.

    Args:
        settings: The team's numbers.
        facts: `FACTS` by environment.
        not_counted: Objects whose pods nobody counts.
    """
    environments = tuple(_environment(settings, name, found) for name, found in facts.items())
    return Plan(environments, tuple(_shared(settings, environments)), tuple(not_counted))


def _environment(settings: Settings, name: str, facts: Mapping[str, Json]) -> Environment:
    known = settings.environments[name]
    pool = settings.pools.get(known.pool)
    controllers = facts["controllers"]
    return Environment(
        name=name,
        pool=known.pool,
        cluster=known.cluster,
        peak_pods=facts["peak"]["pods"],
        peak_gpus=facts["peak"]["gpus"],
        terms=facts["peak"]["terms"],
        steady_pods=sum(one["fewest"] for one in controllers),
        steady_gpus=sum(one["fewest"] * one["gpus_per_pod"] for one in controllers),
        budget=known.gpu_budget,
        price=pool.gpu_hour if pool else None,
        memory=tuple(_memory(server, facts["servers"]) for server in facts["servers"]),
    )


def _memory(server: Mapping[str, Json], servers: Sequence[Mapping[str, Json]]) -> Memory:
    fit = server["memory"]
    words = fit.get("why") or f"{fit['needs']}, of {fit['offers']}"
    alone = sum(one["container"] == server["container"] for one in servers) == 1
    name = server["container"] if alone else server["id"]
    return Memory(name, fit.get("fits"), fit.get("gpus", 0), fit.get("need", 0), fit.get("have", 0), words)


def _shared(settings: Settings, environments: Sequence[Environment]) -> Iterator[Shared]:
    for kind, known in (("pool", settings.pools), ("cluster", settings.clusters)):
        for name, one in known.items():
            peaks = {e.name: e.peak_gpus for e in environments if name == (e.pool if kind == "pool" else e.cluster)}
            if peaks and one.gpus is not None:
                yield Shared(kind, name, one.gpus, peaks)
