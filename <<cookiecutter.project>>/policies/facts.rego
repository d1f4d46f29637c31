# What other parts of Lockgate ask the rules for, one environment at a time.
package lockgate.facts

import data.lockgate.lib.objects
import data.lockgate.lib.results
import data.lockgate.lib.scaling
import data.lockgate.lib.vllm
import data.lockgate.lib.workloads
import rego.v1

# The most GPUs that can be held at once: {"gpus", "pods", "gpus_per_pod", "terms"}.
peak := scaling.total

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
