"""The embedded engine: rules compiled by rego-cpp into a plan, the plan run as Python code. Needs nothing installed.

The code is kept in the user's cache under the digest of rules and compiler; settings and
catalogues are its arguments, so that only an edited rule is compiled again.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import marshal
import os
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lockgate import cache
from lockgate.engines import Evaluate, Outcome, base_documents, copied, entry, outcomes, values
from lockgate.engines.builtins import ENTRY, TABLE, global_name
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import CodeType

    from lockgate.model import Json
    from lockgate.rules import RuleSet

_WRITERS: Final = (
    *("closures.py", "compiler.py", "definitions.py", "negation.py", "pairs.py"),
    *("plan.py", "python.py", "source.py", "unwritten.py"),
)
"""The modules beside this one that decide what the code is."""

_PYTHON: Final = str(sys.implementation.cache_tag)


@contextmanager
def session(ruleset: RuleSet, settings: Mapping[str, Json], _engine: str) -> Iterator[Evaluate]:
    """A function that evaluates documents in this process.

    Raises:
        LockgateError: regopy cannot be loaded, or a module has an error (with file and line).
    """
    data = copied(base_documents(ruleset, settings))
    make = _function(ruleset)

    def evaluate(documents: Sequence[Mapping[str, Json]]) -> list[Outcome]:
        return outcomes(values.plain(_decided(make, copied(document), data)) for document in documents)

    yield evaluate


def shipped_text(ruleset: RuleSet) -> str:
    """The module `lockgate.engines.shipped` of a wheel that carries these rules.

    Raises:
        LockgateError: As in `session`.
    """
    from lockgate.engines.compiler import python_code

    head = '"""The shipped rules as Python code; written when the wheel was built."""'
    return f"{head}\n\nDIGEST = {_digest(ruleset)!r}\n\n\n{python_code(ruleset)}"


def _decided(make: Callable[[Json, Json], Json], document: Json, data: Json) -> Json:
    try:
        return make(document, data)
    except RecursionError as error:
        raise LockgateError("a rule calls itself without an end", "`opa check --strict` names the rule") from error


def _scope() -> dict[str, Any]:
    """The names that the code uses; `lockgate.engines.python` writes them."""
    return {
        "U": values.UNDEFINED,
        "N": object(),
        "S": values.RegoSet,
        "E": values.equal,
        "D": values.dot,
        "V": values.items,
        "P": values.pairs,
        "M": values.merge,
        "F": values.freeze,
        "O": _insert_once,
        "C": _conflict,
        **{global_name(name): function for name, function in TABLE.items()},
    }


def _conflict(rule: str) -> None:
    raise LockgateError(f"data.{rule} has two values at once", "let the conditions of its bodies exclude each other")


def _insert_once(target: dict[Any, Any], key: Any, value: Any, rule: str) -> None:
    if not values.equal(target.setdefault(key, value), value):
        _conflict(rule)


def _function(ruleset: RuleSet) -> Callable[[Json, Json], Json]:
    """What the rules are as a function: from the wheel, from the cache, or compiled now."""
    digest = _digest(ruleset)
    scope = _shipped(digest)
    if scope is None:
        scope = {}
        exec(_cached(digest) or _compiled(ruleset, digest), scope)  # noqa: S102  # lockgate.engines.python wrote it
    scope.update(_scope())
    made: Callable[[Json, Json], Json] = scope[ENTRY]
    return made


def _shipped(digest: str) -> dict[str, Any] | None:
    """The names of the module that the wheel brings, when it was written from these rules."""
    if importlib.util.find_spec("lockgate.engines.shipped") is None:
        return None
    module = importlib.import_module("lockgate.engines.shipped")
    return vars(module) if digest == module.DIGEST else None


def _compiled(ruleset: RuleSet, digest: str) -> CodeType:
    from lockgate.engines.compiler import python_code

    code = compile(python_code(ruleset), "<rules>", "exec", dont_inherit=True, optimize=2)
    content = marshal.dumps(code)
    cache.write(f"{digest}-{_PYTHON}-{_checksum(content)}.code", content)
    return code


def _cached(digest: str) -> CodeType | None:
    """The cached code, if it is whole."""
    for file in cache.folder().glob(f"{digest}-{_PYTHON}-*.code"):
        with suppress(OSError):
            content = file.read_bytes()
            if file.stem.endswith(f"-{_checksum(content)}"):
                os.utime(file)  # The ones unused for longest make room.
                code: CodeType = marshal.loads(content)  # noqa: S302  # the user's own cache, like __pycache__
                return code
            file.unlink()
    return None


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _digest(ruleset: RuleSet) -> str:
    """What the code depends on: the rules and the compiler."""
    here = Path(__file__).parent
    parts = [_version(), entry(ruleset)]
    parts += [part for module in ruleset.modules for part in module]
    parts += [(here / name).read_text(encoding="utf-8") for name in _WRITERS]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _version() -> str:
    """What is installed of regopy: a folder's name, since importlib.metadata takes 18 ms to say it."""
    spec = importlib.util.find_spec("regopy")
    if spec is None or spec.origin is None:
        return ""
    return ",".join(sorted(folder.name for folder in Path(spec.origin).parents[1].glob("regopy-*.dist-info")))
