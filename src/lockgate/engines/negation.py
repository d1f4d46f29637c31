"""Negations as OPA has them: what a negated call is given is worked out before the `not`.

`not startswith(image, "a/")` of an image that is not there is undefined in OPA, not true: its compiler takes
references in the operands of a call, and calls in operands, out of the `not`. A reference that is negated
itself, or compared by `==`, stays in it. rego-cpp leaves all of it inside. Source: OPA's `rewriteDynamics`
and `rewriteExprTerms` (v1/ast/compile.go).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lockgate.engines.plan import Statement, blocks, local, operands, targets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DOCUMENTS: Final = 2  # what a rule without arguments is called with


def hoisted(document: Mapping[str, Any]) -> None:
    """Moves operands of negated calls before their `not`, in every function of a plan."""
    for function in document["funcs"]["funcs"]:
        for block in function["blocks"]:
            _rewrite(block)


def _rewrite(block: Any) -> None:
    done: list[Statement] = []
    for statement in block["stmts"]:
        for inner in blocks(statement):
            _rewrite(inner)
        if statement["type"] == "NotStmt":
            inside = statement["stmt"]["block"]
            before, inside["stmts"] = _split(inside["stmts"])
            done += before
        done.append(statement)
    block["stmts"] = done


def _split(statements: Sequence[Statement]) -> tuple[list[Statement], list[Statement]]:
    """What comes before a `not`, and what stays in it."""
    statements = _looked_up(statements)
    tests = [at for at, one in enumerate(statements) if _is_test(one)]
    if not tests or any(one["type"] == "ScanStmt" for one in statements):
        return [], list(statements)
    last = tests[-1]
    kept = _kept(statements[:last], statements[last])
    kept |= {at for at, one in enumerate(statements) if at >= last or one["type"] == "ResetLocalStmt"}
    before = [one for at, one in enumerate(statements) if at not in kept]
    return before, [one for at, one in enumerate(statements) if at in kept]


def _looked_up(statements: Sequence[Statement]) -> list[Statement]:
    """Statements in which a scan for one key, as rego-cpp reads `xs[i]` of an `i` that an index bound, is a look-up."""
    done: list[Statement] = []
    for statement in statements:
        found = _look_up(statement)
        done += _looked_up(found) if found else [statement]
    return done


def _look_up(statement: Statement) -> list[Statement]:
    """The same as a look-up; nothing for a scan of another kind."""
    scan = statement["stmt"]
    sides, rest = _compared(scan["block"]["stmts"]) if statement["type"] == "ScanStmt" else ([], [])
    wanted = [side for side in sides if local(side) != scan["key"]]
    if len(wanted) != 1 or len(sides) == len(wanted):
        return []
    place = {name: scan[name] for name in ("file", "row", "col") if name in scan}
    look = {"source": scan["source"], "key": wanted[0], "target": scan["value"], **place}
    named = {"source": wanted[0], "target": scan["key"], **place}
    return [{"type": "DotStmt", "stmt": look}, {"type": "AssignVarStmt", "stmt": named}, *rest]


def _compared(statements: Sequence[Statement]) -> tuple[list[Any], list[Statement]]:
    """What is compared by the `==` that a block begins with, and what follows."""
    kinds = [one["type"] for one in statements[:3]]
    first = statements[0]["stmt"] if statements else {}
    if kinds == ["EqualStmt", "AssignVarStmt", "NotEqualStmt"]:
        sides, result, test = [first["a"], first["b"]], statements[1]["stmt"]["target"], 2
    elif kinds[:2] == ["CallStmt", "NotEqualStmt"] and first["func"] == "equal":
        sides, result, test = list(first["args"]), first["result"], 1
    else:
        return [], []
    ends = _is_test(statements[test]) and local(statements[test]["stmt"]["a"]) == result
    return (sides, list(statements[test + 1 :])) if ends else ([], [])


def _is_test(statement: Statement) -> bool:
    """`x is not false`, by which rego-cpp ends an expression."""
    return statement["type"] == "NotEqualStmt" and bool(statement["stmt"]["b"] == {"type": "bool", "value": False})


def _kept(statements: Sequence[Statement], test: Statement) -> set[int]:
    """Which statements are the negated expression itself."""
    result = local(test["stmt"]["a"])
    makers = {target: at for at, one in enumerate(statements) for target in targets(one)}
    main = makers.get(result) if result is not None else None
    if main is None:
        return set(range(len(statements)))
    if statements[main]["type"] == "AssignVarStmt":
        if main == 0 or statements[main - 1]["type"] != "EqualStmt":
            return set(range(len(statements)))
        equal = statements[main - 1]
        return {main, main - 1}.union(*(_chain(statements, makers, equal["stmt"][side]) for side in ("a", "b")))
    if statements[main]["type"] == "CallStmt":
        call = statements[main]["stmt"]
        compared = call["args"] if call["func"] == "equal" else ()  # `==` in a comprehension
        return {main}.union(*(_chain(statements, makers, operand) for operand in compared))
    return _chain(statements, makers, result)


def _chain(statements: Sequence[Statement], makers: Mapping[int, int], operand: Any) -> set[int]:
    """The statements that follow a reference from its head on; what its indexes are is worked out before."""
    number = local(operand)
    at = makers.get(number) if number is not None else None
    if at is None:
        return set()
    statement = statements[at]
    if statement["type"] in {"AssignVarStmt", "DotStmt"}:
        return {at} | _chain(statements, makers, statement["stmt"]["source"])
    is_rule = statement["type"] == "CallStmt" and len(list(operands(statement))) == _DOCUMENTS
    return {at} if is_rule else set()
