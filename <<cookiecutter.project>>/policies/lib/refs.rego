# Names that objects use for one another: what exists in the rendered environment, what pods ask for.
# A key of an index is "namespace/name".
package lockgate.lib.refs

import data.lockgate.lib.catalogue
import data.lockgate.lib.objects
import data.lockgate.lib.workloads
import rego.v1

# Index key of a namespaced name.
key_of(ns, name) := concat("/", [ns, name])

# Stands among the keys of a ConfigMap or Secret whose keys cannot be read off the repository.
unknown_key := "*"

# Names that exist, by kind: {"ConfigMap": {"ns/name", ...}, ...}.
existing := {
	"ConfigMap": {maker.id | some maker in config_map_makers},
	"Secret": {maker.id | some maker in secret_makers},
	"PersistentVolumeClaim": ids_of("PersistentVolumeClaim"),
	"ServiceAccount": ids_of("ServiceAccount"),
}

ids_of(kind) := {key_of(objects.namespace(obj), objects.name(obj)) | some obj in objects.of_kind(kind)}

# Keys of each ConfigMap and Secret: {"ConfigMap": {"ns/name": {"key", ...}}, ...}.
keys := {
	"ConfigMap": keys_by_id(existing.ConfigMap, config_map_makers),
	"Secret": keys_by_id(existing.Secret, secret_makers),
}

keys_by_id(ids, holders) := {id: found |
	some id in ids
	found := {key |
		some maker in holders
		maker.id == id
		some key in maker.keys
	}
}

config_map_makers := [{"id": key_of(objects.namespace(obj), objects.name(obj)), "keys": keys_of(obj, ["data", "binaryData"])} |
	some obj in objects.of_kind("ConfigMap")
]

# Every object that is a Secret or from which a controller makes one.
secret_makers := array.concat(
	array.concat(plain_secrets, sealed_secrets),
	array.concat(external_secrets, certificates),
)

plain_secrets := [{"id": key_of(objects.namespace(obj), objects.name(obj)), "keys": keys_of(obj, ["data", "stringData"])} |
	some obj in objects.of_kind("Secret")
]

sealed_secrets := [{"id": key_of(objects.namespace(obj), name), "keys": names} |
	some obj in objects.of_kind("SealedSecret")
	name := object.get(obj, ["spec", "template", "metadata", "name"], objects.name(obj))
	names := object.keys(object.get(obj, ["spec", "encryptedData"], {})) | object.keys(object.get(obj, ["spec", "template", "data"], {}))
]

external_secrets := [{"id": key_of(objects.namespace(obj), name), "keys": external_keys(obj.spec)} |
	some obj in objects.of_kind("ExternalSecret")
	object.get(obj, ["spec", "target", "creationPolicy"], "Owner") != "None"
	name := object.get(obj, ["spec", "target", "name"], objects.name(obj))
]

certificates := [{"id": key_of(objects.namespace(obj), obj.spec.secretName), "keys": {unknown_key}} |
	some obj in objects.of_kind("Certificate")
	startswith(obj.apiVersion, "cert-manager.io/")
]

# A template or a dataFrom decides the keys in the cluster: they are not known here.
external_keys(spec) := {unknown_key} if {
	spec.dataFrom
} else := {unknown_key} if {
	spec.target.template
} else := {entry.secretKey | some entry in object.get(spec, "data", [])}

keys_of(obj, fields) := {key |
	some field in fields
	some key
	_ := object.get(obj, field, {})[key]
}

# What pods ask for by name: {"ref": who asks, "path", "kind", "namespace", "name", "keys": [{"key", "path"}]}.
# References marked optional are left out.
wanted := array.concat(
	array.concat(from_volumes, from_projected),
	array.concat(array.concat(from_env, from_env_from), from_pods),
)

# Field of a volume (or projected source) to the kind and the field of the name.
volume_sources := {
	"configMap": {"kind": "ConfigMap", "name": "name"},
	"secret": {"kind": "Secret", "name": "secretName"},
	"persistentVolumeClaim": {"kind": "PersistentVolumeClaim", "name": "claimName"},
}

from_volumes := [reference |
	some workload in workloads.all
	some index
	volume := workload.pod.volumes[index]
	some field
	source := volume_sources[field]
	body := volume[field]
	reference := item_reference(workload, body, source, array.concat(workload.path, ["volumes", index, field]))
]

from_projected := [reference |
	some workload in workloads.all
	some index
	volume := workload.pod.volumes[index]
	some number
	entry := volume.projected.sources[number]
	some field
	kind := {"configMap": "ConfigMap", "secret": "Secret"}[field]
	body := entry[field]
	path := array.concat(workload.path, ["volumes", index, "projected", "sources", number, field])
	reference := item_reference(workload, body, {"kind": kind, "name": "name"}, path)
]

item_reference(workload, body, source, path) := {
	"ref": objects.ref(workload.object),
	"path": array.concat(path, [source.name]),
	"kind": source.kind,
	"namespace": objects.namespace(workload.object),
	"name": body[source.name],
	"keys": item_keys(body, path),
} if {
	is_string(body[source.name])
	not object.get(body, "optional", false)
}

item_keys(body, path) := [{"key": item.key, "path": place} |
	some index
	item := body.items[index]
	is_string(item.key)
	place := array.concat(path, ["items", index, "key"])
]

from_env := [reference |
	some entry in workloads.containers
	some index
	variable := entry.container.env[index]
	some field
	kind := {"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"}[field]
	body := variable.valueFrom[field]
	is_string(body.name)
	is_string(body.key)
	not object.get(body, "optional", false)
	path := array.concat(entry.path, ["env", index, "valueFrom", field])
	reference := {
		"ref": objects.ref(entry.object),
		"path": array.concat(path, ["name"]),
		"kind": kind,
		"namespace": objects.namespace(entry.object),
		"name": body.name,
		"keys": [{"key": body.key, "path": array.concat(path, ["key"])}],
	}
]

from_env_from := [reference |
	some entry in workloads.containers
	some index
	source := entry.container.envFrom[index]
	some field
	kind := {"configMapRef": "ConfigMap", "secretRef": "Secret"}[field]
	body := source[field]
	not object.get(body, "optional", false)
	reference := plain_reference(entry.object, kind, body.name, array.concat(entry.path, ["envFrom", index, field, "name"]))
]

from_pods := array.concat(
	[reference |
		some workload in workloads.all
		reference := plain_reference(
			workload.object, "ServiceAccount", workload.pod.serviceAccountName,
			array.concat(workload.path, ["serviceAccountName"]),
		)
	],
	[reference |
		some workload in workloads.all
		some index
		secret := workload.pod.imagePullSecrets[index]
		reference := plain_reference(workload.object, "Secret", secret.name, array.concat(workload.path, ["imagePullSecrets", index, "name"]))
	],
)

plain_reference(obj, kind, name, path) := {
	"ref": objects.ref(obj),
	"path": path,
	"kind": kind,
	"namespace": objects.namespace(obj),
	"name": name,
	"keys": [],
} if {
	is_string(name)
}

# Does a label selector (matchLabels, matchExpressions) select these labels? An empty one selects all.
selects(selector, labels) if {
	object.subset(labels, object.get(selector, "matchLabels", {}))
	every expression in object.get(selector, "matchExpressions", []) {
		satisfied(expression, labels)
	}
}

satisfied(expression, labels) if {
	expression.operator == "In"
	labels[expression.key] in expression.values
}

satisfied(expression, labels) if {
	expression.operator == "NotIn"
	not object.get(labels, expression.key, null) in expression.values
}

satisfied(expression, labels) if {
	expression.operator == "Exists"
	labels[expression.key]
}

satisfied(expression, labels) if {
	expression.operator == "DoesNotExist"
	not labels[expression.key]
}

# What selectors need of each workload, without a copy of it:
# {"index" in workloads.all, "id", "kind", "name", "namespace", "ref", "on_host", "labels" of its pods}.
pods := [{
	"index": index,
	"id": workloads.id(workload),
	"kind": workload.object.kind,
	"name": objects.name(workload.object),
	"namespace": objects.namespace(workload.object),
	"ref": objects.ref(workload.object),
	"on_host": object.get(workload.pod, "hostNetwork", false),
	"labels": labels_of(workload.metadata),
} |
	some index
	workload := workloads.all[index]
]

labels_of(metadata) := metadata.labels if {
	is_object(metadata.labels)
} else := {}

# The entries of `pods` that a selector selects in a namespace.
selected(ns, selector) := [pod |
	some pod in pods
	pod.namespace == ns
	selects(selector, pod.labels)
]

# Objects from which a controller may make pods, Services or Deployments that no manifest shows: every kind
# that is not known to make none.
makers := [objects.ref(obj) |
	some obj in objects.all
	not makes_nothing(obj)
]

makes_nothing(obj) if {
	kinds := catalogue.selectors.podless[objects.group(objects.string_at(obj, "apiVersion"))]
	listed(kinds, obj)
}

# An empty list means every kind of the group.
listed(kinds, _) if count(kinds) == 0

listed(kinds, obj) if obj.kind in kinds

# Does a selector ask for labels that pods get from their controller only?
selects_by_controller(selector) if {
	some label in (object.keys(object.get(selector, "matchLabels", {})) | {expression.key | some expression in selector.matchExpressions})
	strings.any_prefix_match(label, catalogue.selectors.added_by_controllers)
}

# A workload as a message speaks of it.
pod_text(pod) := sprintf("%v '%v'", [pod.kind, pod.name])

# A kustomization file as the object of a finding.
kustomization(file) := {
	"apiVersion": "kustomize.config.k8s.io/v1beta1",
	"kind": "Kustomization",
	"namespace": "",
	"name": file,
}
