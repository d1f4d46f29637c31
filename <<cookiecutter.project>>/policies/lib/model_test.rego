package lockgate.lib.model_test

import data.lockgate.lib.model
import rego.v1

serving(id) := {"flags": {"model": {"value": id}}}

test_facts_of_the_catalogue if {
	model.facts(serving("Qwen/Qwen3-14B")).layers == 40
	not model.facts(serving("acme/llm-7b"))
	not model.facts({"flags": {}})
	not model.facts(serving(7))
}

test_facts_of_lockgate_yaml_come_first if {
	own := {"Qwen/Qwen3-14B": {"layers": 41}, "acme/llm-7b": {"layers": 32}}
	changed := model.facts(serving("Qwen/Qwen3-14B")).layers with data.models as own
	changed == 41
	added := model.facts(serving("acme/llm-7b")).layers with data.models as own
	added == 32
	other := model.facts(serving("Qwen/Qwen3-8B")).layers with data.models as own
	other == 36
}

test_bytes_of_the_weights if {
	model.weights_bytes(serving("Qwen/Qwen3-14B")) == 14768307200 * 2

	# 8 bits, embeddings at 16.
	model.weights_bytes(serving("Qwen/Qwen3-14B-FP8")) == (14768307200 - 1555824640) + (1555824640 * 2)

	# 4.15625 bits: 13212482560 x 4.15625 / 8 = 6864297580.
	model.weights_bytes(serving("Qwen/Qwen3-14B-AWQ")) == 6864297580 + (1555824640 * 2)
	not model.weights_bytes(serving("acme/llm-7b"))
}

test_published_bytes_are_preferred if {
	own := {"acme/llm-7b": {"weights_bytes": 5000000000, "parameters": 7000000000, "embedding_parameters": 0, "quantization": "awq"}}
	found := model.weights_bytes(serving("acme/llm-7b")) with data.models as own
	found == 5000000000
}

test_tenths_of_a_gib if {
	model.tenths(29536614400) == "27.5"
	model.tenths(1073741824) == "1.0"
	model.tenths(0) == "0.0"

	# 0.05 GiB rounds up.
	model.tenths(53687092) == "0.1"
	model.tenths(53687091) == "0.0"
	model.tenths(1342052838400) == "1249.9"
}
