# Good objects for the unit tests: an environment that breaks no rule, and ways to spoil it.
# The file's name ends in _test.rego so that only `opa test` loads it.
package lockgate.lib.testing

import rego.v1

environments := {
	"dev": {"level": "dev", "overlay": "overlays/dev", "namespace": "chat-dev", "cluster": "main", "pool": "a100", "gpu_budget": 2},
	"prod": {"level": "prod", "overlay": "overlays/prod", "namespace": "chat-prod", "cluster": "main", "pool": "a100", "gpu_budget": 12},
}

pools := {"a100": {
	"accelerator": "a100-40gb",
	"gpu_resources": ["nvidia.com/gpu"],
	"node_selector": {"nvidia.com/gpu.product": ["NVIDIA-A100-SXM4-40GB"]},
	"taints": [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}],
	"tolerations_added_by_cluster": false,
	"gpus": 22,
	"gpus_per_node": 8,
}}

# The server's container: two GPUs, tensor parallel 2, probes from a budget of 600 s.
container := {
	"name": "vllm",
	"image": "docker.io/vllm/vllm-openai:v0.32.0",
	"command": ["vllm", "serve"],
	"args": ["--config=/etc/vllm/serve.yaml", "--port=8000", "--shutdown-timeout=60"],
	"env": [{"name": "HF_HUB_OFFLINE", "value": "1"}],
	"ports": [{"name": "http", "containerPort": 8000}],
	"resources": {
		"limits": {"nvidia.com/gpu": "2", "memory": "64Gi", "ephemeral-storage": "16Gi"},
		"requests": {"nvidia.com/gpu": "2", "memory": "64Gi", "cpu": "8", "ephemeral-storage": "16Gi"},
	},
	"startupProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 10, "failureThreshold": 60, "timeoutSeconds": 5},
	"readinessProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 5, "failureThreshold": 3, "timeoutSeconds": 5},
	"livenessProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 20, "failureThreshold": 6, "timeoutSeconds": 10},
	"lifecycle": {"preStop": {"sleep": {"seconds": 15}}},
	"volumeMounts": [
		{"name": "shm", "mountPath": "/dev/shm"},
		{"name": "serve", "mountPath": "/etc/vllm", "readOnly": true},
	],
}

pod := {
	"terminationGracePeriodSeconds": 90,
	"tolerations": [{"key": "nvidia.com/gpu", "operator": "Equal", "value": "present", "effect": "NoSchedule"}],
	"nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB"},
	"topologySpreadConstraints": [{
		"topologyKey": "kubernetes.io/hostname",
		"maxSkew": 1,
		"whenUnsatisfiable": "ScheduleAnyway",
		"labelSelector": {"matchLabels": labels},
	}],
	"containers": [container],
	"volumes": [
		{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "16Gi"}},
		{"name": "serve", "configMap": {"name": "chat-serve"}},
	],
}

labels := {"app.kubernetes.io/name": "chat", "app.kubernetes.io/component": "server"}

# A Deployment of the server in that namespace.
deployment(ns, replicas, strategy) := {
	"apiVersion": "apps/v1",
	"kind": "Deployment",
	"metadata": {"name": "chat", "namespace": ns, "labels": labels},
	"spec": {
		"replicas": replicas,
		"strategy": strategy,
		"selector": {"matchLabels": labels},
		"template": {"metadata": {"labels": labels}, "spec": pod},
	},
}

config(ns) := {
	"apiVersion": "v1",
	"kind": "ConfigMap",
	"metadata": {"name": "chat-serve", "namespace": ns},
	"data": {"serve.yaml": "model: Qwen/Qwen3-14B\ntensor-parallel-size: 2\nmax-model-len: 32768\n"},
}

namespace(ns, environment) := {
	"apiVersion": "v1",
	"kind": "Namespace",
	"metadata": {"name": ns, "labels": {"environment": environment}},
}

quota(ns, gpus) := {
	"apiVersion": "v1",
	"kind": "ResourceQuota",
	"metadata": {"name": "chat-gpu", "namespace": ns},
	"spec": {"hard": {"requests.nvidia.com/gpu": gpus}},
}

# The Job that fills the cache: no GPU.
preload(ns) := {
	"apiVersion": "batch/v1",
	"kind": "Job",
	"metadata": {"name": "chat-preload", "namespace": ns},
	"spec": {"template": {"metadata": {"labels": {}}, "spec": {
		"restartPolicy": "OnFailure",
		"containers": [{
			"name": "preload",
			"image": "docker.io/vllm/vllm-openai:v0.32.0",
			"command": ["python3", "/preload/preload.py"],
			"resources": {"limits": {"memory": "4Gi", "ephemeral-storage": "8Gi"}, "requests": {"memory": "4Gi", "cpu": "1", "ephemeral-storage": "8Gi"}},
		}],
	}}},
}

rollout := {
	"apiVersion": "argoproj.io/v1alpha1",
	"kind": "Rollout",
	"metadata": {"name": "chat", "namespace": "chat-prod"},
	"spec": {
		"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"},
		"progressDeadlineSeconds": 1200,
		"progressDeadlineAbort": true,
		"strategy": {"canary": {
			"trafficRouting": {"plugins": {}},
			"steps": [{"setWeight": 5}, {"pause": {}}, {"setWeight": 50}],
		}},
	},
}

autoscaler := {
	"apiVersion": "autoscaling/v2",
	"kind": "HorizontalPodAutoscaler",
	"metadata": {"name": "chat", "namespace": "chat-prod"},
	"spec": {
		"scaleTargetRef": {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "chat"},
		"minReplicas": 2,
		"maxReplicas": 3,
		"metrics": [{"type": "Pods", "pods": {"metric": {"name": "vllm_num_requests_waiting"}, "target": {"type": "AverageValue", "averageValue": "5"}}}],
		"behavior": {"scaleDown": {"stabilizationWindowSeconds": 600}},
	},
}

# prod: a Rollout scaled by an HPA to 3 pods of 2 GPUs, 12 at promotion.
prod := document("prod", [
	namespace("chat-prod", "prod"),
	quota("chat-prod", "12"),
	config("chat-prod"),
	deployment("chat-prod", 0, {}),
	preload("chat-prod"),
	rollout,
	autoscaler,
])

# dev: one pod, Recreate.
dev := document("dev", [
	namespace("chat-dev", "dev"),
	config("chat-dev"),
	deployment("chat-dev", 1, {"type": "Recreate"}),
	preload("chat-dev"),
])

document(environment, objects) := {"environment": environment, "objects": objects, "kustomize": {"entries": [], "generators": []}}

# The document with every object of a kind patched (JSON patch operations).
changed(doc, kind, operations) := object.union(doc, {"objects": [patched(obj, kind, operations) | some obj in doc.objects]})

patched(obj, kind, operations) := json.patch(obj, operations) if obj.kind == kind

patched(obj, kind, _) := obj if obj.kind != kind

# The document with fields of the server's container set (null removes one).
server(doc, fields) := changed(doc, "Deployment", [operation |
	some field in object.keys(fields)
	operation := container_operation(field, fields[field])
])

container_operation(field, value) := {"op": "add", "path": ["spec", "template", "spec", "containers", "0", field], "value": value} if value != null

container_operation(field, null) := {"op": "remove", "path": ["spec", "template", "spec", "containers", "0", field]}

# The document with the server's pod spec patched; paths start at the pod spec.
pod_changed(doc, operations) := changed(doc, "Deployment", [operation |
	some given in operations
	operation := object.union(given, {"path": array.concat(["spec", "template", "spec"], given.path)})
])

# The document with other vLLM flags in the file.
serving(doc, text) := changed(doc, "ConfigMap", [{"op": "replace", "path": ["data", "serve.yaml"], "value": text}])

without(doc, kind) := object.union(doc, {"objects": [obj | some obj in doc.objects; obj.kind != kind]})

plus(doc, objects) := object.union(doc, {"objects": array.concat(doc.objects, objects)})

# What a result says about the Deployment, and a path in its server container.
server_ref(environment) := {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": concat("-", ["chat", environment]), "name": "chat"}

pod_path(rest) := array.concat(["spec", "template", "spec"], rest)

container_path(rest) := array.concat(["spec", "template", "spec", "containers", 0], rest)
