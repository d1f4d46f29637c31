# What the pinned vLLM version understands, and what it needs around it.
package lockgate.vllm

import data.lockgate.lib.catalogue
import data.lockgate.lib.contract
import data.lockgate.lib.directories
import data.lockgate.lib.flag_values
import data.lockgate.lib.links
import data.lockgate.lib.memory
import data.lockgate.lib.model
import data.lockgate.lib.objects
import data.lockgate.lib.results
import data.lockgate.lib.text
import data.lockgate.lib.vllm
import rego.v1

# METADATA
# title: vLLM knows its flags and variables
# description: >-
#   vLLM ends at start on a flag that its version does not have, and on a value of the wrong type or outside of
#   the choices. Looked at are command, args and the file behind `--config`, by the version in the tag of vLLM's
#   own image, else that of lockgate.yaml. The file is read only when `--config` and its path are two words: after
#   `--config=FILE` vLLM serves its default model. A VLLM_ variable that the version does not know has no effect,
#   so that one is a warning. Silent: values that only the cluster knows, variables that the pod itself uses, other
#   images' variables, versions that policies/data/vllm.json does not hold.
# related_resources:
#   - https://docs.vllm.ai/en/stable/configuration/serve_args/
#   - https://docs.vllm.ai/en/stable/configuration/env_vars/
# custom:
#   id: VLM001
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Write the flag, value or variable as the version has it; `vllm serve --help=all` of that version lists them.
deny contains result if {
	some spot in unknown_flags
	result := results.finding("VLM001", spot.object, spot.at, sprintf("%v wants flags of vLLM %v, found '%v'%v", [
		spot.holder,
		spot.version,
		spot.word,
		contract.explanation(spot.version, "flags", spot.name, spot.prefix),
	]))
}

deny contains result if {
	some spot in said
	not spot.script
	spec := specs[spot.key]
	fault := flag_values.value_fault(spot, spec)
	result := results.finding("VLM001", spot.object, spot.path, sprintf("'%v' of vLLM %v wants %v", [spot.word, spot.version, fault]))
}

deny contains result if {
	some spot in said
	spot.attached
	catalogue.vllm.separate[spot.name]
	result := results.finding("VLM001", spot.object, spot.at, sprintf("'%v' of vLLM %v wants its value as the next word, found it after '='", [spot.word, spot.version]))
}

deny contains result if {
	some entry in contract.engines
	contract.plain_image(entry.engine.container.image)
	some index
	variable := entry.engine.container.env[index]
	startswith(variable.name, "VLLM_")
	key := concat(" ", [entry.version, variable.name])
	not key in known_variables
	not used_here(entry.engine, variable.name)
	found := results.finding("VLM001", entry.engine.object, array.concat(entry.engine.path, ["env", index, "name"]), sprintf("container '%v' wants variables of vLLM %v, found '%v'%v", [
		entry.engine.name,
		entry.version,
		variable.name,
		contract.explanation(entry.version, "variables", variable.name, ""),
	]))
	result := object.union(found, {"severity": "warning"})
}

# Every flag that an engine is given, with what it is judged by.
said := array.concat(said_in_words, said_in_files)

said_in_words := [spot |
	some entry in servers
	some flag in entry.said
	not contains(flag.word, "$")
	spot := {
		"key": concat(" ", [entry.version, flag.name]),
		"name": flag.name,
		"word": flag.word,
		"value": flag.value,
		"attached": flag.attached,
		"at": flag.at,
		"path": flag.path,
		"version": entry.version,
		"object": entry.object,
		"holder": entry.holder,
		"script": entry.script,
		"prefix": "--",
		"file": false,
	}
]

said_in_files := [spot |
	some entry in servers
	some name
	flag := entry.flags[name]
	flag.object.kind == "ConfigMap"
	count(flag.path) == 3
	spot := {
		"key": concat(" ", [entry.version, name]),
		"name": name,
		"word": flag.path[2],
		"value": flag.value,
		"attached": false,
		"at": flag.path,
		"path": flag.path,
		"version": entry.version,
		"object": flag.object,
		"holder": entry.holder,
		"script": false,
		"prefix": "",
		"file": true,
	}
]

# Engines with vLLM's common flags, and of each what is needed here: copies cost the embedded engine.
servers := [server |
	some entry in contract.engines
	engine := entry.engine
	serves_openai(engine)
	server := {
		"version": entry.version,
		"said": engine.said,
		"flags": engine.flags,
		"script": engine.script,
		"object": objects.slim(engine.object),
		"holder": sprintf("container '%v'", [engine.name]),
	}
]

# The other servers of vllm.entrypoints have flags of their own, and so has what --omni starts.
serves_openai(engine) if {
	line := concat(" ", [vllm.joined(object.get(engine.container, "command", [])), vllm.joined(object.get(engine.container, "args", []))])
	not contains(line, "--omni")
	not other_server(line)
}

other_server(line) if {
	contains(line, "vllm.entrypoints.")
	not contains(line, "vllm.entrypoints.openai.api_server")
}

known_variables := {concat(" ", [entry.version, variable.name]) |
	some entry in contract.engines
	some variable in entry.engine.container.env
	startswith(variable.name, "VLLM_")
	catalogue.vllm.variables[variable.name]
	not catalogue.vllm.versions[entry.version].without.variables[variable.name]
} | {concat(" ", [entry.version, variable.name]) |
	some entry in contract.engines
	some variable in entry.engine.container.env
	catalogue.vllm.versions[entry.version].variables[variable.name]
}

# What the version says of each flag. The catalogue is read in rules' bodies, never in a function's:
# there each look costs the embedded engine a copy.
specs := object.union(object.union(parts_of_mappings, negatives), object.union(common_specs, own_specs))

own_specs := {spot.key: spec |
	some spot in said
	spec := catalogue.vllm.versions[spot.version].flags[spot.name]
}

common_specs := {spot.key: spec |
	some spot in said
	spec := catalogue.vllm.flags[spot.name]
	not catalogue.vllm.versions[spot.version].without.flags[spot.name]
}

# `--no-` of a switch.
negatives := {spot.key: "on" |
	some spot in said
	startswith(spot.name, "no-")
	name := substring(spot.name, 3, -1)
	catalogue.vllm.flags[name] == "switch"
	not catalogue.vllm.versions[spot.version].without.flags[name]
}

# `--flag.key`
parts_of_mappings := {spot.key: "any" |
	some spot in said
	contains(spot.name, ".")
	name := split(spot.name, ".")[0]
	catalogue.vllm.flags[name]
}

unknown_flags := [spot |
	some spot in said
	not specs[spot.key]
	judged_name(spot)
	not contract.begins_flag(spot.version, spot.name)
]

# Short flags may have their value attached (-O3).
judged_name(spot) if {
	regex.match(`^[a-z][a-z0-9-]*$`, spot.name)
	not short(spot.word)
	not spot.name in {"help", "version"}
}

short(word) if {
	startswith(word, "-")
	not startswith(word, "--")
}

# Is the variable the deployment's own: does a word or another variable use it?
used_here(engine, name) if {
	given := [variable.value | some variable in engine.container.env]
	words := [object.get(engine.container, "command", []), object.get(engine.container, "args", []), given]
	contains(sprintf("%v", [words]), name)
}

# METADATA
# title: The model fits the GPUs of its pod
# description: >-
#   Of each GPU vLLM takes `gpu-memory-utilization` (0.92 unless set). Weights, the KV cache of one request of
#   `max-model-len` tokens and about 2 GiB per GPU for the runtime have to fit in it, or the server dies while it
#   starts. It also dies when tensor parallel does not divide the attention heads, or neither divides the KV heads
#   nor is a multiple of them. The facts are those of policies/data/models.json and of `models` in lockgate.yaml.
#   Counted: grouped KV heads, which are copied when there are more GPUs than heads; MLA, whose cache each GPU holds
#   whole; sliding windows and local chunks (the window and the tokens of one step); mixtures of experts with all
#   their experts; fp8, AWQ, GPTQ and MXFP4 weights; an fp8 KV cache; pipeline parallel, as if its stages were equal.
#   Not covered, so silent: a model without facts, other quantisation, LoRA, speculative decoding, offloading to the
#   CPU, context parallel, experts spread over data parallel ranks, pods that share one engine, parts of a GPU,
#   images and other media beside the text.
# related_resources:
#   - https://docs.vllm.ai/en/stable/configuration/conserving_memory/
# custom:
#   id: VLM002
#   severity: {dev: error, canary: error, prod: error}
#   remediation: >-
#     Lower `max-model-len`, take a smaller or quantised model, set `kv-cache-dtype: fp8`, or raise
#     `tensor-parallel-size` (with the GPUs of the pod) to a divisor of the attention heads, or choose a pool with larger GPUs.
deny contains result if {
	some case in memory.cases
	problem := memory.shape_problem(case)
	places := array.concat([memory.flag_place(memory.size_flag(case.server))], memory.other_places(case))
	found := results.finding_at("VLM002", places[0].object, places[0].path, sprintf("container '%v' wants a tensor-parallel-size that %v", [case.server.name, problem]))
	result := results.with_also(found, array.slice(places, 1, count(places)))
}

deny contains result if {
	some case in memory.cases
	not memory.shape_problem(case)
	sum := memory.sum_of(case)
	memory.too_much(sum)
	places := array.concat([memory.culprit(case, sum, memory.need(sum))], memory.other_places(case))
	found := results.finding_at("VLM002", places[0].object, places[0].path, sprintf("container '%v' wants %v GiB for '%v' (%v), found %v GiB (%v)", [
		case.server.name,
		model.tenths(memory.need(sum)),
		case.server.flags.model.value,
		memory.need_words(sum),
		model.tenths(memory.have(sum)),
		memory.have_words(sum),
	]))
	result := results.with_also(found, array.slice(places, 1, count(places)))
}

# METADATA
# title: Engines get no service links in vLLM's own names
# description: >-
#   Kubernetes tells a pod of each Service of its namespace by variables. Those of a Service `vllm` are VLLM_PORT
#   and the like: vLLM reads VLLM_PORT=tcp://... as a port and ends at start. Any other name that begins with
#   `vllm-` gives variables that vLLM does not know, so that one is a warning; with `--fail-on-environ-validation`
#   the engine ends on them too. Silent: headless Services, which have no links, and a variable that the container
#   sets itself.
# related_resources:
#   - https://docs.vllm.ai/en/stable/configuration/env_vars/
#   - https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
# custom:
#   id: VLM003
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Set `enableServiceLinks` false in the pod's spec, or give the Service another name.
deny contains result if {
	some pod in links.linked
	service := pod.services[0]
	path := array.concat(pod.workload.path, ["enableServiceLinks"])
	finding := results.finding("VLM003", pod.workload.object, path, sprintf("the pod wants enableServiceLinks false beside Service '%v', whose links set %v; found %v", [
		service.name,
		array.concat(pod.broken, service.variables)[0],
		text.found(object.get(pod.workload.pod, "enableServiceLinks", null)),
	]))
	answered := results.set_to(finding, false)
	found := results.with_also(answered, [results.place(service.object, ["metadata", "name"])])
	result := object.union(found, weight(pod.broken))
}

weight([]) := {"severity": "warning"}

weight(broken) := {} if count(broken) > 0

# METADATA
# title: What an engine writes has a writable place
# description: >-
#   vLLM writes to HOME, TMPDIR and the compile caches, and ends at start when it cannot: with a read-only root only
#   mounts are writable, and a user that the image does not know owns no directory there and has `/` as its home.
#   Users are judged for vLLM's own image, which knows 0 and 2000. Silent: variables whose value only the cluster
#   knows, defaults of other images while there is a writable mount, a hub cache on a claim.
# related_resources:
#   - https://docs.vllm.ai/en/stable/deployment/docker/
# custom:
#   id: VLM004
#   scope: object
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Set HOME, TMPDIR and each cache variable to a path on a writable emptyDir of the container.
deny contains result if {
	some case in directories.cases
	found := directories.misplaced(case)
	count(found) > 0
	result := results.finding("VLM004", case.engine.object, directories.culprit(case.engine, found), sprintf("container '%v' %v and wants a writable mount for %v, found none at %v", [
		case.engine.name,
		case.why,
		concat(", ", [place.name | some place in found]),
		text.quoted(sort({place.directory | some place in found})),
	]))
}
