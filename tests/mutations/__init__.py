"""Single seeded faults, made systematically: every seed at every place where a person could write it."""

from __future__ import annotations

from mutations.places import PLACES, Mutation
from mutations.seeds import SEEDS

MUTATIONS: tuple[Mutation, ...] = tuple(
    Mutation(seed, place) for seed in SEEDS for place in PLACES if place.holds(seed)
)

__all__ = ["MUTATIONS", "Mutation"]
