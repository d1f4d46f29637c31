"""Compiles the rules for the embedded engine, in a process of its own.

rego-cpp ends the whole process on some faulty modules instead of reporting them. Here that costs
a child, and a person gets a sentence. Input: JSON on stdin. Output: the bundle file, or the error
as JSON on stdout with exit code 2.
"""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any

from lockgate.engines import PACKAGE, base_documents, entry
from lockgate.engines.source import PLAIN, distinct, plain
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lockgate.model import Json
    from lockgate.rules import RuleSet

ENTRYPOINT = f"{PACKAGE}/outcome"
_POSITION = re.compile(r"\(error \d*:?[^|\n]*\|(\d+)\|\d+\s*\(errormsg (?:\d+:)?([^\n]*)\)")
_ERROR = re.compile(r"\(errormsg (?:\d+:)?([^\n]*)\)")
_MISSING = re.compile(r"Function not found: (?:\S+\.)?(\w+)$")
_REFUSED = 2


def compile_bundle(ruleset: RuleSet, settings: Mapping[str, Json], target: Path) -> None:
    """Compiles modules, catalogues and settings into the file `target`.

    Raises:
        LockgateError: A module has an error (with file and line), or the compiler itself ended.
    """
    import signal
    import subprocess

    order = {
        "modules": ruleset.modules,
        "entry": entry(ruleset),
        "data": base_documents(ruleset, settings),
        "target": str(target),
    }
    done = subprocess.run(
        [sys.executable, "-m", "lockgate.engines.compiler"],
        input=json.dumps(order, ensure_ascii=False),
        capture_output=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    if done.returncode == _REFUSED:
        raise LockgateError(**json.loads(done.stdout))
    if done.returncode != 0:
        how = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit code {done.returncode}"
        msg = f"the embedded engine ended with {how} while it compiled the rules"
        raise LockgateError(msg, "`opa check --strict` on the policies folder, or --engine opa, says what is wrong")


def failure(modules: Sequence[tuple[str, str]], detail: str) -> LockgateError:
    """An error of rego-cpp that carries no place; the modules are searched for what it names."""
    match = _ERROR.search(detail)
    problem = (match[1] if match else detail.strip()[:200]).strip()
    missing = _MISSING.search(problem)
    place = _first_use(modules, missing[1]) if missing else ""
    hint = "`opa check --strict` on the policies folder, or --engine opa, says where"
    return LockgateError(f"{place}{problem or 'the rules could not be evaluated'}", hint)


def interpreter(regopy: Any) -> Any:
    """An interpreter that keeps its complaints to itself; they are raised, not printed."""
    made = regopy.Interpreter()
    made.log_level = regopy.rego_shared.LogLevel.NONE
    return made


def _compile(modules: Sequence[tuple[str, str]], entry_text: str, data: Json, target: str) -> None:
    import regopy
    import regopy.rego_shared

    made = interpreter(regopy)
    for name, text in plain(distinct(modules)):
        try:
            made.add_module(name, text)
        except regopy.RegoError as error:
            raise _syntax_error(name, text, str(error)) from error
    try:
        made.add_module("plain.rego", PLAIN)
        made.add_module("entry.rego", entry_text)
        made.add_data_json(json.dumps(data, ensure_ascii=False))
        bundle = made.build(None, [ENTRYPOINT])
        if not bundle.ok():
            raise failure(modules, str(bundle.node()))
        made.save_bundle(target, bundle, regopy.BundleFormat.Binary)
    except regopy.RegoError as error:
        raise failure(modules, str(error)) from error


def _syntax_error(name: str, text: str, detail: str) -> LockgateError:
    """The error tree of one module as `file:line: message`."""
    match = _POSITION.search(detail)
    line = text.encode().count(b"\n", 0, int(match[1])) + 1 if match else 1
    problem = match[2] if match else detail.strip().splitlines()[0]
    return LockgateError(f"{name}:{line}: {problem}", "mend the Rego at that line; `opa check` says more")


def _first_use(modules: Sequence[tuple[str, str]], function: str) -> str:
    """`file:line: ` of the first call of `function`, empty when it is not found."""
    call = re.compile(rf"\b{re.escape(function)}\(")
    for name, text in modules:
        match = call.search(text)
        if match:
            return f"{name}:{text.count(chr(10), 0, match.start()) + 1}: "
    return ""


def main() -> int:
    """Does what the order on stdin says; the exit code says whether there is a bundle."""
    order = json.load(sys.stdin)
    try:
        _compile([(name, text) for name, text in order["modules"]], order["entry"], order["data"], order["target"])
    except LockgateError as error:
        json.dump({"message": error.message, "hint": error.hint}, sys.stdout)
        return _REFUSED
    return 0


if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    # rego-cpp's own threads and destructors have nothing more to do: leave at once.
    code = main()
    sys.stdout.flush()
    os._exit(code)
