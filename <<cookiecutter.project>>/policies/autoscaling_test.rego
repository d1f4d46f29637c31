package lockgate.autoscaling_test

import data.lockgate.autoscaling
import data.lockgate.lib.testing
import rego.v1

found(doc) := result if {
	found := autoscaling.deny with input as doc with data.environments as testing.environments
	result := {json.unmarshal(json.marshal(json.remove(one, ["fix"]))) | some one in found} # tests/test_fix.py looks at the fixes
}

only(id, doc) := {result | some result in found(doc); result.id == id}

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
	only("HPA001", testing.plus(testing.dev, [scaled])) == {{
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

# HPA003

judged(doc) := {result | some result in results; result.id == "HPA003"} if {
	results := autoscaling.deny with input as doc with data.environments as testing.environments with data.versions as {"vllm": "0.32.0"}
}

# prod with these metrics of its HPA, seen by Lockgate with these rules of the adapter.
scaling_on(list, rules) := object.union(
	testing.changed(testing.prod, "HorizontalPodAutoscaler", [{"op": "add", "path": ["spec", "metrics"], "value": list}]),
	{"queries": [], "recorded": [], "adapter": rules},
)

pods_metric(name) := {"type": "Pods", "pods": {"metric": {"name": name}}}

external_metric(name, selector) := {"type": "External", "external": {"metric": object.union({"name": name}, selector)}}

cpu := {"type": "Resource", "resource": {"name": "cpu"}}

serving_rule(name, external) := {"object": {}, "path": [], "external": external, "serves": name, "queries": {}}

at_metric(field, key, msg) := {"id": "HPA003", "msg": msg, "object": scaler_ref, "path": ["spec", "metrics", 0, field, "metric", key]}

test_hpa003_silent_without_lockgates_document if {
	judged(testing.prod) == set()
}

test_hpa003_metrics_of_the_version if {
	judged(scaling_on([pods_metric("vllm_num_requests_waiting")], [])) == set()
	judged(scaling_on([pods_metric("vllm:num_requests_waiting")], [])) == set()
	judged(scaling_on([pods_metric("prometheus.googleapis.com|vllm:num_requests_waiting|gauge")], [])) == set()
	judged(scaling_on([pods_metric("prometheus.googleapis.com|vllm:request_queue_time_seconds|histogram")], [])) == set()
	judged(scaling_on([pods_metric("requests_in_flight")], [])) == set()
	judged(scaling_on([pods_metric(3)], [])) == set()
}

test_hpa003_a_metric_that_went_away if {
	judged(scaling_on([pods_metric("vllm_gpu_cache_usage_perc")], [])) == {at_metric("pods", "name", "the Pods metric wants a metric of vLLM 0.32.0, found 'vllm_gpu_cache_usage_perc', which vllm:kv_cache_usage_perc replaces")}
	judged(scaling_on([pods_metric("prometheus.googleapis.com|vllm:gpu_cache_usage_perc|gauge")], [])) == {at_metric("pods", "name", "the Pods metric wants a metric of vLLM 0.32.0, found 'prometheus.googleapis.com|vllm:gpu_cache_usage_perc|gauge', which vllm:kv_cache_usage_perc replaces")}
}

test_hpa003_the_adapter_decides if {
	rules := [serving_rule("vllm_queue", false), serving_rule("vllm_outside", true)]
	judged(scaling_on([pods_metric("vllm_queue")], rules)) == set()
	judged(scaling_on([pods_metric("vllm:num_requests_waiting")], rules)) == set()
	judged(scaling_on([pods_metric("requests_in_flight")], rules)) == set()
	judged(scaling_on([pods_metric("vllm_num_requests_waiting")], rules)) == {at_metric("pods", "name", "the Pods metric wants a name that the adapter's rules serve (vllm_queue), found 'vllm_num_requests_waiting'")}
	judged(scaling_on([pods_metric("num_requests_waiting")], rules)) == {at_metric("pods", "name", "the Pods metric wants a name that the adapter's rules serve (vllm_queue), found 'num_requests_waiting'")}
	judged(scaling_on([pods_metric("vllm_outside")], rules)) == {at_metric("pods", "name", "the Pods metric wants a name that the adapter's rules serve (vllm_queue), found 'vllm_outside'")}
	judged(scaling_on([pods_metric("vllm_anything")], [serving_rule("", false)])) == set()
}

test_hpa003_an_external_metric_is_selected if {
	both := {"selector": {"matchLabels": {"model_name": "chat", "namespace": "chat-prod"}}}
	judged(scaling_on([external_metric("vllm_num_requests_waiting", both)], [])) == set()
	judged(scaling_on([external_metric("vllm_num_requests_waiting", {})], [])) == {at_metric("external", "selector", "the External metric 'vllm_num_requests_waiting' wants a selector on model_name and namespace, found none on the model and the namespace")}
	judged(scaling_on([external_metric("vllm_num_requests_waiting", {"selector": {"matchLabels": {"namespace": "chat-prod"}}})], [])) == {at_metric("external", "selector", "the External metric 'vllm_num_requests_waiting' wants a selector on model_name and namespace, found none on the model")}
	by_expression := {"selector": {"matchExpressions": [{"key": "metric.labels.model_name", "operator": "Exists"}, {"key": "resource.labels.namespace_name", "operator": "Exists"}]}}
	judged(scaling_on([external_metric("vllm_num_requests_waiting", by_expression)], [])) == set()
	judged(scaling_on([external_metric("queue_of_pubsub", {})], [])) == set()
	fixed := object.union(serving_rule("vllm_queue", true), {"queries": {"metricsQuery": "sum(vllm:num_requests_waiting{model_name=\"chat\", namespace=\"chat-prod\"})"}})
	judged(scaling_on([external_metric("vllm_queue", {})], [fixed])) == set()
}

on_cpu(shown) := {{"id": "HPA003", "msg": sprintf("the autoscaler of GPU pods wants a metric of what they serve, found %v", [shown]), "object": scaler_ref, "path": ["spec", "metrics"]}}

test_hpa003_cpu_alone if {
	judged(scaling_on([cpu], [])) == on_cpu("only cpu")
	judged(scaling_on([cpu, {"type": "ContainerResource", "containerResource": {"name": "memory"}}], [])) == on_cpu("only cpu and memory")
	judged(scaling_on([], [])) == on_cpu("no metric, which means CPU")
	judged(scaling_on([cpu, pods_metric("vllm_num_requests_waiting")], [])) == set()
	without_gpu := testing.server(scaling_on([cpu], []), {"resources": {}})
	judged(without_gpu) == set()
}

# dev, scaled by KEDA on this trigger.
triggered(fields, trigger) := object.union(
	testing.plus(
		testing.changed(testing.dev, "Deployment", [{"op": "remove", "path": ["spec", "replicas"]}]),
		[{
			"apiVersion": "keda.sh/v1alpha1",
			"kind": "ScaledObject",
			"metadata": {"name": "chat", "namespace": "chat-dev"},
			"spec": object.union({"scaleTargetRef": {"name": "chat"}, "minReplicaCount": 1, "maxReplicaCount": 2, "triggers": [trigger]}, fields),
		}],
	),
	{"queries": [], "recorded": [], "adapter": []},
)

prometheus(metadata) := {"type": "prometheus", "metadata": object.union({"query": "sum(vllm:num_requests_waiting)"}, metadata)}

fallback := {"fallback": {"failureThreshold": 3, "replicas": 1}}

at_scaled(path, msg) := {
	"id": "HPA003",
	"msg": msg,
	"object": {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "namespace": "chat-dev", "name": "chat"},
	"path": path,
}

ignoring := ["spec", "triggers", 0, "metadata", "ignoreNullValues"]

test_hpa003_kedas_empty_answer if {
	judged(triggered(fallback, prometheus({"ignoreNullValues": "false"}))) == set()
	judged(triggered(fallback, prometheus({}))) == {at_scaled(ignoring, "the trigger wants ignoreNullValues \"false\", found none: an empty answer counts as 0")}
	judged(triggered(fallback, prometheus({"ignoreNullValues": "true"}))) == {at_scaled(ignoring, "the trigger wants ignoreNullValues \"false\", found 'true': an empty answer counts as 0")}
	unsafe := object.union(at_scaled(["spec", "fallback"], "the ScaledObject wants a fallback for when a query fails, found none"), {"severity": "warning"})
	judged(triggered({}, prometheus({"ignoreNullValues": "false"}))) == {unsafe}
}

test_hpa003_silent_where_empty_is_right if {
	judged(triggered({"minReplicaCount": 0}, prometheus({}))) == set()
	judged(triggered({}, prometheus({"query": "sum(vllm:num_requests_waiting) or vector(0)"}))) == set()
	judged(triggered({}, {"type": "kafka", "metadata": {}})) == set()
}

test_hpa003_a_trigger_on_cpu_alone if {
	judged(triggered({}, {"type": "cpu", "metadata": {"value": "80"}})) == {at_scaled(["spec", "triggers"], "the autoscaler of GPU pods wants a metric of what they serve, found only cpu")}
	judged(triggered({"triggers": []}, {})) == set()
}

test_hpa003_queries_of_triggers_and_of_the_adapter if {
	dead := {"name": "vllm:gpu_cache_usage_perc", "labels": []}
	asking := {"object": scaler_ref, "path": ["rules", 0, "seriesQuery"], "source": "adapter", "text": "", "error": "", "metrics": [dead]}
	wanted := {{
		"id": "HPA003",
		"msg": "seriesQuery wants metrics of vLLM 0.32.0, found 'vllm:gpu_cache_usage_perc', which vllm:kv_cache_usage_perc replaces",
		"object": scaler_ref,
		"path": ["rules", 0, "seriesQuery"],
	}}
	judged(object.union(testing.prod, {"queries": [asking]})) == wanted
	judged(object.union(testing.prod, {"queries": [object.union(asking, {"source": "trigger"})]})) == wanted
	judged(object.union(testing.prod, {"queries": [object.union(asking, {"source": "alert"})]})) == set()
}

# HPA004

window_path := ["spec", "behavior", "scaleDown", "stabilizationWindowSeconds"]

scaled_down(fields) := testing.changed(testing.prod, "HorizontalPodAutoscaler", [{"op": "replace", "path": ["spec", "behavior"], "value": {"scaleDown": fields}}])

too_short(msg) := {{
	"id": "HPA004",
	"msg": msg,
	"object": scaler_ref,
	"path": window_path,
	"also": [{"object": {"apiVersion": "lockgate", "kind": "Settings", "namespace": "", "name": "lockgate.yaml"}, "path": ["startup_budget_seconds"]}],
}}

by_default := too_short("the window of scaleDown is 300 s (the default), wanted at least 600 s, the start-up budget")

test_hpa004_below_at_and_above_the_budget if {
	found(scaled_down({"stabilizationWindowSeconds": 599})) == too_short("the window of scaleDown is 599 s, wanted at least 600 s, the start-up budget")
	found(scaled_down({"stabilizationWindowSeconds": 0})) == too_short("the window of scaleDown is 0 s, wanted at least 600 s, the start-up budget")
	found(scaled_down({"stabilizationWindowSeconds": 600})) == set()
	found(scaled_down({"stabilizationWindowSeconds": 601})) == set()
}

test_hpa004_default_when_nothing_is_said if {
	found(scaled_down({})) == by_default
	found(testing.changed(testing.prod, "HorizontalPodAutoscaler", [{"op": "remove", "path": ["spec", "behavior"]}])) == by_default
}

test_hpa004_follows_the_budget if {
	doc := scaled_down({})
	result := autoscaling.deny with input as doc with data.environments as testing.environments with data.startup_budget_seconds as 300
	result == set()
}

# Kubernetes takes no longer window than an hour.
test_hpa004_longest_window if {
	short := scaled_down({"stabilizationWindowSeconds": 3599})
	found := autoscaling.deny with input as short with data.environments as testing.environments with data.startup_budget_seconds as 5400
	result := {json.unmarshal(json.marshal(json.remove(one, ["fix"]))) | some one in found}
	result == too_short("the window of scaleDown is 3599 s, wanted at least 3600 s, the most that Kubernetes takes")
	longest := scaled_down({"stabilizationWindowSeconds": 3600})
	silent := autoscaling.deny with input as longest with data.environments as testing.environments with data.startup_budget_seconds as 5400
	silent == set()
}

test_hpa004_silent_when_it_cannot_be_known if {
	every fields in [{"selectPolicy": "Disabled"}, {"stabilizationWindowSeconds": "300"}, {"stabilizationWindowSeconds": null}, "none"] {
		found(scaled_down(fields)) == set()
	}
	first := testing.changed(scaled_down({}), "HorizontalPodAutoscaler", [{"op": "replace", "path": ["apiVersion"], "value": "autoscaling/v1"}])
	found(first) == set()
}

test_hpa004_only_of_servers if {
	doc := testing.changed(scaled_down({}), "HorizontalPodAutoscaler", [{"op": "replace", "path": ["spec", "scaleTargetRef", "name"], "value": "router"}])
	found(doc) == set()
	helper := testing.server(scaled_down({}), {"command": ["sleep"], "args": ["60"], "image": "docker.io/library/busybox:1.36"})
	found(helper) == set()
}

keda(advanced) := testing.plus(
	testing.changed(testing.dev, "Deployment", [{"op": "remove", "path": ["spec", "replicas"]}]),
	[{"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "chat", "namespace": "chat-dev"}, "spec": object.union({"scaleTargetRef": {"name": "chat"}, "minReplicaCount": 1, "maxReplicaCount": 2}, advanced)}],
)

test_hpa004_keda if {
	some result in found(keda({}))
	[result.id, result.object.kind, result.msg] == ["HPA004", "ScaledObject", "the window of scaleDown is 300 s (the default), wanted at least 600 s, the start-up budget"]
	result.path == ["spec", "advanced", "horizontalPodAutoscalerConfig", "behavior", "scaleDown", "stabilizationWindowSeconds"]
	found(keda({"advanced": {"horizontalPodAutoscalerConfig": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 600}}}}})) == set()
}
