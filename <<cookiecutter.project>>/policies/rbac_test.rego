package lockgate.rbac_test

import data.lockgate.lib.samples
import data.lockgate.rbac
import rego.v1

denied(doc) := results if {
	found := rbac.deny with input as doc
	results := {json.unmarshal(json.marshal(json.remove(one, ["fix"]))) | some one in found} # tests/test_fix.py looks at the fixes
}

account_ref := samples.ref("v1", "ServiceAccount", "chat", "chat-prod")

pod_set(field, value) := samples.pod_edited(samples.prod, [{"op": "add", "path": [field], "value": value}])

account_set(doc, value) := samples.edited(doc, "ServiceAccount", "chat", [{"op": "add", "path": ["automountServiceAccountToken"], "value": value}])

bound(subject) := samples.object_of("rbac.authorization.k8s.io/v1", "RoleBinding", "chat", "chat-prod", {
	"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "chat"},
	"subjects": [subject],
})

account_subject := {"kind": "ServiceAccount", "name": "chat", "namespace": "chat-prod"}

test_locked_accounts_are_silent if {
	denied(samples.prod) == set()
	denied(samples.dev) == set()
	denied({"repository": {}}) == set()
}

# RBA001

own_account(found) := {samples.result("RBA001", samples.deployment_ref, samples.pod_path(["serviceAccountName"]), sprintf("the pod wants a ServiceAccount of its own, found %s", [found]))}

test_rba001_no_account if {
	denied(samples.pod_edited(samples.prod, [{"op": "remove", "path": ["serviceAccountName"]}])) == own_account("none")
	denied(pod_set("serviceAccountName", "")) == own_account("none")
	denied(pod_set("serviceAccountName", "default")) == own_account("'default'")
}

test_rba001_old_field if {
	doc := samples.pod_edited(samples.prod, [
		{"op": "remove", "path": ["serviceAccountName"]},
		{"op": "add", "path": ["serviceAccount"], "value": "chat"},
	])
	denied(doc) == set()
}

test_rba001_wrong_type_is_silent if {
	denied(pod_set("serviceAccountName", 7)) == set()
	denied(pod_set("automountServiceAccountToken", "true")) == set()
}

test_rba001_token_of_the_pod if {
	doc := pod_set("automountServiceAccountToken", true)
	denied(doc) == {samples.result("RBA001", samples.deployment_ref, samples.pod_path(["automountServiceAccountToken"]), "the pod wants automountServiceAccountToken false, since no binding gives its account any right; found true")}
	denied(samples.with_objects(doc, [bound(account_subject)])) == set()
	denied(samples.without_object(doc, "ServiceAccount", "chat")) == set()
}

# Two pods leave it to the account: one finding.
test_rba001_token_of_the_account if {
	{result.path | some result in denied(samples.prod)} == set()
	msg := "account 'chat' wants automountServiceAccountToken false, since no binding gives it any right and it is mounted in Deployment 'chat', Job 'chat-preload'; found %s"
	denied(account_set(samples.prod, true)) == {samples.result("RBA001", account_ref, ["automountServiceAccountToken"], sprintf(msg, ["true"]))}
	denied(samples.edited(samples.prod, "ServiceAccount", "chat", [{"op": "remove", "path": ["automountServiceAccountToken"]}])) == {samples.result("RBA001", account_ref, ["automountServiceAccountToken"], sprintf(msg, ["none"]))}
}

test_rba001_pod_overrides_the_account if {
	doc := samples.without_object(account_set(pod_set("automountServiceAccountToken", false), true), "Job", "chat-preload")
	denied(doc) == set()
}

test_rba001_account_with_rights_is_silent if {
	denied(samples.with_objects(account_set(samples.prod, true), [bound(account_subject)])) == set()
	denied(samples.with_objects(account_set(samples.prod, true), [bound({"kind": "ServiceAccount", "name": "chat"})])) == set()
	count(denied(samples.with_objects(account_set(samples.prod, true), [bound({"kind": "ServiceAccount", "name": "chat", "namespace": "other"})]))) == 1
}

# Others may give it rights.
test_rba001_token_in_a_part_is_silent if {
	denied(object.union(account_set(samples.prod, true), {"partial": true})) == set()
	denied(object.union(pod_set("automountServiceAccountToken", true), {"partial": true})) == set()
	denied(object.union(pod_set("serviceAccountName", "default"), {"partial": true})) == own_account("'default'")
}

test_rba001_account_that_no_pod_uses_is_silent if {
	other := samples.object_of("v1", "ServiceAccount", "spare", "chat-prod", {})
	denied(samples.with_objects(samples.prod, [other])) == set()
}

# RBA002

role_ref := samples.ref("rbac.authorization.k8s.io/v1", "Role", "chat", "chat-prod")

role(rule) := samples.with_objects(samples.prod, [samples.object_of("rbac.authorization.k8s.io/v1", "Role", "chat", "chat-prod", {"rules": [rule]})])

rule(groups, resources, verbs) := {"apiGroups": groups, "resources": resources, "verbs": verbs}

of_role(path, msg) := {samples.result("RBA002", role_ref, array.concat(["rules", 0], path), msg)}

test_rba002_named_rights_are_silent if {
	denied(role(rule([""], ["pods", "configmaps"], ["get", "list", "watch"]))) == set()
	denied(role(rule([""], ["secrets"], ["get"]))) == set()
	denied(role(rule([""], ["pods/log"], ["get"]))) == set()
	denied(role(rule(["apps"], ["deployments/scale"], ["get", "update"]))) == set()
	denied(role({"nonResourceURLs": ["/metrics"], "verbs": ["get"]})) == set()
}

test_rba002_stars if {
	denied(role(rule([""], ["pods"], ["*"]))) == of_role(["verbs"], "a rule wants every one of apiGroups, resources and verbs by name, found '*' in verbs")
	denied(role(rule(["*"], ["*"], ["*"]))) == of_role(["apiGroups"], "a rule wants every one of apiGroups, resources and verbs by name, found '*' in apiGroups, resources, verbs")
}

test_rba002_secrets if {
	denied(role(rule([""], ["pods", "secrets"], ["get", "list", "watch"]))) == of_role(["resources", 1], "a rule wants no list or watch of secrets, found 'list', 'watch'")
	denied(role(rule([""], ["secrets"], ["watch"]))) == of_role(["resources", 0], "a rule wants no list or watch of secrets, found 'watch'")
	denied(role(object.union(rule([""], ["secrets"], ["list"]), {"resourceNames": ["chat-api-key"]}))) == set()
	denied(role(rule(["example.com"], ["secrets"], ["list"]))) == set()
}

test_rba002_exec if {
	denied(role(rule([""], ["pods/exec"], ["create"]))) == of_role(["resources", 0], "a rule wants no pods/exec, found 'pods/exec'")
	denied(role(rule([""], ["*/exec"], ["get"]))) == of_role(["resources", 0], "a rule wants no pods/exec, found '*/exec'")
	denied(role(rule([""], ["pods/exec"], ["delete"]))) == set()
}

test_rba002_verbs_that_grant if {
	denied(role(rule(["rbac.authorization.k8s.io"], ["clusterroles"], ["get", "bind"]))) == of_role(["verbs", 1], "a rule wants no verb that grants more than itself, found 'bind'")
	denied(role(rule(["rbac.authorization.k8s.io"], ["roles"], ["escalate"]))) == of_role(["verbs", 0], "a rule wants no verb that grants more than itself, found 'escalate'")
	denied(role(rule([""], ["users"], ["impersonate"]))) == of_role(["verbs", 0], "a rule wants no verb that grants more than itself, found 'impersonate'")
	denied(role(rule(["example.com"], ["ports"], ["bind"]))) == set()
}

test_rba002_another_role_is_silent if {
	other := samples.object_of("iam.example.com/v1", "Role", "chat", "chat-prod", {"rules": [rule(["*"], ["*"], ["*"])]})
	denied(samples.with_objects(samples.prod, [other])) == set()
}

binding_ref := samples.ref("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "chat", "")

cluster_bound(role_name, subject) := samples.with_objects(samples.prod, [{
	"apiVersion": "rbac.authorization.k8s.io/v1",
	"kind": "ClusterRoleBinding",
	"metadata": {"name": "chat"},
	"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role_name},
	"subjects": [subject],
}])

of_binding(path, msg) := {samples.result("RBA002", binding_ref, path, msg)}

test_rba002_cluster_admin if {
	denied(cluster_bound("cluster-admin", account_subject)) == of_binding(["roleRef", "name"], "a binding wants a role of what its subjects need, found 'cluster-admin'")
	denied(cluster_bound("admin-of-chat", account_subject)) == set()
}

test_rba002_everybody if {
	denied(cluster_bound("view", {"kind": "Group", "name": "system:authenticated"})) == of_binding(["subjects", 0, "name"], "a binding wants subjects of its own, found the group 'system:authenticated'")
	denied(cluster_bound("view", {"kind": "User", "name": "system:anonymous"})) == of_binding(["subjects", 0, "name"], "a binding wants subjects of its own, found the user 'system:anonymous'")
	denied(cluster_bound("view", {"kind": "Group", "name": "ml-platform"})) == set()
	denied(cluster_bound("system:image-puller", {"kind": "Group", "name": "system:serviceaccounts:chat-prod"})) == set()
}
