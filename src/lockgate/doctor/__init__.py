"""What a cluster lacks for a repository: its rendered environments in, one answer per question out. Reads only."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lockgate.model import Json, Location, ObjectRef, Path, Rendering
    from lockgate.settings import Settings


class State(enum.Enum):
    """How a question was answered; `UNKNOWN` is one that the rights of the caller, or the cluster, left open."""

    FINE = "ok"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """One question and its answer.

    Attributes:
        check: What was asked about: `kubernetes`, `kinds`, `nodes`, `storage`, `metrics`, `secrets`,
            `namespaces` or `dry-run`.
        state: The answer in a word.
        text: Wanted and found, one line.
        environments: Where it counts.
        location: The line in the repository that wants it; None where no line does.
    """

    check: str
    state: State
    text: str
    environments: tuple[str, ...] = ()
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What the questions are about.

    Attributes:
        settings: The team's numbers.
        renderings: The environments.
        gpus: GPUs at the peak, by environment.
        lines: Finds the line of a field: environment, object, path.
    """

    settings: Settings
    renderings: tuple[Rendering, ...]
    gpus: Mapping[str, int]
    lines: Callable[[str, ObjectRef, Path], Location]

    def objects(self) -> list[tuple[str, dict[str, Json]]]:
        """Every rendered object with its environment."""
        return [(r.overlay.environment, obj) for r in self.renderings for obj in r.objects]
