"""The one error that a person is meant to read.

Everything that can go wrong because of input, environment or configuration is raised as
`LockgateError`; `lockgate.cli` prints it once, at the edge, and ends with exit code 2.
"""

from __future__ import annotations


class LockgateError(Exception):
    """No answer could be given: what was wanted, what was found, and what to do next.

    Args:
        message: One or more lines; starts with `file:line:` where there is a place.
        hint: What to do next, one line; empty when the message already says it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
