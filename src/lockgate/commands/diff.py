"""`lockgate diff`: what a change does to what is rendered, two revisions or one and the files in hand."""

from __future__ import annotations

import contextlib
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from lockgate import baseline, compare, deltas, discover, git, pipeline, plan
from lockgate.errors import LockgateError
from lockgate.progress import progress
from lockgate.settings import FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from lockgate.model import Finding
    from lockgate.pipeline import Computed
    from lockgate.rules import RuleSet

FORMATS = ("text", "json", "markdown")
IN_HAND = ""
"""Stands for the working tree where others are revisions."""


class Part(NamedTuple):
    """An environment, or a folder that is none, such as `argocd/`.

    Attributes:
        name: Its name.
        state: `added`, `removed`, `changed` or `same`.
        deltas: The numbers that differ.
        objects: The objects that differ.
    """

    name: str
    state: str
    deltas: tuple[deltas.Delta, ...]
    objects: tuple[compare.ObjectChange, ...]


class Findings(NamedTuple):
    """What the gate says of one side and not of the other.

    Attributes:
        new: Open findings of the side after that the side before does not have.
        gone: Findings of the side before that are no more, in words.
    """

    new: tuple[Finding, ...] = ()
    gone: tuple[str, ...] = ()


class Difference(NamedTuple):
    """What differs between two sides.

    Attributes:
        old: The side before, in words.
        new: The side after, in words.
        parts: Environments, then folders.
        total: Numbers of all environments together that differ.
        findings: What the gate says; None where it was not asked.
    """

    old: str
    new: str
    parts: tuple[Part, ...]
    total: tuple[deltas.Delta, ...]
    findings: Findings | None

    @property
    def changed(self) -> tuple[Part, ...]:
        """The parts that differ."""
        return tuple(part for part in self.parts if part.state != "same")

    @property
    def differs(self) -> bool:
        """Whether a part or a finding does."""
        return bool(self.changed) or any(self.findings or ())


class _Side(NamedTuple):
    """One side: its name in words and what was computed; None where it has none of the environments."""

    words: str
    computed: Computed | None

    def sides(self) -> dict[str, deltas.Side]:
        """Each environment's numbers."""
        if self.computed is None:
            return {}
        found = plan.of(self.computed.repository.settings, self.computed.facts, ())
        return {e.name: deltas.Side(e, self.computed.facts[e.name]) for e in found.environments}


@click.command(
    epilog="Examples:\n\n  lockgate diff\n\n  lockgate diff origin/main --format markdown\n\n"
    "  lockgate diff v0.1.0..v0.2.0 --env prod"
)
@click.argument("revision", required=False, metavar="[REV]")
@click.argument("path", default=".", metavar="[PATH]", type=click.Path(path_type=Path))
@click.option(
    "--env", "environments", multiple=True, metavar="NAME", help="Compare this environment alone; repeatable."
)
@click.option("--format", "shape", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--check", "gated", is_flag=True, help="Gate both sides: which findings are new, which are gone.")
@click.option("--exit-code", is_flag=True, help="Exit 1 when something changes, like git.")
def command(
    revision: str | None, path: Path, environments: tuple[str, ...], shape: str, *, exit_code: bool, gated: bool
) -> int:
    """Show what changes in what is rendered, from REV to the files in hand, or REV..REV.

    REV is a commit, branch or tag; default: where this branch left the default branch. Both sides are built and
    compared object by object, with the change of GPUs at the peak, pods, image, model, flags, drain time and cost
    on top. The rules in hand count for both. Values of Secrets are not shown. PATH: the repository (default: here).

    Exit code 0: compared; 1: something changes (with --exit-code); 2: no answer, such as a REV that does not build.
    """
    from lockgate.commands import differing

    found = _difference(path, revision or "", environments, gated=gated)
    differing.FORMATS[shape](found, sys.stdout)
    return int(exit_code and found.differs)


def _difference(path: Path, revision: str, environments: Sequence[str], *, gated: bool) -> Difference:
    repository, ruleset = pipeline.rules_around(path)
    # An overlay's folder selects its environment.
    chosen = environments or [o.environment for o in repository.overlays]
    wanted = chosen if environments or len(chosen) < len(repository.settings.environments) else ()
    checkout = git.checkout(repository.root)
    first, last = _revisions(checkout, revision, repository.settings.environments)
    with progress() as line:
        sides = []
        for one in (first, last):
            line.step(f"rendering {one[:12] or 'the files in hand'}")
            sides.append(_side(checkout, repository.root, one, partial(_computed, wanted, ruleset, gated=gated)))
    _refuse_unknown(environments, [*repository.settings.environments], sides)
    before, after = sides
    parts = tuple(_parts(before, after, whole=not wanted))
    findings = _findings(before, after) if gated else None
    return Difference(before.words, after.words, parts, _total(before, after), findings)


def _revisions(checkout: git.Checkout, text: str, environments: Container[str]) -> tuple[str, str]:
    """Both sides of `REV`, `REV..REV` or `REV...REV`, as git reads them.

    Raises:
        LockgateError: Two revisions share no commit.
    """
    if not text:
        return checkout.base(), IN_HAND
    one, dots, other = text.partition("...") if "..." in text else text.partition("..")
    if not dots:
        _refuse_other(checkout, text, environments)
        return text, IN_HAND
    one, other = one or "HEAD", other or "HEAD"
    if dots == "..":
        return one, other
    for name in (one, other):
        checkout.commit_of(name)
    base = checkout.merge_base(one, other)
    if not base:
        msg = f"{one} and {other} share no commit"
        raise LockgateError(msg, f"compare them as they are: {one}..{other}")
    return base, other


def _refuse_other(checkout: git.Checkout, text: str, environments: Container[str]) -> None:
    """What stands in the place of a revision and is none, but something else that a person may mean."""
    try:
        checkout.commit_of(text)
    except LockgateError as error:
        hint = f"an environment: --env {text}" if text in environments else error.hint
        if Path(text).exists():
            hint = f"PATH comes behind REV: lockgate diff HEAD {text}"
        raise LockgateError(error.message, hint) from error


def _side(checkout: git.Checkout, root: Path, revision: str, computed: Callable[[Path], Computed | None]) -> _Side:
    if revision == IN_HAND:
        return _Side("the files in hand", computed(root))
    commit = checkout.commit_of(revision)[:12]
    with checkout.at(revision) as copy, _told(revision, copy):
        if not (copy / FILE).is_file():
            msg = f"no {FILE}, so no repository of Lockgate"
            raise LockgateError(msg, "name a revision that has the repository")
        words = commit if commit.startswith(revision) or revision.startswith(commit) else f"{revision} ({commit})"
        return _Side(words, computed(copy))


def _computed(wanted: Sequence[str], ruleset: RuleSet, root: Path, *, gated: bool) -> Computed | None:
    """A side's rendering and facts, of those of the environments that it has; None when it has none of them."""
    there: tuple[str, ...] = ()
    if wanted:
        known = discover.find(root).settings.environments
        there = tuple(name for name in wanted if name in known)
        if not there:
            return None
    return pipeline.compute(root, pipeline.Options(there), plan.FACTS, ruleset, gated=gated)


@contextlib.contextmanager
def _told(revision: str, copy: Path) -> Iterator[None]:
    """Errors name the revision and not the folder that it was taken to."""
    try:
        yield
    except LockgateError as error:
        message = error.message.replace(f"{copy}/", "").replace(str(copy), revision)
        raise LockgateError(f"{revision}: {message}", error.hint) from error


def _refuse_unknown(environments: Sequence[str], in_hand: Sequence[str], sides: Sequence[_Side]) -> None:
    """An environment that neither side has is a slip of the pen."""
    there = {name for side in sides if side.computed for name in side.computed.facts}
    for name in environments:
        if name not in there:
            msg = f"environment {name!r} is in {FILE} of neither side"
            raise LockgateError(msg, f"in hand there are: {', '.join(in_hand)}")


def _parts(before: _Side, after: _Side, *, whole: bool) -> Iterator[Part]:
    old, new = (side.computed.objects if side.computed else {} for side in (before, after))
    numbers = [side.sides() for side in (before, after)]
    for name in {**old, **new}:
        one, other = (side.get(name) for side in numbers)
        if one is None and other is None and not whole:  # a folder that serves every environment
            continue
        found = tuple(compare.objects(old.get(name, ()), new.get(name, ())))
        changed = tuple(deltas.of(one, other))
        state = "added" if name not in old else "removed" if name not in new else "changed"
        yield Part(name, state if found or changed or state != "changed" else "same", changed, found)


def _total(before: _Side, after: _Side) -> tuple[deltas.Delta, ...]:
    old, new = ([side.environment for side in one.sides().values()] for one in (before, after))
    return tuple(deltas.total(old, new))


def _findings(before: _Side, after: _Side) -> Findings:
    """New and gone as a baseline of the side before tells them: lines may move, fields may not."""
    old, new = (side.computed.report if side.computed else None for side in (before, after))
    entries = baseline.parse(baseline.text(old), before.words) if old else []
    if new is None:
        return Findings((), tuple(map(str, entries)))
    found = baseline.applied(new, entries)
    return Findings(found.open, found.stale)
