# CPU and memory of every container.
package lockgate.resources

import data.lockgate.lib.quantity
import data.lockgate.lib.results
import data.lockgate.lib.workloads
import rego.v1

# METADATA
# title: Containers say what CPU and memory they need
# description: >-
#   Without requests the scheduler puts the pod on a node that cannot carry it; with a
#   memory request below the limit the kernel kills it when the node is full, in the middle
#   of a long start. A CPU limit is not asked for: it throttles tokeniser and engine loop.
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
	result := results.finding("RES001", entry.object, array.concat(entry.path, array.concat(["resources"], absent[0])), msg)
}

deny contains result if {
	some entry in workloads.containers
	request := entry.container.resources.requests.memory
	limit := entry.container.resources.limits.memory
	quantity.bytes(request) != quantity.bytes(limit)
	msg := sprintf("container \"%v\" requests %v of memory, wanted the limit %v", [entry.name, request, limit])
	found := results.finding("RES001", entry.object, array.concat(entry.path, ["resources", "requests", "memory"]), msg)
	result := results.with_also(found, [results.place(entry.object, array.concat(entry.path, ["resources", "limits", "memory"]))])
}

missing(container) := [field |
	some field in [["requests", "cpu"], ["requests", "memory"], ["limits", "memory"]]
	object.get(container, array.concat(["resources"], field), null) == null
]
