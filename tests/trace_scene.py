"""A small repository in a folder, rendered by the real kustomize, and asked where its fields come from."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import yaml

from lockgate.model import ObjectRef, Overlay
from lockgate.trace import Trace

if TYPE_CHECKING:
    from pathlib import Path

OVERLAY = Overlay("prod", "prod", "overlay")


@dataclass(frozen=True)
class Scene:
    """The repository; its overlay is in the folder `overlay`."""

    root: Path

    @classmethod
    def of(cls, root: Path, files: dict[str, str]) -> Scene:
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
        return cls(root)

    def objects(self) -> list[dict[str, Any]]:
        done = subprocess.run(
            ["kustomize", "build", "overlay"], cwd=self.root, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return list(yaml.load_all(done.stdout, yaml.CSafeLoader))

    def trace(self) -> Trace:
        return Trace(self.root, OVERLAY, self.objects())

    def ref(self, kind: str) -> ObjectRef:
        (one,) = [one for one in self.objects() if one["kind"] == kind]
        metadata = one["metadata"]
        return ObjectRef(kind, metadata["name"], metadata.get("namespace", ""), one["apiVersion"])

    def line(self, kind: str, *path: str | int) -> str:
        """`file: text from the column on` of the line to change."""
        return self.lines(kind, *path)[0]

    def lines(self, kind: str, *path: str | int) -> list[str]:
        """The same, with the related lines behind it."""
        ref = self.ref(kind) if kind not in {"Kustomization", "Settings"} else ObjectRef(kind, str(path[0]))
        steps = path if ref.kind == kind and kind not in {"Kustomization", "Settings"} else path[1:]
        first, related = self.trace().locate(ref, tuple(steps))
        return [self.shown(place.file, place.line, place.column) for place in (first, *related)]

    def shown(self, file: str, line: int, column: int) -> str:
        text = (self.root / file).read_text(encoding="utf-8").split("\n")[line - 1]
        return f"{file}: {text[column - 1 :]}"

    def entry(self, *path: str | int, file: str = "overlay/kustomization.yaml") -> dict[str, Any]:
        """What the facts say of one entry."""
        (found,) = [one for one in self.trace().facts()["entries"] if (one["file"], one["path"]) == (file, list(path))]
        return dict(found)
