"""The release of an environment: the files that name its image and its model, read and written.

A release lies in `release/` of the overlay: `kustomization.yaml` with its `images`, and `serve.yaml`.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate import yamledit, yamltext
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.model import Json

_HINT = "a release is release/kustomization.yaml with `images` and release/serve.yaml in the overlay"


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """An entry of `images`.

    Attributes:
        index: Its place in the list.
        name: Registry and repository that it sets.
        tag: The tag, '' when it has none.
        digest: The digest, '' when it has none.
    """

    index: int
    name: str
    tag: str
    digest: str


@dataclass(frozen=True, slots=True)
class Release:
    """What a release says.

    Attributes:
        folder: Where it lies.
        images: Its images.
        flags: What serve.yaml sets, the flags of `vllm serve`.
    """

    folder: Path
    images: tuple[ImageEntry, ...]
    flags: Mapping[str, Json]

    @property
    def model(self) -> str:
        """The model, '' when serve.yaml names none."""
        return str(self.flags.get("model") or "")

    @property
    def revision(self) -> str:
        """The model's revision, '' when there is none."""
        return str(self.flags.get("revision") or "")

    @property
    def kustomization(self) -> Path:
        """The file with the images."""
        return self.folder / "kustomization.yaml"

    @property
    def serve(self) -> Path:
        """The file with the model."""
        return self.folder / "serve.yaml"


def read(overlay: Path, shown: str) -> Release:
    """The release of an overlay.

    Args:
        overlay: The overlay's folder.
        shown: Its name in messages.

    Raises:
        LockgateError: A file is missing or is not what a release needs.
    """
    folder = overlay / "release"
    kustomization = _mapping(folder / "kustomization.yaml", f"{shown}/release/kustomization.yaml")
    serve = _mapping(folder / "serve.yaml", f"{shown}/release/serve.yaml")
    listed = kustomization.get("images")
    entries = listed if isinstance(listed, list) else []
    if not entries or not all(isinstance(entry, dict) and entry.get("name") for entry in entries):
        msg = f"{shown}/release/kustomization.yaml: wanted `images` with a name each, found {listed!r}"
        raise LockgateError(msg, _HINT)
    images = tuple(
        ImageEntry(i, str(e.get("newName") or e["name"]), str(e.get("newTag") or ""), str(e.get("digest") or ""))
        for i, e in enumerate(entries)
    )
    return Release(folder, images, serve)


def _mapping(file: Path, shown: str) -> dict[str, Any]:
    try:
        found = yamltext.load(file.read_text(encoding="utf-8"), shown)
    except FileNotFoundError as error:
        msg = f"{shown}: no such file"
        raise LockgateError(msg, _HINT) from error
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{shown}: cannot be read as text"
        raise LockgateError(msg, "restore the file from git") from error
    if not isinstance(found, dict):
        msg = f"{shown}: wanted a mapping, found {type(found).__name__}"
        raise LockgateError(msg, _HINT)
    return found


def replace(old: Path, new: Path) -> bool:
    """Makes the folder `old` what the folder `new` is; whether they differed."""
    if _content(old) == _content(new):
        return False
    shutil.rmtree(old)
    shutil.copytree(new, old, symlinks=True)
    return True


def _content(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def title(release: Release) -> str:
    """A release in a few words: tags of its images, model and commit."""
    images = [f"{image.name.rpartition('/')[2]} {image.tag or image.digest[:19]}" for image in release.images]
    model = f"{release.model} at {release.revision[:12]}" if release.revision else release.model
    return ", ".join(filter(None, [*images, model]))


def differences(old: Release, new: Release) -> list[str]:
    """What a person should know of the way from one release to another, one line each."""
    before, after = ({image.name: _shown(image) for image in release.images} for release in (old, new))
    found = _changes(before, after, "image ")
    return found + _changes({k: str(v) for k, v in old.flags.items()}, {k: str(v) for k, v in new.flags.items()}, "")


def _shown(image: ImageEntry) -> str:
    return f"{image.tag}@{image.digest}" if image.tag and image.digest else image.tag or image.digest


def _changes(old: Mapping[str, str], new: Mapping[str, str], what: str) -> list[str]:
    names = dict.fromkeys([*old, *new])
    return [
        f"{what}{name}: {old.get(name, 'not set')} -> {new.get(name, 'not set')}"
        for name in names
        if old.get(name) != new.get(name)
    ]


def pin(release: Release, digests: Mapping[int, str], revision: str) -> dict[Path, str]:
    """The files of the release that change, with their new text.

    Args:
        release: What is there.
        digests: The digest of each image by its index.
        revision: The commit of the model; '' leaves it as it is.
    """
    changed = {}
    text = old = release.kustomization.read_text(encoding="utf-8")
    for index, digest in digests.items():
        after = "newTag" if release.images[index].tag else ""
        text = yamledit.put(text, ["images", index, "digest"], digest, release.kustomization.name, after)
    if text != old:
        changed[release.kustomization] = text
    if revision and revision != release.revision:
        old = release.serve.read_text(encoding="utf-8")
        changed[release.serve] = yamledit.put(old, ["revision"], revision, release.serve.name, "model")
    return changed


def write(files: Mapping[Path, str]) -> None:
    """Writes each file whole or not at all.

    Raises:
        LockgateError: A folder cannot be written.
    """
    for file, text in files.items():
        try:
            with tempfile.NamedTemporaryFile(
                "w", dir=file.parent, prefix=f".{file.name}-", delete=False, encoding="utf-8", newline=""
            ) as stream:
                stream.write(text)
            Path(stream.name).chmod(file.stat().st_mode & 0o777)
            os.replace(stream.name, file)  # noqa: PTH105  # a name, not a Path, is in hand
        except OSError as error:
            msg = f"{file.name}: cannot be written: {error.strerror}"
            raise LockgateError(msg, "check the permissions of its folder") from error


def is_commit(revision: str) -> bool:
    """Whether a revision is a commit, which never moves."""
    return re.fullmatch(r"[0-9a-f]{40}", revision) is not None
