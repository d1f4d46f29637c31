# vLLM engines and the flags they are started with: from `command`, `args` (also inside
# `sh -c`), container variables, and the ConfigMap file behind --config.
package lockgate.lib.vllm

import data.lockgate.lib.command
import data.lockgate.lib.flags
import data.lockgate.lib.quantity
import data.lockgate.lib.workloads
import rego.v1

# What the repository's own image reads from its environment.
entrypoint_variables := {
	"MODEL_NAME": "model",
	"PORT": "port",
	"TP_SIZE": "tensor-parallel-size",
}

# Every container or init container that starts an engine: an entry of
# workloads.containers with "flags": {name: {"value", "object", "path"}}, "unknown": names
# whose value only the cluster knows, "complete": no source of flags is out of sight, "said": every
# flag of the command line ({"name", "word", "value", "attached", "at", "path"}), "script": in a shell's words.
engines := [engine |
	some entry in workloads.containers
	may_serve(entry.container)
	all_words := command.words(entry)
	start := engine_start(entry.container, all_words)
	given := flags.arguments(entry, all_words, start)
	file := flags.config_file(entry, given)
	engine := {
		"workload": entry.workload,
		"object": entry.object,
		"pod": entry.pod,
		"container": entry.container,
		"name": entry.name,
		"path": entry.path,
		"init": entry.init,
		"gpu_keys": entry.gpu_keys,
		"flags": object.union(object.union(variables(entry), file.flags), given.flags),
		"unknown": given.unknown,
		"complete": file.complete,
		"said": given.said,
		"script": command.words_of_script(entry),
	}
]

# A first look that is cheap: most containers have nothing to do with vLLM.
may_serve(container) if contains(sprintf("%v", [[container.image, object.get(container, "command", []), object.get(container, "args", [])]]), "vllm")

may_serve(container) if reads_variables(container)

main_engines := [engine |
	some engine in engines
	not engine.init
]

# The one engine per pod template that serves: the first that holds GPUs, else the first.
servers := [engine |
	some engine in main_engines
	serves(engine)
]

# Path of the serving container by the workload's id.
server_paths := {id: preferred[0] |
	some id in {engine.workload.id | some engine in main_engines}
	own := [engine |
		some engine in main_engines
		engine.workload.id == id
	]
	preferred := array.concat([engine.path | some engine in own; engine.gpu_keys[0]], [engine.path | some engine in own])
}

# The serving engine of a workload; undefined when it has none.
server_of(workload) := found[0] if {
	found := [engine |
		some engine in servers
		engine.workload.id == workload.id
	]
}

# Is this container the serving engine of its pod?
serves(entry) if server_paths[entry.workload.id] == entry.path

# The value of a flag, if the repository says it.
value(engine, name) := engine.flags[name].value

# A flag as a whole number, `otherwise` when it is surely absent; undefined when unknown.
number(engine, name, _) := quantity.whole_value(engine.flags[name].value)

number(engine, name, otherwise) := otherwise if absent(engine, name)

# Surely not given, so that vLLM's default holds.
absent(engine, name) if {
	engine.complete
	not engine.flags[name]
	not name in engine.unknown
}

# Is the flag a switch that is on?
on(engine, name) if is_true(engine.flags[name].value)

is_true(v) if v in {true, "true", "True"}

# GPUs that each serving engine takes, by the workload's id, where they are known.
needed := {id: gpus |
	some engine in servers
	id := engine.workload.id
	gpus := gpus_needed(engine)
}

# GPUs that the engine takes in its pod: tensor x pipeline x prefill context x local data
# parallel size. Undefined when a size is unknown or the engine spans pods.
gpus_needed(engine) := product if {
	not spans_pods(engine)
	product := ((number(engine, "tensor-parallel-size", 1) * number(engine, "pipeline-parallel-size", 1)) * number(engine, "prefill-context-parallel-size", 1)) * local_ranks(engine)
}

local_ranks(engine) := number(engine, "data-parallel-size-local", 1) if engine.flags["data-parallel-size-local"]

local_ranks(engine) := number(engine, "data-parallel-size", 1) if {
	absent(engine, "data-parallel-size-local")
	not one_rank_here(engine)
}

local_ranks(engine) := 1 if {
	absent(engine, "data-parallel-size-local")
	one_rank_here(engine)
}

one_rank_here(engine) if {
	some name in ["data-parallel-rank", "data-parallel-external-lb"]
	engine.flags[name]
}

spans_pods(engine) if number(engine, "nnodes", 1) != 1

spans_pods(engine) if value(engine, "distributed-executor-backend") == "ray"

spans_pods(engine) if engine.workload.path[1] == "leaderWorkerTemplate"

# Does this text start a vLLM engine?
starts_engine(script) if regex.match(`(^|[\s/;&|"'])vllm["']?\s+["']?serve($|[\s"'])`, script)

starts_engine(script) if regex.match(`vllm\.entrypoints\.|from vllm import|import vllm($|[\s;])`, script)

# The words of a list such as `command` as one text.
joined(list) := concat(" ", [word | some word in list; is_string(word)])

# Index of the first word after the command that starts an engine.
engine_start(container, list) := starts[0] if {
	starts := command_starts(list)
	count(starts) > 0
} else := 0 if {
	not container.command
	image_serves(container)
}

# `vllm serve` or a module of vllm.entrypoints.
command_starts(list) := array.concat(
	[n |
		some i
		word := list[i]
		endswith(word.text, "vllm")
		command.base_name(word.text) == "vllm"
		list[i + 1].text == "serve"
		n := i + 2
	],
	[n |
		some i
		word := list[i]
		startswith(word.text, "vllm.entrypoints.")
		n := i + 1
	],
)

image_serves(container) if strings.any_prefix_match(command.base_name(container.image), ["vllm-openai", "vllm-cpu", "vllm-tpu", "vllm-rocm"])

image_serves(container) if {
	contains(container.image, "rocm/vllm")
	strings.any_prefix_match(command.base_name(container.image), ["vllm:", "vllm@"])
}

image_serves(container) if reads_variables(container)

# Flags of the image's own entrypoint variables.
variables(entry) := {} if not reads_variables(entry.container)

variables(entry) := {flag: spot |
	some name, flag in entrypoint_variables
	places := [place |
		some place in command.variable_places(entry)
		place.name == name
	]
	count(places) > 0
	last := places[count(places) - 1]
	spot := {"value": last.text, "object": last.object, "path": last.path}
} if {
	reads_variables(entry.container)
}

reads_variables(container) if {
	not container.command
	names := {variable.name | some variable in container.env}
	"MODEL_NAME" in names
	"TP_SIZE" in names
}
