# Disruption budgets: a drain may move servers, one after the other.
package lockgate.disruption

import data.lockgate.lib.environment
import data.lockgate.lib.objects
import data.lockgate.lib.quantity
import data.lockgate.lib.refs
import data.lockgate.lib.results
import data.lockgate.lib.scaling
import data.lockgate.lib.vllm
import data.lockgate.lib.workloads
import rego.v1

# METADATA
# title: A drain moves servers one after the other, and always can
# description: >-
#   Without a PodDisruptionBudget a node drain takes every server of a node at once. With two for the same
#   pod the API refuses each eviction, with a budget of nothing at the autoscaler's minimum the drain never
#   ends, and without AlwaysAllow a pod that never became ready holds it up.
# related_resources:
#   - https://kubernetes.io/docs/tasks/run-application/configure-pdb/
# custom:
#   id: PDB001
#   severity: {canary: warning, prod: error}
#   remediation: >-
#     Give each server exactly one PodDisruptionBudget with `maxUnavailable` 1, `unhealthyPodEvictionPolicy`
#     AlwaysAllow and the labels of its pod template in `selector`.
deny contains result if {
	not environment.partial
	some server in guarded
	count(server.budgets) == 0
	not dangling(server.namespace)
	result := results.finding("PDB001", server.object, ["spec", "template", "metadata", "labels"], sprintf("%v '%v' wants one PodDisruptionBudget that selects its pods, found none", [
		server.object.kind,
		objects.name(server.object),
	]))
}

deny contains result if {
	some server in guarded
	count(server.budgets) > 1
	names := concat(", ", [sprintf("'%v'", [objects.name(budget)]) | some budget in server.budgets])
	found := results.finding("PDB001", server.budgets[1], ["spec", "selector"], sprintf("%v '%v' wants one PodDisruptionBudget, found %v: %v", [
		server.object.kind,
		objects.name(server.object),
		count(server.budgets),
		names,
	]))
	result := results.with_also(found, [results.place(server.budgets[0], ["spec", "selector"])])
}

deny contains result if {
	some server in guarded
	some budget in server.budgets
	fault := blocking(budget)
	found := results.finding("PDB001", budget, ["spec", fault.field], sprintf("%v %v lets no pod%v go, wanted at least one", [
		fault.field,
		budget.spec[fault.field],
		fault.pods,
	]))
	result := results.with_also(found, fault.places)
}

deny contains result if {
	some server in guarded
	some budget in server.budgets
	policy := object.get(budget, ["spec", "unhealthyPodEvictionPolicy"], "IfHealthyBudget")
	policy == "IfHealthyBudget"
	found := results.finding("PDB001", budget, ["spec", "unhealthyPodEvictionPolicy"], sprintf("unhealthyPodEvictionPolicy is %v, wanted AlwaysAllow: a pod that never gets ready would hold up the drain", [policy]))
	result := results.set_to(found, "AlwaysAllow")
}

# Kinds whose pods Kubernetes counts against a budget and which run for good.
counted_kinds := {"Deployment", "Rollout", "StatefulSet"}

# Servers that run pods: {"object" with the template, "namespace", "budgets": what selects its pods}.
guarded := [{"object": object_of, "namespace": ns, "budgets": budgets} |
	some server in vllm.servers
	object_of := server.object
	controller := scaling.controller_of(server.workload)
	controller.kind in counted_kinds
	runs(controller)
	ns := objects.namespace(object_of)
	labels := refs.labels_of(server.workload.metadata)
	budgets := [budget |
		some budget in objects.of_kind("PodDisruptionBudget")
		objects.namespace(budget) == ns
		is_object(budget.spec.selector)
		refs.selects(budget.spec.selector, labels)
	]
]

runs(controller) if scaling.autoscaler_of(controller)

runs(controller) if {
	not scaling.autoscaler_of(controller)
	not stopped(controller)
}

stopped(controller) if controller.spec.replicas == 0

# A budget that selects no pod at all was meant for some: its selector is the fault, and REF003's.
dangling(ns) if {
	some budget in objects.of_kind("PodDisruptionBudget")
	objects.namespace(budget) == ns
	is_object(budget.spec.selector)
	count(refs.selected(ns, budget.spec.selector)) == 0
}

dangling(ns) if {
	some budget in objects.of_kind("PodDisruptionBudget")
	objects.namespace(budget) == ns
	object.get(budget, ["spec", "selector"], null) == null
}

# Why a budget lets nothing go when there are as few pods as there may be: {"field", "pods": of how many, "places"}.
blocking(budget) := {"field": "maxUnavailable", "pods": "", "places": []} if {
	budget.spec.maxUnavailable in {0, "0%"}
}

blocking(budget) := {"field": "minAvailable", "pods": sprintf(" of %v", [n]), "places": places} if {
	n := fewest_pods(budget)
	n > 0
	kept(n, budget.spec.minAvailable) >= n
	places := [results.place(scaler.object, ["spec", scaler.min_field]) |
		some controller in controllers(budget)
		scaler := scaling.autoscaler_of(controller)
	]
}

# Pods that must stay; a percentage is rounded up.
kept(_, value) := quantity.whole_number(value)

kept(n, value) := ceil((n * to_number(trim_suffix(value, "%"))) / 100) if {
	is_string(value)
	regex.match(`^[0-9]{1,3}%$`, value)
}

# What has the pods that a budget selects.
controllers(budget) := [controller |
	some pod in refs.selected(objects.namespace(budget), budget.spec.selector)
	controller := scaling.controller_of(workloads.all[pod.index])
]

# All pods that a budget selects, at their fewest; undefined where only the cluster knows.
fewest_pods(budget) := sum(numbers) if {
	all := controllers(budget)
	numbers := [n |
		some controller in all
		controller.kind in counted_kinds
		n := scaling.fewest(controller)
	]
	count(numbers) == count(all)
}
