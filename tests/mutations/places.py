"""Where a fault can be written: a patch in the base, a component, a release or an overlay."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edits.model import ALL, UPPER

if TYPE_CHECKING:
    from pathlib import Path

    from mutations.seeds import Seed

PATCH = "seeded-fault.yaml"


@dataclass(frozen=True)
class Place:
    """A kustomization that takes a patch.

    Attributes:
        folder: Where it lies.
        environments: Those that build it.
        base: Only what lies in base/ can be patched there.
    """

    folder: str
    environments: tuple[str, ...]
    base: bool = False

    def holds(self, seed: Seed) -> bool:
        """Whether the seed's object is built here, and the fault is one in some environment."""
        if (self.base and not seed.in_base) or (seed.overlaid and not self.is_overlay):
            return False
        return set(self.environments) <= set(seed.built) and bool(set(self.environments) & set(seed.environments))

    @property
    def is_overlay(self) -> bool:
        """Whether its patches are the last ones of an environment."""
        return self.folder.startswith("overlays/") and not self.folder.endswith("/release")

    def write(self, root: Path, seed: Seed) -> None:
        """Adds the patch to the kustomization, as the last of its patches."""
        folder = root / self.folder
        (folder / PATCH).write_text(seed.patch(), encoding="utf-8")
        file = folder / "kustomization.yaml"
        text = file.read_text(encoding="utf-8").rstrip() + "\n"
        patches = re.search(r"^patches:\n(?:[ #-].*\n)*", text, re.MULTILINE)
        if patches:
            file.write_text(text[: patches.end()] + seed.entry(PATCH) + text[patches.end() :], encoding="utf-8")
        else:
            file.write_text(f"{text}patches:\n{seed.entry(PATCH)}", encoding="utf-8")


PLACES = (
    Place("base", ALL, base=True),
    Place("components/labels", ALL),
    Place("components/progressive", UPPER),
    *(Place(f"overlays/{name}/release", (name,)) for name in ALL),
    *(Place(f"overlays/{name}", (name,)) for name in ALL),
)


@dataclass(frozen=True)
class Mutation:
    """One seed at one place."""

    seed: Seed
    place: Place

    @property
    def id(self) -> str:
        """Rule, what is broken, and where."""
        return f"{self.seed.rule}-{self.seed.what}-{self.place.folder.replace('/', '-')}"

    @property
    def environments(self) -> tuple[str, ...]:
        """Where the rule must report it."""
        return tuple(name for name in self.place.environments if name in self.seed.environments)

    @property
    def blamed(self) -> tuple[str, int]:
        """File and line of the seeded fault."""
        lines = self.seed.patch().splitlines()
        [line] = [number for number, text in enumerate(lines, 1) if text.endswith("# fault")]
        return f"{self.place.folder}/{PATCH}", line
