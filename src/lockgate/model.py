"""The values that pass between the stages. Frozen, and free of anything else in Lockgate."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Json: TypeAlias = Any
"""A decoded JSON value: None, bool, int, float, str, list or dict of such."""

Path: TypeAlias = tuple[str | int, ...]
"""Keys and list indexes from the root of an object to a field."""


LEVELS = ("dev", "canary", "prod")
"""How strict an environment is judged, and the way of a release through them."""


class Severity(enum.IntEnum):
    """How much a finding weighs, the lightest first, so that they compare."""

    NOTE = 1
    WARNING = 2
    ERROR = 3

    @classmethod
    def named(cls, name: str) -> Severity:
        """The severity called `name` (`note`, `warning`, `error`).

        Raises:
            KeyError: There is no such severity.
        """
        return cls[name.upper()]

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Overlay:
    """One environment's place in the repository.

    Attributes:
        environment: Its name, a key of `environments` in `lockgate.yaml`.
        level: `dev`, `canary` or `prod`: which severities hold.
        path: Folder of its kustomization, POSIX, relative to the repository root; for plain YAML a folder, a
            file, or `-` for standard input.
        plain: Whether it is YAML as it gets applied, and no kustomization.
    """

    environment: str
    level: str
    path: str
    plain: bool = False


@dataclass(frozen=True, slots=True, order=True)
class ObjectRef:
    """Names one object: kinds Kustomization, Settings and Values name files instead of cluster objects."""

    kind: str
    name: str
    namespace: str = ""
    api_version: str = ""

    @classmethod
    def of(cls, obj: Mapping[str, Json]) -> ObjectRef:
        """The reference to a rendered object; what it lacks is empty."""
        metadata = obj.get("metadata")
        fields = metadata if isinstance(metadata, dict) else {}
        name, namespace = str(fields.get("name", "")), str(fields.get("namespace", ""))
        return cls(str(obj.get("kind", "")), name, namespace, str(obj.get("apiVersion", "")))

    @property
    def group(self) -> str:
        """The API group, empty for the core group."""
        return self.api_version.rpartition("/")[0]

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


def plain_name(ref: ObjectRef) -> str:
    """A generated object's name without kustomize's hash; any other name as it is."""
    stem, _, suffix = ref.name.rpartition("-")
    if ref.kind in {"ConfigMap", "Secret"} and stem and len(suffix) == _HASH_LENGTH:
        return stem if set(suffix) <= _HASH_LETTERS else ref.name
    return ref.name


def field_text(path: Path) -> str:
    """A field as a person writes it: `spec.containers[0].image`, `metadata.labels["app.kubernetes.io/name"]`."""
    return "".join(map(_step_text, path)).removeprefix(".")


def _step_text(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f'["{step}"]' if {".", "/"} & set(step) else f".{step}"


_HASH_LENGTH = 10
_HASH_LETTERS = set("2456789bcdfghkmt")
"""kustomize writes its hashes in these only, so that they spell no word."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """What kustomize made of one overlay.

    Attributes:
        overlay: The overlay that was rendered.
        objects: The objects in kustomize's order.
        renderer: Which program rendered it (`pykustomize`, `kustomize`, `kubectl`).
    """

    overlay: Overlay
    objects: tuple[dict[str, Json], ...]
    renderer: str


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a source file. Lines and columns count from 1; column 0 is unknown."""

    file: str
    line: int
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One condition and what is known of it, as read from its METADATA.

    Attributes:
        id: Like `GPU001`.
        family: The Rego file's name without suffix, like `gpu`.
        title: What must hold, one line.
        description: Why, and what happens in the cluster otherwise.
        severity: By level (`dev`, `canary`, `prod`); a level that is absent switches the rule off there.
        remediation: What to write, with the field's name.
        links: Sources.
        file: The Rego file, relative to the policies folder.
        line: Where its METADATA starts, from 1.
        scope: What it has to see: `object` (each object for itself), `environment`, `repository`.
    """

    id: str
    family: str
    title: str
    description: str
    severity: Mapping[str, Severity]
    remediation: str
    links: tuple[str, ...] = ()
    file: str = ""
    line: int = 1
    scope: str = "environment"


@dataclass(frozen=True, slots=True)
class Fix:
    """One edit of the one right answer to a finding, where there is one.

    Attributes:
        op: `set` a field, `remove` a field or list item, `append` an item to a list.
        path: The field in the rendered object; for `append` the list.
        value: What to write; None for `remove`.
    """

    op: str
    path: Path
    value: Json = None


@dataclass(frozen=True, slots=True)
class Violation:
    """What a rule returned for one environment, before it has a line in a source file.

    Attributes:
        rule: The rule's id.
        message: Wanted and found, one line.
        object: Whose field it is.
        path: The field in the rendered object; a missing field's path is the one it should have.
        also: Other places that may be the culprit (see `lockgate.evaluate`).
        environment: Where it was found; empty for the repository document.
        environments: Set by repository rules that concern certain environments only.
        severity: Lowered severity, if the rule gave one.
        fix: The one right answer, if the rule gave one: edits of the object.
    """

    rule: str
    message: str
    object: ObjectRef
    path: Path
    also: tuple[tuple[ObjectRef, Path], ...] = ()
    environment: str = ""
    environments: tuple[str, ...] = ()
    severity: Severity | None = None
    fix: tuple[Fix, ...] = ()


@dataclass(frozen=True, slots=True)
class Exemption:
    """A finding that the team accepts for a while: rule, object, reason, owner, expiry.

    Attributes:
        index: Its position in `exemptions` of `lockgate.yaml`, from 0.
        rule: Rule id.
        object: `Kind/name`.
        environments: Where it holds; empty for all.
        expires: Last day on which it holds, `YYYY-MM-DD`; empty when missing.
        field: The one field that it exempts, as `field_text` writes it; empty for all of the object's.
    """

    index: int
    rule: str
    object: str
    environments: tuple[str, ...]
    reason: str
    owner: str
    expires: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule broken, at the line to change.

    Attributes:
        rule: Rule id.
        severity: The highest of its environments.
        message: Wanted and found.
        location: The line to change.
        objects: The objects it was found on, sorted.
        path: The field in the rendered object.
        environments: Where it holds, in the settings' order.
        related: Other lines that take part, such as the base's that a patch overrides.
        exemption: Set when an exemption covers it.
        baseline: Whether the baseline has it: it was there before the gate.
        fix: The one right answer at its location, if there is one: edits of the objects.
    """

    rule: str
    severity: Severity
    message: str
    location: Location
    objects: tuple[ObjectRef, ...]
    path: Path
    environments: tuple[str, ...]
    related: tuple[Location, ...] = ()
    exemption: Exemption | None = None
    baseline: bool = False
    fix: tuple[Fix, ...] = ()

    @property
    def open(self) -> bool:
        """Whether it counts: neither an exemption nor the baseline covers it."""
        return self.exemption is None and not self.baseline


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What was given to the gate and not judged, for one reason.

    Attributes:
        reason: Why, and what to do about it; ends a sentence that counts the names.
        names: Files, objects or kinds, sorted.
    """

    reason: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one run of the gate found out.

    Attributes:
        environments: Names, in the settings' order.
        objects: Rendered objects by environment.
        rules: The rules that ran, by id.
        findings: Sorted by file, line, rule, message; exempted ones included.
        not_covered: Kinds that hold pods but are not understood, each `Kind/name (environment)`.
        renderer: Which program rendered.
        engine: Which engine evaluated.
        left_out: What was given and not judged.
        without_schema: Kinds whose fields nobody knows, each `Kind (apiVersion)`.
        stale: Entries of the baseline that cover nothing, in words.
        texts: Content of files that are named in locations and are not on disk, such as standard input.
        shared: Objects by folder that is no environment's, such as `argocd`.
    """

    environments: tuple[str, ...]
    objects: Mapping[str, int]
    rules: Mapping[str, Rule]
    findings: tuple[Finding, ...]
    not_covered: tuple[str, ...] = ()
    renderer: str = ""
    engine: str = ""
    left_out: tuple[LeftOut, ...] = ()
    without_schema: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    shared: Mapping[str, int] = field(default_factory=dict)

    @property
    def open(self) -> tuple[Finding, ...]:
        """The findings that neither an exemption nor the baseline covers."""
        return tuple(finding for finding in self.findings if finding.open)
