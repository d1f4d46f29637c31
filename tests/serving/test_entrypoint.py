"""The entrypoint of the serving image, run as the process that it is, with a `vllm` that tells."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from serving.faults import ENTRYPOINT as FAULTS
from serving.faults import Row

if TYPE_CHECKING:
    from collections.abc import Callable

ENTRYPOINT = Path(__file__).parents[2] / "<<cookiecutter.project>>" / "serving" / "entrypoint.py"
FAKE = """#!{python}
import json, os, signal, sys
names = ("VLLM_", "HF_", "PORT")
kept = {{key: value for key, value in os.environ.items() if key.startswith(names)}}
print(json.dumps({{"argv": sys.argv[1:], "environment": kept}}))
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    program = tmp_path / "bin" / "vllm"
    program.parent.mkdir()
    program.write_text(FAKE.format(python=sys.executable))
    program.chmod(0o755)
    return str(program.parent)


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "serve.yaml"
    file.write_text("model: Qwen/Qwen3-14B\n")
    return str(file)


def start(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run(ENTRYPOINT, *arguments, PREFLIGHT="off", **environment)


def run(program: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(program), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def argv(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    words: list[str] = json.loads(done.stdout)["argv"]
    return words


def test_variables_become_flags(path: str) -> None:
    done = start(PATH=path, MODEL_NAME="Qwen/Qwen3-14B", PORT="9000", TP_SIZE="2")
    expected = ["serve", "Qwen/Qwen3-14B", "--port=9000", "--tensor-parallel-size=2"]
    assert argv(done) == expected


def test_defaults_are_port_8000_and_one_gpu(path: str) -> None:
    done = start(PATH=path, MODEL_NAME="/models/qwen")
    assert argv(done) == ["serve", "/models/qwen", "--port=8000", "--tensor-parallel-size=1"]


@pytest.mark.parametrize("form", ["--config={}", "--config {}"])
def test_a_configuration_decides_what_is_not_set(path: str, config: str, form: str) -> None:
    done = start(*form.format(config).split(), PATH=path)
    assert argv(done) == ["serve", "--config", config]


def test_a_variable_beats_the_configuration(path: str, config: str) -> None:
    done = start(f"--config={config}", PATH=path, PORT="8001", TP_SIZE="4")
    expected = ["serve", "--config", config, "--port=8001", "--tensor-parallel-size=4"]
    assert argv(done) == expected


def test_further_flags_are_passed_on_and_not_shown(path: str, config: str) -> None:
    done = start(f"--config={config}", "--api-key", "of-a-person", PATH=path)
    assert argv(done) == ["serve", "--config", config, "--api-key", "of-a-person"]
    assert "of-a-person" not in done.stderr


def test_link_variables_of_a_service_are_taken_away(path: str) -> None:
    links = {
        "VLLM_PORT": "tcp://10.0.0.1:80",
        "VLLM_SERVICE_HOST": "10.0.0.1",
        "VLLM_SERVICE_PORT": "80",
        "VLLM_SERVICE_PORT_HTTP": "80",
        "VLLM_PORT_80_TCP": "tcp://10.0.0.1:80",
        "VLLM_PORT_80_TCP_PROTO": "tcp",
        "VLLM_PORT_80_TCP_PORT": "80",
        "VLLM_PORT_80_TCP_ADDR": "10.0.0.1",
        "VLLM_STABLE_PORT": "tcp://10.0.0.2:80",
    }
    own = {"VLLM_API_KEY": "k", "VLLM_CACHE_ROOT": "/scratch/vllm", "VLLM_DP_MASTER_PORT": "29500"}
    done = start(PATH=path, MODEL_NAME="Qwen/Qwen3-14B", **links, **own)
    assert json.loads(done.stdout)["environment"] == own


def test_a_port_for_the_engine_stays(path: str) -> None:
    done = start(PATH=path, MODEL_NAME="Qwen/Qwen3-14B", VLLM_PORT="9100")
    assert json.loads(done.stdout)["environment"] == {"VLLM_PORT": "9100"}


def test_all_bad_values_are_told_at_once(path: str) -> None:
    done = run(ENTRYPOINT, PATH=path, PORT="x", TP_SIZE="x", PREFLIGHT="x")
    assert done.returncode == 64
    assert len(done.stderr.splitlines()) == 4


@pytest.mark.parametrize("port", ["1", "65535"])
def test_the_bounds_of_a_port_are_accepted(path: str, port: str) -> None:
    assert f"--port={port}" in argv(start(PATH=path, MODEL_NAME="a/b", PORT=port))


def test_the_words_of_the_manifest_may_stand_first(path: str, config: str) -> None:
    done = start("vllm", "serve", "--config", config, "--shutdown-timeout=60", PATH=path)
    assert argv(done) == ["serve", "--config", config, "--shutdown-timeout=60"]


def test_help_is_its_own(path: str) -> None:
    done = start("--help", PATH=path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Start `vllm serve` from three variables")


PREFLIGHT = """
import json, os, signal, sys, time
print("preflight: FAIL", json.dumps(sys.argv[1:]), os.environ.get("VLLM_PORT"), flush=True)
if {code} < 0:
    os.kill(os.getpid(), -{code})
time.sleep({seconds})
sys.exit({code})
"""


def beside(folder: Path, code: int, seconds: float = 0) -> Path:
    """A copy of the entrypoint with another preflight beside it."""
    (folder / "preflight.py").write_text(PREFLIGHT.format(code=code, seconds=seconds))
    return Path(shutil.copy(ENTRYPOINT, folder))


def test_preflight_is_told_what_the_server_is_told(path: str, config: str, tmp_path: Path) -> None:
    program = beside(tmp_path, 0)
    done = run(
        program,
        *("vllm", "serve", "--config", config, "--dtype=half"),
        PATH=path,
        TP_SIZE="2",
        VLLM_PORT="tcp://10.0.0.1:80",
        PREFLIGHT="on",
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    words = ["--config", config, "--tensor-parallel-size=2", "--dtype=half"]
    assert first == f"preflight: FAIL {json.dumps(words)} None"
    assert json.loads(second)["argv"] == ["serve", *words]


@pytest.mark.parametrize("row", FAULTS, ids=lambda row: row.fault)
def test_each_fault_ends_as_the_table_says(row: Row, path: str, tmp_path: Path) -> None:
    scene: Callable[..., subprocess.CompletedProcess[str]] = globals()[f"scene_{row.scene}"]
    done = scene(path, tmp_path, **row.given)
    text = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == row.code, text
    assert row.message in text
    assert "Traceback" not in text
    if row.code == 64:
        assert (done.stdout, done.stderr) == ("", f"entrypoint: {row.message}\n")


def scene_start(
    path: str, _folder: Path, variables: dict[str, str] | None = None, arguments: list[str] | None = None
) -> subprocess.CompletedProcess[str]:
    return run(ENTRYPOINT, *(arguments or []), **{"PATH": path, "PREFLIGHT": "off", **(variables or {})})


def scene_preflight(path: str, folder: Path, mode: str, code: int) -> subprocess.CompletedProcess[str]:
    done = run(beside(folder, code), PATH=path, MODEL_NAME="a/b", PREFLIGHT=mode)
    assert ('"argv"' in done.stdout) is (mode == "warn")
    return done


def scene_sigterm_in_preflight(path: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = beside(folder, 0, seconds=60)
    command = [sys.executable, str(program)]
    with subprocess.Popen(
        command, env={"PATH": path, "MODEL_NAME": "a/b"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        said = process.communicate(timeout=20)
    return subprocess.CompletedProcess(command, process.returncode, *said)


def scene_no_vllm(_path: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return start(PATH=str(folder), MODEL_NAME="a/b")


def scene_sigterm_in_stream(_path: str, folder: Path, timeout: int = 60) -> subprocess.CompletedProcess[str]:
    """The server is the process that was started: its SIGTERM is ours."""
    program = folder / "stream" / "vllm"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name("fake_vllm.py")} "$@"\n')
    program.chmod(0o755)
    command = [sys.executable, str(ENTRYPOINT), "vllm", "serve", "--port=0", f"--shutdown-timeout={timeout}"]
    environment = {"PATH": f"{program.parent}:/usr/bin:/bin", "MODEL_NAME": "a/b", "PREFLIGHT": "off"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        assert said["pid"] == process.pid
        text = streamed(said["port"], lambda: os.kill(process.pid, signal.SIGTERM))
        process.wait(timeout=20)
    return subprocess.CompletedProcess(command, process.returncode, text, "")


def streamed(port: int, between: Callable[[], None]) -> str:
    """What a client gets of a stream while something happens after its first piece."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        connection.request("POST", "/v1/chat/completions", '{"stream": true}')
        with connection.getresponse() as answer:
            text = answer.readline().decode()
            between()
            started = time.monotonic()
            try:
                text += answer.read().decode()
            except (http.client.IncompleteRead, ConnectionError):
                return "broken off"
    # A stream of twenty pieces takes two seconds: it was let go on.
    assert time.monotonic() - started > 1
    return text
