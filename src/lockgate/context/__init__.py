"""What rules need and cannot read off an environment's objects: keys of their `input` beside the objects.

One module per key. A rule must stay silent when its key is absent: stock `opa` and `conftest` know the
objects only, unless they get the document that `lockgate export input` writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.context import schema
from lockgate.context.sources import Files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lockgate.context.applications import Delivery
    from lockgate.discover import Repository
    from lockgate.model import Json, Rendering

__all__ = ["Files", "gather", "without_schema"]


def gather(
    repository: Repository, rendering: Rendering, kustomize: Json, delivery: Delivery, files: Files
) -> dict[str, Json]:
    """The context of one environment.

    Args:
        repository: The repository that is gated.
        rendering: The environment's objects.
        kustomize: What the trace knows of the kustomizations: `entries` and `generators`.
        delivery: What the repository tells Argo CD.
        files: What the builds read.

    Raises:
        LockgateError: A source or a schema cannot be read.
    """
    settings, name = repository.settings, rendering.overlay.environment
    return {
        "kustomize": kustomize,
        "schema": schema.facts(repository.root, settings.versions.kubernetes, settings.schemas, rendering.objects),
        "sources": files.facts(name),
        **delivery.of_environment(name, settings.environments[name].namespace),
    }


def without_schema(documents: Iterable[Mapping[str, Json]]) -> tuple[str, ...]:
    """Kinds of all environments that no schema is there for, sorted."""
    return tuple(sorted({kind for one in documents for kind in one.get("schema", {}).get("unknown", ())}))
