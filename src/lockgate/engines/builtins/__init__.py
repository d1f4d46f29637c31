"""OPA's builtins for rules that run as Python code: pure functions of Rego values.

Wrong operands are no error in Rego: the call has no value. Each function here raises
`TypeError`, `ValueError` or the like, and `TABLE` turns that into `UNDEFINED`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lockgate.engines.builtins import collections, encoding, numbers, patterns, strings
from lockgate.engines.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lockgate.engines.builtins.operands import Builtin


ENTRY: Final = "make"
"""The function that compiled rules define: `make(input, data)` gives the outcome for one document."""


def global_name(name: str) -> str:
    """What compiled rules call a builtin."""
    return "b_" + name.replace(".", "_")


def _defined(function: Builtin) -> Builtin:
    """The function with `UNDEFINED` for what it refuses."""

    def call(*operands: Any) -> Any:
        try:
            return function(*operands)
        except (ArithmeticError, LookupError, TypeError, ValueError):
            return UNDEFINED

    return call


def _all() -> dict[str, Callable[..., Any]]:
    modules = (collections, encoding, numbers, patterns, strings)
    refusing = {name: function for module in modules for name, function in module.TABLE.items()}
    return {name: _defined(function) for name, function in refusing.items()}


TABLE: Final[Mapping[str, Callable[..., Any]]] = _all()
"""Every builtin that the embedded engine knows, by OPA's name."""
