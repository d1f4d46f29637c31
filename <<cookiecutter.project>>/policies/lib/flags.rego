# vLLM's flags: of a command line, and of the YAML file that its --config names.
package lockgate.lib.flags

import data.lockgate.lib.objects
import data.lockgate.lib.text
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
