package lockgate.gpu_test

import data.lockgate.gpu
import data.lockgate.lib.testing
import rego.v1

found(doc) := result if {
	found := gpu.deny with input as doc with data.environments as testing.environments with data.pools as testing.pools
	result := {json.unmarshal(json.marshal(json.remove(one, ["fix"]))) | some one in found} # tests/test_fix.py looks at the fixes
}

at_server(id, rest, msg) := {"id": id, "msg": msg, "object": testing.server_ref("prod"), "path": testing.container_path(rest)}

server_place(rest) := {"object": testing.server_ref("prod"), "path": testing.container_path(rest)}

config_ref := {"apiVersion": "v1", "kind": "ConfigMap", "namespace": "chat-prod", "name": "chat-serve"}

tensor_place := {"object": config_ref, "path": ["data", "serve.yaml", "tensor-parallel-size"]}

# The server with these GPU limits and requests.
gpus(limits, requests) := testing.server(testing.prod, {"resources": {
	"limits": object.union({"memory": "64Gi"}, limits),
	"requests": object.union({"memory": "64Gi", "cpu": "8"}, requests),
}})

sidecar(fields) := testing.pod_changed(testing.prod, [{"op": "add", "path": ["containers", "-"], "value": object.union({"name": "helper", "image": "docker.io/example/helper:v1"}, fields)}])

initial(fields) := testing.pod_changed(testing.prod, [{"op": "add", "path": ["initContainers"], "value": [object.union({"name": "first", "image": "docker.io/example/helper:v1"}, fields)]}])

test_good_environments if {
	found(testing.prod) == set()
	found(testing.dev) == set()
}

test_nothing_to_say_without_objects if found(testing.document("prod", [])) == set()

# GPU001

test_gpu001_no_limit if {
	found(gpus({}, {})) == {at_server("GPU001", ["resources", "limits", "nvidia.com/gpu"], "container \"vllm\" has no GPU limit, wanted nvidia.com/gpu: 1 or more in resources.limits")}
}

test_gpu001_no_resources_at_all if {
	found(testing.server(testing.prod, {"resources": null})) == {at_server("GPU001", ["resources", "limits", "nvidia.com/gpu"], "container \"vllm\" has no GPU limit, wanted nvidia.com/gpu: 1 or more in resources.limits")}
}

test_gpu001_limit_is_no_whole_number if {
	some limit in ["500m", 0.5, 0, "0"]
	found(gpus({"nvidia.com/gpu": limit}, {})) == {at_server("GPU001", ["resources", "limits", "nvidia.com/gpu"], sprintf("container \"vllm\" has the GPU limit nvidia.com/gpu: \"%v\", wanted a whole number of 1 or more", [limit]))}
}

test_gpu001_key_that_the_pool_lacks if {
	found(gpus({"amd.com/gpu": 2}, {})) == {at_server("GPU001", ["resources", "limits", "amd.com/gpu"], "container \"vllm\" asks for amd.com/gpu, wanted one of: nvidia.com/gpu")}
}

test_gpu001_request_differs if {
	found(gpus({"nvidia.com/gpu": "2"}, {"nvidia.com/gpu": "1"})) == {object.union(
		at_server("GPU001", ["resources", "requests", "nvidia.com/gpu"], "container \"vllm\" requests nvidia.com/gpu: \"1\", wanted the limit \"2\""),
		{"also": [server_place(["resources", "limits", "nvidia.com/gpu"])]},
	)}
}

test_gpu001_request_without_limit_in_a_helper if {
	found(sidecar({"resources": {"requests": {"nvidia.com/gpu": 1}}})) == {{
		"id": "GPU001",
		"msg": "container \"helper\" requests nvidia.com/gpu: \"1\", wanted the limit \"none\"",
		"object": testing.server_ref("prod"),
		"path": testing.pod_path(["containers", 1, "resources", "requests", "nvidia.com/gpu"]),
		"also": [{"object": testing.server_ref("prod"), "path": testing.pod_path(["containers", 1, "resources", "limits", "nvidia.com/gpu"])}],
	}}
}

test_gpu001_silent_on_limit_alone if found(gpus({"nvidia.com/gpu": 2}, {})) == set()

test_gpu001_silent_on_number_and_string if found(gpus({"nvidia.com/gpu": 2}, {"nvidia.com/gpu": "2"})) == set()

test_gpu001_silent_on_device_claims if {
	found(testing.server(testing.prod, {"resources": {"claims": [{"name": "gpus"}]}})) == set()
}

test_gpu001_silent_on_a_zero_in_a_helper if found(sidecar({"resources": {"limits": {"nvidia.com/gpu": 0}}})) == set()

test_gpu001_partition_key_of_the_pool if {
	doc := testing.serving(gpus({"nvidia.com/mig-3g.20gb": 1}, {}), "tensor-parallel-size: 1\n")
	pools := {"a100": object.union(testing.pools.a100, {"gpu_resources": ["nvidia.com/mig-3g.20gb"]})}
	result := gpu.deny with input as doc with data.environments as testing.environments with data.pools as pools
	result == set()
}

test_gpu001_any_known_key_without_a_pool if {
	result := gpu.deny with input as gpus({"amd.com/gpu": 2}, {}) with data.environments as {} with data.pools as {}
	result == set()
}

# GPU002

test_gpu002_fewer_gpus_than_tensor_parallel if {
	found(gpus({"nvidia.com/gpu": "1"}, {})) == {object.union(
		at_server("GPU002", ["resources", "limits", "nvidia.com/gpu"], "container \"vllm\" has 1 GPUs, wanted 2: tensor-parallel-size 2"),
		{"also": [tensor_place]},
	)}
}

test_gpu002_more_gpus_than_tensor_parallel if {
	found(gpus({"nvidia.com/gpu": "3"}, {})) == {object.union(
		at_server("GPU002", ["resources", "limits", "nvidia.com/gpu"], "container \"vllm\" has 3 GPUs, wanted 2: tensor-parallel-size 2"),
		{"also": [tensor_place]},
	)}
}

test_gpu002_flag_in_args_beats_the_file if {
	doc := testing.server(testing.prod, {"args": ["--config=/etc/vllm/serve.yaml", "-tp", "4", "--shutdown-timeout=60"]})
	found(doc) == {object.union(
		at_server("GPU002", ["resources", "limits", "nvidia.com/gpu"], "container \"vllm\" has 2 GPUs, wanted 4: tensor-parallel-size 4"),
		{"also": [server_place(["args", 2])]},
	)}
}

test_gpu002_product_of_sizes if {
	doc := testing.server(testing.prod, {"args": ["--tensor-parallel-size=2", "--pipeline-parallel-size=2", "--data-parallel-size=8", "--data-parallel-size-local=2"]})
	found(doc) == {object.union(
		at_server("GPU002", ["resources", "limits", "nvidia.com/gpu"], "container \"vllm\" has 2 GPUs, wanted 8: tensor-parallel-size 2 x pipeline-parallel-size 2 x data-parallel-size-local 2"),
		{"also": [server_place(["args", 0]), server_place(["args", 1]), server_place(["args", 3])]},
	)}
}

test_gpu002_default_of_one if {
	doc := testing.server(testing.prod, {"args": ["--port=8000"]})
	found(doc) == {at_server("GPU002", ["resources", "limits", "nvidia.com/gpu"], "container \"vllm\" has 2 GPUs, wanted 1: tensor-parallel-size 1 by default")}
}

test_gpu002_silent_when_a_size_is_unknown if {
	found(testing.server(testing.prod, {"args": ["--tensor-parallel-size=$(TP)"], "env": [{"name": "TP", "valueFrom": {"secretKeyRef": {"name": "x", "key": "tp"}}}]})) == set()
	found(testing.without(gpus({"nvidia.com/gpu": "1"}, {}), "ConfigMap")) == set()
	found(testing.server(testing.prod, {"args": ["--nnodes=2", "-tp=8"]})) == set()
	found(testing.server(testing.prod, {"args": ["--distributed-executor-backend=ray", "-tp=8"]})) == set()
}

test_gpu002_silent_on_shared_gpus if {
	pools := {"a100": object.union(testing.pools.a100, {"gpu_resources": ["nvidia.com/gpu.shared"]})}
	result := gpu.deny with input as gpus({"nvidia.com/gpu.shared": 1}, {}) with data.environments as testing.environments with data.pools as pools
	result == set()
}

# GPU003

test_gpu003_init_container_starts_an_engine if {
	found(initial({"command": ["vllm", "serve", "Qwen/Qwen3-14B"]})) == {{
		"id": "GPU003",
		"msg": "init container \"first\" starts a vLLM engine, wanted the engine in the serving container only",
		"object": testing.server_ref("prod"),
		"path": testing.pod_path(["initContainers", 0, "command"]),
	}}
}

test_gpu003_sidecar_starts_an_engine if {
	found(sidecar({"image": "docker.io/vllm/vllm-openai:v0.32.0", "args": ["--port=8001"]})) == {{
		"id": "GPU003",
		"msg": "container \"helper\" starts a second vLLM engine beside \"vllm\", wanted one engine in a pod",
		"object": testing.server_ref("prod"),
		"path": testing.pod_path(["containers", 1, "image"]),
	}}
}

test_gpu003_two_gpu_holders if {
	found(sidecar({"resources": {"limits": {"nvidia.com/gpu": 1}}})) == {{
		"id": "GPU003",
		"msg": "container \"helper\" holds 1 GPUs beside \"vllm\", wanted one GPU holder in a pod",
		"object": testing.server_ref("prod"),
		"path": testing.pod_path(["containers", 1, "resources", "limits", "nvidia.com/gpu"]),
	}}
}

test_gpu003_two_holders_without_an_engine if {
	holder := {"image": "docker.io/example/train:v1", "command": ["train"], "resources": {"limits": {"nvidia.com/gpu": 1}}}
	doc := testing.changed(testing.dev, "Job", [{"op": "replace", "path": ["spec", "template", "spec", "containers"], "value": [object.union(holder, {"name": "a"}), object.union(holder, {"name": "b"})]}])
	{[result.id, result.path] | some result in found(doc)} == {["GPU003", ["spec", "template", "spec", "containers", 1, "resources", "limits", "nvidia.com/gpu"]]}
}

# Two Jobs that `generateName` names later, and the same object twice: each is a pod of its own.
test_gpu003_silent_on_one_holder_in_each_of_two_pods if {
	holder := {"name": "a", "image": "docker.io/example/train:v1", "resources": {"limits": {"nvidia.com/gpu": 1}}}
	jobs := [job |
		some name in ["a", "b"]
		job := {
			"apiVersion": "batch/v1",
			"kind": "Job",
			"metadata": {"generateName": "train-"},
			"spec": {"template": {"spec": {"containers": [object.union(holder, {"name": name})]}}},
		}
	]
	found(testing.document("dev", jobs)) == set()
	found(testing.document("prod", array.concat(testing.prod.objects, testing.prod.objects))) == set()
}

test_gpu003_kept_sidecar_holds_a_gpu if {
	{[result.id, result.path[3]] | some result in found(initial({"restartPolicy": "Always", "resources": {"limits": {"nvidia.com/gpu": 1}}}))} == {["GPU003", "initContainers"]}
}

test_gpu003_hook_starts_an_engine if {
	doc := testing.server(testing.prod, {"lifecycle": {"postStart": {"exec": {"command": ["python3", "-c", "from vllm import LLM; LLM('x')"]}}}})
	found(doc) == {at_server("GPU003", ["lifecycle", "postStart", "exec", "command"], "lifecycle.postStart of container \"vllm\" starts a vLLM engine, wanted the engine in the container's command only")}
}

test_gpu003_exec_probe_starts_an_engine if {
	doc := testing.server(testing.prod, {"livenessProbe": {"exec": {"command": ["sh", "-c", "vllm serve x --port 9"]}}})
	found(doc) == {at_server("GPU003", ["livenessProbe", "exec", "command"], "livenessProbe of container \"vllm\" starts a vLLM engine, wanted the engine in the container's command only")}
}

test_gpu003_silent_on_checks_and_short_init_containers if {
	found(initial({"command": ["nvidia-smi"], "resources": {"limits": {"nvidia.com/gpu": 2}}})) == set()
	found(testing.server(testing.prod, {"lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", "echo vllm"]}}}})) == set()
	found(testing.server(testing.prod, {"livenessProbe": {"exec": {"command": ["curl", "localhost:8000/health"]}}})) == set()
}

# GPU004

test_gpu004_literal_devices if {
	some name in ["NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"]
	doc := testing.server(testing.prod, {"env": [{"name": "A", "value": "b"}, {"name": name, "value": "all"}]})
	found(doc) == {at_server("GPU004", ["env", 1, "value"], sprintf("container \"vllm\" sets %s to \"all\", wanted the device plugin to set it", [name]))}
}

test_gpu004_hiding_gpus_in_the_server_is_a_fault if {
	doc := testing.server(testing.prod, {"env": [{"name": "CUDA_VISIBLE_DEVICES", "value": ""}]})
	found(doc) == {at_server("GPU004", ["env", 0, "value"], "container \"vllm\" sets CUDA_VISIBLE_DEVICES to \"\", wanted the device plugin to set it")}
}

test_gpu004_silent_when_a_helper_hides_gpus if {
	some value in ["none", "void", "", "-1"]
	found(sidecar({"env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": value}]})) == set()
}

test_gpu004_silent_on_references_and_other_names if {
	found(testing.server(testing.prod, {"env": [
		{"name": "CUDA_VISIBLE_DEVICES", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
		{"name": "NVIDIA_DRIVER_CAPABILITIES", "value": "compute,utility"},
	]})) == set()
}

# GPU005

shm(volume) := testing.pod_changed(testing.prod, [{"op": "replace", "path": ["volumes", "0"], "value": object.union({"name": "shm"}, volume)}])

test_gpu005_nothing_mounted if {
	doc := testing.server(testing.prod, {"volumeMounts": [{"name": "serve", "mountPath": "/etc/vllm"}]})
	found(doc) == {at_server("GPU005", ["volumeMounts"], "container \"vllm\" mounts nothing at /dev/shm, wanted an emptyDir with medium Memory and a sizeLimit for tensor-parallel-size 2")}
}

test_gpu005_mount_of_no_volume if {
	found(testing.pod_changed(testing.prod, [{"op": "remove", "path": ["volumes", "0"]}])) == {at_server("GPU005", ["volumeMounts", 0, "name"], "container \"vllm\" mounts the volume \"shm\" at /dev/shm, wanted a volume of the pod")}
}

test_gpu005_volume_on_disk if {
	some volume in [{"emptyDir": {"sizeLimit": "16Gi"}}, {"emptyDir": {}}, {"persistentVolumeClaim": {"claimName": "x"}}]
	found(shm(volume)) == {{"id": "GPU005", "msg": "the volume \"shm\" at /dev/shm is not in memory, wanted emptyDir with medium Memory", "object": testing.server_ref("prod"), "path": testing.pod_path(["volumes", 0, "emptyDir", "medium"])}}
}

test_gpu005_no_size_limit if {
	found(shm({"emptyDir": {"medium": "Memory"}})) == {{"id": "GPU005", "msg": "the volume \"shm\" at /dev/shm has no sizeLimit, wanted one below limits.memory", "object": testing.server_ref("prod"), "path": testing.pod_path(["volumes", 0, "emptyDir", "sizeLimit"])}}
}

test_gpu005_a_size_limit_of_0_is_none if {
	every size in [0, "0"] {
		[result.msg | some result in found(shm({"emptyDir": {"medium": "Memory", "sizeLimit": size}}))] == ["the volume \"shm\" at /dev/shm has no sizeLimit, wanted one below limits.memory"]
	}
}

test_gpu005_size_limit_below_what_nccl_needs if {
	every size, said in {"6": "6 bytes", "1023Mi": "1023Mi", "64m": "64m (thousandths of a byte)", "1073741823": "1073741823 bytes"} {
		found(shm({"emptyDir": {"medium": "Memory", "sizeLimit": size}})) == {{
			"id": "GPU005",
			"msg": sprintf("the volume \"shm\" at /dev/shm holds %v, wanted 1Gi or more for tensor-parallel-size 2", [said]),
			"object": testing.server_ref("prod"),
			"path": testing.pod_path(["volumes", 0, "emptyDir", "sizeLimit"]),
		}}
	}
	[result.path[6] | some result in found(shm({"emptyDir": {"medium": "Memory", "sizeLimit": 6}}))] == ["sizeLimit"]
}

test_gpu005_silent_on_what_nccl_needs_and_on_no_quantity if {
	every size in ["1Gi", "1024Mi", 1073741824, "1025Mi", "6X", "$SHM"] {
		found(shm({"emptyDir": {"medium": "Memory", "sizeLimit": size}})) == set()
	}
}

test_gpu005_size_limit_at_and_above_the_memory_limit if {
	some size in ["64Gi", "65Gi", "65536Mi"]
	found(shm({"emptyDir": {"medium": "Memory", "sizeLimit": size}})) == {{
		"id": "GPU005",
		"msg": sprintf("the volume \"shm\" at /dev/shm may grow to %s, wanted less than limits.memory 64Gi of container \"vllm\"", [size]),
		"object": testing.server_ref("prod"),
		"path": testing.pod_path(["volumes", 0, "emptyDir", "sizeLimit"]),
		"also": [server_place(["resources", "limits", "memory"])],
	}}
}

test_gpu005_silent_just_below if found(shm({"emptyDir": {"medium": "Memory", "sizeLimit": "65535Mi"}})) == set()

test_gpu005_silent_on_one_gpu if {
	one := testing.serving(gpus({"nvidia.com/gpu": 1}, {}), "tensor-parallel-size: 1\n")
	found(testing.server(one, {"volumeMounts": [{"name": "serve", "mountPath": "/etc/vllm"}]})) == set()
}

test_gpu005_leaves_other_faults_to_their_rules if {
	found(shm({"hostPath": {"path": "/dev/shm"}})) == set()
	memory := {"limits": {"nvidia.com/gpu": 2, "memory": "8Gi"}, "requests": {"memory": "64Gi"}}
	found(testing.server(testing.prod, {"resources": memory})) == set()
	slip := {"limits": {"nvidia.com/gpu": 2, "memory": "64"}, "requests": {"memory": "64"}}
	found(testing.server(testing.prod, {"resources": slip})) == set()
}

test_gpu001_silent_on_devices_of_another_kind if {
	found(testing.server(testing.prod, {"args": ["--tensor-parallel-size=8"], "resources": {"limits": {"google.com/tpu": 8}}})) == set()
}

test_gpu001_silent_on_processors if {
	on_processors({"image": "docker.io/vllm/vllm-openai-cpu:v0.32.0"}) == set()
	on_processors({"image": "quay.io/example/vllm-cpu-openai@sha256:00"}) == set()
	on_processors({"env": [{"name": "VLLM_CPU_KVCACHE_SPACE", "value": "8"}]}) == set()
	count(on_processors({"image": "docker.io/example/cpuless:v1"})) == 1
}

on_processors(fields) := found(testing.server(testing.prod, object.union({"resources": {}, "args": ["--port=8000"]}, fields)))

test_gpu001_silent_on_a_number_that_is_filled_in if {
	found(testing.server(testing.prod, {"args": ["--port=8000"], "resources": {"limits": {"nvidia.com/gpu": "${GPUS}"}}})) == set()
	count(found(testing.server(testing.prod, {"args": ["--port=8000"], "resources": {"limits": {"nvidia.com/gpu": "GPUS"}}}))) == 1
}
