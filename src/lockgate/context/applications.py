"""The Applications of Argo CD that the repository defines: `input.applications` and `input.projects`.

An ApplicationSet is expanded to the Applications that it makes. Each one knows where its fields are
written, so that a finding lands on the element of the list and not on the template that all share.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.context.generators import Element, Parameter, UnknownGenerator, elements, fill
from lockgate.model import LeftOut

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path as Folder

    from lockgate.model import Json, ObjectRef, Path
    from lockgate.settings import Settings

GROUP = "argoproj.io"
KINDS = frozenset({"Application", "ApplicationSet", "AppProject"})


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the repository tells Argo CD.

    Attributes:
        applications: As rules see them (see `_application`).
        projects: AppProjects, as rendered.
        left_out: ApplicationSets that only the cluster can expand.
        given: Whether the repository has a folder with Argo CD objects at all.
    """

    applications: tuple[dict[str, Json], ...] = ()
    projects: tuple[dict[str, Json], ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    given: bool = False

    def of_environment(self, name: str, namespace: str) -> dict[str, Json]:
        """The keys of one environment's input: the Applications of its overlay or its namespace, all projects."""
        if not self.given:
            return {}
        mine = [a for a in self.applications if a["environment"] == name or (namespace and _namespace(a) == namespace)]
        return {"applications": mine, "projects": list(self.projects)}

    def of_repository(self) -> dict[str, Json]:
        """The keys of the repository's input: all Applications, and whether there may be more."""
        if not self.given:
            return {}
        return {"applications": list(self.applications), "applications_complete": not self.left_out}

    def served(self, ref: ObjectRef, path: Path) -> frozenset[str] | None:
        """The environments that a field of an Argo CD object speaks of; None for any other object."""
        if ref.group != GROUP or ref.kind not in KINDS:
            return None
        mine = [a for a in self.applications if _speaks_of(a, ref, path)]
        return frozenset(a["environment"] for a in mine) - {""} or None


def read(objects: Sequence[Mapping[str, Json]], settings: Settings, root: Folder, folder: str) -> Delivery:
    """The Applications and projects among rendered objects.

    Args:
        objects: What the folder with Argo CD objects renders to.
        settings: Which overlay and namespace belong to which environment.
        root: The repository's root.
        folder: The rendered folder, for messages.
    """
    made: list[dict[str, Json]] = []
    reasons: dict[str, list[str]] = defaultdict(list)
    for obj in of_argo(objects):
        if obj.get("kind") == "Application":
            made.append(_application(obj, obj))
        elif obj.get("kind") == "ApplicationSet":
            try:
                made += _expanded(obj, root)
            except UnknownGenerator as unknown:
                reasons[f"ApplicationSets {unknown}, which only Argo CD can expand"].append(
                    f"ApplicationSet/{_ref(obj)['name']} ({folder})"
                )
    made.sort(key=lambda one: not one["element"])  # A set is the rule; an Application beside it the exception.
    _place(made, settings, root)
    projects = tuple(dict(obj) for obj in of_argo(objects) if obj.get("kind") == "AppProject")
    left_out = tuple(LeftOut(reason, tuple(sorted(names))) for reason, names in sorted(reasons.items()))
    return Delivery(tuple(made), projects, left_out, given=True)


def of_argo(objects: Sequence[Mapping[str, Json]]) -> Iterator[Mapping[str, Json]]:
    """The objects of Argo CD among others; Rollouts are of the same group and none of them."""
    for obj in objects:
        if obj.get("kind") in KINDS and str(obj.get("apiVersion")).startswith(f"{GROUP}/"):
            yield obj


def _application(obj: Mapping[str, Json], holder: Mapping[str, Json]) -> dict[str, Json]:
    """An Application as rules see it: `object` and `base` say where its fields are written.

    `origins` has the other places, by the field's path below `spec` joined with `/`; `sources` are all
    sources with their paths in plain form; `environment` is the one whose overlay it deploys.
    """
    spec = _mapping(obj.get("spec"))
    return {
        "name": _ref(obj)["name"],
        "object": _ref(holder),
        "base": ["spec"],
        "element": [],
        "origins": {},
        "spec": spec,
        "sources": list(_sources(spec)),
        "environment": "",
    }


def _expanded(obj: Mapping[str, Json], root: Folder) -> Iterator[dict[str, Json]]:
    spec = _mapping(obj.get("spec"))
    template = _mapping(spec.get("template"))
    if spec.get("templatePatch"):
        reason = "with a templatePatch"
        raise UnknownGenerator(reason)
    source = next(_sources(_mapping(template.get("spec"))), {})
    for element in elements(spec, root, str(source.get("repoURL"))):
        yield _of_element(obj, template, element, go=spec.get("goTemplate") is True)


def _of_element(
    obj: Mapping[str, Json], template: Mapping[str, Json], element: Element, *, go: bool
) -> dict[str, Json]:
    """The Application that one element makes of the template."""
    name = _mapping(template.get("metadata")).get("name")
    if isinstance(name, str):
        name = fill(name, element.parameters, go=go).value
    filler = _Filler(element.parameters, go=go)
    spec = filler.filled(template.get("spec"), ("spec", "template", "spec"), ())
    made = _application({"metadata": {"name": name}, "spec": spec}, obj)
    return {**made, "base": ["spec", "template", "spec"], "element": list(element.path), "origins": filler.origins}


class _Filler:
    """Fills in the placeholders of a template and notes where each value comes from."""

    def __init__(self, parameters: Mapping[str, Parameter], *, go: bool) -> None:
        self._parameters = parameters
        self._go = go
        self.origins: dict[str, list[list[str | int]]] = {}

    def filled(self, value: Json, path: Path, below: Path) -> Json:
        """A value of the template; `path` is its place in the ApplicationSet, `below` that in the spec."""
        if isinstance(value, dict):
            return {key: self.filled(item, (*path, key), (*below, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.filled(item, (*path, i), (*below, i)) for i, item in enumerate(value)]
        if not isinstance(value, str) or "{{" not in value:
            return value
        text = fill(value, self._parameters, go=self._go)
        written = [list(p.path) for p in text.parameters]
        # A text that is nothing but a placeholder says nothing itself: the element decides.
        self.origins["/".join(map(str, below))] = written if text.whole else [list(path), *written]
        return text.value


def _sources(spec: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
    """All sources of an Application: `field` below the spec, `path` without `./` and a slash at its end.

    With a hydrator the dry source has the path, and no revision that anyone would pin.
    """
    listed = spec.get("sources")
    if isinstance(listed, list) and listed:
        for i, one in enumerate(listed):
            yield _source(one, ["sources", i])
    elif isinstance(spec.get("source"), dict):
        yield _source(spec["source"], ["source"])
    else:
        hydrator = _mapping(spec.get("sourceHydrator"))
        if isinstance(hydrator.get("drySource"), dict):
            yield _source(hydrator["drySource"], ["sourceHydrator", "drySource"]) | {"hydrated": True}


def _source(value: Json, place: list[str | int]) -> dict[str, Json]:
    source = _mapping(value)
    path = source.get("path")
    return {
        "field": place,
        "repoURL": source.get("repoURL"),
        "path": _plain(path) if isinstance(path, str) and path else "",
        "git": not source.get("chart") and not str(source.get("repoURL")).startswith("oci://"),
        "hydrated": False,
        "revision": source.get("targetRevision"),
        "exists": None,
    }


def _place(applications: Sequence[dict[str, Json]], settings: Settings, root: Folder) -> None:
    """Finds the environment of each Application, and which paths lead nowhere.

    Which repository is this one, only the Applications themselves say: those that deploy an overlay,
    else those that deploy into the namespace of an environment.
    """
    overlays = {_plain(environment.overlay): name for name, environment in settings.environments.items()}
    namespaces = {environment.namespace for environment in settings.environments.values()} - {""}
    for application in applications:
        found = [overlays[s["path"]] for s in application["sources"] if s["git"] and s["path"] in overlays]
        application["environment"] = found[0] if found else ""
    paths = [(a, s) for a in applications for s in a["sources"] if s["git"] and s["path"]]
    own = {_repository(s["repoURL"]) for _, s in paths if s["path"] in overlays}
    own = own or {_repository(s["repoURL"]) for a, s in paths if _namespace(a) in namespaces}
    for _, source in paths:
        if _repository(source["repoURL"]) in own:
            source["exists"] = _is_folder(root / source["path"])


def _is_folder(path: Folder) -> bool:
    try:
        return path.is_dir()
    except OSError:  # A name that no file system can hold.
        return False


def _plain(path: str) -> str:
    return posixpath.normpath(path.strip("/"))


def _repository(url: Json) -> str:
    """A repository's URL as Argo CD compares it: without suffix, in small letters."""
    return str(url).lower().rstrip("/").removesuffix(".git")


def _speaks_of(application: Mapping[str, Json], ref: ObjectRef, path: Path) -> bool:
    """Whether a field of an Argo CD object says something of an Application."""
    if ref.kind == "AppProject":
        return bool(application["spec"].get("project") == ref.name)
    holder, element = application["object"], application["element"]
    if (holder["kind"], holder["namespace"], holder["name"]) != (ref.kind, ref.namespace, ref.name):
        return False
    in_generators = path[:2] == ("spec", "generators")
    return not in_generators or list(path[: len(element)]) == element or len(path) < len(element)


def _namespace(application: Mapping[str, Json]) -> str:
    """The namespace that an Application deploys into."""
    return str(_mapping(application["spec"].get("destination")).get("namespace", ""))


def _ref(obj: Mapping[str, Json]) -> dict[str, str]:
    metadata = _mapping(obj.get("metadata"))
    given = {
        "apiVersion": obj.get("apiVersion"),
        "kind": obj.get("kind"),
        "namespace": metadata.get("namespace"),
        "name": metadata.get("name"),
    }
    return {key: value if isinstance(value, str) else "" for key, value in given.items()}


def _mapping(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}
