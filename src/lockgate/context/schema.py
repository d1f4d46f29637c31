"""`input.schema`: what the objects have against the schemas of their kinds, for rule API001.

{"version", "faults": [{"object", "path", "wanted", "found", "hint"}], "unknown": kinds without a schema}.
An empty `wanted` means that the field is not known. An object that had no fault is not looked at again
until it, its schema or Kubernetes' version changes.
"""

from __future__ import annotations

import difflib
import hashlib
from functools import cache as once
from typing import TYPE_CHECKING

import msgspec

from lockgate import __version__, cache
from lockgate.context import crds
from lockgate.context.kubernetes import FILE, Kubernetes
from lockgate.context.types import Fault, Type, faults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from lockgate.model import Json

_META = ("apiVersion", "kind", "metadata")
_DIGEST = 16  # bytes
_REMEMBERED = 20_000
"""Objects without fault that are kept, in all some 300 KiB."""


def facts(root: Path, version: str, folders: Sequence[str], objects: Sequence[Mapping[str, Json]]) -> dict[str, Json]:
    """What `input.schema` holds.

    Args:
        root: The repository.
        version: Kubernetes' version like `1.36`; empty for the newest that is known.
        folders: Folders with further schemas, relative to the root.
        objects: The rendered objects.

    Raises:
        LockgateError: A schema cannot be read.
    """
    files = tuple(crds.files(root, folders))
    schemas = _schemas(root, version, files, _state(version, files))
    found = [
        {
            "object": _ref(obj),
            "path": list(fault.path),
            "wanted": fault.wanted,
            "found": fault.found,
            "hint": fault.hint,
        }
        for obj in objects
        for fault in schemas.faults(obj)
    ]
    schemas.remember()
    return {"version": version, "faults": found, "unknown": sorted(schemas.unknown(objects))}


class _Schemas:
    """The schemas that hold for one repository, loaded when the first object needs one."""

    def __init__(self, root: Path, version: str, files: Sequence[Path], state: str) -> None:
        self._version, self._state = version, state
        stored = cache.read(f"{state}.valid") or b""
        self._valid = {stored[start : start + _DIGEST] for start in range(0, len(stored), _DIGEST)}
        self._known = len(self._valid)
        self._own = once(lambda: Kubernetes(version))
        self._custom = once(lambda: crds.load(root, files))
        self._kinds = once(lambda: self._custom_kinds(files))

    def faults(self, obj: Mapping[str, Json]) -> Iterator[Fault]:
        """What an object has against its schema; nothing for one that is known to be right."""
        digest = hashlib.blake2b(msgspec.json.encode(obj), digest_size=_DIGEST).digest()
        if digest in self._valid:
            return
        found = list(self._found(obj))
        yield from found
        if not found:
            self._valid.add(digest)

    def remember(self) -> None:
        """Keeps what is known to be right for the next run."""
        if len(self._valid) > self._known:
            self._known = len(self._valid)
            cache.write(f"{self._state}.valid", b"".join(sorted(self._valid)[:_REMEMBERED]))

    def unknown(self, objects: Sequence[Mapping[str, Json]]) -> set[str]:
        """Kinds that no schema is there for, like `Rollout (argoproj.io/v1alpha1)`."""
        foreign = {_gvk(obj) for obj in objects} - {(api, kind) for api, kind in map(_gvk, objects) if _is_own(api)}
        return {f"{kind} ({api})" for api, kind in foreign if f"{api} {kind}".lower() not in self._kinds()}

    def _custom_kinds(self, files: Sequence[Path]) -> frozenset[str]:
        """The kinds of the team's schemas, which are read again only when they change."""
        stored = cache.read(f"{self._state}.kinds") if files else b"[]"
        if stored is None:
            stored = msgspec.json.encode(list(self._custom()))
            cache.write(f"{self._state}.kinds", stored)
        return frozenset(msgspec.json.decode(stored, type=list[str]))

    def _found(self, obj: Mapping[str, Json]) -> Iterator[Fault]:
        if "sops" in obj:  # encrypted: what is applied is another text
            return
        api, kind = _gvk(obj)
        type_ = self._own().find(api, kind) or self._custom().get(f"{api} {kind}".lower())
        if type_ is None:
            yield from self._unknown_kind(api, kind)
            meta = self._own().find("v1", "Namespace")
            type_ = Type("fields", {key: meta.fields[key] for key in _META}, open=True) if meta else Type("any")
        # The API server ignores `status`.
        yield from faults({key: value for key, value in obj.items() if key != "status"}, type_)
        name = obj.get("metadata")
        if isinstance(name, dict) and not (name.get("name") or name.get("generateName")):
            yield Fault(("metadata", "name"), "a name", "none")

    def _unknown_kind(self, api: str, kind: str) -> Iterator[Fault]:
        """A kind of a group that is Kubernetes' own, and which this version does not have."""
        own = self._own()
        if not _is_own(api):
            return
        served = own.served(api, kind)
        if not served:
            names = {one for of, one in own.kinds() if of == api}
            close = difflib.get_close_matches(kind, names, 1) if names else []
            if names:  # a whole version that is gone is API002's
                hint = f"did you mean {close[0]!r}?" if close else ""
                yield Fault(("kind",), f"a kind of {api} in Kubernetes {own.version}", f"'{kind}'", hint)
        elif self._version and _minor(served[0]) > _minor(own.version):
            yield Fault(("apiVersion",), f"an API of Kubernetes {own.version}", f"'{api}', new in {served[0]}")


@once
def _schemas(root: Path, version: str, files: tuple[Path, ...], state: str) -> _Schemas:
    return _Schemas(root, version, files, state)


_OWN_GROUPS = frozenset((
    "", "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "apps",
    "authentication.k8s.io", "authorization.k8s.io", "autoscaling", "batch", "certificates.k8s.io",
    "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "extensions", "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io", "lifecycle.k8s.io", "networking.k8s.io", "node.k8s.io", "policy",
    "rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io", "storagemigration.k8s.io",
))  # fmt: skip
"""Kubernetes' own API groups, which no custom resource can have; said here so that they cost no reading."""


def _is_own(api: str) -> bool:
    return api.rpartition("/")[0] in _OWN_GROUPS


def _state(version: str, files: Sequence[Path]) -> str:
    """A name that changes with the schemas, without reading them."""
    parts = [__version__, version]
    for file in (FILE, *files):
        known = file.stat()
        parts += [str(file), str(known.st_size), str(known.st_mtime_ns)]
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=_DIGEST).hexdigest()


def _minor(version: str) -> int:
    return int(version.partition(".")[2])


def _gvk(obj: Mapping[str, Json]) -> tuple[str, str]:
    return str(obj.get("apiVersion", "")), str(obj.get("kind", ""))


def _ref(obj: Mapping[str, Json]) -> dict[str, str]:
    metadata = obj.get("metadata")
    names = metadata if isinstance(metadata, dict) else {}
    api, kind = _gvk(obj)
    texts = {key: names.get(key) for key in ("namespace", "name")}
    return {"apiVersion": api, "kind": kind, **{k: v if isinstance(v, str) else "" for k, v in texts.items()}}
