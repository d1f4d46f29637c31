"""`lockgate.yaml`, the numbers that a team owns: file in, typed settings out.

An unknown key is an error that names the nearest known one; a value of the wrong type is an error
with its line. What is merely unwise is a rule's business, not this module's.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import yaml

from lockgate import yamltext
from lockgate.errors import LockgateError
from lockgate.model import LEVELS, Exemption, Json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE = "lockgate.yaml"

Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=10**14)]
Price = Annotated[float, msgspec.Meta(ge=0, le=10**6)]
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>[^`]*)`(?: - at `(?P<path>[^`]*)`)?")
_AT = re.compile(r"^(?P<problem>.*?)(?: - at `(?:key in )?(?P<path>[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\[(\d+)\]|\.([A-Za-z_][\w-]*)|\[\.\.\.\]")


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of every section: immutable, and closed against misspelt keys."""


class Versions(_Strict, frozen=True):
    """What the repository targets: Kubernetes `major.minor` and the vLLM release."""

    kubernetes: str = ""
    vllm: str = ""


class Environment(_Strict, frozen=True):
    """One environment: where its overlay lies, and what it may use."""

    overlay: str
    namespace: str = ""
    level: Literal["dev", "canary", "prod"] | None = None
    cluster: str = ""
    pool: str = ""
    gpu_budget: Count | None = None


class Taint(_Strict, frozen=True):
    """A taint that the nodes of a pool carry; without `value` any value is meant."""

    key: str
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
    value: str | None = None


class Pool(_Strict, frozen=True):
    """GPU nodes of one kind: how a pod asks for them, how many GPUs there are, and the price of one for an hour."""

    accelerator: str = ""
    gpu_resources: list[str] = []
    node_selector: dict[str, list[str]] = {}
    taints: list[Taint] = []
    tolerations_added_by_cluster: bool = False
    gpus: Count | None = None
    gpus_per_node: Count | None = None
    gpu_hour: Price | None = None


class Cluster(_Strict, frozen=True):
    """What the environments on one cluster share, in whole GPUs."""

    gpus: Count | None = None


class Images(_Strict, frozen=True):
    """Where images may come from: `registry/repository`, exact."""

    allowed: list[str] = []


class Storage(_Strict, frozen=True):
    """Storage classes that may be used, each with the access modes that it can do."""

    classes: dict[str, list[str]] = {}


class Secrets(_Strict, frozen=True):
    """Secret stores that an ExternalSecret may name."""

    stores: list[str] = []


class Metrics(_Strict, frozen=True):
    """What Prometheus and its adapter know beside vLLM's own metrics.

    Attributes:
        adapter: File with the rules of prometheus-adapter, relative to the root.
        known: Names that something beside vLLM exports; one that ends in `*` is a beginning.
        labels: Labels that relabelling adds to vLLM's series.
    """

    adapter: str = "observability/adapter/values.yaml"
    known: list[str] = []
    labels: list[str] = []


class Model(_Strict, frozen=True, kw_only=True):
    """Facts of a model that the catalogue lacks or has otherwise; keys as in policies/data/models.json.

    Attributes:
        parameters: Weights that are loaded, all experts counted.
        embedding_parameters: Those of them that stay at 16 bits when the rest is quantised.
        weights_bytes: Sum of the published weight files.
        window: Tokens that each of `window_layers` layers looks back.
        kv_lora_rank: Size of the latent of multi-head latent attention (MLA).
        kv_cache_dtype: What `--kv-cache-dtype auto` means, where the checkpoint says so.
    """

    parameters: Positive | None = None
    embedding_parameters: Count = 0
    weights_bytes: Positive | None = None
    layers: Positive
    heads: Positive
    kv_heads: Positive
    head_dim: Positive
    max_position: Positive
    experts: Positive | None = None
    window: Positive | None = None
    window_layers: Count | None = None
    kv_lora_rank: Positive | None = None
    qk_rope_head_dim: Positive | None = None
    kv_cache_dtype: Literal["fp8"] | None = None
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    quantization: Literal["none", "fp8", "awq", "gptq", "mxfp4", "other"] = "none"
    licence: str = ""
    gated: bool | None = None
    revision: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        """Refuses facts that contradict each other."""
        for first, second in (("window", "window_layers"), ("kv_lora_rank", "qk_rope_head_dim")):
            if (getattr(self, first) is None) != (getattr(self, second) is None):
                msg = f"`{first}` and `{second}` come together"
                raise ValueError(msg)
        if self.weights_bytes is None and (self.parameters is None or self.quantization == "other"):
            wanted = "`weights_bytes`" if self.quantization == "other" else "`parameters` or `weights_bytes`"
            msg = f"no size of the weights: wanted {wanted}"
            raise ValueError(msg)
        if self.parameters is not None and self.embedding_parameters > self.parameters:
            msg = "more `embedding_parameters` than `parameters`"
            raise ValueError(msg)
        if (self.window_layers or 0) > self.layers:
            msg = "more `window_layers` than `layers`"
            raise ValueError(msg)


class ExemptionEntry(_Strict, frozen=True):
    """As written; what is missing is EXM001's finding, not an error."""

    rule: str = ""
    object: str = ""
    field: str = ""
    environments: list[str] = []
    reason: str = ""
    owner: str = ""
    expires: str = ""


class Settings(_Strict, frozen=True, kw_only=True):
    """All of `lockgate.yaml`.

    Attributes:
        argocd: Folder with the Argo CD objects; None: `argocd` where there is one, empty: none.
    """

    version: Literal[1]
    project: str = ""
    owner: str = ""
    versions: Versions = Versions()
    startup_budget_seconds: Count = 600
    argocd: str | None = None
    environments: dict[str, Environment]
    pools: dict[str, Pool] = {}
    clusters: dict[str, Cluster] = {}
    images: Images = Images()
    storage: Storage = Storage()
    secrets: Secrets = Secrets()
    metrics: Metrics = Metrics()
    models: dict[str, Model] = {}
    schemas: list[str] = []
    unreferenced: list[str] = []
    exemptions: list[ExemptionEntry] = []

    def level(self, environment: str) -> str:
        """The level of an environment: its own, else its name."""
        return self.environments[environment].level or environment

    def exempted(self) -> tuple[Exemption, ...]:
        """The exemptions as the stages carry them."""
        return tuple(
            Exemption(i, e.rule, e.object, tuple(e.environments), e.reason, e.owner, e.expires, e.field)
            for i, e in enumerate(self.exemptions)
        )

    def data(self) -> dict[str, Json]:
        """What rules see as `data.<key>`: the file with defaults and levels filled in, nothing null."""
        data: dict[str, Json] = _without_null(msgspec.to_builtins(self))
        for name, environment in data["environments"].items():
            environment["level"] = self.level(name)
        return data


def _without_null(value: Json) -> Json:
    """Drops null values: to a rule an unset number must be undefined, since null sorts below any number."""
    if isinstance(value, dict):
        return {key: _without_null(item) for key, item in value.items() if item is not None}
    return [_without_null(item) for item in value] if isinstance(value, list) else value


def of_one(name: str, level: str, overlay: str) -> Settings:
    """Default settings for one environment, where no file says anything.

    Args:
        name: The environment's name.
        level: One of `LEVELS`.
        overlay: Where it lies.
    """
    return msgspec.convert(
        {"version": 1, "environments": {name: {"overlay": overlay, "level": level}}},
        Settings,
    )


def load(root: Path) -> Settings:
    """The settings of the repository at `root`.

    Raises:
        LockgateError: The file is missing, unreadable, or does not fit; with its line where there is one.
    """
    try:
        text = (root / FILE).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        msg = f"no {FILE} in {root}"
        raise LockgateError(msg, "`lockgate new` writes a repository that has one") from error
    except UnicodeDecodeError as error:
        msg = f"{FILE}: wanted UTF-8 text, found a binary file"
        raise LockgateError(msg, "restore the file from git") from error
    except OSError as error:
        msg = f"{FILE}: cannot be read: {error.strerror}"
        raise LockgateError(msg, "check its permissions") from error
    settings = parse(text)
    adapter = settings.metrics.adapter
    if adapter != Metrics().adapter and not _is_inside(root, adapter):
        _fail(
            text,
            ["metrics", "adapter"],
            f"no file {adapter!r} in the repository",
            "correct the path, or remove the key",
        )
    return settings


def _is_inside(root: Path, name: str) -> bool:
    """Whether `name` is a file below `root`."""
    file = (root / name).resolve()
    return file.is_file() and file.is_relative_to(root.resolve())


def parse(text: str) -> Settings:
    """`load` for text that is already in hand."""
    value = yamltext.load(text, FILE)
    if isinstance(value, dict):
        # `exemptions:` with nothing below it is what remains when the last one goes.
        value = {key: section for key, section in value.items() if section is not None}
    try:
        settings = msgspec.convert(value, Settings)
    except msgspec.ValidationError as error:
        raise _refusal(text, str(error)) from error
    _check_references(text, settings)
    return settings


def _check_references(text: str, settings: Settings) -> None:
    """Names that point inside the file must exist in it."""
    if not settings.environments:
        msg = f"{FILE}:{_line(text, ['environments'])}: no environment, so nothing to check"
        raise LockgateError(msg, "name at least one environment with its overlay")
    for name, environment in settings.environments.items():
        if settings.level(name) not in LEVELS:
            _fail(
                text,
                ["environments", name],
                f"environment {name!r} has no level",
                f"add `level:` with one of {', '.join(LEVELS)}",
            )
        for key, known in (("pool", settings.pools), ("cluster", settings.clusters)):
            value = getattr(environment, key)
            if value and value not in known:
                _fail(text, ["environments", name, key], f"{key} {value!r} is not in `{key}s`", _known(value, known))
    for index, exemption in enumerate(settings.exemptions):
        for name in exemption.environments:
            if name not in settings.environments:
                _fail(
                    text,
                    ["exemptions", index, "environments"],
                    f"environment {name!r} is not in `environments`",
                    _known(name, settings.environments),
                )


def _fail(text: str, path: list[str | int], message: str, hint: str) -> None:
    msg = f"{FILE}:{_line(text, path)}: {message}"
    raise LockgateError(msg, hint)


def _known(value: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(value, known, 1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known) or 'none'}"


def _refusal(text: str, error: str) -> LockgateError:
    """msgspec's message, with the line in the file and the nearest known key."""
    unknown = _UNKNOWN.fullmatch(error)
    if unknown:
        key = unknown["key"]
        path = _steps(unknown["path"] or "$")
        message = f"{FILE}:{_line(text, [*path, key], key)}: unknown key {key!r}"
        return LockgateError(message, _known(key, dict.fromkeys(_fields(path))))
    match = _AT.fullmatch(error)
    problem, where = (match["problem"], match["path"]) if match else (error, None)
    place = (where or "$").removeprefix("$").lstrip(".")
    message = f"{FILE}:{_line(text, _steps(where or '$'))}: {problem}" + (f" ({place})" if place else "")
    return LockgateError(message, "docs: the settings are described in the README of the repository")


def _steps(path: str) -> list[str | int]:
    """`$.exemptions[0].rule` as keys and indexes; `[...]` (some key) as `*`."""
    return [int(m[1]) if m[1] else (m[2] or "*") for m in _STEP.finditer(path)]


def _fields(path: list[str | int]) -> tuple[str, ...]:
    """The keys that the section at `path` may have."""
    section = {
        (): Settings,
        ("versions",): Versions,
        ("environments",): Environment,
        ("pools",): Pool,
        ("pools", "taints"): Taint,
        ("clusters",): Cluster,
        ("images",): Images,
        ("storage",): Storage,
        ("secrets",): Secrets,
        ("metrics",): Metrics,
        ("models",): Model,
        ("exemptions",): ExemptionEntry,
    }.get(tuple(str(p) for p in path if isinstance(p, str) and p != "*"), Settings)
    return section.__struct_fields__


def _line(text: str, path: list[str | int], key: str = "") -> int:
    """The line of `path` in `text`, of its nearest existing parent when it is missing."""
    node = yaml.compose(text, yaml.SafeLoader)
    line = 1
    for position, step in enumerate(path):
        found = None
        if isinstance(node, yaml.MappingNode):
            wanted = path[position + 1 :] if step == "*" else None
            for name, value in node.value:
                if name.value == step or (wanted is not None and _has(value, key)):
                    found = (name, value)
                    break
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            found = (node.value[step], node.value[step])
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line


def _has(node: yaml.Node, key: str) -> bool:
    """Whether the mapping `node` has `key` somewhere inside it."""
    if isinstance(node, yaml.MappingNode):
        return any(name.value == key or _has(value, key) for name, value in node.value)
    return isinstance(node, yaml.SequenceNode) and any(_has(item, key) for item in node.value)
