"""Compiles the rules for the embedded engine, in a process of its own.

rego-cpp ends the whole process on some faulty modules instead of reporting them. Here that costs
a child, and a person gets a sentence. Input: JSON on stdin. Output: Python code on stdout, or the
error as JSON with exit code 2.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.engines import PACKAGE, entry, python
from lockgate.engines.closures import closed, comprehensions
from lockgate.engines.negation import hoisted
from lockgate.engines.pairs import unpaired
from lockgate.engines.source import distinct
from lockgate.engines.unbound import unbound
from lockgate.engines.unwritten import refuse_unwritten
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockgate.rules import RuleSet

_ENTRY = "entry.rego"
ENTRYPOINT = f"{PACKAGE}/outcome"
FUNCTION = f"g0.data.{PACKAGE}.outcome"
"""What rego-cpp calls the entry point's function in the plan."""
_POSITION = re.compile(r"\(error \d*:?[^|\n]*\|(\d+)\|\d+\s*\(errormsg (?:\d+:)?([^\n]*)\)")
_ERROR = re.compile(r"\(errormsg (?:\d+:)?([^\n]*)\)")
_COMPUTED_INDEX = re.compile(r"(?<=[\w\])}])\[[^\[\]\n]*?(?:\w\(|[+*/%-])[^\[\]\n]*\]")
"""An index that is a call or a sum; rego-cpp 1.5.2 cannot compile it in a comprehension, and says nothing."""
_IMPORT_V1 = re.compile(r"^import[ \t]+rego\.v1\b", re.MULTILINE)
"""rego-cpp speaks v1 anyway, and takes the import for something that a variable `v1` may mean."""
_MISSING = re.compile(r"Function not found: (?:\S+\.)?(\w+)$")
_REFUSED = 2
_MEND = "mend the Rego at that line; where `opa check` has nothing to say, --engine opa runs it as it is"


def python_code(ruleset: RuleSet) -> str:
    """The rules as Python code; `lockgate.engines.python` says what it defines.

    Raises:
        LockgateError: A module has an error (with file and line), regopy cannot be loaded, or the
            compiler itself ended.
    """
    import signal
    import subprocess

    for file, line, name in unbound(ruleset.modules):
        msg = f"{file}:{line}: nothing here is called {name!r}"
        raise LockgateError(msg, "define it, import its package, or correct the name; `opa check --strict` says more")
    order = {"modules": ruleset.modules, "entry": entry(ruleset)}
    done = subprocess.run(
        [sys.executable, "-m", "lockgate.engines.compiler"],
        input=json.dumps(order, ensure_ascii=False).encode(),
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    if done.returncode == _REFUSED:
        raise LockgateError(**json.loads(done.stdout))
    if done.returncode != 0:
        how = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit code {done.returncode}"
        msg = f"the embedded engine ended with {how} while it compiled the rules"
        raise LockgateError(msg, "`opa check --strict` on the policies folder, or --engine opa, says what is wrong")
    return done.stdout.decode()


def failure(modules: Sequence[tuple[str, str]], detail: str) -> LockgateError:
    """An error of rego-cpp that carries no place; the modules are searched for what it names."""
    match = _ERROR.search(detail)
    problem = (match[1] if match else detail.strip()[:200]).strip()
    if problem.startswith("rego-"):  # a node of its tree and no sentence
        return _unsaid(modules)
    missing = _MISSING.search(problem)
    place = _first_use(modules, missing[1]) if missing else ""
    hint = "`opa check --strict` on the policies folder, or --engine opa, says where"
    return LockgateError(f"{place}{problem or 'the rules could not be evaluated'}", hint)


def _unsaid(modules: Sequence[tuple[str, str]]) -> LockgateError:
    """An error of rego-cpp without a word: the likely place is named."""
    for name, text in modules:
        for scope in comprehensions(text):
            found = _COMPUTED_INDEX.search(scope.own)
            if found:
                line = text.count("\n", 0, scope.start + found.start()) + 1
                msg = f"{name}:{line}: the embedded engine cannot compile an index that is computed in a comprehension"
                return LockgateError(msg, "give the index a variable first: `at := count(xs) - 1` and `xs[at]`")
    msg = "the embedded engine cannot compile the rules, and does not say why"
    return LockgateError(msg, "leave out the last change to find the place, or run with --engine opa")


def _library() -> Any:
    try:
        import regopy
        import regopy.rego_shared
    except Exception as error:
        msg = f"the embedded engine cannot be loaded: {error}"
        raise LockgateError(msg, "install `regopy`, or run with --engine opa") from error
    return regopy


def _plan(modules: Sequence[tuple[str, str]], entry_text: str) -> Any:
    """The plan of the modules, as JSON."""
    regopy = _library()
    made = regopy.Interpreter()
    made.log_level = regopy.rego_shared.LogLevel.NONE  # complaints are raised, not printed
    for name, text in distinct(modules):
        mended = closed(unpaired(_IMPORT_V1.sub("", text)))  # on the same lines
        try:
            made.add_module(name, mended)
        except regopy.RegoError as error:
            raise _syntax_error(name, mended, str(error)) from error
    try:
        made.add_module(_ENTRY, entry_text)
        bundle = made.build(None, [ENTRYPOINT])
        if not bundle.ok():
            raise failure(modules, str(bundle.node()))
        with tempfile.TemporaryDirectory(prefix="lockgate-") as folder:
            made.save_bundle(folder, bundle, regopy.BundleFormat.JSON)
            plan = json.loads(Path(folder, "plan.json").read_text(encoding="utf-8"))
    except regopy.RegoError as error:
        raise failure(modules, str(error)) from error
    _name_files(plan, modules)
    return plan


def _name_files(plan: Any, modules: Sequence[tuple[str, str]]) -> None:
    """Files by their paths: rego-cpp keeps the last part alone, in the order of the whole names."""
    kept = plan["static"].get("files", [])
    names = sorted([*(name for name, _ in modules), _ENTRY])
    if [one["value"] for one in kept] == [name.rpartition("/")[2] for name in names]:
        for one, name in zip(kept, names, strict=True):
            one["value"] = name


def _syntax_error(name: str, text: str, detail: str) -> LockgateError:
    """The error tree of one module as `file:line: message`."""
    match = _POSITION.search(detail)
    line = text.encode().count(b"\n", 0, int(match[1])) + 1 if match else 1
    problem = match[2] if match else detail.strip().splitlines()[0]
    return LockgateError(f"{name}:{line}: {problem}", _MEND)


def _first_use(modules: Sequence[tuple[str, str]], function: str) -> str:
    """`file:line: ` of the first call of `function`, empty when it is not found."""
    call = re.compile(rf"\b{re.escape(function)}\(")
    for name, text in modules:
        match = call.search(text)
        if match:
            return f"{name}:{text.count(chr(10), 0, match.start()) + 1}: "
    return ""


def main() -> int:
    """Does what the order on stdin says; the exit code says whether there is code."""
    order = json.load(sys.stdin.buffer)
    try:
        plan = _plan([(name, text) for name, text in order["modules"]], order["entry"])
        refuse_unwritten(plan)
        hoisted(plan)
        text = python.source(plan, FUNCTION)
    except LockgateError as error:
        sys.stdout.write(json.dumps({"message": error.message, "hint": error.hint}))
        return _REFUSED
    sys.stdout.buffer.write(text.encode())
    return 0


if __name__ == "__main__":
    # rego-cpp's own threads and destructors have nothing more to do: leave at once.
    status = main()
    sys.stdout.flush()
    os._exit(status)
