package lockgate.autoscaling_test

import data.lockgate.autoscaling
import data.lockgate.lib.testing
import rego.v1

found(doc) := result if {
	result := autoscaling.deny with input as doc with data.environments as testing.environments
}

scaler_ref := {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "namespace": "chat-prod", "name": "chat"}

rollout_ref := {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "namespace": "chat-prod", "name": "chat"}

bounds(least, most) := testing.changed(testing.prod, "HorizontalPodAutoscaler", [
	{"op": "replace", "path": ["spec", "minReplicas"], "value": least},
	{"op": "replace", "path": ["spec", "maxReplicas"], "value": most},
])

with_replicas := testing.changed(testing.prod, "Rollout", [{"op": "add", "path": ["spec", "replicas"], "value": 3}])

test_good_environments if {
	found(testing.prod) == set()
	found(testing.dev) == set()
}

# HPA001

replicas_beside_scaler := {
	"id": "HPA001",
	"msg": "spec.replicas is 3 beside the HorizontalPodAutoscaler \"chat\", wanted none",
	"object": rollout_ref,
	"path": ["spec", "replicas"],
}

test_hpa001_target_has_replicas if found(with_replicas) == {replicas_beside_scaler}

test_hpa001_holds_for_a_scaled_object if {
	scaled := {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "chat", "namespace": "chat-dev"}, "spec": {"scaleTargetRef": {"name": "chat"}, "minReplicaCount": 1, "maxReplicaCount": 2}}
	found(testing.plus(testing.dev, [scaled])) == {{
		"id": "HPA001",
		"msg": "spec.replicas is 1 beside the ScaledObject \"chat\", wanted none",
		"object": testing.server_ref("dev"),
		"path": ["spec", "replicas"],
	}}
}

application(differences, options) := {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "chat"}, "spec": {
	"ignoreDifferences": differences,
	"syncPolicy": {"syncOptions": options},
}}

respected := ["RespectIgnoreDifferences=true"]

test_hpa001_silent_when_argo_ignores_replicas if {
	rollouts := {"group": "argoproj.io", "kind": "Rollout", "jsonPointers": ["/spec/replicas"]}
	found(testing.plus(with_replicas, [application([rollouts], respected)])) == set()
	by_jq := {"group": "*", "kind": "*", "jqPathExpressions": [".spec.replicas"]}
	found(testing.plus(with_replicas, [application([by_jq], respected)])) == set()
}

test_hpa001_the_overlays_own_application_counts if {
	spec := application([{"group": "argoproj.io", "kind": "Rollout", "jsonPointers": ["/spec/replicas"]}], respected).spec
	found(object.union(with_replicas, {"applications": [{"environment": "prod", "spec": spec}]})) == set()
	found(object.union(with_replicas, {"applications": [{"environment": "", "spec": spec}]})) == {replicas_beside_scaler}
	not_expanded := testing.plus(object.union(with_replicas, {"applications": []}), [application(spec.ignoreDifferences, respected)])
	found(not_expanded) == {replicas_beside_scaler}
}

test_hpa001_ignoring_something_else_does_not_help if {
	some differences in [
		[],
		[{"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}],
		[{"group": "argoproj.io", "kind": "Rollout", "jsonPointers": ["/spec/strategy"]}],
	]
	found(testing.plus(with_replicas, [application(differences, respected)])) == {replicas_beside_scaler}
}

test_hpa001_ignoring_without_respecting_does_not_help if {
	rollouts := {"group": "argoproj.io", "kind": "Rollout", "jsonPointers": ["/spec/replicas"]}
	found(testing.plus(with_replicas, [application([rollouts], [])])) == {replicas_beside_scaler}
}

test_hpa001_silent_on_other_objects_of_that_name if {
	doc := testing.changed(with_replicas, "HorizontalPodAutoscaler", [{"op": "replace", "path": ["spec", "scaleTargetRef", "name"], "value": "other"}])
	found(doc) == set()
}

# HPA002

test_hpa002_minimum_above_maximum if {
	found(bounds(4, 3)) == {{
		"id": "HPA002",
		"msg": "minReplicas 4 is above maxReplicas 3, wanted at most the maximum",
		"object": scaler_ref,
		"path": ["spec", "minReplicas"],
		"also": [{"object": scaler_ref, "path": ["spec", "maxReplicas"]}],
	}}
}

test_hpa002_one_replica_in_prod if {
	found(bounds(1, 3)) == {{"id": "HPA002", "msg": "minReplicas is 1, wanted at least 2 in prod", "object": scaler_ref, "path": ["spec", "minReplicas"]}}
}

test_hpa002_minimum_is_one_by_default if {
	doc := testing.changed(testing.prod, "HorizontalPodAutoscaler", [{"op": "remove", "path": ["spec", "minReplicas"]}])
	{result.msg | some result in found(doc)} == {"minReplicas is 1, wanted at least 2 in prod"}
}

test_hpa002_silent_at_the_bounds if {
	found(bounds(2, 2)) == set()
	found(bounds(2, 3)) == set()
}

test_hpa002_one_replica_is_enough_below_prod if {
	canary := object.union(bounds(1, 2), {"environment": "canary"})
	found(canary) == set()
	{result.msg | some result in found(object.union(bounds(0, 2), {"environment": "canary"}))} == {"minReplicas is 0, wanted at least 1 in canary"}
}
