"""The wheel, built from the sdist and used from an empty environment in an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PYKUSTOMIZE = "pykustomize==0.1.4"
INPUTS = ("PATH", "ENVIRONMENTS", "FAIL_ON", "ENGINE")
TEMPLATE = ("cookiecutter.json", "hooks", "<<cookiecutter.project>>")

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("package")]


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    """Runs a command that must succeed; returns its stdout."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def tracked(*paths: str) -> set[str]:
    """Files of these paths that git knows, or would take at the next `git add`."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths, cwd=ROOT)
    return {name for name in listed.split("\0") if name and (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment that has the wheel and nothing else of this clone."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    run(sys.executable, "-m", "venv", folder, cwd=folder.parent)
    pip = (folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, wheel, cwd=folder)
    run(*pip, "--no-deps", "--ignore-requires-python", PYKUSTOMIZE, cwd=folder)
    return folder / "bin"


def test_the_wheel_carries_the_package_and_the_whole_template(wheel: Path) -> None:
    carried = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    template = {f"lockgate/template/{name}" for name in tracked(*TEMPLATE)}
    package = {name.removeprefix("src/") for name in tracked("src")}
    # `lockgate export gatekeeper` makes its suites of them.
    samples = {f"lockgate/template/samples/{name.removeprefix('tests/rules/')}" for name in tracked("tests/rules")}
    assert carried == template | package | samples | {"lockgate/engines/shipped.py"}


def test_the_wheel_tells_its_licence_and_its_python(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(name).decode()
        assert any(name.endswith(".dist-info/licenses/LICENSE") for name in archive.namelist())
    assert "License-Expression: Apache-2.0" in metadata
    assert "Requires-Python: >=3.11" in metadata


def test_the_installed_wheel_writes_a_repository_and_gates_it(installed: Path, tmp_path: Path) -> None:
    # Only the environment and the system: no program that the tests built.
    path = os.pathsep.join([str(installed), "/usr/bin", "/bin"])
    run(installed / "lockgate", "new", "qwen-chat", "--defaults", cwd=tmp_path, PATH=path, PYTHONPATH="")
    run(installed / "lockgate", "check", tmp_path / "qwen-chat", cwd=tmp_path, PATH=path, PYTHONPATH="")
    assert "\nBad\n" in run(installed / "lockgate", "explain", "GPU001", cwd=tmp_path, PATH=path, PYTHONPATH="")


def test_the_installed_wheel_need_not_compile_the_rules(installed: Path, pristine: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    run(installed / "lockgate", "check", pristine, cwd=tmp_path, PYTHONPATH="", LOCKGATE_CACHE=str(cache))
    assert sorted(file.suffix for file in cache.iterdir()) == [".rules", ".valid"]


def test_the_action_gates_and_annotates(installed: Path, pristine: Path, tmp_path: Path) -> None:
    # The runner's part of it: the last step of action.yml, with inputs in the environment.
    gate = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"][-1]
    assert set(gate["env"]) == {f"LOCKGATE_{name}" for name in INPUTS}
    (tmp_path / ".git").mkdir()
    (tmp_path / "lockgate").symlink_to(installed.parent)
    shutil.copytree(pristine, tmp_path / "services" / "qwen-chat")
    edited = tmp_path / "services" / "qwen-chat" / "overlays" / "prod" / "autoscaler-bounds.yaml"
    edited.write_text(edited.read_text(encoding="utf-8").replace("maxReplicas: 3", "maxReplicas: 4"), encoding="utf-8")
    inputs = dict(
        zip((f"LOCKGATE_{name}" for name in INPUTS), ("services/qwen-chat", "prod", "error", "embedded"), strict=True)
    )
    done = subprocess.run(
        ["bash", "-c", gate["run"]],
        cwd=tmp_path,
        env={**os.environ, **inputs, "RUNNER_TEMP": str(tmp_path), "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert (
        "::error file=services/qwen-chat/overlays/prod/autoscaler-bounds.yaml,line=8,col=16,title=CST001 prod::"
        in done.stdout
    )


def test_the_action_uses_no_other_action() -> None:
    steps = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]
    assert [step["uses"] for step in steps if "uses" in step] == []
    assert not any("${{" in step["run"] for step in steps)
