"""One fault, and the states that a claim can be left in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MARKED = "whole, marked"
UNMARKED = "not marked; whole files stay"
UNTOUCHED = "untouched"
READ_ONLY = "read only"
NOT_SEEN = "not looked at"


@dataclass(frozen=True)
class Row:
    """One fault: what is done, how the program ends, and what becomes of the claim.

    Attributes:
        fault: In words, for the table.
        scene: The function `scene_<name>` of the program's test that brings it about.
        code: Exit code.
        message: What is said, or a part of it, on one line.
        claim: State of the claim (of the files of the release for `lockgate pin`) afterwards.
        given: What the scene is given.
    """

    fault: str
    scene: str
    code: int
    message: str
    claim: str = UNMARKED
    given: dict[str, Any] = field(default_factory=dict)
