"""Reads a package's Python text without running it: what names stand for, what annotations allow.

Input: file names and texts. Output: values of constants, and annotations as sets of `Hint`. What
cannot be read off the text is an `Unknown`, never a guess.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BUILTIN = {"bool", "int", "float", "str", "dict", "list", "tuple", "set"}
ALSO = {"Dict": "dict", "List": "list", "Tuple": "tuple", "Set": "set", "Mapping": "other", "Sequence": "other"}
CONTAINERS = {"list", "tuple", "set"}
WRAPPERS = {"Annotated", "InitVar", "SkipValidation"}


class UnknownError(Exception):
    """A value that only running the package would tell."""


@dataclass(frozen=True)
class Hint:
    """One type that an annotation allows.

    Attributes:
        kind: A builtin's name, `none`, `literal`, `dataclass` or `other`.
        values: Of a literal.
        of: Of a list, tuple or set: what its elements may be.
    """

    kind: str
    values: tuple[Any, ...] = ()
    of: frozenset[Hint] = frozenset()


class Package:
    """The texts of a package."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts
        self._names: dict[str, dict[str, ast.AST]] = {}

    def module(self, name: str) -> dict[str, ast.AST]:
        """Return what each name at the top of a module was last bound to."""
        if name not in self._names:
            path = name.replace(".", "/")
            text = self.texts.get(f"{path}.py", self.texts.get(f"{path}/__init__.py", ""))
            self._names[name] = dict(_bindings(ast.parse(text).body))
        return self._names[name]

    def find(self, module: str, name: str) -> tuple[str, ast.AST]:
        """Return the module and node that define a name, through any number of imports.

        Raises:
            UnknownError: The package's text does not say.
        """
        seen = set()
        while (module, name) not in seen:
            seen.add((module, name))
            node = self.module(module).get(name)
            if node is None:
                break
            if not isinstance(node, ast.ImportFrom):
                return module, node
            original = next(alias.name for alias in node.names if (alias.asname or alias.name) == name)
            module, name = self._source(module, node), original
        raise UnknownError(f"{module}.{name}")

    def _source(self, module: str, node: ast.ImportFrom) -> str:
        """Return the full name of the module that an import reads."""
        if not node.level:
            return node.module or ""
        path = f"{module.replace('.', '/')}/__init__.py"
        parts = module.split(".") if path in self.texts else module.split(".")[:-1]
        parts = parts[: len(parts) - node.level + 1]
        return ".".join([*parts, *filter(None, [node.module])])

    def value(self, module: str, node: ast.AST) -> Any:
        """Return the value of a constant expression.

        Raises:
            UnknownError: It is none.
        """
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return [self.value(module, item) for item in node.elts]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self.value(module, node.left) + self.value(module, node.right)
        if isinstance(node, ast.Name):
            home, found = self.find(module, node.id)
            if isinstance(found, ast.Assign | ast.AnnAssign) and found.value is not None:
                return self.value(home, found.value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1:
            return self._called(module, node.func.id, node.args[0])
        raise UnknownError(ast.unparse(node))

    def _called(self, module: str, function: str, argument: ast.AST) -> Any:
        if function == "get_args":
            return [value for hint in self.hints(module, argument) for value in hint.values]
        if function in {"list", "sorted", "tuple"}:
            return list(self.value(module, argument))
        raise UnknownError(function)

    def hints(self, module: str, node: ast.AST) -> frozenset[Hint]:
        """Return the types that an annotation allows."""
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str):
                return self.hints(module, ast.parse(node.value, mode="eval").body)
            return frozenset({Hint("none")})
        if isinstance(node, ast.BinOp):
            return self.hints(module, node.left) | self.hints(module, node.right)
        if isinstance(node, ast.Subscript):
            return self._subscript(module, _name(node.value), node.slice)
        if isinstance(node, ast.Name):
            return self._named(module, node.id)
        return frozenset({Hint("other")})

    def _subscript(self, module: str, name: str, inner: ast.expr) -> frozenset[Hint]:
        items = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        kind = ALSO.get(name, name)
        if name in WRAPPERS:
            return self.hints(module, items[0])
        if name == "Optional":
            return self.hints(module, items[0]) | {Hint("none")}
        if name == "Union":
            return frozenset(hint for item in items for hint in self.hints(module, item))
        if name == "Literal":
            return frozenset({Hint("literal", tuple(self._literals(module, items)))})
        if kind in CONTAINERS:
            return frozenset({Hint(kind, of=self.hints(module, items[0]))})
        return frozenset({Hint(kind if kind in BUILTIN else "other")})

    def _literals(self, module: str, items: list[ast.expr]) -> Iterator[Any]:
        """Values of a Literal; another Literal may stand among them."""
        for item in items:
            if isinstance(item, ast.Constant):
                yield item.value
            else:
                for hint in self.hints(module, item):
                    yield from hint.values

    def _named(self, module: str, name: str) -> frozenset[Hint]:
        if name in BUILTIN or name in ALSO:
            return frozenset({Hint(ALSO.get(name, name))})
        try:
            home, node = self.find(module, name)
        except UnknownError:
            return frozenset({Hint("other")})
        if isinstance(node, ast.ClassDef):
            return frozenset({Hint(_class_kind(node))})
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            return self.hints(home, node.value)
        return frozenset({Hint("other")})

    def fields(self, module: str, name: str) -> Iterator[tuple[str, frozenset[Hint]]]:
        """Yield the fields of a dataclass, those of its bases first."""
        home, node = self.find(module, name)
        if not isinstance(node, ast.ClassDef):
            return
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in self.module(home):
                yield from self.fields(home, base.id)
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                outer = item.annotation.value if isinstance(item.annotation, ast.Subscript) else item.annotation
                if _name(outer) not in {"ClassVar", "InitVar"}:
                    yield item.target.id, self.hints(home, item.annotation)

    def method(self, module: str, name: str, method: str) -> Iterator[tuple[str, ast.FunctionDef]]:
        """Yield a class's method with its module, that of its bases first."""
        home, node = self.find(module, name)
        for base in node.bases if isinstance(node, ast.ClassDef) else []:
            if isinstance(base, ast.Name) and base.id in self.module(home):
                yield from self.method(home, base.id, method)
        for item in ast.iter_child_nodes(node):
            if isinstance(item, ast.FunctionDef) and item.name == method:
                yield home, item


def _bindings(body: list[ast.stmt]) -> Iterator[tuple[str, ast.AST]]:
    """Names bound at the top of a module. Of a choice for type checkers the other branch counts."""
    for item in body:
        if isinstance(item, ast.If):
            checked = _name(item.test) == "TYPE_CHECKING"
            yield from _bindings([] if checked else item.body)
            yield from _bindings(item.orelse)
        elif isinstance(item, ast.Try):
            yield from _bindings(item.body)
        elif isinstance(item, ast.ImportFrom):
            yield from ((alias.asname or alias.name, item) for alias in item.names)
        elif isinstance(item, ast.ClassDef | ast.FunctionDef):
            yield item.name, item
        elif isinstance(item, ast.Assign):
            yield from ((target.id, item) for target in item.targets if isinstance(target, ast.Name))
        elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            yield item.target.id, item


def _name(node: ast.AST) -> str:
    """Last part of a dotted name, empty for anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _class_kind(node: ast.ClassDef) -> str:
    decorators = {_name(item.func if isinstance(item, ast.Call) else item) for item in node.decorator_list}
    if decorators & {"config", "dataclass"}:
        return "dataclass"
    bases = {_name(base.value if isinstance(base, ast.Subscript) else base) for base in node.bases}
    return "dict" if "dict" in bases else "other"
