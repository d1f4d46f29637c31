"""What rules need and cannot read off an environment's objects: keys of their `input` beside the objects.

One module per key. A rule must stay silent when its key is absent: stock `opa` and `conftest` know the
objects only, unless they get the document that `lockgate export input` writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockgate.context.applications import Delivery
    from lockgate.discover import Repository
    from lockgate.model import Json, Rendering


def gather(repository: Repository, rendering: Rendering, kustomize: Json, delivery: Delivery) -> dict[str, Json]:
    """The context of one environment.

    Args:
        repository: The repository that is gated.
        rendering: The environment's objects.
        kustomize: What the trace knows of the kustomizations: `entries` and `generators`.
        delivery: What the repository tells Argo CD.
    """
    name = rendering.overlay.environment
    namespace = repository.settings.environments[name].namespace
    return {"kustomize": kustomize, **delivery.of_environment(name, namespace)}
