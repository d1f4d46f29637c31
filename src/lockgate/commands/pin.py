"""`lockgate pin`: tags become digests, a model's revision a commit, in the release of one environment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate import discover, hub, registry, release
from lockgate.errors import LockgateError
from lockgate.progress import progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.discover import Repository
    from lockgate.release import ImageEntry, Release

_GIB = 2**30


@click.command(epilog="Examples:\n\n  lockgate pin\n\n  lockgate pin --revision main --dry-run")
@click.argument("path", default=".", metavar="[PATH]", type=click.Path(path_type=Path))
@click.option("--env", "environment", metavar="NAME", help="The environment whose release is pinned; default: dev.")
@click.option("--revision", metavar="NAME", help="Move the model to this branch, tag or commit of its repository.")
@click.option("--platform", metavar="OS/ARCH", default="linux/amd64", show_default=True, help="The image must have it.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
def command(path: Path, environment: str | None, revision: str | None, platform: str, *, dry_run: bool) -> int:
    """Ask the registry and the model hub what the release of dev stands for, and write it down.

    Needs the network: DOCKER_CONFIG, HF_ENDPOINT and HF_TOKEN are those of docker and of the hub's own client.
    Exit code 0: pinned; 2: no answer, and nothing was changed.
    """
    repository = discover.find(path, [environment] if environment is not None else ())
    overlay = _overlay(repository, environment)
    found = release.read(repository.root / overlay, overlay)
    with progress() as line:
        line.step("asking the registry")
        digests = dict(_digests(found, platform))
        line.step("asking the model hub")
        commit = _commit(found, revision)
    files = release.pin(found, digests, commit)
    if not dry_run:
        release.write(files)
    for file in files:
        click.echo(f"{'would write' if dry_run else 'wrote'} {file.relative_to(repository.root)}")
    if not files:
        click.echo(f"{overlay}/release is pinned already")
    return 0


def _overlay(repository: Repository, environment: str | None) -> str:
    """The overlay to pin: the named one, else the first of level dev, since releases begin there."""
    known = {overlay.environment: overlay for overlay in repository.overlays}
    if environment is None:
        first = next((overlay for overlay in repository.overlays if overlay.level == "dev"), None)
        if first is None:
            msg = "no environment of level dev in lockgate.yaml"
            raise LockgateError(msg, f"name one with --env: {', '.join(known)}")
        return first.path
    return known[environment].path


def _digests(found: Release, platform: str) -> Iterator[tuple[int, str]]:
    """Index and digest of each image that has a tag."""
    for entry in found.images:
        if not entry.tag:
            click.echo(f"image {entry.name}: no tag, so nothing to ask for")
            continue
        image = registry.parse(entry.name, entry.tag)
        pinned = registry.resolve(image)
        if pinned.platforms and platform not in pinned.platforms:
            msg = f"{image}: wanted {platform}, found {', '.join(pinned.platforms)}"
            raise LockgateError(msg, "take an image for the nodes' processors, or name theirs with --platform")
        platforms = f" ({', '.join(pinned.platforms)})" if pinned.platforms else ""
        click.echo(f"image {image}: {_change(entry, pinned.digest)}{platforms}")
        yield entry.index, pinned.digest


def _change(entry: ImageEntry, digest: str) -> str:
    if entry.digest == digest:
        return f"{digest} as before"
    return f"{entry.digest} -> {digest}" if entry.digest else digest


def _commit(found: Release, revision: str | None) -> str:
    """The commit of the model; '' when it is no model of the hub."""
    if not _on_hub(found.model):
        click.echo(f"model {found.model!r}: not of the hub, so nothing to ask for")
        return ""
    snapshot = hub.resolve(found.model, revision or found.revision or "main")
    weights = snapshot.weights()
    if not weights:
        msg = f"{found.model}@{snapshot.revision} holds no *.safetensors, which the preload Job fetches"
        raise LockgateError(msg, "take a revision or a model that has them")
    size = sum(weights.values()) / _GIB
    moved = f"{found.revision or 'no revision'} -> " if snapshot.revision != found.revision else ""
    click.echo(
        f"model {found.model}: {moved}{snapshot.revision} "
        f"({len(snapshot.files)} files, {len(weights)} of weights, {size:.1f} GiB)"
    )
    return snapshot.revision


def _on_hub(model: str) -> bool:
    """Whether a model is named as the hub does: no path, no address."""
    return model.count("/") == 1 and not model.startswith("/") and "://" not in model
