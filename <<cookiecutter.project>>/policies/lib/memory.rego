# The model on the GPUs of its pod: shape and memory.
package lockgate.lib.memory

import data.lockgate.lib.catalogue
import data.lockgate.lib.environment
import data.lockgate.lib.model
import data.lockgate.lib.quantity
import data.lockgate.lib.results
import data.lockgate.lib.vllm
import data.lockgate.lib.workloads
import rego.v1

# Servers whose model and layout are known: {"server", "facts", "size" (tensor parallel)}. GPU002 comes first:
# a server whose limit is not what its flags need waits until it is.
cases := [case |
	some server in vllm.servers
	facts := model.facts(server)
	covered(server, facts)
	size := vllm.number(server, "tensor-parallel-size", 1)
	size > 0
	workloads.gpu_count(server.container) == vllm.needed[server.workload.id]
	case := {"server": server, "facts": facts, "size": size}
]

covered(server, facts) if {
	server.complete
	not beyond(server)
	not spread_experts(server, facts)
}

# A flag that changes what is held where, or one of ours whose value only the cluster knows.
beyond(server) if {
	some name in catalogue.memory.not_covered
	server.flags[name]
}

beyond(server) if {
	some name in server.unknown
	name in array.concat(own_flags, catalogue.memory.not_covered)
}

own_flags := [
	"model", "tensor-parallel-size", "pipeline-parallel-size", "data-parallel-size", "max-model-len",
	"gpu-memory-utilization", "device-memory-utilization", "kv-cache-dtype", "quantization", "dtype",
	"max-num-batched-tokens", "disable-hybrid-kv-cache-manager",
]

spread_experts(server, facts) if {
	facts.experts
	not one_rank(server)
}

one_rank(server) if vllm.number(server, "data-parallel-size", 1) == 1

shape_problem(case) := sprintf("divides the %v attention heads of '%v', found %v", [case.facts.heads, case.server.flags.model.value, case.size]) if {
	case.facts.heads % case.size != 0
} else := sprintf("divides the %v KV heads of '%v' or is a multiple of them, found %v", [case.facts.kv_heads, case.server.flags.model.value, case.size]) if {
	not case.facts.kv_lora_rank
	case.facts.kv_heads % case.size != 0
	case.size % case.facts.kv_heads != 0
}

size_flag(server) := server.flags["tensor-parallel-size"] if {
	server.flags["tensor-parallel-size"]
} else := server.flags.model

# The parts of the sum; undefined as soon as one is not known.
sum_of(case) := {
	"accelerator": accelerator,
	"gpus": gpus,
	"milli": utilization(case.server),
	"weights": model.loaded_bytes(case.facts, method(case.server)),
	"cache": model.cache_bytes(windows(case), case.size, length, value, batched(case.server)),
	"overhead": model.overhead_bytes(gpus),
	"length": length,
} if {
	two_bytes(case.server)
	accelerator := catalogue.accelerators[environment.pool.accelerator]
	case.server.gpu_keys == [accelerator.gpu_resource]
	gpus := case.size * vllm.number(case.server, "pipeline-parallel-size", 1)
	length := tokens(case.server, "max-model-len", case.facts.max_position)
	value := catalogue.memory.cache_bytes[cache_type(case)]
}

need(sum) := (sum.weights + sum.cache) + sum.overhead

have(sum) := model.offered_bytes(sum.accelerator, sum.gpus, sum.milli)

too_much(sum) if need(sum) > have(sum)

# "weights 27.5 GiB + KV cache of 32768 tokens 5.0 GiB + overhead 2 x 2 GiB"
need_words(sum) := sprintf("weights %v GiB + KV cache of %v tokens %v GiB + overhead %v x %v GiB", [
	model.tenths(sum.weights),
	sum.length,
	model.tenths(sum.cache),
	sum.gpus,
	catalogue.memory.overhead_gib,
])

# "2 x 39 GiB of NVIDIA A100 40 GB x 0.92"
have_words(sum) := sprintf("%v x %v GiB of %v x %v", [sum.gpus, sum.accelerator.memory_gib, sum.accelerator.product, share(sum.milli)])

# Without the manager of mixed caches every layer holds every token.
windows(case) := object.union(case.facts, {"window_layers": 0}) if {
	vllm.on(case.server, "disable-hybrid-kv-cache-manager")
	object.get(case.facts, "window_layers", 0) < case.facts.layers
} else := case.facts

two_bytes(server) if not server.flags.dtype

two_bytes(server) if server.flags.dtype.value in catalogue.memory.two_byte_dtypes

method(server) := "none" if not server.flags.quantization

method(server) := object.get({"None": "none"}, name, name) if {
	name := server.flags.quantization.value
	is_string(name)
}

cache_type(case) := object.get(case.facts, "kv_cache_dtype", "auto") if {
	object.get(case.server.flags, ["kv-cache-dtype", "value"], "auto") == "auto"
} else := case.server.flags["kv-cache-dtype"].value

utilization(server) := default_milli if not share_flag(server)

utilization(server) := milli if {
	milli := quantity.milli(share_flag(server).value)
	milli > 0
	milli <= 1000
}

# Two names of one flag.
share_flag(server) := server.flags["gpu-memory-utilization"]

share_flag(server) := server.flags["device-memory-utilization"] if not server.flags["gpu-memory-utilization"]

# 0.9 for 900 thousandths.
share(milli) := trim_right(sprintf("0.%v", [substring(sprintf("%v", [1000 + milli]), 1, -1)]), "0") if milli < 1000

share(1000) := "1"

batched(server) := tokens(server, "max-num-batched-tokens", catalogue.memory.batched_tokens)

# A number of tokens: 32768, "32768", "32k" (thousands), "32K" (of 1024); "auto" and -1 are unknown.
tokens(server, name, otherwise) := otherwise if not server.flags[name]

tokens(server, name, _) := number if {
	number := quantity.whole_value(server.flags[name].value)
	number > 0
	number <= 1000000000
}

tokens(server, name, _) := to_number(found[0][1]) * token_units[found[0][2]] if {
	word := server.flags[name].value
	is_string(word)
	found := regex.find_all_string_submatch_n(`^([1-9][0-9]{0,2})([kKmM])$`, word, 1)
}

token_units := {"k": 1000, "K": 1024, "m": 1000000, "M": 1048576}

# The flag to change first: a share below the usual one where that would do, a model whose
# weights alone are too much, else the length.
culprit(case, sum, wanted) := flag_place(share_flag(case.server)) if {
	share_flag(case.server)
	wanted <= model.offered_bytes(sum.accelerator, sum.gpus, usual_milli)
} else := flag_place(case.server.flags.model) if {
	sum.weights + sum.overhead > model.offered_bytes(sum.accelerator, sum.gpus, max([usual_milli, sum.milli]))
} else := flag_place(case.server.flags["max-model-len"]) if {
	case.server.flags["max-model-len"]
} else := flag_place(case.server.flags.model)

usual_milli := 900

default_milli := quantity.milli(catalogue.memory.utilization)

flag_place(flag) := results.place(flag.object, flag.path)

other_places(case) := array.concat(
	[flag_place(case.server.flags[name]) |
		some name in ["model", "max-model-len", "gpu-memory-utilization", "tensor-parallel-size"]
		case.server.flags[name]
	],
	array.concat(
		[results.settings_place(["models", id]) |
			id := case.server.flags.model.value
			data.models[id]
		],
		[results.settings_place(["pools", environment.settings.pool, "accelerator"])],
	),
)
