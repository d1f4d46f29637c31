"""Writes a plan as Python code: a function for each rule, an `if` for each statement that may end a block.

rego-cpp's own machine pays for each call in proportion to all locals of all rules; Python's
functions do not, and need no copies of values. The code defines `make(input, data)`, which gives
the outcome for one document. What it calls is in `lockgate.engines.values` and `.builtins`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from lockgate.engines import plan
from lockgate.engines.builtins import ENTRY, TABLE, global_name
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lockgate.engines.plan import Block, Statement

_DOCUMENTS: Final = 2  # each function's first parameters are input and data, which the code has anyway
_INLINE: Final = {
    "equal": "E({0}, {1})",
    "neq": "not E({0}, {1})",
    "is_array": "type({0}) is list",
    "is_boolean": "type({0}) is bool",
    "is_null": "{0} is None",
    "is_object": "type({0}) is dict",
    "is_set": "type({0}) is S",
    "is_string": "type({0}) is str",
}
"""Builtins that are one Python expression, never undefined and always a boolean."""


_WITHOUT: Final = {"WithStmt": "`with`", "CallDynamicStmt": "a rule whose name is computed", "BreakStmt": "a jump"}


def source(document: Mapping[str, Any], entry: str) -> str:
    """The Python code of a plan.

    Args:
        document: The plan, as JSON.
        entry: The name of the function whose value is the outcome.

    Raises:
        LockgateError: A rule uses a builtin or a statement that the embedded engine does not have.
    """
    functions = document["funcs"]["funcs"]
    files = [entry["value"] for entry in document["static"].get("files", [])]
    names = {function["name"]: index for index, function in enumerate(functions)}
    strings = plan.Strings(document["static"]["strings"])
    lines = [f"def {ENTRY}(input, data):"]
    lines += [f"    m{index} = N" for index, one in enumerate(functions) if not _parameters(one)]
    for function in functions:
        lines += [f"    {line}" for line in _Writer(function, names, strings, files).lines()]
    return "\n".join([*lines, f"    return f{names[entry]}()", ""])


def _snake(kind: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()


def _literal(text: str) -> bool:
    """Whether an expression is a string or a number."""
    return text[0] in "'\"-0123456789"


def _parameters(function: Mapping[str, Any]) -> list[int]:
    return list(function["params"][_DOCUMENTS:])


class _Writer:
    """Writes one function."""

    def __init__(
        self, function: Mapping[str, Any], names: Mapping[str, int], strings: plan.Strings, files: Sequence[str]
    ) -> None:
        self._function = function
        self._names = names
        self._strings = strings
        self._files = files
        self._uses = plan.Uses(function)
        self._index = names[function["name"]]
        self._parameters = _parameters(function)
        self._constants: dict[int, str] = {}
        self._maybe: set[int] = set()
        self._flags = 0
        self._lines: list[str] = []

    def lines(self) -> Iterator[str]:
        """The function's lines."""
        known = {plan.INPUT, plan.DATA, *self._parameters}
        for block in self._function["blocks"]:
            known = self._block(block, "    ", known)
        yield f"def f{self._index}({', '.join(f'v{number}' for number in self._parameters)}):"
        if not self._parameters:
            yield f"    nonlocal m{self._index}"
            yield f"    if m{self._index} is not N: return m{self._index}"
        if self._maybe:
            yield f"    {' = '.join(f'v{number}' for number in sorted(self._maybe))} = U"
        yield from self._lines
        yield f"    {self._remembered('U')}return U"

    def _remembered(self, value: str) -> str:
        return "" if self._parameters else f"m{self._index} = {value}; "

    def _put(self, indent: str, line: str) -> None:
        self._lines.append(indent + line)

    def _block(self, block: Block, indent: str, known: set[int]) -> set[int]:
        """A block that may end early, with nothing after it in its own scope; gives the locals known after it."""
        statements = block["stmts"]
        if not any(map(self._may_fail, statements)):
            for statement in statements:
                self._statement(statement, indent, known, "")
            return known
        self._put(indent, "while True:")
        inner = set(known)
        for statement in statements:
            self._statement(statement, indent + "    ", inner, "break")
        self._put(indent, "    break")
        return known

    def _may_fail(self, statement: Statement) -> bool:
        return statement["type"] not in plan.NEVER_FAIL

    def _statement(self, statement: Statement, indent: str, known: set[int], fail: str) -> None:
        kind = statement["type"]
        write: Callable[..., None] | None = getattr(self, f"_{_snake(kind)}", None)
        if write is None:
            raise self._refused(statement, f"{_WITHOUT.get(kind, kind)} is not to be had in the embedded engine")
        write(statement["stmt"], indent, known, fail)

    def _refused(self, statement: Statement, problem: str) -> LockgateError:
        body = statement["stmt"]
        place = f"{self._files[body['file']]}:{body['row'] + 1}: " if "row" in body else ""
        return LockgateError(place + problem, "--engine opa runs every rule that OPA knows")

    # Operands

    def _read(self, operand: Any) -> str:
        """The expression for an operand."""
        number = plan.local(operand)
        if number is None:
            return self._constant(operand)
        if number in self._constants:
            return self._constants[number]
        return {plan.INPUT: "input", plan.DATA: "data"}.get(number, f"v{number}")

    def _constant(self, operand: Mapping[str, Any]) -> str:
        if operand["type"] == "string_index":
            return repr(self._strings.value(operand["value"]))
        return repr(operand["value"])

    def _defined(self, operand: Any, indent: str, known: set[int], fail: str) -> str:
        """The expression for an operand; the block ends here when it is undefined."""
        number = plan.local(operand)
        text = self._read(operand)
        if number is not None and number not in known and number not in self._constants:
            self._maybe.add(number)
            self._put(indent, f"if {text} is U: {fail}")
            self._know(number, known)
        return text

    def _assign(self, number: int, value: str, indent: str, known: set[int]) -> None:
        self._put(indent, f"v{number} = {value}")
        self._know(number, known)

    def _know(self, number: int, known: set[int]) -> None:
        """From here on the local has a value; one that is reset somewhere is asked each time."""
        if number not in self._uses.reset:
            known.add(number)

    def _never_read(self, number: int) -> bool:
        return not self._uses.reads[number]

    # Statements; named as in the plan

    def _assign_var_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], fail: str) -> None:
        target = body["target"]
        if self._never_read(target):
            return
        number = plan.local(body["source"])
        text = self._defined(body["source"], indent, known, fail)
        stable = number is None or number in self._constants or self._uses.stable(number)
        if stable and self._uses.single(target):
            self._constants[target] = text
            known.add(target)
        else:
            self._assign(target, text, indent, known)

    def _number(self, target: int, value: float, indent: str, known: set[int]) -> None:
        if self._uses.single(target):
            self._constants[target] = repr(value)
            known.add(target)
        else:
            self._assign(target, repr(value), indent, known)

    def _make_number_ref_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], _fail: str) -> None:
        self._number(body["target"], self._strings.number(body["index"]), indent, known)

    def _make_number_int_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], _fail: str) -> None:
        self._number(body["target"], body["value"], indent, known)

    _assign_int_stmt = _make_number_int_stmt

    def _make_null_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], _fail: str) -> None:
        self._assign(body["target"], "None", indent, known)

    def _make_array_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], _fail: str) -> None:
        self._assign(body["target"], "[]", indent, known)

    def _make_object_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], _fail: str) -> None:
        self._assign(body["target"], "{}", indent, known)

    def _make_set_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], _fail: str) -> None:
        self._assign(body["target"], "S()", indent, known)

    def _reset_local_stmt(self, body: Mapping[str, Any], indent: str, _known: set[int], _fail: str) -> None:
        self._put(indent, f"v{body['target']} = U")

    def _nop_stmt(self, _body: Mapping[str, Any], _indent: str, _known: set[int], _fail: str) -> None:
        return

    def _array_append_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], fail: str) -> None:
        value = self._defined(body["value"], indent, known, fail)
        self._put(indent, f"{self._read(body['array'])}.append({value})")

    def _set_add_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], fail: str) -> None:
        value = self._defined(body["value"], indent, known, fail)
        self._put(indent, f"{self._read(body['set'])}.add({value})")

    def _key(self, operand: Any, indent: str, known: set[int], fail: str) -> str:
        text = self._defined(operand, indent, known, fail)
        return text if self._is_string(operand) else f"F({text})"

    def _is_string(self, operand: Any) -> bool:
        return plan.local(operand) is None and operand["type"] == "string_index"

    def _object_insert_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], fail: str) -> None:
        value = self._defined(body["value"], indent, known, fail)
        key = self._key(body["key"], indent, known, fail)
        self._put(indent, f"{self._read(body['object'])}[{key}] = {value}")

    def _object_insert_once_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], fail: str) -> None:
        value = self._defined(body["value"], indent, known, fail)
        key = self._key(body["key"], indent, known, fail)
        self._put(indent, f"O({self._read(body['object'])}, {key}, {value}, {self._name()})")

    def _object_merge_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], fail: str) -> None:
        one, other = (self._defined(body[side], indent, known, fail) for side in ("a", "b"))
        self._assign(body["target"], f"M({one}, {other})", indent, known)

    def _assign_var_once_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], fail: str) -> None:
        target = body["target"]
        self._maybe.add(target)
        value = self._defined(body["source"], indent, known, fail)
        self._put(indent, f"if v{target} is U: v{target} = {value}")
        self._put(indent, f"elif not E(v{target}, {value}): C({self._name()})")
        self._know(target, known)

    def _name(self) -> str:
        return repr(".".join(self._function["path"][1:]))

    def _dot_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], fail: str) -> None:
        value = self._defined(body["source"], indent, known, fail)
        key = self._defined(body["key"], indent, known, fail)
        if self._is_string(body["key"]) and not _literal(value):
            found = f"{value}.get({key}, U) if type({value}) is dict else D({value}, {key})"
        else:
            found = f"D({value}, {key})"
        target = body["target"]
        self._assign(target, found, indent, known)
        self._put(indent, f"if v{target} is U: {fail}")

    def _call_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], fail: str) -> None:
        name, target = body["func"], body["result"]
        own = name in self._names
        arguments = [
            self._defined(operand, indent, known, fail) for operand in body["args"][_DOCUMENTS if own else 0 :]
        ]
        if name in _INLINE:
            self._assign(target, _INLINE[name].format(*arguments), indent, known)
            return
        if not own and name not in TABLE:
            raise self._refused({"stmt": body}, f"the embedded engine has no builtin {name!r}")
        called = f"f{self._names[name]}" if own else global_name(name)
        self._assign(target, f"{called}({', '.join(arguments)})", indent, known)
        self._put(indent, f"if v{target} is U: {fail}")

    def _equal_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], fail: str) -> None:
        self._put(indent, f"if not ({self._same(body, indent, known, fail)}): {fail}")

    def _not_equal_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], fail: str) -> None:
        self._put(indent, f"if {self._same(body, indent, known, fail)}: {fail}")

    def _same(self, body: Mapping[str, Any], indent: str, known: set[int], fail: str) -> str:
        one, other = (self._defined(body[side], indent, known, fail) for side in ("a", "b"))
        for left, right in ((one, other), (other, one)):
            if right in {"True", "False"}:
                return "False" if _literal(left) else f"{left} is {right}"
            if right[0] in "'\"":
                return f"{left} == {right}"
        return f"E({one}, {other})"

    def _is_defined_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], fail: str) -> None:
        self._defined(body["source"], indent, known, fail)

    def _is_undefined_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], fail: str) -> None:
        number: int = body["source"]
        if number in self._constants or number in known:
            self._put(indent, fail)
            return
        self._maybe.add(number)
        self._put(indent, f"if v{number} is not U: {fail}")

    def _type_is(self, kind: str, body: Mapping[str, Any], indent: str, known: set[int], fail: str) -> None:
        value = self._defined(body["source"], indent, known, fail)
        self._put(indent, f"if type({value}) is not {kind}: {fail}")

    def _is_array_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], fail: str) -> None:
        self._type_is("list", body, indent, known, fail)

    def _is_object_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], fail: str) -> None:
        self._type_is("dict", body, indent, known, fail)

    def _is_set_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], fail: str) -> None:
        self._type_is("S", body, indent, known, fail)

    def _len_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], fail: str) -> None:
        self._assign(body["target"], f"len({self._defined(body['source'], indent, known, fail)})", indent, known)

    def _return_local_stmt(self, body: Mapping[str, Any], indent: str, _known: set[int], _fail: str) -> None:
        value = self._read(body["source"])
        self._maybe.update(() if body["source"] in self._constants else {body["source"]})
        self._put(indent, f"{self._remembered(value)}return {value}")

    def _block_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], _fail: str) -> None:
        for block in body["blocks"]:
            self._block(block, indent, known)

    def _not_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], fail: str) -> None:
        self._flags += 1
        flag = f"n{self._flags}"
        self._put(indent, f"{flag} = False")
        self._put(indent, "while True:")
        inner = set(known)
        for statement in body["block"]["stmts"]:
            self._statement(statement, indent + "    ", inner, "break")
        self._put(indent, f"    {flag} = True")
        self._put(indent, "    break")
        self._put(indent, f"if {flag}: {fail}")

    def _scan_stmt(self, body: Mapping[str, Any], indent: str, known: set[int], fail: str) -> None:
        source_ = self._defined(body["source"], indent, known, fail)
        self._flags += 1
        every = f"s{self._flags}"
        key, value = body["key"], body["value"]
        by_value = self._never_read(key)
        self._put(indent, f"{every} = {'V' if by_value else 'P'}({source_})")
        self._put(indent, f"if {every} is U: {fail}")
        self._put(indent, f"for {f'v{value}' if by_value else f'v{key}, v{value}'} in {every}:")
        inner = known | {key, value}
        statements = body["block"]["stmts"]
        for statement in statements:
            self._statement(statement, indent + "    ", inner, "continue")
        if not statements:
            self._put(indent, "    pass")
