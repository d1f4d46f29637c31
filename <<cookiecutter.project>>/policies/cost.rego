# GPUs at the worst moment against budget, quota and cluster.
package lockgate.cost

import data.lockgate.lib.environment
import data.lockgate.lib.objects
import data.lockgate.lib.results
import data.lockgate.lib.scaling
import data.lockgate.lib.settings
import data.lockgate.lib.workloads
import rego.v1

budget := environment.settings.gpu_budget

# METADATA
# title: The peak of GPUs stays within the environment's budget
# description: >-
#   At a change more pods run than the autoscaler's maximum: a rolling update adds its
#   surge, and a canary with traffic routing keeps the stable set whole until the promotion
#   is over, twice the maximum. What does not fit stays Pending in the middle of it.
# related_resources:
#   - https://argo-rollouts.readthedocs.io/en/stable/features/canary/
# custom:
#   id: CST001
#   severity: {dev: error, canary: error, prod: error}
#   remediation: >-
#     Lower maxReplicas (or replicas), use dynamicStableScale or Recreate, or raise
#     environments.<name>.gpu_budget in lockgate.yaml.
deny contains result if {
	scaling.over_budget
	culprit := largest
	msg := sprintf("GPUs at the peak: %v > budget %v", [peak_words, budget])
	places := array.concat(culprit_places(culprit), [results.settings_place(["environments", environment.name, "gpu_budget"])])
	found := results.finding_at("CST001", places[0].object, places[0].path, msg)
	result := results.with_also(found, array.slice(places, 1, count(places)))
}

peak_words := scaling.total.terms if count(scaling.controllers) == 1

peak_words := sprintf("%v; together %v", [scaling.total.terms, scaling.total.gpus]) if count(scaling.controllers) > 1

# The first of the controllers that need the most.
largest := heaviest[0]

heaviest := [c |
	some c in scaling.controllers
	c.gpus == most
]

most := max([c.gpus | some c in scaling.controllers])

# Where the number of pods is said, then the strategy, then the GPUs of each pod.
culprit_places(c) := array.concat(said_places(c), array.concat(c.strategy, limit_places(c)))

said_places(c) := [c.place] if c.place != null

said_places(c) := [] if c.place == null

limit_places(c) := [results.place(entry.object, array.concat(entry.path, ["resources", "limits", key])) |
	some entry in workloads.containers
	entry.workload.id == c.workload.id
	some key in entry.gpu_keys
]

# METADATA
# title: A ResourceQuota holds the namespace to its GPU budget
# description: >-
#   The quota is the cluster's own barrier: it counts what runs, whoever made it. Below the
#   peak it stops the promotion half way, above the budget it stops nothing. The smallest
#   quota of the namespace counts.
# custom:
#   id: CST002
#   severity: {canary: error, prod: error}
#   remediation: >-
#     Set spec.hard["requests.nvidia.com/gpu"] of the namespace's ResourceQuota between the
#     peak and environments.<name>.gpu_budget.
deny contains result if {
	not environment.partial
	some key in used_keys
	count(quotas(key)) == 0
	spot := quota_spot(key)
	msg := sprintf("no ResourceQuota limits requests.%v, wanted one between the peak of %v and the budget", [key, scaling.total.gpus])
	result := results.finding("CST002", spot.object, spot.path, msg)
}

deny contains result if {
	not scaling.over_budget
	some key in used_keys
	quota := smallest(key)
	quota.gpus < scaling.sure_gpus
	msg := sprintf("the quota of requests.%v is %v, wanted at least the peak: %v", [key, quota.gpus, peak_words])
	found := results.finding("CST002", quota.object, ["spec", "hard", concat(".", ["requests", key])], msg)
	result := results.with_also(found, said_places(largest))
}

deny contains result if {
	not scaling.over_budget
	some key in used_keys
	quota := smallest(key)
	quota.gpus > budget
	msg := sprintf("the quota of requests.%v is %v, wanted at most the budget %v", [key, quota.gpus, budget])
	found := results.finding("CST002", quota.object, ["spec", "hard", concat(".", ["requests", key])], msg)
	result := results.with_also(found, [results.settings_place(["environments", environment.name, "gpu_budget"])])
}

# Resource keys that the counted pods use.
used_keys := {key |
	some c in scaling.controllers
	some entry in workloads.containers
	entry.workload.id == c.workload.id
	some key in entry.gpu_keys
}

quotas(key) := [{"object": obj, "gpus": workloads.whole(obj.spec.hard[hard_key])} |
	hard_key := concat(".", ["requests", key])
	some obj in objects.of_kind("ResourceQuota")
	not obj.spec.scopes
	not obj.spec.scopeSelector
	obj.spec.hard[hard_key]
]

smallest(key) := found[0] if {
	all := quotas(key)
	least := min([quota.gpus | some quota in all])
	found := [quota | some quota in all; quota.gpus == least]
}

# Where a missing entry belongs: the quota that is there, else the Namespace, else the
# object that needs the GPUs.
quota_spot(key) := {"object": candidates[0], "path": path} if {
	candidates := array.concat(objects.of_kind("ResourceQuota"), array.concat(objects.of_kind("Namespace"), [largest.object]))
	path := object.get({"ResourceQuota": ["spec", "hard", concat(".", ["requests", key])]}, candidates[0].kind, ["metadata", "name"])
}

# METADATA
# title: Environments that share a cluster fit into it together
# description: >-
#   Each environment may be within its budget and the sum still above the GPUs that the
#   cluster has: the promotion that comes last stays Pending.
# custom:
#   id: CST003
#   scope: repository
#   severity: {dev: error, canary: error, prod: error}
#   remediation: >-
#     Lower the peaks of the environments, move one to another cluster, or correct
#     clusters.<name>.gpus in lockgate.yaml.
deny contains result if {
	some name, cluster in settings.clusters
	parts := sharing(name)
	together := sum([part.gpus | some part in parts])
	together > cluster.gpus
	words := concat(" + ", [sprintf("%v %v", [part.name, part.gpus]) | some part in parts])
	msg := sprintf("peaks on the cluster \"%v\": %v = %v > %v GPUs", [name, words, together, cluster.gpus])
	found := results.settings_finding("CST003", ["clusters", name, "gpus"], msg)
	result := object.union(found, {"environments": [part.name | some part in parts]})
}

# The environments of a cluster with the GPUs that count here, sorted by name. What an
# environment needs above its budget is CST001's.
sharing(cluster) := [part |
	environments := object.get(input, ["repository", "environments"], {})
	some name in sort(object.keys(environments))
	environments[name].cluster == cluster
	peak := environments[name].facts.peak.gpus
	peak > 0
	part := {"name": name, "gpus": min([peak, object.get(data.environments[name], "gpu_budget", peak)])}
]
