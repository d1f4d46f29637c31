"""Bad input, by command line: a sentence with file and line, exit code 2, nothing changed, no traceback."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
DEV = "overlays/dev/kustomization.yaml"


def fingerprint(root: Path) -> dict[str, str]:
    """Every file below `root` with its content's digest."""
    return {
        file.relative_to(root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(root.rglob("*"))
        if file.is_file()
    }


def replace(root: Path, file: str, old: str, new: str) -> None:
    text = (root / file).read_text()
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
    (root / file).write_text(text.replace(old, new))


def append(root: Path, file: str, text: str) -> None:
    with (root / file).open("a") as stream:
        stream.write(text)


def remove(*files: Path) -> None:
    for file in files:
        file.unlink()


def folder_instead(file: Path) -> None:
    """A folder of that name where the file was."""
    file.unlink()
    file.mkdir()


def big(root: Path) -> None:
    """10 MB of YAML that is no object."""
    (root / "overlays/dev/replicas.yaml").write_text("- filler: " + "x" * 90 + "\n" + "- filler: abc\n" * 700_000)


HIDDEN = """\
import sys
from importlib.machinery import PathFinder


class Hiding(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == "pykustomize" else super().find_spec(name, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = Hiding
"""


FAULTS: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "unreadable YAML": (lambda r: append(r, "base/service.yaml", "  a: [\n"), ("base/service.yaml:", "hint:")),
    "tab": (lambda r: append(r, "base/service.yaml", "\tb: 1\n"), ("base/service.yaml:",)),
    "missing resource": (
        lambda r: replace(r, DEV, "  - gpu-quota.yaml\n", "  - gpu-quotas.yaml\n"),
        (f"{DEV}:", "gpu-quotas.yaml"),
    ),
    "missing base": (lambda r: shutil.rmtree(r / "base"), (f"{DEV}:", "base")),
    "cycle": (
        lambda r: append(
            r, "base/kustomization.yaml", "\n  - ../overlays/dev\n".replace("\n  -", "\ncomponents:\n  -", 1)
        ),
        ("overlays/dev",),
    ),
    "empty overlay": (lambda r: (r / DEV).write_text(""), ("overlays/dev",)),
    "no kustomization": (lambda r: (r / DEV).unlink(), ("overlays/dev: no kustomization.yaml",)),
    "binary file": (lambda r: (r / "base/service.yaml").write_bytes(b"\x7fELF\x00\xff\xfe"), ("base/service.yaml",)),
    "ten megabytes": (big, ("overlays/dev", "replicas.yaml")),
    "unknown field": (lambda r: append(r, DEV, "patchs: []\n"), (f"{DEV}:", "patch")),
    "syntax error in a rule": (lambda r: append(r, "policies/gpu.rego", "\ndeny contains if {\n"), ("gpu.rego:",)),
    "rule without METADATA": (
        lambda r: (r / "policies/team/mine.rego").write_text(
            "package lockgate.team.mine\n\nimport rego.v1\n\ndeny contains 1 if true\n"
        ),
        ("team/mine.rego:5:", "METADATA"),
    ),
    "rule of the wrong shape": (
        lambda r: (r / "policies/team/mine.rego").write_text(
            "package lockgate.team.mine\n\nimport rego.v1\n\ndeny := true\n"
        ),
        ("team/mine.rego:5:", "deny contains"),
    ),
    "no rules": (lambda r: remove(*(r / "policies").rglob("*.rego")), ("no rule",)),
    "unknown settings key": (
        lambda r: append(r, "lockgate.yaml", "budgets: 3\n"),
        ("lockgate.yaml:", "unknown key 'budgets'"),
    ),
    "unknown rule exempted": (
        lambda r: replace(
            r, "lockgate.yaml", "IMG001\n    object: Job/qwen-chat-p", "IMG01\n    object: Job/qwen-chat-p"
        ),
        ("unknown rule 'IMG01'", "IMG001"),
    ),
    "settings are a folder": (
        lambda r: folder_instead(r / "lockgate.yaml"),
        ("lockgate.yaml",),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_broken_repository_is_told_and_left_alone(name: str, repository: Path, lockgate: Run) -> None:
    spoil, wanted = FAULTS[name]
    spoil(repository)
    before = fingerprint(repository)
    done = lockgate("check", str(repository))
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    for text in wanted:
        assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert fingerprint(repository) == before


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["chek"], "no command 'chek'; did you mean 'check'?"),
        (["check", "--env", "prd"], "did you mean 'prod'?"),
        (["check", "--format", "xml"], "no format 'xml'; known: text, json"),
        (["check", "--engine", "rego"], "no engine 'rego'"),
        (["check", "--engine", "http://127.0.0.1:9"], "no OPA server answers at http://127.0.0.1:9"),
        (["check", "--renderer", "helm"], "'helm' is not one of"),
        (["check", "--today", "tomorrow"], "'tomorrow' does not match"),
        (["check", "nowhere"], "nowhere: no such file or folder"),
        (["check", "a", "b"], "wanted one PATH, found 2"),
        (["check", "--format", "json=missing/report.json"], "the report cannot be written"),
        (["explain", "GPU01"], "did you mean GPU001"),
        (["explain", "nothing"], "`lockgate explain --list` lists them"),
        (["new", "UPPER", "--defaults"], "UPPER"),
        (["new", "x", "--set", "modle_id=a"], "did you mean 'model_id'?"),
    ],
)
def test_wrong_use_is_told(arguments: list[str], wanted: str, pristine: Path, lockgate: Run) -> None:
    done = lockgate(*arguments, cwd=pristine)
    assert done.returncode == 2, done.stdout + done.stderr
    assert wanted in done.stderr
    assert "Traceback" not in done.stderr


def test_outside_a_repository_there_is_no_answer(tmp_path: Path, lockgate: Run) -> None:
    done = lockgate("check", cwd=tmp_path)
    assert done.returncode == 2
    assert "no lockgate.yaml in" in done.stderr


def test_missing_renderer_says_what_to_install(pristine: Path, lockgate: Run, tmp_path: Path) -> None:
    """A Python without pykustomize, and no program on the PATH: exit 2 and the command that mends it."""
    (tmp_path / "sitecustomize.py").write_text(HIDDEN)
    path = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    done = lockgate("check", cwd=pristine, PYTHONPATH=path, PATH="")
    assert done.returncode == 2, done.stderr
    assert "no kustomize is installed" in done.stderr
    assert "pip install --ignore-requires-python pykustomize==" in done.stderr


def test_file_that_may_not_be_read(repository: Path) -> None:
    file = repository / "base" / "service.yaml"
    file.chmod(0)
    # Root reads everything until it gives that capability up.
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*drop, sys.executable, "-m", "lockgate", "check", str(repository)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "base/service.yaml" in done.stderr
    assert "ermission denied" in done.stderr
    assert "Traceback" not in done.stderr


def test_disk_that_is_full_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of a file is the nearest to a full disk without a mount: the kernel refuses the write."""
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 4; exec {sys.executable} -B -m lockgate new {tmp_path / 'chat'} --defaults"],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "cannot be written: File too large" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_interrupt_ends_with_130_and_no_traceback(repository: Path) -> None:
    """The renderer is a program that never ends, so that the interrupt surely comes in the middle."""
    slow = repository.parent / "kustomize"
    slow.write_text("#!/bin/sh\necho started >&2\nexec sleep 60\n")
    slow.chmod(0o755)
    with subprocess.Popen(
        [sys.executable, "-m", "lockgate", "check", str(repository), "--renderer", "kustomize", "--env", "dev"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PATH": f"{slow.parent}{os.pathsep}{os.environ['PATH']}"},
    ) as process:
        try:
            deadline = time.monotonic() + 60
            while not (begun := "sleep" in _commands(process.pid)) and time.monotonic() < deadline:
                time.sleep(0.05)
            assert begun, "the renderer was not started"
            os.killpg(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 130, out + err
    assert err.strip() == "interrupted"
    assert out == ""


def _commands(parent: int) -> set[str]:
    """Names of the processes that `parent` or one of its threads started."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = status.read_text().partition(" (")[2].rpartition(") ")
        except OSError:
            continue
        if int(rest.split()[1]) == parent:
            found.add(name)
    return found


def test_reader_that_goes_away_is_no_error(pristine: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m lockgate check --format json | head -c 1"],
        cwd=pristine,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
