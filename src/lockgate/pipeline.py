"""The five stages in order: discover, render, trace, evaluate, report. The place to start reading."""

from __future__ import annotations

import datetime
import difflib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lockgate import blame, context, discover, evaluate, manifests, render, rules
from lockgate.delivery import ArgoFolder
from lockgate.doctor import Subject
from lockgate.errors import LockgateError
from lockgate.model import Json, LeftOut, Location, ObjectRef, Overlay, Rendering, Report, Rule
from lockgate.model import Path as Field
from lockgate.resources import PROJECT, template_root
from lockgate.trace import Sources, Trace, Written, check_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lockgate.discover import Repository
    from lockgate.rules import RuleSet

RENDERERS = render.RENDERERS


def _today() -> datetime.date:
    return datetime.datetime.now(tz=datetime.UTC).date()


@dataclass(frozen=True, slots=True)
class Options:
    """How to run the gate.

    Attributes:
        environments: Names to check; empty for all.
        engine: One of `lockgate.engines.ENGINES`, or the URL of an OPA server.
        renderer: One of `lockgate.render.RENDERERS`; empty for the first that is there.
        today: Judges the expiry of exemptions (UTC).
        foreign: Whether what has no `lockgate.yaml` is checked too, with default settings.
        level: How strict the one environment is where no `lockgate.yaml` says it; empty for its name's.
        skip_unreadable: Whether a file of plain YAML that cannot be read is only told.
    """

    environments: tuple[str, ...] = ()
    engine: str = "embedded"
    renderer: str = ""
    today: datetime.date = field(default_factory=_today)
    foreign: bool = False
    level: str = ""
    skip_unreadable: bool = False


def check(
    path: Path,
    options: Options,
    *,
    changed: Sequence[Path] | None = None,
    step: Callable[[str], None] = lambda _text: None,
) -> tuple[Repository, Report] | None:
    """Gates the repository around `path`.

    Args:
        path: The repository's root, or a folder in it.
        options: How to run.
        changed: Files that changed; only environments whose build reads one of them are checked.
        step: Told what is being done.

    Returns:
        The repository and what was found out; None when no environment reads a changed file.

    Raises:
        LockgateError: There is no answer: configuration, sources, rules or a build are broken.
    """
    found = gate(path, options, changed=changed, step=step)
    return None if found is None else (found[0].repository, found[1])


def gate(
    path: Path,
    options: Options,
    *,
    changed: Sequence[Path] | None = None,
    step: Callable[[str], None] = lambda _text: None,
) -> tuple[Scene, Report] | None:
    """`check`, with the environments as they were rendered and traced."""
    scene = _prepare(path, options, changed, step)
    if scene is None:
        return None
    step(f"evaluating {len(scene.ruleset.rules)} rules")
    evaluation = _evaluate(scene, options)
    step("finding the lines to change")
    return scene, _report(scene, evaluation, options)


def _report(scene: Scene, evaluation: evaluate.Evaluation, options: Options) -> Report:
    """What the rules found, at the lines to change."""
    repository, renderings, judging = scene.repository, scene.renderings, _judging(scene)
    violations = [violation for violation in evaluation.violations if violation.rule in judging]
    lines = blame.Lines(partial(_locate, scene.traces, scene.argo), scene.argo.delivery.served)
    found = blame.findings(violations, judging, repository.settings, renderings, lines, options.today)
    return Report(
        environments=tuple(scene.traces),
        objects={r.overlay.environment: len(r.objects) for r in renderings},
        rules=judging,
        findings=found,
        not_covered=evaluation.not_covered,
        renderer=renderings[0].renderer,
        engine=options.engine,
        left_out=(*scene.left_out, *scene.argo.left_out),
        without_schema=context.without_schema(evaluation.documents.values()),
        texts=scene.sources.texts(),
        shared=scene.argo.objects,
    )


def _judging(scene: Scene) -> Mapping[str, Rule]:
    """The rules that count: a team's own are an example where the repository is not that team's."""
    found = scene.ruleset.rules
    return {k: r for k, r in found.items() if not r.file.startswith("team/")} if scene.repository.foreign else found


def documents(path: Path, options: Options) -> tuple[Repository, RuleSet, Mapping[str, Mapping[str, Json]]]:
    """What the rules see of the repository around `path`, for other runners than the gate.

    Returns:
        The repository, its rules, and the `input` documents by environment; "" is the repository's.

    Raises:
        LockgateError: As `check`.
    """
    scene = _whole(path, options)
    return scene.repository, scene.ruleset, _evaluate(scene, options).documents


class Computed(NamedTuple):
    """A repository as it renders, and what the rules computed of it.

    Attributes:
        repository: The repository.
        objects: Rendered objects by environment, and by folder that is no environment's, such as `argocd/`.
        facts: What `policies/facts.rego` says, by environment.
        not_covered: Objects that hold pods which no rule reads, each `Kind/name (environment)`.
        report: What the gate says of it; None where that was not asked.
    """

    repository: Repository
    objects: Mapping[str, tuple[dict[str, Json], ...]]
    facts: Mapping[str, Mapping[str, Json]]
    not_covered: tuple[str, ...]
    report: Report | None


def compute(
    path: Path, options: Options, wanted: Sequence[str], ruleset: RuleSet | None = None, *, gated: bool = False
) -> Computed:
    """The repository around `path` and the facts about each of its environments.

    Args:
        path: The repository's root, or a folder in it.
        options: How to run.
        wanted: The facts that there must be.
        ruleset: Rules to compute with; None for the repository's own.
        gated: Whether the gate's report is wanted too.

    Raises:
        LockgateError: As `check`, or the rules do not compute a fact.
    """
    scene = _whole(path, options, ruleset)
    evaluation = _evaluate(scene, options)
    facts = _facts(evaluation, wanted)
    objects = {r.overlay.environment: r.objects for r in scene.renderings}
    folders = {f"{path}/": found for path, found in scene.argo.rendered.items()}
    report = _report(scene, evaluation, options) if gated else None
    return Computed(scene.repository, {**objects, **folders}, facts, evaluation.not_covered, report)


def _facts(evaluation: evaluate.Evaluation, wanted: Sequence[str]) -> dict[str, Mapping[str, Json]]:
    """What the rules computed of each environment.

    Raises:
        LockgateError: A fact that is wanted is not among it.
    """
    environments = evaluation.documents[evaluate.REPOSITORY]["repository"]["environments"]
    facts = {name: entry["facts"] for name, entry in environments.items()}
    for name in wanted:
        if any(name not in found for found in facts.values()):
            msg = f"policies/facts.rego computes no `{name}`: it is older than this Lockgate, or was changed"
            raise LockgateError(msg, "take policies/ of a repository that this Lockgate writes (`lockgate new DIR`)")
    return facts


def rules_around(path: Path) -> tuple[Repository, RuleSet]:
    """The repository around `path` and its rules, nothing rendered.

    Raises:
        LockgateError: No repository, or its settings or rules are broken.
    """
    repository = discover.find(path)
    return repository, rules.load(policies(repository.root))


def rendered(repository: Repository) -> list[Rendering]:
    """The checked overlays of a repository, as kustomize builds them.

    Raises:
        LockgateError: A build is broken.
    """
    return _render(repository.root, repository.overlays, Sources(repository.root), "")


def survey(path: Path, options: Options) -> Subject:
    """The repository around `path` as `lockgate doctor` asks a cluster about it.

    Raises:
        LockgateError: As `check`.
    """
    scene = _whole(path, options)
    facts = _facts(_evaluate(scene, options), ["peak"])
    gpus = {name: int(found["peak"]["gpus"]) for name, found in facts.items()}
    lines = partial(_locate, scene.traces, scene.argo)
    return Subject(scene.repository.settings, tuple(scene.renderings), gpus, lines)


class Scene(NamedTuple):
    """A repository rendered and traced, before the rules run."""

    repository: Repository
    ruleset: RuleSet
    sources: Sources
    renderings: list[Rendering]
    traces: dict[str, Trace]
    argo: ArgoFolder
    left_out: tuple[LeftOut, ...]

    def refs(self, environment: str) -> list[ObjectRef]:
        """What the objects of an environment are."""
        return [ObjectRef.of(one) for r in self.renderings if r.overlay.environment == environment for one in r.objects]

    def written(self, environment: str, ref: ObjectRef, path: Field) -> Written | None:
        """Where to write a field of an environment's object; None when nobody knows."""
        return (self.argo.trace_of(ref) or self.traces[environment]).written(ref, path)


def _prepare(
    path: Path,
    options: Options,
    changed: Sequence[Path] | None,
    step: Callable[[str], None],
    ruleset: RuleSet | None = None,
) -> Scene | None:
    """Discover, render, trace; None when no environment reads a changed file."""
    repository = discover.find(path, options.environments, options.level, foreign=options.foreign)
    if ruleset is None:
        ruleset = rules.load(shipped_policies() if repository.foreign else policies(repository.root))
        _check_exemptions(repository, ruleset)
    root = repository.root
    sources = Sources(root)
    overlays = repository.overlays if changed is None else _reached(repository, sources, changed)
    if not overlays:
        return None
    step(f"rendering {', '.join(overlay.environment for overlay in overlays)}")
    read = {o: manifests.read(sources, o, skip_unreadable=options.skip_unreadable) for o in overlays if o.plain}
    renderings = [_as_written(o, one) for o, one in read.items()]
    if not renderings:
        argo_folder = [o for o in (repository.delivery,) if o is not None and not o.plain]
        renderings = _render(root, [*overlays, *argo_folder], sources, options.renderer)
    argo = ArgoFolder(repository, sources, renderings[len(overlays) :])
    del renderings[len(overlays) :]
    traces = {r.overlay.environment: _trace(sources, r, read.get(r.overlay)) for r in renderings}
    left_out = tuple(one for found in read.values() for one in found.left_out)
    return Scene(repository, ruleset, sources, renderings, traces, argo, left_out)


def _whole(path: Path, options: Options, ruleset: RuleSet | None = None) -> Scene:
    """All environments, discovered, rendered and traced."""
    scene = _prepare(path, options, None, lambda _text: None, ruleset)
    if scene is None:  # there is an environment, and none is left out
        raise AssertionError
    return scene


def _evaluate(scene: Scene, options: Options) -> evaluate.Evaluation:
    repository, argo = scene.repository, scene.argo
    files = context.Files(repository, scene.sources, {name: trace.files() for name, trace in scene.traces.items()})
    declared = context.declared(repository)
    gathered = {
        r.overlay.environment: context.gather(
            repository, r, argo.joined(scene.traces[r.overlay.environment].facts()), argo.delivery, files, declared
        )
        for r in scene.renderings
    }
    gathered[evaluate.REPOSITORY] = argo.delivery.of_repository()
    return evaluate.evaluate(
        scene.ruleset, repository.settings, scene.renderings, gathered, options.today, engine=options.engine
    )


def policies(root: Path) -> Path:
    """The rules that judge the repository at `root`: its own, else those that Lockgate ships."""
    own = root / "policies"
    return own if own.is_dir() else shipped_policies()


def shipped_policies() -> Path:
    """The rules that Lockgate ships."""
    return template_root() / PROJECT / "policies"


def policies_around(path: Path) -> Path:
    """The rules of the repository around `path`; outside of one, the shipped ones."""
    try:
        return policies(discover.find_root(path))
    except LockgateError:
        return policies(path)


def _as_written(overlay: Overlay, found: manifests.Manifests) -> Rendering:
    return Rendering(overlay, tuple(found.objects), "")


def _trace(sources: Sources, rendering: Rendering, found: manifests.Manifests | None) -> Trace:
    built = found.state if found is not None else None
    return Trace(sources.root, rendering.overlay, rendering.objects, sources, built)


def _render(root: Path, overlays: Sequence[Overlay], sources: Sources, name: str) -> list[Rendering]:
    """All overlays at once: a build waits for nothing but the processor, and there is more than one."""
    renderer = render.choose(name)
    with ThreadPoolExecutor() as pool:
        builds = [(overlay, pool.submit(render.render, root, overlay, renderer)) for overlay in overlays]
        return [_built(root, sources, overlay, build.result) for overlay, build in builds]


def _built(root: Path, sources: Sources, overlay: Overlay, result: Callable[[], Rendering]) -> Rendering:
    """The rendering; when the build fails, the sources often say better why than kustomize does."""
    try:
        return result()
    except LockgateError:
        check_sources(root, overlay, sources)
        raise


def _locate(traces: dict[str, Trace], argo: ArgoFolder, environment: str, ref: ObjectRef, path: Field) -> Location:
    trace = argo.trace_of(ref) or traces[environment]
    return trace.locate(ref, path)[0]


def _reached(repository: Repository, sources: Sources, changed: Sequence[Path]) -> tuple[Overlay, ...]:
    """The overlays whose build or whose rules depend on a changed file."""
    names = {_relative(repository.root, file) for file in changed}
    shared = {"lockgate.yaml", repository.settings.metrics.adapter}
    if names & shared or any(name.startswith("policies/") for name in names):
        return repository.overlays
    argo = repository.delivery
    if argo and (any(n.startswith(f"{argo.path}/") for n in names) or _reads(repository, argo, sources, names)):
        return repository.overlays
    return tuple(o for o in repository.overlays if _reads(repository, o, sources, names))


def _reads(repository: Repository, overlay: Overlay, sources: Sources, names: set[str]) -> bool:
    """Whether a build reads one of the files."""
    return not overlay.plain and not names.isdisjoint(Trace(repository.root, overlay, (), sources).files())


def _relative(root: Path, file: Path) -> str:
    path = (Path.cwd() / file).resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _check_exemptions(repository: Repository, ruleset: RuleSet) -> None:
    """An exemption from a rule that does not exist would hide nothing and hide that it does."""
    for exemption in repository.settings.exempted():
        if exemption.rule and exemption.rule not in ruleset.rules:
            close = difflib.get_close_matches(exemption.rule, ruleset.rules, 1)
            msg = f"lockgate.yaml: exemption {exemption.index + 1} names the unknown rule {exemption.rule!r}"
            raise LockgateError(msg, f"did you mean {close[0]!r}?" if close else "`lockgate explain` lists the rules")
