"""What every test may use: the real tools on the PATH, and a generated repository."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import opa_server
import pytest

from lockgate import generate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent

# A shell starts what it runs in the background with SIGINT ignored, and every child inherits that:
# the tests of Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

TOOLS = ("kustomize", "opa", "conftest", "kubeconform", "gator", "promtool", "registry", "oras", "versitygw")


@pytest.fixture(scope="session", autouse=True)
def tools() -> None:
    """Puts the pinned programs first on the PATH; what is missing fails the run, since a skip would hide it."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "build.py"), "--path"], capture_output=True, text=True, check=True
    )
    os.environ["PATH"] = f"{done.stdout.strip()}{os.pathsep}{os.environ['PATH']}"
    missing = [name for name in TOOLS if shutil.which(name) is None]
    assert not missing, f"missing {missing}: run `nox -s tools`"


@pytest.fixture(scope="session", autouse=True)
def caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps the tests' caches away from the person's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCKGATE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the default answers; read only."""
    target = tmp_path_factory.mktemp("generated") / "qwen-chat"
    generate.generate(target, {})
    return target


@pytest.fixture
def repository(pristine: Path, tmp_path: Path) -> Path:
    """A copy of the default repository that the test may change."""
    target = tmp_path / "qwen-chat"
    shutil.copytree(pristine, target, symlinks=True)
    return target


@pytest.fixture(scope="session")
def opa() -> Iterator[str]:
    """The URL of an OPA server that tests share: the engine leaves it as it was."""
    with opa_server.running() as url:
        yield url


@pytest.fixture
def lockgate() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line as a process of its own, as a person does."""

    def run(*arguments: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "lockgate", *arguments]
        return subprocess.run(
            command,
            cwd=cwd,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
        )

    return run
