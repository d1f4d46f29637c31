package lockgate.vllm_test

import data.lockgate.lib.contract
import data.lockgate.lib.testing
import data.lockgate.vllm
import rego.v1

found(doc) := found_in(doc, "0.32.0")

found_in(doc, version) := result if {
	found := vllm.deny with input as doc with data.environments as testing.environments with data.pools as testing.pools with data.versions as {"vllm": version}
	result := {json.unmarshal(json.marshal(json.remove(one, ["fix"]))) | some one in found} # tests/test_fix.py looks at the fixes
}

# The server with these words after `vllm serve`.
words(args) := testing.server(testing.prod, {"args": args})

messages(doc) := {result.msg | some result in found(doc)}

file(text) := testing.serving(words(["--config", "/etc/vllm/serve.yaml"]), text)

at_word(index, msg) := {"id": "VLM001", "msg": msg, "object": testing.server_ref("prod"), "path": testing.container_path(["args", index])}

config_ref := {"apiVersion": "v1", "kind": "ConfigMap", "namespace": "chat-prod", "name": "chat-serve"}

at_key(key, msg) := {"id": "VLM001", "msg": msg, "object": config_ref, "path": ["data", "serve.yaml", key]}

test_nothing_to_say_without_objects if found(testing.document("prod", [])) == set()

# VLM001

test_vlm001_silent_without_a_version if {
	vllm.deny == set() with input as words(["m", "--no-such-flag"])
}

test_vlm001_unknown_flags if {
	found(words(["m", "--max-model-length", "4096"])) == {at_word(1, "container 'vllm' wants flags of vLLM 0.32.0, found '--max-model-length', did you mean '--max-model-len'?")}
	found(words(["m", "--swap-space=4"])) == {at_word(1, "container 'vllm' wants flags of vLLM 0.32.0, found '--swap-space', which went away in 0.18")}
	found(words(["m", "--disable-log-requests"])) == {at_word(1, "container 'vllm' wants flags of vLLM 0.32.0, found '--disable-log-requests', which --no-enable-log-requests replaces")}
	found(words(["m", "--xyzzy-plugh"])) == {at_word(1, "container 'vllm' wants flags of vLLM 0.32.0, found '--xyzzy-plugh'")}
	found(words(["m", "--no-max-model-len"])) == {at_word(1, "container 'vllm' wants flags of vLLM 0.32.0, found '--no-max-model-len', did you mean '--max-model-len'?")}
}

test_vlm001_unknown_key_of_the_file if {
	found(file("model: m\nguided-decoding-backend: xgrammar\n")) == {at_key("guided-decoding-backend", "container 'vllm' wants flags of vLLM 0.32.0, found 'guided-decoding-backend', which went away in 0.11")}
}

test_vlm001_the_tag_says_the_version if {
	older := testing.server(testing.prod, {"image": "docker.io/vllm/vllm-openai:v0.16.0", "args": ["m", "--swap-space=4", "--max-num-queued-reqs=3"]})
	found(older) == {at_word(2, "container 'vllm' wants flags of vLLM 0.16.0, found '--max-num-queued-reqs', which 0.31.0 has")}
	found(testing.server(testing.prod, {"image": "example.com/own:1", "args": ["m", "--swap-space=4"]})) == {at_word(1, "container 'vllm' wants flags of vLLM 0.32.0, found '--swap-space', which went away in 0.18")}
	found(testing.server(testing.prod, {"image": "docker.io/vllm/vllm-openai:v0.1.0", "args": ["m", "--foo=4"]})) == set()
}

test_vlm001_silent_on_what_vllm_understands if {
	found(words(["m", "--tensor_parallel_size", "2", "-tp=2", "-O3", "--max-model", "8k", "--no-enable-prefix-caching", "--compilation-config.mode=3", "-cc.mode=3"])) == set()
	found(words(["--headless", "meta/llama"])) == set()
	found(words(["m", "--help"])) == set()
	found(words(["m", "--hf-token"])) == set()
	found(words(["m", "--moe-backend=Flashinfer-Cutlass"])) == set()
	found(words(["m", "--served-model-name", "a", "b"])) == set()
	found(words(["m", "--quantization=None"])) == set()
}

test_vlm001_silent_on_other_servers if {
	found(testing.server(testing.prod, {"command": ["python3", "-m", "vllm.entrypoints.grpc_server"], "args": ["--xyzzy"]})) == set()
	found(words(["m", "--omni", "--xyzzy"])) == set()
	found(testing.server(testing.prod, {"command": ["python3", "-m", "vllm.entrypoints.openai.api_server"], "args": ["--xyzzy"]})) != set()
}

test_vlm001_silent_on_unknown_values if {
	found(words(["m", "--port=$(PORT)", "--max-model-len", "$(LENGTH)", "$(MORE)", "--$(NAME)=3"])) == set()
}

test_vlm001_values if {
	found(words(["m", "--tensor-parallel-size=two"])) == {at_word(1, "'--tensor-parallel-size' of vLLM 0.32.0 wants a whole number, found 'two'")}
	found(words(["m", "--dtype", "fp8"])) == {at_word(2, "'--dtype' of vLLM 0.32.0 wants one of auto, bfloat16, float, float16, float32, half, found 'fp8'")}
	found(words(["m", "--gpu-memory-utilization=90%"])) == {at_word(1, "'--gpu-memory-utilization' of vLLM 0.32.0 wants a number, found '90%'")}
	found(words(["m", "--max-model-len=32kB"])) == {at_word(1, "'--max-model-len' of vLLM 0.32.0 wants a whole number such as 8192 or 8k, found '32kB'")}
	found(words(["m", "--kv-transfer-config=nixl"])) == {at_word(1, "'--kv-transfer-config' of vLLM 0.32.0 wants JSON, found 'nixl'")}
	found(words(["m", "--port", "--host=::"])) == {at_word(1, "'--port' of vLLM 0.32.0 wants a value, found none")}
	found(words(["m", "--enforce-eager=true"])) == {at_word(1, "'--enforce-eager' of vLLM 0.32.0 wants no value, found 'true'")}
	found(words(["m", "--aggregate-engine-logging", "true"])) == {at_word(2, "'--aggregate-engine-logging' of vLLM 0.32.0 wants no value, found 'true'")}
	found(words(["m", "--max-lora-rank=24"])) == {at_word(1, "'--max-lora-rank' of vLLM 0.32.0 wants one of 1, 128, 16, 256, 32, 320, 512, 64, 8, found '24'")}
}

test_vlm001_values_at_the_edge_of_their_type if {
	some value in ["1", "+1", " 8 ", "1_000"]
	found(words(["m", "--max-num-seqs", value])) == set()
	found(words(["m", "--gpu-memory-utilization", ".9"])) == set()
	found(words(["m", "--gpu-memory-utilization", "1e-1"])) == set()
	found(words(["m", "--max-model-len", "-1"])) == set()
	found(words(["m", "--max-model-len", "auto"])) == set()
	found(words(["m", "--max-model-len", "25.6k"])) == set()
	found(words(["m", "--kv-transfer-config", `{"kv_connector": "NixlConnector"}`])) == set()
}

test_vlm001_values_of_the_file if {
	found(file("model: m\ntensor-parallel-size: 2.5\n")) == {at_key("tensor-parallel-size", "'tensor-parallel-size' of vLLM 0.32.0 wants a whole number, found '2.5'")}
	found(file("model: m\nenforce-eager: 'true'\n")) == {at_key("enforce-eager", "'enforce-eager' of vLLM 0.32.0 wants no value, found 'true'")}
	found(file("model: m\nport: true\n")) == {at_key("port", "'port' of vLLM 0.32.0 wants a value, found none")}
	found(file("model: m\nhost: [a, b]\n")) == {at_key("host", "'host' of vLLM 0.32.0 wants one value, found 2")}
	found(file("model: m\ndtype: fp16\n")) == {at_key("dtype", "'dtype' of vLLM 0.32.0 wants one of auto, bfloat16, float, float16, float32, half, found 'fp16'")}
	found(file("model: m\ncudagraph-capture-sizes: [1, two]\n")) == {at_key("cudagraph-capture-sizes", "'cudagraph-capture-sizes' of vLLM 0.32.0 wants a whole number, found 'two'")}
}

test_vlm001_silent_on_a_right_file if {
	found(file("model: m\nmax_model_len: 4096\nenable-prefix-caching: false\nserved-model-name: [a, b]\nchat-template: null\nport: 8000\ncompilation-config: {mode: 3}\nheadless: false\nmiddleware: []\n")) == set()
}

test_vlm001_file_in_one_word if {
	found(words(["--config=/etc/vllm/serve.yaml"])) == {at_word(0, "'--config' of vLLM 0.32.0 wants its value as the next word, found it after '='")}
}

test_vlm001_a_script_is_judged_by_its_flags_names if {
	found(testing.server(testing.prod, {"command": ["sh", "-c"], "args": ["exec vllm serve m --max-model-length 3 --kv-transfer-config '{\"a\": 1}' --port"]})) == {at_word(0, "container 'vllm' wants flags of vLLM 0.32.0, found '--max-model-length', did you mean '--max-model-len'?")}
}

at_variable(index, msg) := {"id": "VLM001", "msg": msg, "object": testing.server_ref("prod"), "path": testing.container_path(["env", index, "name"]), "severity": "warning"}

variables(env) := testing.server(words(["m"]), {"env": env})

test_vlm001_variables if {
	found(variables([{"name": "A", "value": "1"}, {"name": "VLLM_LOGING_LEVEL", "value": "INFO"}])) == {at_variable(1, "container 'vllm' wants variables of vLLM 0.32.0, found 'VLLM_LOGING_LEVEL', did you mean 'VLLM_LOGGING_LEVEL'?")}
	found(variables([{"name": "VLLM_ATTENTION_BACKEND", "value": "FLASHINFER"}])) == {at_variable(0, "container 'vllm' wants variables of vLLM 0.32.0, found 'VLLM_ATTENTION_BACKEND', which went away in 0.15")}
}

test_vlm001_silent_on_variables_of_the_pod if {
	found(variables([{"name": "VLLM_API_KEY", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}, {"name": "VLLM_NO_USAGE_STATS", "value": "1"}])) == set()
	found(testing.server(testing.prod, {"args": ["$(VLLM_MY_MODEL)"], "env": [{"name": "VLLM_MY_MODEL", "value": "m"}]})) == set()
	found(variables([{"name": "VLLM_MY", "value": "m"}, {"name": "HOST", "value": "$(VLLM_MY)"}])) == set()
	found(testing.server(testing.prod, {"image": "example.com/vllm-ascend:1", "args": ["m"], "env": [{"name": "VLLM_ASCEND_X", "value": "m"}]})) == set()
}

test_vlm001_variables_of_an_older_version if {
	older := testing.server(variables([{"name": "VLLM_NIXL_ABORT_REQUEST_TIMEOUT", "value": "1"}]), {"image": "docker.io/vllm/vllm-openai:v0.16.0"})
	count(found(older)) == count(found(variables([{"name": "VLLM_NIXL_ABORT_REQUEST_TIMEOUT", "value": "1"}]))) - 1
}

test_newer_by_number if {
	contract.newer("0.100", "0.32.0")
	contract.newer("1.0", "0.32.0")
	not contract.newer("0.32", "0.32.0")
	not contract.newer("0.9", "0.32.0")
}
