"""What `lockgate check --fix` shows and writes."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import click

from lockgate import fix
from lockgate.errors import LockgateError
from lockgate.progress import progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lockgate.fix import Mended
    from lockgate.pipeline import Options


def mended(path: Path, options: Options, *, dry: bool) -> Mended:
    """Mends the repository around `path`, or shows the diff on stdout and writes nothing (`dry`).

    Raises:
        LockgateError: As `lockgate.fix.mend`, or a file cannot be written.
    """
    with progress() as line:
        found = fix.mend(path, options, step=line.step)
    if dry:
        click.echo("".join(_diff(found)), nl=False)
    else:
        _write(found)
    verb = "would mend" if dry else "mended"
    for finding in found.done:
        click.echo(f"{verb} {finding.location}: {finding.rule} {finding.message}", err=True)
    for finding, reason in found.left:
        click.echo(f"left {finding.location}: {finding.rule} {finding.message}: {reason}", err=True)
    if not found.done:
        click.echo("nothing to mend", err=True)
    return found


def _diff(found: Mended) -> Iterator[str]:
    """A unified diff that `git apply` takes."""
    for name, (old, new) in sorted(found.files.items()):
        lines = difflib.unified_diff(_lines(old), _lines(new), f"a/{name}", f"b/{name}")
        for line in lines:
            yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _lines(text: str) -> list[str]:
    """The lines of a text as diff counts them, with their ends."""
    return [f"{line}\n" for line in text.split("\n")[:-1]] + [line for line in text.split("\n")[-1:] if line]


def _write(found: Mended) -> None:
    for name, (_, new) in found.files.items():
        file = found.root / name
        try:
            file.write_bytes(new.encode())
        except OSError as error:
            msg = f"{name}: cannot be written: {error.strerror}"
            raise LockgateError(msg, "give yourself the right to write it, and run it again") from error
