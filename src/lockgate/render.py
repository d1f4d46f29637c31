"""Stage 2: an overlay in, its rendered objects out, by the first kustomize that is there.

The build takes no flags, as Argo CD's repo server takes none: what is checked is what gets synced.
In order of speed: pykustomize (the real kustomize in this process), the `kustomize` binary,
`kubectl kustomize`. All three give the same objects; a test compares them.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import shutil
import sys
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate import yamltext
from lockgate.errors import LockgateError
from lockgate.model import Json, Overlay, Rendering

if TYPE_CHECKING:
    from collections.abc import Callable

RENDERERS = ("pykustomize", "kustomize", "kubectl")
PYKUSTOMIZE = "pykustomize==0.1.4"

_OPTIONS = json.dumps(
    {
        "load_restrictions": 0,
        "reorder": "unspecified",
        "add_managedby_label": False,
        "enable_plugins": False,
        "enable_helm": False,
        "helm_command": "",
    }
).encode()
_error_lock = threading.Lock()


def choose(name: str = "") -> str:
    """The renderer to use: `name` if it is there, else the first that is.

    Raises:
        LockgateError: The named one, or any at all, is missing; the hint says how to install one.
    """
    for candidate in (name,) if name else RENDERERS:
        if candidate == "pykustomize" and _library_file() is not None:
            return candidate
        if candidate != "pykustomize" and shutil.which(candidate):
            return candidate
    install = f"{sys.executable} -m pip install --ignore-requires-python {PYKUSTOMIZE}"
    hint = f"install one: `{install}`, or kustomize 5.8, or kubectl"
    raise LockgateError(f"renderer {name!r} is not installed" if name else "no kustomize is installed", hint)


def render(root: Path, overlay: Overlay, renderer: str) -> Rendering:
    """Builds one overlay.

    Args:
        root: The repository's root.
        overlay: What to build.
        renderer: A name that `choose` returned.

    Raises:
        LockgateError: The build fails, or yields nothing.
    """
    build: Callable[[Path], list[Json]] = _in_process if renderer == "pykustomize" else _by_command(renderer)
    try:
        objects = build(root / overlay.path)
    except LockgateError as error:
        msg = f"{overlay.path}: kustomize cannot build it: {_plain(error.message, root)}"
        raise LockgateError(msg, error.hint or f"try `kustomize build {overlay.path}`") from error
    if not objects:
        msg = f"{overlay.path}: builds to no object at all, so nothing to check"
        raise LockgateError(msg, "add `resources:` to its kustomization.yaml")
    return Rendering(overlay, tuple(objects), renderer)


def _plain(message: str, root: Path) -> str:
    """kustomize's message in one line, with paths relative to the repository."""
    text = " ".join(message.removeprefix("Error: ").split())
    return text.replace(f"{root.as_posix()}/", "").replace(root.as_posix(), ".")


def _library_file() -> Path | None:
    """The shared library inside the installed pykustomize wheel, without importing the package."""
    spec = importlib.util.find_spec("pykustomize")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / "_lib"
    names = {"libpykustomize.so", "libpykustomize.dylib", "pykustomize.dll"}
    return next((file for file in sorted(folder.glob("*/*")) if file.name in names), None)


@cache
def _library() -> ctypes.CDLL:
    """pykustomize's C interface, called directly.

    Its Python side brings in asyncio and cffi, which cost more start-up time than three builds.
    """
    library = ctypes.CDLL(str(_library_file()))
    library.pykustomize_last_error.restype = ctypes.c_void_p
    library.pykustomize_free.argtypes = [ctypes.c_void_p]
    build = library.pykustomize_build_to_json
    build.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_void_p)]
    return library


def _in_process(folder: Path) -> list[Json]:
    library = _library()
    result = ctypes.c_void_p()
    arguments = (str(folder).encode(), _OPTIONS, ctypes.byref(result))
    if library.pykustomize_build_to_json(*arguments) != 0:
        # The library keeps one last error for all threads: build again, alone, to read the right one.
        with _error_lock:
            if library.pykustomize_build_to_json(*arguments) != 0:
                raise LockgateError(ctypes.string_at(library.pykustomize_last_error()).decode(errors="replace"))
    try:
        objects: list[Json] = json.loads(ctypes.string_at(result.value or 0))["resources"] or []
    finally:
        library.pykustomize_free(result)
    return objects


def _by_command(name: str) -> Callable[[Path], list[Json]]:
    command = [name, "build"] if name == "kustomize" else [name, "kustomize"]

    def build(folder: Path) -> list[Json]:
        import subprocess  # 10 ms that the in-process renderer need not pay

        try:
            done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
        except OSError as error:
            msg = f"{name} cannot be started: {error.strerror}"
            raise LockgateError(msg, "check that it is a working program") from error
        if done.returncode != 0:
            raise LockgateError(done.stderr.strip() or f"{name} ended with code {done.returncode}")
        return yamltext.load_all(done.stdout, f"output of {name}")

    return build
