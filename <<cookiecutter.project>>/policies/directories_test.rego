package lockgate.directories_test

import data.lockgate.lib.samples
import data.lockgate.vllm
import rego.v1

denied(doc) := results if {
	results := vllm.deny with input as doc
}

of_server(id, path, msg) := {samples.result(id, samples.deployment_ref, samples.server_path(path), msg)}

server_set(path, value) := samples.server_edited(samples.prod, [{"op": "add", "path": path, "value": value}])

server_removed(path) := samples.server_edited(samples.prod, [{"op": "remove", "path": path}])

pod_removed(path) := samples.pod_edited(samples.prod, [{"op": "remove", "path": path}])

test_vlm004_caches_on_a_mount_are_silent if denied(samples.prod) == set()

test_vlm004_cache_off_the_mounts if {
	denied(server_set(["env", "5", "value"], "/root/.triton")) == of_server("VLM004", ["env", 5, "value"], "container 'vllm' has a read-only root and wants a writable mount for TRITON_CACHE_DIR, found none at '/root/.triton'")
}

test_vlm004_prefix_of_a_name_is_no_mount if {
	denied(server_set(["env", "5", "value"], "/scratch2/triton")) == of_server("VLM004", ["env", 5, "value"], "container 'vllm' has a read-only root and wants a writable mount for TRITON_CACHE_DIR, found none at '/scratch2/triton'")
}

test_vlm004_home_not_set if {
	denied(server_removed(["env", "3"])) == of_server("VLM004", ["env", "HOME"], "container 'vllm' has a read-only root and wants a writable mount for HOME, found none at '/'")
	at_home := samples.server_edited(samples.prod, [
		{"op": "remove", "path": ["env", "3"]},
		{"op": "add", "path": ["volumeMounts", "-"], "value": {"name": "scratch", "mountPath": "/root"}},
	])
	denied(at_home) == set()
}

test_vlm004_temporary_not_set if {
	denied(server_removed(["env", "4"])) == of_server("VLM004", ["env", "TMPDIR"], "container 'vllm' has a read-only root and wants a writable mount for TMPDIR, found none at '/tmp'")
	mounted := samples.server_edited(samples.prod, [
		{"op": "remove", "path": ["env", "4"]},
		{"op": "add", "path": ["volumeMounts", "-"], "value": {"name": "scratch", "mountPath": "/tmp"}},
	])
	denied(mounted) == set()
}

test_vlm004_from_elsewhere_is_silent if {
	doc := samples.server_edited(samples.prod, [
		{"op": "remove", "path": ["env", "4"]},
		{"op": "remove", "path": ["env", "3"]},
		{"op": "add", "path": ["envFrom"], "value": [{"configMapRef": {"name": "places"}}]},
	])
	denied(doc) == set()
}

test_vlm004_no_mount_is_one_finding if {
	denied(server_removed(["volumeMounts", "2"])) == of_server("VLM004", ["volumeMounts"], "container 'vllm' has a read-only root and wants a writable mount for HOME, TMPDIR, TRITON_CACHE_DIR, found none at '/scratch', '/scratch/tmp', '/scratch/triton'")
}

test_vlm004_read_only_mount_is_one_finding if {
	denied(server_set(["volumeMounts", "2", "readOnly"], true)) == of_server("VLM004", ["volumeMounts", 2], "container 'vllm' has a read-only root and wants a writable mount for HOME, TMPDIR, TRITON_CACHE_DIR, found none at '/scratch', '/scratch/tmp', '/scratch/triton'")
}

test_vlm004_no_volume_is_one_finding if {
	{result.path | some result in denied(pod_removed(["volumes", "2"]))} == {samples.server_path(["volumeMounts"])}
}

# The longest mount path decides: a read-only mount inside a writable one.
test_vlm004_mount_inside_a_mount if {
	doc := server_set(["volumeMounts", "-"], {"name": "models", "mountPath": "/scratch/triton", "readOnly": true})
	denied(doc) == of_server("VLM004", ["env", 5, "value"], "container 'vllm' has a read-only root and wants a writable mount for TRITON_CACHE_DIR, found none at '/scratch/triton'")
}

test_vlm004_read_only_volumes if {
	every volume in [
		{"name": "scratch", "configMap": {"name": "chat-serve"}},
		{"name": "scratch", "persistentVolumeClaim": {"claimName": "chat-models", "readOnly": true}},
	] {
		{result.path | some result in denied(samples.pod_edited(samples.prod, [{"op": "replace", "path": ["volumes", "2"], "value": volume}]))} == {samples.server_path(["volumeMounts", 2])}
	}
}

# Weights on a claim are read only; whether the hub is asked is MDL001's.
test_vlm004_hub_cache_on_a_claim_is_silent if denied(server_set(["env", "1", "value"], "0")) == set()

test_vlm004_hub_cache_off_the_mounts if {
	denied(server_set(["env", "2", "value"], "/cache")) == of_server("VLM004", ["env", 2, "value"], "container 'vllm' has a read-only root and wants a writable mount for HF_HUB_CACHE, found none at '/cache'")
}

test_vlm004_unknown_value_is_silent if denied(server_set(["env", "5", "value"], "$(HOME)/triton")) == set()

# A container without an engine writes where it likes.
test_vlm004_preload_without_home_is_silent if {
	doc := samples.edited(samples.prod, "Job", "chat-preload", [{"op": "replace", "path": ["spec", "template", "spec", "containers", "0", "env"], "value": []}])
	denied(doc) == set()
}

# The runtime mounts /dev/shm for every container.
test_vlm004_shared_memory_is_writable if {
	denied(server_set(["env", "4", "value"], "/dev/shm")) == set()
	denied(server_set(["env", "4", "value"], "/dev/shmx")) == of_server("VLM004", ["env", 4, "value"], "container 'vllm' has a read-only root and wants a writable mount for TMPDIR, found none at '/dev/shmx'")
}

test_vlm004_other_places_for_temporary_files if {
	every directory in ["/var/tmp", "/usr/tmp"] {
		denied(samples.server_edited(samples.prod, [
			{"op": "remove", "path": ["env", "4"]},
			{"op": "add", "path": ["volumeMounts", "-"], "value": {"name": "scratch", "mountPath": directory}},
		])) == set()
	}
	denied(samples.server_edited(samples.prod, [
		{"op": "remove", "path": ["env", "4"]},
		{"op": "add", "path": ["workingDir"], "value": "/scratch/work"},
	])) == set()
}

# What another image sets by itself nobody knows here; without any writable mount it does not matter.
test_vlm004_defaults_of_another_image if {
	other := samples.server_edited(samples.prod, [
		{"op": "replace", "path": ["image"], "value": "registry.example.com/chat/vllm-openai:1"},
		{"op": "replace", "path": ["env"], "value": []},
	])
	denied(other) == set()
	closed := samples.server_edited(other, [{"op": "replace", "path": ["volumeMounts"], "value": [{"name": "shm", "mountPath": "/dev/shm"}]}])
	denied(closed) == of_server("VLM004", ["volumeMounts"], "container 'vllm' has a read-only root and wants a writable mount for HOME, TMPDIR, found none at '/', '/tmp'")
}

# A user that the image does not know, with a writable root.

as_user(user, operations) := samples.pod_edited(
	samples.server_edited(samples.prod, array.concat([{"op": "replace", "path": ["securityContext", "readOnlyRootFilesystem"], "value": false}], operations)),
	[{"op": "add", "path": ["securityContext", "runAsUser"], "value": user}],
)

no_home := [{"op": "remove", "path": ["env", "3"]}]

by_user(index, name, directory) := of_server("VLM004", ["env", index], sprintf("container 'vllm' runs as user 10001 and wants a writable mount for %s, found none at '%s'", [name, directory]))

test_vlm004_user_on_mounts_is_silent if denied(as_user(10001, [])) == set()

test_vlm004_user_without_home if {
	denied(as_user(10001, no_home)) == by_user("HOME", "HOME", "/")
	every user in [0, 2000, "10001", null] {
		denied(as_user(user, no_home)) == set()
	}
}

test_vlm004_user_of_the_container_counts if {
	denied(as_user(10001, array.concat(no_home, [{"op": "add", "path": ["securityContext", "runAsUser"], "value": 2000}]))) == set()
}

mounted(path) := array.concat(no_home, [{"op": "add", "path": ["volumeMounts", "-"], "value": {"name": "scratch", "mountPath": path}}])

# A user without an entry in passwd has / as its home, whatever lies in /root.
test_vlm004_mounts_in_the_home_of_a_user if {
	denied(as_user(10001, mounted("/root/.cache"))) == by_user("HOME", "HOME", "/")
	denied(as_user(10001, mounted("/.cache"))) == set()
}

test_vlm004_directories_of_the_image if {
	denied(as_user(10001, [{"op": "replace", "path": ["env", "5", "value"], "value": "/root/.triton"}])) == of_server("VLM004", ["env", 5, "value"], "container 'vllm' runs as user 10001 and wants a writable mount for TRITON_CACHE_DIR, found none at '/root/.triton'")
	every directory in ["/tmp/triton", "/var/tmp", "/home/vllm/.triton"] {
		denied(as_user(10001, [{"op": "replace", "path": ["env", "5", "value"], "value": directory}])) == set()
	}
	denied(as_user(10001, [{"op": "remove", "path": ["env", "4"]}])) == set()
}

test_vlm004_user_of_another_image_is_silent if {
	denied(as_user(10001, array.concat(no_home, [{"op": "replace", "path": ["image"], "value": "registry.example.com/chat/vllm-openai:1"}]))) == set()
}
