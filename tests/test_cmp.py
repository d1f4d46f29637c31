"""`lockgate cmp`: an overlay's manifests on stdout if the gate agrees, else findings on stderr and nothing more."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_clean_overlay_is_printed_as_kustomize_builds_it(
    pristine: Path, lockgate: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = lockgate("cmp", cwd=pristine / "overlays" / "prod")
    built = subprocess.run(["kustomize", "build", pristine / "overlays" / "prod"], capture_output=True, check=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(yaml.safe_load_all(done.stdout)) == list(yaml.safe_load_all(built.stdout))


def test_what_the_gate_refuses_is_not_handed_out(
    repository: Path, lockgate: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    replicas = repository / "overlays" / "dev" / "replicas.yaml"
    replicas.write_text(replicas.read_text(encoding="utf-8").replace("replicas: 1", "replicas: 99"), encoding="utf-8")
    done = lockgate("cmp", "overlays/dev", cwd=repository)
    assert (done.returncode, done.stdout) == (1, "")
    assert "overlays/dev/replicas.yaml:6:13: error CST001" in done.stderr
    assert lockgate("cmp", "overlays/prod", cwd=repository).returncode == 0


def test_a_warning_refuses_only_where_it_is_asked_to(
    repository: Path, lockgate: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    serve = repository / "overlays" / "dev" / "release" / "serve.yaml"
    lines = serve.read_text(encoding="utf-8").splitlines(keepends=True)
    serve.write_text("".join(line for line in lines if not line.startswith("revision:")), encoding="utf-8")
    assert lockgate("cmp", "overlays/dev", cwd=repository).returncode == 0
    done = lockgate("cmp", "--fail-on", "warning", "overlays/dev", cwd=repository)
    assert (done.returncode, done.stdout) == (1, "")
    assert "warning MDL001" in done.stderr


def test_more_than_one_overlay_is_no_answer(
    pristine: Path, lockgate: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = lockgate("cmp", cwd=pristine)
    assert (done.returncode, done.stdout) == (2, "")
    assert "wanted the folder of one overlay, found 3 environments below it" in done.stderr


def test_a_broken_build_is_no_answer(
    repository: Path, lockgate: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (repository / "overlays" / "dev" / "replicas.yaml").write_text("kind: [", encoding="utf-8")
    done = lockgate("cmp", "overlays/dev", cwd=repository)
    assert (done.returncode, done.stdout) == (2, "")
    assert "overlays/dev/replicas.yaml:2: no valid YAML" in done.stderr
