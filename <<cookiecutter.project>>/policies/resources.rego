# CPU, memory and local disk of every container.
package lockgate.resources

import data.lockgate.lib.catalogue
import data.lockgate.lib.objects
import data.lockgate.lib.quantity
import data.lockgate.lib.results
import data.lockgate.lib.shared_memory
import data.lockgate.lib.text
import data.lockgate.lib.vllm
import data.lockgate.lib.workloads
import rego.v1

# METADATA
# title: Containers say what CPU and memory they need
# description: >-
#   Without requests the scheduler puts the pod on a node that cannot carry it; with a
#   memory request below the limit the kernel kills it when the node is full, in the middle
#   of a long start. A CPU limit is not asked for: it throttles tokeniser and engine loop.
#   `memory: 64` is 64 bytes, `memory: 512m` half a byte, `cpu: 4000` four thousand CPUs.
# custom:
#   id: RES001
#   scope: object
#   severity: {dev: warning, canary: error, prod: error}
#   remediation: >-
#     Set resources.requests.cpu, resources.requests.memory and resources.limits.memory, the
#     two memory values equal.
deny contains result if {
	some entry in workloads.containers
	absent := missing(entry.container)
	count(absent) > 0
	msg := sprintf("container \"%v\" lacks %v, wanted requests.cpu, requests.memory and limits.memory", [entry.name, concat(", ", [concat(".", field) | some field in absent])])
	found := results.finding("RES001", entry.object, array.concat(entry.path, array.concat(["resources"], absent[0])), msg)
	result := memory_answer(entry, absent, found)
}

deny contains result if {
	some entry in workloads.containers
	count(slips(entry.container, "memory")) == 0
	request := entry.container.resources.requests.memory
	limit := entry.container.resources.limits.memory
	quantity.bytes(request) != quantity.bytes(limit)
	msg := sprintf("container \"%v\" requests %v of memory, wanted the limit %v", [entry.name, request, limit])
	found := results.finding("RES001", entry.object, array.concat(entry.path, ["resources", "requests", "memory"]), msg)
	answered := results.set_to(found, limit)
	result := results.with_also(answered, [results.place(entry.object, array.concat(entry.path, ["resources", "limits", "memory"]))])
}

# One slip for both fields, where both have it.
deny contains result if {
	some entry in workloads.containers
	result := slipped("RES001", entry, "memory")
}

deny contains result if {
	some entry in workloads.containers
	some field in ["requests", "limits"]
	asked := entry.container.resources[field].cpu
	quantity.amount(asked) > catalogue.thresholds.most_cpus
	result := results.finding("RES001", entry.object, array.concat(entry.path, ["resources", field, "cpu"]), sprintf("container \"%v\" wants no more CPUs than a node has (%v), found %v of them: 500m is half of one", [entry.name, catalogue.thresholds.most_cpus, text.found(asked)]))
}

# The resource fields, limits first, of bytes that nobody means.
slips(container, resource) := [field |
	some field in ["limits", "requests"]
	quantity.without_unit(container.resources[field][resource])
]

slipped(id, entry, resource) := results.with_also(found, also) if {
	fields := slips(entry.container, resource)
	asked := entry.container.resources[fields[0]][resource]
	found := results.finding(id, entry.object, array.concat(entry.path, ["resources", fields[0], resource]), sprintf("container \"%v\" wants a unit of %v.%v such as Gi, found %v: that is%v", [
		entry.name,
		fields[0],
		resource,
		text.found(asked),
		quantity.unit_said(asked),
	]))
	also := [spot |
		some field in array.slice(fields, 1, 2)
		spot := results.place(entry.object, array.concat(entry.path, ["resources", field, resource]))
	]
}

# One of the two memory fields is there: the other one is the same.
memory_answer(entry, absent, found) := results.set_to(found, entry.container.resources[other].memory) if {
	count(absent) == 1
	other := {"requests": "limits", "limits": "requests"}[absent[0][0]]
	absent[0][1] == "memory"
	entry.container.resources[other].memory
} else := found

missing(container) := [field |
	some field in [["requests", "cpu"], ["requests", "memory"], ["limits", "memory"]]
	object.get(container, array.concat(["resources"], field), null) == null
]

# METADATA
# title: Containers and scratch volumes are bounded on the node's disk
# description: >-
#   Logs, the writable layer and every emptyDir on disk share the node's disk with other pods. Without a request the
#   scheduler does not count it, without a limit or `sizeLimit` one pod fills it, and the kubelet evicts its
#   neighbours. 16 without a unit is 16 bytes: the pod is evicted at once. What a LimitRange of the namespace sets
#   counts. Silent: /dev/shm of an engine on several GPUs, which is GPU005's.
# related_resources:
#   - https://kubernetes.io/docs/concepts/storage/ephemeral-storage/
# custom:
#   id: RES002
#   severity: {dev: warning, canary: warning, prod: warning}
#   remediation: Set `ephemeral-storage` in the container's `resources.requests` and `resources.limits`, and `sizeLimit` in each emptyDir.
deny contains result if {
	some entry in workloads.containers
	absent := [field |
		some field in ["requests", "limits"]
		object.get(entry.container, ["resources", field, disk], null) == null
		not field in disk_defaults(objects.namespace(entry.object))
	]
	count(absent) > 0
	result := results.finding("RES002", entry.object, array.concat(entry.path, ["resources", absent[0], disk]), sprintf("container '%v' lacks %v, wanted requests and limits of ephemeral-storage", [
		entry.name,
		concat(", ", [concat(".", [field, disk]) | some field in absent]),
	]))
}

deny contains result if {
	some entry in workloads.containers
	result := slipped("RES002", entry, disk)
}

deny contains result if {
	some workload in workloads.all
	some index, volume in workload.pod.volumes
	limit := volume.emptyDir.sizeLimit
	quantity.without_unit(limit)
	not shared_memory_of_several(workload, volume)
	result := results.finding("RES002", workload.object, array.concat(workload.path, ["volumes", index, "emptyDir", "sizeLimit"]), sprintf("volume '%v' wants a unit of sizeLimit such as Gi, found %v: that is%v", [
		objects.string_at(volume, "name"),
		text.found(limit),
		quantity.unit_said(limit),
	]))
}

deny contains result if {
	some workload in workloads.all
	some index, volume in workload.pod.volumes
	is_object(volume.emptyDir)
	shared_memory.unbounded(volume.emptyDir)
	not shared_memory_of_several(workload, volume)
	result := results.finding("RES002", workload.object, array.concat(workload.path, ["volumes", index, "emptyDir", "sizeLimit"]), sprintf("volume '%v' wants a sizeLimit of its emptyDir, found %v", [
		objects.string_at(volume, "name"),
		text.found(object.get(volume.emptyDir, "sizeLimit", null)),
	]))
}

disk := "ephemeral-storage"

# What LimitRanges of a namespace fill in for containers. A default limit is the default request too.
disk_defaults(ns) := {field |
	some obj in objects.of_kind("LimitRange")
	objects.namespace(obj) == ns
	some item in obj.spec.limits
	item.type == "Container"
	some field in ["requests", "limits"]
	some filled in fills[field]
	item[filled][disk]
}

fills := {"requests": ["default", "defaultRequest"], "limits": ["default"]}

shared_memory_of_several(workload, volume) if {
	server := vllm.server_of(workload)
	vllm.number(server, "tensor-parallel-size", 1) > 1
	some mount in server.container.volumeMounts
	mount.name == volume.name
	trim_suffix(mount.mountPath, "/") == "/dev/shm"
}
