# Labels, namespaces and names: who owns an object, where it is, and what it is called.
package lockgate.labels

import data.lockgate.lib.catalogue
import data.lockgate.lib.environment
import data.lockgate.lib.kustomizations
import data.lockgate.lib.objects
import data.lockgate.lib.results
import data.lockgate.lib.text
import data.lockgate.lib.workloads
import rego.v1

# METADATA
# title: Objects say whose they are, stand in their namespace and have valid names
# description: >-
#   Costs, alerts and clean-up go by labels, and an object of the wrong environment or namespace is taken for another
#   service's. Workloads and Services carry `app.kubernetes.io/name`, `instance`, `version` and `part-of`, `owner` and
#   `environment`; other namespaced objects, and the Namespace itself, `instance`, `part-of`, `owner` and
#   `environment`. The environment label is the overlay's environment; workloads and Services stand in one namespace,
#   lockgate.yaml's where it names one. A label that no object has is one finding. Names are DNS-1123 subdomains,
#   labels for Services and Namespaces. Silent: objects of the whole cluster, names of RBAC objects, values with a
#   placeholder such as `${NAME}`; without a lockgate.yaml `owner`, `environment`, labels that some objects have and every
#   namespace but default.
# related_resources:
#   - https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
#   - https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
# custom:
#   id: LBL001
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Set the labels under `labels` and the namespace under `namespace` in the overlay's kustomization.yaml; name objects with lower-case letters, digits and `-`.
deny contains result if {
	count(absent_everywhere) > 0
	places := array.concat(kustomizations.label_places, [results.place(obj, ["metadata", "labels"]) | some obj in array.slice(main, 0, 1)])
	found := results.finding_at("LBL001", places[0].object, places[0].path, sprintf("the environment's objects want the labels %v, found none on any of them", [text.quoted(absent_everywhere)]))
	others := array.slice(kustomizations.label_places, 1, count(kustomizations.label_places))
	result := results.with_also(found, others)
}

deny contains result if {
	not environment.partial
	some carrier in carriers
	absent := [key |
		some key in carrier.keys
		not key in carrier.present
		not key in absent_everywhere
	]
	count(absent) > 0
	found := results.finding("LBL001", carrier.object, ["metadata", "labels"], sprintf("the object wants the labels %v, found none", [text.quoted(absent)]))
	places := [place |
		some key in absent
		place := results.place(carrier.object, ["metadata", "labels", key])
	]
	result := results.with_also(found, places)
}

deny contains result if {
	some carrier in carriers
	value := carrier.object.metadata.labels.environment
	is_string(value)
	value != ""
	not placeholder(value)
	not environment.partial
	name := environment.name
	not value in environment_names
	result := results.finding("LBL001", carrier.object, ["metadata", "labels", "environment"], sprintf("the label 'environment' wants '%v', found '%v'", [name, value]))
}

# Objects that carry labels: {"object", "keys" that it wants, "present" keys of them}.
carriers := [{"object": obj, "keys": keys, "present": present} |
	some obj in objects.all
	is_object(obj.metadata)
	keys := wanted_keys(obj)
	present := [key | some key in keys; labelled(obj, key)]
]

wanted_keys(obj) := workload_keys if {
	is_main(obj)
} else := catalogue.object_labels.other if {
	not environment.partial
	objects.namespace(obj) != ""
} else := catalogue.object_labels.other if {
	not environment.partial
	obj.kind == "Namespace"
	objects.name(obj) in main_namespaces
}

# A team's own labels are asked of a team's own repository; what others apply may get its namespace there.
workload_keys := catalogue.object_labels.foreign if {
	environment.partial
} else := catalogue.object_labels.workload

labelled(obj, key) if {
	value := obj.metadata.labels[key]
	is_string(value)
	value != ""
}

absent_everywhere := [key |
	count(carriers) > 1
	some key in workload_keys
	not key in present_somewhere
]

present_somewhere := {key |
	some carrier in carriers
	some key in carrier.present
}

# The key in lockgate.yaml, or the name of the overlay's folder.
environment_names := {environment.name} | folder_names

folder_names := {parts[count(parts) - 1] |
	overlay := environment.settings.overlay
	parts := split(trim_suffix(overlay, "/"), "/")
}

# Is the value known only after a substitution that is not kustomize's?
placeholder(value) if contains(value, "$")

# Workloads, what scales them, and the Services that select pods.
is_main(obj) if main_id(obj) in main_ids

main_id(obj) := concat("/", [objects.string_at(obj, "kind"), objects.namespace(obj), objects.name(obj)])

main_ids := {main_id(obj) | some obj in main}

main := array.concat(
	[workload.object |
		some workload in workloads.all
	],
	array.concat(
		[obj |
			some obj in objects.of_kind("Rollout")
			obj.spec.workloadRef
		],
		[obj |
			some obj in objects.of_kind("Service")
			objects.group(objects.string_at(obj, "apiVersion")) == ""
			is_object(obj.spec.selector)
		],
	),
)

main_namespaces := {objects.namespace(obj) | some obj in main}

deny contains result if {
	not environment.partial
	main_namespaces == {""}
	place := results.place(main[0], ["metadata", "namespace"])
	found := results.finding_at("LBL001", place.object, place.path, sprintf("the environment's objects want a namespace%v, found none on any of them", [named_wish]))
	result := results.with_also(found, kustomizations.overlay_places(["namespace"]))
}

deny contains result if {
	main_namespaces != {""}
	some obj in main
	problem := namespace_problem(objects.namespace(obj))
	result := results.finding("LBL001", obj, ["metadata", "namespace"], sprintf("the object wants %v", [problem]))
}

# The namespace of lockgate.yaml if anything is in it, else that of the first workload.
wanted_namespace := settings_namespace if {
	settings_namespace in main_namespaces
	settings_namespace != ""
} else := found[0] if {
	found := [ns | some obj in main; ns := objects.namespace(obj); ns != ""]
}

default settings_namespace := ""

settings_namespace := environment.settings.namespace

named_wish := sprintf(" '%v'", [settings_namespace]) if {
	settings_namespace != ""
} else := ""

# What is wrong with a namespace, as the end of a sentence; undefined when nothing surely is.
namespace_problem(ns) := sprintf("a namespace%v, found none", [named_wish]) if {
	not environment.partial
	ns == ""
} else := sprintf("a namespace of the service's own, found '%v'", [ns]) if {
	forbidden(ns)
} else := sprintf("the namespace '%v' of its environment, found '%v'", [wanted_namespace, ns]) if {
	not environment.partial
	ns != ""
	ns != wanted_namespace
	not placeholder(ns)
}

forbidden(ns) if ns in catalogue.object_labels.forbidden_namespaces

forbidden(ns) if {
	not environment.partial
	startswith(ns, catalogue.object_labels.forbidden_namespace_prefix)
}

deny contains result if {
	some obj in objects.all
	name := objects.name(obj)
	name != ""
	not placeholder(name)
	not free_name(obj)
	wish := name_wish(obj, name)
	result := results.finding("LBL001", obj, ["metadata", "name"], sprintf("the name '%v' wants %v", [name, wish]))
}

# Kinds whose names follow no DNS rule, such as `system:node`.
free_name(obj) if objects.group(objects.string_at(obj, "apiVersion")) in catalogue.object_labels.free_name_groups

free_name(obj) if kind_id(obj) in catalogue.object_labels.free_name_kinds

kind_id(obj) := concat("/", [objects.group(objects.string_at(obj, "apiVersion")), objects.string_at(obj, "kind")])

# What a name lacks; undefined for a valid one.
name_wish(obj, name) := sprintf("a DNS-1123 label: lower-case letters, digits and '-', a letter or digit at both ends, at most 63 of them; found %v", [count(name)]) if {
	kind_id(obj) in catalogue.object_labels.dns_label_kinds
	not is_label(name)
} else := sprintf("a DNS-1123 subdomain: lower-case letters, digits, '-' and '.', a letter or digit at both ends of each part, at most 253 of them; found %v", [count(name)]) if {
	not kind_id(obj) in catalogue.object_labels.dns_label_kinds
	not is_subdomain(name)
}

is_label(name) if {
	count(name) <= 63
	regex.match(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`, name)
}

is_subdomain(name) if {
	count(name) <= 253
	regex.match(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`, name)
}
