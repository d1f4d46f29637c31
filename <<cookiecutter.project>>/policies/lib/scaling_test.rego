package lockgate.lib.scaling_test

import data.lockgate.lib.scaling
import data.lockgate.lib.testing
import rego.v1

total(doc) := result if {
	result := scaling.total with input as doc
}

pods(doc) := total(doc).pods

# dev's Deployment of two GPUs as another object.
turned(kind, spec) := testing.changed(testing.dev, "Deployment", [
	{"op": "replace", "path": ["spec"], "value": object.union({"template": {"spec": testing.pod}}, spec)},
	{"op": "replace", "path": ["kind"], "value": kind},
])

canary(fields) := testing.changed(testing.prod, "Rollout", [{"op": "replace", "path": ["spec", "strategy"], "value": fields}])

routed(fields) := canary({"canary": object.union({"trafficRouting": {"plugins": {}}}, fields)})

test_hpa_and_canary if {
	total(testing.prod) == {"gpus": 12, "pods": 6, "gpus_per_pod": 2, "terms": "HPA max 3 pods x 2 GPUs = 6, doubled at promotion: 12"}
}

test_recreate if total(testing.dev) == {"gpus": 2, "pods": 1, "gpus_per_pod": 2, "terms": "replicas 1 pods x 2 GPUs = 2"}

test_surge_is_rounded_up if {
	some surge, expected in {"25%": 6, "0%": 4, "1%": 5, "100%": 8}
	pods(turned("Deployment", {"replicas": 4, "strategy": {"rollingUpdate": {"maxSurge": surge}}})) == expected
}

test_surge_by_number_and_by_default if {
	pods(turned("Deployment", {"replicas": 4, "strategy": {"rollingUpdate": {"maxSurge": 0}}})) == 4
	pods(turned("Deployment", {"replicas": 4, "strategy": {"rollingUpdate": {"maxSurge": 3}}})) == 7
	pods(turned("Deployment", {"replicas": 5})) == 7
	total(turned("Deployment", {"replicas": 5})).terms == "replicas 5 pods x 2 GPUs = 10, plus 2 by maxSurge 25%: 14"
	pods(turned("Deployment", {})) == 2
}

test_kinds_without_surge if {
	pods(turned("StatefulSet", {"replicas": 3})) == 3
	pods(turned("ReplicaSet", {})) == 1
	pods(turned("Job", {"parallelism": 2})) == 2
	pods(turned("Job", {})) == 1
}

test_cron_job_and_pod if {
	cron := turned("CronJob", {"jobTemplate": {"spec": {"parallelism": 2, "template": {"spec": testing.pod}}}})
	without_template := testing.changed(cron, "CronJob", [{"op": "remove", "path": ["spec", "template"]}])
	pods(without_template) == 2
	pod := {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"}, "spec": testing.pod}
	total(testing.document("dev", [pod])).terms == "single 1 pods x 2 GPUs = 2"
}

test_kinds_that_only_the_cluster_counts if {
	total(turned("DaemonSet", {})) == {"gpus": 0, "pods": 0, "gpus_per_pod": 0, "terms": "no pod holds a GPU"}
}

test_leader_worker_set if {
	spec := {"replicas": 2, "leaderWorkerTemplate": {"size": 3, "workerTemplate": {"spec": testing.pod}}}
	set_of := {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet", "metadata": {"name": "l", "namespace": "n"}, "spec": spec}
	total(testing.document("dev", [set_of])).gpus == 12
	leader := {"leaderWorkerTemplate": {"leaderTemplate": {"spec": {"containers": [{"name": "l", "resources": {"limits": {"nvidia.com/gpu": 1}}}]}}}}
	total(testing.document("dev", [object.union(set_of, {"spec": leader})])).gpus == 10
}

test_canary_without_routing if {
	pods(canary({"canary": {}})) == 4
	pods(canary({"canary": {"maxSurge": 2}})) == 5
}

test_blue_green if {
	pods(canary({"blueGreen": {}})) == 6
	total(canary({"blueGreen": {"previewReplicaCount": 1}})).terms == "HPA max 3 pods x 2 GPUs = 6, doubled by blueGreen: 12"
}

test_dynamic_stable_scale if {
	steps := [{"setWeight": 5}, {"pause": {}}, {"setWeight": 25}, {"setWeight": 50}]
	total(routed({"dynamicStableScale": true, "steps": steps})).terms == "HPA max 3 pods x 2 GPUs = 6, at most 5 with dynamicStableScale: 10"
	pods(routed({"dynamicStableScale": true})) == 6
	pods(routed({"dynamicStableScale": false, "steps": steps})) == 6
}

test_dynamic_stable_scale_with_set_canary_scale if {
	by_count := [{"setCanaryScale": {"replicas": 1}}, {"setWeight": 90}, {"setCanaryScale": {"matchTrafficWeight": true}}]
	pods(routed({"dynamicStableScale": true, "steps": by_count})) == 4
	by_weight := [{"setCanaryScale": {"weight": 100}}, {"setWeight": 50}]
	pods(routed({"dynamicStableScale": true, "steps": by_weight})) == 6
}

test_scaled_object if {
	scaled := {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "chat", "namespace": "chat-dev"}, "spec": {"scaleTargetRef": {"name": "chat"}, "maxReplicaCount": 5}}
	total(testing.plus(testing.dev, [scaled])).terms == "ScaledObject max 5 pods x 2 GPUs = 10"
	unsaid := json.patch(scaled, [{"op": "remove", "path": "/spec/maxReplicaCount"}])
	pods(testing.plus(testing.dev, [unsaid])) == 100
}

test_autoscaler_of_another_object if {
	doc := testing.changed(testing.prod, "HorizontalPodAutoscaler", [{"op": "replace", "path": ["spec", "scaleTargetRef", "apiVersion"], "value": "apps/v1"}])
	pods(doc) == 2
}

test_deployment_of_a_rollout_counts_once if {
	doc := testing.changed(testing.prod, "Deployment", [{"op": "replace", "path": ["spec", "replicas"], "value": 9}])
	total(doc) == total(testing.prod)
}

test_several_controllers_in_words if {
	second := {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "chat-dev"}, "spec": testing.pod}
	total(testing.plus(testing.dev, [second])).terms == "Deployment chat: replicas 1 pods x 2 GPUs = 2; Pod p: single 1 pods x 2 GPUs = 2"
}

test_sure_gpus_take_the_smaller_of_limit_and_need if {
	doc := testing.server(testing.dev, {"resources": {"limits": {"nvidia.com/gpu": 8}}})
	sure := scaling.sure_gpus with input as doc
	sure == 2
	unknown := scaling.sure_gpus with input as testing.without(doc, "ConfigMap")
	unknown == 8
}
