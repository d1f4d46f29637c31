package lockgate.lib.strategies_test

import data.lockgate.lib.strategies
import rego.v1

deployment(strategy) := {"kind": "Deployment", "spec": {"strategy": strategy}}

rolling(surge) := deployment({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge}})

rollout(strategy) := {"kind": "Rollout", "spec": {"strategy": {"canary": strategy}}}

routed(strategy) := rollout(object.union({"trafficRouting": {"nginx": {}}}, strategy))

weights(list) := [{"setWeight": weight} | some weight in list]

pods(controller, n) := strategies.peak(controller, n).pods

test_a_surge_never_exceeds_what_is_replaced if {
	pods(rolling(3), 1) == 2
	pods(rolling("200%"), 2) == 4
	strategies.peak(rolling(3), 1).why == "plus 1 by maxSurge 3"
	strategies.peak(rolling(0), 4) == {"pods": 4, "why": ""}
}

test_a_surge_that_is_no_number_has_no_peak if {
	not strategies.peak(rolling("much"), 2)
	not strategies.peak(rolling(1.5), 2)
	not strategies.peak(rollout({"maxSurge": true}), 2)
}

test_a_basic_canary_grows_within_the_surge_that_its_steps_use if {
	full := {"maxSurge": "100%", "maxUnavailable": 0}
	pods(rollout(full), 4) == 8
	pods(rollout(object.union(full, {"steps": weights([100])})), 4) == 8
	pods(rollout(object.union(full, {"steps": weights([25])})), 4) == 7
	pods(rollout(object.union(full, {"steps": weights([50])})), 4) == 6
	pods(rollout(object.union(full, {"steps": weights([50, 25])})), 4) == 7
	pods(rollout({"maxSurge": 2, "maxUnavailable": 0, "steps": weights([50])}), 4) == 6
	pods(rollout({"maxSurge": 5, "maxUnavailable": 0}), 2) == 4
}

test_what_may_be_missing_makes_room_first if {
	half := {"maxSurge": "100%", "steps": weights([50])}
	pods(rollout(object.union(half, {"maxUnavailable": 1})), 4) == 5
	pods(rollout({"maxSurge": 0, "maxUnavailable": 0, "steps": weights([50])}), 4) == 4
}

test_the_shares_of_a_weight if {
	strategies.shared(1, 50, 1) == {"canary": 1, "stable": 1}
	strategies.shared(4, 10, 1) == {"canary": 1, "stable": 4}
	strategies.shared(3, 50, 0) == {"canary": 2, "stable": 1}
	strategies.shared(10, 30, 0) == {"canary": 3, "stable": 7}
	strategies.shared(2, 1, 0) == {"canary": 1, "stable": 1}
	strategies.shared(1, 50, 0) == {"canary": 1, "stable": 0}
	strategies.shared(4, 0, 1) == {"canary": 0, "stable": 4}
	strategies.shared(4, 100, 1) == {"canary": 4, "stable": 0}
}

test_a_routed_canary_doubles if {
	strategies.peak(routed({"steps": weights([5, 50])}), 3) == {"pods": 6, "why": "doubled at promotion"}
	larger := [{"setCanaryScale": {"replicas": 5}}]
	strategies.peak(routed({"steps": larger}), 3) == {"pods": 8, "why": "plus 5 by setCanaryScale"}
	smaller := [{"setCanaryScale": {"weight": 50}}]
	pods(routed({"steps": smaller}), 3) == 6
}

test_a_dynamic_stable_set_follows_the_weight if {
	dynamic := {"dynamicStableScale": true}
	pods(routed(dynamic), 3) == 6
	pods(routed(object.union(dynamic, {"steps": weights([25])})), 4) == 7
	pods(routed(object.union(dynamic, {"steps": weights([25, 50])})), 4) == 6
	pods(routed(object.union(dynamic, {"steps": weights([25, 50, 75, 100])})), 4) == 5
	pods(routed(object.union(dynamic, {"steps": weights([10, 50]), "minPodsPerReplicaSet": 2})), 4) == 6
	pods(routed(object.union(dynamic, {"steps": weights([10, 100]), "minPodsPerReplicaSet": 3})), 4) == 8
	thousand := {"trafficRouting": {"plugins": {}, "maxTrafficWeight": 1000}, "steps": weights([250, 500, 750, 1000])}
	pods(rollout(object.union(dynamic, thousand)), 4) == 5
}

test_blue_green_doubles_whatever_the_preview if {
	strategies.peak(blue_green({}), 3) == {"pods": 6, "why": "doubled by blueGreen"}
	strategies.peak(blue_green({"previewReplicaCount": 1}), 3) == {"pods": 6, "why": "doubled by blueGreen"}
}

blue_green(strategy) := {"kind": "Rollout", "spec": {"strategy": {"blueGreen": strategy}}}
