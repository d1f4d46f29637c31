# What objects name exists in the rendered environment.
package lockgate.references

import data.lockgate.lib.backends
import data.lockgate.lib.catalogue
import data.lockgate.lib.environment
import data.lockgate.lib.names
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

# METADATA
# title: What autoscalers, budgets, policies and routes point at exists
# description: >-
#   An autoscaler whose target is not there scales nothing, a budget or a policy whose selector matches no pod
#   protects none, a route to a Service that is not there answers with 500. None of them is refused. Where a
#   controller may make pods that no manifest shows, nothing is said.
# related_resources:
#   - https://kubernetes.io/docs/tasks/run-application/configure-pdb/
#   - https://gateway-api.sigs.k8s.io/reference/spec/#backendref
# custom:
#   id: REF003
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Correct `scaleTargetRef`, `selector`, `podSelector` or `backendRefs` so that kind, group, name and labels are those of an object of the environment, or remove the object that points at nothing.
deny contains result if {
	whole
	some scaler in scalers
	fault := target_fault(scaler)
	result := results.finding_at("REF003", scaler.ref, ["spec", "scaleTargetRef", fault.field], sprintf("scaleTargetRef wants %v, found %v", [
		fault.wanted,
		fault.found,
	]))
}

# Is everything that could be pointed at in sight?
whole if {
	not environment.partial
	count(refs.makers) == 0
}

# Autoscalers with what they say they scale: {"ref", "namespace", "kind", "group", "name"}.
scalers := [{
	"ref": objects.ref(obj),
	"namespace": objects.namespace(obj),
	"kind": objects.string_at(target, "kind"),
	"group": objects.group(objects.string_at(target, "apiVersion")),
	"name": target.name,
} |
	some obj in objects.all
	obj.kind in {"HorizontalPodAutoscaler", "ScaledObject"}
	target := object.union(target_defaults(obj.kind), obj.spec.scaleTargetRef)
	is_string(target.name)
]

target_defaults("HorizontalPodAutoscaler") := {}

target_defaults("ScaledObject") := {"apiVersion": "apps/v1", "kind": "Deployment"}

# {"field" of the reference, "wanted", "found"}; undefined for a target that can be scaled.
target_fault(scaler) := {"field": "kind", "wanted": sprintf("the Rollout '%v', whose pods they are", [rollouts[0]]), "found": "the Deployment that lends it the template"} if {
	scaler.kind == "Deployment"
	rollouts := lent_to(scaler)
	count(rollouts) > 0
} else := {"field": "name", "wanted": sprintf("a %v of this name", [scaler.kind]), "found": sprintf("none named '%v'", [scaler.name])} if {
	count(scaled_namesakes(scaler)) == 0
} else := {"field": "kind", "wanted": wanted, "found": sprintf("a %v '%v'", [scaler.kind, scaler.name])} if {
	same := scaled_namesakes(scaler)
	count([one | some one in same; one.kind == scaler.kind]) == 0
	wanted := sprintf("the %v '%v'", [same[0].kind, scaler.name])
} else := {"field": "apiVersion", "wanted": sprintf("the group '%v' of the %v", [objects.group(same[0].apiVersion), scaler.kind]), "found": sprintf("'%v'", [scaler.group])} if {
	same := [one | some one in scaled_namesakes(scaler); one.kind == scaler.kind]
	count([one | some one in same; objects.group(one.apiVersion) == scaler.group]) == 0
}

# Rollouts that take their pod template from the Deployment.
lent_to(scaler) := [objects.name(rollout) |
	some rollout in objects.of_kind("Rollout")
	objects.namespace(rollout) == scaler.namespace
	rollout.spec.workloadRef.kind == "Deployment"
	rollout.spec.workloadRef.name == scaler.name
]

# Objects of the target's name that have replicas: those with pods, and Rollouts.
scaled_namesakes(scaler) := array.concat(
	[ref |
		some pod in refs.pods
		pod.namespace == scaler.namespace
		pod.name == scaler.name
		not pod.kind in {"CronJob", "DaemonSet", "Job", "Pod"}
		ref := pod.ref
	],
	[objects.ref(obj) |
		some obj in objects.of_kind("Rollout")
		objects.namespace(obj) == scaler.namespace
		objects.name(obj) == scaler.name
		not obj.spec.template
	],
)

deny contains result if {
	whole
	some obj in objects.of_kind("PodDisruptionBudget")
	selector := object.get(obj, ["spec", "selector"], null)
	selects_nothing(obj, selector)
	result := results.finding("REF003", obj, array.concat(["spec", "selector"], odd_label(obj, selector)), sprintf("the PodDisruptionBudget wants a selector that matches a pod, found %v", [selector_text(selector)]))
}

deny contains result if {
	whole
	some obj in objects.of_kind("NetworkPolicy")
	selector := obj.spec.podSelector
	is_object(selector)
	selects_nothing(obj, selector)
	result := results.finding("REF003", obj, array.concat(["spec", "podSelector"], odd_label(obj, selector)), sprintf("the NetworkPolicy wants a podSelector that matches a pod, found %v", [selector_text(selector)]))
}

# No selector at all matches nothing, an empty one everything.
selects_nothing(_, null)

selects_nothing(obj, selector) if {
	is_object(selector)
	is_object(object.get(selector, "matchLabels", {}))
	ns := objects.namespace(obj)
	count([pod | some pod in refs.pods; pod.namespace == ns]) > 0
	count(refs.selected(ns, selector)) == 0
	not refs.selects_by_controller(selector)
}

# The way from a selector to the one label that no pod has, where there is one.
odd_label(obj, selector) := ["matchLabels", odd[0]] if {
	odd := [label |
		some label in object.keys(selector.matchLabels)
		on_no_pod(objects.namespace(obj), label, selector.matchLabels[label])
	]
	count(odd) == 1
} else := []

# The embedded engine does not see an argument that stands in an index alone: object.get.
on_no_pod(ns, label, value) if count([pod | some pod in refs.pods; pod.namespace == ns; object.get(pod.labels, label, null) == value]) == 0

selector_text(null) := "none"

selector_text(selector) := labels_text(selector.matchLabels) if {
	count(selector.matchLabels) > 0
} else := "matchExpressions" if {
	selector != null
}

deny contains result if {
	some backend in backends.all
	backend.group != ""
	result := results.finding_at("REF003", backend.route, array.concat(backend.path, ["group"]), sprintf("a backend of kind Service wants the group '', found '%v'", [backend.group]))
}

deny contains result if {
	whole
	some backend in backends.all
	backend.group == ""
	not backends.service_ports[refs.key_of(backend.route.namespace, backend.name)]
	not backends.of_a_rollout(backend)
	result := results.finding_at("REF003", backend.route, array.concat(backend.path, ["name"]), sprintf("a backend wants a Service of the environment, found none named '%v'", [backend.name]))
}

deny contains result if {
	some backend in backends.all
	backend.group == ""
	ports := backends.service_ports[refs.key_of(backend.route.namespace, backend.name)]
	count(ports) > 0
	is_number(backend.port.value)
	not backend.port.value in ports
	result := results.finding_at("REF003", backend.route, backend.port.path, sprintf("a backend wants a port of the Service '%v' (%v), found %v", [
		backend.name,
		concat(", ", [sprintf("%v", [port]) | some port in ports]),
		backend.port.value,
	]))
}

# METADATA
# title: The model has one name everywhere
# description: >-
#   vLLM answers to `--served-model-name` and labels its metrics with the first of these names. A query,
#   an autoscaler's selector or a route with another name finds nothing: the alert never fires, the analysis
#   sees no request, the autoscaler stands still, and nobody is told.
# related_resources:
#   - https://docs.vllm.ai/en/stable/serving/openai_compatible_server.html
# custom:
#   id: REF004
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Write the first name of `served-model-name` into the `model_name` matcher, the selector or the header, or change `served-model-name`.
deny contains result if {
	names.known
	not renamed
	some use in names.uses
	use.found == false
	result := results.finding_at("REF004", use.object, use.path, sprintf("%v wants the served model name %v, found '%v'", [
		use.what,
		names.shown,
		use.shown,
	]))
}

# Where all others agree on another name, the engine's is the one to change.
deny contains result if {
	names.known
	renamed
	entry := names.served[0]
	result := results.finding_at("REF004", entry.place.object, entry.place.path, sprintf("the served model name wants to be '%v', which %v places name, found %v", [
		names.uses[0].shown,
		count(names.uses),
		names.shown,
	]))
}

renamed if {
	count(names.served) == 1
	count(names.uses) > 1
	count({use.shown | some use in names.uses}) == 1
	names.uses[0].found == false
}
