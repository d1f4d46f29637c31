# How many pods of each controller can exist at once, at the worst moment, and the sum of
# their GPUs in words.
package lockgate.lib.scaling

import data.lockgate.lib.objects
import data.lockgate.lib.results
import data.lockgate.lib.vllm
import data.lockgate.lib.workloads
import rego.v1

# Every object that scales a workload: {"object", "kind", "apiVersion", "name", "namespace",
# "min_field", "max_field", "min", "max"}.
autoscalers := array.concat(horizontal, keda)

horizontal := [scaler |
	some obj in objects.of_kind("HorizontalPodAutoscaler")
	scaler := {
		"object": obj,
		"target": target_id(obj, object.get(obj, ["spec", "scaleTargetRef"], {})),
		"min_field": "minReplicas",
		"max_field": "maxReplicas",
		"min": object.get(obj, ["spec", "minReplicas"], 1),
		"max": obj.spec.maxReplicas,
	}
]

keda := [scaler |
	some obj in objects.of_kind("ScaledObject")
	target := obj.spec.scaleTargetRef
	full := object.union({"apiVersion": "apps/v1", "kind": "Deployment"}, target)
	scaler := {
		"object": obj,
		"target": target_id(obj, full),
		"min_field": "minReplicaCount",
		"max_field": "maxReplicaCount",
		"min": object.get(obj, ["spec", "minReplicaCount"], 0),
		"max": object.get(obj, ["spec", "maxReplicaCount"], 100),
	}
]

target_id(obj, target) := concat("/", [
	objects.group(object.get(target, "apiVersion", "")),
	object.get(target, "kind", ""),
	objects.namespace(obj),
	object.get(target, "name", ""),
])

object_id(obj) := concat("/", [
	objects.group(object.get(obj, "apiVersion", "")),
	object.get(obj, "kind", ""),
	objects.namespace(obj),
	objects.name(obj),
])

# The autoscaler of an object; undefined when there is none.
autoscaler_of(obj) := found[0] if {
	id := object_id(obj)
	found := [scaler | some scaler in autoscalers; scaler.target == id]
}

# The object whose replicas and strategy count for a workload: the Rollout that refers to
# its Deployment, else the object that has the template.
controller_of(workload) := referring(workload)[0] if count(referring(workload)) > 0

controller_of(workload) := workload.object if count(referring(workload)) == 0

referring(workload) := [rollout |
	some rollout in objects.of_kind("Rollout")
	reference := rollout.spec.workloadRef
	target_id(rollout, reference) == object_id(workload.object)
]

# Kinds that add no pod of their own while they change.
fixed_kinds := {"StatefulSet", "ReplicaSet", "ReplicationController", "LeaderWorkerSet"}

# One entry per workload whose pods hold GPUs:
# {"object": controller, "workload", "gpus_per_pod", "replicas", "what", "place", "pods",
# "gpus", "terms"}. A workload whose number of pods only the cluster knows has no entry.
controllers := [entry |
	some workload in workloads.gpu_workloads
	counts_first(workload)
	per_pod := unit_gpus(workload)
	per_pod > 0
	controller := controller_of(workload)
	base := base_count(controller)
	worst := peak(controller, base.count)
	entry := {
		"object": controller,
		"workload": workload,
		"gpus_per_pod": per_pod,
		"replicas": base.count,
		"place": base.place,
		"strategy": strategy_places(controller),
		"pods": worst.pods,
		"gpus": worst.pods * per_pod,
		"terms": terms(base, per_pod, worst),
	}
]

# A LeaderWorkerSet has two templates and is counted once, at its workers.
counts_first(workload) if not grouped(workload)

counts_first(workload) if workload.path[2] == "workerTemplate"

grouped(workload) if workload.path[1] == "leaderWorkerTemplate"

# GPUs of what one replica brings: a pod, or a whole group of a LeaderWorkerSet.
unit_gpus(workload) := workloads.pod_gpus(workload.pod) if not grouped(workload)

unit_gpus(workload) := workloads.pod_gpus(leader) + ((size - 1) * workloads.pod_gpus(workload.pod)) if {
	grouped(workload)
	group := workload.object.spec.leaderWorkerTemplate
	size := object.get(group, "size", 1)
	leader := object.get(group, ["leaderTemplate", "spec"], workload.pod)
}

# {"count", "what", "place"}: pods before any surge, where the number comes from.
base_count(controller) := {
	"count": scaler.max,
	"what": sprintf("%s max", [short(scaler.object.kind)]),
	"place": results.place(scaler.object, ["spec", scaler.max_field]),
} if {
	scaler := autoscaler_of(controller)
} else := {
	"count": controller.spec[field],
	"what": field,
	"place": results.place(controller, ["spec", field]),
} if {
	field := count_field(controller)
	controller.spec[field]
} else := {"count": 1, "what": "default", "place": null} if {
	count_field(controller)
} else := {"count": 1, "what": "single", "place": null} if {
	controller.kind == "Pod"
} else := {
	"count": object.get(controller, ["spec", "jobTemplate", "spec", "parallelism"], 1),
	"what": "parallelism",
	"place": results.place(controller, ["spec", "jobTemplate", "spec", "parallelism"]),
} if {
	controller.kind == "CronJob"
}

count_field(controller) := "parallelism" if controller.kind == "Job"

count_field(controller) := "replicas" if controller.kind in fixed_kinds

count_field(controller) := "replicas" if controller.kind in {"Deployment", "Rollout"}

short("HorizontalPodAutoscaler") := "HPA"

short(kind) := kind if kind != "HorizontalPodAutoscaler"

strategy_places(controller) := [results.place(controller, ["spec", "strategy"])] if controller.kind in {"Deployment", "Rollout"}

strategy_places(controller) := [] if not controller.kind in {"Deployment", "Rollout"}

# {"pods", "why"} at the worst moment of a change.
peak(controller, n) := {"pods": n, "why": ""} if controller.kind in fixed_kinds

peak(controller, n) := {"pods": n, "why": ""} if controller.kind in {"Pod", "Job", "CronJob"}

peak(controller, n) := {"pods": n, "why": ""} if {
	controller.kind == "Deployment"
	controller.spec.strategy.type == "Recreate"
}

peak(controller, n) := surged(n, object.get(controller, ["spec", "strategy", "rollingUpdate", "maxSurge"], "25%")) if {
	controller.kind == "Deployment"
	object.get(controller, ["spec", "strategy", "type"], "RollingUpdate") == "RollingUpdate"
}

peak(controller, n) := blue_green(controller.spec.strategy.blueGreen, n) if {
	controller.kind == "Rollout"
	is_object(controller.spec.strategy.blueGreen)
}

peak(controller, n) := canary(object.get(controller, ["spec", "strategy", "canary"], {}), n) if {
	controller.kind == "Rollout"
	not is_object(object.get(controller, ["spec", "strategy", "blueGreen"], null))
}

surged(n, surge) := {"pods": n + extra, "why": surge_words(extra, surge)} if extra := surge_pods(n, surge)

surge_words(0, _) := ""

surge_words(extra, surge) := sprintf("plus %d by maxSurge %v", [extra, surge]) if extra > 0

surge_pods(_, surge) := surge if is_number(surge)

surge_pods(n, surge) := ceil((n * to_number(trim_suffix(surge, "%"))) / 100) if {
	is_string(surge)
	endswith(surge, "%")
}

blue_green(strategy, n) := {"pods": n + strategy.previewReplicaCount, "why": sprintf("plus %d previewReplicaCount", [strategy.previewReplicaCount])} if {
	strategy.previewReplicaCount
} else := {"pods": 2 * n, "why": "doubled by blueGreen"}

canary(strategy, n) := surged(n, object.get(strategy, "maxSurge", "25%")) if not routed(strategy)

canary(strategy, n) := {"pods": 2 * n, "why": "doubled at promotion"} if {
	routed(strategy)
	not strategy.dynamicStableScale
}

canary(strategy, n) := {"pods": worst, "why": sprintf("at most %d with dynamicStableScale", [worst])} if {
	routed(strategy)
	strategy.dynamicStableScale
	worst := dynamic_worst(object.get(strategy, "steps", []), n)
}

routed(strategy) if is_object(strategy.trafficRouting)

# With dynamicStableScale the stable set shrinks only after the traffic has moved: at each
# step the new canary runs beside the stable set of the weight before.
dynamic_worst(steps, n) := max(array.concat([n], moments)) if {
	states := array.concat(step_states(steps, n), [{"weight": 100, "canary": n}])
	moments := [pods |
		some i
		state := states[i]
		stable := ceil((n * (100 - weight_before(states, i))) / 100)
		pods := state.canary + stable
	]
}

weight_before(_, 0) := 0

weight_before(states, i) := states[i - 1].weight if i > 0

# Traffic weight and canary pods after each step.
step_states(steps, n) := [state |
	some i
	_ := steps[i]
	weight := last_weight(steps, i)
	state := {"weight": weight, "canary": canary_pods(last_scale(steps, i), weight, n)}
]

last_weight(steps, i) := found[count(found) - 1] if {
	found := array.concat([0], [w |
		some j
		w := steps[j].setWeight
		j <= i
	])
}

last_scale(steps, i) := found[count(found) - 1] if {
	found := array.concat([{"matchTrafficWeight": true}], [s |
		some j
		s := steps[j].setCanaryScale
		j <= i
	])
}

canary_pods(scale, _, _) := scale.replicas if is_number(scale.replicas)

canary_pods(scale, _, n) := ceil((n * scale.weight) / 100) if is_number(scale.weight)

canary_pods(scale, weight, n) := ceil((n * weight) / 100) if {
	not is_number(object.get(scale, "replicas", null))
	not is_number(object.get(scale, "weight", null))
}

# "HPA max 4 pods x 2 GPUs = 8, doubled at promotion: 16"
terms(base, per_pod, worst) := sprintf("%s %d pods x %d GPUs = %d", [base.what, base.count, per_pod, base.count * per_pod]) if worst.why == ""

terms(base, per_pod, worst) := sprintf("%s %d pods x %d GPUs = %d, %s: %d", [base.what, base.count, per_pod, base.count * per_pod, worst.why, worst.pods * per_pod]) if worst.why != ""

# The environment at its worst: {"gpus", "pods", "gpus_per_pod", "terms"}.
total := {
	"gpus": sum([c.gpus | some c in controllers]),
	"pods": sum([c.pods | some c in controllers]),
	"gpus_per_pod": max(array.concat([0], [c.gpus_per_pod | some c in controllers])),
	"terms": all_terms,
}

all_terms := "no pod holds a GPU" if count(controllers) == 0

all_terms := controllers[0].terms if count(controllers) == 1

all_terms := concat("; ", [sprintf("%s %s: %s", [c.object.kind, c.object.metadata.name, c.terms]) | some c in controllers]) if count(controllers) > 1

# GPUs that are surely needed at the peak: where the engine needs fewer than the limit says,
# the limit is the fault (GPU002) and the smaller number counts.
sure_gpus := sum([gpus |
	some c in controllers
	gpus := c.pods * sure_per_pod(c)
])

sure_per_pod(c) := min([c.gpus_per_pod, vllm.needed[c.workload.id]]) if {
	vllm.needed[c.workload.id]
} else := c.gpus_per_pod
