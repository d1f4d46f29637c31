"""The workflow of a generated repository: its steps run as they stand there, in a clone with a branch for review."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow

BOUNDS = "overlays/prod/autoscaler-bounds.yaml"


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=ml-platform", "-c", "user.email=ml-platform@example.com")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def clone(repository: Path, tmp_path: Path) -> Path:
    """What actions/checkout leaves: all commits, and the branch of the pull request beside origin/main."""
    git(repository, "init", "--quiet", "--initial-branch", "main")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "First")
    folder = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(repository), str(folder))
    return folder


def steps(clone: Path) -> dict[str, subprocess.CompletedProcess[str]]:
    """Every step with a command, one after the other; Lockgate itself is installed already."""
    (job,) = yaml.safe_load((clone / ".github/workflows/gate.yml").read_text())["jobs"].values()
    done = {}
    for step in job["steps"]:
        if "run" not in step or step["name"] == "Install":
            continue
        env = {k: v.replace("${{ github.base_ref }}", "main") for k, v in step.get("env", {}).items()}
        assert "${{" not in step["run"]
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        done[step["name"]] = subprocess.run(
            ["bash", "-e", "-c", step["run"]],
            cwd=clone,
            env={**os.environ, **env, "PATH": path, "GITHUB_STEP_SUMMARY": str(clone.parent / "summary.md")},
            capture_output=True,
            text=True,
            check=False,
        )
    return done


def test_a_good_change_is_told_and_passes(clone: Path) -> None:
    text = (clone / BOUNDS).read_text()
    (clone / BOUNDS).write_text(text.replace("maxReplicas: 3", "maxReplicas: 2"))
    git(clone, "commit", "--quiet", "--all", "--message", "Fewer")
    done = steps(clone)
    assert {name: step.returncode for name, step in done.items()} == dict.fromkeys(
        ["Gate", "What changes", "Tests of the repository", "YAML"], 0
    )
    assert "| prod | pods | 2 to 3 | 2 |" in (clone.parent / "summary.md").read_text().splitlines()


def test_a_finding_is_an_annotation_and_what_changes_is_told_all_the_same(clone: Path) -> None:
    text = (clone / BOUNDS).read_text()
    (clone / BOUNDS).write_text(text.replace("maxReplicas: 3", "maxReplicas: 4"))
    done = steps(clone)
    assert (done["Gate"].returncode, done["What changes"].returncode) == (1, 0)
    assert f"::error file={BOUNDS},line=8,col=16,title=CST001 prod::" in done["Gate"].stdout
    assert "| prod | pods | 2 to 3 | 2 to 4 |" in (clone.parent / "summary.md").read_text().splitlines()
