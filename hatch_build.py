"""Compiles the shipped rules into the wheel, so that an installed Lockgate need not do it at its first check.

Hatchling runs it while it builds a wheel; an editable install goes without and compiles once. Output:
`lockgate/engines/shipped.py`, the code that the embedded engine would write, with the digest of what it
was written from. Lockgate compiles anew whenever that digest is not the one of the rules at hand.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
TARGET = "lockgate/engines/shipped.py"


class CompiledRules(BuildHookInterface):  # type: ignore[misc]  # hatchling is there only while it builds
    """Adds the compiled rules to a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Writes the code beside the build and has it taken along."""
        if version == "editable":
            return
        sys.path.insert(0, str(ROOT / "src"))
        from lockgate import resources, rules
        from lockgate.engines import embedded

        ruleset = rules.load(ROOT / resources.PROJECT / "policies")
        self._folder = tempfile.TemporaryDirectory(prefix="lockgate-")
        file = Path(self._folder.name, "shipped.py")
        file.write_text(embedded.shipped_text(ruleset), encoding="utf-8")
        build_data["force_include"][str(file)] = TARGET

    def finalize(self, _version: str, _build_data: dict[str, Any], _artifact_path: str) -> None:
        """Removes what was written beside the build."""
        if hasattr(self, "_folder"):
            self._folder.cleanup()
