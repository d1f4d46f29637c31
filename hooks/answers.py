"""Judge the answers to the template's questions before a file is written.

In: the answers as text, the catalogues of accelerators and models. Out: sentences, each of which
says what cannot work and shows the rule or the sum. Pure functions over dicts, standard library
only, so that the hook of plain cookiecutter, `lockgate new` and the tests share them.

The memory sum of one pod follows vLLM, and is the one of policies/lib/model.rego (rule VLM002):
  need = weights + cache + 2 GiB x GPUs        have = memory of a GPU x utilization x GPUs
  weights: 16 bits a parameter; quantised ones by their bits, embeddings at 16; or as published.
  cache: bytes of one request of full length,
    2 x max(KV heads, tensor parallel) x head size x bytes x (full layers x length
      + window layers x min(length, window - 1 + batched tokens)),
    or with MLA: tensor parallel x layers x (latent + rotary size) x bytes x length.
The overhead of 2 GiB per GPU is about 0.5 GiB for NCCL buffers and the driver's context, 1 GiB for
captured graphs, the rest for activations. vLLM measures it at start-up and it does not shrink with
tensor parallelism, so it counts once per GPU. The constants lie in policies/data/memory.json.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Entry = Mapping[str, Any]
    Catalogue = Mapping[str, Entry]

DATA = Path("<<cookiecutter.project>>", "policies", "data")
GIB = 2**30
MEMORY: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parent.parent / DATA / "memory.json").read_text(encoding="utf-8")
)["memory"]
# What the template writes into serve.yaml, in thousandths.
UTILIZATION_MILLI = 900
SPARE_DISK = 1.2
OLDEST_KUBERNETES = "1.30"
OLDEST_VLLM = "0.18.0"
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
# What YAML 1.1 takes for true, false or nothing where a name is meant.
YAML_WORDS = {"false", "n", "no", "null", "off", "on", "true", "y", "yes"}
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
STORAGE = re.compile(r"([1-9][0-9]*)(Gi|Ti|G|T)")
STORAGE_UNITS = {"Gi": 2**30, "Ti": 2**40, "G": 10**9, "T": 10**12}
LONGEST_SUFFIX = "-preload"
LONGEST_LABEL = 63
LONGEST_NAME = 253
DEFAULT_MODEL = ("Qwen/Qwen3-14B", "40c069824f4251a91eefaf281ebe4c544efd3e18")
COUNTS = (
    "tensor_parallel",
    "max_model_len",
    "dev_replicas",
    "canary_min_replicas",
    "canary_max_replicas",
    "prod_min_replicas",
    "prod_max_replicas",
    "dev_gpu_budget",
    "canary_gpu_budget",
    "prod_gpu_budget",
)


def catalogues(root: Path) -> tuple[Catalogue, Catalogue]:
    """Return accelerators and models by id, as the template folder `root` ships them."""

    def read(name: str, key: str) -> Catalogue:
        text = (root / DATA / f"{name}.json").read_text(encoding="utf-8")
        entries: Catalogue = json.loads(text)[key]
        return entries

    return read("accelerators", "accelerators"), read("models", "known_models")


def problems(answers: Entry, accelerators: Catalogue, models: Catalogue, today: dt.date) -> list[str]:
    """Return every reason why these answers cannot work, one sentence each.

    Args:
        answers: Question -> text; other keys are ignored.
        accelerators: Catalogue of accelerators by id.
        models: Catalogue of models by id.
        today: The day (UTC) that `pin_by` is measured from.
    """
    found = [*names(answers), *places(answers), *versions(answers), *pins(answers, today)]
    bad_numbers = counts(answers)
    if bad_numbers:
        return found + bad_numbers
    answers = {**answers, **{key: int(answers[key]) for key in COUNTS}}
    accelerator = accelerators[answers["accelerator"]]
    found += [*replicas(answers), *budgets(answers), *formats(answers, accelerator)]
    model = models.get(answers["model_id"])
    if model:
        found += [*shape(answers, model), *memory(answers, accelerator, model)]
    return found + storage(answers, model)


def unchecked(answers: Entry, models: Catalogue) -> str:
    """Return what nobody can check for a model outside the catalogue; '' for one inside."""
    if answers["model_id"] in models:
        return ""
    return (
        f"model_id {answers['model_id']!r} is not in policies/data/models.json: tensor parallel, "
        "context length, memory fit and storage size are not checked"
    )


def names(answers: Entry) -> Iterator[str]:
    """Yield what is wrong with the names that become Kubernetes objects and labels."""
    project, longest = answers["project"], LONGEST_LABEL - len(LONGEST_SUFFIX)
    rule = "a DNS-1123 label: lower-case letters, digits and '-', a letter or digit at both ends"
    if not LABEL.fullmatch(project):
        yield f"project must be {rule}; found {project!r}"
    elif not project[0].isalpha():
        yield f"project must start with a letter, since a Service is named after it; found {project!r}"
    elif project in YAML_WORDS:
        yield f"project must not be a word that YAML reads as true, false or null; found {project!r}"
    elif len(project) > longest:
        yield (
            f"project may have {longest} characters, since {LONGEST_SUFFIX!r} is added to it; "
            f"found {len(project)}: {project!r}"
        )
    if not LABEL_VALUE.fullmatch(answers["owner"]):
        yield (
            f"owner must be a Kubernetes label value: up to 63 letters, digits and . _ -; found {answers['owner']!r}"
        )
    for key in ("storage_class", "secret_store"):
        if not _subdomain(answers[key]):
            yield f"{key} must be a DNS-1123 subdomain; found {answers[key]!r}"
    if not answers["display_name"].strip() or not answers["display_name"].isprintable():
        yield f"display_name must be one line of text; found {answers['display_name']!r}"


def places(answers: Entry) -> Iterator[str]:
    """Yield what is wrong with host names, registry, Git URLs and names of models."""
    hosts = [answers[key] for key in ("dev_host", "canary_host", "prod_host")]
    for key, host in zip(("dev_host", "canary_host", "prod_host"), hosts, strict=True):
        if not _subdomain(host) or "." not in host:
            yield f"{key} must be a DNS-1123 subdomain such as chat.example.com; found {host!r}"
    if len(set(hosts)) < len(hosts):
        yield f"dev_host, canary_host and prod_host must differ; found {', '.join(hosts)}"
    texts = {
        "image_registry": (r"[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9._-]+)*", "a registry host"),
        "repository_url": (r"[\w.+-]+(://|[@:])[^\s\"'<>{}]+", "a Git URL"),
        "lockgate_repository": (r"[\w.+-]*(://|[@:/])[^\s\"'<>{}]+", "a Git URL"),
        "model_id": (r"[\w.-]+/[\w.-]+", "organisation/name as on the hub"),
        "served_name": (r"\w[\w./:-]*", "letters, digits and . _ / : -"),
    }
    for key, (pattern, wanted) in texts.items():
        if not re.fullmatch(pattern, answers[key], re.ASCII):
            yield f"{key} must be {wanted}; found {answers[key]!r}"


def versions(answers: Entry) -> Iterator[str]:
    """Yield what is wrong with the versions of Kubernetes and vLLM."""
    kubernetes, vllm = answers["kubernetes_version"], answers["vllm_version"]
    if not re.fullmatch(r"1\.[1-9][0-9]", kubernetes):
        yield f"kubernetes_version must be major.minor like 1.36; found {kubernetes!r}"
    elif _numbers(kubernetes) < _numbers(OLDEST_KUBERNETES):
        yield (
            f"kubernetes_version must be {OLDEST_KUBERNETES} or later, which knows the preStop "
            f"sleep that lets a server drain; found {kubernetes}"
        )
    if not re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", vllm):
        yield f"vllm_version must be major.minor.patch like 0.32.0; found {vllm!r}"
    elif _numbers(vllm) < _numbers(OLDEST_VLLM):
        yield (f"vllm_version must be {OLDEST_VLLM} or later, which knows --shutdown-timeout; found {vllm}")


def pins(answers: Entry, today: dt.date) -> Iterator[str]:
    """Yield what is wrong with the model revision and with the day its image must be pinned by."""
    model, revision = answers["model_id"], answers["model_revision"]
    if not re.fullmatch(r"[0-9a-f]{40}", revision):
        yield f"model_revision must be a commit of 40 hexadecimal digits; found {revision!r}"
    if revision == DEFAULT_MODEL[1] and model != DEFAULT_MODEL[0]:
        yield f"model_revision {revision} is a commit of {DEFAULT_MODEL[0]}, not of {model}"
    last = today + dt.timedelta(days=30)
    try:
        day = dt.date.fromisoformat(answers["pin_by"])
    except ValueError:
        day = None
    if day is None or day.isoformat() != answers["pin_by"]:
        yield f"pin_by must be a date YYYY-MM-DD; found {answers['pin_by']!r}"
    elif not today <= day <= last:
        yield f"pin_by must lie between today {today} and {last} (30 days); found {day}"


def counts(answers: Entry) -> list[str]:
    """Return a sentence for each answer that should be a whole number from 1 up and is not."""
    return [
        f"{key} must be a whole number of 1 or more; found {answers[key]!r}"
        for key in COUNTS
        if not re.fullmatch(r"[1-9][0-9]{0,8}", str(answers[key]))
    ]


def replicas(answers: Entry) -> Iterator[str]:
    """Yield what is wrong with the bounds of the autoscalers."""
    for level in ("canary", "prod"):
        low, high = answers[f"{level}_min_replicas"], answers[f"{level}_max_replicas"]
        if low > high:
            yield f"{level}_min_replicas {low} is above {level}_max_replicas {high}"
    if answers["prod_min_replicas"] == 1:
        yield "prod_min_replicas must be 2 or more; found 1: each restart would be an outage"


def budgets(answers: Entry) -> Iterator[str]:
    """Yield each environment whose peak of GPUs is above its budget, with the sum.

    dev recreates its pods, so only the new ones count. canary and prod shift traffic from whole
    stable pods to whole new ones, so at promotion both sets hold their GPUs.
    """
    size = answers["tensor_parallel"]
    pods, budget = answers["dev_replicas"], answers["dev_gpu_budget"]
    if pods * size > budget:
        yield f"dev_gpu_budget is {budget} GPUs, but {_asked(pods, size)}"
    for level in ("canary", "prod"):
        pods, budget = answers[f"{level}_max_replicas"], answers[f"{level}_gpu_budget"]
        if 2 * pods * size > budget:
            alone = " alone" if pods * size > budget else ""
            yield (
                f"{level}_gpu_budget is {budget} GPUs, but {_asked(pods, size, alone)}, and at "
                "promotion, when the stable pods stay whole beside the new ones, "
                f"2 x {pods} x {size} = {2 * pods * size}"
            )


def formats(answers: Entry, accelerator: Entry) -> Iterator[str]:
    """Yield number formats that the accelerator cannot compute."""
    has = f"{accelerator['product']} has {accelerator['compute_capability']}"
    dtype, quantization = answers["dtype"], answers["quantization"]
    if dtype not in accelerator["dtypes"]:
        wanted = " or ".join(accelerator["dtypes"])
        yield f"dtype {dtype} needs compute capability 8.0, {has}: answer {wanted}"
    if quantization not in ("none", *accelerator["quantization"]):
        wanted = ", ".join(["none", *accelerator["quantization"]])
        needs = "8.9 or an MI300X" if quantization == "fp8" else "7.5 of an NVIDIA GPU"
        yield (f"quantization {quantization} needs compute capability {needs}, {has}: answer one of {wanted}")
    if quantization in ("awq", "gptq") and dtype != "float16":
        yield f"quantization {quantization} computes in float16 only; found dtype {dtype}"


def shape(answers: Entry, model: Entry) -> Iterator[str]:
    """Yield what the shape of the model forbids: GPUs per pod, context length, weight format."""
    name, size, length = answers["model_id"], answers["tensor_parallel"], answers["max_model_len"]
    heads, kv_heads = model["heads"], model["kv_heads"]
    if heads % size:
        rest = f"{heads} / {size} = {heads // size} rest {heads % size}"
        yield f"tensor_parallel {size} does not divide the {heads} heads of {name} ({rest})"
    elif kv_heads % size and size % kv_heads:
        rule = f"neither divides the {kv_heads} KV heads of {name} nor is a multiple of them"
        yield f"tensor_parallel {size} {rule}"
    if length > model["max_position"]:
        yield f"max_model_len {length} is above the {model['max_position']} positions of {name}"
    wanted, held = answers["quantization"], model["quantization"]
    if held == "none" and wanted in ("awq", "gptq"):
        yield f"quantization {wanted} needs {wanted} weights; {name} holds {model['dtype']}"
    if held != "none" and wanted not in ("none", held):
        yield f"quantization {wanted} does not fit {name}, whose weights are {held}"


def memory(answers: Entry, accelerator: Entry, model: Entry) -> Iterator[str]:
    """Yield the memory sum when one request of full length does not fit the GPUs of a pod."""
    size, length = answers["tensor_parallel"], answers["max_model_len"]
    weights = loaded_bytes(model, answers["quantization"])
    cache = cache_bytes(model, size, length)
    need = weights + cache + MEMORY["overhead_gib"] * GIB * size
    have = offered_bytes(accelerator, size, UTILIZATION_MILLI)
    if need > have:
        yield (
            f"{answers['model_id']} does not fit {size} x {accelerator['product']}: "
            f"weights {_gib(weights)} + KV cache of {length} tokens {_gib(cache)} "
            f"+ overhead {size} x {MEMORY['overhead_gib']} GiB make {_gib(need)}, but there are "
            f"{size} x {accelerator['memory_gib']} GiB x 0.9 = {_gib(have)}"
        )


def cache_bytes(model: Entry, size: int, length: int, value: int = 2, batched: int = MEMORY["batched_tokens"]) -> int:
    """Return the bytes that one request of full length takes in the KV caches of a pod's GPUs.

    Args:
        model: Entry of the catalogue.
        size: Tensor parallel size.
        length: Tokens of the request.
        value: Bytes of a cached number.
        batched: Tokens of one step, which a layer with a window holds beside its window.
    """
    layers: int = model["layers"]
    windowed: int = model.get("window_layers", 0)
    if "kv_lora_rank" in model:
        latent: int = model["kv_lora_rank"] + model["qk_rope_head_dim"]
        return size * layers * latent * value * length
    held: int = min(length, model.get("window", 0) - 1 + batched)
    # A GPU holds at least one KV head, so above the model's KV heads each is kept several times.
    token: int = 2 * max(model["kv_heads"], size) * model["head_dim"] * value
    return token * ((layers - windowed) * length + windowed * held)


def offered_bytes(accelerator: Entry, gpus: int, milli: int) -> int:
    """Return what vLLM takes of so many GPUs, in bytes; `milli` is the utilization in thousandths."""
    memory: int = accelerator["memory_gib"]
    return memory * GIB * milli * gpus // 1000


def storage(answers: Entry, model: Entry | None) -> list[str]:
    """Return what is wrong with the size of the model cache; without a model its form alone."""
    asked = answers["storage_size"]
    match = STORAGE.fullmatch(asked)
    if not match:
        return [f"storage_size must be a number with Gi or Ti, like 100Gi; found {asked!r}"]
    if model is None:
        return []
    weights = stored_bytes(model)
    least = SPARE_DISK * weights
    if int(match[1]) * STORAGE_UNITS[match[2]] >= least:
        return []
    answer = f"answer {math.ceil(least / GIB)}Gi or more"
    return [f"storage_size {asked} is below 1.2 x {_gib(weights)} of weights: {answer}"]


def stored_bytes(model: Entry) -> int:
    """Return the bytes of the weights as published, which the model cache holds."""
    published: int = model.get("weights_bytes") or _bytes_at(model, MEMORY["weight_bits"][model["quantization"]])
    return published


def loaded_bytes(model: Entry, quantization: str) -> int:
    """Return the bytes of the weights on the GPUs; `quantization` is the answer, "none" for as published."""
    held = model["quantization"]
    if held == "none" and "parameters" in model:
        return _bytes_at(model, MEMORY["weight_bits"][quantization])
    return stored_bytes(model)


def _bytes_at(model: Entry, bits: float) -> int:
    parameters: int = model["parameters"]
    embedding: int = model["embedding_parameters"]
    return math.floor(((parameters - embedding) * bits + embedding * 16) / 8)


def _asked(pods: int, size: int, alone: str = "") -> str:
    noun = "pod" if pods == 1 else "pods"
    verb = "asks" if pods == 1 else "ask"
    return f"{pods} {noun}{alone} {verb} {pods} x {size} = {pods * size} GPUs"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _subdomain(value: str) -> bool:
    parts = value.split(".")
    fits = len(value) <= LONGEST_NAME and all(len(part) <= LONGEST_LABEL for part in parts)
    return fits and all(LABEL.fullmatch(part) for part in parts)


def _gib(size: int) -> str:
    tenths = (size * 10 + GIB // 2) // GIB
    return f"{tenths // 10}.{tenths % 10} GiB"
