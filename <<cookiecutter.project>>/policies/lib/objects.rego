# The objects of one environment, however they arrive: Lockgate's own document
# ({"environment", "objects"}) or the array that `conftest test --combine` makes.
package lockgate.lib.objects

import rego.v1

# Every rendered object, in the order of the renderer; none in the repository document.
all := input.objects if is_array(input.objects)

all := combined if is_array(input)

all := [] if {
	not is_array(input)
	not input.objects
}

combined := [object |
	some entry in input
	some object in contents(entry)
]

contents(entry) := entry.contents if is_array(entry.contents)

contents(entry) := [entry.contents] if is_object(entry.contents)

# The objects of one kind, in order. A scan: an index would cost the embedded engine a copy of every object.
of_kind(kind) := [obj |
	some obj in all
	obj.kind == kind
	not of_another_group(obj)
]

# Knative and others have a Service of their own: a kind of the core group has no group in its apiVersion.
of_another_group(obj) if {
	obj.kind in core_kinds
	contains(obj.apiVersion, "/")
}

core_kinds := {
	"ConfigMap",
	"Namespace",
	"PersistentVolumeClaim",
	"Pod",
	"ResourceQuota",
	"Secret",
	"Service",
	"ServiceAccount",
}

# What a result says about an object: four strings, whatever the object says.
ref(obj) := {
	"apiVersion": string_at(obj, "apiVersion"),
	"kind": string_at(obj, "kind"),
	"namespace": namespace(obj),
	"name": name(obj),
}

# What a reference needs and nothing else: a copy that costs little to keep.
slim(obj) := {
	"apiVersion": string_at(obj, "apiVersion"),
	"kind": string_at(obj, "kind"),
	"metadata": {"namespace": namespace(obj), "name": name(obj)},
}

name(obj) := obj.metadata.name if {
	is_string(obj.metadata.name)
} else := ""

namespace(obj) := obj.metadata.namespace if {
	is_string(obj.metadata.namespace)
} else := ""

# A field's text, "" when it is absent or no string.
string_at(holder, field) := holder[field] if {
	is_string(holder[field])
} else := ""

# "apps" of "apps/v1", "" of "v1".
group(api_version) := split(api_version, "/")[0] if contains(api_version, "/")

group(api_version) := "" if not contains(api_version, "/")

# The object of that kind, namespace and name; undefined when there is none.
named(kind, ns, wanted) := found[0] if {
	found := [obj |
		some obj in of_kind(kind)
		name(obj) == wanted
		namespace(obj) == ns
	]
}
