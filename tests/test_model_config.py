"""`lockgate new --model-config`: the facts of a config.json, and a repository whose gate counts with them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from lockgate import generate, modelconfig, resources
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]

CATALOGUE = json.loads(
    (resources.template_root() / resources.PROJECT / "policies" / "data" / "models.json").read_text()
)["known_models"]
QWEN = {
    "model_type": "qwen3",
    "hidden_size": 5120,
    "intermediate_size": 17408,
    "num_hidden_layers": 40,
    "num_attention_heads": 40,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151936,
    "max_position_embeddings": 40960,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "sliding_window": None,
    "use_sliding_window": False,
}
SMALL_QWEN = {
    **QWEN,
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "tie_word_embeddings": True,
}
LLAMA = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192},
    "torch_dtype": "bfloat16",
}
REVISION = "1" * 40


def write(folder: Path, config: Any, index: Any = None) -> Path:
    file = folder / "config.json"
    file.write_text(json.dumps(config))
    if index is not None:
        (folder / modelconfig.INDEX).write_text(json.dumps(index))
    return file


def facts(folder: Path, config: Any, weights: int | None = 1000) -> dict[str, Any]:
    found, _ = modelconfig.read(write(folder, config), weights)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("model", "config"),
    [("Qwen/Qwen3-14B", QWEN), ("Qwen/Qwen3-0.6B", SMALL_QWEN), ("meta-llama/Llama-3.1-8B-Instruct", LLAMA)],
)
def test_a_published_config_gives_what_the_catalogue_says(tmp_path: Path, model: str, config: dict[str, Any]) -> None:
    """Weights included: counted to the last parameter."""
    found = facts(tmp_path, config, None)
    known = {key: value for key, value in CATALOGUE[model].items() if key not in {"licence", "gated", "source"}}
    assert found == known


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"head_dim": None}, {"head_dim": 128}),
        ({"num_key_value_heads": None}, {"kv_heads": 40}),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, {"max_position": 81920}),
        (
            {"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}},
            {"max_position": 131072},
        ),
        ({"rope_scaling": {"rope_type": "longrope", "factor": 4.0}}, {"max_position": 40960}),
        ({"sliding_window": 4096, "use_sliding_window": False}, {"window": None}),
        (
            {"sliding_window": 4096, "use_sliding_window": True, "max_window_layers": 30},
            {"window": 4096, "window_layers": 10},
        ),
        (
            {"sliding_window": 512, "use_sliding_window": None, "sliding_window_pattern": 6},
            {"window": 512, "window_layers": 34},
        ),
        (
            {
                "sliding_window": 128,
                "use_sliding_window": None,
                "layer_types": ["sliding_attention", "full_attention"] * 20,
            },
            {"window": 128, "window_layers": 20},
        ),
        (
            {"model_type": "mistral", "sliding_window": 4096, "use_sliding_window": None},
            {"window": 4096, "window_layers": 40},
        ),
        ({"kv_lora_rank": 512, "qk_rope_head_dim": 64}, {"kv_lora_rank": 512, "qk_rope_head_dim": 64}),
        ({"n_routed_experts": 256}, {"experts": 256}),
        ({"num_local_experts": 8}, {"experts": 8}),
        ({"quantization_config": {"quant_method": "awq"}}, {"quantization": "awq"}),
        ({"quantization_config": {"quant_method": "fp8"}}, {"quantization": "fp8"}),
        (
            {
                "quantization_config": {
                    "quant_method": "compressed-tensors",
                    "kv_cache_scheme": {"num_bits": 8, "type": "float"},
                }
            },
            {"quantization": "other", "kv_cache_dtype": "fp8"},
        ),
        (
            {"quantization_config": {"quant_method": "modelopt", "kv_cache_quant_algo": "FP8"}},
            {"kv_cache_dtype": "fp8"},
        ),
        ({"torch_dtype": None, "dtype": "float16"}, {"dtype": "float16"}),
        ({"text_config": {"num_hidden_layers": 12}}, {"layers": 12}),
    ],
)
def test_what_a_config_says(tmp_path: Path, change: dict[str, Any], wanted: dict[str, Any]) -> None:
    found = facts(tmp_path, {**QWEN, **change})
    assert {key: found.get(key) for key in wanted} == wanted
    assert found["weights_bytes"] == 1000


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"is_encoder_decoder": True}, "an encoder-decoder has a second cache"),
        ({"layer_types": ["linear_attention", "full_attention"]}, "'linear_attention' says that layers keep another"),
        ({"mamba_d_state": 16}, "'mamba_d_state' says that layers keep another state"),
    ],
)
def test_a_model_with_another_cache_is_not_covered(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    found, notes = modelconfig.read(write(tmp_path, {**QWEN, **change}), 1000)
    assert found is None
    assert why in notes[0]


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "other"},
        {"text_config": {}},
        {"quantization_config": {"quant_method": "bitsandbytes"}},
        {"hidden_size": None},
    ],
)
def test_weights_that_nobody_can_count_are_not_guessed(tmp_path: Path, change: dict[str, Any]) -> None:
    file = write(tmp_path, {**QWEN, **change})
    found, notes = modelconfig.read(file)
    assert found is None
    assert "the size of the weights is not known" in notes[-1]
    (tmp_path / modelconfig.INDEX).write_text(json.dumps({"metadata": {"total_size": 5_000}}))
    found, _ = modelconfig.read(file)
    assert found
    assert found["weights_bytes"] == 5_000


def test_what_is_taken_for_lack_of_a_word_is_said(tmp_path: Path) -> None:
    config = {**QWEN, "torch_dtype": None, "sliding_window": 512, "use_sliding_window": None}
    found, notes = modelconfig.read(write(tmp_path, config))
    assert found
    assert "window" not in found
    assert [note.partition(":")[2].strip() or note for note in notes] == [
        "bfloat16 is taken",
        "all count with a full cache",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "config.json:1: not readable as JSON"),
        ("[]", "config.json:1: wanted an object, found list"),
        ("{}", "wanted a whole number under 'num_hidden_layers', found None"),
        (json.dumps({**QWEN, "num_attention_heads": "8"}), "wanted a whole number under 'num_attention_heads'"),
        (json.dumps({**QWEN, "num_key_value_heads": [8]}), "wanted a whole number under 'num_key_value_heads'"),
        (json.dumps({**QWEN, "kv_lora_rank": 512}), "come together"),
    ],
)
def test_a_file_that_is_no_config_is_one_line(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(LockgateError) as caught:
        modelconfig.read(tmp_path / "config.json")
    assert problem in caught.value.message
    with pytest.raises(LockgateError, match="cannot be read: No such file"):
        modelconfig.read(tmp_path / "none.json")


def new(lockgate: Run, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    answers = ("--set", "model_id=acme/llm", "--set", f"model_revision={REVISION}")
    return lockgate("new", "chat", "--defaults", *answers, "--model-config", "config.json", *more, cwd=folder)


def test_the_gate_counts_with_the_facts(lockgate: Run, tmp_path: Path) -> None:
    write(tmp_path, QWEN)
    done = new(lockgate, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "note:" not in done.stderr
    settings = yaml.safe_load((tmp_path / "chat" / "lockgate.yaml").read_text())
    assert settings["models"] == {"acme/llm": modelconfig.read(tmp_path / "config.json")[0]}
    serve = tmp_path / "chat" / "overlays" / "prod" / "release" / "serve.yaml"
    serve.write_text(serve.read_text().replace("max-model-len: 32768", "max-model-len: 327680"))
    red = lockgate("check", cwd=tmp_path / "chat")
    assert red.returncode == 1
    assert "error VLM002" in red.stdout


def test_answers_that_cannot_hold_the_model_are_refused(lockgate: Run, tmp_path: Path) -> None:
    write(tmp_path, {**QWEN, "num_hidden_layers": 120})
    done = new(lockgate, tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "acme/llm does not fit 2 x" in done.stderr
    assert not (tmp_path / "chat").exists()


def test_a_model_that_is_not_covered_is_said_and_written_without_facts(lockgate: Run, tmp_path: Path) -> None:
    write(tmp_path, {**QWEN, "mamba_d_state": 16})
    done = new(lockgate, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "note: config.json: 'mamba_d_state' says" in done.stderr
    assert "models" not in yaml.safe_load((tmp_path / "chat" / "lockgate.yaml").read_text())


def test_the_name_of_the_model_is_not_guessed(lockgate: Run, tmp_path: Path) -> None:
    write(tmp_path, QWEN)
    done = lockgate("new", "chat", "--defaults", "--model-config", "config.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "config.json does not say the name of its model" in done.stderr
    done = lockgate("new", "chat", "--defaults", "--weights-bytes", "5", cwd=tmp_path)
    assert done.returncode == 2
    assert "give both" in done.stderr


def test_without_a_config_nothing_is_written_about_the_model(tmp_path: Path) -> None:
    generate.generate(tmp_path / "chat", {})
    assert "models:" not in (tmp_path / "chat" / "lockgate.yaml").read_text()
