"""`lockgate new` at its edges: what is answered how, what is refused, and that nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from lockgate import generate
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Callable


def refusal(act: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(LockgateError) as refused:
        act()
    return refused.value.message, refused.value.hint


def answers(folder: Path, text: str) -> Path:
    file = folder / "answers.yaml"
    file.write_text(text)
    return file


def test_it_writes_gates_and_says_what_to_do_next(lockgate: Any, tmp_path: Path) -> None:
    done = lockgate("new", "qwen-chat", "--defaults", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.startswith("wrote ")
    assert "Next: cd qwen-chat && git init" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["qwen-chat"]


def test_the_folder_names_the_project(lockgate: Any, tmp_path: Path) -> None:
    done = lockgate("new", "chat-7", "--defaults", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    settings = yaml.safe_load((tmp_path / "chat-7" / "lockgate.yaml").read_text())
    assert settings["project"] == "chat-7"


def test_set_is_stronger_than_the_file(lockgate: Any, tmp_path: Path) -> None:
    file = answers(tmp_path, "owner: from-the-file\nkubernetes_version: 1.30\n")
    done = lockgate("new", "chat", "--answers", file, "--set", "owner=from-set", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    settings = yaml.safe_load((tmp_path / "chat" / "lockgate.yaml").read_text())
    assert settings["owner"] == "from-set"
    assert settings["versions"]["kubernetes"] == "1.30"


def test_a_refusal_is_exit_2_and_leaves_nothing(lockgate: Any, tmp_path: Path) -> None:
    done = lockgate("new", "chat", "--set", "prod_max_replicas=4", "--set", "prod_gpu_budget=4", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "4 pods alone ask 4 x 2 = 8 GPUs" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("- a\n", "answers.yaml:1: wanted a mapping of questions to answers", "write one"),
        ("owner: a\nowner: b\n", "answers.yaml:2: 'owner' is answered twice", "keep one of the two"),
        ("owner:\n  team: a\n", "answers.yaml:1: wanted text or a number, found a list", "write one"),
        ("owner: [\n", "answers.yaml:2: not readable as YAML", ""),
    ],
)
def test_a_bad_file_is_told_with_its_line(tmp_path: Path, text: str, message: str, hint: str) -> None:
    found, tip = refusal(lambda: generate.read_answers(answers(tmp_path, text)))
    assert message in found
    assert hint in tip


def test_a_missing_and_a_binary_file(tmp_path: Path) -> None:
    missing, _ = refusal(lambda: generate.read_answers(tmp_path / "none.yaml"))
    assert missing == f"{tmp_path / 'none.yaml'}: cannot be read: No such file or directory"
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    binary, _ = refusal(lambda: generate.read_answers(tmp_path / "b.yaml"))
    assert binary == f"{tmp_path / 'b.yaml'}: wanted UTF-8 text, found a binary file"


def test_an_empty_file_answers_nothing(tmp_path: Path) -> None:
    assert generate.read_answers(answers(tmp_path, "# later\n")) == {}


def test_an_unknown_question_names_the_nearest(tmp_path: Path) -> None:
    given = generate.read_answers(answers(tmp_path, "owner: a\ntensor_paralel: 2\n"))
    message, hint = refusal(lambda: generate.accept(given))
    assert message == f"{tmp_path / 'answers.yaml'}:2: no question 'tensor_paralel'"
    assert hint == "did you mean 'tensor_parallel'?"


def test_an_unknown_choice_lists_the_choices() -> None:
    message, hint = refusal(lambda: generate.accept({"dtype": ("fp32", "--set dtype=fp32")}))
    assert message == "--set dtype=fp32: dtype has no choice 'fp32'"
    assert hint == "choose one of bfloat16, float16"


def test_set_without_a_sign_is_a_usage_error(lockgate: Any, tmp_path: Path) -> None:
    done = lockgate("new", "chat", "--set", "owner", cwd=tmp_path)
    assert done.returncode == 2
    assert "wanted QUESTION=ANSWER, found 'owner'" in done.stderr


def test_folder_and_project_must_have_one_name(lockgate: Any, tmp_path: Path) -> None:
    done = lockgate("new", "chat", "--set", "project=other", cwd=tmp_path)
    assert done.returncode == 2
    assert "the folder 'chat' and the project 'other' must have one name" in done.stderr


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_taken_target_is_left_as_it_was(lockgate: Any, tmp_path: Path, kind: str) -> None:
    kept = tmp_path / "chat" / "notes.txt" if kind == "folder" else tmp_path / "chat"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("mine")
    done = lockgate("new", "chat", "--defaults", cwd=tmp_path)
    assert done.returncode == 2
    assert f"{tmp_path / 'chat'} exists already, a {kind}" in done.stderr
    assert kept.read_text() == "mine"
    assert len(list(tmp_path.rglob("*"))) == (2 if kind == "folder" else 1)


def test_an_empty_target_is_taken(tmp_path: Path) -> None:
    (tmp_path / "chat").mkdir()
    assert generate.generate(tmp_path / "chat", {}) > 50


def test_a_missing_parent_is_told(tmp_path: Path) -> None:
    message, _ = refusal(lambda: generate.generate(tmp_path / "a" / "chat", {}))
    assert message == f"{tmp_path / 'a'} is no folder"


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0

    def full(_: str, target: str) -> None:
        nonlocal count
        count += 1
        Path(target).write_bytes(b"half")
        if count == 20:
            raise OSError(28, os.strerror(28), target)

    monkeypatch.setattr("shutil.copymode", full)
    message, hint = refusal(lambda: generate.generate(tmp_path / "chat", {}))
    assert message == f"{tmp_path / 'chat'} cannot be written: No space left on device"
    assert "nothing was left behind" in hint
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_permission_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(**_: object) -> str:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr("tempfile.mkdtemp", denied)
    message, _ = refusal(lambda: generate.generate(tmp_path / "chat", {}))
    assert message == f"{tmp_path / 'chat'} cannot be written: Permission denied"


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    """The interrupt comes while files are written, at the first that is copied."""
    program = (
        "import os, shutil, signal, sys\n"
        "from lockgate import cli\n"
        "shutil.copymode = lambda *_: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.exit(cli.run(['new', 'chat', '--defaults']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 128 + signal.SIGINT
    assert done.stderr.strip() == "interrupted"
    assert list(tmp_path.iterdir()) == []


def on_a_terminal(folder: Path, *lines: str) -> tuple[int, str]:
    """`lockgate new` on a terminal where a person types `lines`: exit code and what was shown."""
    import pty

    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "lockgate", "new"],
        cwd=folder,
        stdin=child,
        stdout=child,
        stderr=child,
    )
    os.close(child)
    os.write(parent, "".join(f"{line}\n" for line in lines).encode())
    shown = b""
    try:
        while chunk := os.read(parent, 65536):
            shown += chunk
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(parent)
    return process.wait(), shown.decode()


@pytest.mark.slow
def test_on_a_terminal_it_asks_and_takes_the_answers(tmp_path: Path) -> None:
    """Every question is answered by Return but the first and the accelerator."""
    code, shown = on_a_terminal(tmp_path, "chat-9", *[""] * 7, "7", *[""] * 22)
    assert code == 0, shown
    assert "Name of the service" in shown
    assert "NVIDIA H100, 80 GB: bfloat16, fp8" in shown
    settings = yaml.safe_load((tmp_path / "chat-9" / "lockgate.yaml").read_text())
    assert list(settings["pools"]) == ["h100-80gb"]


@pytest.mark.slow
def test_on_a_terminal_a_refusal_keeps_the_answers_and_asks_again(tmp_path: Path) -> None:
    """The name is wrong at first; the owner is typed once."""
    first = ["Chat", "", "my-team", *[""] * 28]
    again = ["y", "chat", *[""] * 30]
    code, shown = on_a_terminal(tmp_path, *first, *again)
    assert code == 0, shown
    assert "project must be a DNS-1123 label" in shown
    settings = yaml.safe_load((tmp_path / "chat" / "lockgate.yaml").read_text())
    assert settings["owner"] == "my-team"
    assert [path.name for path in tmp_path.iterdir()] == ["chat"]


@pytest.mark.slow
def test_on_a_terminal_a_person_may_give_up(tmp_path: Path) -> None:
    code, _ = on_a_terminal(tmp_path, "Chat", *[""] * 30, "n")
    assert code == 2
    assert list(tmp_path.iterdir()) == []
