"""What rules need and cannot read off an environment's objects: keys of their `input` beside the objects.

One module per key. A rule must stay silent when its key is absent: stock `opa` and `conftest` know the
objects only, unless they get the document that `lockgate export input` writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lockgate.context import adapter, queries, recorded, schema
from lockgate.context.sources import Files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lockgate.context.applications import Delivery
    from lockgate.discover import Repository
    from lockgate.model import Json, Rendering

__all__ = ["Declared", "Files", "declared", "from_objects", "gather", "without_schema"]


class Declared(NamedTuple):
    """Metrics that files of the repository declare for all environments.

    Attributes:
        adapter: Rules of prometheus-adapter.
        recorded: Names of recording rules.
    """

    adapter: Sequence[Json] = ()
    recorded: Sequence[str] = ()


def declared(repository: Repository) -> Declared:
    """What the files of a repository declare; nothing of a foreign one, whose files may be anybody's.

    Raises:
        LockgateError: A file that the settings name cannot be read.
    """
    if repository.foreign:
        return Declared()
    return Declared(adapter.read(repository), recorded.of_files(repository.root))


def gather(
    repository: Repository, rendering: Rendering, kustomize: Json, delivery: Delivery, files: Files, known: Declared
) -> dict[str, Json]:
    """The context of one environment.

    Args:
        repository: The repository that is gated.
        rendering: The environment's objects.
        kustomize: What the trace knows of the kustomizations: `entries` and `generators`.
        delivery: What the repository tells Argo CD.
        files: What the builds read.
        known: Metrics that the repository's files declare.

    Raises:
        LockgateError: A source or a schema cannot be read.
    """
    settings, name = repository.settings, rendering.overlay.environment
    return {
        "kustomize": kustomize,
        "schema": schema.facts(repository.root, settings.versions.kubernetes, settings.schemas, rendering.objects),
        "sources": files.facts(name),
        **from_objects(rendering.objects, known),
        **({"partial": True} if repository.foreign else {}),
        **delivery.of_environment(name, settings.environments[name].namespace),
    }


def from_objects(objects: Sequence[Mapping[str, Json]], known: Declared | None = None) -> dict[str, Json]:
    """The keys that come from the objects of one environment."""
    in_files = known or Declared()
    rules = adapter.gather(in_files.adapter, objects)
    return {
        "adapter": rules,
        "queries": queries.gather(objects, rules),
        "recorded": sorted({*in_files.recorded, *recorded.of_objects(objects)}),
    }


def without_schema(documents: Iterable[Mapping[str, Json]]) -> tuple[str, ...]:
    """Kinds of all environments that no schema is there for, sorted."""
    return tuple(sorted({kind for one in documents for kind in one.get("schema", {}).get("unknown", ())}))
