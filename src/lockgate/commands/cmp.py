"""`lockgate cmp`: manifests for Argo CD, if the gate agrees. What a config management plugin runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate import pipeline, report
from lockgate.commands.check import SEVERITIES, exit_code
from lockgate.errors import LockgateError
from lockgate.model import Severity

if TYPE_CHECKING:
    from lockgate.model import Rendering


@click.command(epilog="Examples:\n\n  lockgate cmp overlays/prod\n\n  lockgate cmp --fail-on warning")
@click.argument("path", default=".", type=click.Path(path_type=Path))
@click.option("--fail-on", type=SEVERITIES, default="error", show_default=True, help="Hand out nothing from this on.")
def command(path: Path, fail_on: str) -> int:
    """Print the manifests of the overlay at PATH (default: here), unless the gate finds something.

    The command of an Argo CD plugin (argocd/plugin/plugin.yaml): what the gate refuses never reaches the
    cluster, whoever merged it. Findings go to standard error, which Argo CD shows at the Application.

    Exit code 0: manifests are printed; 1: findings, and nothing is printed; 2: no answer; 3: a defect.
    """
    result = pipeline.check(path, pipeline.Options())
    if result is None:  # only a list of changed files can leave nothing
        raise AssertionError
    repository, found = result
    if len(found.environments) != 1:
        raise LockgateError(
            f"{path}: wanted the folder of one overlay, found {len(found.environments)} environments below it",
            "name the overlay, such as overlays/prod; Argo CD runs its plugin in source.path",
        )
    if exit_code(found, Severity.named(fail_on)):
        report.FORMATS["text"](found, sys.stderr, repository.root)
        return 1
    (rendering,) = pipeline.rendered(repository)
    write(rendering)
    return 0


def write(rendering: Rendering) -> None:
    """Writes every object as a document of its own; JSON is YAML, and leaves no string to be taken for a number."""
    for obj in rendering.objects:
        click.echo(f"---\n{json.dumps(obj, ensure_ascii=False)}")
