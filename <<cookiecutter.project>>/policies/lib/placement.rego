# How many pods of a controller the environment's pool of GPU nodes can hold at once, and how many a release
# must have at once to move at all.
package lockgate.lib.placement

import data.lockgate.lib.catalogue
import data.lockgate.lib.environment
import data.lockgate.lib.scaling
import data.lockgate.lib.strategies
import data.lockgate.lib.workloads
import rego.v1

# Pods of an entry of scaling.controllers that find a place, at most. Undefined when the pool does not say how
# many GPUs it has, or counts them in another unit than the pods do.
room(c) := min([by_nodes(c), by_sum(c)]) if counted(c)

# A pod takes its GPUs from one node.
by_nodes(c) := (nodes * floor(size / per_pod)) + floor(rest / per_pod) if {
	per_pod := scaling.sure_per_pod(c)
	size := environment.pool.gpus_per_node
	size > 0
	nodes := floor(environment.pool.gpus / size)
	rest := environment.pool.gpus % size
} else := floor(environment.pool.gpus / scaling.sure_per_pod(c))

by_sum(c) := floor((environment.pool.gpus - taken_by_others(c)) / scaling.sure_per_pod(c))

# GPUs of the environment's other pods that run for good, all of them up.
taken_by_others(c) := sum([gpus |
	some other in scaling.controllers
	other.workload.id != c.workload.id
	runs_for_good(other.object)
	counted(other)
	gpus := other.replicas * scaling.sure_per_pod(other)
])

runs_for_good(controller) if not controller.kind in {"Job", "CronJob", "Pod"}

# Are the pod's GPUs what the pool counts? Slices and shares of a card are not.
counted(c) if {
	environment.pool.gpus >= 0
	scaling.sure_per_pod(c) > 0
	foreign := [key |
		some entry in workloads.containers
		entry.workload.id == c.workload.id
		some key in entry.gpu_keys
		not counts(key)
	]
	count(foreign) == 0
}

counts(key) if key in environment.pool.gpu_resources

counts(key) if {
	count(object.get(environment.pool, "gpu_resources", [])) == 0
	key in catalogue.gpus.resource_keys
	not key in catalogue.gpus.shared_keys
}

# Pods that must run at once or the release stands still: {"pods", "why", "path"}. Undefined where old pods may
# go first.
needed(c) := {"pods": c.replicas + 1, "why": why, "path": path} if {
	rolling := rolling_update(c.object)
	surge := strategies.surge_pods(c.replicas, rolling.surge)
	surge > 0
	strategies.spare_pods(c.replicas, rolling.unavailable, surge) == 0
	why := sprintf("%v running, which maxUnavailable %v keeps, and one by maxSurge %v", [c.replicas, rolling.unavailable, rolling.surge])
	path := strategy_path(c.object, rolling.path)
}

needed(c) := {"pods": c.pods, "why": c.terms, "path": ["spec", "strategy"]} if {
	c.object.kind == "Rollout"
	side_by_side(c.object.spec.strategy)
}

side_by_side(strategy) if is_object(strategy.blueGreen)

side_by_side(strategy) if is_object(strategy.canary.trafficRouting)

# How a rolling update may count: {"surge", "unavailable", "path" to both}.
rolling_update(controller) := numbers(object.get(controller, ["spec", "strategy", "rollingUpdate"], {}), ["spec", "strategy", "rollingUpdate"]) if {
	controller.kind == "Deployment"
	object.get(controller, ["spec", "strategy", "type"], "RollingUpdate") == "RollingUpdate"
}

rolling_update(controller) := numbers(controller.spec.strategy.canary, ["spec", "strategy", "canary"]) if {
	controller.kind == "Rollout"
	not side_by_side(controller.spec.strategy)
}

numbers(fields, path) := {
	"surge": object.get(fields, "maxSurge", "25%"),
	"unavailable": object.get(fields, "maxUnavailable", "25%"),
	"path": path,
} if {
	is_object(fields)
}

strategy_path(controller, path) := array.concat(path, ["maxSurge"]) if {
	is_object(object.get(controller, path, null))
} else := ["spec", "strategy"]

# Where the number of running pods is said.
said(c) := [c.place] if c.place != null

said(c) := [] if c.place == null
