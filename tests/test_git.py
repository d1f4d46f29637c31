"""What Git is asked and told, with real checkouts."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from lockgate import git
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from pathlib import Path


def run(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository in a folder of its checkout, with two commits; the first one is tagged."""
    root = tmp_path / "teams" / "chat"
    root.mkdir(parents=True)
    run(tmp_path, "init", "--quiet", "--initial-branch", "main")
    run(tmp_path, "config", "user.name", "ml-platform")
    run(tmp_path, "config", "user.email", "ml-platform@example.com")
    for text in ("one", "two"):
        (root / "release").mkdir(exist_ok=True)
        (root / "release" / "a.yaml").write_text(text)
        run(tmp_path, "add", ".")
        run(tmp_path, "commit", "--quiet", "--message", text)
        if text == "one":
            run(tmp_path, "tag", "v1")
    return root


def test_a_revision_is_read_and_nothing_stays(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As in a hook of Git, which is told of its own checkout this way.
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    found = git.checkout(repository)
    assert (found.top, found.inside) == (repository.parents[1].resolve(), "teams/chat")
    with found.at("v1") as copy:
        assert (copy / "release" / "a.yaml").read_text() == "one"
        assert (repository / "release" / "a.yaml").read_text() == "two"
    monkeypatch.undo()
    assert not copy.exists()
    assert len(run(repository, "worktree", "list").splitlines()) == 1


def test_what_is_not_committed_is_told(repository: Path) -> None:
    found = git.checkout(repository)
    assert found.uncommitted(["release"]) == []
    (repository / "release" / "a.yaml").write_text("three")
    (repository / "release" / "new é.yaml").write_text("")
    (repository / "other.yaml").write_text("")
    assert found.uncommitted(["release"]) == ["teams/chat/release/a.yaml", "teams/chat/release/new é.yaml"]


def test_a_commit_is_on_a_new_branch_and_the_files_in_hand_stay(repository: Path) -> None:
    found = git.checkout(repository)
    with found.at("HEAD") as copy:
        (copy / "release" / "b.yaml").write_text("b")
        (copy / "release" / "a.yaml").unlink()
        (copy / "other.yaml").write_text("not of it")
        git.stage(copy, "release")
        found.commit(copy, "Release", "to-prod")
    assert found.has_branch("to-prod")
    assert run(repository, "diff", "--name-status", "main", "to-prod").split() == [
        *("D", "teams/chat/release/a.yaml"),
        *("A", "teams/chat/release/b.yaml"),
    ]
    assert run(repository, "branch", "--show-current") == "main"
    assert run(repository, "status", "--porcelain") == ""


def test_a_hook_that_refuses_leaves_no_branch(repository: Path) -> None:
    found = git.checkout(repository)
    hook = found.top / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\necho not on my watch >&2\nexit 1\n")
    hook.chmod(0o755)
    with found.at("HEAD") as copy:
        (copy / "release" / "a.yaml").write_text("b")
        git.stage(copy, "release")
        with pytest.raises(LockgateError, match="git commit: not on my watch"):
            found.commit(copy, "Release", "to-prod")
    assert not found.has_branch("to-prod")


@pytest.mark.parametrize("revision", ["v2", "--help", "", "HEAD:teams", "v1:"])
def test_no_such_revision_is_one_line(repository: Path, revision: str) -> None:
    with pytest.raises(LockgateError, match="is no commit, branch or tag"), git.checkout(repository).at(revision):
        pass


def test_a_revision_without_the_folder_is_one_line(repository: Path) -> None:
    other = repository.parent / "later"
    other.mkdir()
    with pytest.raises(LockgateError, match="v1 has no folder teams/later"), git.checkout(other).at("v1"):
        pass
    assert len(run(repository, "worktree", "list").splitlines()) == 1


def test_no_checkout_no_commit_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LockgateError, match="is in no Git checkout"):
        git.checkout(tmp_path)
    run(tmp_path, "init", "--quiet")
    with pytest.raises(LockgateError, match="has no commit"):
        git.checkout(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(LockgateError, match="no `git` on PATH"):
        git.checkout(tmp_path)


@pytest.mark.parametrize("name", ["", "a..b", "-x", "a b"])
def test_a_branch_that_git_does_not_allow_is_one_line(repository: Path, name: str) -> None:
    with pytest.raises(LockgateError, match="Git allows no branch"):
        git.checkout(repository).has_branch(name)
