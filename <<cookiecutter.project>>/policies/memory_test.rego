package lockgate.memory_test

import data.lockgate.lib.testing
import data.lockgate.vllm
import rego.v1

config_ref := {"apiVersion": "v1", "kind": "ConfigMap", "namespace": "chat-prod", "name": "chat-serve"}

flag(name) := {"object": config_ref, "path": ["data", "serve.yaml", name]}

pool_place := {"object": {"apiVersion": "lockgate", "kind": "Settings", "namespace": "", "name": "lockgate.yaml"}, "path": ["pools", "a100", "accelerator"]}

# The service with that serve.yaml on so many GPUs.
served(lines, gpus) := object.union(testing.prod, {"objects": [changed(obj, concat("\n", lines), gpus) | some obj in testing.prod.objects]})

changed(obj, text, gpus) := object.union(obj, {"data": {"serve.yaml": text}}) if {
	obj.kind == "ConfigMap"
	gpus
} else := json.patch(obj, [
	{"op": "replace", "path": "/spec/template/spec/containers/0/resources/limits/nvidia.com~1gpu", "value": gpus},
	{"op": "replace", "path": "/spec/template/spec/containers/0/resources/requests/nvidia.com~1gpu", "value": gpus},
]) if {
	obj.kind == "Deployment"
} else := obj

found(doc) := result if {
	result := vllm.deny with input as doc with data.environments as testing.environments with data.pools as testing.pools
}

on_pool(doc, pool) := result if {
	pools := object.union(testing.pools, {"a100": object.union(testing.pools.a100, pool)})
	result := vllm.deny with input as doc with data.environments as testing.environments with data.pools as pools
}

with_models(doc, models) := result if {
	result := vllm.deny with input as doc with data.environments as testing.environments with data.pools as testing.pools with data.models as models
}

result(place, others, msg) := {"id": "VLM002", "object": place.object, "path": place.path, "msg": msg, "also": others}

large := ["model: Qwen/Qwen3-32B", "tensor-parallel-size: 2", "max-model-len: 32768", "gpu-memory-utilization: 0.9"]

test_vlm002_fits if {
	found(testing.prod) == set()
	found(served(["model: Qwen/Qwen3-14B", "tensor-parallel-size: 2", "max-model-len: 40960"], "2")) == set()
}

test_vlm002_nothing_to_say_without_objects if found(testing.document("prod", [])) == set()

# 32762123264 x 2 = 61.0 GiB; 2 x 64 x 8 x 128 x 2 x 32768 = 8.0 GiB; 61.0 + 8.0 + 4 > 70.2.
test_vlm002_length_is_too_much if {
	found(served(large, "2")) == {result(
		flag("max-model-len"),
		[flag("model"), flag("max-model-len"), flag("gpu-memory-utilization"), flag("tensor-parallel-size"), pool_place],
		"container 'vllm' wants 73.0 GiB for 'Qwen/Qwen3-32B' (weights 61.0 GiB + KV cache of 32768 tokens 8.0 GiB + overhead 2 x 2 GiB), found 70.2 GiB (2 x 39 GiB of NVIDIA A100 40 GB x 0.9)",
	)}
}

# 70.2 - 4 - 61.0240... GiB are left: 5.1759 GiB at 262144 bytes a token, 21200 tokens.
test_vlm002_at_the_limit if {
	lines := ["model: Qwen/Qwen3-32B", "tensor-parallel-size: 2", "gpu-memory-utilization: 0.9"]
	found(served(array.concat(lines, ["max-model-len: 21200"]), "2")) == set()
	count(found(served(array.concat(lines, ["max-model-len: 21201"]), "2"))) == 1
	count(found(served(array.concat(lines, ["max-model-len: 22k"]), "2"))) == 1
	found(served(array.concat(lines, ["max-model-len: 21k"]), "2")) == set()
	count(found(served(array.concat(lines, ["max-model-len: 21K"]), "2"))) == 1
}

test_vlm002_model_is_too_large if {
	found(served(["model: meta-llama/Llama-3.3-70B-Instruct", "tensor-parallel-size: 2", "max-model-len: 4096"], "2")) == {result(
		flag("model"),
		[flag("model"), flag("max-model-len"), flag("tensor-parallel-size"), pool_place],
		"container 'vllm' wants 136.7 GiB for 'meta-llama/Llama-3.3-70B-Instruct' (weights 131.4 GiB + KV cache of 4096 tokens 1.3 GiB + overhead 2 x 2 GiB), found 71.8 GiB (2 x 39 GiB of NVIDIA A100 40 GB x 0.92)",
	)}
}

test_vlm002_share_is_too_small if {
	found(served(["model: Qwen/Qwen3-14B", "tensor-parallel-size: 2", "max-model-len: 32768", "gpu-memory-utilization: 0.4"], "2")) == {result(
		flag("gpu-memory-utilization"),
		[flag("model"), flag("max-model-len"), flag("gpu-memory-utilization"), flag("tensor-parallel-size"), pool_place],
		"container 'vllm' wants 36.5 GiB for 'Qwen/Qwen3-14B' (weights 27.5 GiB + KV cache of 32768 tokens 5.0 GiB + overhead 2 x 2 GiB), found 31.2 GiB (2 x 39 GiB of NVIDIA A100 40 GB x 0.4)",
	)}
}

test_vlm002_share_by_its_other_name if {
	count(found(served(["model: Qwen/Qwen3-14B", "tensor-parallel-size: 2", "device-memory-utilization: 0.4"], "2"))) == 1
}

# Without a length the model's own holds: 40960 x 262144 bytes = 10.0 GiB.
test_vlm002_length_of_the_model if {
	found(served(["model: Qwen/Qwen3-32B", "tensor-parallel-size: 2"], "2")) == {result(
		flag("model"),
		[flag("model"), flag("tensor-parallel-size"), pool_place],
		"container 'vllm' wants 75.0 GiB for 'Qwen/Qwen3-32B' (weights 61.0 GiB + KV cache of 40960 tokens 10.0 GiB + overhead 2 x 2 GiB), found 71.8 GiB (2 x 39 GiB of NVIDIA A100 40 GB x 0.92)",
	)}
}

test_vlm002_cache_in_fp8 if {
	lines := ["model: Qwen/Qwen3-32B", "tensor-parallel-size: 2", "max-model-len: 32768"]
	count(found(served(lines, "2"))) == 1
	found(served(array.concat(lines, ["kv-cache-dtype: fp8"]), "2")) == set()
	count(found(served(array.concat(lines, ["kv-cache-dtype: bfloat16"]), "2"))) == 1
}

test_vlm002_weights_in_fp8 if {
	count(found(served(["model: Qwen/Qwen3-32B", "max-model-len: 1024"], "1"))) == 1

	# 31.96 + 0.25 + 2 GiB stay below 35.88.
	found(served(["model: Qwen/Qwen3-32B", "max-model-len: 1024", "quantization: fp8"], "1")) == set()
	found(served(["model: Qwen/Qwen3-32B-FP8", "max-model-len: 1024"], "1")) == set()
	found(served(["model: Qwen/Qwen3-32B-AWQ", "max-model-len: 32768", "quantization: awq_marlin"], "1")) == set()
}

test_vlm002_pipeline_parallel_adds_gpus if {
	lines := ["model: Qwen/Qwen3-32B", "tensor-parallel-size: 2", "max-model-len: 32768", "pipeline-parallel-size: 2"]
	found(served(lines, "4")) == set()
}

test_vlm002_heads if {
	found(served(["model: Qwen/Qwen3-14B", "tensor-parallel-size: 3", "max-model-len: 1024"], "3")) == {result(
		flag("tensor-parallel-size"),
		[flag("model"), flag("max-model-len"), flag("tensor-parallel-size"), pool_place],
		"container 'vllm' wants a tensor-parallel-size that divides the 40 attention heads of 'Qwen/Qwen3-14B', found 3",
	)}
}

test_vlm002_kv_heads if {
	found(served(["model: Qwen/Qwen3-14B", "tensor-parallel-size: 20", "max-model-len: 1024"], "20")) == {result(
		flag("tensor-parallel-size"),
		[flag("model"), flag("max-model-len"), flag("tensor-parallel-size"), pool_place],
		"container 'vllm' wants a tensor-parallel-size that divides the 8 KV heads of 'Qwen/Qwen3-14B' or is a multiple of them, found 20",
	)}
	found(served(["model: Qwen/Qwen3-14B", "tensor-parallel-size: 40"], "40")) == set()
	found(served(["model: Qwen/Qwen3-14B", "tensor-parallel-size: 4"], "4")) == set()
}

test_vlm002_waits_for_the_gpu_limit if {
	found(served(["model: Qwen/Qwen3-14B", "tensor-parallel-size: 3"], "2")) == set()
	found(served(large, "1")) == set()
}

test_vlm002_silent_where_it_does_not_know if {
	lines := ["max-model-len: auto", "quantization: bitsandbytes", "dtype: float32", "kv-cache-dtype: nvfp4", "cpu-offload-gb: 20", "enable-lora: true", "gpu-memory-utilization: 2", "max-model-len: [1]"]
	loud := [line |
		some line in lines
		base := ["model: Qwen/Qwen3-32B", "tensor-parallel-size: 2"]
		count(found(served(array.concat(base, [line]), "2"))) > 0
	]
	loud == []
	found(served(["model: acme/llm-7b", "tensor-parallel-size: 2"], "2")) == set()
	found(served(["model: /models/llm", "tensor-parallel-size: 2"], "2")) == set()
	found(served(["tensor-parallel-size: 2"], "2")) == set()
}

test_vlm002_pool_decides if {
	doc := served(["model: Qwen/Qwen3-14B", "tensor-parallel-size: 2", "max-model-len: 32768"], "2")
	count(on_pool(doc, {"accelerator": "l4"})) == 0
	count(on_pool(doc, {"accelerator": "t4"})) == 1
	on_pool(doc, {"accelerator": "unheard-of"}) == set()
	on_pool(doc, {"accelerator": "mi300x-192gb"}) == set()
	vllm.deny == set() with input as doc
}

test_vlm002_facts_of_lockgate_yaml if {
	doc := served(["model: acme/llm-40b", "tensor-parallel-size: 2", "max-model-len: 4096"], "2")
	facts := {"parameters": 40000000000, "layers": 60, "heads": 64, "kv_heads": 8, "head_dim": 128, "max_position": 8192}
	found(doc) == set()
	with_models(doc, {"acme/llm-40b": facts}) == {result(
		flag("model"),
		[
			flag("model"), flag("max-model-len"), flag("tensor-parallel-size"),
			{"object": pool_place.object, "path": ["models", "acme/llm-40b"]}, pool_place,
		],
		"container 'vllm' wants 79.4 GiB for 'acme/llm-40b' (weights 74.5 GiB + KV cache of 4096 tokens 0.9 GiB + overhead 2 x 2 GiB), found 71.8 GiB (2 x 39 GiB of NVIDIA A100 40 GB x 0.92)",
	)}
	with_models(doc, {"acme/llm-40b": object.union(facts, {"parameters": 30000000000})}) == set()
	with_models(doc, {"acme/llm-40b": object.union(facts, {"quantization": "other", "weights_bytes": 20000000000})}) == set()
}

experts := {"parameters": 60000000000, "layers": 48, "heads": 32, "kv_heads": 4, "head_dim": 128, "max_position": 8192, "experts": 128}

test_vlm002_experts_over_ranks_are_not_covered if {
	models := {"acme/moe": experts}
	lines := ["model: acme/moe", "max-model-len: 4096"]
	count(with_models(served(array.concat(lines, ["tensor-parallel-size: 2"]), "2"), models)) == 1
	with_models(served(array.concat(lines, ["data-parallel-size: 2"]), "2"), models) == set()
	dense := {"acme/moe": object.remove(experts, ["experts"])}
	count(with_models(served(array.concat(lines, ["data-parallel-size: 2"]), "2"), dense)) == 1
}

# MLA: 2 GPUs x 60 layers x 576 x 2 bytes x 163840 tokens = 21.1 GiB, held whole by each GPU.
test_vlm002_latent_attention if {
	facts := {"parameters": 26000000000, "layers": 60, "heads": 128, "kv_heads": 128, "head_dim": 192, "max_position": 163840, "kv_lora_rank": 512, "qk_rope_head_dim": 64}
	lines := ["model: acme/mla", "tensor-parallel-size: 2", "gpu-memory-utilization: 0.9"]
	msgs := {one.msg | some one in with_models(served(lines, "2"), {"acme/mla": facts})}
	msgs == {"container 'vllm' wants 73.5 GiB for 'acme/mla' (weights 48.4 GiB + KV cache of 163840 tokens 21.1 GiB + overhead 2 x 2 GiB), found 70.2 GiB (2 x 39 GiB of NVIDIA A100 40 GB x 0.9)"}
	with_models(served(array.concat(lines, ["max-model-len: 32768"]), "2"), {"acme/mla": facts}) == set()
}

windowed := {"parameters": 29000000000, "layers": 48, "heads": 32, "kv_heads": 8, "head_dim": 128, "max_position": 131072, "window": 4096, "window_layers": 24}

# 24 layers x 131072 tokens and 24 layers x (4095 + 2048) at 4096 bytes: 12.6 GiB; all 48 in full: 24.0.
test_vlm002_windows if {
	models := {"acme/window": windowed}
	lines := ["model: acme/window", "tensor-parallel-size: 2"]
	with_models(served(lines, "2"), models) == set()
	count(with_models(served(array.concat(lines, ["disable-hybrid-kv-cache-manager: true"]), "2"), models)) == 1
	with_models(served(array.concat(lines, ["max-num-batched-tokens: 4096"]), "2"), models) == set()
	all := {"acme/window": object.union(windowed, {"window_layers": 48})}
	with_models(served(array.concat(lines, ["disable-hybrid-kv-cache-manager: true"]), "2"), all) == set()
}
