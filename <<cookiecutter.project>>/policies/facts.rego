# What other parts of Lockgate ask the rules for, one environment at a time.
package lockgate.facts

import data.lockgate.lib.objects
import data.lockgate.lib.scaling
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
