# What Prometheus, Grafana and the analysis of a release read.
package lockgate.monitoring

import data.lockgate.lib.catalogue
import data.lockgate.lib.environment
import data.lockgate.lib.metrics
import data.lockgate.lib.objects
import data.lockgate.lib.refs
import data.lockgate.lib.results
import data.lockgate.lib.text
import data.lockgate.lib.vllm
import data.lockgate.lib.workloads
import rego.v1

# METADATA
# title: Alerts, analyses and dashboards read metrics that exist
# description: >-
#   A query on a metric that the vLLM version does not have, or by a label that it does not have, selects nothing:
#   the alert never fires, the analysis is inconclusive, the panel is empty, and nothing says so. Read are
#   PrometheusRules, AnalysisTemplates and Grafana dashboards (ConfigMaps and GrafanaDashboards), by the version in
#   the tag of vLLM's own image, else that of lockgate.yaml. Judged are names that begin like vLLM's, labels that
#   are often mistaken for vLLM's, rate() of a gauge, quantiles of buckets without `le`, and dashboards that are no
#   JSON. Silent: what recording rules, production-stack's router or `metrics.known` of lockgate.yaml give,
#   alternatives beside an `or`, data sources other than Prometheus, names with a variable in them, versions that
#   policies/data/vllm.json does not hold.
# related_resources:
#   - https://docs.vllm.ai/en/stable/design/metrics/
# custom:
#   id: MON001
#   severity: {dev: error, canary: error, prod: error}
#   remediation: >-
#     Write the metric, label or expression as the version has it (`GET /metrics` of a server lists them), or declare
#     it under `metrics` in lockgate.yaml when something else exports it.
deny contains result if {
	some fault in metrics.faults
	fault.query.source in {"alert", "analysis", "dashboard", "record"}
	result := results.finding_at("MON001", fault.query.object, fault.query.path, sprintf("%v %v", [
		metrics.field_of(fault.query),
		fault.text,
	]))
}

# METADATA
# title: A monitor finds the metrics of its pods
# description: >-
#   A PodMonitor or ServiceMonitor whose selector matches nothing, whose port is no name of a port there, or whose path
#   is not /metrics of vLLM is accepted by everyone and scrapes nothing: alerts, autoscaler and analysis are blind. So
#   they are when vLLM runs with `disable-log-stats`: its /metrics then has none of its own.
#   Silent: namespaces whose pods are not in the environment, labels that only running pods have, ports by number.
# related_resources:
#   - https://prometheus-operator.dev/docs/developer/getting-started/
# custom:
#   id: MON002
#   severity: {dev: error, canary: error, prod: error}
#   remediation: >-
#     Select the labels of the pod template (PodMonitor) or of the Service (ServiceMonitor), name a port that it has,
#     leave `path` out or set it to /metrics, and remove `disable-log-stats` of vLLM.
deny contains result if {
	not environment.partial
	some monitor in monitors
	count(monitor.found) == 0
	result := results.finding_at("MON002", monitor.ref, ["spec", "selector"], sprintf("the selector wants labels of a %v in %v, found none with %v", [
		monitor.what,
		text.quoted(monitor.namespaces),
		labels_text(monitor.selector),
	]))
}

deny contains result if {
	some monitor in monitors
	count(monitor.found) > 0
	some index
	port := monitor.endpoints[index].port
	is_string(port)
	not port in monitor.ports
	result := results.finding_at("MON002", monitor.ref, ["spec", monitor.field, index, "port"], sprintf("the endpoint wants the name of a port of the selected %v (%v), found '%v'", [
		monitor.what,
		names_text(monitor.ports),
		port,
	]))
}

names_text(names) := "none has one" if count(names) == 0

names_text(names) := concat(", ", sort(names)) if count(names) > 0

deny contains result if {
	some monitor in monitors
	some endpoint in monitor.endpoints
	endpoint.port in monitor.engine_ports
	some engine in vllm.engines
	engine.workload.id in monitor.ids
	flag := engine.flags["disable-log-stats"]
	vllm.is_true(flag.value)
	result := results.finding("MON002", flag.object, flag.path, sprintf("the %v '%v' wants metrics of container '%v', found 'disable-log-stats', with which vLLM has none", [
		monitor.ref.kind,
		monitor.ref.name,
		engine.name,
	]))
}

deny contains result if {
	some monitor in monitors
	some index
	endpoint := monitor.endpoints[index]
	endpoint.port in monitor.engine_ports
	is_string(endpoint.path)
	startswith(endpoint.path, "/")
	trim_suffix(endpoint.path, "/") != "/metrics"
	result := results.finding_at("MON002", monitor.ref, ["spec", monitor.field, index, "path"], sprintf("the endpoint wants /metrics of vLLM, found '%v'", [endpoint.path]))
}

# Monitors that can be judged: {"ref", "what", "namespaces", "selector", "field", "endpoints", "found": what is
# selected, "ids" of the pods behind it, "ports": names of its ports, "engine_ports": those of vLLM}.
monitors := array.concat(pod_monitors, service_monitors)

pod_monitors := [object.union(monitor, {"found": found, "ids": ids, "ports": ports, "engine_ports": engine_ports}) |
	some monitor in selecting("PodMonitor", "podMetricsEndpoints", "pod template")
	found := [pod |
		some namespace in monitor.namespaces
		some pod in refs.selected(namespace, monitor.selector)
	]
	ids := {pod.id | some pod in found}
	ports := {port.name | some port in container_ports(found); is_string(port.name)}
	engine_ports := {port.name | some port in ports_of_engines(found); is_string(port.name)}
]

service_monitors := [object.union(monitor, {"found": found, "ids": ids, "ports": ports, "engine_ports": engine_ports}) |
	some monitor in selecting("ServiceMonitor", "endpoints", "Service")
	found := [service |
		some service in services
		service.namespace in monitor.namespaces
		refs.selects(monitor.selector, service.labels)
	]
	ids := {pod.id |
		some service in found
		some pod in service.pods
	}
	ports := {port.name |
		some service in found
		some port in service.ports
		is_string(port.name)
	}
	engine_ports := {port.name |
		some service in found
		some port in service.ports
		some target in ports_of_engines(service.pods)
		object.get(port, "targetPort", port.port) in [target.containerPort, object.get(target, "name", null)]
	}
]

selecting(kind, field, what) := [monitor |
	some obj in objects.of_kind(kind)
	selector := obj.spec.selector
	known_labels(selector)
	namespaces := namespaces_of(obj)
	count(namespaces) > 0
	count([namespace | some namespace in namespaces; not namespace in inhabited]) == 0
	endpoints := object.get(obj, ["spec", field], [])
	is_array(endpoints)
	count(workloads.not_covered) == 0
	monitor := {
		"ref": objects.ref(obj),
		"what": what,
		"field": field,
		"namespaces": namespaces,
		"selector": selector,
		"endpoints": endpoints,
	}
]

# Namespaces that a monitor looks into; none where it looks everywhere.
namespaces_of(obj) := [] if {
	obj.spec.namespaceSelector.any
} else := names if {
	names := obj.spec.namespaceSelector.matchNames
	is_array(names)
	count(names) > 0
} else := [objects.namespace(obj)]

inhabited := {pod.namespace | some pod in refs.pods}

# Can the selector be compared with what is rendered?
known_labels(selector) if {
	is_object(selector)
	labels := object.get(selector, "matchLabels", {})
	is_object(labels)
	expressions := object.get(selector, "matchExpressions", [])
	is_array(expressions)
	keys := array.concat([key | some key in object.keys(labels)], [expression.key | some expression in expressions; is_string(expression.key)])
	count(keys) == count(labels) + count(expressions)
	count([key | some key in keys; strings.any_prefix_match(key, catalogue.exporters.labels_at_run_time)]) == 0
}

services := [{"namespace": objects.namespace(obj), "labels": labels, "ports": ports, "pods": pods} |
	some obj in objects.of_kind("Service")
	labels := object.get(obj, ["metadata", "labels"], {})
	is_object(labels)
	ports := object.get(obj, ["spec", "ports"], [])
	is_array(ports)
	selector := object.get(obj, ["spec", "selector"], {})
	is_object(selector)
	pods := selected_by(objects.namespace(obj), selector)
]

selected_by(_, selector) := [] if count(selector) == 0

selected_by(namespace, selector) := refs.selected(namespace, {"matchLabels": selector}) if count(selector) > 0

container_ports(pods) := [port |
	some pod in pods
	some container in workloads.pod_containers(workloads.all[pod.index].pod)
	some port in container.ports
]

ports_of_engines(pods) := [port |
	some pod in pods
	some engine in vllm.engines
	engine.workload.id == pod.id
	not "root-path" in object.keys(engine.flags)
	some port in engine.container.ports
]

labels_text(selector) := concat(", ", array.concat(
	[sprintf("%v=%v", [key, text.shown(selector.matchLabels[key])]) | some key in sort(object.keys(object.get(selector, "matchLabels", {})))],
	[sprintf("%v %v", [expression.key, text.shown(expression.operator)]) | some expression in object.get(selector, "matchExpressions", [])],
))

# METADATA
# title: Alerts say what to do, and none of the five is missing
# description: >-
#   An alert without `for` fires on one bad scrape; without severity nobody is paged; without summary and runbook the
#   person who is paged starts from nothing. A service of vLLM needs alerts on its queue, KV cache, time to first token,
#   errors, and on no pod being ready, recognised by what they read; asked for only where alerts are deployed at all.
#   Silent: an alert that always fires (a dead man's switch) needs no `for`; recording rules that are not in the
#   environment may read anything.
# custom:
#   id: MON003
#   severity: {prod: warning}
#   remediation: >-
#     Add `for`, `labels.severity`, `annotations.summary` and `annotations.runbook_url` to the alert; add the missing alert.
deny contains result if {
	some alert in alerts
	some lack in lacks(alert)
	result := results.finding_at("MON003", alert.ref, array.concat(alert.path, lack.field), sprintf("alert '%v' wants %v, found %v", [
		alert.name,
		lack.wanted,
		lack.found,
	]))
}

deny contains result if {
	not environment.partial
	count(alerts) > 0
	count([alert | some alert in alerts; undecided(alert)]) == 0
	concerns_vllm
	some wanted in catalogue.exporters.required_alerts
	count([alert | some alert in alerts; covers(alert, wanted)]) == 0
	result := results.finding_at("MON003", alerts[0].ref, ["spec", "groups"], sprintf("the alerts want one on %v (%v), found none", [wanted.on, wanted.says]))
}

# {"ref", "path", "name", "rule", "metrics": what it reads, recording rules of the environment followed}.
alerts := [alert |
	some obj in objects.of_kind("PrometheusRule")
	ref := objects.ref(obj)
	some i
	group := obj.spec.groups[i]
	some j
	rule := group.rules[j]
	is_string(rule.alert)
	key := key_of(ref, i, j)
	read := object.get(reads, key, [])
	alert := {
		"ref": ref,
		"path": ["spec", "groups", i, "rules", j],
		"name": rule.alert,
		"rule": rule,
		"metrics": array.concat(read, [metric |
			some name in {metric.name | some metric in read}
			some metric in records[name]
		]),
	}
]

key_of(ref, i, j) := sprintf("%v/%v/%v/%v", [ref.namespace, ref.name, i, j])

# Metrics by the rule that reads them; of two that have one name and place, those of both.
reads := {key: found |
	some key in {read.key | some read in reading}
	found := [metric |
		some read in reading
		read.key == key
		some metric in read.metrics
	]
}

reading := [{"key": key, "metrics": query.metrics} |
	some query in metrics.queries
	query.source == "alert"
	query.object.kind == "PrometheusRule"
	key := key_of(query.object, query.path[2], query.path[4])
]

# Metrics that recorded names are made of.
records := {name: found |
	some name in {record.name | some record in recordings}
	found := [metric |
		some record in recordings
		record.name == name
		some metric in record.metrics
	]
}

recordings := [{"name": rule.record, "metrics": query.metrics} |
	some query in metrics.queries
	query.source == "record"
	some obj in objects.of_kind("PrometheusRule")
	objects.ref(obj) == query.object
	rule := obj.spec.groups[query.path[2]].rules[query.path[4]]
	is_string(rule.record)
]

lacks(alert) := array.concat(
	[lack | not always_fires(alert); lack := {"field": ["for"], "wanted": "a time in `for`", "found": text.found(object.get(alert.rule, "for", null))}; not waits(alert.rule)],
	array.concat(
		[{"field": ["labels", "severity"], "wanted": "a label severity", "found": "none"} | not said(alert.rule, "labels", ["severity"])],
		array.concat(
			[{"field": ["annotations", "summary"], "wanted": "an annotation summary", "found": "none"} | not said(alert.rule, "annotations", ["summary"])],
			[{"field": ["annotations", "runbook_url"], "wanted": "an annotation runbook_url", "found": "none"} | not said(alert.rule, "annotations", ["runbook", "runbookURL", "runbook_url"])],
		),
	),
)

waits(rule) if {
	is_string(rule.for)
	regex.match(`[1-9]`, rule.for)
}

said(rule, field, keys) if {
	some key in keys
	is_string(rule[field][key])
	rule[field][key] != ""
}

# A dead man's switch reads nothing.
always_fires(alert) if {
	count(alert.metrics) == 0
	is_string(alert.rule.expr)
	contains(alert.rule.expr, "vector(")
}

# An expression that could not be read, or a recorded name from elsewhere, may be about anything.
undecided(alert) if {
	count(alert.metrics) == 0
	not always_fires(alert)
}

undecided(alert) if {
	some metric in alert.metrics
	contains(metric.name, ":")
	not startswith(metric.name, "vllm:")
	not records[metric.name]
}

concerns_vllm if count(vllm.engines) > 0

concerns_vllm if {
	some alert in alerts
	some metric in alert.metrics
	metrics.is_vllm(metric.name)
}

covers(alert, wanted) if {
	some metric in alert.metrics
	concerns(metric, wanted)
}

concerns(metric, wanted) if strings.any_prefix_match(metric.name, wanted.names)

concerns(metric, wanted) if metric.name in wanted.exact

concerns(metric, wanted) if metric.function in wanted.functions

concerns(metric, wanted) if {
	some part in wanted.parts
	contains(metric.name, part)
}

concerns(metric, wanted) if {
	some label in metric.labels
	label.name in wanted.labels
}
