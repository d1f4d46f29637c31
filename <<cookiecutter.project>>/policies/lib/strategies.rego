# How many pods a controller asks for at the worst moment of a change. The arithmetic is that of
# the controllers themselves: tests/cluster/test_budget.py of Lockgate compares it with them.
package lockgate.lib.strategies

import data.lockgate.lib.quantity
import rego.v1

# Kinds that add no pod of their own while they change.
fixed_kinds := {"StatefulSet", "ReplicaSet", "ReplicationController", "LeaderWorkerSet"}

# {"pods", "why"} at the worst moment; undefined where a field is no number.
peak(controller, n) := {"pods": n, "why": ""} if controller.kind in fixed_kinds

peak(controller, n) := {"pods": n, "why": ""} if controller.kind in {"Pod", "Job", "CronJob"}

peak(controller, n) := {"pods": n, "why": ""} if {
	controller.kind == "Deployment"
	controller.spec.strategy.type == "Recreate"
}

peak(controller, n) := surged(n, min([n, surge_pods(n, surge)]), surge) if {
	controller.kind == "Deployment"
	object.get(controller, ["spec", "strategy", "type"], "RollingUpdate") == "RollingUpdate"
	surge := object.get(controller, ["spec", "strategy", "rollingUpdate", "maxSurge"], "25%")
}

# A smaller preview (previewReplicaCount) saves nothing: it grows to the full count before the switch.
peak(controller, n) := {"pods": 2 * n, "why": "doubled by blueGreen"} if {
	controller.kind == "Rollout"
	is_object(controller.spec.strategy.blueGreen)
}

peak(controller, n) := canary(object.get(controller, ["spec", "strategy", "canary"], {}), n) if {
	controller.kind == "Rollout"
	not is_object(object.get(controller, ["spec", "strategy", "blueGreen"], null))
}

# `extra` pods above n that maxSurge allows and the change needs.
surged(n, extra, surge) := {"pods": n + extra, "why": surge_words(extra, surge)}

surge_words(0, _) := ""

surge_words(extra, surge) := sprintf("plus %v by maxSurge %v", [extra, surge]) if extra > 0

surge_pods(_, surge) := quantity.whole_number(surge)

surge_pods(n, surge) := ceil((n * percent(surge)) / 100)

# Pods that may be missing meanwhile. With neither surge nor spare nothing would move: then one.
spare_pods(n, spare, most) := max([whole_spare(n, spare), min([1, 1 - most])])

whole_spare(_, spare) := quantity.whole_number(spare)

whole_spare(n, spare) := floor((n * percent(spare)) / 100)

percent(value) := to_number(trim_suffix(value, "%")) if {
	is_string(value)
	regex.match(`^[0-9]{1,4}%$`, value)
}

canary(strategy, n) := surged(n, basic_extra(states, n, most, spare), surge) if {
	not routed(strategy)
	surge := object.get(strategy, "maxSurge", "25%")
	most := surge_pods(n, surge)
	spare := spare_pods(n, object.get(strategy, "maxUnavailable", "25%"), most)
	states := basic_states(weights_of(strategy), n, most)
}

# The stable set stays whole beside whatever the canary has: all of it at the promotion, or more
# where a step says so.
canary(strategy, n) := {"pods": n + most, "why": routed_words(n, most)} if {
	routed(strategy)
	not strategy.dynamicStableScale
	most := max(array.concat([n], [state.canary | some state in routed_states(strategy, n)]))
}

canary(strategy, n) := {"pods": worst, "why": sprintf("at most %v with dynamicStableScale", [worst])} if {
	routed(strategy)
	strategy.dynamicStableScale
	worst := dynamic_worst(routed_states(strategy, n), strategy, n)
}

routed(strategy) if is_object(strategy.trafficRouting)

routed_words(n, most) := "doubled at promotion" if n == most

routed_words(n, most) := sprintf("plus %v by setCanaryScale", [most]) if most != n

steps_of(strategy) := strategy.steps if {
	is_array(strategy.steps)
} else := []

weights_of(strategy) := [weight |
	some step in steps_of(strategy)
	weight := quantity.whole_number(step.setWeight)
]

# Without a router the weight is the share of pods. From one state to the next the stable set
# first gives back what may be missing, then the canary grows within the surge.
basic_extra(states, n, most, spare) := max(array.concat([0], moments)) if {
	moments := [extra |
		some i
		state := states[i]
		i > 0
		before := states[i - 1]
		free := max([0, ((before.stable + before.canary) - n) + spare])
		stable := max([state.stable, before.stable - free])
		grown := max([state.canary, before.canary])
		extra := min([most, (stable + grown) - n])
	]
}

basic_states(weights, n, most) := array.concat(begun, [{"canary": n, "stable": 0}]) if {
	held := [state |
		some weight in weights
		state := shared(n, weight, most)
	]
	begun := array.concat([{"canary": 0, "stable": n}], held)
}

# The counts that come closest to a weight, the first of equals; with a surge they may add up to one more.
shared(n, weight, most) := {"canary": found[0].canary, "stable": found[0].total - found[0].canary} if {
	options := [option |
		some total in numbers.range(n, n + min([1, most]))
		some new in [ceil((n * weight) / 100), floor((n * weight) / 100)]
		option := {"canary": new, "total": total, "off": off(n, weight, new, total)}
		eligible(n, weight, most, option)
	]
	least := min([option.off | some option in options])
	found := [option | some option in options; option.off == least]
}

# The distance of a share from the weight, times what makes it whole for both totals.
off(n, weight, new, total) := abs((100 * new) - (weight * total)) * ((n + (n + 1)) - total)

# A count is rounded up to any total, but not to all pods; rounded down unless that is as far as up.
# Between 0 and 100 each side keeps a pod, where there are two.
eligible(n, weight, _, option) if {
	option.canary * 100 >= n * weight
	option.total > n
}

eligible(n, weight, _, option) if {
	option.canary * 100 >= n * weight
	option.canary < n
}

eligible(n, weight, _, option) if {
	option.canary * 100 <= n * weight
	option.canary > 0
	(option.total * weight) % 100 != 50
}

eligible(_, weight, _, _) if weight in {0, 100}

eligible(n, _, most, _) if {
	n == 1
	most == 0
}

# With dynamicStableScale the stable set shrinks only after the traffic has moved: at each
# step the new canary runs beside the stable set of the weight before.
dynamic_worst(steps, strategy, n) := max(array.concat([n], moments)) if {
	states := array.concat(steps, [{"weight": full_weight(strategy), "canary": n}])
	moments := [pods |
		some i
		state := states[i]
		stable := pods_of_weight(full_weight(strategy) - weight_before(states, i), strategy, n)
		pods := state.canary + stable
	]
}

weight_before(_, 0) := 0

weight_before(states, i) := states[i - 1].weight if i > 0

# Traffic weight and canary pods after each step.
routed_states(strategy, n) := [state |
	steps := steps_of(strategy)
	some i
	_ := steps[i]
	weight := last_weight(steps, i)
	state := {"weight": weight, "canary": canary_pods(last_scale(steps, i), weight, strategy, n)}
]

last_weight(steps, i) := found[count(found) - 1] if {
	found := array.concat([0], [w |
		some j
		step := steps[j]
		j <= i
		w := quantity.whole_number(step.setWeight)
	])
}

last_scale(steps, i) := found[count(found) - 1] if {
	found := array.concat([{"matchTrafficWeight": true}], [s |
		some j
		step := steps[j]
		j <= i
		s := step.setCanaryScale
		is_object(s)
	])
}

canary_pods(scale, weight, strategy, n) := count_of if {
	count_of := quantity.whole_number(scale.replicas)
} else := pods_of_weight(own, strategy, n) if {
	own := quantity.whole_number(scale.weight)
} else := pods_of_weight(weight, strategy, n)

pods_of_weight(weight, strategy, n) := at_least(ceil((n * weight) / full_weight(strategy)), strategy, n)

full_weight(strategy) := weight if {
	weight := quantity.whole_number(strategy.trafficRouting.maxTrafficWeight)
	weight > 0
} else := 100

at_least(0, _, _) := 0

at_least(pods, strategy, n) := max([pods, min([n, least])]) if {
	pods > 0
	least := quantity.whole_number(object.get(strategy, "minPodsPerReplicaSet", 1))
}
