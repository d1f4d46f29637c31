"""Reads a plan (OPA's intermediate representation of rules) for what the code writer must know.

A plan is a list of functions; a function is a list of blocks; a block is a list of statements on
numbered locals. A statement without a value ends its block, and only that.
Source: the IR's description in OPA's documentation (docs/ir).
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Statement: TypeAlias = "Mapping[str, Any]"
Block: TypeAlias = "Mapping[str, Any]"

_TARGETS: Final = {
    "AssignIntStmt": ("target",),
    "AssignVarOnceStmt": ("target",),
    "AssignVarStmt": ("target",),
    "CallStmt": ("result",),
    "DotStmt": ("target",),
    "LenStmt": ("target",),
    "MakeArrayStmt": ("target",),
    "MakeNullStmt": ("target",),
    "MakeNumberIntStmt": ("target",),
    "MakeNumberRefStmt": ("target",),
    "MakeObjectStmt": ("target",),
    "MakeSetStmt": ("target",),
    "ObjectMergeStmt": ("target",),
    "ResetLocalStmt": ("target",),
    "ScanStmt": ("key", "value"),
}
"""The fields that name locals which a statement writes."""

_SOURCES: Final = {
    "ArrayAppendStmt": ("array", "value"),
    "AssignVarOnceStmt": ("source", "target"),
    "AssignVarStmt": ("source",),
    "DotStmt": ("source", "key"),
    "EqualStmt": ("a", "b"),
    "IsArrayStmt": ("source",),
    "IsDefinedStmt": ("source",),
    "IsObjectStmt": ("source",),
    "IsSetStmt": ("source",),
    "IsUndefinedStmt": ("source",),
    "LenStmt": ("source",),
    "NotEqualStmt": ("a", "b"),
    "ObjectInsertOnceStmt": ("key", "value", "object"),
    "ObjectInsertStmt": ("key", "value", "object"),
    "ObjectMergeStmt": ("a", "b"),
    "ResultSetAddStmt": ("value",),
    "ReturnLocalStmt": ("source",),
    "ScanStmt": ("source",),
    "SetAddStmt": ("value", "set"),
}
"""The fields that name locals, or hold operands, which a statement reads."""

NEVER_FAIL: Final = frozenset(
    {
        "AssignIntStmt",
        "BlockStmt",
        "MakeArrayStmt",
        "MakeNullStmt",
        "MakeNumberIntStmt",
        "MakeNumberRefStmt",
        "MakeObjectStmt",
        "MakeSetStmt",
        "NopStmt",
        "ResetLocalStmt",
        "ReturnLocalStmt",
    }
)
"""Statements that always have a value, so that none of them ends its block."""

INPUT, DATA = 0, 1
"""The locals that hold the two documents, in every function."""


def blocks(statement: Statement) -> list[Block]:
    """The blocks inside a statement."""
    body = statement["stmt"]
    if "block" in body:
        return [body["block"]]
    return list(body.get("blocks") or [])


def targets(statement: Statement) -> Iterator[int]:
    """The locals that a statement itself writes."""
    for field in _TARGETS.get(statement["type"], ()):
        yield statement["stmt"][field]


def operands(statement: Statement) -> Iterator[Any]:
    """The operands and locals that a statement itself reads."""
    body = statement["stmt"]
    if statement["type"] == "CallStmt":
        yield from body["args"]
    for field in _SOURCES.get(statement["type"], ()):
        yield body[field]


def local(operand: Any) -> int | None:
    """The number of the local that an operand is; None for a constant."""
    if isinstance(operand, int):
        return operand
    return operand["value"] if operand["type"] == "local" else None


class Strings:
    """The plan's table of strings: rego-cpp keeps them escaped, and some with their quotes."""

    def __init__(self, table: Sequence[Mapping[str, str]]) -> None:
        self._table = [entry["value"] for entry in table]

    def value(self, index: int) -> str:
        """The string itself."""
        kept = self._table[index]
        quoted = len(kept) > 1 and kept[0] == kept[-1] == '"'
        text = json.loads(kept if quoted else f'"{kept}"', strict=False)
        return str(text)

    def number(self, index: int) -> int | float:
        """The number that the string is."""
        value: int | float = json.loads(self._table[index])
        return int(value) if isinstance(value, float) and value.is_integer() else value


class Uses:
    """How a function's locals are written and read.

    Attributes:
        writes: Number of statements that write each local.
        reads: Number of operands that read each local.
        reset: The locals that some statement makes undefined.
    """

    def __init__(self, function: Mapping[str, Any]) -> None:
        self.writes: Counter[int] = Counter(function.get("params", ()))
        self.reads: Counter[int] = Counter()
        self.reset: set[int] = set()
        self._homes: dict[int, tuple[int, ...]] = {}
        self._readers: dict[int, list[tuple[int, ...]]] = defaultdict(list)
        self._number = 0
        for block in function["blocks"]:
            self._visit(block, ())

    def _visit(self, block: Block, outer: tuple[int, ...]) -> None:
        self._number += 1
        home = (*outer, self._number)
        for statement in block["stmts"]:
            if statement["type"] == "ResetLocalStmt":
                self.reset.add(statement["stmt"]["target"])
            for target in targets(statement):
                self.writes[target] += 1
                self._homes[target] = home
            for operand in operands(statement):
                number = local(operand)
                if number is not None:
                    self.reads[number] += 1
                    self._readers[number].append(home)
            for inner in blocks(statement):
                self._visit(inner, home)

    def single(self, number: int) -> bool:
        """Whether one statement writes the local, and nothing outside that statement's block reads it."""
        if self.writes[number] != 1 or number not in self._homes:
            return False
        home = self._homes[number]
        return all(reader[: len(home)] == home for reader in self._readers[number])

    def stable(self, number: int) -> bool:
        """Whether the local has one value from its only statement on; parameters have."""
        return self.writes[number] <= 1
