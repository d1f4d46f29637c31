# A whole service for the unit tests of images, model, security, secrets, network, storage and
# references: it breaks none of those rules. The file's name ends in _test.rego so that only
# `opa test` loads it.
package lockgate.lib.samples

import rego.v1

digest := "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

image := concat("@", ["docker.io/vllm/vllm-openai:v0.32.0", digest])

revision := "40c069824f4251a91eefaf281ebe4c544efd3e18"

server_labels := {"app.kubernetes.io/name": "chat", "app.kubernetes.io/component": "server"}

preload_labels := {"app.kubernetes.io/name": "chat", "app.kubernetes.io/component": "preload"}

locked := {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": true}

server := {
	"name": "vllm",
	"image": image,
	"command": ["vllm", "serve"],
	"args": ["--config=/etc/vllm/serve.yaml", "--port=8000"],
	"env": [
		{"name": "VLLM_API_KEY", "valueFrom": {"secretKeyRef": {"name": "chat-api-key", "key": "api-key"}}},
		{"name": "HF_HUB_OFFLINE", "value": "1"},
		{"name": "HF_HUB_CACHE", "value": "/models"},
		{"name": "HOME", "value": "/scratch"},
		{"name": "TMPDIR", "value": "/scratch/tmp"},
		{"name": "TRITON_CACHE_DIR", "value": "/scratch/triton"},
	],
	"ports": [{"name": "http", "containerPort": 8000}],
	"resources": {"limits": {"nvidia.com/gpu": "2"}},
	"securityContext": locked,
	"volumeMounts": [
		{"name": "serve", "mountPath": "/etc/vllm", "readOnly": true},
		{"name": "models", "mountPath": "/models", "readOnly": true},
		{"name": "scratch", "mountPath": "/scratch"},
	],
}

server_pod := {
	"serviceAccountName": "chat",
	"securityContext": {"runAsNonRoot": true, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
	"containers": [server],
	"volumes": [
		{"name": "serve", "configMap": {"name": "chat-serve"}},
		{"name": "models", "persistentVolumeClaim": {"claimName": "chat-models"}},
		{"name": "scratch", "emptyDir": {"sizeLimit": "8Gi"}},
	],
}

preload_pod := {
	"serviceAccountName": "chat",
	"securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
	"containers": [{
		"name": "preload",
		"image": image,
		"command": ["python3", "/opt/preload.py"],
		"env": [{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "chat-hf-token", "key": "token", "optional": true}}}],
		"securityContext": locked,
		"volumeMounts": [{"name": "models", "mountPath": "/models"}],
	}],
	"volumes": [{"name": "models", "persistentVolumeClaim": {"claimName": "chat-models"}}],
}

object_of(api_version, kind, name, ns, rest) := object.union(
	{"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": ns}},
	rest,
)

deployment(ns) := object_of("apps/v1", "Deployment", "chat", ns, {"spec": {
	"replicas": 1,
	"strategy": {"type": "Recreate"},
	"selector": {"matchLabels": server_labels},
	"template": {"metadata": {"labels": server_labels}, "spec": server_pod},
}})

job(ns) := object_of("batch/v1", "Job", "chat-preload", ns, {"spec": {"template": {
	"metadata": {"labels": preload_labels},
	"spec": preload_pod,
}}})

namespace(ns) := {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns, "labels": {
	"pod-security.kubernetes.io/enforce": "restricted",
	"pod-security.kubernetes.io/enforce-version": "v1.36",
}}}

config(ns) := object_of("v1", "ConfigMap", "chat-serve", ns, {"data": {"serve.yaml": sprintf("model: Qwen/Qwen3-14B\nrevision: %s\ntensor-parallel-size: 2\n", [revision])}})

service(ns) := object_of("v1", "Service", "chat", ns, {"spec": {
	"type": "ClusterIP",
	"selector": server_labels,
	"ports": [{"name": "http", "port": 80, "targetPort": "http"}],
}})

claim(ns) := object_of("v1", "PersistentVolumeClaim", "chat-models", ns, {"spec": {
	"accessModes": ["ReadWriteMany"],
	"storageClassName": "shared-rwx",
	"resources": {"requests": {"storage": "100Gi"}},
}})

external_secret(ns, name, key) := object_of("external-secrets.io/v1", "ExternalSecret", name, ns, {"spec": {
	"secretStoreRef": {"kind": "ClusterSecretStore", "name": "platform-secrets"},
	"target": {"name": name},
	"data": [{"secretKey": key, "remoteRef": {"key": "chat", "property": key}}],
}})

policy(ns, name, spec) := object_of("networking.k8s.io/v1", "NetworkPolicy", name, ns, {"spec": spec})

deny_all := {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}

dns := {
	"podSelector": {},
	"policyTypes": ["Egress"],
	"egress": [{
		"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
		"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
	}],
}

hub_egress := {
	"podSelector": {"matchLabels": preload_labels},
	"policyTypes": ["Egress"],
	"egress": [{
		"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}],
		"ports": [{"port": 443, "protocol": "TCP"}],
	}],
}

# The service in an environment; objects are found by their kind, policies by their order:
# chat-default-deny, chat-dns, chat-preload.
document(environment) := {
	"environment": environment,
	"objects": [
		namespace(ns),
		object_of("v1", "ServiceAccount", "chat", ns, {"automountServiceAccountToken": false}),
		config(ns),
		service(ns),
		claim(ns),
		deployment(ns),
		job(ns),
		external_secret(ns, "chat-api-key", "api-key"),
		external_secret(ns, "chat-hf-token", "token"),
		policy(ns, "chat-default-deny", deny_all),
		policy(ns, "chat-dns", dns),
		policy(ns, "chat-preload", hub_egress),
	],
	"kustomize": {"entries": [], "generators": []},
} if {
	ns := concat("-", ["chat", environment])
}

prod := document("prod")

dev := document("dev")

# The document with the object of that kind and name patched (JSON patch operations).
edited(doc, kind, name, operations) := object.union(doc, {"objects": [edited_object(obj, kind, name, operations) | some obj in doc.objects]})

edited_object(obj, kind, name, operations) := json.patch(obj, operations) if {
	obj.kind == kind
	obj.metadata.name == name
} else := obj

# The same for the server's pod spec and its container; paths start there.
pod_edited(doc, operations) := edited(doc, "Deployment", "chat", [below(operation, ["spec", "template", "spec"]) | some operation in operations])

server_edited(doc, operations) := pod_edited(doc, [below(operation, ["containers", "0"]) | some operation in operations])

below(operation, prefix) := object.union(operation, {"path": array.concat(prefix, operation.path)})

# The document with one more variable of the server.
with_variable(doc, variable) := server_edited(doc, [{"op": "add", "path": ["env", "-"], "value": variable}])

with_argument(doc, word) := server_edited(doc, [{"op": "add", "path": ["args", "-"], "value": word}])

with_config(doc, text) := edited(doc, "ConfigMap", "chat-serve", [{"op": "add", "path": ["data", "serve.yaml"], "value": text}])

with_objects(doc, objects) := object.union(doc, {"objects": array.concat(doc.objects, objects)})

without_object(doc, kind, name) := object.union(doc, {"objects": [obj |
	some obj in doc.objects
	[obj.kind, obj.metadata.name] != [kind, name]
]})

# References and paths as results say them.
ref(api_version, kind, name, ns) := {"apiVersion": api_version, "kind": kind, "namespace": ns, "name": name}

deployment_ref := ref("apps/v1", "Deployment", "chat", "chat-prod")

job_ref := ref("batch/v1", "Job", "chat-preload", "chat-prod")

config_ref := ref("v1", "ConfigMap", "chat-serve", "chat-prod")

policy_ref(name) := ref("networking.k8s.io/v1", "NetworkPolicy", name, "chat-prod")

pod_path(rest) := array.concat(["spec", "template", "spec"], rest)

server_path(rest) := array.concat(["spec", "template", "spec", "containers", 0], rest)

result(id, object, path, msg) := {"id": id, "msg": msg, "object": object, "path": path}
