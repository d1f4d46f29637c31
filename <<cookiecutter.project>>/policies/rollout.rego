# Releases: steps, analysis, services, deadlines, and the GPUs for old and new pods side by side.
package lockgate.rollout

import data.lockgate.lib.analysis
import data.lockgate.lib.canary_steps
import data.lockgate.lib.catalogue
import data.lockgate.lib.environment
import data.lockgate.lib.objects
import data.lockgate.lib.placement
import data.lockgate.lib.quantity
import data.lockgate.lib.refs
import data.lockgate.lib.release_routes
import data.lockgate.lib.results
import data.lockgate.lib.rollouts
import data.lockgate.lib.scaling
import data.lockgate.lib.settings
import data.lockgate.lib.strategies
import data.lockgate.lib.text
import data.lockgate.lib.vllm
import rego.v1

canary_path(rest) := array.concat(["spec", "strategy", "canary"], rest)

# METADATA
# title: A canary is looked at before all traffic goes to it
# description: >-
#   Without a step that holds a part of the traffic, and an analysis or a pause at that weight, the new
#   release gets everything as soon as its pods are ready. Ready says that the model is loaded, not that it
#   answers well.
# related_resources:
#   - https://argo-rollouts.readthedocs.io/en/stable/features/canary/
# custom:
#   id: ROL001
#   scope: object
#   severity: {prod: error}
#   remediation: Begin `steps` with a `setWeight` below 100 and let an `analysis` or a `pause` follow before the full weight.
deny contains result if {
	some rollout in rollouts.canaries
	end := canary_steps.full_at(rollout)
	not canary_steps.opaque(rollout, end)
	fault := canary_steps.unwatched(rollout, end)
	result := results.finding("ROL001", rollout.object, canary_path(fault.path), sprintf("steps want a weight below %v and then an analysis or a pause before full weight, found %v", [
		rollout.full,
		fault.found,
	]))
}

# METADATA
# title: An analysis exists, has its arguments, and can fail
# description: >-
#   A Rollout with a template that is not there, an argument without a value, or with templates that give one
#   argument two values or two metrics one name, is invalid and releases nothing. A metric without a condition,
#   or whose failureLimit its measurements cannot exceed, lets every release through; one that reads an element
#   of an empty result ends releases that are good.
# related_resources:
#   - https://argo-rollouts.readthedocs.io/en/stable/features/analysis/
# custom:
#   id: ROL002
#   severity: {canary: error, prod: error}
#   remediation: >-
#     Name an AnalysisTemplate of the namespace, give arguments a value and a name of their own, and give each
#     metric `interval`, `count`, a `failureLimit` below it and a condition like
#     len(result) > 0 && !isNaN(result[0]) && result[0] <= 2.
deny contains result if {
	not environment.partial
	some use in template_uses
	not analysis.template(use.namespace, use.entry)
	surely_missing(use)
	result := results.finding("ROL002", use.object, use.entry.path, sprintf("wants the %v '%v', found %v", [
		use.entry.kind,
		use.entry.name,
		instead(use),
	]))
}

deny contains result if {
	some request in analysis.requests
	missing := analysis.missing_args(request)
	count(missing) > 0
	result := results.finding("ROL002", request.object, array.concat(request.path, ["args"]), sprintf("the templates want a value for %v, found none", [text.quoted(missing)]))
}

deny contains result if {
	some request in analysis.requests
	some clash in analysis.clashes(request)
	msg := sprintf("argument %v wants one value in all templates of an analysis, found %v", [
		text.quoted([clash.name]),
		text.quoted(clash.values),
	])
	found := results.finding("ROL002", clash.object, clash.path, msg)
	result := results.with_also(found, [results.place(request.object, request.path)])
}

deny contains result if {
	some request in analysis.requests
	some metric in analysis.namesakes(request)
	found := results.finding("ROL002", metric.object, metric.path, sprintf("metric '%v' wants a name of its own in all templates of an analysis, found it twice", [metric.name]))
	result := results.with_also(found, [results.place(request.object, request.path)])
}

deny contains result if {
	some entry in analysis.metrics
	fault := limit_fault(entry.metric)
	result := results.finding("ROL002", entry.object, array.concat(entry.path, [fault.field]), sprintf("metric '%v' wants %v", [entry.name, fault.msg]))
}

deny contains result if {
	some entry in analysis.metrics
	endless(entry.metric)
	user := waiting_for(entry.object)[0]
	result := results.finding("ROL002", entry.object, array.concat(entry.path, ["count"]), sprintf("metric '%v' wants a count, as Rollout '%v' waits for its end, found an interval alone", [entry.name, user]))
}

deny contains result if {
	some entry in analysis.metrics
	fault := analysis.unsafe(entry.metric)
	result := results.finding("ROL002", entry.object, array.concat(entry.path, [fault.field]), sprintf("metric '%v' wants a condition that is safe without data, found %v", [entry.name, fault.found]))
}

# Each mention of a template: {"object", "namespace", "entry"}.
template_uses := [{"object": holder.object, "namespace": ns, "entry": entry} |
	some holder in array.concat(analysis.requests, analysis.combined)
	ns := objects.namespace(holder.object)
	some entry in holder.named
]

# A cluster's template may be made elsewhere, unless the name is that of one in the namespace.
surely_missing(use) if use.entry.kind == "AnalysisTemplate"

surely_missing(use) if analysis.template(use.namespace, other_scope(use.entry))

other_scope(entry) := {"kind": "AnalysisTemplate", "name": entry.name} if entry.kind == "ClusterAnalysisTemplate"

other_scope(entry) := {"kind": "ClusterAnalysisTemplate", "name": entry.name} if entry.kind == "AnalysisTemplate"

instead(use) := sprintf("the %v of that name", [other_scope(use.entry).kind]) if {
	analysis.template(use.namespace, other_scope(use.entry))
} else := "none in the environment"

limit_fault(metric) := {"field": "count", "msg": "a count or an interval, found one look alone"} if {
	analysis.gives_value(metric)
	not metric.count
	not metric.interval
} else := {"field": "failureLimit", "msg": "a failureLimit, found none, so that one bad look ends the release"} if {
	not said(metric, "failureLimit")
	not metric.consecutiveSuccessLimit
	looks_again(metric)
} else := {"field": "failureLimit", "msg": sprintf("a failureLimit below the count %v, found %v, which it cannot exceed", [looks, limit])} if {
	not metric.consecutiveSuccessLimit
	limit := analysis.number(metric, "failureLimit")
	looks := analysis.number(metric, "count")
	looks > 0
	limit >= looks
}

said(metric, field) if metric[field] != null

looks_again(metric) if analysis.number(metric, "count") > 1

looks_again(metric) if endless(metric)

endless(metric) if {
	is_string(metric.interval)
	not said(metric, "count")
}

# Names of Rollouts that wait for a template's end.
waiting_for(obj) := sort({name |
	some request in analysis.requests
	not request.background
	name := objects.name(request.object)
	some entry in request.named
	found := analysis.template(objects.namespace(request.object), entry)
	objects.ref(found) == objects.ref(obj)
})

# METADATA
# title: Stable and canary have a Service each, and the route names both
# description: >-
#   The controller gives the two Services the hash of the old and the new pods and moves the weights of the
#   route. With one Service for both, a selector that is not the pod template's or a route that knows one of
#   them, the canary gets no traffic, or all of it.
# related_resources:
#   - https://argo-rollouts.readthedocs.io/en/stable/features/traffic-management/
# custom:
#   id: ROL003
#   severity: {canary: error, prod: error}
#   remediation: >-
#     Set `stableService` and `canaryService` to two Services of the namespace that select labels of the pod
#     template, and name both as backends in one rule of the route.
deny contains result if {
	some service in release_routes.named_services
	not out_of_sight(service.name)
	not objects.named("Service", service.namespace, service.name)
	result := results.finding("ROL003", service.object, canary_path([service.field]), sprintf("%v wants a Service of the environment, found %v", [
		service.field,
		object.get({"": "none"}, service.name, sprintf("'%v', which is not there", [service.name])),
	]))
}

# A part of what runs may leave its Services to others, but not their names.
out_of_sight(name) if {
	name != ""
	environment.partial
}

deny contains result if {
	some service in release_routes.named_services
	service.field == "canaryService"
	service.name != ""
	service.name == service.other
	found := results.finding("ROL003", service.object, canary_path(["canaryService"]), sprintf("canaryService wants another Service than stableService, found '%v' for both", [service.name]))
	result := results.with_also(found, [results.place(service.object, canary_path(["stableService"]))])
}

# A Service that selects no pod at all is REF002's.
deny contains result if {
	some service in release_routes.named_services
	obj := objects.named("Service", service.namespace, service.name)
	selector := obj.spec.selector
	is_object(selector)
	count(refs.selected(service.namespace, {"matchLabels": selector})) > 0
	wrong := release_routes.unmatched(selector, release_routes.template_labels(service.object))
	count(wrong) > 0
	result := results.finding("ROL003", obj, ["spec", "selector", wrong[0]], sprintf("the selector wants labels of the pods of Rollout '%v', found %v that they do not have", [
		objects.name(service.object),
		text.quoted(wrong),
	]))
}

deny contains result if {
	not environment.partial
	some route in release_routes.used
	release_routes.missing(route)
	result := results.finding("ROL003", route.object, route.path, sprintf("wants %v of the environment, found '%v', which is not there", [
		with_article[route.kind],
		route.name,
	]))
}

deny contains result if {
	some route in release_routes.used
	target := objects.named(route.kind, route.namespace, route.name)
	best := release_routes.falls_short(route)
	result := results.finding("ROL003", target, best.path, sprintf("wants a rule with %v of Rollout '%v', found %v", [
		text.quoted(route.services),
		objects.name(route.object),
		text.list(sort(best.names)),
	]))
}

with_article := {"HTTPRoute": "an HTTPRoute", "Ingress": "an Ingress", "VirtualService": "a VirtualService"}

# METADATA
# title: A start that takes its whole budget is no failed release
# description: >-
#   A server may use its whole start-up budget before it is ready; a deadline that is no longer declares the
#   release failed while the model still loads. In prod a release that does not get ready goes back by itself.
# related_resources:
#   - https://argo-rollouts.readthedocs.io/en/stable/features/specification/
# custom:
#   id: ROL004
#   severity: {canary: error, prod: error}
#   remediation: >-
#     Set spec.progressDeadlineSeconds above startup_budget_seconds of lockgate.yaml (pulling the image comes
#     on top), and spec.progressDeadlineAbort true on the Rollout in prod.
deny contains result if {
	some controller in releasing
	deadline := quantity.whole_number(object.get(controller, ["spec", "progressDeadlineSeconds"], catalogue.thresholds.progress_deadline_seconds))
	deadline <= settings.startup_budget_seconds
	not nobody_says(controller)
	msg := sprintf("progressDeadlineSeconds is %v%v, wanted more than the start-up budget of %v s", [
		deadline,
		default_words(controller),
		settings.startup_budget_seconds,
	])
	found := results.finding("ROL004", controller, ["spec", "progressDeadlineSeconds"], msg)
	result := results.with_also(found, [results.settings_place(["startup_budget_seconds"])])
}

deny contains result if {
	environment.level == "prod"
	some controller in releasing
	controller.kind == "Rollout"
	object.get(controller, ["spec", "progressDeadlineAbort"], false) == false
	found := results.finding("ROL004", controller, ["spec", "progressDeadlineAbort"], "progressDeadlineAbort wants true in prod, found false")
	result := results.set_to(found, true)
}

# Manifests without a lockgate.yaml have no budget of their own, these no deadline: two defaults are no fault.
nobody_says(controller) if {
	environment.partial
	not controller.spec.progressDeadlineSeconds
}

# What releases servers and has a deadline for it.
releasing := [controller |
	some server in vllm.servers
	controller := scaling.controller_of(server.workload)
	controller.kind in {"Deployment", "Rollout"}
]

default_words(controller) := " (the default)" if not controller.spec.progressDeadlineSeconds

default_words(controller) := "" if controller.spec.progressDeadlineSeconds

# METADATA
# title: A weight without a router is one that pods can show
# description: >-
#   Without trafficRouting the share of traffic is the share of pods: 10 % of two pods becomes one of three,
#   and a third of the users meet the new release. Judged at the autoscaler's minimum.
# related_resources:
#   - https://argo-rollouts.readthedocs.io/en/stable/features/canary/
# custom:
#   id: ROL005
#   severity: {prod: warning}
#   remediation: Add `trafficRouting`, raise `minReplicas` (or `replicas`), or set `setWeight` to a share that so few pods can show, like 50.
deny contains result if {
	some rollout in rollouts.canaries
	not rollout.routed
	n := scaling.fewest(rollout.object)
	n > 0
	surge := strategies.surge_pods(n, object.get(rollout.canary, "maxSurge", "25%"))
	missed := missed_weights(rollout.steps, n, surge)
	count(missed) > 0
	msg := sprintf("weights want to be shown by %v pods and %v more by maxSurge within %v points, found %v", [
		n,
		surge,
		catalogue.thresholds.canary_weight_points,
		concat(", ", [miss.words | some miss in missed]),
	])
	found := results.finding("ROL005", rollout.object, canary_path(["steps", missed[0].step, "setWeight"]), msg)
	result := results.with_also(found, fewest_places(rollout.object))
}

# Weights that pods cannot show: {"step", "words"}.
missed_weights(steps, n, surge) := [miss |
	some i
	step := steps[i]
	weight := quantity.whole_number(step.setWeight)
	weight > 0
	weight < 100
	shown := strategies.shared(n, weight, surge)
	total := shown.canary + shown.stable
	abs((shown.canary * 100) - (weight * total)) > catalogue.thresholds.canary_weight_points * total
	miss := {"step": i, "words": sprintf("%v %% as %v of %v pods", [weight, shown.canary, total])}
]

fewest_places(controller) := [results.place(scaler.object, ["spec", scaler.min_field])] if {
	scaler := scaling.autoscaler_of(controller)
} else := [results.place(controller, ["spec", "replicas"])] if {
	controller.spec.replicas
} else := []

# METADATA
# title: A release finds GPUs for the pods that it adds
# description: >-
#   A rolling update waits for a surge pod, and the surge pod for GPUs that the old pods hold: on a pool that
#   is full it never ends. A canary with traffic routing and blue-green need room for both sets of pods.
#   What the budget forbids already is CST001's.
# related_resources:
#   - https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment
# custom:
#   id: ROL006
#   severity: {dev: error, canary: error, prod: error}
#   remediation: >-
#     Set strategy.type Recreate, or maxSurge 0 and maxUnavailable 1; with traffic routing lower maxReplicas (or
#     replicas), use dynamicStableScale, or correct pools.<name>.gpus in lockgate.yaml.
deny contains result if {
	not scaling.over_budget
	some c in scaling.controllers
	needed := placement.needed(c)
	room := placement.room(c)
	c.replicas <= room
	needed.pods > room
	msg := sprintf("pool \"%v\" of %v GPUs holds %v pods of %v GPUs, wanted room for %v (%v)", [
		environment.settings.pool,
		environment.pool.gpus,
		room,
		c.gpus_per_pod,
		needed.pods,
		needed.why,
	])
	found := results.finding("ROL006", c.object, needed.path, msg)
	result := results.with_also(found, array.concat(placement.said(c), [results.settings_place(["pools", environment.settings.pool, "gpus"])]))
}
