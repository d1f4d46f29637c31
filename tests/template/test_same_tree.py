"""`lockgate new` and plain cookiecutter write the same tree: names, bytes, modes."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml
from template.answers import SUPPORTED

from lockgate import resources

if TYPE_CHECKING:
    from pathlib import Path

ROOT = resources.template_root()
pytestmark = pytest.mark.slow
NAMES = ("default", "another-name", "mi300x", "t4-float16-one-gpu")


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Path -> mode and bytes, a folder's bytes being none."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mode,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
    }


def run(*arguments: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """A Python module as a process, with a home of its own."""
    home = cwd / "home"
    home.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "HOME": str(home), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", NAMES)
def test_both_write_the_same_tree(tmp_path: Path, name: str) -> None:
    # Said, so that midnight cannot fall between the two.
    day = dt.datetime.now(tz=dt.UTC).date() + dt.timedelta(days=7)
    answers = {**SUPPORTED[name], "pin_by": str(day)}
    project = answers.get("project", "qwen-chat")
    file = tmp_path / "answers.yaml"
    file.write_text(yaml.safe_dump(answers))
    (tmp_path / "plain").mkdir()
    words = [f"{key}={value}" for key, value in answers.items()]
    plain = run("cookiecutter", "--no-input", ROOT, "-o", tmp_path / "plain", *words, cwd=tmp_path)
    assert plain.returncode == 0, plain.stderr
    new = run("lockgate", "new", project, "--answers", file, cwd=tmp_path)
    assert new.returncode == 0, new.stdout + new.stderr
    assert tree(tmp_path / project) == tree(tmp_path / "plain" / project)


def test_cookiecutter_runs_the_gate_and_says_what_to_do_next(tmp_path: Path) -> None:
    done = run("cookiecutter", "--no-input", ROOT, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Next: cd qwen-chat && git init" in done.stdout
    assert "environments" in done.stdout


def test_the_hook_is_silent_when_lockgate_runs_the_gate_itself(tmp_path: Path) -> None:
    done = run("cookiecutter", "--no-input", ROOT, cwd=tmp_path, LOCKGATE_SKIP_POST_GEN="1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_lockgate_the_hook_says_how_to_get_it(tmp_path: Path) -> None:
    """An import path and a PATH that do not have it, as after `pip install cookiecutter` alone."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.util as u\n"
        "found = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'lockgate' else found(name, *rest)\n"
    )
    done = run("cookiecutter", "--no-input", ROOT, cwd=tmp_path, PYTHONPATH=str(hidden), PATH="/usr/bin:/bin")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == (
        "Lockgate is not installed here: `pip install lockgate`, then `lockgate check`."
    )
    assert (tmp_path / "qwen-chat" / "lockgate.yaml").is_file()
