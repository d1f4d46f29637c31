package lockgate.rollout_test

import data.lockgate.lib.testing
import data.lockgate.rollout
import rego.v1

denied(doc) := results if {
	found := rollout.deny with input as doc with data.environments as testing.environments with data.pools as testing.pools
	results := {json.unmarshal(json.marshal(json.remove(one, ["fix"]))) | some one in found} # tests/test_fix.py looks at the fixes
}

only(id, doc) := {result | some result in denied(doc); result.id == id}

rollout_ref := {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "namespace": "chat-prod", "name": "chat"}

settings_place(path) := {"object": {"apiVersion": "lockgate", "kind": "Settings", "namespace": "", "name": "lockgate.yaml"}, "path": path}

canary_path(rest) := array.concat(["spec", "strategy", "canary"], rest)

with_spec(doc, field, value) := testing.changed(doc, "Rollout", [{"op": "add", "path": ["spec", field], "value": value}])

with_canary(canary) := with_spec(testing.prod, "strategy", {"canary": canary})

test_good_environments_are_silent if {
	denied(testing.prod) == set()
	only("ROL006", testing.dev) == set()
}

# ROL001

stepped(steps) := with_canary({"trafficRouting": {"plugins": {}}, "steps": steps})

unwatched(path, found) := {{
	"id": "ROL001",
	"msg": sprintf("steps want a weight below 100 and then an analysis or a pause before full weight, found %v", [found]),
	"object": rollout_ref,
	"path": canary_path(path),
}}

test_rol001_no_steps if {
	expected := unwatched(["steps"], "no steps")
	denied(stepped([])) == expected
	denied(with_canary({"trafficRouting": {"plugins": {}}})) == expected
	denied(stepped(null)) == expected
}

test_rol001_full_weight_at_once if {
	denied(stepped([{"setWeight": 100}, {"pause": {}}])) == unwatched(["steps", 0], "no part of the traffic before it")
	denied(stepped([{"setWeight": 0}, {"pause": {}}, {"setWeight": 100}])) == unwatched(["steps", 2], "no part of the traffic before it")
	denied(stepped([{"pause": {}}])) == unwatched(["steps", 0], "no part of the traffic before it")

	# A pod without traffic is a smoke test.
	denied(stepped([{"setCanaryScale": {"replicas": 1}}, {"analysis": {"templates": []}}, {"setWeight": 100}])) == unwatched(["steps", 2], "no part of the traffic before it")
}

test_rol001_nobody_looks if {
	denied(stepped([{"setWeight": 20}, {"setWeight": 100}, {"pause": {}}])) == unwatched(["steps", 0], "neither after this step")
	denied(stepped([{"pause": {}}, {"setWeight": 20}])) == unwatched(["steps", 1], "neither after this step")
	denied(stepped([{"setWeight": 20}, {"pause": {"duration": "0s"}}, {"setWeight": 60}])) == unwatched(["steps", 2], "neither after this step")
}

test_rol001_what_an_experiment_does_is_its_own if {
	denied(stepped([{"experiment": {"templates": []}}, {"setWeight": 100}])) == set()
	denied(stepped([{"setWeight": 100}, {"experiment": {"templates": []}}])) == unwatched(["steps", 0], "no part of the traffic before it")
}

test_rol001_held if {
	every hold in [{"pause": {}}, {"pause": {"duration": "1s"}}, {"pause": {"duration": 60}}, {"analysis": {"templates": []}}, {"experiment": {}}, {"plugin": {"name": "x"}}] {
		denied(stepped([{"setWeight": 99}, hold])) == set()
		denied(stepped([{"setHeaderRoute": {"name": "x"}}, hold, {"setWeight": 100}])) == set()
	}
	denied(stepped([{"setWeight": 1}, {"setWeight": 50}, {"pause": {}}])) == set()
}

test_rol001_analysis_beside_all_steps if {
	denied(with_canary({"trafficRouting": {"plugins": {}}, "analysis": {"templates": []}, "steps": [{"setWeight": 20}]})) == set()
	denied(with_canary({"trafficRouting": {"plugins": {}}, "analysis": {"templates": []}, "steps": []})) == unwatched(["steps"], "no steps")
}

test_rol001_weights_of_another_sum if {
	routing := {"plugins": {}, "maxTrafficWeight": 1000}
	denied(with_canary({"trafficRouting": routing, "steps": [{"setWeight": 100}, {"pause": {}}]})) == set()
	{result.msg | some result in denied(with_canary({"trafficRouting": routing, "steps": [{"setWeight": 1000}, {"pause": {}}]}))} == {"steps want a weight below 1000 and then an analysis or a pause before full weight, found no part of the traffic before it"}
}

test_rol001_silent_on_other_strategies_and_unknown_values if {
	denied(with_spec(testing.prod, "strategy", {"blueGreen": {"activeService": "chat"}})) == set()
	denied(stepped("none")) == set()
	denied(stepped([{"setWeight": 20}, "pause"])) == set()
	denied(with_spec(testing.prod, "strategy", {"canary": "yes"})) == set()
}

# ROL004

late(msg) := {{
	"id": "ROL004",
	"msg": msg,
	"object": rollout_ref,
	"path": ["spec", "progressDeadlineSeconds"],
	"also": [settings_place(["startup_budget_seconds"])],
}}

test_rol004_at_below_and_above_the_budget if {
	denied(with_spec(testing.prod, "progressDeadlineSeconds", 600)) == late("progressDeadlineSeconds is 600, wanted more than the start-up budget of 600 s")
	denied(with_spec(testing.prod, "progressDeadlineSeconds", 599)) == late("progressDeadlineSeconds is 599, wanted more than the start-up budget of 600 s")
	denied(with_spec(testing.prod, "progressDeadlineSeconds", 601)) == set()
}

test_rol004_default if {
	doc := testing.changed(testing.prod, "Rollout", [{"op": "remove", "path": ["spec", "progressDeadlineSeconds"]}])
	denied(doc) == late("progressDeadlineSeconds is 600 (the default), wanted more than the start-up budget of 600 s")
	result := rollout.deny with input as doc with data.environments as testing.environments with data.startup_budget_seconds as 599
	result == set()
}

test_rol004_two_defaults_of_a_part if {
	doc := testing.changed(testing.prod, "Rollout", [{"op": "remove", "path": ["spec", "progressDeadlineSeconds"]}])
	denied(object.union(doc, {"partial": true})) == set()
	count(denied(object.union(with_spec(testing.prod, "progressDeadlineSeconds", 300), {"partial": true}))) == 1
}

test_rol004_deployment if {
	plain := testing.without(testing.prod, "Rollout")
	{[result.id, result.object.kind, result.path] | some result in denied(plain)} == {["ROL004", "Deployment", ["spec", "progressDeadlineSeconds"]]}
	denied(testing.changed(plain, "Deployment", [{"op": "add", "path": ["spec", "progressDeadlineSeconds"], "value": 900}])) == set()
}

test_rol004_abort_in_prod_only if {
	expected := {{
		"id": "ROL004",
		"msg": "progressDeadlineAbort wants true in prod, found false",
		"object": rollout_ref,
		"path": ["spec", "progressDeadlineAbort"],
	}}
	absent := testing.changed(testing.prod, "Rollout", [{"op": "remove", "path": ["spec", "progressDeadlineAbort"]}])
	denied(absent) == expected
	denied(with_spec(testing.prod, "progressDeadlineAbort", false)) == expected
	denied(object.union(absent, {"environment": "canary"})) == set()
}

test_rol004_silent_on_other_kinds_and_unknown_values if {
	denied(with_spec(testing.prod, "progressDeadlineSeconds", "soon")) == set()
	denied(with_spec(testing.prod, "progressDeadlineAbort", "yes")) == set()
	stateful := testing.changed(testing.without(testing.prod, "Rollout"), "Deployment", [{"op": "replace", "path": ["kind"], "value": "StatefulSet"}])
	denied(stateful) == set()
	helper := testing.server(testing.without(testing.prod, "Rollout"), {"command": ["sleep"], "args": ["60"], "image": "docker.io/library/busybox:1.36"})
	denied(helper) == set()
}

# ROL005

scaler_place := {"object": {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "namespace": "chat-prod", "name": "chat"}, "path": ["spec", "minReplicas"]}

basic(n, canary) := testing.changed(with_canary(canary), "HorizontalPodAutoscaler", [
	{"op": "replace", "path": ["spec", "minReplicas"], "value": n},
	{"op": "replace", "path": ["spec", "maxReplicas"], "value": 5},
])

weighted(n, weight) := basic(n, {"steps": [{"setWeight": weight}, {"pause": {}}]})

unshown(n, surge, found) := {{
	"id": "ROL005",
	"msg": sprintf("weights want to be shown by %v pods and %v more by maxSurge within 5 points, found %v", [n, surge, found]),
	"object": rollout_ref,
	"path": canary_path(["steps", 0, "setWeight"]),
	"also": [scaler_place],
}}

test_rol005_weight_that_two_pods_cannot_show if only("ROL005", weighted(2, 10)) == unshown(2, 1, "10 % as 1 of 3 pods")

# Above, at and below five points: 20 % as 1 of 4 is 25 %.
test_rol005_at_the_tolerance if {
	only("ROL005", weighted(3, 19)) == unshown(3, 1, "19 % as 1 of 4 pods")
	only("ROL005", weighted(3, 20)) == set()
	only("ROL005", weighted(3, 21)) == set()
}

test_rol005_without_a_surge_pod if {
	canary := {"maxSurge": 0, "maxUnavailable": 1, "steps": [{"setWeight": 33}, {"pause": {}}]}
	only("ROL005", basic(3, canary)) == set()
	only("ROL005", basic(2, canary)) == unshown(2, 0, "33 % as 1 of 2 pods")
}

test_rol005_one_finding_for_all_weights if {
	steps := [{"setWeight": 5}, {"pause": {}}, {"setWeight": 25}, {"pause": {}}, {"setWeight": 50}]
	only("ROL005", basic(2, {"steps": steps})) == unshown(2, 1, "5 % as 1 of 3 pods, 25 % as 1 of 3 pods")
}

test_rol005_silent_with_a_router_or_without_weights if {
	only("ROL005", basic(2, {"trafficRouting": {"nginx": {}}, "steps": [{"setWeight": 5}]})) == set()
	only("ROL005", basic(2, {"steps": [{"setWeight": "5"}, {"setWeight": 100}, {"pause": {}}]})) == set()
	only("ROL005", basic(2, {"maxSurge": "some", "steps": [{"setWeight": 5}]})) == set()
	only("ROL005", weighted(0, 5)) == set()
}

test_rol005_replicas_without_an_autoscaler if {
	doc := testing.without(with_spec(weighted(2, 10), "replicas", 10), "HorizontalPodAutoscaler")
	only("ROL005", doc) == set()
	{result.also | some result in only("ROL005", with_spec(doc, "replicas", 4))} == {[{"object": rollout_ref, "path": ["spec", "replicas"]}]}
}

# ROL006

pool(gpus, per_node) := {"a100": object.union(testing.pools.a100, {"gpus": gpus, "gpus_per_node": per_node})}

placed(doc, pools, budget) := {result | some result in results; result.id == "ROL006"} if {
	environments := object.union(testing.environments, {"dev": object.union(testing.environments.dev, {"gpu_budget": budget})})
	results := rollout.deny with input as doc with data.environments as environments with data.pools as pools
}

rolling(n, strategy) := testing.changed(testing.dev, "Deployment", [
	{"op": "replace", "path": ["spec", "replicas"], "value": n},
	{"op": "replace", "path": ["spec", "strategy"], "value": strategy},
])

stuck(msg) := {{
	"id": "ROL006",
	"msg": msg,
	"object": testing.server_ref("dev"),
	"path": ["spec", "strategy"],
	"also": [
		{"object": testing.server_ref("dev"), "path": ["spec", "replicas"]},
		settings_place(["pools", "a100", "gpus"]),
	],
}}

test_rol006_full_pool if {
	expected := stuck("pool \"a100\" of 2 GPUs holds 1 pods of 2 GPUs, wanted room for 2 (1 running, which maxUnavailable 25% keeps, and one by maxSurge 25%)")
	placed(rolling(1, {}), pool(2, 8), 100) == expected
	placed(rolling(1, {}), pool(3, 8), 100) == {json.patch(result, [{"op": "replace", "path": "/msg", "value": replace(result.msg, "of 2 GPUs holds", "of 3 GPUs holds")}]) | some result in expected}
	placed(rolling(1, {}), pool(4, 8), 100) == set()
}

# Nodes of three GPUs hold one pod of two GPUs each.
test_rol006_nodes_that_cannot_be_filled if {
	placed(rolling(2, {}), pool(6, 3), 100) == {json.patch(result, [{
		"op": "replace", "path": "/msg",
		"value": "pool \"a100\" of 6 GPUs holds 2 pods of 2 GPUs, wanted room for 3 (2 running, which maxUnavailable 25% keeps, and one by maxSurge 25%)",
	}]) |
		some result in stuck("")
	}
	placed(rolling(2, {}), pool(6, 6), 100) == set()
	placed(rolling(2, {}), pool(8, 3), 100) == set()
}

test_rol006_old_pods_may_go_first if {
	every strategy in [{"type": "Recreate"}, {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}, {"rollingUpdate": {"maxSurge": 0}}, {"rollingUpdate": {"maxUnavailable": "100%"}}] {
		placed(rolling(1, strategy), pool(2, 8), 100) == set()
	}
	placed(rolling(4, {}), pool(8, 8), 100) == set()
	count(placed(rolling(3, {}), pool(6, 8), 100)) == 1
}

test_rol006_surge_where_it_is_said if {
	{result.path | some result in placed(rolling(1, {"rollingUpdate": {"maxSurge": 1}}), pool(2, 8), 100)} == {["spec", "strategy", "rollingUpdate", "maxSurge"]}
}

# What the budget forbids is CST001's; a pool too small for what runs is no matter of the surge.
test_rol006_silent_where_others_speak if {
	placed(rolling(1, {}), pool(2, 8), 3) == set()
	placed(rolling(2, {}), pool(2, 8), 100) == set()
}

test_rol006_other_pods_take_their_share if {
	other := json.patch(testing.deployment("chat-dev", 1, {"type": "Recreate"}), [{"op": "replace", "path": "/metadata/name", "value": "other"}])
	doc := testing.plus(rolling(1, {}), [other])
	{result.msg | some result in placed(doc, pool(5, 5), 100)} == {"pool \"a100\" of 5 GPUs holds 1 pods of 2 GPUs, wanted room for 2 (1 running, which maxUnavailable 25% keeps, and one by maxSurge 25%)"}
	placed(doc, pool(6, 6), 100) == set()
	job := {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "warm", "namespace": "chat-dev"}, "spec": {"template": {"spec": testing.pod}}}
	placed(testing.plus(rolling(1, {}), [job]), pool(5, 5), 100) == set()
}

test_rol006_both_sets_of_a_routed_canary if {
	expected := {{
		"id": "ROL006",
		"msg": "pool \"a100\" of 11 GPUs holds 5 pods of 2 GPUs, wanted room for 6 (HPA max 3 pods x 2 GPUs = 6, doubled at promotion: 12)",
		"object": rollout_ref,
		"path": ["spec", "strategy"],
		"also": [
			{"object": scaler_place.object, "path": ["spec", "maxReplicas"]},
			settings_place(["pools", "a100", "gpus"]),
		],
	}}
	placed(testing.prod, pool(11, 11), 100) == expected
	placed(testing.prod, pool(12, 12), 100) == set()
	{result.msg | some result in placed(with_spec(testing.prod, "strategy", {"blueGreen": {}}), pool(11, 11), 100)} == {"pool \"a100\" of 11 GPUs holds 5 pods of 2 GPUs, wanted room for 6 (HPA max 3 pods x 2 GPUs = 6, doubled by blueGreen: 12)"}
}

test_rol006_basic_canary if {
	doc := with_canary({"steps": [{"setWeight": 50}, {"pause": {}}]})
	{[result.path, result.msg] | some result in placed(doc, pool(6, 6), 100)} == {[["spec", "strategy", "canary", "maxSurge"], "pool \"a100\" of 6 GPUs holds 3 pods of 2 GPUs, wanted room for 4 (3 running, which maxUnavailable 25% keeps, and one by maxSurge 25%)"]}
	placed(with_canary({"maxUnavailable": 1, "steps": [{"setWeight": 50}, {"pause": {}}]}), pool(6, 6), 100) == set()
}

test_rol006_silent_where_the_pool_counts_otherwise if {
	shared := testing.server(rolling(1, {}), {"resources": {"limits": {"nvidia.com/gpu.shared": 2}}})
	placed(shared, pool(2, 8), 100) == set()
	placed(rolling(1, {}), {"a100": {"gpu_resources": ["nvidia.com/gpu"]}}, 100) == set()
	placed(rolling(1, {}), {}, 100) == set()
	placed(rolling(1, {"rollingUpdate": {"maxSurge": "some"}}), pool(2, 8), 100) == set()
	count(placed(rolling(1, {}), {"a100": {"gpus": 2}}, 100)) == 1
}

# A part of what runs may have its autoscaler elsewhere.
test_rol005_a_part_without_replicas if {
	doc := testing.without(weighted(2, 10), "HorizontalPodAutoscaler")
	count(only("ROL005", doc)) == 1
	only("ROL005", object.union(doc, {"partial": true})) == set()
}

test_rol001_silent_on_what_plugins_do if {
	plugin := {"plugin": {"name": "example/steps"}}
	denied(stepped([plugin, plugin])) == set()
	denied(stepped([plugin])) == set()
}
