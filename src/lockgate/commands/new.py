"""`lockgate new`: answers to a repository that is gated on the spot."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate import generate, modelconfig
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from lockgate.model import Json


@click.command(
    epilog="Examples:\n\n  lockgate new qwen-chat\n\n"
    "  lockgate new qwen-chat --defaults --set accelerator=h100-80gb --set tensor_parallel=1\n\n"
    "  lockgate new chat --set model_id=acme/llm --set model_revision=COMMIT --model-config config.json"
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
@click.option(
    "--model-config",
    "config",
    type=click.Path(path_type=Path),
    metavar="config.json",
    help="The model's own file: what it is, for a model that the catalogue lacks.",
)
@click.option(
    "--weights-bytes", type=click.IntRange(1), metavar="N", help="With --model-config: size of the weight files."
)
@click.option("--defaults", is_flag=True, help="Ask nothing: what is not answered takes its default.")
def command(  # one parameter for each option that a person can type
    folder: Path | None,
    file: Path | None,
    settings: tuple[str, ...],
    config: Path | None,
    weights_bytes: int | None,
    *,
    defaults: bool,
) -> int:
    """Write a GitOps repository for one vLLM service to DIR and gate it.

    Asks on a terminal; DIR is named like the project (default: the project, here). Exit code: the
    gate's, 2 when the answers cannot work; then nothing is written.
    """
    from lockgate.commands.check import run_gate

    given = {**(generate.read_answers(file) if file else {}), **dict(map(_setting, settings))}
    if folder is not None:
        given.setdefault("project", (folder.resolve().name, str(folder)))
    interactive = not defaults and sys.stdin.isatty()
    if weights_bytes and not config:
        msg = "--weights-bytes completes --model-config: give both"
        raise click.UsageError(msg)
    facts, notes = _facts(config, weights_bytes, interactive=interactive) if config else (None, [])
    if config and "model_id" not in given and not interactive:
        msg = f"{config} does not say the name of its model"
        raise LockgateError(msg, "--set model_id=ORGANISATION/NAME --set model_revision=COMMIT")
    context, unchecked = _answers(generate.accept(given), facts, interactive=interactive)
    target = _target(folder, context["cookiecutter"]["project"])
    for note in [*notes, *([unchecked] if unchecked else [])]:
        click.echo(f"note: {note}", err=True)
    if facts:
        generate.describe(context, facts)
    count = generate.write(context, target)
    click.echo(f"wrote {count} files to {target}", err=True)
    code = run_gate(target)
    _next_steps(target, context["cookiecutter"]["pin_by"])
    return code


def _facts(config: Path, weights_bytes: int | None, *, interactive: bool) -> tuple[dict[str, Json] | None, list[str]]:
    """What the model is; a person is asked for the size of the weights when nothing else says it."""
    facts, notes = modelconfig.read(config, weights_bytes)
    if facts is None and interactive and any("--weights-bytes" in note for note in notes):
        asked = click.prompt("Sum of the model's weight files in bytes", type=click.IntRange(1), err=True)
        return modelconfig.read(config, asked)
    return facts, notes


def _answers(
    given: dict[str, str], facts: dict[str, Json] | None, *, interactive: bool
) -> tuple[generate.Context, str]:
    """Answers that can work, and what could not be checked of them; a person may try again."""
    while True:
        context = generate.ask(given, interactive=interactive)
        try:
            return context, generate.refuse(context, facts)
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
