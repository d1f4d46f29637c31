package lockgate.labels_test

import data.lockgate.labels
import rego.v1

environments := {"prod": {"level": "prod", "overlay": "overlays/prod", "namespace": "chat-prod"}}

denied(doc) := results if {
	results := labels.deny with input as doc with data.environments as environments
}

all_labels := {
	"app.kubernetes.io/name": "chat",
	"app.kubernetes.io/instance": "chat-prod",
	"app.kubernetes.io/version": "0.32.0",
	"app.kubernetes.io/part-of": "chat",
	"owner": "ml-platform",
	"environment": "prod",
}

object_of(api_version, kind, name, given) := {
	"apiVersion": api_version,
	"kind": kind,
	"metadata": {"name": name, "namespace": "chat-prod", "labels": given},
}

deployment := object.union(object_of("apps/v1", "Deployment", "chat", all_labels), {"spec": {"template": {"spec": {"containers": [{"name": "vllm"}]}}}})

service := object.union(object_of("v1", "Service", "chat", all_labels), {"spec": {"selector": {"app": "chat"}}})

config := object_of("v1", "ConfigMap", "chat-serve", object.remove(all_labels, ["app.kubernetes.io/name", "app.kubernetes.io/version"]))

namespace := {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "chat-prod", "labels": all_labels}}

document(objects) := {"environment": "prod", "objects": objects, "kustomize": {"entries": [], "generators": []}}

good := document([namespace, deployment, service, config])

# The document with every object of a kind patched.
edited(kind, operations) := object.union(good, {"objects": [patched(obj, kind, operations) | some obj in good.objects]})

patched(obj, kind, operations) := json.patch(obj, operations) if {
	kind == "every"
} else := json.patch(obj, operations) if {
	kind == obj.kind
} else := obj

with_objects(objects) := object.union(good, {"objects": array.concat(good.objects, objects)})

without_labels(kind, keys) := edited(kind, [{"op": "remove", "path": ["metadata", "labels", key]} | some key in keys])

ref(obj) := {"apiVersion": obj.apiVersion, "kind": obj.kind, "namespace": object.get(obj, ["metadata", "namespace"], ""), "name": obj.metadata.name}

of(obj, path, msg) := {"id": "LBL001", "msg": msg, "object": ref(obj), "path": path}

test_labelled_objects_are_silent if {
	denied(good) == set()
	denied(document([])) == set()
	denied({"repository": {}}) == set()
}

# A patch may have taken each of them away.
lacking(obj, keys, msg) := object.union(of(obj, ["metadata", "labels"], msg), {"also": [place |
	some key in keys
	place := {"object": of(obj, [], "").object, "path": ["metadata", "labels", key]}
]})

test_lbl001_one_object_lacks_labels if {
	denied(without_labels("Service", ["owner", "app.kubernetes.io/name"])) == {lacking(service, ["app.kubernetes.io/name", "owner"], "the object wants the labels 'app.kubernetes.io/name', 'owner', found none")}
	denied(without_labels("ConfigMap", ["owner"])) == {lacking(config, ["owner"], "the object wants the labels 'owner', found none")}
	denied(without_labels("Namespace", ["environment"])) == {lacking(namespace, ["environment"], "the object wants the labels 'environment', found none")}
}

test_lbl001_no_labels_of_that_type if {
	every value in [null, [], "x"] {
		{result.path | some result in denied(edited("ConfigMap", [{"op": "replace", "path": ["metadata", "labels"], "value": value}]))} == {["metadata", "labels"]}
	}
	{result.path | some result in denied(edited("ConfigMap", [{"op": "replace", "path": ["metadata", "labels", "owner"], "value": ""}]))} == {["metadata", "labels"]}
}

# name and version are asked of workloads and Services only.
test_lbl001_what_a_config_map_wants if {
	denied(without_labels("Namespace", ["app.kubernetes.io/name", "app.kubernetes.io/version"])) == set()
	{result.object.kind | some result in denied(without_labels("Deployment", ["app.kubernetes.io/version"]))} == {"Deployment"}
}

nobody := "the environment's objects want the labels 'owner', 'environment', found none on any of them"

unlabelled := edited("every", [{"op": "remove", "path": ["metadata", "labels", key]} | some key in ["owner", "environment"]])

test_lbl001_missing_everywhere_is_one_finding if {
	denied(unlabelled) == {of(deployment, ["metadata", "labels"], nobody)}
}

kustomization(file) := {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "namespace": "", "name": file}

label_entry(file) := {"file": file, "path": ["labels", 0], "type": "label", "what": "labels x", "matched": true, "changed": true}

# Where labels are given: shared files first, then the overlay's own.
test_lbl001_missing_everywhere_in_kustomizations if {
	doc := object.union(unlabelled, {"kustomize": {"generators": [], "entries": [
		label_entry("overlays/prod/kustomization.yaml"),
		label_entry("components/labels/kustomization.yaml"),
		object.union(label_entry("overlays/prod/kustomization.yaml"), {"type": "patch", "path": ["patches", 0]}),
	]}})
	denied(doc) == {{
		"id": "LBL001",
		"msg": nobody,
		"object": kustomization("components/labels/kustomization.yaml"),
		"path": ["labels", 0],
		"also": [{"object": kustomization("overlays/prod/kustomization.yaml"), "path": ["labels", 0]}],
	}}
}

test_lbl001_a_single_object_speaks_for_itself if {
	single := json.patch(service, [{"op": "remove", "path": ["metadata", "labels", "owner"]}])
	denied(document([single])) == {lacking(service, ["owner"], "the object wants the labels 'owner', found none")}
}

labelled(value) := edited("Service", [{"op": "replace", "path": ["metadata", "labels", "environment"], "value": value}])

test_lbl001_environment_of_another if {
	denied(labelled("dev")) == {of(service, ["metadata", "labels", "environment"], "the label 'environment' wants 'prod', found 'dev'")}
	denied(labelled("${ENVIRONMENT}")) == set()
	denied(object.union(labelled("dev"), {"environment": "dev"})) != set()
}

test_lbl001_environment_by_its_folder_or_without_settings if {
	foreign(labelled("staging")) == set()
	results := labels.deny with input as labelled("production") with data.environments as {"prod": object.union(environments.prod, {"overlay": "overlays/production/"})}
	results == set()
}

# A second workload in another namespace.
placed(ns) := edited("Service", [{"op": "replace", "path": ["metadata", "namespace"], "value": ns}])

test_lbl001_namespace if {
	denied(placed("default")) == {of(object.union(service, {"metadata": {"namespace": "default"}}), ["metadata", "namespace"], "the object wants a namespace of the service's own, found 'default'")}
	{result.msg | some result in denied(placed("kube-system"))} == {"the object wants a namespace of the service's own, found 'kube-system'"}
	{result.msg | some result in denied(placed("chat-dev"))} == {"the object wants the namespace 'chat-prod' of its environment, found 'chat-dev'"}
	{result.msg | some result in denied(placed(""))} == {"the object wants a namespace 'chat-prod', found none"}
	denied(placed("${NAMESPACE}")) == set()
	denied(placed("kubernetes-chat")) != denied(placed("kube-chat"))
}

test_lbl001_one_namespace_without_settings if {
	results := labels.deny with input as placed("chat-dev") with data.environments as {"prod": {"level": "prod", "overlay": "overlays/prod"}}
	{result.msg | some result in results} == {"the object wants the namespace 'chat-prod' of its environment, found 'chat-dev'"}
	unknown := labels.deny with input as placed("chat-prod") with data.environments as {}
	unknown == set()
}

# Objects beside the service may stand elsewhere: a grant, a role in kube-system.
test_lbl001_other_kinds_elsewhere_are_silent if {
	grant := object.union(object_of("gateway.networking.k8s.io/v1", "ReferenceGrant", "chat", all_labels), {"metadata": {"namespace": "kube-system"}})
	denied(with_objects([grant])) == set()
}

homeless := document([json.patch(obj, [{"op": "remove", "path": ["metadata", "namespace"]}]) | some obj in [deployment, service]])

test_lbl001_no_namespace_at_all_is_one_finding if {
	expected := object.union(of(deployment, ["metadata", "namespace"], "the environment's objects want a namespace 'chat-prod', found none on any of them"), {"object": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "", "name": "chat"}})
	denied(homeless) == {expected}
	known := object.union(homeless, {"kustomize": {"entries": [label_entry("overlays/prod/kustomization.yaml"), label_entry("overlays/prod/release/kustomization.yaml")], "generators": []}})
	denied(known) == {object.union(expected, {"also": [{"object": kustomization("overlays/prod/kustomization.yaml"), "path": ["namespace"]}]})}
}

# Objects of the whole cluster carry no namespace, and are not asked for labels.
test_lbl001_cluster_objects_are_silent if {
	class := {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "serving"}}
	other := {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}}
	denied(with_objects([class, other])) == set()
}

named(api_version, kind, name) := with_objects([object_of(api_version, kind, name, all_labels)])

name_messages(doc) := {result.msg | some result in denied(doc); result.path == ["metadata", "name"]}

label_rule := "a DNS-1123 label: lower-case letters, digits and '-', a letter or digit at both ends, at most 63 of them"

subdomain_rule := "a DNS-1123 subdomain: lower-case letters, digits, '-' and '.', a letter or digit at both ends of each part, at most 253 of them"

long(length) := concat("", ["a" | some _ in numbers.range(1, length)])

test_lbl001_names_of_services if {
	every name in ["a.b", "Chat", "chat_1", "-a", "a-"] {
		name_messages(named("v1", "Service", name)) == {sprintf("the name '%s' wants %s; found %d", [name, label_rule, count(name)])}
	}
	name_messages(named("v1", "Service", long(64))) == {sprintf("the name '%s' wants %s; found 64", [long(64), label_rule])}
	name_messages(named("v1", "Service", long(63))) == set()
	name_messages(named("v1", "Service", "7-chat")) == set()
}

test_lbl001_names_of_other_kinds if {
	every name in ["A.b", "a..b", "a.-b", "chat_1", "a/b"] {
		name_messages(named("v1", "ConfigMap", name)) == {sprintf("the name '%s' wants %s; found %d", [name, subdomain_rule, count(name)])}
	}
	name_messages(named("v1", "ConfigMap", "kube-root-ca.crt")) == set()
	name_messages(named("v1", "ConfigMap", long(253))) == set()
	count(name_messages(named("v1", "ConfigMap", long(254)))) == 1
	name_messages(named("example.com/v1", "Anything", "a.b-c.1")) == set()
}

test_lbl001_names_that_follow_no_rule if {
	name_messages(named("rbac.authorization.k8s.io/v1", "Role", "system:reader")) == set()
	name_messages(named("networking.k8s.io/v1", "IPAddress", "2001:db8::1")) == set()
	name_messages(named("v1", "ConfigMap", "${NAME}-Serve")) == set()
	name_messages(named("v1", "ConfigMap", 7)) == set()
}

# Without a lockgate.yaml nobody knows the team's own labels, nor who says the namespace.
test_lbl001_without_settings if {
	foreign(good) == set()
	foreign(without_labels("Service", ["owner", "environment", "app.kubernetes.io/name"])) == set()
	nameless := without_labels("every", ["owner", "environment", "app.kubernetes.io/part-of"])
	{result.msg | some result in foreign(nameless)} == {"the environment's objects want the labels 'app.kubernetes.io/part-of', found none on any of them"}
	foreign(without_labels("ConfigMap", ["app.kubernetes.io/instance"])) == set()
	foreign(homeless) == set()
	foreign(placed("")) == set()
	foreign(placed("kube-system")) == set()
	foreign(placed("other")) == set()
	{result.msg | some result in foreign(placed("default"))} == {"the object wants a namespace of the service's own, found 'default'"}
}

foreign(doc) := results if {
	results := labels.deny with input as object.union(doc, {"partial": true}) with data.environments as {"prod": {"level": "prod", "overlay": "deploy"}}
}
