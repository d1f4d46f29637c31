"""`lockgate secrets FILE...`: refuses a commit that holds a credential; says where, never what."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate import secrets


@click.command(
    epilog="Examples:\n\n  lockgate secrets base/deployment.yaml\n\n  git ls-files -z | xargs -0 lockgate secrets"
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
def command(files: tuple[Path, ...]) -> int:
    """Look for credentials in FILEs, before they are committed.

    Prints `file:line: kind` for each, never the credential. A line that ends with the comment
    `pragma: allowlist secret` is passed over. Exit code 0: none; 1: found; 2: a file cannot be read.
    """
    places = secrets.scan(files)
    for place in places:
        click.echo(str(place))
    if places:
        click.echo(
            "fix: revoke each of them, keep it in the secret store and refer to it by an ExternalSecret;"
            " for a false alarm end the line with the comment `pragma: allowlist secret`",
            err=True,
        )
    return int(bool(places))
