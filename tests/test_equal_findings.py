"""The same findings, byte for byte, from the three engines and the three renderers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from edits import FAULTS, Edit

from lockgate.render import RENDERERS

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def broken(pristine: Path, root: Path, edits: Iterable[Edit]) -> Path:
    """A copy of the repository with those of the edits that do not stand in each other's way."""
    shutil.copytree(pristine, root, symlinks=True)
    for edit in edits:
        if not edit.old or (root / edit.file).read_text().count(edit.old) == 1:
            edit.apply(root)
    return root


def agreed(root: Path, opa: str, lockgate: Run) -> set[str]:
    """The rules that are broken, once every pair of engine and renderer has given the same bytes."""
    outputs = {}
    for engine in ("embedded", "opa", opa):
        for renderer in RENDERERS:
            done = lockgate("check", str(root), "--format", "json", "--engine", engine, "--renderer", renderer)
            assert done.returncode == 1, done.stderr
            outputs[engine, renderer] = done.stdout
    first = outputs["embedded", "pykustomize"]
    assert {key: text == first for key, text in outputs.items()} == dict.fromkeys(outputs, True)
    return {finding["rule"] for finding in json.loads(first)["findings"]}


def test_engines_and_renderers_agree(pristine: Path, tmp_path: Path, opa: str, lockgate: Run) -> None:
    """Many faults at once; a rule that another fault hides gets a repository of its own."""
    faults = {edit.rule: edit for edit in reversed(FAULTS)}
    rules: set[str] = set()
    # Rules of one family hide one another: the first of all families break together, then the second ones.
    for number in sorted({rule[-3:] for rule in faults}):
        together = [edit for rule, edit in faults.items() if rule.endswith(number)]
        rules |= agreed(broken(pristine, tmp_path / number, together), opa, lockgate)
    for rule in sorted(faults.keys() - rules):
        found = agreed(broken(pristine, tmp_path / rule, [faults[rule]]), opa, lockgate)
        assert rule in found
