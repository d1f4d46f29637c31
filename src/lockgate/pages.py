"""The text about a rule: why, bad, good, fix, exempt; for `lockgate explain`, the docs and SARIF.

Bad and Good come from the samples of the rules that Lockgate ships, which `nox -s docs` gathers into
`examples.json`; a rule without an example there goes without these two.
"""

from __future__ import annotations

import json
import re
import textwrap
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.model import Rule

HOME = "https://github.com/lockgate/lockgate"
EXAMPLES = Path(__file__).with_name("examples.json")

_WIDTH = 96
_SPECIAL = re.compile(r"([!#$&*<>\[\\\]^_`{|}~])")
_INSIDE_WORD = re.compile(r"(?<=\w)\\_(?=\w)")
_MENTION = re.compile(r"(?<!\w)@(?=\w)")
_CODE = re.compile(r"`([^`]+)`")


class Section(NamedTuple):
    """One part of the text: prose, then YAML; either may be empty."""

    title: str
    prose: str
    code: str = ""


def sections(rule: Rule) -> Iterator[Section]:
    """The parts of the text about a rule, in their order."""
    yield Section("Why", rule.description)
    example = _examples().get(rule.id)
    # A team may give the id of a shipped rule to one of its own: its example is another one.
    if example and example["title"] == rule.title:
        yield Section("Bad", "", example["bad"])
        yield Section("Good", "", example["good"])
    yield Section("Fix", rule.remediation)
    yield Section("Exempt", "In `lockgate.yaml`, for at most 90 days (30 where it covers prod):", _exemption(rule.id))


def severities(rule: Rule) -> str:
    """The severity at each level, like `dev warning, prod error`."""
    return ", ".join(f"{level} {severity}" for level, severity in rule.severity.items())


def plain(rule: Rule) -> str:
    """The text about a rule for a terminal, without its title."""
    lines: list[str] = []
    for section in sections(rule):
        lines.append(section.title)
        lines += textwrap.wrap(
            section.prose, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
        )
        if section.prose and section.code:
            lines.append("")
        lines += textwrap.indent(section.code, "    ").splitlines()
        lines.append("")
    if rule.links:
        lines += ["Links", *(f"  {link}" for link in rule.links), ""]
    return "\n".join(lines)


def markdown(rule: Rule) -> str:
    """The text about a rule as Markdown, without its title."""
    blocks: list[str] = []
    for section in sections(rule):
        blocks.append(f"## {section.title}")
        if section.prose:
            blocks.append(prose(section.prose))
        if section.code:
            blocks.append(f"```yaml\n{section.code}\n```")
    if rule.links:
        blocks += ["## Links", "\n".join(f"- <{link}>" for link in rule.links)]
    return "\n\n".join(blocks) + "\n"


def prose(text: str, *, table: bool = False) -> str:
    """Text of a rule as Markdown: its pairs of backticks are meant, all else is text.

    Args:
        text: One paragraph.
        table: Whether it stands in a table, where a bare pipe in code ends the cell.
    """
    parts = _CODE.split(text)
    return "".join(code(part, table=table) if number % 2 else escaped(part) for number, part in enumerate(parts))


def escaped(text: str) -> str:
    """Text that Markdown takes for what it is, and in which an @ before a name calls nobody."""
    return _MENTION.sub("@<!-- -->", _INSIDE_WORD.sub("_", _SPECIAL.sub(r"\\\1", text)))


def code(text: str, *, table: bool = False) -> str:
    """Text as Markdown code, in a fence longer than any inside it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest or not text.strip() else ""
    shown = f"{fence}{pad}{text}{pad}{fence}"
    return shown.replace("|", "\\|") if table else shown


def _exemption(identifier: str) -> str:
    return (
        "exemptions:\n"
        f"  - rule: {identifier}\n"
        "    object: Kind/name\n"
        "    environments: [dev]\n"
        "    reason: why it may stay broken for a while\n"
        "    owner: who mends it\n"
        '    expires: "YYYY-MM-DD"'
    )


@cache
def _examples() -> dict[str, dict[str, str]]:
    """Title, bad and good by rule id."""
    examples: dict[str, dict[str, str]] = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return examples
