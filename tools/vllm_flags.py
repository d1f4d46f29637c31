"""The flags of `vllm serve`, read from vLLM's Python text.

vLLM builds its parser from the annotations of dataclasses: `get_kwargs(ModelConfig)["dtype"]` gives
what `add_argument` takes. The functions that do it are read here statement by statement.

A flag's type is one word: `switch` (also as --no-...), `on` (a switch without a negative), `int`,
`float`, `str`, `json`, `count` (1k, 2M), `any` (not judged). `?` after it: None is allowed; `+`: one
or more values; `*`: none or one.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from python_source import CONTAINERS, Hint, Package, UnknownError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PARSERS = tuple(f"vllm.entrypoints.{place}.cli_args" for place in ("common", "launchers", "openai"))
ENGINE = "vllm.engine.arg_utils"
TYPES = {"str": "str", "int": "int", "float": "float", "json.loads": "json", "parse_type(json.loads)": "json"}
COUNTS = ("human_readable_int", "human_readable_int_or_auto")
ORDER = ("dataclass", "bool", "literal", "tuple", "list", "set", "int", "float", "dict")


@dataclass(frozen=True)
class Flag:
    """What a flag takes; `choices` is None when any value will do or the text does not say."""

    type: str
    choices: tuple[str, ...] | None = None
    optional: bool = False
    many: str = ""
    folded: bool = False

    def compact(self) -> Any:
        """Return the flag as the catalogue has it: a type, a list of choices, or both."""
        word = self.type + self.many + ("?" if self.optional and self.type not in {"switch", "on"} else "")
        if self.choices is None or self.type in {"switch", "on"}:
            return word
        chosen = sorted(self.choices)
        if self.folded or self.many or self.optional or self.type == "int":
            return {"type": word, "choices": chosen, **({"folded": True} if self.folded else {})}
        return chosen


class Reader:
    """Follows the functions that fill the parser."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self.flags: dict[str, Flag] = {}
        self.short: dict[str, str] = {}
        self._counts = self._count_fields()

    def read(self) -> None:
        """Read every flag of `vllm serve`.

        Raises:
            UnknownError: The parser is not where it is looked for.
        """
        for module in PARSERS:
            if "make_arg_parser" in self.package.module(module):
                self._function(module, *self.package.find(module, "make_arg_parser"))
                if "FrontendArgs" in self.package.module(module):
                    self._class(module, "FrontendArgs")
                for name in ("EngineArgs", "AsyncEngineArgs"):
                    for home, function in self.package.method(ENGINE, name, "add_cli_args"):
                        self._function(home, home, function)
                return
        raise UnknownError("make_arg_parser")

    def _count_fields(self) -> set[str]:
        """Fields whose number may be written 1k or 2M: their names stand in the function that builds the arguments."""
        names: set[str] = set()
        for function in ("get_kwargs", "_compute_kwargs"):
            node = self.package.module(ENGINE).get(function)
            for part in ast.walk(node) if node else ():
                if isinstance(part, ast.Set | ast.Compare):
                    names |= {str(item.value) for item in ast.walk(part) if isinstance(item, ast.Constant)}
        return names

    def _class(self, module: str, name: str) -> None:
        """Read a class whose every field is a flag, as its own methods change them."""
        known = {"frontend_kwargs": self._fields(module, name)}
        for method in ("_customize_cli_kwargs", "add_cli_args"):
            for home, function in self.package.method(module, name, method):
                self._statements(home, function.body, known)
        for field, flag in known["frontend_kwargs"].items():
            self._add([f"--{field.replace('_', '-')}"], flag)

    def _fields(self, module: str, name: str) -> dict[str, Flag]:
        """Return what `get_kwargs` would say of a dataclass."""
        return {field: self._flag(field, hints) for field, hints in self.package.fields(module, name)}

    def _flag(self, name: str, hints: frozenset[Hint]) -> Flag:
        by_kind = {hint.kind: hint for hint in hints}
        if by_kind.keys() == {"bool", "str", "none"}:
            return Flag("str", many="*")
        flag = self._shaped(name, by_kind)
        return replace(flag, optional="none" in by_kind and flag.type != "switch")

    def _shaped(self, name: str, by_kind: dict[str, Hint]) -> Flag:
        """Return the flag of the first type that vLLM looks for."""
        first = next((kind for kind in ORDER if kind in by_kind), "")
        if first == "literal":
            return _literal(by_kind[first], free="str" in by_kind)
        if first in CONTAINERS:
            return replace(_elements(by_kind[first].of), many="+")
        if first == "int" and name in self._counts:
            return Flag("count")
        if first == "dict" and by_kind.keys() - {"none", "dict"}:
            return Flag("any")
        return Flag({"dataclass": "json", "bool": "switch", "dict": "json", "": "str"}.get(first, first))

    def _function(self, module: str, home: str, node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef):
            self._statements(home or module, node.body, {})

    def _statements(self, module: str, body: Iterable[ast.stmt], known: dict[str, Any]) -> None:
        for item in body:
            if isinstance(item, ast.Assign):
                self._assign(module, item, known)
            elif isinstance(item, ast.Delete):
                for target in item.targets:
                    _change(known, target, None)
            elif isinstance(item, ast.Expr) and isinstance(item.value, ast.Call):
                self._call(module, item.value, known)
            elif isinstance(item, ast.If | ast.For | ast.With | ast.Try):
                # A loop over all fields adds flags by computed names: `_class` does it.
                self._statements(module, item.body, known)
                self._statements(module, getattr(item, "orelse", ()), known)

    def _assign(self, module: str, item: ast.Assign, known: dict[str, Any]) -> None:
        target = item.targets[0]
        if isinstance(target, ast.Name):
            if target.id != "frontend_kwargs" or "frontend_kwargs" not in known:
                known[target.id] = self._looked_up(module, item.value, known)
        else:
            _change(known, target, item.value)

    def _looked_up(self, module: str, node: ast.AST, known: dict[str, Any]) -> Any:
        """Return the fields, or the one flag, that an expression stands for; None for anything else."""
        if isinstance(node, ast.Call) and _text(node.func) == "get_kwargs":
            return self._fields(module, _text(node.args[0]))
        if isinstance(node, ast.Name):
            return known.get(node.id)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            holder = self._looked_up(module, node.value, known)
            # An alias of a flag that is changed later: the holder and the key, not the flag.
            return (holder, node.slice.value) if isinstance(holder, dict) else None
        return None

    def _call(self, module: str, call: ast.Call, known: dict[str, Any]) -> None:
        function = call.func
        if not isinstance(function, ast.Attribute):
            return
        if function.attr == "remove":
            _without_choice(known, function.value, self.package.value(module, call.args[0]))
        elif function.attr == "add_argument":
            names = [item.value for item in call.args if isinstance(item, ast.Constant)]
            if any(str(name).startswith("-") for name in names):
                self._add([str(name) for name in names], self._argument(module, call, known))

    def _argument(self, module: str, call: ast.Call, known: dict[str, Any]) -> Flag:
        """Return the flag that one `add_argument` makes."""
        flag = Flag("str")
        for keyword in call.keywords:
            for node in _unpacked(keyword):
                holder = self._looked_up(module, node, known)
                if holder is not None:
                    flag = holder[0][holder[1]]
        for keyword in call.keywords:
            if keyword.arg:
                flag = _with(flag, keyword.arg, keyword.value)
            if keyword.arg == "choices":
                flag = replace(flag, choices=self._choices(module, keyword.value))
        return flag

    def _choices(self, module: str, node: ast.AST) -> tuple[str, ...] | None:
        try:
            return tuple(str(value) for value in self.package.value(module, node))
        except UnknownError:
            return None

    def _add(self, names: list[str], flag: Flag) -> None:
        long = [name[2:].replace("_", "-") for name in names if name.startswith("--")]
        for name in long:
            self.flags[name] = flag
        for name in names:
            if not name.startswith("--"):
                self.short[name[1:]] = long[0]


def _text(node: ast.AST) -> str:
    return ast.unparse(node)


def _unpacked(keyword: ast.keyword) -> Iterator[ast.AST]:
    """What `**` unpacks: an expression, or those unpacked in a literal after it."""
    if keyword.arg is None:
        if isinstance(keyword.value, ast.Dict):
            yield from (value for key, value in zip(keyword.value.keys, keyword.value.values, strict=True) if not key)
        else:
            yield keyword.value


def _literal(hint: Hint, *, free: bool) -> Flag:
    kind = "int" if isinstance(hint.values[0], int) else "str"
    return Flag(kind, None if free else tuple(str(value) for value in hint.values))


def _elements(hints: frozenset[Hint]) -> Flag:
    """Return the flag for the elements of a list."""
    literal = next((hint for hint in hints if hint.kind == "literal"), None)
    if literal is not None:
        return _literal(literal, free=False)
    kinds = {hint.kind for hint in hints}
    return Flag(next(iter(kinds)) if kinds < {"int", "float"} else "str")


def _change(known: dict[str, Any], target: ast.AST, value: ast.AST | None) -> None:
    """Apply `fields["name"]["type"] = value`; no value: the entry is deleted."""
    if not isinstance(target, ast.Subscript) or not isinstance(target.slice, ast.Constant):
        return
    spot = _spot(known, target.value)
    if spot is not None:
        holder, name = spot
        holder[name] = _with(holder[name], str(target.slice.value), value)


def _spot(known: dict[str, Any], node: ast.AST) -> tuple[dict[str, Flag], str] | None:
    """Return where the flag lies that `fields["name"]` or an alias of it means."""
    if isinstance(node, ast.Name) and isinstance(known.get(node.id), tuple):
        alias: tuple[dict[str, Flag], str] = known[node.id]
        return alias
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and isinstance(node.slice, ast.Constant):
        holder = known.get(node.value.id)
        if isinstance(holder, dict) and node.slice.value in holder:
            return holder, str(node.slice.value)
    return None


def _without_choice(known: dict[str, Any], node: ast.AST, choice: str) -> None:
    spot = _spot(known, node.value) if isinstance(node, ast.Subscript) else None
    if spot is not None:
        holder, name = spot
        holder[name] = replace(holder[name], choices=tuple(c for c in holder[name].choices or () if c != choice))


def _with(flag: Flag, key: str, value: ast.AST | None) -> Flag:
    """Return the flag with one argument of `add_argument` changed."""
    if key == "nargs":
        return replace(flag, many="" if value is None else {"?": "*"}.get(ast.literal_eval(value), "+"))
    if key == "type" and value is not None:
        return _typed(flag, _text(value))
    if key == "action" and value is not None:
        action = _text(value).strip("'")
        kinds = {"store_true": "on", "argparse.BooleanOptionalAction": "switch"}
        return replace(flag, type=kinds.get(action, flag.type), many="" if action in kinds else flag.many)
    return flag


def _typed(flag: Flag, text: str) -> Flag:
    inner = text.removeprefix("optional_type(").removesuffix(")") if text.startswith("optional_type(") else text
    optional = inner != text
    if inner.startswith("lambda"):
        return replace(flag, type="str" if flag.choices else "any", folded=True, optional=False)
    if inner in COUNTS:
        return replace(flag, type="count", optional=optional)
    return replace(flag, type=TYPES.get(inner, "any"), optional=optional)
