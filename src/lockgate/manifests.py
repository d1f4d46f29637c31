"""Plain YAML as it gets applied, no kustomization: files, folders, standard input in, objects out.

What holds no object of a cluster is told with its reason, never passed over: charts and kustomizations
that must be built first, templates, files of other programs. A file that cannot be read is an error.
"""

from __future__ import annotations

import os
import re
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.errors import LockgateError
from lockgate.model import Json, LeftOut
from lockgate.trace.files import KUSTOMIZATION_NAMES, Sources
from lockgate.trace.identity import Resource
from lockgate.trace.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lockgate.model import Overlay
    from lockgate.trace.source import Node

STDIN = "stdin"
"""What standard input is called where it does not say itself what its parts are."""

_SUFFIXES = (".yaml", ".yml", ".json")
_NOT_ENTERED = {".git", ".nox", ".terraform", ".tox", ".venv", "__pycache__", "node_modules", "venv"}
_SOURCE = re.compile(r"# Source: (\S.*)")
_SEPARATOR = re.compile(r"---\s*(?:#.*)?$")
_TEMPLATE = re.compile(r"\{\{|\{%|%\{|<%|<<[^:]|\[%")
_NO_CLUSTER = re.compile(
    # Files with apiVersion and kind that programs read at their own start.
    r"(kustomize\.config\.k8s\.io|kind\.x-k8s\.io|kubeadm\.k8s\.io|kubelet\.config\.k8s\.io|kubescheduler\.config\.k8s\.io"
    r"|kubeproxy\.config\.k8s\.io|apiserver\.(config\.)?k8s\.io|audit\.k8s\.io|client\.authentication\.k8s\.io"
    r"|controller-runtime\.sigs\.k8s\.io|eksctl\.io|skaffold|k3d\.io|kpt\.dev|config\.kubernetes\.io"
    r"|imageset\.openshift\.io|mirror\.openshift\.io|install\.openshift\.io)(/.*)?|v1 Config|v\d+ (Chart|Values)"
)
_BOOLEANS = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
}
"""kubectl and Argo CD read plain YAML as YAML 1.1 says."""

CHART = "Helm charts, to be checked as output of `helm template`"
KUSTOMIZATION = "kustomizations, to be checked each by its folder"
TEMPLATE = "templates, to be filled in before they are YAML"
CRD = "files of CustomResourceDefinitions"
OTHER = "files without a Kubernetes object"
CLIENT = "files that programs read and no cluster"
TWICE = "objects that stand a second time, of which the first was judged: check the other file by itself"
PATCH = "files of patches, to be checked with their kustomization"
UNREADABLE = "files that cannot be read"
"""Reasons to leave something out."""


@dataclass(slots=True)
class Manifests:
    """What was read.

    Attributes:
        objects: The objects, in the order of their files.
        state: The same as a build of which the trace knows the lines.
        reasons: Names of what was left out, by reason.
        unreadable: One error for each file that cannot be read.
        template: What keeps the last template from being YAML.
        places: Where each object begins, by group, kind, namespace and name.
    """

    objects: list[dict[str, Json]] = field(default_factory=list)
    state: State = field(default_factory=lambda: State(Sources(Path())))
    reasons: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    unreadable: list[LockgateError] = field(default_factory=list)
    template: LockgateError | None = None
    places: dict[tuple[str, ...], Node] = field(default_factory=dict)

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What was left out, for the report."""
        return tuple(LeftOut(reason, tuple(sorted(names))) for reason, names in sorted(self.reasons.items()))


def read(sources: Sources, overlay: Overlay, *, skip_unreadable: bool = False) -> Manifests:
    """The objects of an environment of plain YAML.

    Args:
        sources: The files; standard input is added to them.
        overlay: Names a folder, a file or standard input.
        skip_unreadable: Whether a file that cannot be read is only told.

    Raises:
        LockgateError: A file cannot be read, or there is no object at all.
    """
    found = Manifests(state=State(sources))
    place = sources.root / overlay.path
    if overlay.path == "-":
        files = _standard_input(sources)
    elif place.is_dir():
        files = [name if overlay.path == "." else f"{overlay.path}/{name}" for name in _walk(place, found)]
    else:
        files = [overlay.path]
    for file in files:
        _take_in(found, sources, file)
    _complain(found, overlay, alone=len(files) == 1, skip_unreadable=skip_unreadable)
    return found


def _standard_input(sources: Sources) -> list[str]:
    """Takes in standard input; Helm's comments say which template each part came from."""
    try:
        text = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{STDIN}: not UTF-8 text: byte {error.object[error.start]:#04x}"
        raise LockgateError(message, "pipe YAML into it, such as the output of `helm template`") from error
    parts = _by_template(text) if _SOURCE.search(text) else {STDIN: text}
    for name, content in parts.items():
        sources.add(name, content)
    return list(parts)


def _by_template(text: str) -> dict[str, str]:
    """The documents of Helm's output, put together by template: line 1 is the first that it wrote."""
    parts: dict[str, list[str]] = defaultdict(list)
    name, fresh = STDIN, False
    for line in text.split("\n"):
        source = _SOURCE.fullmatch(line.rstrip()) if fresh else None
        if _SEPARATOR.match(line):
            name, fresh = STDIN, True
            continue
        if source:
            name = source[1]
        if fresh and parts[name]:
            parts[name].append("---")
        fresh = False
        if not source:
            parts[name].append(line)
    return {name: "\n".join(lines) for name, lines in parts.items() if "".join(lines).strip()}


def _walk(folder: Path, found: Manifests) -> Iterator[str]:
    """Files of manifests below a folder, relative to it; what must be built first is left out."""
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _NOT_ENTERED)
        inside = Path(here).relative_to(folder).as_posix()
        prefix = "" if inside == "." else f"{inside}/"
        reason = CHART if "Chart.yaml" in files else KUSTOMIZATION if set(KUSTOMIZATION_NAMES) & set(files) else ""
        if reason:
            found.reasons[reason].append(inside)
            folders.clear()
            continue
        yield from (f"{prefix}{name}" for name in sorted(files) if name.endswith(_SUFFIXES))


def _take_in(found: Manifests, sources: Sources, file: str) -> None:
    """Adds the objects of a file, or notes why it has none."""
    try:
        text = sources.text(file)
        if file.endswith(".json") and not ('"apiVersion"' in text and '"kind"' in text):
            return  # not a word about each package.json
        documents = sources.documents(file)
    except LockgateError as error:
        if _TEMPLATE.search(sources.text(file) if sources.is_text(file) else ""):
            found.reasons[TEMPLATE].append(file)
            hint = "it is a template: fill it in, for one with `helm template`, and check what comes out"
            found.template = LockgateError(error.message, hint)
        else:
            found.unreadable.append(error)
        return
    found.state.files[file] = None
    reasons = {reason for document in documents for reason in _add(found, document)}
    if not documents or reasons == {OTHER}:
        found.reasons[OTHER].append(file)
    elif reasons - {"", OTHER}:
        found.reasons[min(reasons - {"", OTHER})].append(file)


def _add(found: Manifests, node: Node) -> Iterator[str]:
    """Takes in one document; yields why it is no object, or nothing to say."""
    api, kind = node.text("apiVersion"), node.text("kind")
    metadata = node.get("metadata")
    if not (api and kind):
        yield OTHER
    elif metadata is not None and metadata.value is not None and not isinstance(metadata.value, dict):
        yield TEMPLATE  # something else fills it in
    elif kind.endswith("List") and node.get("items") is not None:
        for item in node.items("items"):
            yield from _add(found, item)
    elif _NO_CLUSTER.fullmatch(api) or _NO_CLUSTER.fullmatch(f"{api} {kind}"):
        yield CLIENT
    elif kind == "CustomResourceDefinition":
        yield CRD
    elif node.get("$patch") is not None:
        yield PATCH
    else:
        yield ""
        _add_object(found, node)


def _add_object(found: Manifests, node: Node) -> None:
    group = node.text("apiVersion").rpartition("/")[0]
    kind, name = node.text("kind"), node.text("metadata", "name")
    identity = (group, kind, node.text("metadata", "namespace"), name)
    first = found.places.get(identity) if name else None
    if first is not None:
        found.reasons[TWICE].append(f"{kind}/{name} ({node.file}:{node.line}, first {first.file}:{first.line})")
        found.state.twice.append((first, node))
        return
    found.places[identity] = node
    found.objects.append(plain(node))
    found.state.resources.append(Resource(node))


def plain(node: Node) -> Json:
    """The JSON value of a tree, with booleans as YAML 1.1 has them."""
    value = node.value
    if isinstance(value, dict):
        return {key: plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return [plain(child) for child in value]
    return _BOOLEANS.get(value, value) if isinstance(value, str) and not node.style else value


def _complain(found: Manifests, overlay: Overlay, *, alone: bool, skip_unreadable: bool) -> None:
    """An answer about half of what was given is none."""
    if alone and (found.unreadable or found.template):
        raise found.template or found.unreadable[0]
    if found.unreadable and not skip_unreadable:
        said = "; ".join(error.message for error in found.unreadable[:_SHOWN])
        more = len(found.unreadable) - _SHOWN
        message = f"{UNREADABLE} ({len(found.unreadable)}): {said}{f'; and {more} more' if more > 0 else ''}"
        raise LockgateError(message, "mend them, or judge the others and list these with --skip-unreadable")
    if found.unreadable:
        found.reasons[UNREADABLE] += [error.message for error in found.unreadable]
    if not found.objects:
        where = "standard input" if overlay.path == "-" else overlay.path
        message = f"{where}: no Kubernetes object, so nothing to check"
        raise LockgateError(message, _hint(found.left_out))


_SHOWN = 3


def _hint(left_out: Sequence[LeftOut]) -> str:
    """What there is instead of objects."""
    if not left_out:
        return "name a folder or file of manifests, or pipe them into `lockgate check -`"
    return "there are only " + "; ".join(f"{one.reason} ({', '.join(one.names[:_SHOWN])})" for one in left_out)
