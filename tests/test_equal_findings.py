"""The same findings, byte for byte, from the three engines and the three renderers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import pytest
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


def agreed(root: Path, lockgate: Run, server: str = "") -> set[str]:
    """The rules that are broken, once each engine and each renderer has given the same bytes.

    Engines read what was rendered: the second and third of each need no meeting of their own.
    """
    runs = [*(("embedded", renderer) for renderer in RENDERERS), ("opa", RENDERERS[0])]
    outputs = {}
    for engine, renderer in (*runs, *([(server, RENDERERS[0])] if server else [])):
        done = lockgate("check", str(root), "--format", "json", "--engine", engine, "--renderer", renderer)
        assert done.returncode == 1, done.stderr
        outputs[engine, renderer] = done.stdout
    first = outputs[runs[0]]
    assert {key: text == first for key, text in outputs.items()} == dict.fromkeys(outputs, True)
    return {finding["rule"] for finding in json.loads(first)["findings"]}


@pytest.mark.slow
def test_engines_and_renderers_agree(pristine: Path, tmp_path: Path, opa: str, lockgate: Run) -> None:
    """Many faults at once; those that others hide break together in the next repository."""
    left = {edit.rule: edit for edit in reversed(FAULTS)}
    # Rules of one family hide one another: the first of all families break together, then the second ones.
    for number in sorted({rule[-3:] for rule in left}):
        together = [edit for rule, edit in left.items() if rule.endswith(number)]
        found = agreed(broken(pristine, tmp_path / number, together), lockgate, opa)
        left = {rule: edit for rule, edit in left.items() if rule not in found}
    for turn in range(len(left)):
        if not left:
            break
        together = list(left.values()) if turn % 2 else list(left.values())[:1]
        found = agreed(broken(pristine, tmp_path / f"turn-{turn}", together), lockgate)
        assert found & left.keys()
        left = {rule: edit for rule, edit in left.items() if rule not in found}
    assert left == {}
