package lockgate.lib.workloads_test

import data.lockgate.lib.workloads
import rego.v1

pod := {"containers": [{"name": "c"}]}

obj_of(kind, spec) := {"apiVersion": "x/v1", "kind": kind, "metadata": {"name": "a", "namespace": "n", "labels": {"own": "1"}}, "spec": spec}

template := {"metadata": {"labels": {"pod": "1"}}, "spec": pod}

of(objects) := result if {
	result := workloads.all with input as {"objects": objects}
}

test_shapes if {
	some kind, entry in {
		"Deployment": {"spec": {"template": template}, "path": ["spec", "template", "spec"]},
		"SomethingNew": {"spec": {"template": template}, "path": ["spec", "template", "spec"]},
		"CronJob": {"spec": {"jobTemplate": {"spec": {"template": template}}}, "path": ["spec", "jobTemplate", "spec", "template", "spec"]},
		"ScaledJob": {"spec": {"jobTargetRef": {"template": template}}, "path": ["spec", "jobTargetRef", "template", "spec"]},
		"LeaderWorkerSet": {"spec": {"leaderWorkerTemplate": {"workerTemplate": template}}, "path": ["spec", "leaderWorkerTemplate", "workerTemplate", "spec"]},
	}
	obj := obj_of(kind, entry.spec)
	of([obj]) == [{"id": sprintf("%s/n/a/%s/0", [kind, concat(".", entry.path)]), "object": obj, "pod": pod, "metadata": template.metadata, "path": entry.path}]
}

test_pod_and_predictor if {
	bare := object.union(obj_of("Pod", pod), {"apiVersion": "v1"})
	of([bare]) == [{"id": "Pod/n/a/spec/0", "object": bare, "pod": pod, "metadata": bare.metadata, "path": ["spec"]}]
	service := obj_of("InferenceService", {"predictor": pod})
	of([service])[0].metadata == {}
	of([service])[0].path == ["spec", "predictor"]
}

test_analysis_job if {
	job := {"name": "b", "provider": {"job": {"spec": {"template": template}}}}
	obj := obj_of("AnalysisTemplate", {"metrics": [{"name": "a", "provider": {"prometheus": {"query": "up"}}}, job]})
	path := ["spec", "metrics", 1, "provider", "job", "spec", "template", "spec"]
	of([obj]) == [{"id": "AnalysisTemplate/n/a/spec.metrics.1.provider.job.spec.template.spec/0", "object": obj, "pod": pod, "metadata": template.metadata, "path": path}]
}

test_objects_without_pods if {
	of([obj_of("Rollout", {"workloadRef": {"kind": "Deployment", "name": "a"}})]) == []
	of([obj_of("Service", {"ports": []}), obj_of("ApplicationSet", {"template": {"spec": {"source": {}}}})]) == []
}

test_containers if {
	obj := obj_of("Deployment", {"template": {"spec": {"containers": [{"name": "a", "resources": {"limits": {"nvidia.com/gpu": 2}}}], "initContainers": [{"name": "b"}]}}})
	entries := workloads.containers with input as {"objects": [obj]}
	[[e.container.name, e.init, e.path, e.gpu_keys] | some e in entries] == [
		["a", false, ["spec", "template", "spec", "containers", 0], ["nvidia.com/gpu"]],
		["b", true, ["spec", "template", "spec", "initContainers", 0], []],
	]
}

limits(values) := {"resources": {"limits": values}}

test_gpu_count if {
	workloads.gpu_count(limits({"nvidia.com/gpu": "2", "memory": "1Gi"})) == 2
	workloads.gpu_count(limits({"nvidia.com/mig-1g.5gb": 1, "nvidia.com/gpu": 2})) == 3
	workloads.gpu_count(limits({"nvidia.com/gpu": "500m"})) == 0
	workloads.gpu_count(limits({"nvidia.com/gpu": 0})) == 0
	workloads.gpu_count({}) == 0
	workloads.gpu_keys(limits({"amd.com/gpu": 1, "nvidia.com/gpu": 0})) == ["amd.com/gpu"]
}

test_gpu_keys_of_the_pool if {
	keys := workloads.gpu_keys(limits({"example.com/card": 1})) with input as {"environment": "dev"}
		with data.environments as {"dev": {"pool": "p"}}
		with data.pools as {"p": {"gpu_resources": ["example.com/card"]}}
	keys == ["example.com/card"]
	workloads.gpu_keys(limits({"example.com/card": 1})) == []
}

test_pod_gpus if {
	two := limits({"nvidia.com/gpu": 2})
	workloads.pod_gpus({"containers": [two, two]}) == 4
	workloads.pod_gpus({"containers": [two], "initContainers": [limits({"nvidia.com/gpu": 4})]}) == 4
	workloads.pod_gpus({"containers": [two], "initContainers": [object.union(two, {"restartPolicy": "Always"})]}) == 4
}

test_gpu_workloads if {
	claiming := obj_of("Deployment", {"template": {"spec": {"containers": [{"name": "a", "resources": {"claims": [{"name": "g"}]}}]}}})
	names := workloads.gpu_workloads with input as {"objects": [claiming, obj_of("Job", {"template": template})]}
	[w.object.kind | some w in names] == ["Deployment"]
	workloads.id(names[0]) == "Deployment/n/a/spec.template.spec/0"
}

test_pod_containers if {
	workloads.pod_containers({"containers": [1], "initContainers": [2]}) == [1, 2]
}

test_two_of_one_name if {
	job := object.remove(obj_of("Job", {"template": template}), ["metadata"])
	bare := object.union(obj_of("Pod", pod), {"apiVersion": "v1"})
	count({w.id | some w in of([job, job])}) == 2
	count({w.id | some w in of([bare, bare])}) == 2
}
