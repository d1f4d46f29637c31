# Analyses of Argo Rollouts: who asks for which templates with which arguments, and what a metric does when
# there is no data.
package lockgate.lib.analysis

import data.lockgate.lib.objects
import data.lockgate.lib.quantity
import rego.v1

# Every place of a Rollout that runs templates: {"object", "path", "named": entries of `templates` (or of an
# experiment's analysis), "args": names that are given, "background": does it run beside all steps}.
requests := array.concat(array.concat(in_background, in_steps), array.concat(in_experiments, in_blue_green))

in_background := [request |
	some obj in objects.of_kind("Rollout")
	request := request_of(obj, obj.spec.strategy.canary.analysis, ["spec", "strategy", "canary", "analysis"], true)
]

in_steps := [request |
	some obj in objects.of_kind("Rollout")
	some i
	step := obj.spec.strategy.canary.steps[i]
	request := request_of(obj, step.analysis, ["spec", "strategy", "canary", "steps", i, "analysis"], false)
]

in_blue_green := [request |
	some obj in objects.of_kind("Rollout")
	some field in ["prePromotionAnalysis", "postPromotionAnalysis"]
	path := ["spec", "strategy", "blueGreen", field]
	request := request_of(obj, obj.spec.strategy.blueGreen[field], path, false)
]

in_experiments := [request |
	some obj in objects.of_kind("Rollout")
	some i
	step := obj.spec.strategy.canary.steps[i]
	some j
	analysis := step.experiment.analyses[j]
	is_string(analysis.templateName)
	path := ["spec", "strategy", "canary", "steps", i, "experiment", "analyses", j]
	request := {
		"object": obj,
		"path": path,
		"named": [entry_of(analysis, path)],
		"args": given(analysis),
		"background": false,
	}
]

request_of(obj, analysis, path, background) := {
	"object": obj,
	"path": path,
	"named": named_in(analysis, path),
	"args": given(analysis),
	"background": background,
} if {
	is_object(analysis)
}

named_in(holder, path) := [entry |
	some i
	reference := holder.templates[i]
	is_string(reference.templateName)
	place := array.concat(path, ["templates", i])
	entry := entry_of(reference, place)
]

entry_of(reference, path) := {
	"name": reference.templateName,
	"kind": kind_of(object.get(reference, "clusterScope", false)),
	"path": array.concat(path, ["templateName"]),
}

kind_of(true) := "ClusterAnalysisTemplate"

kind_of(scope) := "AnalysisTemplate" if scope != true

given(analysis) := {arg.name |
	some arg in analysis.args
	is_string(arg.name)
}

# Templates that name other templates: {"object", "named"}.
combined := [{"object": obj, "named": named} |
	some obj in array.concat(objects.of_kind("AnalysisTemplate"), objects.of_kind("ClusterAnalysisTemplate"))
	named := named_in(obj.spec, ["spec"])
	count(named) > 0
]

# The template that an entry of a namespace means; undefined when it is not in the environment. kustomize gives
# a ClusterAnalysisTemplate a namespace too.
template(ns, entry) := found[0] if {
	found := [obj |
		some obj in objects.of_kind(entry.kind)
		objects.name(obj) == entry.name
		reaches(entry.kind, obj, ns)
	]
}

reaches("ClusterAnalysisTemplate", _, _)

reaches("AnalysisTemplate", obj, ns) if objects.namespace(obj) == ns

# Names of arguments that nobody gives a value; undefined when a template is out of sight, which could give it.
missing_args(request) := sort({name | some name in (wanted - (request.args | known))}) if {
	ns := objects.namespace(request.object)
	templates := [found |
		some entry in request.named
		found := template(ns, entry)
	]
	count(templates) == count(request.named)
	count([obj | some obj in templates; count(named_in(obj.spec, [])) > 0]) == 0
	wanted := {arg.name |
		some obj in templates
		some arg in obj.spec.args
		is_string(arg.name)
	}
	known := {arg.name |
		some obj in templates
		some arg in obj.spec.args
		has_value(arg)
	}
}

# Arguments that two templates of a request give different values, which the controller refuses whatever the
# request gives: {"name", "values", "object", "path"} of the later template.
clashes(request) := [clash |
	ns := objects.namespace(request.object)
	some j
	entry := request.named[j]
	later := template(ns, entry)
	some k
	arg := later.spec.args[k]
	is_string(arg.value)
	others := [value |
		some value in values_before(request, j, arg.name)
		value != arg.value
	]
	count(others) > 0
	clash := {
		"name": objects.string_at(arg, "name"),
		"values": [others[0], arg.value],
		"object": later,
		"path": ["spec", "args", k, "value"],
	}
]

# Values that the templates before the one at j give an argument.
values_before(request, j, name) := [arg.value |
	ns := objects.namespace(request.object)
	some i
	entry := request.named[i]
	i < j
	earlier := template(ns, entry)
	some arg in earlier.spec.args
	arg.name == name
	is_string(arg.value)
]

# Metrics whose name an earlier template of the request has too, which the controller refuses: {"name", "object", "path"}.
namesakes(request) := [metric |
	ns := objects.namespace(request.object)
	some j
	entry := request.named[j]
	later := template(ns, entry)
	some k
	name := later.spec.metrics[k].name
	is_string(name)
	name in names_before(request, j)
	metric := {"name": name, "object": later, "path": ["spec", "metrics", k, "name"]}
]

names_before(request, j) := {metric.name |
	ns := objects.namespace(request.object)
	some i
	entry := request.named[i]
	i < j
	earlier := template(ns, entry)
	some metric in earlier.spec.metrics
}

has_value(arg) if is_string(arg.value)

has_value(arg) if is_object(arg.valueFrom)

# Every metric that counts: {"object", "metric", "name", "path"}. A dry run has no say.
metrics := [entry |
	some obj in array.concat(objects.of_kind("AnalysisTemplate"), objects.of_kind("ClusterAnalysisTemplate"))
	count(object.get(obj, ["spec", "dryRun"], [])) == 0
	some i
	metric := obj.spec.metrics[i]
	is_object(metric)
	entry := {
		"object": obj,
		"metric": metric,
		"name": objects.string_at(metric, "name"),
		"path": ["spec", "metrics", i],
	}
]

# Providers that answer with a value, which only a condition can judge. A Job or a web hook judges itself.
value_providers := ["prometheus", "datadog", "newRelic", "wavefront", "cloudWatch", "graphite", "influxdb", "skywalking"]

gives_value(metric) if {
	some provider in value_providers
	metric.provider[provider]
}

# {"field", "found"} of a condition that surely has no answer, or the wrong one, when there is no data: an index
# into a result that may be empty is an error (five in a row abort the release), and NaN makes every comparison
# false, which a failureCondition alone takes for success. Undefined when that is not sure.
unsafe(metric) := {"field": "successCondition", "found": "no condition, which makes a success of every answer"} if {
	not metric.successCondition
	not metric.failureCondition
	gives_value(metric)
} else := {"field": field, "found": sprintf("'%v', which is an error when the query returns nothing", [metric[field]])} if {
	may_be_empty(metric.provider.prometheus.query)
	field := bare_fields(metric)[0]
} else := {"field": "failureCondition", "found": sprintf("'%v' alone, which takes NaN for success", [metric.failureCondition])} if {
	not metric.successCondition
	only_comparison(metric.failureCondition)
	not contains(metric.failureCondition, "isNaN")
	may_be_nan(metric.provider.prometheus.query)
}

bare_fields(metric) := [name |
	some name in ["successCondition", "failureCondition"]
	bare_index(metric[name])
]

index := `result\[\s*\d+\s*\]`

# Takes an element, and holds nothing that could tell whether there is one.
bare_index(condition) if {
	regex.match(index, condition)
	trim_space(regex.replace(condition, `result\[\s*\d+\s*\]|as(Float|Int)|is(NaN|Inf)|\{\{\s*args\.[^{}]*\}\}|[0-9.()!<>=&|*/%+-]|\band\b|\bor\b|\bnot\b`, "")) == ""
}

# len(result) > 0 && result[0] > 5, or the like.
only_comparison(condition) if {
	is_string(condition)
	trim_space(regex.replace(condition, `result\[\s*\d+\s*\]|len\(result\)|as(Float|Int)|\{\{\s*args\.[^{}]*\}\}|[0-9.()<>=&+-]|\band\b`, "")) == ""
}

# A query without what gives an answer for nothing, and not put together from arguments alone.
may_be_empty(query) if {
	text := without_labels(query)
	regex.match(`[a-zA-Z_:]\w*`, text)
	not regex.match(`\b(or|vector|scalar|absent|absent_over_time|time)\b`, text)
}

# A quantile of no observations, or a ratio to a rate of nothing, that no comparison filters.
may_be_nan(query) if {
	text := without_labels(query)
	regex.match(`\bhistogram_quantile\s*\(|/\s*[(\s]*(sum|avg)?\b[^/]*\b(rate|increase)\s*\(`, text)
	not regex.match(`[<>]|==|!=|\b(or|and|unless|vector|scalar|clamp|clamp_min|clamp_max)\b`, text)
}

# A query's shape: label matchers, ranges and comments say nothing about it. Undefined when an argument is part of it.
without_labels(query) := regex.replace(plain, `\{[^{}]*\}`, "") if {
	is_string(query)
	plain := regex.replace(regex.replace(query, `"[^"\n]*"|'[^'\n]*'`, ""), `\[[^\[\]]*\]|#[^\n]*`, "")
	not contains(plain, "{{")
}

# Fixed numbers of a metric; undefined when it is absent or an argument.
number(metric, field) := quantity.whole_value(metric[field])
