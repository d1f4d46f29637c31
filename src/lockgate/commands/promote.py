"""`lockgate promote`: the release of one level goes to the next one, as a commit on a branch of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from lockgate import discover, git, release
from lockgate.commands.check import run_gate
from lockgate.errors import LockgateError
from lockgate.model import LEVELS

if TYPE_CHECKING:
    from lockgate.settings import Settings


class _Way(NamedTuple):
    """From which environment to which, and their overlays."""

    source: str
    target: str
    source_overlay: str
    target_overlay: str


@click.command(
    epilog="Examples:\n\n  lockgate promote canary\n\n  lockgate promote prod --dry-run\n\n"
    "  lockgate promote prod-eu --from canary-eu --branch release/prod-eu"
)
@click.argument("environment", metavar="ENVIRONMENT")
@click.argument("path", default=".", metavar="[PATH]", type=click.Path(path_type=Path))
@click.option("--from", "source", metavar="NAME", help="Whose release; default: the one environment a level below.")
@click.option("--branch", metavar="NAME", help="The new branch; default: release/ENVIRONMENT-COMMIT.")
@click.option("--message", metavar="TEXT", help="The commit's message; default: what the release is.")
@click.option("--dry-run", is_flag=True, help="Show the change and gate it, commit nothing.")
def command(  # one parameter for each option that a person can type
    environment: str, path: Path, source: str | None, branch: str | None, message: str | None, *, dry_run: bool
) -> int:
    """Give ENVIRONMENT (canary, prod) the release of the level below, if the gate agrees.

    It takes what is committed, gates the result apart from the files in hand, and commits it on a new branch
    for a pull request; the branch in hand and its files stay as they are. A level is never skipped.

    Exit code 0: promoted, or there was nothing to do; 1: the gate found something; 2: no answer. Only 0 commits.
    """
    repository = discover.find(path, list(filter(None, (environment, source))))
    way = _way(repository.settings, environment, source)
    checkout = git.checkout(repository.root)
    branch = branch or f"release/{way.target}-{checkout.commit_of('HEAD')[:12]}"
    _refuse_unfit(checkout, way, branch)
    with checkout.at("HEAD") as copy:
        before, after = (release.read(copy / overlay, overlay) for overlay in (way.target_overlay, way.source_overlay))
        if not release.replace(before.folder, after.folder):
            click.echo(f"{way.target} has the release of {way.source} already")
            return 0
        for line in release.differences(before, after):
            click.echo(line)
        sys.stdout.flush()
        git.stage(copy, f"{way.target_overlay}/release")
        click.echo()
        if code := run_gate(copy):
            click.echo(f"not promoted: the gate refuses {way.target} with the release of {way.source}", err=True)
            return code
        if not dry_run:
            text = message or f"Release to {way.target}: {release.title(after)}"
            checkout.commit(copy, text, branch)
    click.echo("\nnothing is committed: --dry-run" if dry_run else _next(branch))
    return 0


def _way(settings: Settings, target: str, source: str | None) -> _Way:
    """Both environments, a level apart.

    Raises:
        LockgateError: There is no such way.
    """
    level = LEVELS.index(settings.level(target))
    if level == 0:
        msg = f"{target} is of level {LEVELS[0]}, where releases begin: there is none to promote"
        raise LockgateError(msg, "edit its release, or let `lockgate pin` move it")
    below = [name for name in settings.environments if settings.level(name) == LEVELS[level - 1]]
    if source is not None and source not in below:
        msg = f"{target} ({LEVELS[level]}) takes the release of level {LEVELS[level - 1]}, not of {source}"
        raise LockgateError(msg, f"a release skips no level; there are: {', '.join(below) or 'none'}")
    if source is None and len(below) != 1:
        msg = f"wanted one environment of level {LEVELS[level - 1]} to take the release from, found {len(below)}"
        raise LockgateError(msg, f"name it with --from: {', '.join(below)}" if below else "add it to lockgate.yaml")
    source = source or below[0]
    places = settings.environments
    return _Way(source, target, places[source].overlay.strip("/"), places[target].overlay.strip("/"))


def _refuse_unfit(checkout: git.Checkout, way: _Way, branch: str) -> None:
    """What would promote something else than a person sees, or write over a branch."""
    if files := checkout.uncommitted([f"{way.source_overlay}/release", f"{way.target_overlay}/release"]):
        msg = f"{files[0]} is not committed, and what is promoted is what is committed"
        raise LockgateError(msg, "commit it or put it back (git stash)")
    if checkout.has_branch(branch):
        msg = f"there is a branch {branch!r} already"
        raise LockgateError(msg, f"push it, delete it (git branch -D {branch}), or name another with --branch")


def _next(branch: str) -> str:
    return f"\ncommitted on branch {branch}\nNext: git push -u origin {branch}, and open a pull request"
