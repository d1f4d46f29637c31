"""Runs of the preload program, and what they leave in the cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from serving.hub import FILES, REVISION, WANTED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from serving.faults import Row
    from serving.hub import Hub

PROGRAM = Path(__file__).parents[2] / "<<cookiecutter.project>>" / "serving" / "preload.py"
SNAPSHOT = Path("models--lockgate--tiny", "snapshots", REVISION)
MARKER = Path(".preload", f"lockgate--tiny@{REVISION}.json")


def command(config: Path, *options: str) -> list[str]:
    waits = ["--progress-seconds=0.2", "--quiet-seconds=0.5"]
    return [sys.executable, str(PROGRAM), f"--config={config}", *waits, *options]


def environment(hub: Hub | None, cache: Path, **extra: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(cache.parent),
        "HF_ENDPOINT": hub.url if hub else "http://127.0.0.1:9",
        "HF_HUB_CACHE": str(cache),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DOWNLOAD_TIMEOUT": "1",
        "HF_HUB_ETAG_TIMEOUT": "1",
        **extra,
    }


def preload(
    config: Path, hub: Hub | None, cache: Path, *options: str, **extra: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(config, *options),
        env=environment(hub, cache, **extra),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def begun(config: Path, hub: Hub | None, cache: Path, *options: str, **extra: str) -> subprocess.Popen[str]:
    """A run that goes on beside the test."""
    return subprocess.Popen(
        command(config, *options),
        env=environment(hub, cache, **extra),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def parts(cache: Path) -> list[Path]:
    return list(cache.glob("models--*/blobs/*.incomplete"))


def is_whole(cache: Path) -> bool:
    """Whether all that is wanted lies there as it should, and nothing else."""
    snapshot = cache / SNAPSHOT
    found = {str(path.relative_to(snapshot)): path.read_bytes() for path in snapshot.rglob("*") if path.is_file()}
    return found == {name: FILES[name] for name in WANTED} and parts(cache) == []


def marked(cache: Path) -> bool:
    return (cache / MARKER).exists()


def as_a_shell_says(process: subprocess.Popen[str], said: tuple[str, str]) -> subprocess.CompletedProcess[str]:
    """What has ended; a shell, and Kubernetes, call a signal 128 and its number."""
    code = 128 - process.returncode if process.returncode < 0 else process.returncode
    return subprocess.CompletedProcess([], code, *said)


def ends_as(
    row: Row,
    cache: Path,
    scene: Callable[..., subprocess.CompletedProcess[str]],
    known: Mapping[str, object],
) -> None:
    """Plays a scene, which takes of what is known what it names, and compares its end with the row."""
    names = scene.__code__.co_varnames[: scene.__code__.co_argcount]
    done = scene(**{name: known[name] for name in names if name in known}, **row.given)
    text = done.stdout + done.stderr
    assert done.returncode == row.code, text
    assert row.message in " ".join(text.split()), text
    assert "Traceback" not in text
    if row.claim == "whole, marked":
        assert is_whole(cache)
        assert marked(cache)
    elif row.claim == "untouched":
        assert not cache.is_dir() or not list(cache.rglob("*"))
    else:
        assert not marked(cache)
