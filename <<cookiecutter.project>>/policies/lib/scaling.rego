# How many pods of each controller can exist at once, at the worst moment, and the sum of
# their GPUs in words.
package lockgate.lib.scaling

import data.lockgate.lib.environment
import data.lockgate.lib.objects
import data.lockgate.lib.quantity
import data.lockgate.lib.results
import data.lockgate.lib.strategies
import data.lockgate.lib.vllm
import data.lockgate.lib.workloads
import rego.v1

# Every object that scales a workload: {"object", "kind", "apiVersion", "name", "namespace",
# "min_field", "max_field", "min", "max"}. One whose bounds are no whole numbers is left out.
autoscalers := array.concat(horizontal, keda)

horizontal := [scaler |
	some obj in objects.of_kind("HorizontalPodAutoscaler")
	target := target_id(obj, obj.spec.scaleTargetRef)
	least := quantity.whole_number(object.get(obj.spec, "minReplicas", 1))
	most := quantity.whole_number(obj.spec.maxReplicas)
	scaler := {
		"object": obj,
		"target": target,
		"min_field": "minReplicas",
		"max_field": "maxReplicas",
		"min": least,
		"max": most,
	}
]

keda := [scaler |
	some obj in objects.of_kind("ScaledObject")
	target := target_id(obj, object.union({"apiVersion": "apps/v1", "kind": "Deployment"}, obj.spec.scaleTargetRef))
	least := quantity.whole_number(object.get(obj.spec, "minReplicaCount", 0))
	most := quantity.whole_number(object.get(obj.spec, "maxReplicaCount", 100))
	scaler := {
		"object": obj,
		"target": target,
		"min_field": "minReplicaCount",
		"max_field": "maxReplicaCount",
		"min": least,
		"max": most,
	}
]

target_id(obj, target) := concat("/", [
	objects.group(objects.string_at(target, "apiVersion")),
	objects.string_at(target, "kind"),
	objects.namespace(obj),
	objects.string_at(target, "name"),
])

object_id(obj) := concat("/", [
	objects.group(objects.string_at(obj, "apiVersion")),
	objects.string_at(obj, "kind"),
	objects.namespace(obj),
	objects.name(obj),
])

# The autoscaler of an object; undefined when there is none.
autoscaler_of(obj) := found[0] if {
	id := object_id(obj)
	found := [scaler | some scaler in autoscalers; scaler.target == id]
}

# Pods of a controller at its quietest: the autoscaler's minimum, else its own replicas. Undefined where only
# the cluster knows, or an autoscaler that is not in sight.
fewest(controller) := scaler.min if {
	scaler := autoscaler_of(controller)
} else := quantity.whole_number(controller.spec.replicas) if {
	controller.kind in {"Deployment", "Rollout", "StatefulSet"}
	controller.spec.replicas != null
} else := 1 if {
	controller.kind in {"Deployment", "Rollout", "StatefulSet"}
	object.get(controller, ["spec", "replicas"], null) == null
	not environment.partial
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
	worst := strategies.peak(controller, base.count)
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
	size := quantity.whole_number(object.get(group, "size", 1))
	leader := object.get(group, ["leaderTemplate", "spec"], workload.pod)
	is_object(leader)
}

# {"count", "what", "place"}: pods before any surge, where the number comes from.
base_count(controller) := {
	"count": scaler.max,
	"what": sprintf("%v max", [short(scaler.object.kind)]),
	"place": results.place(scaler.object, ["spec", scaler.max_field]),
} if {
	scaler := autoscaler_of(controller)
} else := {
	"count": number,
	"what": field,
	"place": results.place(controller, ["spec", field]),
} if {
	field := count_field(controller)
	number := quantity.whole_number(controller.spec[field])
} else := {"count": 1, "what": "default", "place": null} if {
	count_field(controller)
} else := {"count": 1, "what": "single", "place": null} if {
	controller.kind == "Pod"
} else := {
	"count": number,
	"what": "parallelism",
	"place": results.place(controller, ["spec", "jobTemplate", "spec", "parallelism"]),
} if {
	controller.kind == "CronJob"
	number := quantity.whole_number(object.get(controller, ["spec", "jobTemplate", "spec", "parallelism"], 1))
}

count_field(controller) := "parallelism" if controller.kind == "Job"

count_field(controller) := "replicas" if controller.kind in strategies.fixed_kinds

count_field(controller) := "replicas" if controller.kind in {"Deployment", "Rollout"}

short("HorizontalPodAutoscaler") := "HPA"

short(kind) := kind if kind != "HorizontalPodAutoscaler"

strategy_places(controller) := [results.place(controller, ["spec", "strategy"])] if controller.kind in {"Deployment", "Rollout"}

strategy_places(controller) := [] if not controller.kind in {"Deployment", "Rollout"}

# "HPA max 4 pods x 2 GPUs = 8, doubled at promotion: 16"
terms(base, per_pod, worst) := sprintf("%v %v pods x %v GPUs = %v", [base.what, base.count, per_pod, base.count * per_pod]) if worst.why == ""

terms(base, per_pod, worst) := sprintf("%v %v pods x %v GPUs = %v, %v: %v", [base.what, base.count, per_pod, base.count * per_pod, worst.why, worst.pods * per_pod]) if worst.why != ""

# The environment at its worst: {"gpus", "pods", "gpus_per_pod", "terms"}.
total := {
	"gpus": sum([c.gpus | some c in controllers]),
	"pods": sum([c.pods | some c in controllers]),
	"gpus_per_pod": max(array.concat([0], [c.gpus_per_pod | some c in controllers])),
	"terms": all_terms,
}

all_terms := "no pod holds a GPU" if count(controllers) == 0

all_terms := controllers[0].terms if count(controllers) == 1

all_terms := concat("; ", [sprintf("%v %v: %v", [c.object.kind, objects.name(c.object), c.terms]) | some c in controllers]) if count(controllers) > 1

# GPUs that are surely needed at the peak: where the engine needs fewer than the limit says,
# the limit is the fault (GPU002) and the smaller number counts.
sure_gpus := sum([gpus |
	some c in controllers
	gpus := c.pods * sure_per_pod(c)
])

# More GPUs at the peak than the environment may use.
over_budget if sure_gpus > environment.settings.gpu_budget

sure_per_pod(c) := min([c.gpus_per_pod, vllm.needed[c.workload.id]]) if {
	vllm.needed[c.workload.id]
} else := c.gpus_per_pod
