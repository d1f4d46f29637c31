# Rollouts of Argo with a canary strategy.
package lockgate.lib.rollouts

import data.lockgate.lib.objects
import data.lockgate.lib.strategies
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
		"full": strategies.full_weight(canary),
	}
]

steps_of(canary) := canary.steps if is_array(canary.steps)

steps_of(canary) := [] if object.get(canary, "steps", null) == null
