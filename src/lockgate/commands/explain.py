"""`lockgate explain ID`: why a rule exists, what breaks it, how to mend it, how to exempt from it."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate import pages, pipeline, rules
from lockgate.errors import LockgateError
from lockgate.model import LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.model import Rule
    from lockgate.rules import RuleSet


@click.command(epilog="Examples:\n\n  lockgate explain GPU001\n\n  lockgate explain --list")
@click.argument("identifier", metavar="[ID]", required=False)
@click.option("--list", "listed", is_flag=True, help="List every rule: id, severity in dev, canary and prod, title.")
def command(identifier: str | None, *, listed: bool) -> int:
    """Say why rule ID exists, what breaks it, how to mend it, how to exempt from it.

    Inside a repository its own rules are explained, else those that Lockgate ships.
    """
    ruleset = _ruleset()
    if listed or identifier is None:
        click.echo("\n".join(_table(ruleset)))
    else:
        click.echo(page(_rule(ruleset, identifier)))
    return 0


def page(rule: Rule) -> str:
    """The text about one rule."""
    return f"{rule.id}: {rule.title}\nseverity: {pages.severities(rule)}\n\n{pages.plain(rule).rstrip()}"


def _table(ruleset: RuleSet) -> Iterator[str]:
    yield "ID       dev      canary   prod     title"
    for rule in sorted(ruleset.rules.values(), key=lambda one: one.id):
        levels = " ".join(f"{rule.severity.get(level, '-')!s:<8}" for level in LEVELS)
        yield f"{rule.id:<8} {levels} {rule.title}"


def _ruleset() -> RuleSet:
    """The rules of the repository around the current folder; outside of one, the shipped ones."""
    return rules.load(pipeline.policies_around(Path.cwd()))


def _rule(ruleset: RuleSet, identifier: str) -> Rule:
    wanted = identifier.upper()
    if wanted in ruleset.rules:
        return ruleset.rules[wanted]
    close = difflib.get_close_matches(wanted, ruleset.rules, 3)
    hint = f"did you mean {', '.join(close)}?" if close else "`lockgate explain --list` lists them"
    msg = f"no rule {identifier!r}"
    raise LockgateError(msg, hint)
