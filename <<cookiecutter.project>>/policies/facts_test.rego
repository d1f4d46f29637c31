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
