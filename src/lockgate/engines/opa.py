"""The `opa` binary: one process for all documents."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.engines import (
    PACKAGE,
    Evaluate,
    Outcome,
    base_documents,
    batch_entry,
    copied,
    entry,
    outcomes,
)
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lockgate.model import Json
    from lockgate.rules import RuleSet

MINIMUM = (1, 0)
"""The oldest OPA whose decisions are compared with the embedded engine's."""

_SECONDS = 120


@contextmanager
def session(ruleset: RuleSet, settings: Mapping[str, Json], _engine: str) -> Iterator[Evaluate]:
    """A function that evaluates documents by `opa eval`.

    Raises:
        LockgateError: No `opa` on PATH, one that is too old, or a module has an error.
    """
    program = shutil.which("opa")
    if program is None:
        msg = "no `opa` on PATH"
        raise LockgateError(
            msg, "install it (go install github.com/open-policy-agent/opa@v1.22.2) or leave --engine out"
        )
    with tempfile.TemporaryDirectory(prefix="lockgate-") as name:
        folder = Path(name)
        _write(folder, ruleset, settings)

        def evaluate(documents: Sequence[Mapping[str, Json]]) -> list[Outcome]:
            return outcomes(_evaluate(program, folder, documents))

        yield evaluate


def _write(folder: Path, ruleset: RuleSet, settings: Mapping[str, Json]) -> None:
    """Modules and data as files: the catalogues must lie at the root of `data`."""
    modules = folder / "modules"
    for name, text in (*ruleset.modules, ("entry.rego", entry(ruleset)), ("batch.rego", batch_entry())):
        target = modules / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    data = json.dumps(copied(base_documents(ruleset, settings)))
    (folder / "data.json").write_text(data, encoding="utf-8")


def _evaluate(program: str, folder: Path, documents: Sequence[Mapping[str, Json]]) -> list[Json]:
    command = [
        program, "eval", "--format=json", "--stdin-input",
        f"--data={folder / 'modules'}", f"--data={folder / 'data.json'}",
        f"data.{PACKAGE}_batch.outcomes",
    ]  # fmt: skip
    payload = json.dumps({"documents": copied(list(documents))})
    try:
        ended = subprocess.run(command, input=payload, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except OSError as error:
        msg = f"{program} cannot be started: {error.strerror}"
        raise LockgateError(msg, "check the file, or leave --engine out") from error
    except subprocess.TimeoutExpired as error:
        msg = f"opa gave no answer in {_SECONDS} seconds"
        raise LockgateError(msg, "leave --engine out to use the embedded engine") from error
    return _values(program, folder, ended, len(documents))


def _values(program: str, folder: Path, ended: subprocess.CompletedProcess[str], wanted: int) -> list[Json]:
    """The outcomes in opa's answer, one per document."""
    try:
        answer: Json = json.loads(ended.stdout)
    except ValueError:
        answer = {}
    if answer.get("errors") or ended.returncode:
        _refuse_old(program)
        detail = ended.stderr.strip() or ended.stdout.strip()
        raise error_from(answer.get("errors", []), detail, f"{folder / 'modules'}/")
    values: list[Json] = answer["result"][0]["expressions"][0]["value"] if "result" in answer else []
    if len(values) != wanted:
        msg = f"opa answered for {len(values)} of {wanted} documents"
        raise LockgateError(msg, "a rule or fact that is needed is undefined; try `opa check --strict`")
    return values


def error_from(errors: Sequence[Mapping[str, Json]], detail: str, prefix: str) -> LockgateError:
    """OPA's list of errors as one error with file and line.

    Args:
        errors: Each with `message` and, where there is one, `location` {file, row}.
        detail: What to say when the list is empty.
        prefix: Start of OPA's file names that a person does not know.
    """
    if not errors:
        lines = detail.replace(prefix, "").splitlines() or ["opa failed without a word"]
        return LockgateError(lines[0], "`opa check --strict` on the policies folder says more")
    first = errors[0]
    place = first.get("location") or {}
    file = str(place.get("file", "")).removeprefix(prefix)
    where = f"{file}:{place.get('row', 1)}: " if file else ""
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    message = f"{where}{first.get('message', detail)}{more}".replace(prefix, "")
    return LockgateError(message, "mend the Rego at that line; `opa check --strict` says more")


def _refuse_old(program: str) -> None:
    """Blames an old opa for a failure; asked only then, since the question costs 12 ms."""
    asked = subprocess.run([program, "version"], capture_output=True, text=True, check=False)
    found = re.search(r"^Version:\s*(\d+)\.(\d+)\S*", asked.stdout, re.MULTILINE)
    if found and (int(found[1]), int(found[2])) < MINIMUM:
        msg = f"{program} is OPA {found[0].split()[-1]}; wanted 1.0 or newer"
        raise LockgateError(msg, "install a newer one, or leave --engine out")
