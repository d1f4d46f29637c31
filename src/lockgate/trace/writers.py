"""The transformers of a kustomization, replayed: each writes nodes that say which line wrote them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from lockgate.trace.schema import (
    CLAIM_LABELS,
    COMMON_ANNOTATIONS,
    COMMON_LABELS,
    IMAGE_VOLUMES,
    METADATA_LABELS,
    NAMESPACE,
    REPLICAS,
    TEMPLATE_LABELS,
    FieldSpec,
    is_cluster_scoped,
)
from lockgate.trace.source import Node, scalar
from lockgate.trace.state import Entry, State, read_spec, write_field

if TYPE_CHECKING:
    from lockgate.trace.files import Kustomization
    from lockgate.trace.identity import Resource


def set_namespace(state: State, kustomization: Kustomization) -> None:
    """`namespace`: into the metadata of whatever has one, and the few fields that repeat it."""
    by = kustomization.node.get("namespace")
    if by is None or not by.raw:
        return
    specs = state.field_specs("namespace", NAMESPACE)
    for resource in state.resources:
        resource.remember()
        one = resource.current
        if not is_cluster_scoped(one.api_version, one.kind):
            resource.node = _write(resource.node, FieldSpec("metadata/namespace"), by)
        for spec in specs:
            if spec.holds_for(one.group, one.version, one.kind) and spec.path != "metadata/namespace":
                resource.node = _write(resource.node, spec, by)
        if one.kind in {"RoleBinding", "ClusterRoleBinding"}:
            resource.node = _write_subjects(resource.node, by)


def _write(node: Node, spec: FieldSpec, by: Node) -> Node:
    return write_field(node, spec.path.split("/"), lambda old: _text_over(old, by), by.place if spec.create else None)


def _text_over(old: Node | None, by: Node) -> Node:
    return by.changed(by.raw).replacing(old)


def _write_subjects(node: Node, by: Node) -> Node:
    """Role bindings: only subjects named `default` follow the namespace."""
    subjects = [
        item.changed({**item.fields(), "namespace": _text_over(item.get("namespace"), by)})
        if item.text("name") == "default"
        else item
        for item in node.items("subjects")
    ]
    if not subjects:
        return node
    return node.changed({**node.fields(), "subjects": node.fields()["subjects"].changed(subjects)})


def add_affixes(state: State, kustomization: Kustomization) -> None:
    """`namePrefix`, then `nameSuffix`."""
    for field in ("namePrefix", "nameSuffix"):
        by = kustomization.node.get(field)
        if by is None or not by.raw:
            continue
        for resource in state.resources:
            if not _keeps_name(resource):
                resource.remember()
                name = resource.node.text("metadata", "name")
                new = scalar(by.raw + name if field == "namePrefix" else name + by.raw, by.place)
                resource.node = write_field(resource.node, ["metadata", "name"], new.replacing, None)


def _keeps_name(resource: Resource) -> bool:
    one = resource.original
    return one.kind in {"CustomResourceDefinition", "Namespace"} or (one.group, one.kind) == (
        "apiregistration.k8s.io",
        "APIService",
    )


def add_labels(state: State, kustomization: Kustomization) -> None:
    """`labels` in their order, then `commonLabels`."""
    for index, entry in enumerate(kustomization.node.items("labels")):
        pairs = entry.get("pairs")
        if pairs is not None and pairs.fields():
            _add_pairs(state, kustomization, ("labels", index), pairs, _label_specs(state, entry))
    common = kustomization.node.get("commonLabels")
    if common is not None and common.fields():
        specs = state.field_specs("commonLabels", COMMON_LABELS)
        _add_pairs(state, kustomization, ("commonLabels",), common, specs)


def _label_specs(state: State, entry: Node) -> list[FieldSpec]:
    def is_on(name: str) -> bool:
        node = entry.get(name)
        return node is not None and node.value is True

    specs = [*map(read_spec, [*entry.items("fields"), *entry.items("fieldSpecs")]), *state.specs.get("labels", ())]
    if is_on("includeSelectors"):
        return [*specs, *state.field_specs("commonLabels", COMMON_LABELS)]
    if is_on("includeTemplates"):
        specs += state.field_specs("templateLabels", TEMPLATE_LABELS)
    if is_on("includeVolumeClaimTemplates"):
        specs += CLAIM_LABELS
    return [*specs, *METADATA_LABELS]


def _add_pairs(
    state: State,
    kustomization: Kustomization,
    path: tuple[str | int, ...],
    pairs: Node,
    specs: list[FieldSpec],
) -> None:
    entry = Entry(kustomization.file, path, "label", "labels " + ", ".join(pairs.fields()))
    for resource in state.resources:
        entry.matched = True
        entry.changed = _write_pairs(resource, pairs, specs) or entry.changed
    state.note(entry)


def _write_pairs(resource: Resource, pairs: Node, specs: list[FieldSpec]) -> bool:
    """Write the pairs wherever the specs say; whether a value came out different."""
    one = resource.current
    changed = False

    def write(old: Node | None) -> Node | None:
        nonlocal changed
        values = dict(old.fields()) if old is not None else {}
        for key, by in pairs.fields().items():
            before = values.get(key)
            changed |= before is None or before.value != by.raw
            values[key] = _text_over(before, by)
        return (old if old is not None else Node({}, pairs.place)).changed(values)

    for spec in specs:
        if spec.holds_for(one.group, one.version, one.kind):
            made = pairs.place if spec.create else None
            resource.node = write_field(resource.node, spec.path.split("/"), write, made)
    return changed


def add_annotations(state: State, kustomization: Kustomization) -> None:
    """`commonAnnotations`."""
    pairs = kustomization.node.get("commonAnnotations")
    if pairs is not None and pairs.fields():
        specs = state.field_specs("commonAnnotations", COMMON_ANNOTATIONS)
        for resource in state.resources:
            _write_pairs(resource, pairs, specs)


def set_replicas(state: State, kustomization: Kustomization) -> None:
    """`replicas`: the count of workloads that have or had the name."""
    specs = state.field_specs("replicas", REPLICAS)
    for index, item in enumerate(kustomization.node.items("replicas")):
        name, count = item.text("name"), item.get("count")
        entry = Entry(kustomization.file, ("replicas", index), "replica", f"replicas of {name}")
        by = count if count is not None else item.changed(0)
        for resource in state.resources:
            one = resource.current
            fitting = [spec for spec in specs if spec.holds_for(one.group, one.version, one.kind)]
            if not fitting or all(it.name != name for it in resource.ids()):
                continue
            entry.matched = True
            for spec in fitting:
                old = resource.node.get(*spec.path.split("/"))
                entry.changed = entry.changed or old is None or old.value != by.value
                made = by.place if spec.create else None
                resource.node = write_field(resource.node, spec.path.split("/"), by.replacing, made)
        state.note(entry)


def set_images(state: State, kustomization: Kustomization) -> None:
    """`images` (and the older `imageTags`): name, tag and digest of matching images."""
    specs = state.field_specs("images", IMAGE_VOLUMES)
    for field in ("images", "imageTags"):
        for index, item in enumerate(kustomization.node.items(field)):
            entry = Entry(kustomization.file, (field, index), "image", f"image {item.text('name')}")
            image = _Image(item, entry)
            for resource in state.resources:
                one = resource.current
                if one.kind == "CustomResourceDefinition":
                    continue
                resource.node = image.in_containers(resource.node)
                for spec in specs:
                    if spec.holds_for(one.group, one.version, one.kind):
                        resource.node = write_field(resource.node, spec.path.split("/"), image.write, None)
            state.note(entry)


class _Image:
    """One entry of `images` at work."""

    def __init__(self, item: Node, entry: Entry) -> None:
        self._entry = entry
        self._pattern = _image_pattern(item.text("name"))
        self._name, self._tag, self._digest = (_filled(item.get(key)) for key in ("newName", "newTag", "digest"))
        self._suffix = _filled(item.get("tagSuffix"))

    def in_containers(self, node: Node) -> Node:
        """A tree with the images of every list called `containers` or `initContainers` written."""
        if isinstance(node.value, list):
            items = [self.in_containers(item) for item in node.value]
            untouched = all(one is other for one, other in zip(items, node.value, strict=True))
            return node if untouched else node.changed(list(items))
        if not isinstance(node.value, dict):
            return node
        new = {}
        for key, child in node.value.items():
            written = self.in_containers(child) if isinstance(child.value, dict | list) else child
            if key in {"containers", "initContainers"} and isinstance(written.value, list):
                written = write_field(written, ["image"], self.write, None)
            if written is not child:
                new[key] = written
        return node.changed({**node.value, **new}) if new else node

    def write(self, old: Node | None) -> Node | None:
        """The image after the entry; None when it is another image."""
        if old is None or self._pattern is None or not self._pattern.fullmatch(old.raw):
            return None
        self._entry.matched = True
        parts = _image_parts(old)
        if self._name is not None:
            parts["name"] = self._name
        if self._tag is not None or self._digest is not None:
            empty = old.changed("")
            empty.raw = ""
            parts["tag"], parts["digest"] = self._tag or empty, self._digest or empty
        elif self._suffix is not None:
            parts["tag"] = scalar(parts["tag"].raw + self._suffix.raw, self._suffix.place)
        text = _joined(parts)
        by = self._digest or self._tag or self._suffix or self._name
        if by is None:
            return None
        self._entry.changed = self._entry.changed or text != old.raw
        new = by.changed(text).replacing(old)
        new.raw, new.style = text, '"'
        new.inner = Node(dict(parts), by.place)
        return new


def _filled(node: Node | None) -> Node | None:
    return node if node is not None and node.raw else None


@lru_cache(maxsize=256)
def _image_pattern(name: str) -> re.Pattern[str] | None:
    rest = r"(:[a-zA-Z0-9_.{}-]*)?(@[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*:[a-zA-Z0-9_.{}-]*)?"
    try:
        return re.compile(name + rest)
    except re.error:
        return None


def _image_parts(node: Node) -> dict[str, Node]:
    """Name, tag and digest of an image, each with the place it was written at."""
    if node.inner is not None and node.inner.fields().keys() == {"name", "tag", "digest"}:
        return dict(node.inner.fields())
    head, slash, last = node.raw.partition("/")
    if not slash:
        head, last = "", node.raw
    rest, _, digest = last.partition("@")
    name, _, tag = rest.partition(":")
    texts = {"name": head + slash + name, "tag": tag, "digest": digest}
    return {key: scalar(text, node.place) for key, text in texts.items()}


def _joined(parts: dict[str, Node]) -> str:
    tag, digest = parts["tag"].raw, parts["digest"].raw
    return parts["name"].raw + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
