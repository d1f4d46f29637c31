# What other parts of Lockgate ask the rules for, one environment at a time.
package lockgate.facts

import data.lockgate.lib.memory
import data.lockgate.lib.model
import data.lockgate.lib.objects
import data.lockgate.lib.quantity
import data.lockgate.lib.results
import data.lockgate.lib.scaling
import data.lockgate.lib.text
import data.lockgate.lib.vllm
import data.lockgate.lib.workloads
import rego.v1

# The most GPUs that can be held at once: {"gpus", "pods", "gpus_per_pod", "terms"}.
peak := scaling.total

# One entry per workload whose pods hold GPUs: {"object" whose replicas count, "gpus_per_pod", "fewest" pods between
# changes, "most" before any surge, and at the peak "pods", "gpus", "terms"}.
controllers := [entry |
	some controller in scaling.controllers
	entry := {
		"object": objects.ref(controller.object),
		"gpus_per_pod": controller.gpus_per_pod,
		"fewest": fewest(controller),
		"most": controller.replicas,
		"pods": controller.pods,
		"gpus": controller.gpus,
		"terms": controller.terms,
	}
]

# A Job ends; what no autoscaler scales stays as it is.
fewest(controller) := 0 if {
	controller.object.kind in {"Job", "CronJob"}
} else := least if {
	least := scaling.fewest(controller.object)
} else := controller.replicas

# Objects whose pods the rules cannot read or count: a kind that is not understood, or GPU
# pods whose number only the cluster knows.
not_covered := array.concat(workloads.not_covered, [objects.ref(workload.object) |
	some workload in workloads.gpu_workloads
	not counted(workload)
])

counted(workload) if {
	some controller in scaling.controllers
	controller.workload.id == workload.id
}

# What the environment's servers run: {"id": kind, name and container, "container", "digest" of the image and
# "revision" of the model ("" where they are not pinned), and the places of both}.
release := [{
	"id": concat("/", [engine.object.kind, objects.name(engine.object), engine.name]),
	"container": engine.name,
	"digest": digest_of(engine.container),
	"revision": revision.value,
	"image_place": results.place(engine.object, array.concat(engine.path, ["image", "digest"])),
	"revision_place": {"object": objects.ref(revision.object), "path": revision.path},
} |
	some engine in vllm.servers
	kind := objects.string_at(engine.object, "kind")
	not kind in {"Job", "CronJob"}
	revision := revision_of(engine)
]

digest_of(container) := found[0][1] if {
	found := regex.find_all_string_submatch_n(`@(sha256:[0-9a-f]{64})$`, container.image, 1)
} else := ""

revision_of(engine) := engine.flags.revision if {
	regex.match(`^[0-9a-f]{40}$`, object.get(engine.flags, ["revision", "value"], ""))
} else := {"value": "", "object": engine.object, "path": engine.path}

# The servers and how they are started: {"id" as in `release`, "container", "image", "flags": {name: value},
# "unknown": flags whose value only the cluster knows, "grace_seconds", "memory"}.
servers := [entry |
	some engine in vllm.servers
	kind := objects.string_at(engine.object, "kind")
	not kind in {"Job", "CronJob"}
	id := concat("/", [kind, objects.name(engine.object), engine.name])
	flags := {name: value |
		some name, flag in engine.flags
		value := flag.value
	}
	entry := {
		"id": id,
		"container": engine.name,
		"image": objects.string_at(engine.container, "image"),
		"flags": flags,
		"unknown": engine.unknown,
		"grace_seconds": grace_seconds(engine.pod),
		"memory": fit(engine),
	}
]

grace_seconds(pod) := seconds if {
	seconds := quantity.whole_number(pod.terminationGracePeriodSeconds)
} else := 30

# Whether the model fits the GPUs of its pod, as VLM002 counts it: {"fits", "gpus", "need" and "have" in bytes,
# "needs" and "offers" in words}, {"fits": false, "why"} for a shape that cannot be, {"why"} where VLM002 is silent.
fit(engine) := {"fits": false, "why": why} if {
	case := case_of(engine)
	why := sprintf("tensor-parallel-size wants a value that %v", [memory.shape_problem(case)])
} else := {
	"fits": fits(sum),
	"gpus": sum.gpus,
	"need": memory.need(sum),
	"have": memory.have(sum),
	"needs": memory.need_words(sum),
	"offers": memory.have_words(sum),
} if {
	case := case_of(engine)
	sum := memory.sum_of(case)
} else := {"why": not_counted(engine)}

case_of(engine) := found[0] if {
	found := [case |
		some case in memory.cases
		case.server.workload.id == engine.workload.id
	]
}

fits(sum) := false if {
	memory.too_much(sum)
} else := true

not_counted(engine) := "no model is named" if {
	not engine.flags.model
} else := sprintf("'%v' is in no catalogue; describe it under `models` in lockgate.yaml", [text.shown(engine.flags.model.value)]) if {
	not model.facts(engine)
} else := "the container holds no GPU" if {
	workloads.gpu_count(engine.container) == 0
} else := "its GPUs are not what its flags ask for (GPU002)" if {
	workloads.gpu_count(engine.container) != vllm.needed[engine.workload.id]
} else := "a flag, or the pool's accelerator, says nothing that can be counted with"
