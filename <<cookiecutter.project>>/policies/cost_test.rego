package lockgate.cost_test

import data.lockgate.cost
import data.lockgate.lib.testing
import rego.v1

found(doc) := result if {
	result := cost.deny with input as doc with data.environments as testing.environments with data.pools as testing.pools
}

scaler_ref := {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "namespace": "chat-prod", "name": "chat"}

rollout_ref := {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "namespace": "chat-prod", "name": "chat"}

quota_ref := {"apiVersion": "v1", "kind": "ResourceQuota", "namespace": "chat-prod", "name": "chat-gpu"}

settings_ref := {"apiVersion": "lockgate", "kind": "Settings", "namespace": "", "name": "lockgate.yaml"}

budget_place(environment) := {"object": settings_ref, "path": ["environments", environment, "gpu_budget"]}

limit_place(environment) := {"object": testing.server_ref(environment), "path": testing.container_path(["resources", "limits", "nvidia.com/gpu"])}

most(doc, replicas) := testing.changed(doc, "HorizontalPodAutoscaler", [{"op": "replace", "path": ["spec", "maxReplicas"], "value": replicas}])

quota(gpus) := testing.changed(testing.prod, "ResourceQuota", [{"op": "replace", "path": ["spec", "hard", "requests.nvidia.com/gpu"], "value": gpus}])

dev := testing.plus(testing.dev, [testing.quota("chat-dev", "2")])

test_good_environments if {
	found(testing.prod) == set()
	found(dev) == set()
}

# CST001

test_cst001_maximum_above_the_budget if {
	found(most(testing.prod, 4)) == {{
		"id": "CST001",
		"msg": "GPUs at the peak: HPA max 4 pods x 2 GPUs = 8, doubled at promotion: 16 > budget 12",
		"object": scaler_ref,
		"path": ["spec", "maxReplicas"],
		"also": [{"object": rollout_ref, "path": ["spec", "strategy"]}, limit_place("prod"), budget_place("prod")],
	}}
}

test_cst001_replicas_without_autoscaler if {
	doc := testing.changed(dev, "Deployment", [{"op": "replace", "path": ["spec", "replicas"], "value": 2}])
	found(doc) == {{
		"id": "CST001",
		"msg": "GPUs at the peak: replicas 2 pods x 2 GPUs = 4 > budget 2",
		"object": testing.server_ref("dev"),
		"path": ["spec", "replicas"],
		"also": [{"object": testing.server_ref("dev"), "path": ["spec", "strategy"]}, limit_place("dev"), budget_place("dev")],
	}}
}

test_cst001_surge_of_a_rolling_update if {
	doc := testing.changed(dev, "Deployment", [{"op": "replace", "path": ["spec", "strategy"], "value": {"type": "RollingUpdate"}}])
	{[result.id, result.msg] | some result in found(doc)} == {["CST001", "GPUs at the peak: replicas 1 pods x 2 GPUs = 2, plus 1 by maxSurge 25%: 4 > budget 2"]}
}

test_cst001_default_of_one_replica_blames_the_strategy if {
	doc := testing.changed(dev, "Deployment", [{"op": "remove", "path": ["spec", "replicas"]}, {"op": "replace", "path": ["spec", "strategy"], "value": {}}])
	{[result.id, result.path, result.msg] | some result in found(doc)} == {["CST001", ["spec", "strategy"], "GPUs at the peak: default 1 pods x 2 GPUs = 2, plus 1 by maxSurge 25%: 4 > budget 2"]}
}

test_cst001_sum_of_controllers if {
	bench := {
		"apiVersion": "batch/v1",
		"kind": "Job",
		"metadata": {"name": "bench", "namespace": "chat-prod"},
		"spec": {"parallelism": 1, "template": {"spec": {"containers": [{"name": "b", "resources": {"limits": {"nvidia.com/gpu": 1}}}]}}},
	}
	{[result.id, result.msg] | some result in found(testing.plus(testing.prod, [bench]))} == {["CST001", "GPUs at the peak: Rollout chat: HPA max 3 pods x 2 GPUs = 6, doubled at promotion: 12; Job bench: parallelism 1 pods x 1 GPUs = 1; together 13 > budget 12"]}
}

test_cst001_silent_at_and_below_the_budget if {
	found(most(testing.prod, 3)) == set()
	found(most(testing.prod, 2)) == set()
}

test_cst001_dynamic_stable_scale_needs_less if {
	doc := testing.changed(testing.prod, "Rollout", [{"op": "add", "path": ["spec", "strategy", "canary", "dynamicStableScale"], "value": true}])
	found(doc) == set()
}

test_cst001_leaves_a_wrong_limit_to_gpu002 if {
	doc := testing.server(testing.prod, {"resources": {"limits": {"nvidia.com/gpu": "4"}, "requests": {"nvidia.com/gpu": "4"}}})
	found(doc) == set()
}

test_cst001_silent_without_a_budget if {
	result := cost.deny with input as most(testing.prod, 9) with data.environments as {} with data.pools as {}
	{r.id | some r in result} == {"CST002"}
}

# CST002

test_cst002_no_quota if {
	found(testing.without(testing.prod, "ResourceQuota")) == {{
		"id": "CST002",
		"msg": "no ResourceQuota limits requests.nvidia.com/gpu, wanted one between the peak of 12 and the budget",
		"object": {"apiVersion": "v1", "kind": "Namespace", "namespace": "", "name": "chat-prod"},
		"path": ["metadata", "name"],
	}}
}

test_cst002_quota_without_the_key if {
	doc := testing.changed(testing.prod, "ResourceQuota", [{"op": "replace", "path": ["spec", "hard"], "value": {"pods": "9"}}])
	{[result.object, result.path] | some result in found(doc)} == {[quota_ref, ["spec", "hard", "requests.nvidia.com/gpu"]]}
}

test_cst002_quota_below_the_peak if {
	found(quota("11")) == {{
		"id": "CST002",
		"msg": "the quota of requests.nvidia.com/gpu is 11, wanted at least the peak: HPA max 3 pods x 2 GPUs = 6, doubled at promotion: 12",
		"object": quota_ref,
		"path": ["spec", "hard", "requests.nvidia.com/gpu"],
		"also": [{"object": scaler_ref, "path": ["spec", "maxReplicas"]}],
	}}
}

test_cst002_quota_above_the_budget if {
	found(quota(13)) == {{
		"id": "CST002",
		"msg": "the quota of requests.nvidia.com/gpu is 13, wanted at most the budget 12",
		"object": quota_ref,
		"path": ["spec", "hard", "requests.nvidia.com/gpu"],
		"also": [budget_place("prod")],
	}}
}

test_cst002_smallest_quota_counts if {
	second := object.union(testing.quota("chat-prod", "8"), {"metadata": {"name": "other"}})
	{[result.object.name, result.id] | some result in found(testing.plus(testing.prod, [second]))} == {["other", "CST002"]}
}

test_cst002_scoped_quota_does_not_count if {
	doc := testing.changed(testing.prod, "ResourceQuota", [{"op": "add", "path": ["spec", "scopes"], "value": ["BestEffort"]}])
	{result.id | some result in found(doc)} == {"CST002"}
}

test_cst002_silent_when_the_peak_is_below if {
	found(most(quota("8"), 2)) == set()
	found(most(testing.prod, 1)) == set()
}

test_cst002_waits_for_the_budget if {
	{result.id | some result in found(most(quota("99"), 4))} == {"CST001"}
}

test_cst002_silent_without_gpu_pods if {
	found(testing.without(testing.without(testing.prod, "Deployment"), "ResourceQuota")) == set()
}

# CST003

facts(gpus) := {"peak": {"gpus": gpus, "pods": 1, "gpus_per_pod": 2, "terms": ""}}

shared(dev_gpus, prod_gpus) := {"repository": {"environments": {
	"dev": {"level": "dev", "cluster": "main", "facts": facts(dev_gpus)},
	"prod": {"level": "prod", "cluster": "main", "facts": facts(prod_gpus)},
	"lab": {"level": "dev", "cluster": "other", "facts": facts(99)},
}}}

in_cluster(doc, gpus) := result if {
	result := cost.deny with input as doc with data.environments as testing.environments with data.clusters as {"main": {"gpus": gpus}}
}

test_cst003_sum_above_the_cluster if {
	in_cluster(shared(2, 12), 13) == {{
		"id": "CST003",
		"msg": "peaks on the cluster \"main\": dev 2 + prod 12 = 14 > 13 GPUs",
		"object": settings_ref,
		"path": ["clusters", "main", "gpus"],
		"environments": ["dev", "prod"],
	}}
}

test_cst003_silent_at_the_capacity if in_cluster(shared(2, 12), 14) == set()

test_cst003_counts_no_more_than_the_budget if in_cluster(shared(2, 99), 14) == set()

test_cst003_silent_in_an_environment if in_cluster(testing.prod, 1) == set()

test_cst002_a_part_may_have_its_quota_elsewhere if {
	doc := testing.document("prod", [obj | some obj in testing.prod.objects; obj.kind != "ResourceQuota"])
	count(found(doc)) > 0
	found(object.union(doc, {"partial": true})) == set()
}
