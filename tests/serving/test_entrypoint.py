"""The entrypoint of the serving image, run as the process that it is, with a `vllm` that tells."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ENTRYPOINT = Path(__file__).parents[2] / "<<cookiecutter.project>>" / "serving" / "entrypoint.py"
FAKE = """#!{python}
import json, os, signal, sys
if "--wait" in sys.argv:
    signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b"drained\\n"), os._exit(7)))
    print(os.getpid(), flush=True)
    signal.pause()
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
    return subprocess.run(
        [sys.executable, str(ENTRYPOINT), *arguments],
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


@pytest.mark.parametrize(
    ("environment", "arguments", "message"),
    [
        ({}, [], "MODEL_NAME must be set when there is no --config"),
        (
            {"MODEL_NAME": "qwen"},
            [],
            "MODEL_NAME must be organisation/name or an absolute path, found 'qwen'",
        ),
        (
            {"MODEL_NAME": "--help"},
            [],
            "MODEL_NAME must be organisation/name or an absolute path, found '--help'",
        ),
        (
            {"MODEL_NAME": "a/b", "PORT": "tcp://10.0.0.1:80"},
            [],
            "PORT must be a number from 1 to 65535, found 'tcp://10.0.0.1:80'",
        ),
        ({"MODEL_NAME": "a/b", "PORT": "0"}, [], "PORT must be a number from 1 to 65535, found '0'"),
        (
            {"MODEL_NAME": "a/b", "PORT": "65536"},
            [],
            "PORT must be a number from 1 to 65535, found '65536'",
        ),
        ({"MODEL_NAME": "a/b", "PORT": ""}, [], "PORT must be a number from 1 to 65535, found ''"),
        (
            {"MODEL_NAME": "a/b", "TP_SIZE": "0"},
            [],
            "TP_SIZE must be a number of GPUs, 1 or more, found '0'",
        ),
        (
            {"MODEL_NAME": "a/b", "TP_SIZE": "two"},
            [],
            "TP_SIZE must be a number of GPUs, 1 or more, found 'two'",
        ),
        (
            {},
            ["--config=/nowhere/serve.yaml"],
            "--config '/nowhere/serve.yaml' cannot be read: is the ConfigMap mounted there?",
        ),
        ({}, ["--config=/etc/serve.toml"], "--config must name a .yaml file, found '/etc/serve.toml'"),
        ({}, ["--config"], "--config must name a .yaml file, found '-'"),
    ],
)
def test_a_bad_value_is_refused_with_64(
    path: str, environment: dict[str, str], arguments: list[str], message: str
) -> None:
    done = start(*arguments, PATH=path, **environment)
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr == f"entrypoint: {message}\n"


def test_all_bad_values_are_told_at_once(path: str) -> None:
    done = start(PATH=path, PORT="x", TP_SIZE="x")
    assert done.returncode == 64
    assert len(done.stderr.splitlines()) == 3


@pytest.mark.parametrize("port", ["1", "65535"])
def test_the_bounds_of_a_port_are_accepted(path: str, port: str) -> None:
    assert f"--port={port}" in argv(start(PATH=path, MODEL_NAME="a/b", PORT=port))


def test_without_vllm_it_says_so(tmp_path: Path) -> None:
    done = start(PATH=str(tmp_path), MODEL_NAME="a/b")
    assert done.returncode == 127
    assert f"entrypoint: no vllm in PATH={tmp_path}" in done.stderr


def test_it_becomes_the_server_so_that_signals_reach_it(path: str) -> None:
    with subprocess.Popen(
        [sys.executable, str(ENTRYPOINT), "--wait"],
        env={"PATH": path, "MODEL_NAME": "a/b"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) == process.pid
        os.kill(process.pid, signal.SIGTERM)
        assert process.stdout.read() == "drained\n"
    assert process.returncode == 7
