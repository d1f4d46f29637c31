# The steps of a canary: where it takes all traffic, and whether somebody looks before.
package lockgate.lib.canary_steps

import data.lockgate.lib.quantity
import rego.v1

# The step that sends all traffic, else the end of the steps.
full_at(rollout) := min(array.concat([count(rollout.steps)], [i |
	some i
	step := rollout.steps[i]
	quantity.whole_number(step.setWeight) >= rollout.full
]))

unwatched(rollout, end) := {"path": ["steps"], "found": "no steps"} if {
	count(rollout.steps) == 0
} else := {"path": ["steps", min([end, count(rollout.steps) - 1])], "found": "no part of the traffic before it"} if {
	count(partial(rollout, end)) == 0
} else := {"path": ["steps", last], "found": "neither after this step"} if {
	last := max(partial(rollout, end))
	first := min(partial(rollout, end))
	not watched(rollout, first, end)
}

# What an experiment or a plugin does with the traffic, only it knows.
opaque(rollout, end) if {
	some i
	step := rollout.steps[i]
	i < end
	some field in ["experiment", "plugin"]
	step[field]
}

# Steps that let the canary have a part: of the traffic, or the requests with some header. A pod without any is a
# smoke test.
partial(rollout, end) := [i |
	some i
	step := rollout.steps[i]
	i < end
	is_partial(step, rollout.full)
]

is_partial(step, full) if {
	weight := quantity.whole_number(step.setWeight)
	weight > 0
	weight < full
}

is_partial(step, _) if {
	some field in ["setHeaderRoute", "setMirrorRoute"]
	step[field]
}

watched(rollout, _, _) if rollout.canary.analysis

watched(rollout, first, end) if {
	some i
	step := rollout.steps[i]
	i > first
	i < end
	holds(step)
}

holds(step) if step.analysis

holds(step) if {
	is_object(step.pause)
	duration := object.get(step.pause, "duration", "")
	not duration in {0, "0", "0s"}
}
