"""The hooks through pre-commit itself, in a generated repository: what a team's `git commit` does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Made up, and put together here so that no scanner takes this file for a leak.
TOKEN = "hf_" + "qTzXvBnMkLpRwYcDsFgHjKaEuIoPxZbVnM"

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("precommit")]


class Repository:
    """A git work tree whose commits never look at the settings of the person who runs the tests."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        folders = [str(Path(sys.executable).parent), os.environ["PATH"]]
        identity = {f"GIT_{who}_{what}": "a@b.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            **identity,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "PATH": os.pathsep.join(folders),
            "PRE_COMMIT_HOME": str(home),
            "PYTHONPATH": "",
        }

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def ok(self, *command: str) -> str:
        done = self.run(*command)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def commit(self) -> subprocess.CompletedProcess[str]:
        """Adds everything and commits it, hooks and all."""
        self.ok("git", "add", "--all")
        return self.run("git", "commit", "--message", "change")

    def undo(self) -> None:
        self.ok("git", "reset", "--hard", "--quiet")
        self.ok("git", "clean", "-fdq")

    def edit(self, file: str, before: str, after: str) -> None:
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert before in text, f"{file} has no {before!r}"
        path.write_text(text.replace(before, after, 1), encoding="utf-8")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This work tree as a git repository with the release tag that generated repositories name."""
    folder = tmp_path_factory.mktemp("published")
    git = Repository(folder, folder)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    git.ok("git", "init", "--quiet", "--initial-branch=main")
    git.ok("git", "add", "--all")
    git.ok("git", "commit", "--quiet", "--message", "release")
    git.ok("git", "tag", "v0.1.0")
    return folder


@pytest.fixture(scope="module")
def committed(published: Path, pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A generated repository whose first commit went through its hooks."""
    folder = tmp_path_factory.mktemp("committed") / "qwen-chat"
    shutil.copytree(pristine, folder, symlinks=True)
    repository = Repository(folder, tmp_path_factory.mktemp("pre-commit-home"))
    repository.edit(".pre-commit-config.yaml", "https://github.com/lockgate/lockgate", published.as_uri())
    repository.ok("git", "init", "--quiet", "--initial-branch=main")
    repository.ok("pre-commit", "install")
    first = repository.commit()
    assert first.returncode == 0, first.stdout + first.stderr
    assert "lockgate check" in first.stderr
    return repository


def refused(repository: Repository, *said: str) -> None:
    """Asserts that the commit is refused with these words and never with the token itself."""
    try:
        done = repository.commit()
        output = done.stdout + done.stderr
        assert done.returncode == 1, output
        assert [words for words in said if words not in output] == []
        assert TOKEN not in output
    finally:
        repository.undo()


def test_a_clean_change_is_committed(committed: Repository) -> None:
    committed.edit("overlays/prod/autoscaler-bounds.yaml", "maxReplicas: 3", "maxReplicas: 2")
    done = committed.commit()
    assert done.returncode == 0, done.stdout + done.stderr
    assert committed.ok("git", "status", "--porcelain") == ""


def test_a_finding_stops_the_commit_at_its_line(committed: Repository) -> None:
    committed.edit("overlays/prod/autoscaler-bounds.yaml", "maxReplicas: ", "maxReplicas: 9")
    refused(committed, "CST001", "overlays/prod/autoscaler-bounds.yaml:")


def test_a_token_in_a_config_map_is_refused(committed: Repository) -> None:
    file = committed.folder / "overlays/prod/settings.yaml"
    file.write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: qwen-chat-prod\n"
        f"data:\n  hub: {TOKEN}\n",
        encoding="utf-8",
    )
    committed.edit("overlays/prod/kustomization.yaml", "resources:\n", "resources:\n  - settings.yaml\n")
    refused(committed, "KEY003", "overlays/prod/settings.yaml:7")


def test_a_token_in_an_environment_variable_is_refused(committed: Repository) -> None:
    file = committed.folder / "overlays/dev/token.yaml"
    file.write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: qwen-chat\nspec:\n  template:\n    spec:\n"
        "      containers:\n        - name: vllm\n          env:\n"
        f"            - name: HF_TOKEN\n              value: {TOKEN}\n",
        encoding="utf-8",
    )
    committed.edit("overlays/dev/kustomization.yaml", "patches:\n", "patches:\n  - path: token.yaml\n")
    refused(committed, "KEY003", "overlays/dev/token.yaml:12")


@pytest.mark.parametrize("name", ["notes.md", "serving/hub.py", "overlays/dev/hub.properties"])
def test_a_token_in_any_other_file_is_refused(committed: Repository, name: str) -> None:
    (committed.folder / name).write_text(f"token = {TOKEN!r}\n", encoding="utf-8")
    refused(committed, name)
