"""`lockgate completion SHELL`: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command(
    epilog="Examples:\n\n  lockgate completion bash > ~/.local/share/bash-completion/completions/lockgate\n\n"
    "  lockgate completion fish | source"
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL."""
    cls = get_completion_class(shell)
    if cls is not None:
        click.echo(cls(ctx.find_root().command, {}, "lockgate", "_LOCKGATE_COMPLETE").source())
