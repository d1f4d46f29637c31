"""Every rule against its samples in `tests/rules`, in two engines."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lockgate import resources, rules, testing
from lockgate.errors import LockgateError
from lockgate.model import ObjectRef, Violation

if TYPE_CHECKING:
    from lockgate.testing import Sample

FOLDER = Path(__file__).parent / "rules"
POLICIES = resources.template_root() / resources.PROJECT / "policies"
TEAM = resources.template_root() / resources.PROJECT / "tests" / "rules"
SAMPLES = [*testing.samples(FOLDER), *testing.samples(TEAM)]
RULES = sorted(rules.load(POLICIES).rules)
ENGINES = ("embedded", "opa")


@pytest.fixture(scope="module", params=ENGINES)
def violations(request: pytest.FixtureRequest) -> dict[Path, list[Violation]]:
    """What an engine says about every sample; samples with the same settings are run together."""
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in SAMPLES:
        groups[json.dumps(sample.settings, sort_keys=True)].append(sample)
    found: dict[Path, list[Violation]] = {}
    for group in groups.values():
        documents = [sample.document for sample in group]
        results = testing.check_inputs(documents, settings=group[0].settings, engine=request.param)
        found |= dict(zip((sample.path for sample in group), results, strict=True))
    return found


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: f"{s.rule}/{s.path.name}")
def test_a_sample_yields_what_it_expects(sample: Sample, violations: dict[Path, list[Violation]]) -> None:
    assert sample.found(violations[sample.path]) == sample.expected
    assert {identifier for identifier, _ in sample.expected} <= {sample.rule}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_has_a_passing_and_a_failing_sample(rule: str) -> None:
    kinds = {sample.path.name.partition("-")[0] for sample in SAMPLES if sample.rule == rule}
    assert kinds == {"pass", "fail"}


def test_every_sample_belongs_to_a_rule() -> None:
    assert {sample.rule for sample in SAMPLES} <= set(RULES)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("GPU001/other.yaml", "a: 1"),
        ("GPU001/pass-x.yml", "a: 1"),
        ("pass-x.yaml", "a: 1"),
        ("GPU001/fail-x.yaml", "a: 1"),
    ],
    ids=["no-kind", "suffix", "no-folder", "expects-nothing"],
)
def test_a_file_that_is_no_sample_fails(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    with pytest.raises(LockgateError, match=r"not collected|expects nothing"):
        testing.samples(tmp_path)


def test_a_line_is_found_through_lists_and_text(tmp_path: Path) -> None:
    folder = tmp_path / "GPU001"
    folder.mkdir()
    file = folder / "fail-x.yaml"
    file.write_text(
        "kind: ConfigMap\nmetadata: {name: a}\ndata:\n"
        "  serve.yaml: |\n    model: x\n    tensor-parallel-size: 2  # expect: GPU001\n"
        "---\n"
        "kind: Pod\nmetadata: {name: b}\nspec:\n  containers:\n    - name: c  # expect: GPU001\n      image: d\n",
        encoding="utf-8",
    )
    [sample] = testing.samples(tmp_path)
    text = Violation("GPU001", "", ObjectRef("ConfigMap", "a"), ("data", "serve.yaml", "tensor-parallel-size"))
    missing = Violation("GPU001", "", ObjectRef("Pod", "b"), ("spec", "containers", 0, "resources"))
    assert sample.found([text, missing]) == sample.expected
