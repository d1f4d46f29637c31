"""Faults of the model's memory: weights, KV cache and runtime against the GPUs of the pod."""

from __future__ import annotations

from edits.model import CACHE, SETTINGS, Edit, release

MODEL = 'model: "Qwen/Qwen3-14B"'
SHARE = "gpu-memory-utilization: 0.9"
OWN_FACTS = """
models:
  Qwen/Qwen3-14B:
    parameters: 40000000000
    layers: 40
    heads: 40
    kv_heads: 8
    head_dim: 128
    max_position: 40960
"""
ROOM = Edit("cache-of-200-gib", CACHE, 'storage: "100Gi"', 'storage: "200Gi"')

FAULTS: tuple[Edit, ...] = (
    Edit("model-with-long-cache", release("prod"), MODEL, 'model: "Qwen/Qwen3-32B"', "VLM002", "max-model-len", ("prod",)),
    Edit("model-above-the-memory", release("dev"), MODEL, 'model: "Qwen/Qwen2.5-72B-Instruct"', "VLM002", "model:", ("dev",), before=ROOM),
    Edit("share-of-the-memory", release("canary"), SHARE, "gpu-memory-utilization: 0.4", "VLM002", "gpu-memory-utilization", ("canary",)),
    Edit("cards-too-small", SETTINGS, "accelerator: a100-40gb", "accelerator: t4", "VLM002", "accelerator: t4"),
    Edit("facts-of-the-team", SETTINGS, "", OWN_FACTS, "VLM002", "Qwen/Qwen3-14B:"),
)

SILENT: tuple[Edit, ...] = (
    Edit("share-that-just-does", release("canary"), SHARE, "gpu-memory-utilization: 0.5"),
    Edit("length-in-thousands", release("dev"), "max-model-len: 32768", "max-model-len: 32k"),
    Edit("length-by-the-server", release("dev"), "max-model-len: 32768", "max-model-len: auto"),
    Edit("cache-of-one-byte", release("prod"), SHARE, f"{SHARE}\nkv-cache-dtype: fp8"),
    Edit("model-nobody-knows", release("dev"), MODEL, 'model: "acme/llm-400b"'),
    Edit("offloaded-weights", release("dev"), MODEL, 'model: "Qwen/Qwen3-32B"\ncpu-offload-gb: 40'),
)
