"""One value of a YAML text changes; every other byte stays."""

from __future__ import annotations

import pytest
import yaml

from lockgate import yamledit
from lockgate.errors import LockgateError

TEXT = """\
# What moves.
images:
  # lockgate pin adds the digest.
  - name: a   # an image
    newName: "r/a"
    newTag: v1 # its tag

  - name: b
    newTag: 'v2'
labels:
  - pairs: {x: y}
"""


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        (["images", 0, "newTag"], "v3", "newTag: v1 #", "newTag: v3 #"),
        (["images", 0, "newName"], "r/b", '"r/a"', '"r/b"'),
        (["images", 1, "newTag"], "v'3", "'v2'", "'v''3'"),
        (["images", 0, "digest"], "sha256:0", "v1 # its tag\n", "v1 # its tag\n    digest: sha256:0\n"),
        (["images", 1, "digest"], "0123", "newTag: 'v2'\n", "newTag: 'v2'\n    digest: \"0123\"\n"),
        (["kind"], "C", "  - pairs: {x: y}\n", "  - pairs: {x: y}\nkind: C\n"),
    ],
)
def test_only_the_value_changes(path: list[str | int], value: str, old: str, new: str) -> None:
    changed = yamledit.put(TEXT, path, value, "f.yaml", "newTag")
    assert changed == TEXT.replace(old, new)
    found = yaml.safe_load(changed)
    for step in path:
        found = found[step]
    assert found == value


def test_a_key_goes_behind_the_one_that_is_named() -> None:
    assert yamledit.put("model: a/b # m\nx: 1", ["revision"], "12", "f", "model") == (
        'model: a/b # m\nrevision: "12"\nx: 1'
    )


def test_a_last_line_without_its_end_stays_so() -> None:
    assert yamledit.put("model: a/b", ["revision"], "main", "f") == "model: a/b\nrevision: main"


def test_a_text_of_several_lines_is_not_cut() -> None:
    text = "model: |\n  a\n  b\n\nx: 1\n"
    assert yaml.safe_load(yamledit.put(text, ["y"], "z", "f", "model")) == {"model": "a\nb\n", "y": "z", "x": 1}


@pytest.mark.parametrize("text", ["images: [{name: a}]\n", "images: []\n", "images: a\n", "[]\n", ""])
def test_what_is_no_mapping_in_block_style_is_told(text: str) -> None:
    with pytest.raises(LockgateError, match=r"f.yaml: wanted a mapping in block style at images.0"):
        yamledit.put(text, ["images", 0, "digest"], "x", "f.yaml")
