# Metrics of vLLM in queries and autoscalers, judged by the versions that the environment runs. Without
# Lockgate's `input.queries` nothing is known, and nothing is judged.
package lockgate.lib.metrics

import data.lockgate.lib.catalogue
import data.lockgate.lib.contract
import data.lockgate.lib.objects
import data.lockgate.lib.vllm
import rego.v1

queries := input.queries if {
	is_array(input.queries)
} else := []

# Versions of the environment's engines; that of lockgate.yaml where it runs none.
versions := engine_versions if {
	count(engine_versions) > 0
} else := {data.versions.vllm} if {
	is_version(data.versions.vllm)
} else := set()

engine_versions := {version |
	some engine in vllm.engines
	version := contract.version_of(engine.container.image)
	is_version(version)
}

is_version(version) if {
	is_string(version)
	regex.match(`^[0-9]{1,6}\.[0-9]{1,6}(\.[0-9]{1,6})?$`, version)
}

# What autoscalers ask the metrics API for:
# {"ref", "path", "type", "name", "series": under which name Prometheus may have it, "selector"}.
asked := [entry |
	some obj in objects.of_kind("HorizontalPodAutoscaler")
	some index
	spec := obj.spec.metrics[index]
	some type
	field := {"Pods": "pods", "Object": "object", "External": "external"}[type]
	spec.type == type
	metric := spec[field].metric
	is_string(metric.name)
	entry := {
		"ref": objects.ref(obj),
		"path": ["spec", "metrics", index, field, "metric"],
		"type": type,
		"name": metric.name,
		"series": series(metric.name),
		"direct": contains(metric.name, "|"),
		"selector": object.get(metric, "selector", {}),
	}
]

# Google's adapter writes prometheus.googleapis.com|NAME|TYPE; no colon is needed elsewhere.
series(name) := split(name, "|")[1] if {
	contains(name, "|")
} else := concat(":", ["vllm", substring(name, 5, -1)]) if {
	startswith(name, "vllm_")
} else := name

is_vllm(name) if strings.any_prefix_match(name, ["vllm:", "vllm_"])

names := ({metric.name |
	some query in queries
	some metric in query.metrics
	is_vllm(metric.name)
} | {entry.series |
	some entry in asked
	is_vllm(entry.series)
}) | {concat("", ["vllm:", entry.name]) |
	some entry in asked
	not is_vllm(entry.series)
}

# Every way to read a name as a metric and the ending of its series.
readings := [reading |
	some name in names
	some ending in ["", "_bucket", "_count", "_created", "_sum", "_total"]
	endswith(name, ending)
	base := trim_suffix(name, ending)
	reading := {"name": name, "base": base, "ending": ending}
]

# What the catalogue says of the readings: {"version", "name", "base", "ending", "type", "labels"}.
# It is read in this rule's body alone: in a function each look costs the embedded engine a copy.
entries := array.concat(common_entries, own_entries)

common_entries := [entry |
	some reading in readings
	some base in bases(reading)
	spec := catalogue.vllm.metrics[base]
	some version in versions
	catalogue.vllm.versions[version]
	not catalogue.vllm.versions[version].without.metrics[base]
	not catalogue.vllm.versions[version].metrics[base]
	entry := entry_of(reading, version, spec)
]

own_entries := [entry |
	some reading in readings
	some base in bases(reading)
	some version in versions
	spec := catalogue.vllm.versions[version].metrics[base]
	entry := entry_of(reading, version, spec)
]

# A counter stands in the catalogue as NAME_total.
bases(reading) := [reading.base, concat("", [reading.base, "_total"])] if {
	reading.ending == "_created"
} else := [reading.base]

entry_of(reading, version, spec) := {
	"key": concat(" ", [version, reading.name]),
	"base": reading.base,
	"ending": reading.ending,
	"type": type_of(spec),
	"labels": labels_of(spec),
}

type_of(spec) := spec if is_string(spec)

type_of(spec) := spec.type if is_object(spec)

# Labels that vLLM gives a series; null where only a running server knows them.
labels_of(spec) := ["engine", "model_name"] if {
	is_string(spec)
} else := spec.labels if {
	is_array(spec.labels)
} else := null

exposed := {
	"counter": {"", "_created"},
	"gauge": {""},
	"histogram": {"_bucket", "_count", "_created", "_sum"},
	"open": {"", "_bucket", "_count", "_created", "_sum", "_total"},
	"summary": {"", "_count", "_created", "_sum"},
}

# Series that exist: "VERSION NAME" to what is known of them. Of two readings of a name the first counts.
existing := {key: found[0] |
	some key in {entry.key | some entry in entries}
	found := [entry |
		some entry in entries
		entry.key == key
		entry.ending in exposed[entry.type]
	]
	count(found) > 0
}

histograms := {entry.key |
	some entry in entries
	entry.type == "histogram"
	entry.ending == ""
}

key_of(version, name) := concat(" ", [version, name])

# Names that some version surely does not have: {"name", "version"}. Of a version that is not in the
# catalogue only what went away before it is known.
missing := [{"name": name, "version": version} |
	some name in names
	some version in versions
	key := key_of(version, name)
	not existing[key]
	surely_missing(version, name)
	not exported_elsewhere(name)
]

surely_missing(version, _) if catalogue.vllm.versions[version]

surely_missing(version, name) if {
	some reading in readings
	reading.name == name
	release := catalogue.vllm.gone.metrics[reading.base]
	not contract.newer(release, version)
}

# Names that something else gives: a recording rule (one of the repository, or by its shape), a program
# whose names begin like vLLM's, what lockgate.yaml declares.
exported_elsewhere(name) if name in input.recorded

exported_elsewhere(name) if count(split(name, ":")) > 2

exported_elsewhere(name) if {
	some family in catalogue.exporters.families
	strings.any_prefix_match(name, family.names)
}

exported_elsewhere(name) if {
	router_runs
	strings.any_prefix_match(name, catalogue.exporters.router.names)
}

exported_elsewhere(name) if {
	some known in data.metrics.known
	known_by(known, name)
}

known_by(known, name) if known == name

known_by(known, name) if {
	endswith(known, "*")
	startswith(name, trim_suffix(known, "*"))
}

router_runs if {
	some obj in objects.all
	some container in obj.spec.template.spec.containers
	some image in catalogue.exporters.router.images
	contains(container.image, image)
}

# What surely is wrong in the queries: {"query", "text"}.
faults := array.concat(array.concat(unparsed, unknown), array.concat(mislabelled, misused))

unparsed := [{"query": query, "text": sprintf("wants %v, found that it does not parse: %v", [object.get(query, "language", "PromQL"), query.error])} |
	some query in queries
	query.error != ""
]

unknown := [{"query": query, "text": sprintf("wants metrics of vLLM %v, found '%v'%v", [gap.version, gap.name, explanations[key]])} |
	some query in queries
	some metric in query.metrics
	some gap in missing
	gap.name == metric.name
	not one_of_several(query, metric, gap.version)
	not of_the_router(metric)
	not taken_whole(metric, gap.version)
	not renamed_in_scrape(metric.name)
	key := key_of(gap.version, gap.name)
]

# `new_name or old_name` is made for several versions.
one_of_several(query, metric, version) if {
	metric.alternative
	some other in query.metrics
	existing[key_of(version, other.name)]
}

of_the_router(metric) if {
	strings.any_prefix_match(metric.name, catalogue.exporters.router.names)
	some label in metric.labels
	label.name == catalogue.exporters.router.label
}

# Prometheus may have made a native histogram of it.
taken_whole(metric, version) if {
	key_of(version, metric.name) in histograms
	metric.native
}

taken_whole(metric, version) if {
	key_of(version, metric.name) in histograms
	some endpoint in endpoints
	endpoint.monitor.convertClassicHistogramsToNHCB
}

renamed_in_scrape(name) if {
	startswith(name, "vllm_")
	some relabelling in relabellings
	relabelling.targetLabel == "__name__"
}

# Why a name is unknown, as the end of a sentence, by "VERSION NAME".
explanations := {key: said |
	some gap in missing
	key := key_of(gap.version, gap.name)
	said := explanation(gap.version, gap.name, key)
}

explanation(version, name, key) := ", which is a histogram: its series end in _bucket, _sum and _count" if {
	key in histograms
} else := sprintf(", did you mean '%v'?", [other]) if {
	some other in [concat("", [name, "_total"]), concat("", ["vllm:", substring(name, 5, -1)])]
	contract.lookup(version, "metrics", other)
} else := sprintf(", which %v%v replaces", [renamed[0].new, renamed[0].ending]) if {
	renamed := [{"new": new, "ending": reading.ending} |
		some reading in readings
		reading.name == name
		new := catalogue.vllm.renamed.metrics[reading.base]
	]
	count(renamed) > 0
} else := sprintf(", which went away in %v", [gone[0]]) if {
	gone := [release |
		some reading in readings
		reading.name == name
		release := catalogue.vllm.gone.metrics[reading.base]
		not contract.newer(release, version)
	]
	count(gone) > 0
} else := sprintf(": wanted %v", [found[0]]) if {
	found := [entry.says | some entry in catalogue.exporters.instead; contains(name, entry.part)]
	count(found) > 0
} else := sprintf(", did you mean '%v'?", [stem(name)]) if {
	contract.lookup(version, "metrics", stem(name))
} else := contract.explanation(version, "metrics", stem(name), "")

# The part of a name by which others are like it.
stem(name) := concat("", ["vllm:", substring(trimmed, 5, -1)]) if {
	found := [trim_suffix(name, ending) | some ending in ["_bucket", "_count", "_sum"]; endswith(name, ending)]
	trimmed := array.concat(found, [name])[0]
}

# A label that vLLM does not have selects nothing, unless relabelling adds it.
mislabelled := [{"query": query, "text": sprintf("wants labels of '%v', found '%v', did you mean '%v'?", [metric.name, label.name, right])} |
	some query in queries
	some metric in query.metrics
	some version in versions
	entry := existing[key_of(version, metric.name)]
	some label in metric.labels
	right := catalogue.exporters.mistaken_labels[label.name]
	entry.labels != null
	right in entry.labels
	not label.name in entry.labels
	selects_something(label)
	not label.name in added_labels
	not maps_labels
	not of_the_router(metric)
]

# Does a matcher leave out the series without the label?
selects_something(label) if {
	label.op == "="
	label.value != ""
}

selects_something(label) if {
	label.op == "=~"
	is_string(label.value)
	regex.match(`^(\.\+|[A-Za-z0-9_./:-]+(\|[A-Za-z0-9_./:-]+)*)$`, label.value)
}

selects_something(label) if {
	label.op == "!="
	label.value == ""
}

# Every endpoint of the monitors: {"ref", "monitor": its spec, "path", "endpoint"}.
endpoints := [entry |
	some obj in array.concat(objects.of_kind("PodMonitor"), objects.of_kind("ServiceMonitor"))
	monitor := obj.spec
	some field in ["podMetricsEndpoints", "endpoints"]
	list := monitor[field]
	is_array(list)
	some index
	endpoint := list[index]
	is_object(endpoint)
	entry := {
		"ref": objects.ref(obj),
		"monitor": monitor,
		"path": ["spec", field, index],
		"endpoint": endpoint,
	}
]

relabellings := [relabelling |
	some entry in endpoints
	some field in ["relabelings", "metricRelabelings"]
	some relabelling in entry.endpoint[field]
]

maps_labels if {
	some relabelling in relabellings
	lower(relabelling.action) in {"labelmap", "labeldrop", "labelkeep"}
}

# Labels as Prometheus writes them.
added_labels := ({label | some label in data.metrics.labels} | {relabelling.targetLabel |
	some relabelling in relabellings
	is_string(relabelling.targetLabel)
}) | {regex.replace(label, `[^A-Za-z0-9_]`, "_") |
	some entry in endpoints
	some field in ["podTargetLabels", "targetLabels"]
	some label in entry.monitor[field]
	is_string(label)
}

# Functions and aggregations that give nothing or nonsense.
misused := array.concat(
	[{"query": query, "text": sprintf("wants %v() of a counter, found the gauge '%v'", [metric.function, metric.name])} |
		some query in queries
		some metric in query.metrics
		metric.function in {"increase", "irate", "rate"}
		some version in versions
		existing[key_of(version, metric.name)].type == "gauge"
	],
	[{"query": query, "text": sprintf("wants `le` kept for histogram_quantile, found '%v' aggregated without it", [metric.name])} |
		some query in queries
		some metric in query.metrics
		metric.le_lost
		some version in versions
		entry := existing[key_of(version, metric.name)]
		entry.type == "histogram"
		entry.ending == "_bucket"
	],
)

# The field that a fault is in.
field_of(query) := query.path[count(query.path) - 1]
