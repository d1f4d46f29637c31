"""Flags of a serve.yaml that vLLM 0.32.0 takes, and flags that it refuses.

The schema is tried with them in each run, vLLM's own parser in `nox -s vllm`.
"""

from __future__ import annotations

from typing import Any

TAKEN: tuple[dict[str, Any], ...] = (
    {"max-model-len": 8192},
    {"max-model-len": "8k"},
    {"max-model-len": "auto"},
    {"max_model_len": 8192},
    {"served-model-name": ["a", "b"]},
    {"served-model-name": "a"},
    {"quantization": None},
    {"enforce-eager": False},
    {"no-enable-prefix-caching": True},
    {"compilation-config": {"mode": 3}},
    {"compilation-config": '{"mode": 3}'},
    {"compilation-config.mode": 3},
    {"gpu-memory-utilization": 1},
    {"gpu-memory-utilization": "0.9"},
    {"tensor-parallel-size": "2"},
    {"tensor-parallel-size": [2]},
    {"max-lora-rank": 16},
    {"linear-backend": "Cutlass"},
    {"dtype": "bfloat16"},
    {"port": 8000},
)
REFUSED: tuple[dict[str, Any], ...] = (
    {"max-model-length": 8192},
    {"max-model-len": "long"},
    {"tensor-parallel-size": 2.5},
    {"tensor-parallel-size": [2, 4]},
    {"enforce-eager": "true"},
    {"dtype": "bf16"},
    {"gpu-memory-utilization": "most"},
    {"max-lora-rank": 17},
    {"swap-space": 4},
)
