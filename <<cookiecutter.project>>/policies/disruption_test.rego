package lockgate.disruption_test

import data.lockgate.disruption
import data.lockgate.lib.testing
import rego.v1

denied(doc) := results if {
	found := disruption.deny with input as doc with data.environments as testing.environments
	results := {json.unmarshal(json.marshal(json.remove(one, ["fix"]))) | some one in found} # tests/test_fix.py looks at the fixes
}

budget(name, spec) := {
	"apiVersion": "policy/v1",
	"kind": "PodDisruptionBudget",
	"metadata": {"name": name, "namespace": "chat-prod"},
	"spec": object.union({"selector": {"matchLabels": testing.labels}, "unhealthyPodEvictionPolicy": "AlwaysAllow"}, spec),
}

# prod's Rollout has two to three pods.
prod(specs) := testing.plus(testing.prod, [pdb |
	some i
	spec := specs[i]
	pdb := budget(sprintf("chat-%v", [i]), spec)
])

one := {"maxUnavailable": 1}

ref(name) := {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "namespace": "chat-prod", "name": name}

scaler_place := {"object": {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "namespace": "chat-prod", "name": "chat"}, "path": ["spec", "minReplicas"]}

none := {{
	"id": "PDB001",
	"msg": "Deployment 'chat' wants one PodDisruptionBudget that selects its pods, found none",
	"object": testing.server_ref("prod"),
	"path": ["spec", "template", "metadata", "labels"],
}}

test_pdb001_one_budget_is_silent if denied(prod([one])) == set()

test_pdb001_no_budget if denied(testing.prod) == none

test_pdb001_budget_of_another_namespace if {
	elsewhere := object.union(budget("chat", one), {"metadata": {"namespace": "chat-dev"}})
	denied(testing.plus(testing.prod, [elsewhere])) == none
}

test_pdb001_budget_for_the_preload_job_alone if {
	labelled := testing.changed(testing.prod, "Job", [{"op": "replace", "path": ["spec", "template", "metadata", "labels"], "value": {"job": "preload"}}])
	doc := testing.plus(labelled, [json.patch(budget("chat", one), [{"op": "replace", "path": ["spec", "selector"], "value": {"matchLabels": {"job": "preload"}}}])])
	denied(doc) == none
}

# The selector is the fault, and another rule's.
test_pdb001_silent_beside_a_budget_without_pods if {
	doc := testing.plus(testing.prod, [json.patch(budget("chat", one), [{"op": "replace", "path": ["spec", "selector"], "value": {"matchLabels": {"app": "other"}}}])])
	denied(doc) == set()
}

test_pdb001_two_budgets if {
	denied(prod([one, one])) == {{
		"id": "PDB001",
		"msg": "Deployment 'chat' wants one PodDisruptionBudget, found 2: 'chat-0', 'chat-1'",
		"object": ref("chat-1"),
		"path": ["spec", "selector"],
		"also": [{"object": ref("chat-0"), "path": ["spec", "selector"]}],
	}}
}

blocked(field, msg, places) := {object.union({"id": "PDB001", "msg": msg, "object": ref("chat-0"), "path": ["spec", field]}, places)}

test_pdb001_at_least_one_may_go if {
	denied(prod([{"minAvailable": 1}])) == set()
	denied(prod([{"minAvailable": "50%"}])) == set()
	denied(prod([{"maxUnavailable": "1%"}])) == set()
	denied(prod([{"minAvailable": 0}])) == set()
}

test_pdb001_none_may_go if {
	places := {"also": [scaler_place]}
	denied(prod([{"minAvailable": 2}])) == blocked("minAvailable", "minAvailable 2 lets no pod of 2 go, wanted at least one", places)
	denied(prod([{"minAvailable": "51%"}])) == blocked("minAvailable", "minAvailable 51% lets no pod of 2 go, wanted at least one", places)
	denied(prod([{"minAvailable": 3}])) == blocked("minAvailable", "minAvailable 3 lets no pod of 2 go, wanted at least one", places)
	denied(prod([{"maxUnavailable": 0}])) == blocked("maxUnavailable", "maxUnavailable 0 lets no pod go, wanted at least one", {})
	denied(prod([{"maxUnavailable": "0%"}])) == blocked("maxUnavailable", "maxUnavailable 0% lets no pod go, wanted at least one", {})
}

test_pdb001_replicas_count_without_an_autoscaler if {
	doc := testing.without(testing.changed(prod([{"minAvailable": 2}]), "Rollout", [{"op": "add", "path": ["spec", "replicas"], "value": 2}]), "HorizontalPodAutoscaler")
	denied(doc) == blocked("minAvailable", "minAvailable 2 lets no pod of 2 go, wanted at least one", {})
	denied(testing.changed(doc, "Rollout", [{"op": "replace", "path": ["spec", "replicas"], "value": 3}])) == set()
}

test_pdb001_unhealthy_pods if {
	expected := {{
		"id": "PDB001",
		"msg": "unhealthyPodEvictionPolicy is IfHealthyBudget, wanted AlwaysAllow: a pod that never gets ready would hold up the drain",
		"object": ref("chat-0"),
		"path": ["spec", "unhealthyPodEvictionPolicy"],
	}}
	denied(prod([{"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "IfHealthyBudget"}])) == expected
	denied(testing.changed(prod([one]), "PodDisruptionBudget", [{"op": "remove", "path": ["spec", "unhealthyPodEvictionPolicy"]}])) == expected
}

test_pdb001_silent_on_unknown_values if {
	every spec in [{"minAvailable": "half"}, {"minAvailable": null}, {"maxUnavailable": [0]}, {"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "Never"}] {
		denied(prod([spec])) == set()
	}
}

test_pdb001_silent_when_another_kind_shares_the_budget if {
	labelled := testing.changed(prod([{"minAvailable": 2}]), "Job", [{"op": "replace", "path": ["spec", "template", "metadata", "labels"], "value": testing.labels}])
	denied(labelled) == set()
}

test_pdb001_silent_on_what_runs_no_server if {
	stopped := testing.without(testing.changed(testing.prod, "Rollout", [{"op": "add", "path": ["spec", "replicas"], "value": 0}]), "HorizontalPodAutoscaler")
	denied(stopped) == set()
	helper := testing.server(testing.prod, {"command": ["sleep"], "args": ["60"], "image": "docker.io/library/busybox:1.36"})
	denied(helper) == set()
}

# A part of what runs may have its budget, and its autoscaler, elsewhere.
test_pdb001_a_part_leaves_its_budget_to_others if {
	denied(object.union(testing.prod, {"partial": true})) == set()
	alone := object.union(testing.without(prod([{"minAvailable": 1}]), "HorizontalPodAutoscaler"), {"partial": true})
	denied(alone) == set()
	denied(object.union(alone, {"partial": false})) == blocked("minAvailable", "minAvailable 1 lets no pod of 1 go, wanted at least one", {})
	count(denied(object.union(prod([{"minAvailable": 2}]), {"partial": true}))) == 1
}
