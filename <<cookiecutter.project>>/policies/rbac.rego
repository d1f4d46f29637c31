# Who a pod is to the Kubernetes API, and what roles grant.
package lockgate.rbac

import data.lockgate.lib.catalogue
import data.lockgate.lib.environment
import data.lockgate.lib.objects
import data.lockgate.lib.refs
import data.lockgate.lib.results
import data.lockgate.lib.text
import data.lockgate.lib.workloads
import rego.v1

# METADATA
# title: Pods have an account of their own and no token that they do not use
# description: >-
#   A pod without a ServiceAccount shares `default` with everything else in the namespace, and each right that
#   anybody gives to it. A mounted token lets whoever breaks into the server talk to the API as that account. An
#   account that a binding of the build names needs its token, so its pods are silent; of one that the build does not
#   render, and of the rights that others give to manifests without a lockgate.yaml, nobody knows.
# related_resources:
#   - https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/
# custom:
#   id: RBA001
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Set `serviceAccountName` to an account of the pod's own, and `automountServiceAccountToken` false in the pod's spec or on the ServiceAccount.
deny contains result if {
	some workload in workloads.all
	named := account(workload.pod)
	named in shared_accounts
	result := results.finding("RBA001", workload.object, array.concat(workload.path, ["serviceAccountName"]), sprintf("the pod wants a ServiceAccount of its own, found %v", [
		text.found(written_account(workload.pod)),
	]))
}

deny contains result if {
	some workload in workloads.all
	not environment.partial
	workload.pod.automountServiceAccountToken == true
	key := account_key(workload)
	key in refs.existing.ServiceAccount
	not key in bound_accounts
	found := results.finding("RBA001", workload.object, array.concat(workload.path, ["automountServiceAccountToken"]), "the pod wants automountServiceAccountToken false, since no binding gives its account any right; found true")
	result := results.set_to(found, false)
}

deny contains result if {
	not environment.partial
	some obj in objects.of_kind("ServiceAccount")
	not objects.name(obj) in shared_accounts
	mounts := object.get(obj, "automountServiceAccountToken", null)
	mounts in {null, true}
	key := refs.key_of(objects.namespace(obj), objects.name(obj))
	not key in bound_accounts
	pods := [refs.pod_text(pod) |
		some pod in refs.pods
		workload := workloads.all[pod.index]
		account_key(workload) == key
		object.get(workload.pod, "automountServiceAccountToken", null) == null
	]
	count(pods) > 0
	found := results.finding("RBA001", obj, ["automountServiceAccountToken"], sprintf("account '%v' wants automountServiceAccountToken false, since no binding gives it any right and it is mounted in %v; found %v", [
		objects.name(obj),
		concat(", ", pods),
		text.found(mounts),
	]))
	result := results.set_to(found, false)
}

shared_accounts := {name | some name in catalogue.provided.service_accounts} | {""}

# The account by its field, or by the field's old name; null for none.
written_account(pod) := names[0] if {
	names := [name |
		some field in ["serviceAccountName", "serviceAccount"]
		name := pod[field]
		is_string(name)
		name != ""
	]
} else := null

# "" for none; undefined for what is no text.
account(pod) := name if {
	name := written_account(pod)
	is_string(name)
} else := "" if {
	object.get(pod, "serviceAccountName", "") in {"", null}
}

account_key(workload) := refs.key_of(objects.namespace(workload.object), account(workload.pod))

# Accounts that some binding of the build names, by namespace and name.
bound_accounts := {key |
	some binding in bindings
	some subject in binding.object.subjects
	subject.kind == "ServiceAccount"
	ns := object.get(subject, "namespace", binding.namespace)
	is_string(ns)
	is_string(subject.name)
	key := refs.key_of(ns, subject.name)
}

bindings := [{"object": obj, "namespace": objects.namespace(obj)} |
	some kind in ["RoleBinding", "ClusterRoleBinding"]
	some obj in objects.of_kind(kind)
	is_rbac(obj)
]

is_rbac(obj) if objects.group(objects.string_at(obj, "apiVersion")) == catalogue.rbac.api_group

# METADATA
# title: Roles grant what is named, and nothing that grants more
# description: >-
#   `*` grants what does not exist yet. Listing secrets reads them all; pods/exec is a shell in every container;
#   bind, escalate and impersonate give whatever anybody has; cluster-admin is everything, and a system group is
#   everybody. A list of secrets that resourceNames bounds is silent.
# related_resources:
#   - https://kubernetes.io/docs/concepts/security/rbac-good-practices/
# custom:
#   id: RBA002
#   scope: object
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Name the apiGroups, resources and verbs that are used, `get` single secrets by resourceNames, and bind a role of your own to ServiceAccounts.
deny contains result if {
	some spot in rules
	fields := [field | some field in ["apiGroups", "resources", "verbs"]; "*" in spot.rule[field]]
	count(fields) > 0
	result := results.finding("RBA002", spot.object, array.concat(spot.path, [fields[0]]), sprintf("a rule wants every one of apiGroups, resources and verbs by name, found '*' in %v", [
		concat(", ", fields),
	]))
}

deny contains result if {
	some spot in rules
	"" in spot.rule.apiGroups
	some index, resource in spot.rule.resources
	resource == "secrets"
	count(object.get(spot.rule, "resourceNames", [])) == 0
	verbs := granted(spot, catalogue.rbac.reading_verbs)
	count(verbs) > 0
	result := results.finding("RBA002", spot.object, array.concat(spot.path, ["resources", index]), sprintf("a rule wants no list or watch of secrets, found '%v'", [concat("', '", verbs)]))
}

deny contains result if {
	some spot in rules
	some index, resource in spot.rule.resources
	resource in catalogue.rbac.exec_resources
	count(granted(spot, catalogue.rbac.exec_verbs)) > 0
	result := results.finding("RBA002", spot.object, array.concat(spot.path, ["resources", index]), sprintf("a rule wants no pods/exec, found '%v'", [resource]))
}

deny contains result if {
	some spot in rules
	some index, verb in spot.rule.verbs
	grants_more(spot, verb)
	result := results.finding("RBA002", spot.object, array.concat(spot.path, ["verbs", index]), sprintf("a rule wants no verb that grants more than itself, found '%v'", [verb]))
}

deny contains result if {
	some binding in bindings
	role := binding.object.roleRef.name
	role in catalogue.rbac.all_powerful_roles
	binding.object.roleRef.kind == "ClusterRole"
	result := results.finding("RBA002", binding.object, ["roleRef", "name"], sprintf("a binding wants a role of what its subjects need, found '%v'", [role]))
}

deny contains result if {
	some binding in bindings
	role := object.get(binding.object, ["roleRef", "name"], "")
	not role in catalogue.rbac.harmless_roles
	some index, subject in binding.object.subjects
	everybody(subject)
	result := results.finding("RBA002", binding.object, ["subjects", index, "name"], sprintf("a binding wants subjects of its own, found the %v '%v'", [
		lower(subject.kind),
		subject.name,
	]))
}

# Every entry of every role: {"object", "rule", "path"}.
rules := [{"object": obj, "rule": rule, "path": ["rules", index]} |
	some kind in ["Role", "ClusterRole"]
	some obj in objects.of_kind(kind)
	is_rbac(obj)
	some index
	rule := obj.rules[index]
	is_object(rule)
]

granted(spot, verbs) := [verb | some verb in verbs; verb in spot.rule.verbs]

grants_more(_, "impersonate")

grants_more(spot, verb) if {
	verb in catalogue.rbac.granting_verbs
	some resource in spot.rule.resources
	resource in catalogue.rbac.granted_resources
}

everybody(subject) if {
	subject.kind == "Group"
	startswith(subject.name, "system:")
}

everybody(subject) if {
	subject.kind == "User"
	subject.name in catalogue.rbac.anonymous_users
}
