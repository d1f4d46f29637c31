"""The repository's files in, the names that recording rules give out: `input.recorded`.

All files are looked at, since a rule that one environment carries records for all of them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.context.fields import items

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lockgate.model import Json

_NAME = re.compile(rb"""^[ \t-]*["']?record["']?[ \t]*:[ \t]*["']?([a-zA-Z_:][a-zA-Z0-9_:]*)""", re.MULTILINE)
_SUFFIXES = (".yaml", ".yml")
_SKIPPED = {"node_modules", "policies"}


def of_objects(objects: Iterable[Mapping[str, Json]]) -> Iterator[str]:
    """Names that the PrometheusRules among `objects` record."""
    for obj in objects:
        if obj.get("kind") == "PrometheusRule":
            for _, group in items(obj, "spec", "groups"):
                for _, rule in items(group, "rules"):
                    if isinstance(rule.get("record"), str):
                        yield rule["record"]


def of_files(root: Path) -> list[str]:
    """Names of recording rules in the YAML files below `root`, sorted."""
    names: set[bytes] = set()
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _SKIPPED]
        for name in files:
            if name.endswith(_SUFFIXES):
                names.update(_NAME.findall(_content(Path(folder, name))))
    return sorted(name.decode() for name in names)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
