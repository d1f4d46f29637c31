"""The smoke test against a server on loopback that streams as vLLM does, and goes wrong in each way."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import junitparser
import loopback
import pytest
from serving.fake_vllm import MODEL, FakeVllm
from serving.faults import SMOKE, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).parents[2] / "<<cookiecutter.project>>" / "serving" / "smoke.py"


@contextlib.contextmanager
def running(**how: Any) -> Iterator[FakeVllm]:
    with loopback.serving(FakeVllm(**how)) as server:
        yield server


def smoke(*words: str, key: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), *words],
        env={"PATH": os.environ["PATH"], **({"VLLM_API_KEY": key} if key else {}), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def asked(server: FakeVllm | str, *words: str, key: str = "") -> subprocess.CompletedProcess[str]:
    url = server if isinstance(server, str) else server.url
    limits = ["--max-ttft=0.5", "--min-tokens-per-second=20", "--samples=1", "--wait=0.5", "--timeout=2"]
    return smoke(f"--url={url}", f"--model={MODEL}", *limits, *words, key=key)


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [" ".join(line.removeprefix("smoke: ").split()) for line in (done.stdout + done.stderr).splitlines()]


def test_it_says_one_line_for_each_check() -> None:
    with running(key="k-1") as server, running(key="k-1", routed=("/v1",)) as public:
        done = asked(server, f"--public-url={public.url}", key="k-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[:2] for line in lines(done)] == [
        ["ok", name]
        for name in (
            *("health", "models", "completion", "chat", "stream"),
            *("key", "public", "public-invocations", "public-metrics"),
        )
    ]
    assert "k-1" not in done.stdout


def test_without_a_key_and_a_route_it_looks_at_neither() -> None:
    with running() as server:
        names = [line.split()[1] for line in lines(asked(server))]
    assert names == ["health", "models", "completion", "chat", "stream"]


def test_a_check_can_be_left_out() -> None:
    with running(statuses={"/v1/chat/completions": 400}) as server:
        done = asked(server, "--skip", "chat", "--skip=stream")
    assert done.returncode == 0
    assert [line.split()[1] for line in lines(done)] == ["health", "models", "completion"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("model: a/b\nserved-model-name: tiny\n", "tiny"),
        ("model: a/b\nserved-model-name: [tiny, other]\n", "tiny"),
        ("model: a/b\nserved_model_name: tiny\n", "tiny"),
        ("model: a/b\n", "a/b"),
    ],
)
def test_the_name_is_that_of_the_release(tmp_path: Path, text: str, name: str) -> None:
    config = tmp_path / "serve.yaml"
    config.write_text(text)
    with running(models=[name]) as server:
        done = smoke(f"--url={server.url}", f"--config={config}", "--samples=1")
    assert done.returncode == 0, done.stdout
    assert f"ok models /v1/models lists {name}" in lines(done)


def test_the_median_of_several_streams_counts(tmp_path: Path) -> None:
    """The first one is slow, as after a start; the other two decide."""
    report = tmp_path / "smoke.json"
    with running(first_token=0.8, slow_streams=1) as server:
        done = asked(server, "--samples=3", f"--json={report}")
    assert done.returncode == 0, done.stdout


def test_speed_is_tokens_over_the_time_from_the_first_to_the_last() -> None:
    with running(token=0.02) as server:
        (line,) = [line for line in lines(asked(server)) if line.startswith("ok stream")]
    speed = float(line.split()[-2])
    # 19 pauses of 20 ms and what the machine adds to them.
    assert 20 < speed <= 50


def test_the_reports_hold_each_check(tmp_path: Path) -> None:
    junit, report = tmp_path / "smoke.xml", tmp_path / "smoke.json"
    with running(models=["oth\x01er"]) as server:
        done = asked(server, f"--junit={junit}", f"--json={report}")
    assert done.returncode == 1
    found = json.loads(report.read_text())
    assert found["passed"] is False
    assert [(one["name"], one["failed"]) for one in found["checks"]][:3] == [
        ("health", False),
        ("models", True),
        ("completion", False),
    ]
    (suite,) = junitparser.JUnitXml.fromfile(str(junit))
    cases = list(suite)
    assert [case.name for case in cases] == ["health", "models", "completion", "chat", "stream"]
    assert [bool(case.result) for case in cases] == [False, True, False, False, False]
    assert (suite.tests, suite.failures) == (5, 1)


@pytest.mark.parametrize("row", SMOKE, ids=lambda row: row.fault)
def test_each_fault_ends_as_the_table_says(row: Row) -> None:
    scene: Callable[..., subprocess.CompletedProcess[str]] = globals()[f"scene_{row.scene}"]
    done = scene(**row.given)
    text = " ".join(lines(done))
    assert done.returncode == row.code, text
    assert row.message in text
    assert "Traceback" not in text


def scene_server(how: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    late = how.get("late", 0)
    with running(healthy_at=time.monotonic() + late, **how) as server:
        return asked(server, *(["--wait=20"] if late else []))


def scene_nobody() -> subprocess.CompletedProcess[str]:
    return asked("http://127.0.0.1:9")


def scene_key(key: str, sent: str) -> subprocess.CompletedProcess[str]:
    with running(key=key) as server:
        return asked(server, key=sent)


def scene_route(how: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    with running() as server, running(**how) as public:
        return asked(server, f"--public-url={public.url}")


def scene_no_route() -> subprocess.CompletedProcess[str]:
    with running() as server:
        return asked(server, "--public-url=http://127.0.0.1:9")


def scene_words(words: list[str]) -> subprocess.CompletedProcess[str]:
    return smoke(*words)
