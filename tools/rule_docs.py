"""Writes the pages about the rules from METADATA and samples; a test fails when they differ.

Input: policies/ and tests/rules/. Output: docs/rules.md, docs/rules/<ID>.md, docs/coverage.md and
src/lockgate/examples.json, which the wheel carries. The team's example rule has no page: each team
writes its own.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rule_examples
from lockgate import pages, resources, rules, testing
from lockgate.model import LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockgate.model import Rule, Violation
    from lockgate.testing import Sample

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "tests" / "rules"
POLICIES = ROOT / resources.PROJECT / "policies"
ENGINES = ("embedded", "opa")
WRITTEN = "<!-- Written by `nox -s docs`; edit METADATA and samples instead. -->\n\n"


def shipped() -> list[Rule]:
    """Return the rules that every team gets, by id."""
    known = rules.load(POLICIES).rules.values()
    return sorted((rule for rule in known if not rule.file.startswith("team/")), key=lambda rule: rule.id)


def examples_json(known: Sequence[Rule]) -> str:
    """Return the text of examples.json: title, bad and good of each rule with samples for both."""
    examples: dict[str, dict[str, str]] = {}
    for rule in known:
        pair = rule_examples.closest(SAMPLES / rule.id)
        if pair is not None:
            bad, good = rule_examples.shown(pair, rule.id)
            examples[rule.id] = {"title": rule.title, "bad": bad, "good": good}
    return json.dumps(examples, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def page(rule: Rule) -> str:
    """Return the page about one rule."""
    levels = " | ".join(str(rule.severity.get(level, "off")) for level in LEVELS)
    head = f"# {rule.id}: {pages.prose(rule.title)}\n\n{WRITTEN}"
    table = f"| family | {' | '.join(LEVELS)} |\n| --- | --- | --- | --- |\n| {rule.family} | {levels} |\n\n"
    return head + table + pages.markdown(rule)


def index(known: Sequence[Rule]) -> str:
    """Return the index: a table for each family."""
    families: dict[str, list[Rule]] = defaultdict(list)
    for rule in known:
        families[rule.family].append(rule)
    parts = [
        f"# Rules\n\n{WRITTEN}{len(known)} rules in {len(families)} families. `lockgate explain ID` shows\n",
        "the text of a rule's page. [What tests each rule](coverage.md).\n",
    ]
    for family, members in sorted(families.items()):
        parts.append(
            f"\n## {family}\n\n| rule | dev | canary | prod | what must hold |\n| --- | --- | --- | --- | --- |\n"
        )
        for rule in members:
            levels = " | ".join(str(rule.severity.get(level, "off")) for level in LEVELS)
            title = pages.prose(rule.title, table=True)
            parts.append(f"| [{rule.id}](rules/{rule.id}.md) | {levels} | {title} |\n")
    return "".join(parts)


def decisions(samples: Sequence[Sample], engine: str) -> dict[Path, Any]:
    """Return what an engine says about each sample; those with the same settings are run together."""
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[json.dumps(sample.settings, sort_keys=True)].append(sample)
    found: dict[Path, Any] = {}
    for group in groups.values():
        documents = [sample.document for sample in group]
        results = testing.check_inputs(documents, settings=group[0].settings, policies=POLICIES, engine=engine)
        found |= dict(zip((sample.path for sample in group), results, strict=True))
    return found


def _order(violation: Violation) -> tuple[str, ...]:
    """Return what tells two violations of one document apart."""
    return (violation.rule, str(violation.object), repr(violation.path), violation.message)


def agreement(samples: Sequence[Sample]) -> dict[str, int]:
    """Return by rule how many samples all engines decide alike and as expected; 0 when one is not."""
    by_engine = [decisions(samples, engine) for engine in ENGINES]
    alike: dict[str, int] = defaultdict(int)
    wrong: set[str] = set()
    for sample in samples:
        said = [sorted(found[sample.path], key=_order) for found in by_engine]
        if all(one == said[0] for one in said) and sample.found(by_engine[0][sample.path]) == sample.expected:
            alike[sample.rule] += 1
        else:
            wrong.add(sample.rule)
    return {identifier: 0 if identifier in wrong else number for identifier, number in alike.items()}


def unit_tests(rule: Rule) -> int:
    """Return how many tests in the rule's folder bear its id."""
    files = (POLICIES / rule.file).parent.glob("*_test.rego")
    head = re.compile(rf"^test_{rule.id.lower()}_", re.MULTILINE)
    return sum(len(head.findall(file.read_text(encoding="utf-8"))) for file in files)


def coverage(known: Sequence[Rule]) -> str:
    """Return the table of what tests each rule; a cell of what is missing is empty."""
    samples = testing.samples(SAMPLES)
    alike = agreement(samples)
    rows = [_row(rule, samples, alike) for rule in known]
    return (
        f"# What tests each rule\n\n{WRITTEN}"
        "Unit tests bear the rule's id. The boundary is the failing and the passing sample that differ least, and in\n"
        f"how many lines. Engines: samples that {' and '.join(ENGINES)} decide alike, and as the samples expect.\n\n"
        "| rule | unit tests | pass samples | fail samples | boundary | page | engines agree |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n" + "".join(rows)
    )


def _row(rule: Rule, samples: Sequence[Sample], alike: Mapping[str, int]) -> str:
    own = [sample.path for sample in samples if sample.rule == rule.id]
    kinds = [sum(1 for path in own if path.name.startswith(kind)) for kind in ("pass-", "fail-")]
    pair = rule_examples.closest(SAMPLES / rule.id)
    boundary = f"{pair.bad.name} / {pair.good.name}: {pair.changed}" if pair else ""
    cells = [unit_tests(rule), *kinds, boundary, f"[{rule.id}](rules/{rule.id}.md)", alike.get(rule.id, 0)]
    return f"| {rule.id} | {' | '.join(str(cell or '') for cell in cells)} |\n"


def files(*, with_coverage: bool = True) -> dict[Path, str]:
    """Return every file that belongs to the rules with its text.

    Args:
        with_coverage: Whether to run the samples in every engine for docs/coverage.md.
    """
    known = shipped()
    texts = {pages.EXAMPLES: examples_json(known), ROOT / "docs" / "rules.md": index(known)}
    # The pages are made of what lockgate.pages reads.
    if pages.EXAMPLES.read_text(encoding="utf-8") != texts[pages.EXAMPLES]:
        pages.EXAMPLES.write_text(texts[pages.EXAMPLES], encoding="utf-8")
    texts |= {ROOT / "docs" / "rules" / f"{rule.id}.md": page(rule) for rule in known}
    if with_coverage:
        texts[ROOT / "docs" / "coverage.md"] = coverage(known)
    return texts


def main() -> int:
    """Write every file, and remove the pages of rules that are gone."""
    texts = files()
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for path in set((ROOT / "docs" / "rules").glob("*.md")) - texts.keys():
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
