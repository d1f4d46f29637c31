"""`lockgate new`: answers to a repository that is gated on the spot."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lockgate import generate
from lockgate.errors import LockgateError


@click.command(
    epilog="Examples:\n\n  lockgate new qwen-chat\n\n"
    "  lockgate new qwen-chat --defaults --set accelerator=h100-80gb --set tensor_parallel=1"
)
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--answers",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE.yaml",
    help="Answers, one `question: answer` per line.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="QUESTION=ANSWER",
    help="One answer; stronger than the file; repeatable.",
)
@click.option("--defaults", is_flag=True, help="Ask nothing: what is not answered takes its default.")
def command(folder: Path | None, file: Path | None, settings: tuple[str, ...], *, defaults: bool) -> int:
    """Write a GitOps repository for one vLLM service to DIR and gate it.

    Asks on a terminal; DIR is named like the project (default: the project, here). Exit code: the
    gate's, 2 when the answers cannot work; then nothing is written.
    """
    from lockgate.commands.check import run_gate

    given = {**(generate.read_answers(file) if file else {}), **dict(map(_setting, settings))}
    if folder is not None:
        given.setdefault("project", (folder.resolve().name, str(folder)))
    interactive = not defaults and sys.stdin.isatty()
    context, unchecked = _answers(generate.accept(given), interactive=interactive)
    target = _target(folder, context["cookiecutter"]["project"])
    if unchecked:
        click.echo(f"note: {unchecked}", err=True)
    count = generate.write(context, target)
    click.echo(f"wrote {count} files to {target}", err=True)
    code = run_gate(target)
    _next_steps(target, context["cookiecutter"]["pin_by"])
    return code


def _answers(given: dict[str, str], *, interactive: bool) -> tuple[generate.Context, str]:
    """Answers that can work, and what could not be checked of them; a person may try again."""
    while True:
        context = generate.ask(given, interactive=interactive)
        try:
            return context, generate.refuse(context)
        except LockgateError as error:
            if not interactive:
                raise
            click.echo(f"\n{error.message}\n", err=True)
            if not click.confirm("Answer again, with these answers as defaults?", default=True, err=True):
                raise
        given = generate.own_answers(context)


def _setting(text: str) -> tuple[str, tuple[str, str]]:
    key, sign, value = text.partition("=")
    if not sign:
        msg = f"wanted QUESTION=ANSWER, found {text!r}"
        raise click.BadParameter(msg, param_hint="--set")
    return key.strip(), (value, f"--set {text}")


def _target(folder: Path | None, project: str) -> Path:
    """The absolute folder to write; its name is the project's, as the objects carry it."""
    if folder is None:
        return Path.cwd() / project
    if folder.resolve().name != project:
        msg = f"the folder {folder.resolve().name!r} and the project {project!r} must have one name"
        raise LockgateError(msg, f"lockgate new {folder.parent / project}, or answer project={folder.resolve().name}")
    return folder.resolve()


def _next_steps(target: Path, pin_by: str) -> None:
    place = target.relative_to(Path.cwd()) if target.is_relative_to(Path.cwd()) else target
    click.echo(
        f"\nNext: cd {place} && git init && git add . && pre-commit install\n"
        f"Then pin the image digest before {pin_by}; README.md has the first day.",
        err=True,
    )
