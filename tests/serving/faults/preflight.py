"""What preflight finds."""

from __future__ import annotations

from typing import Any

from serving.faults.row import NOT_SEEN, READ_ONLY, Row


def gpus(fault: str, code: int, message: str, **given: Any) -> Row:
    """A row in which preflight sees other GPUs than two A100 with a good driver."""
    return Row(fault, "gpus", code, message, READ_ONLY, {"torch": given})


PREFLIGHT = (
    gpus("nothing", 0, "0 failed, 0 to be minded"),
    gpus("no GPU", 78, "FAIL gpus 0 visible, 2 wanted: raise the GPU limit of the pod", count=0),
    gpus("a GPU too few", 78, "FAIL gpus 1 visible, 2 wanted: raise the GPU limit of the pod", count=1),
    gpus("a GPU too many", 0, "warn gpus 3 visible, 2 wanted: the others stand idle", count=3),
    gpus("GPUs of two kinds", 0, "warn gpus GPUs of 2 kinds: A100, L4; the smallest decides", names=["A100", "L4"]),
    gpus("memory held by another process", 78, "another process holds the rest", free=30),
    gpus("bfloat16 on a T4", 78, "FAIL formats GPU 0: compute capability 7.5, bfloat16 needs 8.0", capability=[7, 5]),
    Row(
        "fp8 on a V100",
        "gpus",
        78,
        "compute capability 7.0, fp8 needs 7.5",
        READ_ONLY,
        {"torch": {"capability": [7, 0], "built": ["sm_70"]}, "flags": ["--quantization=fp8", "--dtype=float16"]},
    ),
    Row(
        "fp8 on an A100",
        "gpus",
        0,
        "warn formats GPU 0: compute capability 8.0 has no fp8 units: fp8 saves memory there, but no time",
        READ_ONLY,
        {"flags": ["--quantization", "fp8"]},
    ),
    Row(
        "an fp8 cache on a V100",
        "gpus",
        78,
        "compute capability 7.0, fp8 needs 7.5",
        READ_ONLY,
        {"torch": {"capability": [7, 0], "built": ["sm_70"]}, "flags": ["--kv-cache-dtype=fp8", "--dtype=half"]},
    ),
    Row(
        "fp8 on an MI250",
        "gpus",
        78,
        "FAIL formats GPU 0: gfx90a, fp8 needs one of gfx94",
        READ_ONLY,
        {"torch": {"hip": "6.4", "arch": "gfx90a:sramecc+"}, "flags": ["-q", "fp8"]},
    ),
    Row(
        "fp8 on an MI300X",
        "gpus",
        0,
        "ok formats GPU 0: gfx942 does bfloat16, fp8",
        READ_ONLY,
        {"torch": {"hip": "6.4", "arch": "gfx942:sramecc+"}, "flags": ["-q", "fp8"]},
    ),
    gpus(
        "torch without code for the GPU", 78, "torch has no code for compute capability 8.0", built=["sm_90", "sm_100"]
    ),
    gpus("no driver", 78, "FAIL driver no NVIDIA driver in the container", driver=0),
    gpus(
        "a driver of the generation before",
        78,
        "the driver does CUDA 12.4, torch 2.13.0 was built with 13.0",
        driver=12040,
    ),
    gpus("a driver that is a little older", 0, "warn driver the driver does CUDA 13.0", driver=13000, cuda="13.2"),
    gpus("torch without CUDA", 78, "FAIL driver torch 2.13.0 was built without CUDA", cuda=None),
    gpus("no peer access", 0, "warn peers 2 of 2 pairs of GPUs have no peer access (0-1, 1-0)", peers=False),
    gpus(
        "torch cannot be imported", 78, "FAIL torch cannot be imported: ImportError: libcudart.so.13", broken="import"
    ),
    gpus(
        "the driver answers with an error",
        78,
        "could not be looked at: RuntimeError: CUDA error: no device",
        broken="call",
    ),
    gpus("64 MiB of shared memory", 78, "FAIL shared-memory 0.1 GiB free in /dev/shm, 1.0 GiB wanted", shm=64),
    Row("HOME cannot be written", "home", 78, "FAIL places HOME=", READ_ONLY),
    Row(
        "the model is not marked as whole", "weights", 78, "is not marked as whole in", READ_ONLY, {"damage": "marker"}
    ),
    Row(
        "the marker is cut",
        "weights",
        78,
        "cannot be read (JSONDecodeError): run the preload Job",
        READ_ONLY,
        {"damage": "cut"},
    ),
    Row("a file of the model is gone", "weights", 78, "1 of 2 files of", READ_ONLY, {"damage": "lost"}),
    Row("a file of the model is cut", "weights", 78, "1 of 2 files of", READ_ONLY, {"damage": "short"}),
    Row("not marked, and not offline", "weights", 0, "warn weights", READ_ONLY, {"damage": "marker", "offline": ""}),
    Row("no configuration", "words", 64, "no model: wanted --config FILE", NOT_SEEN, {"words": []}),
    Row(
        "no such configuration",
        "words",
        64,
        "--config /nowhere.yaml cannot be read: ",
        NOT_SEEN,
        {"words": ["--config", "/nowhere.yaml"]},
    ),
    Row(
        "a size that is no number",
        "words",
        64,
        "tensor-parallel-size must be a number, found 'two'",
        NOT_SEEN,
        {"words": ["a/b", "-tp", "two"]},
    ),
    Row(
        "an unknown check is left out",
        "skip",
        64,
        "PREFLIGHT_SKIP: no check 'gpu'; known: driver, gpus",
        NOT_SEEN,
        {"skip": "gpu"},
    ),
    Row("checks are left out", "skip", 0, "skip gpus PREFLIGHT_SKIP names it", READ_ONLY, {"skip": "gpus,memory"}),
)
