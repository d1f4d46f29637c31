"""A repository's Git checkout, by the `git` on PATH: revisions to read, a commit to make, never the files in hand."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# What a hook of Git sets and what would lead to another checkout than the folder's own.
_OF_A_HOOK = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"}
_DEFAULT_BRANCHES = ("origin/main", "origin/master", "main", "master")


@dataclass(frozen=True, slots=True)
class Checkout:
    """The Git checkout that a repository lies in.

    Attributes:
        top: Its root.
        inside: The repository's folder in it, POSIX; '.' when it is the root.
    """

    top: Path
    inside: str

    def commit_of(self, revision: str) -> str:
        """The commit that a branch, tag or commit stands for.

        Raises:
            LockgateError: There is none.
        """
        done = _run(self.top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        if done.returncode:
            msg = f"{revision!r} is no commit, branch or tag of {self.top}"
            raise LockgateError(msg, "`git log --oneline --all` shows them; a shallow clone lacks old ones")
        return done.stdout.strip()

    def base(self) -> str:
        """Where the branch in hand left the default branch; the last commit where that is not known."""
        head = _run(self.top, "symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD").stdout.strip()
        for branch in filter(None, (head, *_DEFAULT_BRANCHES)):
            found = self.merge_base("HEAD", branch)
            if found:
                return found
        return self.commit_of("HEAD")

    def merge_base(self, one: str, other: str) -> str:
        """The last commit that two revisions share; '' when there is none, or no such revision."""
        return _run(self.top, "merge-base", "--end-of-options", one, other).stdout.strip()

    def uncommitted(self, folders: Sequence[str]) -> list[str]:
        """Files below `folders` of the repository that differ from the last commit, new ones too."""
        places = [str(self.top / self.inside / folder) for folder in folders]
        text = _output(self.top, "status", "--porcelain", "-z", "--untracked-files=all", "--", *places)
        return [entry[3:] for entry in text.split("\0") if entry[2:3] == " "]

    def has_branch(self, name: str) -> bool:
        """Whether there is a local branch of that name.

        Raises:
            LockgateError: Git allows no such name.
        """
        if _run(self.top, "check-ref-format", "--branch", name).returncode:
            msg = f"Git allows no branch called {name!r}"
            raise LockgateError(msg, "name one like release/prod")
        return _run(self.top, "show-ref", "--verify", "--quiet", f"refs/heads/{name}").returncode == 0

    @contextmanager
    def at(self, revision: str) -> Iterator[Path]:
        """The repository as a revision has it, in a worktree that is gone afterwards.

        Raises:
            LockgateError: No such revision, or it has no such folder.
        """
        commit = self.commit_of(revision)
        with tempfile.TemporaryDirectory(prefix="lockgate-") as name:
            folder = Path(name).resolve() / "checkout"
            try:
                _output(self.top, "worktree", "add", "--quiet", "--detach", str(folder), commit)
                if not (folder / self.inside).is_dir():
                    msg = f"{revision} has no folder {self.inside}"
                    raise LockgateError(msg, "name a revision that has the repository")
                yield folder / self.inside
            finally:
                _run(self.top, "worktree", "remove", "--force", str(folder))

    def commit(self, copy: Path, message: str, branch: str) -> None:
        """Commits what is staged in a repository that `at` gave, on a new branch of the checkout.

        Raises:
            LockgateError: Git or one of its hooks refuses; there is no new branch then.
        """
        _output(copy, "commit", "--quiet", "--message", message)
        _output(self.top, "branch", "--no-track", branch, _output(copy, "rev-parse", "HEAD").strip())


def checkout(root: Path) -> Checkout:
    """The Git checkout that the folder `root` lies in.

    Raises:
        LockgateError: No `git`, no checkout, or one without a commit.
    """
    if shutil.which("git") is None:
        msg = "no `git` on PATH"
        raise LockgateError(msg, "install Git")
    done = _run(root, "rev-parse", "--show-toplevel")
    if done.returncode:
        msg = f"{root} is in no Git checkout"
        raise LockgateError(msg, "git init && git add . && git commit")
    top = Path(done.stdout.rstrip("\n")).resolve()
    if _run(root, "rev-parse", "--verify", "--quiet", "HEAD").returncode:
        msg = f"{top} has no commit"
        raise LockgateError(msg, "git add . && git commit")
    return Checkout(top, root.resolve().relative_to(top).as_posix())


def stage(copy: Path, folder: str) -> None:
    """Stages what changed in `folder` of a repository that `Checkout.at` gave, and shows it on stdout as git does.

    Raises:
        LockgateError: Git refuses.
    """
    _output(copy, "add", "--all", "--", folder)
    # Not captured: git colours it for a terminal and leaves it plain in a pipe.
    command = ("git", "-C", str(copy), "--no-pager", "diff", "--cached", "--no-ext-diff", "--no-renames")
    subprocess.run((*command, "--", folder), check=False, env=_environment())


def _output(folder: Path, *arguments: str) -> str:
    """What git says; its complaint becomes one line."""
    done = _run(folder, *arguments)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
        msg = f"git {arguments[0]}: {said}"
        raise LockgateError(msg, "mend what git complains about, and run it again")
    return done.stdout


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ("git", "-C", str(folder), *arguments)
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env=_environment())


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}
