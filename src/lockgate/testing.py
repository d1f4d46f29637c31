"""For authors of rules: documents in memory in, violations out; samples on disk in, verdicts out.

A sample is a YAML file of objects, `pass-*.yaml` or `fail-*.yaml`; in a failing one a comment
`# expect: GPU001` ends each faulty line. A sample `*.input.yaml` holds a whole `input` document and
`expect`, a list of {id, path}. `settings.yaml` beside the samples, or above them, is `lockgate.yaml`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import yaml

from lockgate import context, evaluate, resources, rules, yamltext
from lockgate.context import applications
from lockgate.errors import LockgateError
from lockgate.model import LEVELS, Json, ObjectRef, Overlay, Rendering, Violation
from lockgate.model import Path as FieldPath
from lockgate.settings import FILE as SETTINGS_FILE
from lockgate.settings import parse as parse_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_EXPECT = re.compile(r"#\s*expect:\s*(?P<ids>[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*)\s*$")
_DEFAULT_SETTINGS = {
    "version": 1,
    "environments": {level: {"overlay": f"overlays/{level}"} for level in LEVELS},
}

Mark: TypeAlias = tuple[str, int]
"""Rule id and line in a sample."""


def check_documents(
    objects: Sequence[Mapping[str, Json]],
    *,
    environment: str = "prod",
    settings: Mapping[str, Json] | None = None,
    policies: Path | None = None,
    engine: str = "embedded",
) -> list[Violation]:
    """What the rules say about objects in memory.

    Args:
        objects: Kubernetes objects, as rendered.
        environment: The environment to judge them for, a key of `environments` in the settings.
        settings: Content of `lockgate.yaml`; three bare environments by default.
        policies: The policies folder; the template's own by default.
        engine: `embedded`, `opa`, or the URL of an OPA server.

    Raises:
        LockgateError: Settings or policies do not fit, or the engine failed.
    """
    document = _document([dict(o) for o in objects], environment, settings or _DEFAULT_SETTINGS)
    return check_inputs([document], settings=settings, policies=policies, engine=engine)[0]


def check_inputs(
    documents: Sequence[Mapping[str, Json]],
    *,
    settings: Mapping[str, Json] | None = None,
    policies: Path | None = None,
    engine: str = "embedded",
) -> list[list[Violation]]:
    """What the rules say about whole `input` documents, each for itself.

    Rules that are off at the level of a document's environment are silent. Arguments and errors are
    those of `check_documents`.
    """
    ruleset = rules.load(policies or resources.template_root() / resources.PROJECT / "policies")
    parsed = parse_settings(yaml.safe_dump(dict(settings or _DEFAULT_SETTINGS)))
    return evaluate.judge(ruleset, parsed, documents, engine)


def _document(objects: Sequence[dict[str, Json]], environment: str, settings: Mapping[str, Json]) -> dict[str, Json]:
    """The input of one environment; Argo CD objects among the others are its Applications and projects."""
    facts = context.from_objects(objects)
    if any(applications.of_argo(objects)):
        parsed = parse_settings(yaml.safe_dump(dict(settings)))
        known = parsed.environments.get(environment)
        delivery = applications.read(objects, parsed, Path(), "samples")
        facts |= delivery.of_environment(environment, known.namespace if known else "")
    return evaluate.environment_document(Rendering(Overlay(environment, "", ""), tuple(objects), ""), facts)


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample file.

    Attributes:
        path: The file.
        rule: The rule that it belongs to, which is its folder's name.
        document: What the rules get as `input`.
        expected: What must be found, sorted: ids with the sample's lines, or with paths as text.
        settings: The settings that hold for it.
        text: The file's content, where lines are looked up; empty for an input sample.
    """

    path: Path
    rule: str
    document: Mapping[str, Json]
    expected: tuple[tuple[str, int | str], ...]
    settings: Mapping[str, Json]
    text: str

    def found(self, violations: Sequence[Violation]) -> tuple[tuple[str, int | str], ...]:
        """Violations in the form of `expected`: those of the sample's own rule.

        A sample shows one rule and leaves out what others ask for; a second rule that blames the very
        same field says the same fault twice, and is told.
        """
        blamed = {(v.object, v.path) for v in violations if v.rule == self.rule}
        told = [v for v in violations if (v.object, v.path) in blamed]
        if self.text:
            nodes = _nodes(self.text)
            return tuple(sorted({(v.rule, _line(nodes, v.object, v.path)) for v in told}))
        return tuple(sorted({(v.rule, repr(list(v.path))) for v in told}))


def team_samples(root: Path) -> list[Sample]:
    """The samples of a repository's own rules: `tests/rules`, judged by the numbers of its `lockgate.yaml`.

    Args:
        root: The repository.

    Raises:
        LockgateError: As `samples`, or `lockgate.yaml` cannot be read.
    """
    text = (root / SETTINGS_FILE).read_text(encoding="utf-8")
    folder = root / "tests" / "rules"
    return samples(folder, yamltext.load(text, SETTINGS_FILE)) if folder.is_dir() else []


def unfinished(root: Path) -> list[str]:
    """What the rules in `policies/team` of a repository lack, each `file:line: rule lacks what`.

    A rule is whole when a test lies beside it that names its id, and when it has a sample that passes
    and one that fails.
    """
    policies = root / "policies"
    team = [rule for rule in rules.load(policies).rules.values() if rule.file.startswith("team/")]
    kinds = {(sample.rule, sample.path.name.partition("-")[0]) for sample in team_samples(root)}
    lacking: list[str] = []
    for rule in team:
        place = f"policies/{rule.file}:{rule.line}: {rule.id} lacks"
        test = policies / f"{rule.file.removesuffix('.rego')}_test.rego"
        if not test.is_file() or rule.id not in test.read_text(encoding="utf-8"):
            lacking.append(f"{place} a test in policies/{test.relative_to(policies).as_posix()}")
        missing = [kind for kind in ("pass", "fail") if (rule.id, kind) not in kinds]
        lacking += [f"{place} a sample tests/rules/{rule.id}/{kind}-*.yaml" for kind in missing]
    known = {rule.id for rule in team}
    lacking += [
        f"tests/rules/{name}: no rule in policies/team has this id" for name in sorted({n for n, _ in kinds} - known)
    ]
    return lacking


def samples(folder: Path, settings: Mapping[str, Json] | None = None) -> list[Sample]:
    """All samples below `folder`, which holds one folder per rule id.

    Args:
        folder: Its `settings.yaml`, and that of a rule's folder, replace keys of the settings.
        settings: Content of `lockgate.yaml`; three bare environments by default.

    Raises:
        LockgateError: A file is no sample, or one that must fail expects nothing.
    """
    return [
        _sample(path, folder, settings or _DEFAULT_SETTINGS)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "settings.yaml"
    ]


def _sample(path: Path, folder: Path, base: Mapping[str, Json]) -> Sample:
    kind = re.match(r"(pass|fail)-.+\.yaml$", path.name)
    if kind is None or path.parent.parent != folder:
        msg = f"{path}: not collected; samples are <ID>/pass-*.yaml and <ID>/fail-*.yaml"
        raise LockgateError(msg, "rename or remove the file")
    text = path.read_text(encoding="utf-8")
    settings = _settings(path.parent, folder, base)
    if path.name.endswith(".input.yaml"):
        sample = _input_sample(path, text, settings)
    else:
        objects = yamltext.load_all(text, str(path))
        document = _document(objects, _environment(objects), settings)
        sample = Sample(path, path.parent.name, document, tuple(sorted(_marks(text))), settings, text)
    if bool(sample.expected) != (kind[1] == "fail"):
        msg = f"{path}: a {kind[1]} sample that expects {'something' if sample.expected else 'nothing'}"
        raise LockgateError(msg, "mark each faulty line with `# expect: ID` in failing samples only")
    return sample


def _input_sample(path: Path, text: str, settings: Mapping[str, Json]) -> Sample:
    value = yamltext.load(text, str(path))
    if not isinstance(value, dict) or not value.keys() <= {"input", "expect"} or "input" not in value:
        msg = f"{path}: wanted the keys `input` and `expect`"
        raise LockgateError(msg, "expect is a list of {id, path}")
    expected = {(entry["id"], repr(list(entry["path"]))) for entry in value.get("expect") or []}
    return Sample(path, path.parent.name, value["input"], tuple(sorted(expected)), settings, "")


def _settings(own: Path, shared: Path, base: Mapping[str, Json]) -> dict[str, Json]:
    """The rule's settings over the common ones, by top-level key."""
    merged: dict[str, Json] = dict(base)
    for file in (shared / "settings.yaml", own / "settings.yaml"):
        if file.is_file():
            merged.update(yamltext.load(file.read_text(encoding="utf-8"), str(file)) or {})
    return merged


def _environment(objects: Sequence[Json]) -> str:
    """The `environment` label of the first object that has one, as conftest users have it; else prod."""
    labels = ((obj.get("metadata") or {}).get("labels") or {} for obj in objects)
    return next((str(label["environment"]) for label in labels if "environment" in label), "prod")


def _marks(text: str) -> Iterator[Mark]:
    for number, line in enumerate(text.splitlines(), 1):
        match = _EXPECT.search(line)
        if match:
            yield from ((identifier.strip(), number) for identifier in match["ids"].split(","))


def _nodes(text: str) -> list[tuple[Json, yaml.Node]]:
    """Every object of a sample with the node it was read from."""
    documents = [node for node in yaml.compose_all(text, yaml.SafeLoader) if not isinstance(node, yaml.ScalarNode)]
    return list(zip(yamltext.load_all(text, "sample"), documents, strict=False))


def _line(nodes: Sequence[tuple[Json, yaml.Node]], ref: ObjectRef, path: FieldPath) -> int:
    """The line of a field, or of its nearest parent that exists; 0 when the object is not there."""
    for value, node in nodes:
        metadata = value.get("metadata") or {}
        if (value.get("kind"), metadata.get("name")) == (ref.kind, ref.name) and (
            metadata.get("namespace", "") == ref.namespace
        ):
            return _line_below(node, path, node.start_mark.line) + 1
    return 0


def _line_below(node: yaml.Node, path: FieldPath, line: int) -> int:
    """Zero-based line of `path` below `node`; `line` is the line of `node` itself."""
    if not path:
        return line
    step, rest = path[0], path[1:]
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return _line_below(value, rest, key.start_mark.line)
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        item = node.value[step]
        return _line_below(item, rest, item.start_mark.line)
    elif isinstance(node, yaml.ScalarNode) and node.style == "|":
        inner = yaml.compose(node.value, yaml.SafeLoader)
        first = node.start_mark.line + 1
        if inner is not None:
            found = _line_below(inner, path, -1)
            return first + found if found >= 0 else line
    return line
