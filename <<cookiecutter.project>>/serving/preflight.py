"""Look at the GPUs, the driver and the weights before vLLM starts; say all that would end it, at once.

In: the words of `vllm serve` (`--config FILE` and flags; entrypoint.py hands them on), HF_HUB_CACHE,
HF_HUB_OFFLINE, and the variables of the caches. Out: one line for each check, `ok`, `warn`, `skip` or
`FAIL`. A warning never keeps the server from starting.

  PREFLIGHT_SKIP=peers,driver   checks that are not to be made

Exit codes: 0 nothing in the way, 64 a value cannot be read, 78 a check failed.

It asks for no GPU beyond those of its container: it runs in the server's own, before the server.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

USAGE, FAILED = 64, 78
GIB = 2**30
# The workers' message queue takes 160 MiB, and NCCL some tens for each pair of GPUs; the default of a container is 64.
SHARED_MEMORY = GIB
SHARED = "/dev/shm"  # noqa: S108  # where the workers look for it
# What vLLM takes of each GPU when nothing is said.
UTILIZATION = 0.92
# The oldest GPU (compute capability) that computes in a number format, or reads weights of a kind, in vLLM.
OLDEST = {
    "bfloat16": (8, 0),
    "float16": (6, 0),
    "fp8": (7, 5),
    "awq": (7, 5),
    "awq_marlin": (7, 5),
    "gptq": (6, 0),
    "gptq_marlin": (6, 0),
    "mxfp4": (8, 0),
    "modelopt": (8, 0),
}
# Older ones keep fp8 weights, but compute in 16 bits: less memory, no speed.
FP8_UNITS = (8, 9)
# GPUs of AMD (gfx) with fp8 units, and with bfloat16.
AMD = {"fp8": ("gfx94", "gfx95", "gfx12"), "bfloat16": ("gfx9", "gfx11", "gfx12")}
WRITABLE = ("HOME", "TMPDIR", "VLLM_CACHE_ROOT", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "XDG_CACHE_HOME")
ALIASES = {"tp": "tensor-parallel-size", "pp": "pipeline-parallel-size", "q": "quantization"}


class Serve:
    """What `vllm serve` is told, by the command line before the file."""

    def __init__(self, flags: dict[str, Any]) -> None:
        self.flags = flags

    def text(self, name: str, otherwise: str = "") -> str:
        """Return a flag as text."""
        return str(self.flags.get(name, otherwise))

    def number(self, name: str, otherwise: float) -> float:
        """Return a flag as a number; end with 64 when it is none."""
        value = self.flags.get(name, otherwise)
        try:
            return float(value)
        except (TypeError, ValueError):
            refuse(f"{name} must be a number, found {value!r}")

    @property
    def gpus(self) -> int:
        """GPUs of this pod: tensor x pipeline x prefill context x local data parallel size, over all pods."""
        sizes = ["tensor-parallel-size", "pipeline-parallel-size", "prefill-context-parallel-size"]
        if "data-parallel-size-local" in self.flags:
            sizes.append("data-parallel-size-local")
        elif not {"data-parallel-rank", "data-parallel-external-lb"} & self.flags.keys():
            sizes.append("data-parallel-size")
        product = 1
        for name in sizes:
            product *= int(self.number(name, 1))
        return product // int(self.number("nnodes", 1))


def gpus(serve: Serve, torch: Any) -> Iterator[tuple[str, str]]:
    """As many GPUs as the engine will use, all of one kind."""
    found, wanted = torch.cuda.device_count(), serve.gpus
    if serve.text("distributed-executor-backend") == "ray":
        yield "skip", f"{found} visible; Ray decides how many are used here"
        return
    sizes = f"{found} visible, {wanted} wanted"
    if found < wanted:
        yield "FAIL", f"{sizes}: raise the GPU limit of the pod, or lower tensor-parallel-size"
    elif found > wanted:
        yield "warn", f"{sizes}: the others stand idle"
    else:
        yield "ok", sizes
    names = sorted({torch.cuda.get_device_name(index) for index in range(found)})
    if len(names) > 1:
        yield "warn", f"GPUs of {len(names)} kinds: {', '.join(names)}; the smallest decides"


def memory(serve: Serve, torch: Any) -> Iterator[tuple[str, str]]:
    """Enough of each GPU is free: vLLM ends when less is than its utilization asks for."""
    share = serve.number("gpu-memory-utilization", UTILIZATION)
    if not torch.cuda.device_count():
        yield "skip", "no GPU visible"
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        sizes = f"GPU {index}: {gib(free)} of {gib(total)} free, {share} of it wanted"
        if free < share * total:
            yield "FAIL", f"{sizes}: another process holds the rest"
        else:
            yield "ok", sizes


def formats(serve: Serve, torch: Any) -> Iterator[tuple[str, str]]:
    """The GPUs compute in the number format of the release, and torch was built for them."""
    asked = [name for name in (serve.text("dtype", "auto"), serve.text("quantization")) if name]
    asked += ["fp8"] if serve.text("kv-cache-dtype").startswith("fp8") and "fp8" not in asked else []
    if not torch.cuda.device_count():
        yield "skip", "no GPU visible"
    for index in range(torch.cuda.device_count()):
        amd = getattr(torch.cuda.get_device_properties(index), "gcnArchName", "")
        if torch.version.hip:
            yield from amd_formats(index, amd, asked)
            continue
        capability = torch.cuda.get_device_capability(index)
        yield from nvidia_formats(index, capability, asked)
        yield from built_for(index, capability, torch.cuda.get_arch_list())


def nvidia_formats(index: int, capability: tuple[int, int], asked: list[str]) -> Iterator[tuple[str, str]]:
    """Compare a GPU's compute capability with what each format needs."""
    has = f"GPU {index}: compute capability {dotted(capability)}"
    lacking = [name for name in asked if capability < OLDEST.get(name, (0, 0))]
    for name in lacking:
        yield "FAIL", f"{has}, {name} needs {dotted(OLDEST[name])}"
    if "fp8" in asked and OLDEST["fp8"] <= capability < FP8_UNITS:
        yield "warn", f"{has} has no fp8 units: fp8 saves memory there, but no time"
    elif not lacking:
        yield "ok", f"{has} does {', '.join(asked)}"


def amd_formats(index: int, architecture: str, asked: list[str]) -> Iterator[tuple[str, str]]:
    """Compare a GPU's architecture with what each format needs."""
    name = architecture.partition(":")[0]
    lacking = [one for one in asked if one in AMD and not name.startswith(AMD[one])]
    for one in lacking:
        yield "FAIL", f"GPU {index}: {name}, {one} needs one of {', '.join(AMD[one])}"
    if not lacking:
        yield "ok", f"GPU {index}: {name} does {', '.join(asked)}"


def built_for(index: int, capability: tuple[int, int], built: list[str]) -> Iterator[tuple[str, str]]:
    """Code for the GPU's own generation, or code that the driver translates for newer ones."""
    codes = [(kind, int(number)) for kind, number in re.findall(r"(sm|compute)_(\d+)", " ".join(built))]
    number = capability[0] * 10 + capability[1]
    same = [code for kind, code in codes if kind == "sm" and code // 10 == number // 10 and code <= number]
    if codes and not same and not [code for kind, code in codes if kind == "compute" and code <= number]:
        yield "FAIL", f"GPU {index}: torch has no code for compute capability {dotted(capability)}: {' '.join(built)}"


def driver(_serve: Serve, torch: Any) -> Iterator[tuple[str, str]]:
    """The driver is at least of the CUDA generation that torch was built with."""
    if torch.version.hip:
        yield "ok", f"torch {torch.__version__} for ROCm {torch.version.hip}"
        return
    if not torch.version.cuda:
        yield "FAIL", f"torch {torch.__version__} was built without CUDA: is this the vLLM image for these GPUs?"
        return
    number = getattr(torch._C, "_cuda_getDriverVersion", lambda: 0)()  # noqa: SLF001  # torch's own check reads it
    built = tuple(map(int, torch.version.cuda.split(".")[:2]))
    if not number:
        yield "FAIL", "no NVIDIA driver in the container: is there a GPU limit, and the device plugin on the node?"
        return
    does = (number // 1000, number % 1000 // 10)
    texts = f"the driver does CUDA {dotted(does)}, torch {torch.__version__} was built with {dotted(built)}"
    if does[0] < built[0]:
        yield "FAIL", f"{texts}: a newer driver on the node, or an image of an older CUDA"
    elif does < built:
        yield "warn", f"{texts}: the same generation, so most things work"
    else:
        yield "ok", texts


def peers(_serve: Serve, torch: Any) -> Iterator[tuple[str, str]]:
    """Each GPU reads the others' memory; without, their exchange goes through the host and is slow."""
    pairs = list(itertools.permutations(range(torch.cuda.device_count()), 2))
    if not pairs:
        yield "skip", "fewer than two GPUs visible"
        return
    apart = [f"{a}-{b}" for a, b in pairs if not torch.cuda.can_device_access_peer(a, b)]
    if apart:
        yield "warn", f"{len(apart)} of {len(pairs)} pairs of GPUs have no peer access ({', '.join(apart[:6])})"
    else:
        yield "ok", f"{len(pairs)} pairs of GPUs have peer access"


def shared_memory(serve: Serve, _torch: Any) -> Iterator[tuple[str, str]]:
    """Shared memory has room for what the workers exchange; the default of a container has not."""
    if serve.gpus == 1:
        yield "skip", "one GPU"
        return
    found = os.statvfs(SHARED)
    free = found.f_bavail * found.f_frsize
    sizes = f"{gib(free)} free in {SHARED}, {gib(SHARED_MEMORY)} wanted"
    yield ("ok", sizes) if free >= SHARED_MEMORY else ("FAIL", f"{sizes}: mount an emptyDir with medium Memory there")


def places(_serve: Serve, _torch: Any) -> Iterator[tuple[str, str]]:
    """Home, temporary files and caches lie where this user may write."""
    asked = {name: os.environ[name] for name in WRITABLE if os.environ.get(name)}
    closed = {name: reason for name, place in asked.items() if (reason := unwritable(Path(place)))}
    for name, reason in closed.items():
        yield "FAIL", f"{name}={asked[name]} cannot be written: {reason}"
    if not closed:
        yield "ok", f"writable: {', '.join(asked) or 'nothing asked for'}"


def unwritable(place: Path) -> str:
    """Return why nothing can be written to a folder; '' when it can."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def weights(serve: Serve, _torch: Any) -> Iterator[tuple[str, str]]:
    """The preload Job has marked the release's model as whole, and nothing has gone since."""
    model, revision = serve.text("model"), serve.text("revision")
    if "://" in model:
        yield "skip", f"{model} is not in the model cache"
        return
    if model.startswith("/"):
        found = sorted(Path(model).glob("*.safetensors")) if (Path(model) / "config.json").is_file() else []
        yield ("ok", f"{len(found)} weight files in {model}") if found else ("FAIL", f"no weights in {model}")
        return
    cache = Path(os.environ.get("HF_HUB_CACHE") or Path.home() / ".cache" / "huggingface" / "hub")
    marker = cache / ".preload" / f"{model.replace('/', '--')}@{revision}.json"
    try:
        listed = json.loads(marker.read_text(encoding="utf-8"))
        sizes = {str(name): int(size) for name, size in listed["files"].items()}
        snapshot = cache / str(listed["snapshot"])
    except FileNotFoundError:
        offline = os.environ.get("HF_HUB_OFFLINE", "") in {"1", "true", "True", "yes", "on", "ON", "YES"}
        state = "FAIL" if offline else "warn"
        yield state, f"{model}@{revision} is not marked as whole in {cache}: has the preload Job ended?"
        return
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        yield "FAIL", f"{marker} cannot be read ({type(error).__name__}): run the preload Job again"
        return
    lost = [name for name, size in sizes.items() if size_of(snapshot / name) != size]
    if lost:
        yield "FAIL", f"{len(lost)} of {len(sizes)} files of {model}@{revision} are gone or cut: {', '.join(lost[:3])}"
    else:
        total = sum(size for name, size in sizes.items() if name.endswith(".safetensors"))
        yield "ok", f"{model}@{revision} is whole: {len(sizes)} files, {gib(total)} of weights"


def size_of(file: Path) -> int:
    """Return a file's size, -1 when it is not there."""
    try:
        return file.stat().st_size
    except OSError:
        return -1


def gib(size: float) -> str:
    """Return bytes as GiB with one decimal."""
    return f"{size / GIB:.1f} GiB"


def dotted(version: tuple[int, ...]) -> str:
    """Return (8, 0) as 8.0."""
    return ".".join(map(str, version))


def refuse(message: str) -> NoReturn:
    """End with 64: nothing can be looked at."""
    print(f"preflight: {message}", file=sys.stderr)
    raise SystemExit(USAGE)


# What needs torch, and what does not.
ON_GPUS: dict[str, Callable[[Serve, Any], Iterator[tuple[str, str]]]] = {
    "driver": driver,
    "gpus": gpus,
    "memory": memory,
    "formats": formats,
    "peers": peers,
}
ON_POD: dict[str, Callable[[Serve, Any], Iterator[tuple[str, str]]]] = {
    "shared-memory": shared_memory,
    "places": places,
    "weights": weights,
}


def looked_at(serve: Serve, skipped: set[str]) -> Iterator[tuple[str, str, str]]:
    """Yield (check, state, text) of every check; what breaks a check is its finding."""
    torch: Any = None
    if set(ON_GPUS) - skipped:
        try:
            torch = importlib.import_module("torch")
        except Exception as error:  # noqa: BLE001  # a torch that is torn apart raises anything
            yield "torch", "FAIL", f"cannot be imported: {one_line(error)}"
    for name, check in {**ON_GPUS, **ON_POD}.items():
        if name in skipped:
            yield name, "skip", "PREFLIGHT_SKIP names it"
        elif name in ON_GPUS and torch is None:
            yield name, "skip", "no torch"
        else:
            yield from asked(name, check, serve, torch)


def asked(
    name: str, check: Callable[[Serve, Any], Iterator[tuple[str, str]]], serve: Serve, torch: Any
) -> Iterator[tuple[str, str, str]]:
    """Yield what one check says."""
    try:
        for state, text in check(serve, torch):
            yield name, state, text
    except Exception as error:  # noqa: BLE001  # driver, disk: whatever it is, the server would meet it too
        yield name, "FAIL", f"could not be looked at: {one_line(error)}"


def one_line(error: Exception) -> str:
    """Return an error as one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def read(arguments: list[str]) -> Serve:
    """Return what the words of `vllm serve` and its file say; end with 64 when they cannot be read."""
    flags: dict[str, Any] = {}
    if arguments and not arguments[0].startswith("-"):
        flags["model"] = arguments[0]
    for at, word in enumerate(arguments):
        name, sign, value = word.partition("=")
        if not re.match(r"--?[a-z]", name):
            continue
        following = arguments[at + 1 : at + 2]
        # A flag without a value is a switch.
        given: Any = value if sign else following[0] if following and not following[0].startswith("-") else True
        plain = name.lstrip("-").replace("_", "-")
        flags[ALIASES.get(plain, plain)] = given
    return Serve({**from_file(flags.get("config")), **flags})


def from_file(config: Any) -> dict[str, Any]:
    """Return the flags of the file that `--config` names."""
    if config is None:
        return {}
    try:
        content = yaml.safe_load(Path(str(config)).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        refuse(f"--config {config} cannot be read: {' '.join(str(error).split())}")
    if not isinstance(content, dict):
        refuse(f"--config {config} must be a mapping of flags to values")
    return {str(key).replace("_", "-"): value for key, value in content.items()}


def main(arguments: list[str]) -> int:
    """Make every check; return the exit code."""
    if arguments in (["--help"], ["-h"]):
        print((__doc__ or "").strip() + f"\n\nChecks: {', '.join([*ON_GPUS, *ON_POD])}.")
        return 0
    serve = read(arguments)
    if not serve.text("model"):
        refuse("no model: wanted --config FILE that names one, or MODEL first")
    skipped = {name for name in re.split(r"[,\s]+", os.environ.get("PREFLIGHT_SKIP", "")) if name}
    unknown = sorted(skipped - {*ON_GPUS, *ON_POD})
    if unknown:
        refuse(f"PREFLIGHT_SKIP: no check {unknown[0]!r}; known: {', '.join([*ON_GPUS, *ON_POD])}")
    states = []
    for name, state, text in looked_at(serve, skipped):
        states.append(state)
        print(f"preflight: {state:4}  {name:13} {text}", file=sys.stderr, flush=True)
    failed, warned = states.count("FAIL"), states.count("warn")
    print(f"preflight: {failed} failed, {warned} to be minded", file=sys.stderr, flush=True)
    return FAILED if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
