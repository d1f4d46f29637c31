# GPUs of a serving pod: asked for, used, shared memory between them.
package lockgate.gpu

import data.lockgate.lib.catalogue
import data.lockgate.lib.environment
import data.lockgate.lib.results
import data.lockgate.lib.shared_memory
import data.lockgate.lib.vllm
import data.lockgate.lib.workloads
import rego.v1

# METADATA
# title: Serving containers ask for whole GPUs
# description: >-
#   Without a GPU limit the device plugin gives the container no device and vLLM dies at
#   start. The API server refuses fractions of an extended resource and a request that
#   differs from its limit. A key that the pool does not offer leaves the pod Pending.
# related_resources:
#   - https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/
# custom:
#   id: GPU001
#   scope: object
#   severity: {dev: error, canary: error, prod: error}
#   remediation: >-
#     Set resources.limits["nvidia.com/gpu"] (or the key that pools.<pool>.gpu_resources in
#     lockgate.yaml lists) to a whole number, and leave the request out or equal.
deny contains result if {
	some trouble in troubles
	entry := trouble.entry
	problem := trouble.problem
	not filled_in_later(entry)
	found := results.finding("GPU001", entry.object, array.concat(entry.path, problem.path), problem.msg)
	answered := request_answer(entry, found)
	result := results.with_also(answered, also_places(entry.object, entry.path, problem.also))
}

# "${GPUS}": another program writes the number.
filled_in_later(entry) if {
	some key in broken_limits(entry)
	startswith(entry.container.resources.limits[key], "$")
}

troubles := [{"entry": entry, "problem": problem} |
	some entry in workloads.containers
	problem := request_problem(entry)
]

# The first fault of a container's GPU resources: {"path", "msg", "also"}, paths from the
# container on. One fault at a time: the others often follow from it.
request_problem(entry) := {
	"path": ["resources", "limits", wanted_key],
	"msg": sprintf("container %v has no GPU limit, wanted %v: 1 or more in resources.limits", [quoted(entry), wanted_key]),
	"also": [],
} if {
	vllm.serves(entry)
	count(workloads.limit_keys(entry.container)) == 0
	not workloads.claims_device(entry.container)
	not other_device(entry.container)
	not on_cpu(entry.container)
} else := {
	"path": ["resources", "limits", key],
	"msg": sprintf("container %v has the GPU limit %v: \"%v\", wanted a whole number of 1 or more", [quoted(entry), key, entry.container.resources.limits[key]]),
	"also": [],
} if {
	key := broken_limits(entry)[0]
} else := {
	"path": ["resources", "limits", key],
	"msg": sprintf("container %v asks for %v, wanted one of: %v", [quoted(entry), key, concat(", ", environment.pool.gpu_resources)]),
	"also": [],
} if {
	count(environment.pool.gpu_resources) > 0
	key := foreign_keys(entry)[0]
} else := {
	"path": ["resources", "requests", key],
	"msg": sprintf("container %v requests %v: \"%v\", wanted the limit \"%v\"", [quoted(entry), key, request, limit]),
	"also": [["resources", "limits", key]],
} if {
	key := unequal_requests(entry.container)[0]
	request := entry.container.resources.requests[key]
	limit := gpu_limit(entry.container, key)
}

# vLLM serves on processors too: an image that says so, or a variable of that backend.
on_cpu(container) if regex.match(`[/_-]cpu([/_:@.-]|$)`, container.image)

on_cpu(container) if {
	some variable in container.env
	startswith(variable.name, "VLLM_CPU_")
}

# TPUs, Gaudi, Inferentia, Ascend: any resource with a vendor's domain in front.
other_device(container) if {
	some key, _ in container.resources.limits
	contains(key, "/")
}

broken_limits(entry) := [key |
	some key in workloads.limit_keys(entry.container)
	not whole_limit(entry, key)
]

foreign_keys(entry) := [key |
	some key in entry.gpu_keys
	not key in environment.pool.gpu_resources
]

# GPU keys of the requests that the limits do not have, or have otherwise.
unequal_requests(container) := [key |
	some key in sort(object.keys(object.get(container, ["resources", "requests"], {})))
	workloads.is_gpu(key)
	format_number(container.resources.requests[key]) != format_number(gpu_limit(container, key))
]

# Of an unequal request the limit is the answer, where there is one.
request_answer(entry, found) := results.set_to(found, entry.container.resources.limits[key]) if {
	steps := count(found.path)
	found.path[steps - 2] == "requests"
	key := found.path[steps - 1]
	entry.container.resources.limits[key]
} else := found

gpu_limit(container, key) := object.get(container, ["resources", "limits", key], "none")

whole_limit(entry, key) if workloads.whole(entry.container.resources.limits[key]) > 0

# Only an engine must have a GPU: others may opt out with a zero.
whole_limit(entry, key) if {
	not vllm.serves(entry)
	workloads.is_zero(entry.container.resources.limits[key])
}

format_number(q) := sprintf("%v", [q])

quoted(entry) := sprintf("\"%v\"", [entry.name])

default wanted_key := "nvidia.com/gpu"

wanted_key := environment.pool.gpu_resources[0]

# METADATA
# title: The GPU limit equals the GPUs that the engine uses
# description: >-
#   vLLM takes tensor x pipeline x local data parallel GPUs. With fewer in the limit it dies
#   at start, with more the rest stands idle and paid.
# custom:
#   id: GPU002
#   severity: {dev: error, canary: error, prod: error}
#   remediation: >-
#     Set resources.limits["nvidia.com/gpu"] to tensor-parallel-size x
#     pipeline-parallel-size x data-parallel-size-local, or change those flags.
deny contains result if {
	some server in vllm.servers
	not troubled(server)
	keys := server.gpu_keys
	count(keys) == 1
	not keys[0] in catalogue.gpus.shared_keys
	limit := workloads.gpu_count(server.container)
	needed := vllm.needed[server.workload.id]
	limit != needed
	msg := sprintf("container %v has %v GPUs, wanted %v: %v", [quoted(server), limit, needed, size_words(server)])
	found := results.finding("GPU002", server.object, array.concat(server.path, ["resources", "limits", keys[0]]), msg)
	edits := array.concat(size_edits(server, keys[0], "limits", needed), size_edits(server, keys[0], "requests", needed))
	answered := results.with_fix(found, edits)
	result := results.with_also(answered, size_places(server))
}

# GPU002 waits until GPU001 holds.
troubled(server) if {
	some trouble in troubles
	trouble.entry.workload.id == server.workload.id
	trouble.entry.path == server.path
}

sizes := [
	"tensor-parallel-size",
	"pipeline-parallel-size",
	"prefill-context-parallel-size",
	"data-parallel-size",
	"data-parallel-size-local",
]

# The GPUs where they are written, as text if they were.
size_edits(server, key, field, needed) := [{"op": "set", "path": path, "value": value} |
	found := object.get(server.container, ["resources", field, key], null)
	path := array.concat(server.path, ["resources", field, key])
	value := like(found, needed)
]

like(found, needed) := sprintf("%v", [needed]) if is_string(found)

like(found, needed) := needed if is_number(found)

size_words(server) := "tensor-parallel-size 1 by default" if count(size_places(server)) == 0

size_words(server) := concat(" x ", [sprintf("%v %v", [name, server.flags[name].value]) |
	some name in sizes
	counts(server, name)
]) if {
	count(size_places(server)) > 0
}

size_places(server) := [results.place(flag.object, flag.path) |
	some name in sizes
	counts(server, name)
	flag := server.flags[name]
]

counts(server, name) if {
	server.flags[name]
	not superseded(server, name)
}

superseded(server, "data-parallel-size") if server.flags["data-parallel-size-local"]

# METADATA
# title: One container of a pod holds the GPUs and starts the engine
# description: >-
#   A second engine, in an init container, a sidecar, a postStart hook or an exec probe,
#   asks for GPU memory that the first one holds, or for devices of its own that the budget
#   does not know. vLLM warms itself up before /health answers.
# custom:
#   id: GPU003
#   scope: object
#   severity: {dev: error, canary: error, prod: error}
#   remediation: >-
#     Keep the engine and the GPU limit in one container. Fill caches in a Job without GPU;
#     drop warm-up engines from hooks and probes.
deny contains result if {
	some engine in vllm.engines
	engine.init
	msg := sprintf("init container %v starts a vLLM engine, wanted the engine in the serving container only", [quoted(engine)])
	result := results.finding("GPU003", engine.object, start_path(engine), msg)
}

deny contains result if {
	some engine in vllm.main_engines
	not vllm.serves(engine)
	server := vllm.server_of(engine.workload)
	msg := sprintf("container %v starts a second vLLM engine beside %v, wanted one engine in a pod", [quoted(engine), quoted(server)])
	result := results.finding("GPU003", engine.object, start_path(engine), msg)
}

deny contains result if {
	some workload in workloads.gpu_workloads
	keepers := holders(workload)
	count(keepers) > 1
	some entry in keepers
	not engine_at(entry)
	keeper := first_holder(workload, keepers)
	keeper.path != entry.path
	key := entry.gpu_keys[0]
	msg := sprintf("container %v holds %v GPUs beside %v, wanted one GPU holder in a pod", [quoted(entry), workloads.gpu_count(entry.container), quoted(keeper)])
	result := results.finding("GPU003", entry.object, array.concat(entry.path, ["resources", "limits", key]), msg)
}

deny contains result if {
	some entry in workloads.containers
	some hook in [["lifecycle", "postStart"], ["startupProbe"], ["readinessProbe"], ["livenessProbe"]]
	command := object.get(entry.container, array.concat(hook, ["exec", "command"]), null)
	vllm.starts_engine(vllm.joined(command))
	msg := sprintf("%v of container %v starts a vLLM engine, wanted the engine in the container's command only", [concat(".", hook), quoted(entry)])
	result := results.finding("GPU003", entry.object, array.concat(entry.path, array.concat(hook, ["exec", "command"])), msg)
}

# Containers of a workload that hold GPUs while the pod runs.
holders(workload) := [entry |
	some entry in workloads.containers
	entry.workload.id == workload.id
	entry.gpu_keys[0]
	stays(entry)
]

stays(entry) if not entry.init

stays(entry) if workloads.sidecar(entry.container)

first_holder(workload, keepers) := keeper if {
	server := vllm.server_of(workload)
	some keeper in keepers
	keeper.path == server.path
} else := keepers[0]

engine_at(entry) if {
	some engine in vllm.engines
	engine.path == entry.path
	engine.workload.id == entry.workload.id
}

start_path(engine) := array.concat(engine.path, ["command"]) if engine.container.command

start_path(engine) := array.concat(engine.path, ["image"]) if not engine.container.command

# METADATA
# title: Containers leave the choice of GPUs to the device plugin
# description: >-
#   A literal NVIDIA_VISIBLE_DEVICES or CUDA_VISIBLE_DEVICES walks round the device plugin:
#   the container sees devices of other pods, or not those that it was given.
# custom:
#   id: GPU004
#   scope: object
#   severity: {dev: error, canary: error, prod: error}
#   remediation: >-
#     Remove the variable; the GPU limit makes the plugin set it.
deny contains result if {
	some entry in workloads.containers
	list := object.get(entry.container, "env", [])
	some i, variable in list
	variable.name in {"NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"}
	is_string(variable.value)
	not hides_all(entry, variable.value)
	msg := sprintf("container %v sets %v to \"%v\", wanted the device plugin to set it", [quoted(entry), variable.name, variable.value])
	found := results.finding("GPU004", entry.object, array.concat(entry.path, ["env", i, "value"]), msg)
	result := results.with_fix(found, [{"op": "remove", "path": array.concat(entry.path, ["env", i])}])
}

# A container without GPUs may say that it wants to see none.
hides_all(entry, value) if {
	value in {"", "-1", "none", "void"}
	count(workloads.limit_keys(entry.container)) == 0
	not vllm.serves(entry)
}

# METADATA
# title: Engines on several GPUs have a bounded /dev/shm in memory
# description: >-
#   The worker processes of a tensor parallel engine talk through /dev/shm. The 64 MiB that
#   a container has by default are used up at once and NCCL crashes, and so are the 16 bytes
#   of a `sizeLimit: 16` without its Gi; a memory volume without a size limit, or as large as
#   the memory limit, lets the pod be killed instead. NCCL asks for 1 GiB.
# related_resources:
#   - https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/troubleshooting.html
#   - https://docs.vllm.ai/en/latest/deployment/k8s.html
# custom:
#   id: GPU005
#   severity: {dev: error, canary: error, prod: error}
#   remediation: >-
#     Mount a volume emptyDir{medium: Memory, sizeLimit: 16Gi} at /dev/shm, with a sizeLimit
#     below limits.memory. Do not use hostIPC for it.
deny contains result if {
	some server in vllm.servers
	size := vllm.number(server, "tensor-parallel-size", 1)
	size > 1
	problem := shared_memory.problem(server, size)
	found := results.finding("GPU005", server.object, problem.path, problem.msg)
	result := results.with_also(found, also_places(server.object, [], problem.also))
}

# Other places of one object, each a path below `above`.
also_places(obj, above, paths) := [spot |
	some path in paths
	spot := results.place(obj, array.concat(above, path))
]
