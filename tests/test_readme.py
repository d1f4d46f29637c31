"""What README.md and CONTRIBUTING.md promise, held against the files and programs that they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import readme_example

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_first_two_commands_are_these() -> None:
    assert re.findall(r"^```sh\n(.*?)\n```$", README, re.MULTILINE | re.DOTALL)[:2] == ["make try", "make test"]


def test_the_first_sentence_names_the_three_products() -> None:
    sentence = README.split("\n\n")[1].partition(". ")[0]
    assert all(product in sentence for product in ("template", "package", "pre-commit hooks"))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "benchmarks/README.md", "changes/README.md"])
def test_links_lead_somewhere(name: str) -> None:
    file = ROOT / name
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", file.read_text(encoding="utf-8"))
    assert [target for target in targets if not (file.parent / target).exists()] == []


def test_the_commands_are_those_of_the_program() -> None:
    from lockgate import cli

    named = re.findall(r"^\| `lockgate (\w+)", README, re.MULTILINE)
    assert sorted(named) == sorted(cli.root.list_commands(None))  # type: ignore[arg-type]


def test_the_exit_codes_are_those_of_the_program() -> None:
    from lockgate import cli

    codes = [int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)]
    assert codes == [cli.CLEAN, cli.FINDINGS, cli.NO_ANSWER, cli.DEFECT, cli.INTERRUPTED]


def test_contributing_lists_every_nox_session() -> None:
    sessions = re.findall(
        r"^@nox\.session.*\ndef (\w+)", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE
    )
    named = re.findall(r"^\| `nox -s (\w+)`", CONTRIBUTING, re.MULTILINE)
    assert sorted(named) == sorted(sessions)


@pytest.mark.slow
def test_the_example_is_what_the_program_says_today() -> None:
    assert readme_example.replaced(README, readme_example.example()) == README
