"""`lockgate promote` in real checkouts: what it commits, what it refuses; the files in hand stay as they are."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from lockgate import release

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

Run = Callable[..., "subprocess.CompletedProcess[str]"]
DEV, CANARY, PROD = (f"overlays/{name}/release" for name in ("dev", "canary", "prod"))


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def committed(top: Path) -> None:
    git(top, "add", ".")
    git(top, "commit", "--quiet", "--message", "Something")


def edited(repository: Path, file: str, old: str, new: str) -> None:
    text = (repository / file).read_text()
    assert text.count(old) == 1
    (repository / file).write_text(text.replace(old, new))


@pytest.fixture
def team(repository: Path) -> Path:
    """The default repository in a checkout; dev has a shorter context than canary and prod."""
    git(repository, "init", "--quiet", "--initial-branch", "main")
    git(repository, "config", "user.name", "ml-platform")
    git(repository, "config", "user.email", "ml-platform@example.com")
    edited(repository, f"{DEV}/serve.yaml", "max-model-len: 32768", "max-model-len: 16384")
    committed(repository)
    return repository


def untouched(team: Path) -> bool:
    """Whether branch, files and worktrees are as the fixture left them."""
    said = [git(team, *words) for words in (("branch",), ("status", "--porcelain"), ("worktree", "list"))]
    return (said[0], said[1], len(said[2].splitlines())) == ("* main", "", 1)


def test_the_release_goes_one_level_up_on_a_branch(team: Path, lockgate: Run) -> None:
    done = lockgate("promote", "canary", str(team))
    assert (done.returncode, done.stderr) == (0, "")
    branch = f"release/canary-{git(team, 'rev-parse', 'main')[:12]}"
    lines = done.stdout.splitlines()
    assert lines[0] == "max-model-len: 32768 -> 16384"
    assert {"-max-model-len: 32768", "+max-model-len: 16384"} < set(lines)
    assert lines[-2:] == [
        f"committed on branch {branch}",
        f"Next: git push -u origin {branch}, and open a pull request",
    ]
    assert git(team, "diff", "--name-only", "main", branch) == f"{CANARY}/serve.yaml"
    assert git(team, "diff", f"{branch}:{DEV}", f"{branch}:{CANARY}") == ""
    assert git(team, "log", "--format=%s", f"main..{branch}") == (
        "Release to canary: vllm-openai v0.32.0, Qwen/Qwen3-14B at 40c069824f42"
    )
    git(team, "branch", "-D", branch)
    assert untouched(team)


def test_files_that_are_new_or_gone_go_along(team: Path, lockgate: Run) -> None:
    (team / CANARY / "old.txt").write_text("old")
    (team / DEV / "new.txt").write_text("new")
    committed(team)
    done = lockgate("promote", "canary", str(team), "--branch", "up", "--message", "Up")
    assert done.returncode == 0, done.stderr
    assert git(team, "diff", "--name-status", "main", "up").split("\n") == [
        f"A\t{CANARY}/new.txt",
        f"D\t{CANARY}/old.txt",
        f"M\t{CANARY}/serve.yaml",
    ]
    assert git(team, "log", "-1", "--format=%s", "up") == "Up"


def test_a_repository_in_a_folder_of_its_checkout(team: Path, tmp_path: Path, lockgate: Run) -> None:
    top = tmp_path / "mono"
    (top / "services").mkdir(parents=True)
    (team / ".git").rename(top / ".git")
    team.rename(top / "services" / "chat")
    committed(top)
    done = lockgate("promote", "canary", cwd=top / "services" / "chat" / "base")
    assert done.returncode == 0, done.stderr
    branch = done.stdout.splitlines()[-2].removeprefix("committed on branch ")
    assert git(top, "diff", "--name-only", "main", branch) == f"services/chat/{CANARY}/serve.yaml"


def test_what_the_gate_refuses_is_not_committed(team: Path, lockgate: Run) -> None:
    edited(team, f"{DEV}/serve.yaml", "tensor-parallel-size: 2", "tensor-parallel-size: 4")
    committed(team)
    done = lockgate("promote", "canary", str(team))
    assert done.returncode == 1
    assert "error GPU002" in done.stdout
    assert done.stderr.strip() == "not promoted: the gate refuses canary with the release of dev"
    assert untouched(team)


def test_a_dry_run_commits_nothing(team: Path, lockgate: Run) -> None:
    done = lockgate("promote", "canary", str(team), "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "+max-model-len: 16384" in done.stdout.splitlines()
    assert done.stdout.splitlines()[-1] == "nothing is committed: --dry-run"
    assert untouched(team)


def test_an_equal_release_is_there_already(team: Path, lockgate: Run) -> None:
    done = lockgate("promote", "prod", str(team))
    assert (done.returncode, done.stdout) == (0, "prod has the release of canary already\n")
    assert untouched(team)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dev"], "dev is of level dev, where releases begin"),
        (["prod", "--from", "dev"], "prod (prod) takes the release of level canary, not of dev"),
        (["staging"], "environment 'staging' is not in lockgate.yaml"),
        (["prod", "--from", "staging"], "environment 'staging' is not in lockgate.yaml"),
        (["canary", "--branch", "a..b"], "Git allows no branch called 'a..b'"),
        (["canary", "--branch", "main"], "there is a branch 'main' already"),
    ],
)
def test_what_cannot_be_is_refused(team: Path, lockgate: Run, words: list[str], message: str) -> None:
    done = lockgate("promote", words[0], str(team), *words[1:])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {message}")
    assert untouched(team)


def test_two_environments_of_a_level_want_a_name(team: Path, lockgate: Run) -> None:
    edited(team, "lockgate.yaml", "    level: prod\n", "    level: canary\n")
    committed(team)
    text = (team / "lockgate.yaml").read_text()
    (team / "lockgate.yaml").write_text(text.replace("  prod:\n", "  canary-eu:\n").replace("  dev:\n", "  prod:\n"))
    (team / "lockgate.yaml").write_text((team / "lockgate.yaml").read_text().replace("level: dev", "level: prod"))
    done = lockgate("promote", "prod", str(team))
    assert done.returncode == 2
    assert "wanted one environment of level canary to take the release from, found 2" in done.stderr
    assert "name it with --from: canary, canary-eu" in done.stderr


@pytest.mark.parametrize("folder", [DEV, CANARY])
def test_what_is_not_committed_is_not_promoted(team: Path, lockgate: Run, folder: str) -> None:
    edited(team, f"{folder}/serve.yaml", "dtype: bfloat16", "dtype: auto")
    done = lockgate("promote", "canary", str(team))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{folder}/serve.yaml is not committed" in done.stderr
    assert git(team, "branch") == "* main"


def test_outside_of_a_checkout_it_says_so(repository: Path, lockgate: Run) -> None:
    done = lockgate("promote", "prod", str(repository), GIT_CEILING_DIRECTORIES=str(repository.parent))
    assert (done.returncode, done.stdout) == (2, "")
    assert "is in no Git checkout" in done.stderr


def test_a_release_is_told_in_a_few_words(repository: Path) -> None:
    old = release.read(repository / "overlays/dev", "overlays/dev")
    edited(
        repository, f"{DEV}/kustomization.yaml", "newTag: v0.32.0", f"newTag: v0.33.0\n    digest: sha256:{'a' * 64}"
    )
    edited(repository, f"{DEV}/serve.yaml", "dtype: bfloat16\n", "enforce-eager: true\n")
    new = release.read(repository / "overlays/dev", "overlays/dev")
    assert release.title(new) == "vllm-openai v0.33.0, Qwen/Qwen3-14B at 40c069824f42"
    assert release.differences(old, new) == [
        f"image docker.io/vllm/vllm-openai: v0.32.0 -> v0.33.0@sha256:{'a' * 64}",
        "dtype: bfloat16 -> not set",
        "enforce-eager: not set -> True",
    ]
    assert release.differences(new, new) == []
