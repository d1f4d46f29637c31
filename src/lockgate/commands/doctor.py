"""`lockgate doctor`: what a cluster lacks for the repository, asked of its API server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate import pipeline
from lockgate.doctor import Answer, State, Subject
from lockgate.progress import progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.doctor.cluster import Cluster

_MARKS = {State.FINE: ("ok", "green"), State.MISSING: ("missing", "red"), State.UNKNOWN: ("unknown", "yellow")}


@click.command(
    epilog="Examples:\n\n  lockgate doctor --context staging\n\n  lockgate doctor --env prod --format json",
)
@click.argument("path", default=".", type=click.Path(path_type=Path))
@click.option("--env", "environments", multiple=True, metavar="NAME", help="Ask for this environment only; repeatable.")
@click.option(
    "--kubeconfig", type=click.Path(path_type=Path), metavar="FILE", help="Default: $KUBECONFIG, then ~/.kube/config."
)
@click.option("--context", default="", metavar="NAME", help="A context of the kubeconfig; default: its current one.")
@click.option("--timeout", default=20.0, show_default=True, metavar="SECONDS", help="How long one answer may take.")
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(  # one parameter for each option that a person can type
    path: Path, environments: tuple[str, ...], kubeconfig: Path | None, context: str, timeout: float, shape: str
) -> int:
    """Ask a cluster whether it has what the repository at PATH (default: here) needs.

    Kinds and their versions, GPU nodes against the peak, storage classes, metrics, secret stores, Pod
    Security, and a dry run of every object, with the line to change. Nothing is written to the cluster.

    Exit code 0: nothing is missing; 1: something is; 2: no answer, such as a cluster that cannot be reached.
    """
    from lockgate.doctor.cluster import Cluster

    with progress() as line:
        cluster = Cluster(kubeconfig, context, timeout)
        line.step(f"asking {cluster.server}")
        cluster.get("/version")
        subject = pipeline.survey(path, pipeline.Options(environments))
        answers = list(ask(subject, cluster))
    show(answers, shape)
    return int(any(answer.state is State.MISSING for answer in answers))


def ask(subject: Subject, cluster: Cluster) -> Iterator[Answer]:
    """Every answer, in the order in which things are set up."""
    from lockgate.doctor import capacity, kinds

    served = kinds.Served(cluster)
    yield from capacity.check_version(subject, cluster)
    yield from kinds.check_kinds(subject, cluster, served)
    yield from capacity.check_nodes(subject, cluster)
    yield from capacity.check_storage(subject, cluster)
    yield from capacity.check_metrics(subject, cluster)
    yield from capacity.check_secrets(subject, cluster)
    yield from capacity.check_namespaces(subject, cluster)
    yield from kinds.check_objects(subject, cluster, served)


def show(answers: list[Answer], shape: str) -> None:
    """Prints the answers; equal ones of several environments are one."""
    joined: dict[tuple[object, ...], tuple[Answer, list[str]]] = {}
    for answer in answers:
        key = (answer.check, answer.state, answer.text, answer.location)
        joined.setdefault(key, (answer, []))[1].extend(answer.environments)
    rows = [(answer, tuple(dict.fromkeys(names))) for answer, names in joined.values()]
    if shape == "json":
        click.echo(json.dumps([_row(answer, names) for answer, names in rows], indent=2))
        return
    for answer, names in rows:
        word, colour = _MARKS[answer.state]
        where = f"{answer.location}: " if answer.location else ""
        said = f" ({', '.join(names)})" if names else ""
        click.echo(f"{click.style(f'{word:8}', fg=colour)} {answer.check:11} {where}{answer.text}{said}")
    missing = sum(answer.state is State.MISSING for answer, _ in rows)
    unknown = sum(answer.state is State.UNKNOWN for answer, _ in rows)
    click.echo(f"\n{missing} missing, {unknown} unknown, {len(rows) - missing - unknown} ok")


def _row(answer: Answer, environments: tuple[str, ...]) -> dict[str, object]:
    location = answer.location
    return {
        "check": answer.check,
        "state": answer.state.value,
        "text": answer.text,
        "environments": list(environments),
        "file": location.file if location else None,
        "line": location.line if location else None,
    }
