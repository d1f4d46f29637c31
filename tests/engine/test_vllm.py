"""The real vLLM, its CPU build: it reads each serve.yaml, starts behind the entrypoint, and answers the smoke test."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from template.answers import SUPPORTED
from template.serve_flags import REFUSED, TAKEN

import vllm_env
from lockgate import generate, resources

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.vllm, pytest.mark.slow]

SERVING = resources.template_root() / resources.PROJECT / "serving"
CATALOGUE = resources.template_root() / resources.PROJECT / "policies" / "data" / "vllm.json"
PYTHON = vllm_env.FOLDER / "bin" / "python"
HERE = Path(__file__).parent
# A start takes a minute or two on two cores that have nothing else to do.
PATIENCE = 1200
STARTED = re.compile(r"init engine \(.*\) took ([0-9.]+) s")


def test_it_is_installed() -> None:
    assert PYTHON.is_file(), "run `nox -s vllm`"


def parsed(folder: Path, texts: dict[str, str]) -> dict[str, Any]:
    """What vLLM's own parser makes of configuration files: the values, or the error, of each."""
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    files = [str(folder / f"{name}.yaml") for name in texts]
    done = subprocess.run(
        [str(PYTHON), str(HERE / "parse.py"), *files], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout.splitlines()[-1])
    return {Path(file).stem: value for file, value in said.items()}


def test_its_parser_reads_the_serve_yaml_of_every_answer_set(tmp_path: Path) -> None:
    texts = {}
    for name, given in SUPPORTED.items():
        target = tmp_path / name / given.get("project", "qwen-chat")
        target.parent.mkdir()
        generate.generate(target, given)
        texts[name] = (target / "overlays" / "dev" / "release" / "serve.yaml").read_text()
    found = parsed(tmp_path, texts)
    assert {name: value["error"] for name, value in found.items() if "error" in value} == {}
    for name, text in texts.items():
        wanted = yaml.safe_load(text)
        assert found[name]["model"] == wanted["model"]
        assert found[name]["revision"] == wanted["revision"]
        assert found[name]["served_model_name"] == [wanted["served-model-name"]]
        assert found[name]["tensor_parallel_size"] == wanted["tensor-parallel-size"]
        assert found[name]["max_model_len"] == wanted["max-model-len"]


def test_its_parser_takes_and_refuses_what_the_schema_does(tmp_path: Path) -> None:
    flags = {f"taken-{n}": one for n, one in enumerate(TAKEN)} | {f"refused-{n}": one for n, one in enumerate(REFUSED)}
    found = parsed(tmp_path, {name: yaml.safe_dump({"model": "a/b", **one}) for name, one in flags.items()})
    wrong = {name: flags[name] for name, value in found.items() if ("error" in value) is name.startswith("taken")}
    assert wrong == {}


class Server:
    """vLLM behind the entrypoint, with a tiny random model; its caches stay between starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "vllm.log"
        self.port = 18321
        (folder / "home").mkdir(exist_ok=True)
        (folder / "serve.yaml").write_text(
            f"model: {folder}/model\nserved-model-name: tiny\nmax-model-len: 1024\ndtype: bfloat16\n"
        )

    @contextlib.contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        words = ["vllm", "serve", "--config", str(self.folder / "serve.yaml"), "--host=127.0.0.1"]
        with (
            self.log.open("wb") as log,
            subprocess.Popen(
                [str(PYTHON), str(SERVING / "entrypoint.py"), *words, "--shutdown-timeout=60"],
                env=self.environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            try:
                yield process
            finally:
                process.terminate()
                # While it starts, SIGTERM is lost on it.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=120)
                process.kill()

    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder / "home"),
            "VLLM_CACHE_ROOT": str(self.folder / "cache"),
            "TORCHINDUCTOR_CACHE_DIR": str(self.folder / "cache" / "inductor"),
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "VLLM_API_KEY": "k-1",
            # As a Service named vllm sets it.
            "VLLM_PORT": "tcp://10.0.0.1:80",
            "HF_HUB_OFFLINE": "1",
            "PORT": str(self.port),
            "PREFLIGHT": "warn",
        }

    def smoke(self, *words: str) -> subprocess.CompletedProcess[str]:
        url = f"--url=http://127.0.0.1:{self.port}"
        config = f"--config={self.folder / 'serve.yaml'}"
        return subprocess.run(
            [sys.executable, str(SERVING / "smoke.py"), url, config, f"--wait={PATIENCE}", "--ignore-eos", *words],
            env={"PATH": os.environ["PATH"], "VLLM_API_KEY": "k-1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE + 300,
        )

    def seconds(self) -> float:
        """What the engine says that its start took."""
        match = STARTED.search(self.log.read_text(errors="replace"))
        assert match
        return float(match[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Server:
    folder = tmp_path_factory.mktemp("engine")
    done = subprocess.run(
        [str(PYTHON), str(HERE / "tiny_model.py"), str(folder / "model")],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return Server(folder)


def asked(server: Server, path: str, body: dict[str, Any] | None) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    with contextlib.closing(connection):
        headers = {"Content-Type": "application/json", "Authorization": "Bearer k-1"}
        connection.request("POST" if body else "GET", path, json.dumps(body) if body else None, headers)
        with connection.getresponse() as answer:
            return answer.read().decode()


def test_it_starts_answers_and_ends_a_stream_after_sigterm(server: Server) -> None:
    with server.running() as process:
        done = server.smoke()
        assert done.returncode == 0, done.stdout + done.stderr + server.log.read_text(errors="replace")[-3000:]
        metrics = set(re.findall(r"^# TYPE (vllm:\S+)", asked(server, "/metrics", None), re.MULTILINE))
        body = {"model": "tiny", "prompt": "a", "max_tokens": 900, "ignore_eos": True, "stream": True}
        threading.Timer(0.2, process.terminate).start()
        text = asked(server, "/v1/completions", body)
        process.wait(timeout=120)
    assert text.rstrip().endswith("data: [DONE]")
    known = json.loads(CATALOGUE.read_text(encoding="utf-8"))["vllm"]["metrics"]
    assert {name for name in metrics if name not in known and not name.endswith("_created")} == set()
    assert "vllm:num_requests_waiting" in metrics


def test_a_route_that_lets_all_through_is_seen_and_a_second_start_uses_the_cache(server: Server) -> None:
    first = server.seconds()
    started = time.monotonic()
    with server.running():
        done = server.smoke(f"--public-url=http://127.0.0.1:{server.port}")
        seconds = f"{first} s with an empty cache, {server.seconds()} s with the one that it left"
        sys.stdout.write(f"start of the engine: {seconds}; asked after {time.monotonic() - started:.0f} s\n")
    assert done.returncode == 1
    failed = [line.split()[2] for line in done.stdout.splitlines() if " FAIL " in line]
    assert failed == ["public-invocations", "public-metrics"]


def test_preflight_asks_the_real_torch(server: Server) -> None:
    """On a machine without GPU: what it says is true, and it ends."""
    done = subprocess.run(
        [str(PYTHON), str(SERVING / "preflight.py"), "--config", str(server.folder / "serve.yaml")],
        env={**server.environment(), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    lines = [line.split()[1:3] for line in done.stderr.splitlines()]
    assert done.returncode == 78, done.stderr
    assert ["FAIL", "gpus"] in lines
    assert ["ok", "weights"] in lines
    assert "could not be looked at" not in done.stderr
    assert "cannot be imported" not in done.stderr
