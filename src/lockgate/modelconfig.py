"""A model's `config.json` in, the facts that the rules count with out: `models.<id>` of lockgate.yaml.

What a config says of cache and weights is read where vLLM reads it (its `ModelConfig` and model classes,
0.32.0). What it does not say is not guessed: the facts are None, and a sentence says why.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import msgspec

from lockgate.errors import LockgateError
from lockgate.settings import Model

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from lockgate.model import Json

INDEX = "model.safetensors.index.json"
"""Beside a config of several weight files; says their size in bytes."""

_DTYPES = ("bfloat16", "float16", "float32")
_QUANTIZATIONS = ("fp8", "awq", "gptq", "mxfp4")
# Attention with a cache of another shape, by a key or by a word in `layer_types`.
_OTHER_CACHE = ("ssm_cfg", "mamba_d_state", "mamba_expand", "linear_num_key_heads", "rwkv", "hybrid_override_pattern")
_PLAIN_LAYERS = {"full_attention", "sliding_attention", "chunked_attention"}
# Models whose weights follow from their sizes alone.
_COUNTED = ("llama", "mistral", "qwen2", "qwen3")
# Scalings of the rotary embedding that leave the length as `max_position_embeddings` has it.
_LENGTH_KEPT = {"default", "llama3", "longrope", "mrope", "su"}


def read(file: Path, weights_bytes: int | None = None) -> tuple[dict[str, Json] | None, list[str]]:
    """The facts in a config, and what it does not say.

    Args:
        file: `config.json`; the size of the weights is taken from the index beside it.
        weights_bytes: Sum of the published weight files, in bytes, if it is known.

    Returns:
        Keys and values of `lockgate.settings.Model`, None when the memory sum does not hold for the
        model; and sentences about what is not known.

    Raises:
        LockgateError: The file is unreadable or no config of a model.
    """
    config = _load(file)
    index = file.with_name(INDEX)
    if weights_bytes is None and index.is_file():
        size = (_load(index).get("metadata") or {}).get("total_size")
        weights_bytes = size if isinstance(size, int) and size > 0 else None
    text = config.get("text_config")
    inner = {**config, **text} if isinstance(text, dict) else config
    if why := _not_covered(inner):
        return None, [f"{file.name}: {why}, so rule VLM002 does not cover the model"]
    facts, notes = _facts(inner, file), list(_notes(inner))
    parameters = None if isinstance(text, dict) else _parameters(inner, facts)
    if weights_bytes is not None:
        facts["weights_bytes"] = weights_bytes
    elif parameters and facts["quantization"] != "other":
        facts |= parameters
    else:
        why = "the size of the weights is not known"
        return None, [*notes, f"{file.name}: {why}, so rule VLM002 does not cover the model: give --weights-bytes"]
    return _checked(facts, file), notes


def _load(file: Path) -> dict[str, Json]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{file}: cannot be read: {error.strerror}"
        raise LockgateError(msg, "name the config.json of the model") from error
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        msg = f"{file}:{line}: not readable as JSON: {getattr(error, 'msg', 'no UTF-8 text')}"
        raise LockgateError(msg, "take the file as the model's repository has it") from error
    if not isinstance(value, dict):
        msg = f"{file}:1: wanted an object, found {type(value).__name__}"
        raise LockgateError(msg, "take the file as the model's repository has it")
    return value


def _not_covered(config: Mapping[str, Json]) -> str:
    """Why the sum of weights and cache does not hold; empty when it does."""
    if config.get("is_encoder_decoder"):
        return "an encoder-decoder has a second cache"
    other = next((key for key in _OTHER_CACHE if config.get(key) is not None), "")
    kinds = {kind for kind in config.get("layer_types") or [] if kind not in _PLAIN_LAYERS}
    if other or kinds:
        return f"{other or min(map(str, kinds))!r} says that layers keep another state than a KV cache"
    return ""


def _facts(config: Mapping[str, Json], file: Path) -> dict[str, Json]:
    """Shape of the cache and form of the weights."""
    layers = _number(config, file, "num_hidden_layers", "n_layer", "num_layers")
    heads = _number(config, file, "num_attention_heads", "n_head")
    quantization = config.get("quantization_config") or {}
    facts: dict[str, Json] = {
        "layers": layers,
        "heads": heads,
        "kv_heads": _number({"num_key_value_heads": heads, **_given(config)}, file, "num_key_value_heads"),
        "head_dim": _head_dim(config, heads, file),
        "max_position": _length(config, file),
        "experts": next(
            (config[key] for key in ("num_local_experts", "num_experts", "n_routed_experts") if config.get(key)), None
        ),
        "dtype": _dtype(config) or "bfloat16",
        "quantization": _quantization(quantization),
        "kv_cache_dtype": "fp8" if _fp8_cache(quantization) else None,
        **_window(config, layers),
    }
    if config.get("kv_lora_rank"):
        facts |= {key: config.get(key) for key in ("kv_lora_rank", "qk_rope_head_dim")}
    return {key: value for key, value in facts.items() if value is not None}


def _given(config: Mapping[str, Json]) -> dict[str, Json]:
    """The number of KV heads, where a config says it under one of its names."""
    said = config.get("num_key_value_heads") or config.get("num_kv_heads")
    return {"num_key_value_heads": said} if said else {}


def _number(config: Mapping[str, Json], file: Path, *names: str) -> int:
    for name in names:
        value = config.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    msg = f"{file}: wanted a whole number under {names[0]!r}, found {config.get(names[0])!r}"
    raise LockgateError(msg, "is it the config.json of a language model?")


def _head_dim(config: Mapping[str, Json], heads: int, file: Path) -> int:
    if config.get("head_dim"):
        return _number(config, file, "head_dim")
    if config.get("qk_nope_head_dim") and config.get("qk_rope_head_dim"):
        return _number(config, file, "qk_nope_head_dim") + _number(config, file, "qk_rope_head_dim")
    return _number(config, file, "hidden_size", "n_embd", "d_model") // heads


def _length(config: Mapping[str, Json], file: Path) -> int:
    """Tokens of the longest request, the scaling of the rotary embedding counted."""
    length = _number(config, file, "max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
    scaling = config.get("rope_scaling") or config.get("rope_parameters") or {}
    kind = scaling.get("rope_type") or scaling.get("type") or "default"
    factor = scaling.get("factor")
    if kind in _LENGTH_KEPT or not isinstance(factor, int | float):
        return length
    if kind == "yarn" and isinstance(scaling.get("original_max_position_embeddings"), int):
        length = scaling["original_max_position_embeddings"]
    return math.floor(length * factor)


def _window(config: Mapping[str, Json], layers: int) -> dict[str, int]:
    """Window and the layers that have it; empty when none has, or nobody can say how many."""
    window = config.get("sliding_window")
    if not isinstance(window, int) or window <= 0 or config.get("use_sliding_window") is False:
        return {}
    having = _window_layers(config, layers)
    return {"window": window, "window_layers": having} if having else {}


def _window_layers(config: Mapping[str, Json], layers: int) -> int | None:
    kinds = config.get("layer_types")
    if isinstance(kinds, list):
        return kinds.count("sliding_attention")
    pattern = config.get("sliding_window_pattern")
    if isinstance(pattern, int) and pattern > 0:
        return layers - layers // pattern
    if isinstance(config.get("max_window_layers"), int) and config.get("use_sliding_window"):
        return max(layers - int(config["max_window_layers"]), 0)
    return layers if config.get("model_type") == "mistral" else None


def _dtype(config: Mapping[str, Json]) -> str | None:
    said = config.get("dtype") or config.get("torch_dtype")
    return said if said in _DTYPES else None


def _quantization(config: Mapping[str, Json]) -> str:
    method = config.get("quant_method")
    return "none" if not config else method if method in _QUANTIZATIONS else "other"


def _fp8_cache(config: Mapping[str, Json]) -> bool:
    scheme = config.get("kv_cache_scheme")
    if isinstance(scheme, dict):
        return scheme.get("num_bits") == 8 and scheme.get("type") == "float"  # noqa: PLR2004  # eight bits, as in fp8
    return str(config.get("kv_cache_quant_algo", "")).upper() == "FP8"


def _parameters(config: Mapping[str, Json], facts: Mapping[str, Json]) -> dict[str, int] | None:
    """Weights of a dense model of Llama's build; None for any other."""
    kind = config.get("model_type")
    sizes = [config.get(key) for key in ("hidden_size", "intermediate_size", "vocab_size")]
    if kind not in _COUNTED or not all(isinstance(size, int) for size in sizes) or config.get("mlp_bias"):
        return None
    hidden, inner, vocabulary = (int(size or 0) for size in sizes)
    queries, keys = facts["heads"] * facts["head_dim"], facts["kv_heads"] * facts["head_dim"]
    layer = hidden * (2 * queries + 2 * keys + 3 * inner) + 2 * hidden
    if kind == "qwen2":
        layer += queries + 2 * keys
    elif kind == "qwen3":
        layer += 2 * facts["head_dim"]
    if config.get("attention_bias"):
        layer += queries + 2 * keys + hidden
    embedding = vocabulary * hidden * (1 if config.get("tie_word_embeddings") else 2)
    return {
        "parameters": embedding + facts["layers"] * layer + hidden,
        "embedding_parameters": embedding,
    }


def _notes(config: Mapping[str, Json]) -> Iterator[str]:
    """What was taken for lack of a word."""
    if _dtype(config) is None:
        yield "config.json names no number format of the weights: bfloat16 is taken"
    window = config.get("sliding_window")
    if window and config.get("use_sliding_window") is not False and _window_layers(config, 1) is None:
        yield "config.json does not say which layers have the sliding window: all count with a full cache"


def _checked(facts: dict[str, Json], file: Path) -> dict[str, Json]:
    try:
        msgspec.convert(facts, Model)
    except msgspec.ValidationError as error:
        msg = f"{file}: {error}"
        raise LockgateError(msg, "is it the config.json of a language model?") from error
    return facts
