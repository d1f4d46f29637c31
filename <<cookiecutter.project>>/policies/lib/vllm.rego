# vLLM engines and the flags they are started with: from `command`, `args` (also inside
# `sh -c`), container variables, and the ConfigMap file behind --config.
package lockgate.lib.vllm

import data.lockgate.lib.objects
import data.lockgate.lib.quantity
import data.lockgate.lib.text
import data.lockgate.lib.workloads
import rego.v1

# Short names of flags that the rules read.
aliases := {
	"tp": "tensor-parallel-size",
	"pp": "pipeline-parallel-size",
	"pcp": "prefill-context-parallel-size",
	"dp": "data-parallel-size",
	"dpl": "data-parallel-size-local",
	"dpn": "data-parallel-rank",
	"dpe": "data-parallel-external-lb",
	"dpm": "data-parallel-multi-port-external-lb",
	"dph": "data-parallel-hybrid-lb",
	"q": "quantization",
	"n": "nnodes",
	"r": "node-rank",
}

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
	all_words := words(entry)
	start := engine_start(entry.container, all_words)
	given := arguments(entry, all_words, start)
	file := config_file(entry, given)
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
		"script": words_of_script(entry),
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

# Command and args of a container, one entry per word, with the place of each:
# {"text", "path"}. A `sh -c` script is split into its words.
words(entry) := plain if {
	plain := written_words(entry)
	not contains(concat(" ", [word.text | some word in plain]), "$")
} else := [word |
	some plain in written_words(entry)
	word := {"text": expand(entry, plain.text), "path": plain.path}
]

written_words(entry) := script_words(items) if {
	items := raw_words(entry)
	is_shell(items)
} else := raw_words(entry)

raw_words(entry) := [item |
	some field in ["command", "args"]
	list := entry.container[field]
	is_array(list)
	some i
	word := list[i]
	item := {"text": format(word), "path": array.concat(entry.path, [field, i])}
]

format(word) := word if is_string(word)

# A list or mapping is no word: unknown, as a variable that nobody sets. So is a number that the engines write
# in two ways.
format(word) := sprintf("%v", [word]) if {
	not is_string(text.shown(word))
	not endless(word)
}

format(word) := "$" if endless(word)

endless(word) if {
	is_number(word)
	abs(word) > quantity.largest
}

format(word) := "$" if {
	not is_string(word)
	is_string(text.shown(word))
}

words_of_script(entry) if {
	is_shell(raw_words(entry))
} else := false

is_shell(items) if {
	base_name(items[0].text) in {"sh", "bash", "dash", "ash"}
	some item in array.slice(items, 1, 3)
	startswith(item.text, "-")
	endswith(item.text, "c")
}

base_name(path) := parts[count(parts) - 1] if {
	parts := split(path, "/")
}

script_words(items) := [item |
	scripts := [word |
		some i
		word := items[i]
		i > 0
		not startswith(word.text, "-")
	]
	script := scripts[0]
	whole := regex.replace(script.text, `\\\r?\n`, " ")
	spaced := regex.replace(whole, `(&&|\|\|?|;|\n)`, " ; ")
	some part in regex.split(`\s+`, regex.replace(spaced, `["']`, ""))
	part != ""
	item := {"text": part, "path": script.path}
]

# $(NAME), ${NAME} and $NAME by the container's own variables; what stays is unknown.
expand(_, word) := word if not contains(word, "$")

expand(entry, word) := expanded(entry, word) if contains(word, "$")

# Apart from `expand`: the embedded engine reads the variables before it looks at the guard.
expanded(entry, word) := tail_expanded(known, strings.replace_n(patterns, word)) if {
	known := literals(entry)
	braced := {sprintf("${%v}", [name]): v | some name, v in known}
	rounded := {sprintf("$(%v)", [name]): v | some name, v in known}
	patterns := object.union(braced, rounded)
}

tail_expanded(known, word) := concat("", [found[0][1], known[found[0][2]]]) if {
	found := regex.find_all_string_submatch_n(tail_pattern, word, 1)
} else := word

tail_pattern := `^(.*)\$([A-Za-z_][A-Za-z0-9_]*)$`

# Variables whose value the repository says: literal, or a key of a rendered ConfigMap.
literals(entry) := {name: texts[count(texts) - 1] |
	places := variable_places(entry)
	some name in {place.name | some place in places}
	texts := [place.text |
		some place in places
		place.name == name
	]
	not contains(texts[count(texts) - 1], "$")
}

variable_places(entry) := array.concat(literal_places(entry), config_places(entry))

literal_places(entry) := [place |
	list := object.get(entry.container, "env", [])
	some i
	variable := list[i]
	not variable.valueFrom
	place := {
		"name": variable.name,
		"text": format(object.get(variable, "value", "")),
		"object": objects.slim(entry.object),
		"path": array.concat(entry.path, ["env", i, "value"]),
	}
]

config_places(entry) := [place |
	some variable in object.get(entry.container, "env", [])
	source := variable.valueFrom.configMapKeyRef
	config := objects.named("ConfigMap", objects.namespace(entry.object), source.name)
	place := {
		"name": variable.name,
		"text": config.data[source.key],
		"object": objects.slim(config),
		"path": ["data", source.key],
	}
]

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
		base_name(word.text) == "vllm"
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

image_serves(container) if strings.any_prefix_match(base_name(container.image), ["vllm-openai", "vllm-cpu", "vllm-tpu", "vllm-rocm"])

image_serves(container) if {
	contains(container.image, "rocm/vllm")
	strings.any_prefix_match(base_name(container.image), ["vllm:", "vllm@"])
}

image_serves(container) if reads_variables(container)

# Flags of the image's own entrypoint variables.
variables(entry) := {} if not reads_variables(entry.container)

variables(entry) := {flag: spot |
	some name, flag in entrypoint_variables
	places := [place |
		some place in variable_places(entry)
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

# The flags among the words from `start` to the end of that command; the last one counts.
arguments(entry, all_words, start) := {"flags": known_flags(entry, latest), "unknown": unknown_names(latest), "said": said} if {
	list := array.slice(all_words, start, command_end(all_words, start))
	said := parse(list)
	latest := last_by_name(array.concat(positional(list), said))
}

command_end(all_words, start) := min(array.concat(ends, [count(all_words)])) if {
	ends := [i |
		some i
		all_words[i].text == ";"
		i >= start
	]
}

last_by_name(parsed) := latest if {
	count({flag.name | some flag in parsed}) == count(parsed)
	latest := {flag.name: flag | some flag in parsed}
} else := {name: last |
	some name in {flag.name | some flag in parsed}
	same := [flag | some flag in parsed; flag.name == name]
	last := same[count(same) - 1]
}

known_flags(entry, latest) := {name: spot |
	holder := objects.slim(entry.object)
	some name, flag in latest
	not unresolved(flag.value)
	spot := {"value": flag.value, "object": holder, "path": flag.path}
}

unknown_names(latest) := sort([name |
	some name in object.keys(latest)
	unresolved(latest[name].value)
])

unresolved(v) if {
	is_string(v)
	contains(v, "$")
}

# `vllm serve MODEL`
positional(list) := [{"name": "model", "value": list[0].text, "path": list[0].path}] if {
	is_value(list[0].text)
} else := []

is_value(word) if not is_flag(word)

# A dash before a digit is a negative number.
is_flag(word) if {
	startswith(word, "-")
	not regex.match(`^-[0-9.]`, word)
}

parse(list) := [parsed |
	some i
	word := list[i]
	is_flag(word.text)
	parsed := flag_at(list, i, word)
]

flag_at(_, _, word) := {"name": canonical(name), "word": name, "value": substring(word.text, at + 1, -1), "attached": true, "at": word.path, "path": word.path} if {
	at := indexof(word.text, "=")
	at > 0
	name := substring(word.text, 0, at)
}

flag_at(list, i, word) := {"name": canonical(word.text), "word": word.text, "value": list[i + 1].text, "attached": false, "at": word.path, "path": list[i + 1].path} if {
	not contains(word.text, "=")
	takes_next(list, i, word)
}

flag_at(list, i, word) := {"name": canonical(word.text), "word": word.text, "value": true, "attached": false, "at": word.path, "path": word.path} if {
	not contains(word.text, "=")
	not takes_next(list, i, word)
}

# Flags that take no value begin like this.
switch_prefixes := ["--no-", "--enable-", "--disable-", "--trust-", "--enforce-", "--async-"]

takes_next(list, i, word) if {
	is_value(list[i + 1].text)
	not strings.any_prefix_match(word.text, switch_prefixes)
}

# A flag's long name without dashes. Keys of the file have none to begin with.
canonical(name) := replace(trim_left(name, "-"), "_", "-") if not is_short(name)

canonical(name) := object.get(aliases, plain, plain) if {
	is_short(name)
	plain := trim_left(name, "-")
}

is_short(name) if {
	startswith(name, "-")
	not startswith(name, "--")
}

# The YAML file that --config names: its flags, and whether it could be read.
config_file(entry, given) := {"flags": {}, "complete": true} if {
	not given.flags.config
	not "config" in given.unknown
} else := {"flags": file_flags(found.config, found.key, content), "complete": true} if {
	found := config_at(entry, given.flags.config.value)
	content := text.yaml_value(found.config.data[found.key])
	is_object(content)
} else := {"flags": {}, "complete": false}

file_flags(config, key, content) := {flag: spot |
	holder := objects.slim(config)
	some name, v in content
	flag := canonical(name)
	not shadowed(content, name, flag)
	spot := {"value": v, "object": holder, "path": ["data", key, name]}
}

# `a_b` beside `a-b`: the file says the flag twice, the second spelling is kept.
shadowed(content, name, flag) if {
	flag != name
	object.get(content, flag, null) != null
}

# The ConfigMap and key that a file path of the container shows.
config_at(entry, file) := found[0] if {
	found := [{"config": config, "key": key} |
		some mount in object.get(entry.container, "volumeMounts", [])
		some volume in object.get(entry.pod, "volumes", [])
		volume.name == mount.name
		some source in config_sources(volume)
		config := objects.named("ConfigMap", objects.namespace(entry.object), source.name)
		shown := shown_file(mount, file)
		key := source_key(source, shown)
		config.data[key]
	]
}

config_sources(volume) := [volume.configMap] if volume.configMap

config_sources(volume) := [source.configMap |
	some source in volume.projected.sources
	source.configMap
] if {
	volume.projected
}

# The file's path inside the volume.
shown_file(mount, file) := mount.subPath if file == mount.mountPath

shown_file(mount, file) := trim_left(substring(file, count(base), -1), "/") if {
	not mount.subPath
	base := trim_suffix(mount.mountPath, "/")
	startswith(file, sprintf("%v/", [base]))
}

source_key(source, shown) := item.key if {
	some item in source.items
	item.path == shown
}

source_key(source, shown) := shown if not source.items
