"""The embedded engine: rules compiled by rego-cpp into a plan, the plan run as Python code. Needs nothing installed.

The code is kept in the user's cache under the digest of rules and compiler; settings and
catalogues are its arguments, so that only an edited rule is compiled again.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import marshal
import os
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lockgate import cache
from lockgate.engines import Evaluate, Outcome, base_documents, entry, outcomes, values
from lockgate.engines.builtins import TABLE
from lockgate.engines.compiler import compile_rules
from lockgate.engines.python import ENTRY, builtin_name
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import CodeType

    from lockgate.model import Json
    from lockgate.rules import RuleSet

_WRITERS: Final = ("compiler.py", "plan.py", "python.py", "source.py")
"""The modules beside this one that decide what the code is."""


@contextmanager
def session(ruleset: RuleSet, settings: Mapping[str, Json], _engine: str) -> Iterator[Evaluate]:
    """A function that evaluates documents in this process.

    Raises:
        LockgateError: regopy cannot be loaded, or a module has an error (with file and line).
    """
    data = _copied(base_documents(ruleset, settings))
    make = _loaded(_compiled(ruleset))

    def evaluate(documents: Sequence[Mapping[str, Json]]) -> list[Outcome]:
        return outcomes(values.plain(_decided(make, _copied(document), data)) for document in documents)

    yield evaluate


def _copied(document: Json) -> Json:
    """A document as every other engine gets it: through JSON."""
    return json.loads(json.dumps(document))


def _decided(make: Callable[[Json, Json], Json], document: Json, data: Json) -> Json:
    try:
        return make(document, data)
    except RecursionError as error:
        raise LockgateError("a rule calls itself without an end", "`opa check --strict` names the rule") from error


def _loaded(code: CodeType) -> Callable[[Json, Json], Json]:
    """The function that the code defines."""
    scope: dict[str, Any] = {
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
        **{builtin_name(name): function for name, function in TABLE.items()},
    }
    exec(code, scope)  # noqa: S102  # written by lockgate.engines.python from the rules
    made: Callable[[Json, Json], Json] = scope[ENTRY]
    return made


def _conflict(rule: str) -> None:
    raise LockgateError(f"data.{rule} has two values at once", "let the conditions of its bodies exclude each other")


def _insert_once(target: dict[Any, Any], key: Any, value: Any, rule: str) -> None:
    if not values.equal(target.setdefault(key, value), value):
        _conflict(rule)


def _compiled(ruleset: RuleSet) -> CodeType:
    """The rules' code, from the cache where it is."""
    digest = _digest(ruleset)
    known = _cached(digest)
    if known is not None:
        return known
    content = compile_rules(ruleset)
    cache.write(f"{digest}-{_checksum(content)}.code", content)
    code: CodeType = marshal.loads(content)  # noqa: S302  # what the compiler wrote just now
    return code


def _cached(digest: str) -> CodeType | None:
    """The cached code, if it is whole."""
    for file in cache.folder().glob(f"{digest}-*.code"):
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
    """What the code depends on: the rules, the compiler, Python itself."""
    here = Path(__file__).parent
    parts = [_version(), str(sys.implementation.cache_tag), entry(ruleset)]
    parts += [part for module in ruleset.modules for part in module]
    parts += [(here / name).read_text(encoding="utf-8") for name in _WRITERS]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _version() -> str:
    """What is installed of regopy: a folder's name, since importlib.metadata takes 18 ms to say it."""
    spec = importlib.util.find_spec("regopy")
    if spec is None or spec.origin is None:
        return ""
    return ",".join(sorted(folder.name for folder in Path(spec.origin).parents[1].glob("regopy-*.dist-info")))
