"""The pages about the rules are what METADATA and samples say today: `nox -s docs` writes them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import test_rules
import yaml

import rule_docs
import rule_examples
from lockgate import pages, rules
from lockgate.commands import explain

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.model import Rule

RULES = rule_docs.shipped()
WRITTEN = rule_docs.files(with_coverage=False)
ROOT = rule_docs.ROOT


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_is_what_the_rules_say_today(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == WRITTEN[path]


def test_no_page_is_left_of_a_rule_that_is_gone() -> None:
    assert set((ROOT / "docs" / "rules").glob("*.md")) <= set(WRITTEN)


def test_links_between_the_pages_lead_somewhere() -> None:
    for path in [*(path for path in WRITTEN if path.suffix == ".md"), ROOT / "docs" / "coverage.md"]:
        targets = re.findall(r"\]\((?!https?://)([^)#]+)\)", path.read_text(encoding="utf-8"))
        assert [target for target in targets if not (path.parent / target).is_file()] == []


@pytest.mark.slow
def test_the_table_of_tests_is_what_is_there_today() -> None:
    table = rule_docs.coverage(RULES)
    assert (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8") == table
    rows = [line.strip("|").split("|") for line in table.splitlines() if re.match(r"\| [A-Z]{3}\d{3} ", line)]
    assert len(rows) == len(RULES)
    assert [row[0].strip() for row in rows if not all(cell.strip() for cell in row)] == []


def test_the_table_names_the_engines_that_the_samples_run_in() -> None:
    assert rule_docs.ENGINES == test_rules.ENGINES


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_page_has_every_part(rule: Rule) -> None:
    assert [section.title for section in pages.sections(rule)] == ["Why", "Bad", "Good", "Fix", "Exempt"]
    shown = explain.page(rule)
    for section in pages.sections(rule):
        assert all(line.strip() in shown for line in section.code.splitlines())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_examples_are_short_yaml_and_differ(rule: Rule) -> None:
    example = json.loads(pages.EXAMPLES.read_text(encoding="utf-8"))[rule.id]
    assert example["bad"] != example["good"]
    for text in (example["bad"], example["good"]):
        assert text.startswith("# ")
        assert len(text.splitlines()) <= rule_examples.LONGEST + 3
        for part in re.split(r"^# .*\n?", text, flags=re.MULTILINE):
            yaml.safe_load(part)


def test_a_rule_without_an_example_has_no_empty_sections() -> None:
    rule = next(rule for rule in rules.load(test_rules.POLICIES).rules.values() if "team/" in rule.file)
    assert [section.title for section in pages.sections(rule)] == ["Why", "Fix", "Exempt"]
    assert "## Bad" not in pages.markdown(rule)


def test_a_teams_rule_with_a_shipped_id_does_not_borrow_its_example() -> None:
    ours = replace(RULES[0], title="Ours")
    assert [section.title for section in pages.sections(ours)] == ["Why", "Fix", "Exempt"]


def samples(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name.replace('_', '-')}.yaml").write_text(text, encoding="utf-8")
    return folder


HEAD = "kind: Pod\nspec:\n  containers:\n    - name: a\n"


def test_the_example_is_the_nearest_pair(tmp_path: Path) -> None:
    folder = samples(
        tmp_path,
        fail_near=f"{HEAD}      size: 3  # expect: GPU001\n      other: 1\n",
        fail_far="kind: Job\nspec:\n  size: 3  # expect: GPU001\n",
        pass_near=f"{HEAD}      size: 2\n      other: 1\n",
    )
    pair = rule_examples.closest(folder)
    assert pair is not None
    assert (pair.bad.name, pair.changed) == ("fail-near.yaml", 1)
    assert rule_examples.shown(pair, "GPU001") == (
        "# Pod\nspec:\n  containers:\n    - name: a\n      size: 3  # GPU001\n      other: 1",
        "# Pod\nspec:\n  containers:\n    - name: a\n      size: 2\n      other: 1",
    )


def test_a_line_that_must_go_is_said_to_be_gone(tmp_path: Path) -> None:
    folder = samples(
        tmp_path,
        fail_a="kind: Pod\nspec:\n  more:\n    hostIPC: true  # expect: SEC002\n",
        pass_a="kind: Pod\nspec:\n  more:\n",
    )
    pair = rule_examples.closest(folder)
    assert pair is not None
    assert rule_examples.shown(pair, "SEC002") == (
        "# Pod\nkind: Pod\nspec:\n  more:\n    hostIPC: true  # SEC002",
        "# Pod\nkind: Pod\nspec:\n  more:",
    )


def test_one_side_alone_is_no_example(tmp_path: Path) -> None:
    assert rule_examples.closest(samples(tmp_path, fail_a="kind: Pod  # expect: SEC002\n")) is None


def test_a_long_difference_is_cut(tmp_path: Path) -> None:
    many = "".join(f"  key{number}: 1\n" for number in range(40))
    folder = samples(tmp_path, fail_a=f"kind: A  # expect: X001\nspec:\n{many}", pass_a="kind: A\nspec: {}\n")
    pair = rule_examples.closest(folder)
    assert pair is not None
    bad, _ = rule_examples.shown(pair, "X001")
    assert len(bad.splitlines()) <= rule_examples.LONGEST + 2
    assert bad.endswith("# ...")


def test_a_made_up_token_is_not_shown(tmp_path: Path) -> None:
    token = "hf" + "_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZabCdEfGh"
    folder = samples(tmp_path, fail_a=f"kind: A\nvalue: {token}  # expect: KEY003\n", pass_a="kind: A\nvalue: x\n")
    pair = rule_examples.closest(folder)
    assert pair is not None
    assert token not in rule_examples.shown(pair, "KEY003")[0]
