# Rollouts of Argo with a canary strategy: what their steps mean, and how many pods a weight becomes.
package lockgate.lib.rollouts

import data.lockgate.lib.objects
import data.lockgate.lib.quantity
import rego.v1

# {"object", "canary": its strategy, "steps", "routed": does a router share the traffic out, "full": the weight that is all of it}.
# A Rollout whose steps are no list of mappings is left out.
canaries := [entry |
	some obj in objects.of_kind("Rollout")
	canary := obj.spec.strategy.canary
	is_object(canary)
	steps := steps_of(canary)
	count([step | some step in steps; not is_object(step)]) == 0
	entry := {
		"object": obj,
		"canary": canary,
		"steps": steps,
		"routed": is_object(object.get(canary, "trafficRouting", null)),
		"full": full_weight(canary),
	}
]

steps_of(canary) := canary.steps if is_array(canary.steps)

steps_of(canary) := [] if object.get(canary, "steps", null) == null

full_weight(canary) := most if {
	most := quantity.whole_number(canary.trafficRouting.maxTrafficWeight)
} else := 100

# Pods of a basic canary at a weight of all traffic in percent: {"canary", "total"}, as the controller rounds
# (approximateWeightedCanaryStableReplicaCounts of Argo Rollouts 1.10): the nearest share that n pods, or n + 1
# where maxSurge allows one more, can show; one pod at least.
shared_out(n, weight, surge) := nearest[0] if {
	options := shares(n, weight, surge)
	least := min([option.off | some option in options])
	nearest := [option | some option in options; option.off == least]
}

# Each with "off": how far its share is from the weight, in percentage points.
shares(n, weight, surge) := [share |
	some option in array.concat(without_surge(n, weight, surge), with_surge(n, weight, surge))
	off := abs((option.canary * 100) - (weight * option.total)) / option.total
	share := {"canary": option.canary, "total": option.total, "off": off}
]

without_surge(n, weight, surge) := array.concat(
	[{"canary": up, "total": n} |
		up := rounded_up(n, weight)
		leaves_one(up, n, surge)
	],
	[{"canary": down, "total": n} |
		down := rounded_down(n, weight)
		not tied(n, weight)
		has_one(down, n, surge)
	],
)

with_surge(n, weight, surge) := array.concat(
	[{"canary": up, "total": total} |
		surge > 0
		total := n + 1
		up := rounded_up(n, weight)
	],
	[{"canary": down, "total": total} |
		surge > 0
		total := n + 1
		not tied(total, weight)
		down := rounded_down(n, weight)
		has_one(down, n, surge)
	],
)

rounded_up(n, weight) := ceil((n * weight) / 100)

rounded_down(n, weight) := floor((n * weight) / 100)

# As far from the next whole number below as from the one above: the controller takes the upper one.
tied(n, weight) if (n * weight) % 100 == 50

# One pod alone, which nothing may stand beside, is old or new.
alone(1, 0)

leaves_one(canary, n, _) if canary < n

leaves_one(_, n, surge) if alone(n, surge)

has_one(canary, _, _) if canary > 0

has_one(_, n, surge) if alone(n, surge)

# Old pods that a rolling update may take away before new ones are ready: rounded down, but one where maxSurge
# is nothing too. Undefined for what is no number and no percentage.
unavailable(n, value, surge) := 1 if {
	surge == 0
	rounded(n, value) == 0
} else := rounded(n, value)

rounded(_, value) := quantity.whole_number(value)

rounded(n, value) := floor((n * to_number(trim_suffix(value, "%"))) / 100) if {
	is_string(value)
	regex.match(`^[0-9]{1,4}%$`, value)
}
