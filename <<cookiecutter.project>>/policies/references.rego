# What objects name exists in the rendered environment.
package lockgate.references

import data.lockgate.lib.catalogue
import data.lockgate.lib.environment
import data.lockgate.lib.objects
import data.lockgate.lib.refs
import data.lockgate.lib.results
import data.lockgate.lib.security
import data.lockgate.lib.text
import data.lockgate.lib.vllm
import data.lockgate.lib.workloads
import rego.v1

# METADATA
# title: What a pod refers to exists
# description: >-
#   A pod that names a ConfigMap, Secret, key, claim or ServiceAccount that is not there never starts. A
#   Secret exists when an ExternalSecret, a SealedSecret or a Certificate of the environment makes it. A
#   reference marked optional may dangle.
# custom:
#   id: REF001
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Correct the name, add the object to the environment, or set `optional` true where the pod can do without.
deny contains result if {
	not environment.partial
	some reference in refs.wanted
	not exists(reference)
	result := results.finding_at("REF001", reference.ref, reference.path, sprintf("wants a %v '%v', found none in the environment", [
		reference.kind,
		reference.name,
	]))
}

deny contains result if {
	some reference in refs.wanted
	known := refs.keys[reference.kind][refs.key_of(reference.namespace, reference.name)]
	not refs.unknown_key in known
	some entry in reference.keys
	not entry.key in known
	result := results.finding_at("REF001", reference.ref, entry.path, sprintf("wants the key '%v' in %v '%v', found %v", [
		entry.key,
		reference.kind,
		reference.name,
		text.list(sort(known)),
	]))
}

# The file that --config names, on a ConfigMap that is mounted whole.
deny contains result if {
	some engine in vllm.engines
	flag := engine.flags.config
	found := security.mount(engine, flag.value)
	not found.mount.subPath
	not found.volume.configMap.items
	not object.get(found.volume, ["configMap", "optional"], false)
	known := refs.keys.ConfigMap[refs.key_of(objects.namespace(engine.object), found.volume.configMap.name)]
	key := trim_left(trim_prefix(flag.value, trim_right(found.mount.mountPath, "/")), "/")
	not key in known
	result := results.finding("REF001", flag.object, flag.path, sprintf("wants the key '%v' in ConfigMap '%v', found %v", [
		key,
		found.volume.configMap.name,
		text.list(sort(known)),
	]))
}

# Priority classes belong to the cluster and may be made elsewhere: only names that Kubernetes keeps for
# itself are known.
deny contains result if {
	some workload in workloads.all
	class := workload.pod.priorityClassName
	startswith(class, catalogue.provided.priority_class_prefix)
	not class in catalogue.provided.priority_classes
	result := results.finding("REF001", workload.object, array.concat(workload.path, ["priorityClassName"]), sprintf("wants a PriorityClass '%v', found no such built-in class", [class]))
}

exists(reference) if refs.key_of(reference.namespace, reference.name) in refs.existing[reference.kind]

exists(reference) if {
	reference.kind == "ConfigMap"
	reference.name in catalogue.provided.config_maps
}

exists(reference) if {
	reference.kind == "ServiceAccount"
	reference.name in catalogue.provided.service_accounts
}

# METADATA
# title: A Service reaches its pods
# description: >-
#   A selector that matches no pod, or a target port that the pod does not have, gives a Service without
#   endpoints. A version or environment label in the selector lets go of the running pods at the next
#   release.
# custom:
#   id: REF002
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Select by `app.kubernetes.io/name` and `app.kubernetes.io/component` as the pod template has them, and set `targetPort` to the name of a container port.
deny contains result if {
	some service in selecting
	some label in moving_labels(service.selector)
	result := results.finding_at("REF002", service.ref, ["spec", "selector", label], sprintf("the selector wants labels that last, found '%v'", [label]))
}

deny contains result if {
	some service in selecting
	not environment.partial
	count(moving_labels(service.selector)) == 0
	count(service.pods) == 0
	found := results.finding_at("REF002", service.ref, ["spec", "selector"], sprintf("the selector wants a pod template with its labels, found none with %v", [labels_text(service.selector)]))
	places := [place |
		some label in object.keys(service.selector)
		place := {"object": service.ref, "path": ["spec", "selector", label]}
	]
	result := results.with_also(found, places)
}

deny contains result if {
	some service in selecting
	count(service.pods) > 0
	some index, port in service.ports
	target := object.get(port, "targetPort", port.port)
	offered := container_ports(service.pods)
	count(offered) > 0
	is_known(port, service.pods)
	not resolves(target, offered)
	result := results.finding_at("REF002", service.ref, ["spec", "ports", index, target_field(port)], sprintf("the target port wants a port of the selected pods (%v), found '%v'", [
		concat(", ", [trim_space(sprintf("%v %v", [object.get(entry, "name", ""), entry.containerPort])) | some entry in offered]),
		target,
	]))
}

# Services with a selector: {"ref", "selector", "ports", "pods": what it selects}.
selecting := [{
	"ref": objects.ref(obj),
	"selector": selector,
	"ports": object.get(obj, ["spec", "ports"], []),
	"pods": refs.selected(objects.namespace(obj), {"matchLabels": of_templates(selector)}),
} |
	some obj in objects.of_kind("Service")
	object.get(obj, ["spec", "type"], "ClusterIP") != "ExternalName"
	selector := object.get(obj, ["spec", "selector"], {})
	count(selector) > 0
	count([value | some value in selector; not is_string(value)]) == 0
]

# Without the labels that controllers put on the pods they make.
of_templates(selector) := {label: value |
	some label, value in selector
	not strings.any_prefix_match(label, catalogue.selectors.added_by_controllers)
}

moving_labels(selector) := [label |
	some label in catalogue.selectors.moving_labels
	selector[label]
]

# Ports of the containers (and sidecars) of the selected pods.
container_ports(chosen) := [port |
	some pod in chosen
	some container in workloads.pod_containers(workloads.all[pod.index].pod)
	some port in container.ports
]

# A container may listen on a number that it does not list. Who gives a name, or no target, means a listed
# port; an engine's ports are known.
is_known(port, _) if is_string(port.targetPort)

is_known(port, _) if not port.targetPort

is_known(port, chosen) if {
	is_number(port.targetPort)
	some pod in chosen
	vllm.server_paths[workloads.all[pod.index].id]
}

resolves(target, offered) if {
	some port in offered
	target in [port.containerPort, object.get(port, "name", null)]
}

target_field(port) := "targetPort" if port.targetPort

target_field(port) := "port" if not port.targetPort

labels_text(selector) := concat(", ", sort([sprintf("%v=%v", [label, selector[label]]) | some label in object.keys(selector)]))
