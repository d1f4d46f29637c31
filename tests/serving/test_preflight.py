"""The preflight program as the process that it is, with a torch that says what a test wants."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from serving.faketorch import DEFAULT, SITECUSTOMIZE, TORCH
from serving.faults import PREFLIGHT, Row
from serving.hub import MODEL, REVISION

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAM = Path(__file__).parents[2] / "<<cookiecutter.project>>" / "serving" / "preflight.py"
FILES = {"config.json": b"{}", "model.safetensors": bytes(2048)}
SERVE = (
    f"model: {MODEL}\nrevision: '{REVISION}'\ntensor-parallel-size: 2\ndtype: bfloat16\ngpu-memory-utilization: 0.9\n"
)


class Pod:
    """A folder with what the pod has: a fake torch, the claim, the configuration, a home."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cache = root / "models"
        self.snapshot = self.cache / "snapshot"
        self.marker = self.cache / ".preload" / f"lockgate--tiny@{REVISION}.json"
        self.config = root / "serve.yaml"
        self.config.write_text(SERVE)
        for folder in ("fake", "home", "models/snapshot", "models/.preload"):
            (root / folder).mkdir(parents=True)
        (root / "fake" / "torch.py").write_text(TORCH)
        (root / "fake" / "sitecustomize.py").write_text(SITECUSTOMIZE)
        for name, content in FILES.items():
            (self.snapshot / name).write_bytes(content)
        listed = {name: len(content) for name, content in FILES.items()}
        self.marker.write_text(json.dumps({"snapshot": "snapshot", "files": listed}))

    def preflight(
        self, *words: str, torch: dict[str, Any] | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(PROGRAM), *words],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(self.root / "fake"),
                "FAKE_TORCH": json.dumps({**DEFAULT, **(torch or {})}),
                "HOME": str(self.root / "home"),
                "HF_HUB_CACHE": str(self.cache),
                "HF_HUB_OFFLINE": "1",
                **variables,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What was said, one blank between words."""
    return [" ".join(line.removeprefix("preflight: ").split()) for line in done.stderr.splitlines()]


def test_it_says_one_line_for_each_check(pod: Pod) -> None:
    done = pod.preflight("--config", str(pod.config))
    assert (done.returncode, done.stdout) == (0, "")
    assert lines(done) == [
        "ok driver the driver does CUDA 13.0, torch 2.13.0 was built with 13.0",
        "ok gpus 2 visible, 2 wanted",
        "ok memory GPU 0: 39.0 GiB of 39.4 GiB free, 0.9 of it wanted",
        "ok memory GPU 1: 39.0 GiB of 39.4 GiB free, 0.9 of it wanted",
        "ok formats GPU 0: compute capability 8.0 does bfloat16",
        "ok formats GPU 1: compute capability 8.0 does bfloat16",
        "ok peers 2 pairs of GPUs have peer access",
        "ok shared-memory 8.0 GiB free in /dev/shm, 1.0 GiB wanted",
        "ok places writable: HOME",
        f"ok weights {MODEL}@{REVISION} is whole: 2 files, 0.0 GiB of weights",
        "0 failed, 0 to be minded",
    ]


def test_all_problems_are_told_at_once(pod: Pod) -> None:
    pod.marker.unlink()
    done = pod.preflight("--config", str(pod.config), torch={"count": 1, "driver": 12040, "shm": 64, "free": 1})
    assert done.returncode == 78
    assert [line.split()[1] for line in lines(done) if line.startswith("FAIL")] == [
        "driver",
        "gpus",
        "memory",
        "shared-memory",
        "weights",
    ]
    assert lines(done)[-1] == "5 failed, 0 to be minded"


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        (["-tp", "4"], 4),
        (["--tensor-parallel-size=4", "--pipeline-parallel-size", "2"], 8),
        (["--data-parallel-size", "2"], 4),
        (["--data-parallel-size=4", "--data-parallel-size-local=1"], 2),
        (["--data-parallel-size=4", "--data-parallel-external-lb"], 2),
        (["--pipeline_parallel_size=2", "--nnodes", "2"], 2),
        (["--prefill-context-parallel-size", "2"], 4),
    ],
)
def test_it_counts_the_gpus_of_its_pod(pod: Pod, flags: list[str], wanted: int) -> None:
    done = pod.preflight("--config", str(pod.config), *flags, torch={"count": 3})
    assert [line for line in lines(done) if f"3 visible, {wanted} wanted" in line], done.stderr


def test_a_word_beats_the_file(pod: Pod) -> None:
    done = pod.preflight("/nowhere/model", "--config", str(pod.config), "--dtype", "float16")
    assert "FAIL weights no weights in /nowhere/model" in lines(done)
    assert "ok formats GPU 0: compute capability 8.0 does float16" in lines(done)


def test_a_folder_with_weights_is_enough(pod: Pod) -> None:
    done = pod.preflight(str(pod.snapshot), "--config", str(pod.config))
    assert f"ok weights 1 weight files in {pod.snapshot}" in lines(done)


def test_one_gpu_needs_neither_peers_nor_shared_memory(pod: Pod) -> None:
    done = pod.preflight("--config", str(pod.config), "-tp=1", torch={"count": 1, "shm": 64})
    assert done.returncode == 0
    assert {"skip peers fewer than two GPUs visible", "skip shared-memory one GPU"} < set(lines(done))


def test_it_wants_the_shared_memory_that_gpu005_wants(pod: Pod) -> None:
    thresholds = json.loads((PROGRAM.parents[1] / "policies" / "data" / "thresholds.json").read_text())["thresholds"]
    mib = thresholds["shared_memory"]["bytes"] // 2**20
    for size, word in ((mib - 1, "FAIL"), (mib, "ok")):
        done = pod.preflight("--config", str(pod.config), torch={"shm": size})
        assert [line for line in lines(done) if line.startswith(f"{word} shared-memory")], done.stderr


@pytest.mark.parametrize(
    ("capability", "built", "fails"),
    [
        ([8, 6], ["sm_80"], False),  # code of the generation runs on a later member of it
        ([8, 0], ["sm_86"], True),  # and not on an earlier one
        ([12, 0], ["sm_90", "compute_90"], False),  # the driver translates for newer ones
        ([9, 0], ["sm_80", "sm_86"], True),
        ([10, 0], ["sm_100a"], False),
    ],
)
def test_torch_must_have_code_for_the_gpu(pod: Pod, capability: list[int], built: list[str], *, fails: bool) -> None:
    done = pod.preflight("--config", str(pod.config), torch={"capability": capability, "built": built})
    assert ("torch has no code for compute capability" in done.stderr) is fails


@pytest.mark.parametrize("share", ["0.98", "0.99", "0.9898"])
def test_memory_is_judged_as_vllm_does(pod: Pod, share: str) -> None:
    """39 of 39.4 GiB are free: 0.98985 of it."""
    done = pod.preflight("--config", str(pod.config), f"--gpu-memory-utilization={share}")
    assert (done.returncode == 78) is (float(share) * 39.4 > 39)


def test_help_names_the_checks(pod: Pod) -> None:
    done = pod.preflight("--help")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].startswith("Checks: driver, gpus, memory, ")


@pytest.mark.parametrize("row", PREFLIGHT, ids=lambda row: row.fault)
def test_each_fault_ends_as_the_table_says(row: Row, pod: Pod) -> None:
    scene: Callable[..., subprocess.CompletedProcess[str]] = globals()[f"scene_{row.scene}"]
    done = scene(pod, **row.given)
    assert done.returncode == row.code, done.stderr
    assert row.message in " ".join(" ".join(lines(done)).split())
    assert "Traceback" not in done.stderr


def scene_gpus(
    pod: Pod, torch: dict[str, Any] | None = None, flags: list[str] | None = None
) -> subprocess.CompletedProcess[str]:
    return pod.preflight("--config", str(pod.config), *(flags or []), torch=torch)


def scene_home(pod: Pod) -> subprocess.CompletedProcess[str]:
    (pod.root / "taken").write_text("a file")
    return pod.preflight("--config", str(pod.config), HOME=str(pod.root / "taken" / "home"))


def scene_weights(pod: Pod, damage: str, offline: str = "1") -> subprocess.CompletedProcess[str]:
    weights = pod.snapshot / "model.safetensors"
    if damage == "marker":
        pod.marker.unlink()
    elif damage == "cut":
        pod.marker.write_text(pod.marker.read_text()[:20])
    elif damage == "lost":
        weights.unlink()
    else:
        weights.write_bytes(b"short")
    return pod.preflight("--config", str(pod.config), HF_HUB_OFFLINE=offline)


def scene_words(pod: Pod, words: list[str]) -> subprocess.CompletedProcess[str]:
    return pod.preflight(*words)


def scene_skip(pod: Pod, skip: str) -> subprocess.CompletedProcess[str]:
    return pod.preflight("--config", str(pod.config), PREFLIGHT_SKIP=skip)
