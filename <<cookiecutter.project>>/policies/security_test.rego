package lockgate.security_test

import data.lockgate.lib.samples
import data.lockgate.security
import rego.v1

denied(doc) := results if {
	results := security.deny with input as doc
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

test_sec003_cache_off_the_mounts if {
	denied(server_set(["env", "5", "value"], "/root/.triton")) == of_server("SEC003", ["env", 5, "value"], "container 'vllm' has a read-only root and wants a writable mount for TRITON_CACHE_DIR, found none at '/root/.triton'")
}

test_sec003_prefix_of_a_name_is_no_mount if {
	denied(server_set(["env", "5", "value"], "/scratch2/triton")) == of_server("SEC003", ["env", 5, "value"], "container 'vllm' has a read-only root and wants a writable mount for TRITON_CACHE_DIR, found none at '/scratch2/triton'")
}

test_sec003_home_not_set if {
	denied(server_removed(["env", "3"])) == of_server("SEC003", ["env", "HOME"], "container 'vllm' has a read-only root and wants a writable mount for HOME, found none at '/'")
	at_home := samples.server_edited(samples.prod, [
		{"op": "remove", "path": ["env", "3"]},
		{"op": "add", "path": ["volumeMounts", "-"], "value": {"name": "scratch", "mountPath": "/root"}},
	])
	denied(at_home) == set()
}

test_sec003_temporary_not_set if {
	denied(server_removed(["env", "4"])) == of_server("SEC003", ["env", "TMPDIR"], "container 'vllm' has a read-only root and wants a writable mount for TMPDIR, found none at '/tmp'")
	mounted := samples.server_edited(samples.prod, [
		{"op": "remove", "path": ["env", "4"]},
		{"op": "add", "path": ["volumeMounts", "-"], "value": {"name": "scratch", "mountPath": "/tmp"}},
	])
	denied(mounted) == set()
}

test_sec003_from_elsewhere_is_silent if {
	doc := samples.server_edited(samples.prod, [
		{"op": "remove", "path": ["env", "4"]},
		{"op": "remove", "path": ["env", "3"]},
		{"op": "add", "path": ["envFrom"], "value": [{"configMapRef": {"name": "places"}}]},
	])
	denied(doc) == set()
}

test_sec003_no_mount_is_one_finding if {
	denied(server_removed(["volumeMounts", "2"])) == of_server("SEC003", ["volumeMounts"], "container 'vllm' has a read-only root and wants a writable mount for HOME, TMPDIR, TRITON_CACHE_DIR, found none at '/scratch', '/scratch/tmp', '/scratch/triton'")
}

test_sec003_read_only_mount_is_one_finding if {
	denied(server_set(["volumeMounts", "2", "readOnly"], true)) == of_server("SEC003", ["volumeMounts", 2], "container 'vllm' has a read-only root and wants a writable mount for HOME, TMPDIR, TRITON_CACHE_DIR, found none at '/scratch', '/scratch/tmp', '/scratch/triton'")
}

test_sec003_no_volume_is_one_finding if {
	{result.path | some result in denied(pod_removed(["volumes", "2"]))} == {samples.server_path(["volumeMounts"])}
}

# The longest mount path decides: a read-only mount inside a writable one.
test_sec003_mount_inside_a_mount if {
	doc := server_set(["volumeMounts", "-"], {"name": "models", "mountPath": "/scratch/triton", "readOnly": true})
	denied(doc) == of_server("SEC003", ["env", 5, "value"], "container 'vllm' has a read-only root and wants a writable mount for TRITON_CACHE_DIR, found none at '/scratch/triton'")
}

test_sec003_read_only_volumes if {
	every volume in [
		{"name": "scratch", "configMap": {"name": "chat-serve"}},
		{"name": "scratch", "persistentVolumeClaim": {"claimName": "chat-models", "readOnly": true}},
	] {
		{result.path | some result in denied(samples.pod_edited(samples.prod, [{"op": "replace", "path": ["volumes", "2"], "value": volume}]))} == {samples.server_path(["volumeMounts", 2])}
	}
}

# Weights on a claim are read only; whether the hub is asked is MDL001's.
test_sec003_hub_cache_on_a_claim_is_silent if denied(server_set(["env", "1", "value"], "0")) == set()

test_sec003_hub_cache_off_the_mounts if {
	denied(server_set(["env", "2", "value"], "/cache")) == of_server("SEC003", ["env", 2, "value"], "container 'vllm' has a read-only root and wants a writable mount for HF_HUB_CACHE, found none at '/cache'")
}

test_sec003_unknown_value_is_silent if denied(server_set(["env", "5", "value"], "$(HOME)/triton")) == set()

# Without an engine the flag alone counts.
test_sec003_preload_without_home_is_silent if {
	doc := samples.edited(samples.prod, "Job", "chat-preload", [{"op": "replace", "path": ["spec", "template", "spec", "containers", "0", "env"], "value": []}])
	denied(doc) == set()
}
