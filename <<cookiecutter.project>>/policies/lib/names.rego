# The names that an environment's engines answer to, and where else a model is named.
package lockgate.lib.names

import data.lockgate.lib.catalogue
import data.lockgate.lib.environment
import data.lockgate.lib.objects
import data.lockgate.lib.refs
import data.lockgate.lib.text
import data.lockgate.lib.vllm
import rego.v1

# Engines that serve: {"engine", "names", "place" of the flag that says them}; the first name is the label of
# the metrics.
served := [entry |
	some engine in vllm.servers
	kind := objects.string_at(engine.object, "kind")
	not kind in {"Job", "CronJob"}
	entry := names_of(engine)
	count(entry.names) > 0
]

# Are all names known? One that only the cluster knows could be any of those that are asked for.
known if {
	not environment.partial
	count(served) > 0
	count(served) == count([engine |
		some engine in vllm.servers
		kind := objects.string_at(engine.object, "kind")
		not kind in {"Job", "CronJob"}
	])
}

names_of(engine) := {"engine": engine, "names": listed(flag.value), "place": {"object": objects.ref(flag.object), "path": flag.path}} if {
	flag := engine.flags["served-model-name"]
} else := {"engine": engine, "names": listed(flag.value), "place": {"object": objects.ref(flag.object), "path": flag.path}} if {
	vllm.absent(engine, "served-model-name")
	flag := engine.flags.model
}

listed(value) := [value] if is_string(value)

listed(value) := [name | some name in value; is_string(name)] if is_array(value)

labels := {entry.names[0] | some entry in served}

# Everything that a client may ask for: further names on the command line too, and adapters.
answered(name) if {
	some entry in served
	name in entry.names
}

answered(name) if {
	some entry in served
	some field in ["command", "args"]
	some word in entry.engine.container[field]
	is_string(word)
	name in regex.split(`[\s=]+`, word)
}

answered(_) if {
	some entry in served
	some flag in ["enable-lora", "lora-modules"]
	not vllm.absent(entry.engine, flag)
}

# Every name of a model outside of the engines: {"object", "path", "what", "shown", "found": is it served?}.
uses := array.concat(array.concat(query_uses, selector_uses), array.concat(header_uses, inference_uses))

query_uses := [use |
	some query in input.queries
	some metric in query.metrics
	startswith(metric.name, "vllm:")
	meets_environment(metric.labels)
	some label in metric.labels
	label.name == "model_name"
	label.op in {"=", "=~"}
	is_string(label.value)
	label.value != ""
	use := {
		"object": query.object,
		"path": query.path,
		"what": sprintf("the %v of %v", [query.source, metric.name]),
		"shown": label.value,
		"found": matched(label),
	}
]

# True or false, never undefined: it is a field of an entry.
matched(label) if {
	some name in labels
	fits(label, name)
} else := false

fits(label, name) if {
	label.op == "="
	label.value == name
}

fits(label, name) if {
	label.op == "=~"
	pattern := sprintf("^(%v)$", [label.value])
	regex.is_valid(pattern)
	regex.match(pattern, name)
}

# What is no pattern is no expression either, and another rule's.
fits(label, _) if {
	label.op == "=~"
	not regex.is_valid(sprintf("^(%v)$", [label.value]))
}

# An expression of another environment speaks of that one's model.
meets_environment(all) if {
	count([label | some label in all; label.name == "namespace"; elsewhere(label, namespaces)]) == 0
	count([label | some label in all; label.name == "environment"; elsewhere(label, {environment.name})]) == 0
}

elsewhere(label, own) if {
	label.op in {"=", "=~"}
	is_string(label.value)
	count([name | some name in own; fits(label, name)]) == 0
}

namespaces := {pod.namespace | some pod in refs.pods}

# Selectors of an autoscaler's metrics. A name with characters that no label holds is written in another way.
selector_uses := [use |
	some obj in objects.of_kind("HorizontalPodAutoscaler")
	some index
	entry := obj.spec.metrics[index]
	some field in ["external", "object", "pods"]
	name := entry[field].metric.selector.matchLabels.model_name
	is_string(name)
	regex.match(`^[A-Za-z0-9._-]+$`, concat("", labels))
	use := {
		"object": objects.ref(obj),
		"path": ["spec", "metrics", index, field, "metric", "selector", "matchLabels", "model_name"],
		"what": "the selector of the autoscaler's metric",
		"shown": name,
		"found": matched({"op": "=", "value": name}),
	}
]

# Rules of a route that choose by a header with the model's name and send to the own namespace.
header_uses := [use |
	some obj in objects.all
	obj.kind in {"HTTPRoute", "GRPCRoute"}
	some index
	rule := obj.spec.rules[index]
	sends_here(rule, objects.namespace(obj))
	some number
	some position
	header := rule.matches[number].headers[position]
	object.get(header, "type", "Exact") == "Exact"
	is_string(header.value)
	is_string(header.name)
	lower(header.name) in catalogue.provided.model_headers
	use := {
		"object": objects.ref(obj),
		"path": ["spec", "rules", index, "matches", number, "headers", position, "value"],
		"what": sprintf("the route's header %v", [header.name]),
		"shown": header.value,
		"found": is_answered(header.value),
	}
]

sends_here(rule, _) if not rule.backendRefs

sends_here(rule, ns) if {
	some backend in rule.backendRefs
	object.get(backend, "namespace", ns) == ns
}

# An InferenceModel that names no targets sends the name on as it is.
inference_uses := [use |
	some obj in objects.of_kind("InferenceModel")
	not obj.spec.targetModels
	is_string(obj.spec.modelName)
	use := {
		"object": objects.ref(obj),
		"path": ["spec", "modelName"],
		"what": "the InferenceModel",
		"shown": obj.spec.modelName,
		"found": is_answered(obj.spec.modelName),
	}
]

is_answered(name) if answered(name)

else := false

shown := text.list(sort(labels))
