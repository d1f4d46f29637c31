"""Arguments in, exit code out; the only place where an error becomes text on stderr.

Exit codes: 0 clean, 1 findings at or above the threshold, 2 no answer (usage, configuration,
render failure, nothing checked), 3 a defect of Lockgate, 130 interrupted.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate import __version__
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Sequence

CLEAN, FINDINGS, NO_ANSWER, DEFECT, INTERRUPTED = 0, 1, 2, 3, 130

_COMMANDS = {
    "check": "Gate every environment: what would go wrong in the cluster, at the line to change.",
    "cmp": "Print an overlay's manifests for Argo CD, if the gate agrees.",
    "completion": "Print the completion script of a shell.",
    "diff": "Show what a change does to what is rendered, and to GPUs, image, model, flags and cost.",
    "doctor": "Ask a cluster what it lacks for the repository, with a dry run of every object.",
    "export": "Write the rules or what they judge for OPA, conftest or Gatekeeper.",
    "explain": "Say why a rule exists, what breaks it, how to mend it, how to exempt from it.",
    "new": "Write a new GitOps repository for one vLLM service and gate it.",
    "pin": "Write the digest of the image and the commit of the model into the release of dev.",
    "plan": "Say what each environment takes: pods, GPUs and their memory, and what they cost.",
    "promote": "Give canary the release of dev, or prod that of canary, on a branch, if the gate agrees.",
    "secrets": "Look for credentials in files, before they are committed.",
}


class _Lazy(click.Group):
    """A group that imports a command's module only when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"lockgate.commands.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = difflib.get_close_matches(args[0], _COMMANDS, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(_COMMANDS)}"
            msg = f"no command {args[0]!r}; {hint}"
            raise click.UsageError(msg, ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Examples:\n\n  lockgate new qwen-chat\n\n  lockgate check --env prod",
)
@click.version_option(__version__, prog_name="lockgate")
def root() -> None:
    """A GitOps repository for a vLLM service, and the gate that keeps it right."""


def run(arguments: Sequence[str]) -> int:  # noqa: PLR0911  # one return for each way to end
    """Runs one command line.

    Args:
        arguments: Without the program's name.

    Returns:
        The process exit code.
    """
    try:
        code = root.main(list(arguments), prog_name="lockgate", standalone_mode=False)
    except LockgateError as error:
        return _tell(error.message, error.hint)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return NO_ANSWER
    except (KeyboardInterrupt, click.Abort):
        print("interrupted", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has gone; Python would complain once more while it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLEAN
    except Exception:  # noqa: BLE001  # the last line of defence: a person gets a sentence, the log gets the rest
        return _defect()
    return code if isinstance(code, int) else CLEAN


def _tell(message: str, hint: str) -> int:
    click.echo(f"{click.style('error:', fg='red', bold=True)} {message}", err=True)
    if hint:
        click.echo(f"{click.style('hint:', fg='cyan')} {hint}", err=True)
    return NO_ANSWER


def _defect() -> int:
    """Writes the traceback to a log and says where; the code tells scripts apart from findings."""
    import tempfile
    import traceback

    text = traceback.format_exc()
    try:
        handle, name = tempfile.mkstemp(prefix="lockgate-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8") as log:
            log.write(f"lockgate {__version__}, Python {sys.version}\n{text}")
        where = f"its log: {Path(name)}"
    except OSError:
        where = text
    _tell(f"a defect of Lockgate: {text.strip().splitlines()[-1]}", f"please report it with {where}")
    return DEFECT
