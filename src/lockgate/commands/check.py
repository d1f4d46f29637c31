"""`lockgate check`: the gate. Arguments to pipeline, report to every format that was asked for."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

import click

from lockgate import baseline as baselines
from lockgate import pipeline, report
from lockgate.errors import LockgateError
from lockgate.model import LEVELS, Report, Severity
from lockgate.progress import progress

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterator

SEVERITIES = click.Choice([str(severity) for severity in reversed(Severity)])


@click.command(
    epilog="Examples:\n\n  lockgate check\n\n  lockgate check --env prod --format text --format json=report.json\n\n"
    "  lockgate check --changed overlays/prod/hpa.yaml\n\n  lockgate check --fix --diff\n\n"
    "  helm template chart | lockgate check --level dev -"
)
@click.argument("paths", nargs=-1, metavar="[PATH]", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--env", "environments", multiple=True, metavar="NAME", help="Check this environment only; repeatable.")
@click.option(
    "--level", type=click.Choice(LEVELS), help="Outside of a repository: how strict; default: as --env, else prod."
)
@click.option(
    "--skip-unreadable", is_flag=True, help="Outside of a repository: list files that cannot be read, judge the others."
)
@click.option(
    "--changed", is_flag=True, help="Take PATH as changed files: check the environments whose build reads them."
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="X[=FILE]",
    default=["text"],
    show_default="text",
    help=f"One of {', '.join(report.FORMATS)}, to stdout or to FILE; repeatable.",
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Set aside the findings that FILE has; count them.",
)
@click.option(
    "--write-baseline", type=click.Path(path_type=Path), metavar="FILE", help="Write every open finding to FILE."
)
@click.option("--fail-on", type=SEVERITIES, default="error", show_default=True, help="Exit 1 from this severity on.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 whatever is found.")
@click.option(
    "--engine",
    default="embedded",
    show_default=True,
    metavar="NAME",
    help="What evaluates the rules: embedded, opa, or the URL of an OPA server. Decisions are equal.",
)
@click.option(
    "--renderer",
    type=click.Choice(pipeline.RENDERERS),
    help="What builds the overlays; default: the first that is installed.",
)
@click.option("--fix", is_flag=True, help="Mend the findings that have one right answer, where they are written.")
@click.option("--diff", is_flag=True, help="With --fix: show what would be mended as a diff, write nothing.")
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), help="Judge the expiry of exemptions as of this day.")
def command(  # noqa: PLR0913, PLR0917  # one parameter for each option that a person can type
    paths: tuple[Path, ...],
    environments: tuple[str, ...],
    level: str | None,
    formats: tuple[str, ...],
    baseline: Path | None,
    write_baseline: Path | None,
    fail_on: str,
    engine: str,
    renderer: str | None,
    today: datetime.datetime | None,
    *,
    changed: bool,
    diff: bool,
    exit_zero: bool,
    fix: bool,
    skip_unreadable: bool,
) -> int:
    """Gate every environment of the repository at PATH (default: here).

    Outside of a repository PATH is a kustomization, a folder or file of manifests, or - for standard input.

    Exit code 0: clean; 1: findings; 2: no answer, such as a build that fails; 3: a defect of Lockgate.
    """
    if len(paths) > 1 and not changed:
        msg = f"wanted one PATH, found {len(paths)}; name changed files with --changed"
        raise click.UsageError(msg)
    if (diff or fix) and (problem := _fix_problem(fix=fix, whole=not (changed or environments))):
        raise click.UsageError(problem)
    targets = tuple(_target(text) for text in formats)
    entries = baselines.load(baseline) if baseline else []
    options = pipeline.Options(
        environments,
        engine,
        renderer or "",
        # Whoever names no path and is in no repository is in the wrong folder.
        foreign=bool(paths) and not changed,
        level=level or "",
        skip_unreadable=skip_unreadable,
    )
    if today:
        options = dataclasses.replace(options, today=today.date())
    start = paths[0] if paths and not changed else Path()
    result = _mended(start, options, dry=diff) if fix else _gated(start, options, paths if changed else None)
    if result is None:
        click.echo("no environment reads these files: nothing to gate", err=True)
        return 0
    root, found = result
    if write_baseline:
        entries = _write_baseline(found, write_baseline)
    found = baselines.applied(found, entries)
    if not diff:
        _report(found, targets, root)
    return 0 if exit_zero else exit_code(found, Severity.named(fail_on))


def _gated(start: Path, options: pipeline.Options, changed: tuple[Path, ...] | None) -> tuple[Path, Report] | None:
    """The gate; None when no environment reads a changed file."""
    with progress() as line:
        result = pipeline.check(start, options, changed=changed, step=line.step)
    return None if result is None else (result[0].root, result[1])


def _mended(start: Path, options: pipeline.Options, *, dry: bool) -> tuple[Path, Report]:
    """`--fix`: the gate on the repository as it is afterwards, which with `dry` is as before."""
    from lockgate.commands import fixing

    found = fixing.mended(start, options, dry=dry)
    return found.root, found.before if dry else found.report


def _report(found: Report, targets: tuple[tuple[str, Path | None], ...], root: Path) -> None:
    for name, file in targets:
        with _output(file) as stream:
            report.FORMATS[name](found, stream, root)


def _fix_problem(*, fix: bool, whole: bool) -> str:
    """What is wrong with --fix and --diff among the other options; empty when nothing."""
    if not fix:
        return "--diff shows what --fix would do: give both"
    return (
        "" if whole else "--fix looks at all environments, since a line may serve each: leave --env and --changed out"
    )


def _write_baseline(found: Report, file: Path) -> list[baselines.Entry]:
    """Writes a baseline and returns its entries."""
    text = baselines.text(found)
    with _output(file) as stream:
        stream.write(text)
    return baselines.parse(text, str(file))


def exit_code(result: Report, threshold: Severity) -> int:
    """1 when a finding that neither an exemption nor the baseline covers weighs at least `threshold`, else 0."""
    return int(any(finding.severity >= threshold for finding in result.open))


def run_gate(root: Path) -> int:
    """Gates the repository at `root` as `lockgate check` does, the report as text on stdout.

    Returns:
        The exit code that `lockgate check` would have.
    """
    with progress() as line:
        result = pipeline.check(root, pipeline.Options(), step=line.step)
    if result is None:
        return 0
    repository, found = result
    report.FORMATS["text"](found, sys.stdout, repository.root)
    return exit_code(found, Severity.ERROR)


def _target(text: str) -> tuple[str, Path | None]:
    name, _, file = text.partition("=")
    if name not in report.FORMATS:
        msg = f"no format {name!r}; known: {', '.join(report.FORMATS)}"
        raise click.BadParameter(msg, param_hint="--format")
    return name, Path(file) if file else None


@contextlib.contextmanager
def _output(file: Path | None) -> Iterator[TextIO]:
    """Standard output, or `file` written beside itself first, so that it is whole or as it was."""
    if file is None:
        yield sys.stdout
        return
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=file.parent, prefix=file.name, delete=False, encoding="utf-8"
        ) as stream:
            try:
                yield cast("TextIO", stream)
                stream.close()
                os.replace(stream.name, file)  # noqa: PTH105  # a name, not a Path, is in hand
            except BaseException:
                Path(stream.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        msg = f"{file}: the report cannot be written: {error.strerror}"
        raise LockgateError(msg, "name a file in a folder that exists and is writable") from error
