# Autoscalers and what they scale.
package lockgate.autoscaling

import data.lockgate.lib.catalogue
import data.lockgate.lib.delivery
import data.lockgate.lib.environment
import data.lockgate.lib.metrics
import data.lockgate.lib.objects
import data.lockgate.lib.quantity
import data.lockgate.lib.results
import data.lockgate.lib.scaling
import data.lockgate.lib.settings
import data.lockgate.lib.text
import data.lockgate.lib.vllm
import rego.v1

# METADATA
# title: An autoscaled workload has no replicas of its own
# description: >-
#   The manifest and the autoscaler write the same field: each sync of Argo CD throws the
#   scale back, or shows the application as out of sync for ever.
# related_resources:
#   - https://argo-cd.readthedocs.io/en/stable/user-guide/diffing/
# custom:
#   id: HPA001
#   severity: {dev: error, canary: error, prod: error}
#   remediation: >-
#     Remove spec.replicas from the autoscaler's target, or let the Application ignore
#     /spec/replicas with the sync option RespectIgnoreDifferences=true.
deny contains result if {
	some scaler in scaling.autoscalers
	some target in objects.all
	scaling.object_id(target) == scaler.target
	replicas := target.spec.replicas
	count(scaling.referring({"object": target})) == 0
	not left_alone(target)
	msg := sprintf("spec.replicas is %v beside the %v \"%v\", wanted none", [replicas, scaler.object.kind, objects.name(scaler.object)])
	result := results.removed(results.finding("HPA001", target, ["spec", "replicas"], msg))
}

left_alone(target) if {
	some spec in delivery.specs
	delivery.leaves_replicas(spec, target)
}

# METADATA
# title: The autoscaler's bounds make sense
# description: >-
#   With a minimum above the maximum the API server refuses the autoscaler; with one replica
#   in prod each node drain and each crash is an outage of a start-up's length.
# custom:
#   id: HPA002
#   scope: object
#   severity: {canary: error, prod: error}
#   remediation: >-
#     Set minReplicas to 1 or more (2 or more in prod) and not above maxReplicas.
deny contains result if {
	some scaler in scaling.autoscalers
	scaler.min > scaler.max
	msg := sprintf("%v %v is above %v %v, wanted at most the maximum", [scaler.min_field, scaler.min, scaler.max_field, scaler.max])
	found := results.finding("HPA002", scaler.object, ["spec", scaler.min_field], msg)
	result := results.with_also(found, [results.place(scaler.object, ["spec", scaler.max_field])])
}

deny contains result if {
	some scaler in scaling.autoscalers
	scaler.min <= scaler.max
	wanted := object.get(catalogue.thresholds.autoscaler_minimum, environment.level, 1)
	scaler.min < wanted
	msg := sprintf("%v is %v, wanted at least %v in %v", [scaler.min_field, scaler.min, wanted, environment.name])
	result := results.finding("HPA002", scaler.object, ["spec", scaler.min_field], msg)
}

# METADATA
# title: The autoscaler reads metrics that exist, and the right ones
# description: >-
#   An autoscaler whose metric nobody serves stands still in silence. CPU says nothing about a GPU that is full. An
#   External metric is summed over whatever its selector lets through, so that another model's queue scales this one. KEDA
#   takes an empty answer for 0: while Prometheus restarts, prod goes down to its minimum. Judged are the metrics of an HPA
#   that are called like vLLM's, by the rules of prometheus-adapter (the file that `metrics.adapter` of lockgate.yaml
#   names, or a ConfigMap), the queries of these rules, and KEDA's. Silent: other names, names that a rule makes
#   of several series, workloads without GPU, a trigger that scales to zero.
# related_resources:
#   - https://keda.sh/docs/latest/scalers/prometheus/
#   - https://github.com/kubernetes-sigs/prometheus-adapter/blob/master/docs/config.md
# custom:
#   id: HPA003
#   severity: {dev: error, canary: error, prod: error}
#   remediation: >-
#     Name a metric that a rule of the adapter serves, and in that rule a series of the vLLM version; scale on
#     `vllm:num_requests_waiting` or `vllm:kv_cache_usage_perc` rather than on CPU; select `model_name` and `namespace`
#     of an External metric; give a KEDA trigger `ignoreNullValues: "false"` and its ScaledObject a `fallback`.
deny contains result if {
	some fault in metrics.faults
	fault.query.source in {"adapter", "trigger"}
	result := results.finding_at("HPA003", fault.query.object, fault.query.path, sprintf("%v %v", [
		metrics.field_of(fault.query),
		fault.text,
	]))
}

deny contains result if {
	some entry in metrics.asked
	count(served) > 0
	not entry.direct
	like_vllm(entry)
	names := served_to(entry.type)
	not "" in names
	not entry.name in names
	not exists_by_name(entry)
	result := results.finding_at("HPA003", entry.ref, array.concat(entry.path, ["name"]), sprintf("the %v metric wants a name that the adapter's rules serve%v, found '%v'", [
		entry.type,
		shown_names(names),
		entry.name,
	]))
}

deny contains result if {
	some entry in metrics.asked
	judged_by_catalogue(entry)
	some gap in metrics.missing
	gap.name == entry.series
	not distribution(entry, gap)
	result := results.finding_at("HPA003", entry.ref, array.concat(entry.path, ["name"]), sprintf("the %v metric wants a metric of vLLM %v, found '%v'%v", [
		entry.type,
		gap.version,
		entry.name,
		metrics.explanations[metrics.key_of(gap.version, gap.name)],
	]))
}

# The rules of prometheus-adapter, as far as Lockgate knows them.
served := input.adapter if {
	is_array(input.adapter)
} else := []

served_to(type) := {rule.serves |
	some rule in served
	rule.external == {"External": true, "Object": false, "Pods": false}[type]
}

shown_names(names) := "" if count(names) == 0

shown_names(names) := sprintf(" (%v)", [concat(", ", sort(names))]) if count(names) > 0

# Is it vLLM's, with its prefix or without?
like_vllm(entry) if metrics.is_vllm(entry.series)

like_vllm(entry) if {
	some version in metrics.versions
	metrics.existing[metrics.key_of(version, concat("", ["vllm:", entry.name]))]
}

# The adapter's default rule serves every series under its own name.
exists_by_name(entry) if {
	startswith(entry.name, "vllm:")
	some version in metrics.versions
	metrics.existing[metrics.key_of(version, entry.name)]
}

# Google keeps a histogram whole, under its own name.
distribution(entry, gap) if {
	entry.direct
	metrics.key_of(gap.version, gap.name) in metrics.histograms
}

judged_by_catalogue(entry) if entry.direct

judged_by_catalogue(entry) if {
	is_array(input.adapter)
	count(served) == 0
	not entry.direct
}

deny contains result if {
	some entry in metrics.asked
	entry.type == "External"
	is_array(input.adapter)
	metrics.is_vllm(entry.series)
	not entry.direct
	keys := selector_keys(entry.selector)
	lacking := [what | some what in ["model", "namespace"]; not selected(what, keys); not fixed_by_rule(what, entry.name)]
	count(lacking) > 0
	result := results.finding_at("HPA003", entry.ref, array.concat(entry.path, ["selector"]), sprintf("the External metric '%v' wants a selector on model_name and namespace, found none on the %v", [
		entry.name,
		concat(" and the ", lacking),
	]))
}

selector_keys(selector) := object.keys(object.get(selector, "matchLabels", {})) | {key |
	some expression in selector.matchExpressions
	key := expression.key
}

selected(what, keys) if {
	some key in keys
	contains(key, what)
}

# The rule behind the name selects it itself.
fixed_by_rule(what, name) if {
	some rule in served
	rule.serves == name
	some expression in rule.queries
	regex.match(fixing[what], expression)
}

fixing := {"model": `model_name=~?"`, "namespace": `namespace=~?"`}

deny contains result if {
	some scaler in gpu_scalers
	not reads_more(scaler.sources)
	result := results.finding_at("HPA003", scaler.ref, scaler.path, sprintf("the autoscaler of GPU pods wants a metric of what they serve, found %v", [scaler.shown]))
}

# Autoscalers of GPU pods: {"ref", "object", "path" to the sources, "sources": their types, "shown"}.
gpu_scalers := [entry |
	some scaler in scaling.autoscalers
	scaler.target in gpu_targets
	field := {"HorizontalPodAutoscaler": "metrics", "ScaledObject": "triggers"}[scaler.object.kind]
	list := object.get(scaler.object.spec, field, [])
	is_array(list)
	may_be_empty(field, list)
	sources := [source.type | some source in list; is_string(source.type)]
	count(sources) == count(list)
	entry := {
		"ref": objects.ref(scaler.object),
		"object": scaler.object,
		"min": scaler.min,
		"path": ["spec", field],
		"sources": sources,
		"shown": shown_sources(list),
	}
]

# An HPA without metrics scales on CPU; a ScaledObject has a trigger.
may_be_empty("metrics", _)

may_be_empty("triggers", list) if count(list) > 0

gpu_targets := {scaling.object_id(controller.object) | some controller in scaling.controllers}

shown_sources(list) := "no metric, which means CPU" if count(list) == 0

shown_sources(list) := sprintf("only %v", [concat(" and ", sort({of_source(source) | some source in list}))]) if count(list) > 0

of_source(source) := text.shown(source.resource.name) if {
	source.resource.name
} else := text.shown(source.containerResource.name) if {
	source.containerResource.name
} else := source.type

reads_more(sources) if {
	some source in sources
	not source in {"Resource", "ContainerResource", "cpu", "memory"}
}

# KEDA's trap: without these two an empty or failing query scales down. Scaled to zero there is no pod that
# could have a series, so that an empty answer is right there.
deny contains result if {
	some trigger in prometheus_triggers
	value := object.get(trigger.metadata, "ignoreNullValues", null)
	not value in {"false", false}
	result := results.finding_at("HPA003", trigger.ref, array.concat(trigger.path, ["ignoreNullValues"]), sprintf("the trigger wants ignoreNullValues \"false\", found %v: an empty answer counts as 0", [text.found(value)]))
}

deny contains result if {
	some trigger in prometheus_triggers
	object.get(trigger.metadata, "ignoreNullValues", null) in {"false", false}
	not is_object(trigger.fallback)
	found := results.finding_at("HPA003", trigger.ref, ["spec", "fallback"], "the ScaledObject wants a fallback for when a query fails, found none")
	result := object.union(found, {"severity": "warning"})
}

prometheus_triggers := [trigger |
	some scaler in gpu_scalers
	scaler.object.kind == "ScaledObject"
	scaler.min >= 1
	some index
	source := scaler.object.spec.triggers[index]
	source.type == "prometheus"
	is_string(source.metadata.query)
	not contains(source.metadata.query, "vector(")
	trigger := {
		"ref": scaler.ref,
		"path": ["spec", "triggers", index, "metadata"],
		"metadata": source.metadata,
		"fallback": object.get(scaler.object.spec, "fallback", null),
	}
]

# METADATA
# title: The autoscaler gives no server back sooner than it could get it again
# description: >-
#   A new server answers only after the start-up budget. When the load dips for less than that and the
#   autoscaler takes a pod away, the next wave meets minutes of loading. Without a window of its own an
#   autoscaler looks back 300 s.
# related_resources:
#   - https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#stabilization-window
# custom:
#   id: HPA004
#   severity: {canary: warning, prod: warning}
#   remediation: >-
#     Set behavior.scaleDown.stabilizationWindowSeconds to startup_budget_seconds of lockgate.yaml or more
#     (3600 at most); with KEDA it stands below advanced.horizontalPodAutoscalerConfig.
deny contains result if {
	some scaler in scaling.autoscalers
	scaler.target in serving_targets
	behavior_path := behavior_paths[scaler.object.kind]
	supports_behavior(scaler.object)
	scale_down := scale_down_of(object.get(scaler.object, behavior_path, {}))
	object.get(scale_down, "selectPolicy", "") != "Disabled"
	window := quantity.whole_number(object.get(scale_down, "stabilizationWindowSeconds", limits.default))
	wanted := min([settings.startup_budget_seconds, limits.most])
	window < wanted
	msg := sprintf("the window of scaleDown is %v s%v, wanted at least %v s, %v", [window, default_words(scale_down), wanted, wanted_words(wanted)])
	found := results.finding("HPA004", scaler.object, array.concat(behavior_path, ["scaleDown", "stabilizationWindowSeconds"]), msg)
	result := results.with_also(results.set_to(found, wanted), [results.settings_place(["startup_budget_seconds"])])
}

limits := catalogue.thresholds.stabilization_window_seconds

behavior_paths := {
	"HorizontalPodAutoscaler": ["spec", "behavior"],
	"ScaledObject": ["spec", "advanced", "horizontalPodAutoscalerConfig", "behavior"],
}

# The first version of the API has no field for it.
supports_behavior(scaler) if {
	version := objects.string_at(scaler, "apiVersion")
	not version in {"autoscaling/v1", "autoscaling/v2beta1"}
}

scale_down_of(behavior) := scale_down if {
	is_object(behavior)
	scale_down := object.get(behavior, "scaleDown", {})
	is_object(scale_down)
}

# Ids of the objects whose replicas count for a server.
serving_targets := {scaling.object_id(controller) |
	some server in vllm.servers
	controller := scaling.controller_of(server.workload)
}

default_words(scale_down) := "" if scale_down.stabilizationWindowSeconds >= 0

default_words(scale_down) := " (the default)" if not scale_down.stabilizationWindowSeconds

wanted_words(wanted) := "the start-up budget" if wanted == settings.startup_budget_seconds

wanted_words(wanted) := "the most that Kubernetes takes" if wanted < settings.startup_budget_seconds
