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
