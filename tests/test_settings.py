"""`lockgate.yaml`: what fits, and how each misfit is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lockgate import settings
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """\
version: 1
environments:
  dev: {overlay: overlays/dev, pool: small}
  live: {overlay: overlays/live, level: prod}
pools:
  small:
    gpus: 3
"""


def test_level_is_the_name_unless_it_is_given() -> None:
    found = settings.parse(GOOD)
    assert [found.level(name) for name in found.environments] == ["dev", "prod"]


def test_a_section_may_be_left_empty() -> None:
    assert settings.parse(GOOD + "exemptions:\n").exemptions == []


def test_rules_see_no_null() -> None:
    data = settings.parse(GOOD).data()
    assert data["environments"]["dev"] == {
        "overlay": "overlays/dev",
        "namespace": "",
        "level": "dev",
        "cluster": "",
        "pool": "small",
    }
    assert "gpus_per_node" not in data["pools"]["small"]
    assert data["startup_budget_seconds"] == 600


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("version: 1\nenvironmens: {}\n", "lockgate.yaml:2: unknown key 'environmens'", "did you mean 'environments'?"),
        (GOOD.replace("gpus", "gpu"), "lockgate.yaml:7: unknown key 'gpu'", "did you mean 'gpus'?"),
        (
            GOOD + "exemptions:\n- {rule: A, objekt: B}\n",
            "lockgate.yaml:9: unknown key 'objekt'",
            "did you mean 'object'?",
        ),
        (GOOD.replace("3", "many"), "Expected `int | null`, got `str` (pools[...].gpus)", "README"),
        (GOOD.replace("3", "-1"), "Expected `int` >= 0", "README"),
        (
            GOOD.replace("pool: small", "pool: smal"),
            "lockgate.yaml:3: pool 'smal' is not in `pools`",
            "did you mean 'small'?",
        ),
        (GOOD.replace(", level: prod", ""), "lockgate.yaml:4: environment 'live' has no level", "dev, canary, prod"),
        (GOOD.replace("version: 1", "version: 2"), "lockgate.yaml:1: Invalid enum value 2", "README"),
        ("version: 1\nenvironments: {}\n", "lockgate.yaml:2: no environment, so nothing to check", "at least one"),
        ("a: [\n", "lockgate.yaml:2: not readable as YAML", "mend the YAML"),
        ("", "Expected `object`, got `null`", ""),
        (GOOD + "    gpus: 4\n", "lockgate.yaml:8: not readable as YAML: key 'gpus' stands twice", ""),
        (
            GOOD + "exemptions:\n- {environments: [pord]}\n",
            "environment 'pord' is not in `environments`",
            "known: dev, live",
        ),
    ],
)
def test_misfit_is_told_with_its_line_and_what_to_do(text: str, message: str, hint: str) -> None:
    with pytest.raises(LockgateError) as caught:
        settings.parse(text)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_missing_and_binary_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(LockgateError, match=r"no lockgate\.yaml in"):
        settings.load(tmp_path)
    (tmp_path / "lockgate.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LockgateError, match="wanted UTF-8 text, found a binary file"):
        settings.load(tmp_path)
