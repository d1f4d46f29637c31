"""Mends a repository: edits on a copy, one after the other, each kept only if it did what it should.

An edit is right when its finding is gone, no other one is new, and of all rendered objects only the
mended field differs. The gate itself says so: it runs again after each edit.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate import discover, pipeline
from lockgate.errors import LockgateError
from lockgate.fix.edits import Refused, edited
from lockgate.fix.proof import strange_change

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lockgate.model import Finding, Fix, Report
    from lockgate.pipeline import Options, Scene
    from lockgate.trace import Written

_LEFT_OUT = (".git", ".nox", ".tox", ".venv", "__pycache__", "node_modules")
"""Folders that no build reads and that are large."""


@dataclass(frozen=True)
class Mended:
    """What was mended and what was not.

    Attributes:
        root: The repository's root.
        before: The first report.
        report: The gate's report on the mended repository.
        done: The findings that are gone, as they were, in the order of mending.
        left: Findings that have an answer and could not be mended, each with the reason.
        files: Old and new content by path relative to the root.
    """

    root: Path
    before: Report
    report: Report
    done: list[Finding] = field(default_factory=list)
    left: list[tuple[Finding, str]] = field(default_factory=list)
    files: dict[str, tuple[str, str]] = field(default_factory=dict)


def mend(path: Path, options: Options, step: Callable[[str], None] = lambda _text: None) -> Mended:
    """Mends what can be mended of the repository around `path`, in memory; nothing is written.

    Args:
        path: The repository's root, or a folder in it.
        options: As for the gate; all environments are looked at, since a line may serve each of them.
        step: Told what is being done.

    Raises:
        LockgateError: As `lockgate.pipeline.check`.
    """
    root = discover.find_root(path)
    scene, report = _gate(root, options, step)
    with tempfile.TemporaryDirectory(prefix="lockgate-") as name:
        copy = Path(name) / root.name
        shutil.copytree(root, copy, symlinks=True, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        mender = _Mender(copy, options, step)
        after = mender.run(scene, report)
        return Mended(root, report, after, mender.done, mender.left(after), mender.files)


def _gate(path: Path, options: Options, step: Callable[[str], None]) -> tuple[Scene, Report]:
    found = pipeline.gate(path, options, step=step)
    if found is None:  # no changed files are named
        raise AssertionError
    return found


class _Mender:
    """Works on one copy of a repository."""

    def __init__(self, root: Path, options: Options, step: Callable[[str], None]) -> None:
        self._root = root
        self._options = options
        self._step = step
        self._refused: dict[tuple[object, ...], str] = {}
        self.done: list[Finding] = []
        self.files: dict[str, tuple[str, str]] = {}

    def left(self, report: Report) -> list[tuple[Finding, str]]:
        """What has an answer and could not be mended, with the reason."""
        return [(one, self._refused[_key(one)]) for one in report.open if _key(one) in self._refused]

    def run(self, scene: Scene, report: Report) -> Report:
        """Mends until nothing is left that can be; the last report."""
        while (found := self._next(report)) is not None:
            self._step(f"mending {found.rule} at {found.location}")
            try:
                edits = self._edit(scene, found)
                scene, report = self._proved(scene, report, found, edits)
            except Refused as refused:
                self._refused[_key(found)] = str(refused)
                continue
            self.done.append(found)
            for file, (old, new) in edits.items():
                self.files[file] = (self.files[file][0] if file in self.files else old, new)
        return report

    def _next(self, report: Report) -> Finding | None:
        return next((one for one in report.open if one.fix and _key(one) not in self._refused), None)

    def _edit(self, scene: Scene, finding: Finding) -> dict[str, tuple[str, str]]:
        """Old and new text of each file that the edits of a finding change."""
        ref = finding.objects[0]
        here = [e for e in finding.environments if ref in scene.refs(e)]
        edits: dict[str, list[tuple[Written, Fix]]] = defaultdict(list)
        for fix in finding.fix:
            spot = scene.written((here or finding.environments)[0], ref, fix.path)
            if spot is None:
                reason = "another line removes the field"
                raise Refused(reason)
            edits[spot.file].append((spot, fix))
        texts = {file: self._text(file) for file in edits}
        return {file: (texts[file], edited(texts[file], edits[file])) for file in edits}

    def _text(self, file: str) -> str:
        target = self._root / file
        if not target.is_file() or not target.resolve().is_relative_to(self._root.resolve()):
            reason = f"{file} is no file of this repository"
            raise Refused(reason)
        return target.read_bytes().decode()

    def _write(self, texts: Mapping[str, str]) -> None:
        for file, text in texts.items():
            (self._root / file).write_bytes(text.encode())

    def _proved(
        self, scene: Scene, report: Report, finding: Finding, edits: Mapping[str, tuple[str, str]]
    ) -> tuple[Scene, Report]:
        """The gate after the edits; the files are as they were when the edits are refused."""
        self._write({file: new for file, (_, new) in edits.items()})
        try:
            after = _gate(self._root, self._options, lambda _text: None)
            reason = _wrong(report, after[1], finding) or strange_change(scene, after[0], finding)
        except LockgateError as error:
            after, reason = None, f"nothing can be built then: {error.message}"
        if after is None or reason:
            self._write({file: old for file, (old, _) in edits.items()})
            raise Refused(reason)
        return after


def _wrong(before: Report, after: Report, finding: Finding) -> str:
    """Why the findings after an edit are not those before without the mended one; empty when they are."""
    had, has = Counter(map(_key, before.open)), Counter(map(_key, after.open))
    if has[_key(finding)] >= had[_key(finding)]:
        return "the finding would stay"
    new = [one for one in after.open if has[_key(one)] > had[_key(one)]]
    return f"it would bring {new[0].rule}: {new[0].message}" if new else ""


def _key(finding: Finding) -> tuple[object, ...]:
    """What a finding is, wherever its line and its list indexes went."""
    return finding.rule, finding.message, finding.location.file, finding.objects, finding.environments
