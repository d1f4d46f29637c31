# Everything that has a pod template, by its shape and not by a list of kinds.
package lockgate.lib.workloads

import data.lockgate.lib.catalogue
import data.lockgate.lib.environment
import data.lockgate.lib.objects
import data.lockgate.lib.quantity
import rego.v1

# Every pod template: {"id", "object", "pod", "metadata", "path"}, path to the pod spec, id a
# string that is this template's alone.
# A Rollout with workloadRef has none of its own: the Deployment has it.
all := array.concat(array.concat(templates, pods), analysis)

templates := [entry |
	some at
	spot := spots[at]
	pod := object.get(spot.object, spot.path, null)
	is_array(pod.containers)
	entry := {
		"id": template_id(spot.object, spot.path, at),
		"object": spot.object,
		"pod": pod,
		"metadata": template_metadata(spot.object, spot.path),
		"path": spot.path,
	}
]

spots := array.concat(plain, nested)

# Where pod specs lie. One plain look per object and shape: most objects have none of them.
plain := [{"object": obj, "path": ["spec", "template", "spec"]} |
	some obj in objects.all
	obj.spec.template.spec.containers
]

nested := array.concat(array.concat(batch, groups), predictors)

batch := array.concat(
	[{"object": obj, "path": ["spec", "jobTemplate", "spec", "template", "spec"]} |
		some obj in objects.all
		obj.spec.jobTemplate.spec.template.spec.containers
	],
	[{"object": obj, "path": ["spec", "jobTargetRef", "template", "spec"]} |
		some obj in objects.all
		obj.spec.jobTargetRef.template.spec.containers
	],
)

groups := array.concat(
	[{"object": obj, "path": ["spec", "leaderWorkerTemplate", "leaderTemplate", "spec"]} |
		some obj in objects.all
		obj.spec.leaderWorkerTemplate.leaderTemplate.spec.containers
	],
	[{"object": obj, "path": ["spec", "leaderWorkerTemplate", "workerTemplate", "spec"]} |
		some obj in objects.all
		obj.spec.leaderWorkerTemplate.workerTemplate.spec.containers
	],
)

predictors := [{"object": obj, "path": ["spec", "predictor"]} |
	some obj in objects.all
	obj.spec.predictor.containers
]

# The Jobs of an AnalysisTemplate. Written out: object.get does not reach through a list.
analysis := [entry |
	some at
	obj := objects.all[at]
	some index
	template := obj.spec.metrics[index].provider.job.spec.template
	is_array(template.spec.containers)
	path := ["spec", "metrics", index, "provider", "job", "spec", "template", "spec"]
	entry := {"id": template_id(obj, path, at), "object": obj, "pod": template.spec, "metadata": metadata_of(template), "path": path}
]

metadata_of(template) := template.metadata if {
	is_object(template.metadata)
} else := {}

pods := [entry |
	some at
	obj := bare[at]
	is_array(obj.spec.containers)
	is_object(obj.metadata)
	entry := {"id": template_id(obj, ["spec"], at), "object": obj, "pod": obj.spec, "metadata": obj.metadata, "path": ["spec"]}
]

bare := objects.of_kind("Pod")

# The template's metadata, {} when it has none.
template_metadata(obj, path) := metadata if {
	path[count(path) - 1] == "spec"
	parent := array.slice(path, 0, count(path) - 1)
	metadata := object.get(obj, array.concat(parent, ["metadata"]), {})
	is_object(metadata)
} else := {}

# A string that is this template's alone.
id(workload) := workload.id

pod_containers(pod) := array.concat(pod.containers, object.get(pod, "initContainers", []))

# Every container and init container:
# {"workload", "object", "pod", "container", "name", "path", "init", "gpu_keys"}, path to the
# container, name a string, gpu_keys the GPU resources that it holds.
containers := [entry |
	some workload in all
	some field in ["containers", "initContainers"]
	list := workload.pod[field]
	is_array(list)
	some i
	container := list[i]
	is_object(container)
	entry := {
		"workload": workload,
		"object": workload.object,
		"pod": workload.pod,
		"container": container,
		"name": objects.string_at(container, "name"),
		"path": array.concat(workload.path, [field, i]),
		"init": field == "initContainers",
		"gpu_keys": gpu_keys(container),
	}
]

# With its number among those of its path: objects that `generateName` names have none yet, and a document
# may hold one twice.
template_id(obj, path, at) := concat("/", [
	objects.string_at(obj, "kind"),
	objects.namespace(obj),
	objects.name(obj),
	concat(".", [sprintf("%v", [step]) | some step in path]),
	sprintf("%v", [at]),
])

# Resource keys of the container's limits that name GPUs, sorted.
limit_keys(container) := sort([key |
	some key
	_ := container.resources.limits[key]
	is_gpu(key)
])

# Those of them whose limit is not zero.
gpu_keys(container) := [key |
	some key in limit_keys(container)
	not is_zero(container.resources.limits[key])
]

is_zero(q) if q in {0, "0"}

# Is this resource key a GPU: known by its name, or listed by the environment's pool?
is_gpu(key) if key in catalogue.gpus.resource_keys

is_gpu(key) if strings.any_prefix_match(key, catalogue.gpus.resource_prefixes)

is_gpu(key) if key in environment.pool.gpu_resources

# GPUs that a container holds: the whole-number limits, summed. 0 when it has none.
gpu_count(container) := sum([number |
	some key in gpu_keys(container)
	number := whole(container.resources.limits[key])
])

# The whole number behind 2 or "2"; undefined for "500m" or 0.5.
whole(q) := quantity.whole_value(q)

# Does the container take its devices by dynamic resource allocation?
claims_device(container) if count(container.resources.claims) > 0

# Ids of the workloads that ask for a GPU in any container.
gpu_ids := {entry.workload.id |
	some entry in containers
	asks_gpu(entry)
}

asks_gpu(entry) if entry.gpu_keys[0]

asks_gpu(entry) if claims_device(entry.container)

gpu_workloads := [workload |
	some workload in all
	workload.id in gpu_ids
]

# Pods of one workload at a time, as the scheduler counts them: containers and sidecars
# together, or the largest init container.
pod_gpus(pod) := max([steady, largest]) if {
	initial := object.get(pod, "initContainers", [])
	steady := sum([gpu_count(c) | some c in pod.containers]) + sum([gpu_count(c) |
		some c in initial
		sidecar(c)
	])
	largest := max([n | some n in array.concat([0], [gpu_count(c) | some c in initial])])
}

# An init container that keeps running.
sidecar(container) if container.restartPolicy == "Always"

# Objects that hold pods in a way that the rules do not read.
not_covered := [objects.ref(obj) |
	some obj in objects.all
	obj.kind in catalogue.gpus.kinds_not_covered
	not obj.spec.predictor.containers
]
