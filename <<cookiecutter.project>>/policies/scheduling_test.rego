package lockgate.scheduling_test

import data.lockgate.lib.testing
import data.lockgate.scheduling
import rego.v1

found(doc) := in_pool(doc, testing.pools)

in_pool(doc, pools) := result if {
	found := scheduling.deny with input as doc with data.environments as testing.environments with data.pools as pools
	result := {json.unmarshal(json.marshal(json.remove(one, ["fix"]))) | some one in found} # tests/test_fix.py looks at the fixes
}

pool(fields) := {"a100": object.union(testing.pools.a100, fields)}

tolerating(list) := testing.pod_changed(testing.prod, [{"op": "replace", "path": ["tolerations"], "value": list}])

fitting := {"key": "nvidia.com/gpu", "operator": "Equal", "value": "present", "effect": "NoSchedule"}

at_pod(id, rest, msg) := {"id": id, "msg": msg, "object": testing.server_ref("prod"), "path": testing.pod_path(rest)}

preload(fields) := testing.changed(testing.prod, "Job", [{"op": "add", "path": ["spec", "template", "spec", field], "value": fields[field]} |
	some field in object.keys(fields)
])

at_job(rest, msg) := {
	"id": "SCH004",
	"msg": msg,
	"object": {"apiVersion": "batch/v1", "kind": "Job", "namespace": "chat-prod", "name": "chat-preload"},
	"path": testing.pod_path(rest),
}

test_good_environments if {
	found(testing.prod) == set()
	found(testing.dev) == set()
	in_pool(testing.prod, {}) == set()
}

# SCH001

test_sch001_no_toleration if {
	found(tolerating([])) == {at_pod("SCH001", ["tolerations"], "no toleration for the taint nvidia.com/gpu=present:NoSchedule of the pool, wanted one")}
}

test_sch001_wrong_value if {
	found(tolerating([object.union(fitting, {"value": "true"})])) == {at_pod("SCH001", ["tolerations", 0, "value"], "the toleration nvidia.com/gpu=true:NoSchedule does not fit the pool, wanted nvidia.com/gpu=present:NoSchedule")}
}

test_sch001_wrong_effect if {
	found(tolerating([object.union(fitting, {"effect": "NoExecute"})])) == {at_pod("SCH001", ["tolerations", 0, "effect"], "the toleration nvidia.com/gpu=present:NoExecute does not fit the pool, wanted nvidia.com/gpu=present:NoSchedule")}
}

test_sch001_wrong_key_is_missing_and_foreign if {
	found(tolerating([object.union(fitting, {"key": "example.com/gpu"})])) == {
		at_pod("SCH001", ["tolerations"], "no toleration for the taint nvidia.com/gpu=present:NoSchedule of the pool, wanted one"),
		at_pod("SCH001", ["tolerations", 0], "the toleration example.com/gpu=present:NoSchedule fits no taint of the pool, wanted only: nvidia.com/gpu=present:NoSchedule"),
	}
}

test_sch001_toleration_of_another_pool if {
	found(tolerating([fitting, {"key": "spot", "operator": "Exists"}])) == {at_pod("SCH001", ["tolerations", 1], "the toleration spot fits no taint of the pool, wanted only: nvidia.com/gpu=present:NoSchedule")}
}

test_sch001_taint_without_value if {
	pools := pool({"taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]})
	in_pool(tolerating([{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]), pools) == set()
	in_pool(tolerating([]), pools) == {at_pod("SCH001", ["tolerations"], "no toleration for the taint nvidia.com/gpu:NoSchedule of the pool, wanted one")}
}

test_sch001_silent_forms if {
	found(tolerating([{"key": "nvidia.com/gpu", "operator": "Exists"}])) == set()
	found(tolerating([object.remove(fitting, ["operator", "effect"])])) == set()
	found(tolerating([fitting, {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}])) == set()
	in_pool(tolerating([]), pool({"tolerations_added_by_cluster": true})) == set()
	in_pool(tolerating([]), pool({"taints": [{"key": "x", "effect": "PreferNoSchedule"}]})) == set()
}

test_sch001_holds_for_a_server_without_gpu_limit if {
	doc := testing.server(tolerating([]), {"resources": {"limits": {}}})
	{result.id | some result in found(doc)} == {"SCH001"}
}

# SCH002

test_sch002_tolerates_everything if {
	found(tolerating([{"operator": "Exists"}])) == {at_pod("SCH002", ["tolerations", 0], "a toleration with operator Exists has no key and fits every taint, wanted a key")}
	found(tolerating([{"operator": "Exists", "key": "", "effect": "NoSchedule"}, fitting])) == {at_pod("SCH002", ["tolerations", 0], "a toleration with operator Exists has no key and fits every taint, wanted a key")}
}

test_sch002_holds_for_pods_without_gpu if {
	{result.id | some result in found(preload({"tolerations": [{"operator": "Exists"}]}))} == {"SCH002"}
}

# SCH003

required(terms) := testing.pod_changed(testing.prod, [
	{"op": "remove", "path": ["nodeSelector"]},
	{"op": "add", "path": ["affinity"], "value": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}},
])

product(operator, values) := {"key": "nvidia.com/gpu.product", "operator": operator, "values": values}

good_product := product("In", ["NVIDIA-A100-SXM4-40GB"])

terms_path := ["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"]

test_sch003_no_choice if {
	found(testing.pod_changed(testing.prod, [{"op": "remove", "path": ["nodeSelector"]}])) == {at_pod("SCH003", ["nodeSelector", "nvidia.com/gpu.product"], "the pod does not choose nvidia.com/gpu.product, wanted one of: NVIDIA-A100-SXM4-40GB")}
}

test_sch003_another_product if {
	doc := testing.pod_changed(testing.prod, [{"op": "replace", "path": ["nodeSelector", "nvidia.com/gpu.product"], "value": "Tesla-T4"}])
	found(doc) == {at_pod("SCH003", ["nodeSelector", "nvidia.com/gpu.product"], "nodeSelector nvidia.com/gpu.product is \"Tesla-T4\", wanted one of: NVIDIA-A100-SXM4-40GB")}
}

test_sch003_affinity_of_another_product if {
	doc := required([{"matchExpressions": [product("In", ["NVIDIA-A100-SXM4-40GB", "Tesla-T4"])]}])
	found(doc) == {at_pod("SCH003", array.concat(terms_path, [0, "matchExpressions", 0, "values"]), "a required node affinity term leaves nvidia.com/gpu.product open or names another, wanted operator In with only: NVIDIA-A100-SXM4-40GB")}
}

test_sch003_one_alternative_is_open if {
	doc := required([{"matchExpressions": [good_product]}, {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}])
	found(doc) == {at_pod("SCH003", array.concat(terms_path, [1]), "a required node affinity term leaves nvidia.com/gpu.product open or names another, wanted operator In with only: NVIDIA-A100-SXM4-40GB")}
}

test_sch003_affinity_that_names_no_product if {
	doc := required([{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}])
	{result.path | some result in found(doc)} == {testing.pod_path(["nodeSelector", "nvidia.com/gpu.product"])}
}

test_sch003_silent_on_allowed_choices if {
	found(required([{"matchExpressions": [good_product]}])) == set()
	in_pool(testing.prod, pool({"node_selector": {"nvidia.com/gpu.product": ["Tesla-T4", "NVIDIA-A100-SXM4-40GB"]}})) == set()
	in_pool(testing.pod_changed(testing.prod, [{"op": "remove", "path": ["nodeSelector"]}]), {"a100": object.remove(testing.pools.a100, ["node_selector"])}) == set()
}

# SCH004

test_sch004_job_tolerates_the_gpu_taint if {
	found(preload({"tolerations": [fitting]})) == {at_job(["tolerations", 0], "a pod without GPU tolerates nvidia.com/gpu=present:NoSchedule, wanted no toleration of the GPU pool")}
	found(preload({"tolerations": [{"key": "amd.com/gpu", "operator": "Exists"}]})) == {at_job(["tolerations", 0], "a pod without GPU tolerates amd.com/gpu, wanted no toleration of the GPU pool")}
}

test_sch004_job_selects_gpu_nodes if {
	found(preload({"nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB"}})) == {at_job(["nodeSelector", "nvidia.com/gpu.product"], "a pod without GPU selects nvidia.com/gpu.product \"NVIDIA-A100-SXM4-40GB\", wanted no selector of the GPU pool")}
	{result.id | some result in found(preload({"nodeSelector": {"nvidia.com/gpu.present": "true"}}))} == {"SCH004"}
}

test_sch004_job_requires_gpu_nodes if {
	affinity := {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [good_product]}]}}}
	found(preload({"affinity": affinity})) == {at_job(array.concat(terms_path, [0, "matchExpressions", 0]), "a pod without GPU requires nodes by nvidia.com/gpu.product, wanted no affinity to the GPU pool")}
}

test_sch004_silent_on_other_choices if {
	found(preload({"tolerations": [{"key": "spot", "operator": "Exists"}], "nodeSelector": {"kubernetes.io/arch": "amd64"}})) == set()
	avoid := {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "nvidia.com/gpu.present", "operator": "DoesNotExist"}]}]}}}
	found(preload({"affinity": avoid})) == set()
}

test_sch004_silent_on_a_server_that_lost_its_gpu_limit if {
	found(testing.server(testing.prod, {"resources": {"limits": {}}})) == set()
}

test_sch_agents_of_nodes_run_everywhere if {
	agent := {
		"apiVersion": "apps/v1",
		"kind": "DaemonSet",
		"metadata": {"name": "exporter", "namespace": "chat-prod"},
		"spec": {"template": {"spec": {
			"nodeSelector": {"nvidia.com/gpu.present": "true"},
			"tolerations": [{"operator": "Exists"}, {"key": "nvidia.com/gpu", "operator": "Exists"}],
			"containers": [{"name": "exporter", "image": "example.com/exporter:1"}],
		}}},
	}
	found(testing.document("prod", [agent])) == set()
}

# SCH005

spread_ref(rest, msg) := {at_pod("SCH005", rest, msg)}

alone := testing.pod_changed(testing.prod, [{"op": "remove", "path": ["topologySpreadConstraints"]}])

placed(affinity) := testing.pod_changed(alone, [{"op": "add", "path": ["affinity"], "value": {"podAntiAffinity": affinity}}])

term(selector) := {"topologyKey": "kubernetes.io/hostname", "labelSelector": selector}

own := {"matchLabels": {"app.kubernetes.io/name": "chat"}}

not_spread := spread_ref(["topologySpreadConstraints"], "2 pods want topologySpreadConstraints or a preferred podAntiAffinity that selects them, found none")

test_sch005_not_spread if {
	found(alone) == not_spread
	found(placed({"preferredDuringSchedulingIgnoredDuringExecution": []})) == not_spread
}

test_sch005_spread if {
	found(placed({"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": term(own)}]})) == set()
	found(placed({"requiredDuringSchedulingIgnoredDuringExecution": [object.union(term(own), {"topologyKey": "topology.kubernetes.io/zone"})]})) == set()
}

# An entry for other pods spreads nothing, and takes no node for itself.
test_sch005_selects_others if {
	other := {"matchLabels": {"app.kubernetes.io/name": "router"}}
	found(placed({"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": term(other)}]})) == not_spread
	found(placed({"requiredDuringSchedulingIgnoredDuringExecution": [term(other)]})) == not_spread
	found(testing.pod_changed(testing.prod, [{"op": "replace", "path": ["topologySpreadConstraints", "0", "labelSelector"], "value": other}])) == not_spread
	found(testing.pod_changed(testing.prod, [{"op": "remove", "path": ["topologySpreadConstraints", "0", "labelSelector"]}])) == not_spread
}

# Only the cluster knows the hash of a template.
test_sch005_labels_of_the_cluster_are_silent if {
	doc := testing.pod_changed(testing.prod, [
		{"op": "add", "path": ["topologySpreadConstraints", "0", "matchLabelKeys"], "value": ["pod-template-hash"]},
		{"op": "remove", "path": ["topologySpreadConstraints", "0", "labelSelector"]},
	])
	found(doc) == set()
}

# Two GPUs of eight: four pods fit a node.
test_sch005_node_of_its_own if {
	doc := placed({"requiredDuringSchedulingIgnoredDuringExecution": [term(own)]})
	found(doc) == spread_ref(
		["affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution", 0],
		"the pods want a preferred podAntiAffinity, found a required one by kubernetes.io/hostname, while 4 of them fit a node of 8 GPUs",
	)
	count(in_pool(doc, pool({"gpus_per_node": 4}))) == 1
	in_pool(doc, pool({"gpus_per_node": 3})) == set()
	in_pool(doc, pool({"gpus_per_node": 2})) == set()
	in_pool(doc, {"a100": object.remove(testing.pools.a100, ["gpus_per_node"])}) == set()
}

scaled_from(least) := testing.changed(alone, "HorizontalPodAutoscaler", [{"op": "replace", "path": ["spec", "minReplicas"], "value": least}])

test_sch005_one_pod_is_silent if {
	found(scaled_from(1)) == set()
	found(scaled_from(2)) == not_spread
	count(found(scaled_from(3))) == 1
	found(scaled_from("2")) == set()
	found(testing.without(alone, "HorizontalPodAutoscaler")) == set()
}

test_sch005_replicas_of_a_deployment if {
	doc := testing.without(testing.without(alone, "HorizontalPodAutoscaler"), "Rollout")
	found(testing.changed(doc, "Deployment", [{"op": "replace", "path": ["spec", "replicas"], "value": 2}])) == not_spread
	found(testing.changed(doc, "Deployment", [{"op": "replace", "path": ["spec", "replicas"], "value": 1}])) == set()
	found(testing.changed(doc, "Deployment", [{"op": "remove", "path": ["spec", "replicas"]}])) == set()
}

# A Job's pods end by themselves.
test_sch005_job_is_silent if {
	found(testing.changed(testing.prod, "Job", [{"op": "add", "path": ["spec", "parallelism"], "value": 4}])) == set()
}
