"""The folder with the Argo CD objects: what it tells Argo CD, and where that is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate import manifests
from lockgate.context import applications
from lockgate.errors import LockgateError
from lockgate.model import LeftOut, ObjectRef
from lockgate.trace import Sources, Trace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockgate.context.applications import Delivery
    from lockgate.discover import Repository
    from lockgate.model import Json, Overlay, Rendering
    from lockgate.trace.state import State

EMPTY = "folders without a Kubernetes object"


class ArgoFolder:
    """The folder's objects; empty where the repository has none.

    Args:
        repository: The repository that is gated.
        sources: Its files.
        rendered: What the folder renders to; nothing when it is plain YAML, or not there.

    Raises:
        LockgateError: The settings name a folder of plain YAML that holds no object.

    Attributes:
        delivery: The Applications and projects.
        objects: How many objects there are, by folder.
        rendered: The objects themselves, by folder.
        left_out: What the folder holds and no rule judges.
    """

    def __init__(self, repository: Repository, sources: Sources, rendered: Sequence[Rendering]) -> None:
        self.delivery: Delivery = applications.Delivery()
        self.objects: dict[str, int] = {}
        self.rendered: dict[str, tuple[dict[str, Json], ...]] = {}
        self.left_out: tuple[LeftOut, ...] = ()
        self._trace: Trace | None = None
        self._refs: frozenset[ObjectRef] = frozenset()
        overlay = repository.delivery
        if rendered:
            self._take(repository, sources, rendered[0].overlay, rendered[0].objects)
        elif overlay is not None:
            self._read(repository, sources, overlay)

    def joined(self, kustomize: Mapping[str, Json]) -> dict[str, Json]:
        """`input.kustomize` of an environment, with what this folder's kustomizations do."""
        own = self._trace.facts() if self._trace else {}
        return {key: [*entries, *own.get(key, [])] for key, entries in kustomize.items()}

    def trace_of(self, ref: ObjectRef) -> Trace | None:
        """The trace of an object of this folder; None for any other."""
        return self._trace if ref in self._refs else None

    def _read(self, repository: Repository, sources: Sources, overlay: Overlay) -> None:
        """A folder without a kustomization, which Argo CD applies as it is."""
        try:
            found = manifests.read(sources, overlay, skip_unreadable=True)
        except LockgateError:
            if repository.settings.argocd is not None:
                raise
            self.left_out = (LeftOut(EMPTY, (f"{overlay.path}/",)),)
            return
        self._take(repository, sources, overlay, found.objects, found.state)
        self.left_out += found.left_out

    def _take(
        self,
        repository: Repository,
        sources: Sources,
        overlay: Overlay,
        objects: Sequence[dict[str, Json]],
        built: State | None = None,
    ) -> None:
        self.delivery = applications.read(objects, repository.settings, repository.root, overlay.path)
        self.objects = {overlay.path: len(objects)}
        self.rendered = {overlay.path: tuple(objects)}
        self.left_out = self.delivery.left_out
        self._trace = Trace(repository.root, overlay, objects, sources, built)
        self._refs = frozenset(map(ObjectRef.of, objects))
