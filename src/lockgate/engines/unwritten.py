"""Variables that rego-cpp lost: the plan reads a local that nothing writes before.

`every x in xs { not x.port }` is such a rule: the `x` in the negation is another local than the one of the
elements, has no value, and the rule would find nothing. What the gate cannot read it refuses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lockgate.engines.plan import blocks, local, operands, targets
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lockgate.engines.plan import Block


_LOST: Final = "the embedded engine loses a variable of this line in an inner `every`, `not` or comprehension"
_INSTEAD: Final = (
    "give the inner expression a rule or function of its own; `opa check` says whether OPA reads it, "
    "and --engine opa runs it"
)


def refuse_unwritten(document: Mapping[str, Any]) -> None:
    """Lets only a plan pass in which each local has a value before it is read.

    Raises:
        LockgateError: With the file and line where the variable is read.
    """
    files = [entry["value"] for entry in document["static"].get("files", [])]
    for function in document["funcs"]["funcs"]:
        written = set(function["params"])
        for block in function["blocks"]:
            for place in _unwritten(block, written, {}):
                where = f"{files[place['file']]}:{place['row'] + 1}: " if place else ""
                raise LockgateError(where + _LOST, _INSTEAD)


def _unwritten(block: Block, written: set[int], place: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Where locals are read that are not in `written`; the nearest place that is known."""
    for statement in block["stmts"]:
        body = statement["stmt"]
        here = body if "row" in body else place
        read = {number for operand in operands(statement) if (number := local(operand)) is not None}
        if read - written - _own(statement):
            yield here
        written.update(targets(statement))
        for inner in blocks(statement):
            yield from _unwritten(inner, written, here)


def _own(statement: Mapping[str, Any]) -> set[int]:
    """Locals that a statement may read without a value."""
    fields = {"AssignVarOnceStmt": "target", "IsUndefinedStmt": "source"}
    kind = statement["type"]
    return {statement["stmt"][fields[kind]]} if kind in fields else set()
