package lockgate.security_test

import data.lockgate.lib.samples
import data.lockgate.security
import rego.v1

denied(doc) := results if {
	found := security.deny with input as doc
	results := {json.unmarshal(json.marshal(json.remove(one, ["fix"]))) | some one in found} # tests/test_fix.py looks at the fixes
}

of_server(id, path, msg) := {samples.result(id, samples.deployment_ref, samples.server_path(path), msg)}

of_pod(id, path, msg) := {samples.result(id, samples.deployment_ref, samples.pod_path(path), msg)}

server_set(path, value) := samples.server_edited(samples.prod, [{"op": "add", "path": path, "value": value}])

server_removed(path) := samples.server_edited(samples.prod, [{"op": "remove", "path": path}])

pod_set(path, value) := samples.pod_edited(samples.prod, [{"op": "add", "path": path, "value": value}])

pod_removed(path) := samples.pod_edited(samples.prod, [{"op": "remove", "path": path}])

test_locked_service_is_silent if denied(samples.prod) == set()

test_sec001_pod_without_non_root if {
	denied(pod_removed(["securityContext", "runAsNonRoot"])) == of_pod("SEC001", ["securityContext", "runAsNonRoot"], "the pod wants runAsNonRoot true, found none")
}

# Two containers inherit the pod's value: one fault, one finding.
test_sec001_pod_fault_is_one_finding if {
	doc := samples.pod_edited(samples.prod, [
		{"op": "replace", "path": ["securityContext", "runAsNonRoot"], "value": false},
		{"op": "add", "path": ["initContainers"], "value": [{"name": "wait", "securityContext": samples.locked}]},
	])
	denied(doc) == of_pod("SEC001", ["securityContext", "runAsNonRoot"], "the pod wants runAsNonRoot true, found false")
}

test_sec001_container_overrides_pod if {
	denied(server_set(["securityContext", "runAsNonRoot"], false)) == of_server("SEC001", ["securityContext", "runAsNonRoot"], "container 'vllm' wants runAsNonRoot true, found false")
}

test_sec001_container_sets_what_pod_lacks if {
	doc := samples.pod_edited(samples.prod, [
		{"op": "remove", "path": ["securityContext", "runAsNonRoot"]},
		{"op": "add", "path": ["containers", "0", "securityContext", "runAsNonRoot"], "value": true},
	])
	denied(doc) == set()
}

test_sec001_no_context_at_all if {
	paths := {result.path | some result in denied(pod_removed(["securityContext"])); result.id == "SEC001"}
	paths == {samples.pod_path(["securityContext", "runAsNonRoot"]), samples.pod_path(["securityContext", "seccompProfile", "type"])}
}

test_sec001_user_zero if {
	denied(pod_set(["securityContext", "runAsUser"], 0)) == of_pod("SEC001", ["securityContext", "runAsUser"], "the pod wants runAsUser a user other than 0, found 0")
}

test_sec001_seccomp if {
	denied(pod_set(["securityContext", "seccompProfile", "type"], "Unconfined")) == of_pod("SEC001", ["securityContext", "seccompProfile", "type"], "the pod wants seccompProfile.type 'RuntimeDefault', found 'Unconfined'")
	denied(server_set(["securityContext", "seccompProfile"], {"type": "Unconfined"})) == of_server("SEC001", ["securityContext", "seccompProfile", "type"], "container 'vllm' wants seccompProfile.type 'RuntimeDefault', found 'Unconfined'")
	denied(pod_set(["securityContext", "seccompProfile"], {"type": "Localhost", "localhostProfile": "vllm.json"})) == set()
}

test_sec001_escalation if {
	denied(server_removed(["securityContext", "allowPrivilegeEscalation"])) == of_server("SEC001", ["securityContext", "allowPrivilegeEscalation"], "container 'vllm' wants allowPrivilegeEscalation false, found none")
	denied(server_set(["securityContext", "allowPrivilegeEscalation"], true)) == of_server("SEC001", ["securityContext", "allowPrivilegeEscalation"], "container 'vllm' wants allowPrivilegeEscalation false, found true")
}

test_sec001_capabilities if {
	denied(server_set(["securityContext", "capabilities", "drop"], ["NET_RAW"])) == of_server("SEC001", ["securityContext", "capabilities", "drop"], "container 'vllm' wants capabilities.drop ['ALL'], found ['NET_RAW']")
	denied(server_set(["securityContext", "capabilities", "add"], ["IPC_LOCK"])) == of_server("SEC001", ["securityContext", "capabilities", "add", 0], "container 'vllm' wants no added capability, found 'IPC_LOCK'")
}

test_sec002_host_namespaces if {
	every field in ["hostNetwork", "hostPID", "hostIPC"] {
		denied(pod_set([field], true)) == of_pod("SEC002", [field], sprintf("the pod wants no %s, found true", [field]))
		denied(pod_set([field], false)) == set()
	}
}

test_sec002_host_path if {
	doc := pod_set(["volumes", "-"], {"name": "weights", "hostPath": {"path": "/mnt/models"}})
	denied(doc) == of_pod("SEC002", ["volumes", 3, "hostPath"], "volume 'weights' wants no hostPath, found '/mnt/models'")
}

# The API server refuses allowPrivilegeEscalation false beside it; that is not a second fault.
test_sec002_privileged if {
	denied(server_set(["securityContext", "privileged"], true)) == of_server("SEC002", ["securityContext", "privileged"], "container 'vllm' wants no privileged, found true")
	doc := samples.server_edited(samples.prod, [
		{"op": "add", "path": ["securityContext", "privileged"], "value": true},
		{"op": "remove", "path": ["securityContext", "allowPrivilegeEscalation"]},
	])
	denied(doc) == denied(server_set(["securityContext", "privileged"], true))
}

test_sec002_host_port if {
	denied(server_set(["ports", "0", "hostPort"], 8000)) == of_server("SEC002", ["ports", 0, "hostPort"], "container 'vllm' wants no hostPort, found 8000")
	denied(server_set(["ports", "0", "hostPort"], 0)) == set()
}

test_sec002_shared_memory_is_silent if denied(pod_set(["volumes", "-"], {"name": "shm", "emptyDir": {"medium": "Memory"}})) == set()

# A writable root needs no mounts: one finding.
test_sec003_writable_root if {
	denied(server_removed(["securityContext", "readOnlyRootFilesystem"])) == of_server("SEC003", ["securityContext", "readOnlyRootFilesystem"], "container 'vllm' wants readOnlyRootFilesystem true, found none")
}

test_sec003_writable_root_said if {
	denied(server_set(["securityContext", "readOnlyRootFilesystem"], false)) == of_server("SEC003", ["securityContext", "readOnlyRootFilesystem"], "container 'vllm' wants readOnlyRootFilesystem true, found false")
}

# What a container writes is not this rule's.
test_sec003_mounts_are_not_looked_at if denied(server_removed(["volumeMounts", "2"])) == set()

namespace_ref := samples.ref("v1", "Namespace", "chat-prod", "")

labelled(labels) := samples.edited(samples.prod, "Namespace", "chat-prod", [{"op": "replace", "path": ["metadata", "labels"], "value": labels}])

enforce := "pod-security.kubernetes.io/enforce"

enforce_version := "pod-security.kubernetes.io/enforce-version"

of_namespace(label, msg) := {samples.result("SEC004", namespace_ref, ["metadata", "labels", label], sprintf("namespace 'chat-prod' wants %s", [msg]))}

test_sec004_each_label if {
	denied(labelled({enforce_version: "v1.36"})) == of_namespace(enforce, "pod-security.kubernetes.io/enforce 'restricted', found none")
	denied(labelled({enforce: "baseline", enforce_version: "v1.36"})) == of_namespace(enforce, "pod-security.kubernetes.io/enforce 'restricted', found 'baseline'")
	denied(labelled({enforce: "restricted"})) == of_namespace(enforce_version, "pod-security.kubernetes.io/enforce-version a version such as 'v1.36', found none")
	denied(labelled({enforce: "restricted", enforce_version: "latest"})) == of_namespace(enforce_version, "pod-security.kubernetes.io/enforce-version a version such as 'v1.36', found 'latest'")
	denied(labelled({enforce: "restricted", enforce_version: "1.36"})) == of_namespace(enforce_version, "pod-security.kubernetes.io/enforce-version a version such as 'v1.36', found '1.36'")
}

test_sec004_both_labels_are_one_finding if {
	denied(labelled({})) == of_namespace(enforce, "pod-security.kubernetes.io/enforce 'restricted', found none and pod-security.kubernetes.io/enforce-version a version such as 'v1.36', found none")
	denied(labelled(null)) == denied(labelled({}))
}

test_sec004_silent if {
	denied(samples.without_object(samples.prod, "Namespace", "chat-prod")) == set()
	other := object.union(samples.namespace("monitoring"), {"metadata": {"labels": {enforce: "privileged"}}})
	denied(samples.with_objects(samples.prod, [other])) == set()
	denied(labelled({enforce: "restricted", enforce_version: "v1.30"})) == set()
}
