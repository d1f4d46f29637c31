package lockgate.facts_test

import data.lockgate.facts
import data.lockgate.lib.testing
import rego.v1

of(doc) := result if {
	result := facts with input as doc with data.environments as testing.environments with data.pools as testing.pools
}

test_peak_of_prod if {
	of(testing.prod).peak == {"gpus": 12, "pods": 6, "gpus_per_pod": 2, "terms": "HPA max 3 pods x 2 GPUs = 6, doubled at promotion: 12"}
}

test_peak_without_gpus if {
	of(testing.document("dev", [])).peak == {"gpus": 0, "pods": 0, "gpus_per_pod": 0, "terms": "no pod holds a GPU"}
}

test_everything_is_covered if {
	of(testing.prod).not_covered == []
	of(testing.dev).not_covered == []
}

test_kinds_that_are_not_understood if {
	ray := {"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": "ray", "namespace": "chat-dev"}, "spec": {}}
	of(testing.plus(testing.dev, [ray])).not_covered == [{"apiVersion": "ray.io/v1", "kind": "RayCluster", "namespace": "chat-dev", "name": "ray"}]
}

test_gpu_pods_that_only_the_cluster_counts if {
	doc := testing.changed(testing.dev, "Deployment", [{"op": "replace", "path": ["kind"], "value": "DaemonSet"}])
	of(doc).not_covered == [{"apiVersion": "apps/v1", "kind": "DaemonSet", "namespace": "chat-dev", "name": "chat"}]
	of(doc).peak.gpus == 0
}

test_release_of_prod if {
	pinned := testing.server(testing.prod, {"image": "docker.io/vllm/vllm-openai@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"})
	doc := testing.serving(pinned, "model: Qwen/Qwen3-14B\nrevision: 40c069824f4251a91eefaf281ebe4c544efd3e18\ntensor-parallel-size: 2\n")
	of(doc).release == [{
		"id": "Deployment/chat/vllm",
		"container": "vllm",
		"digest": "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		"revision": "40c069824f4251a91eefaf281ebe4c544efd3e18",
		"image_place": {"object": testing.server_ref("prod"), "path": testing.container_path(["image", "digest"])},
		"revision_place": {"object": {"apiVersion": "v1", "kind": "ConfigMap", "namespace": "chat-prod", "name": "chat-serve"}, "path": ["data", "serve.yaml", "revision"]},
	}]
}

test_release_that_the_repository_does_not_pin if {
	every text in ["model: x\n", "model: x\nrevision: main\n", "model: x\nrevision: 7\n"] {
		[[entry.digest, entry.revision] | some entry in of(testing.serving(testing.prod, text)).release] == [["", ""]]
	}
}

test_pods_of_prod_at_rest_and_at_the_peak if {
	of(testing.prod).controllers == [{
		"object": {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "namespace": "chat-prod", "name": "chat"},
		"gpus_per_pod": 2,
		"fewest": 2,
		"most": 3,
		"pods": 6,
		"gpus": 12,
		"terms": "HPA max 3 pods x 2 GPUs = 6, doubled at promotion: 12",
	}]
}

# What no autoscaler scales stays as it is; a Job ends.
test_pods_at_rest if {
	[c.fewest | some c in of(testing.changed(testing.dev, "Deployment", [{"op": "replace", "path": ["spec", "replicas"], "value": 3}])).controllers] == [3]
	[c.fewest | some c in of(testing.changed(testing.dev, "Deployment", [{"op": "remove", "path": ["spec", "replicas"]}])).controllers] == [1]
	[c.fewest | some c in of(testing.changed(testing.dev, "Deployment", [{"op": "replace", "path": ["kind"], "value": "ReplicaSet"}])).controllers] == [1]
	[c.fewest | some c in of(testing.changed(testing.dev, "Deployment", [{"op": "replace", "path": ["kind"], "value": "Job"}])).controllers] == [0]
}

servers(text) := of(testing.serving(testing.prod, text)).servers

test_server_of_prod if {
	servers("model: Qwen/Qwen3-14B\ntensor-parallel-size: 2\nmax-model-len: 32768\n") == [{
		"id": "Deployment/chat/vllm",
		"container": "vllm",
		"image": "docker.io/vllm/vllm-openai:v0.32.0",
		"flags": {
			"config": "/etc/vllm/serve.yaml",
			"port": "8000",
			"shutdown-timeout": "60",
			"model": "Qwen/Qwen3-14B",
			"tensor-parallel-size": 2,
			"max-model-len": 32768,
		},
		"unknown": [],
		"grace_seconds": 90,
		"memory": {
			"fits": true,
			"gpus": 2,
			"need": 39200290816,
			"have": 77051713290,
			"needs": "weights 27.5 GiB + KV cache of 32768 tokens 5.0 GiB + overhead 2 x 2 GiB",
			"offers": "2 x 39 GiB of NVIDIA A100 40 GB x 0.92",
		},
	}]
}

test_grace_without_a_number if {
	every operation in [{"op": "remove"}, {"op": "replace", "value": "90"}] {
		doc := testing.pod_changed(testing.prod, [object.union(operation, {"path": ["terminationGracePeriodSeconds"]})])
		[server.grace_seconds | some server in of(doc).servers] == [30]
	}
}

test_memory_that_does_not_fit if {
	[[server.memory.fits, server.memory.needs] | some server in servers("model: Qwen/Qwen3-32B\ntensor-parallel-size: 2\nmax-model-len: 32768\n")] == [[false, "weights 61.0 GiB + KV cache of 32768 tokens 8.0 GiB + overhead 2 x 2 GiB"]]
}

test_shape_that_cannot_be if {
	doc := testing.server(testing.serving(testing.prod, "model: Qwen/Qwen3-14B\ntensor-parallel-size: 3\n"), {"resources": {"limits": {"nvidia.com/gpu": 3}}})
	[server.memory | some server in of(doc).servers] == [{"fits": false, "why": "tensor-parallel-size wants a value that divides the 40 attention heads of 'Qwen/Qwen3-14B', found 3"}]
}

why(doc) := [server.memory.why | some server in of(doc).servers]

test_memory_that_nobody_counts if {
	why(testing.serving(testing.prod, "tensor-parallel-size: 2\n")) == ["no model is named"]
	why(testing.serving(testing.prod, "model: acme/own\ntensor-parallel-size: 2\n")) == ["'acme/own' is in no catalogue; describe it under `models` in lockgate.yaml"]
	why(testing.serving(testing.prod, "model: Qwen/Qwen3-14B\n")) == ["its GPUs are not what its flags ask for (GPU002)"]
	why(testing.server(testing.prod, {"resources": {}})) == ["the container holds no GPU"]
	why(testing.serving(testing.prod, "model: Qwen/Qwen3-14B\ntensor-parallel-size: 2\nmax-model-len: auto\n")) == ["a flag, or the pool's accelerator, says nothing that can be counted with"]
}
