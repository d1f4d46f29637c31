package lockgate.storage_test

import data.lockgate.lib.samples
import data.lockgate.storage
import rego.v1

denied(doc) := results if {
	found := storage.deny with input as doc
		with data.storage as {"classes": {"shared-rwx": ["ReadWriteMany"], "local": ["ReadWriteOnce"]}}
	results := {json.unmarshal(json.marshal(json.remove(one, ["fix"]))) | some one in found} # tests/test_fix.py looks at the fixes
}

claim_ref := samples.ref("v1", "PersistentVolumeClaim", "chat-models", "chat-prod")

claim_edited(doc, operations) := samples.edited(doc, "PersistentVolumeClaim", "chat-models", operations)

with_modes(doc, modes) := claim_edited(doc, [{"op": "replace", "path": ["spec", "accessModes"], "value": modes}])

# The server fills the claim by itself.
downloading(doc) := samples.server_edited(doc, [
	{"op": "remove", "path": ["volumeMounts", "1", "readOnly"]},
	{"op": "replace", "path": ["env", "1", "value"], "value": "0"},
])

test_shared_claim_is_silent if denied(samples.prod) == set()

test_pvc001_job_and_server if {
	denied(with_modes(samples.prod, ["ReadWriteOnce"])) == {samples.result(
		"PVC001", claim_ref, ["spec", "accessModes"],
		"a claim that up to 2 pods mount wants ReadWriteMany or ReadOnlyMany, found ['ReadWriteOnce'] (Deployment 'chat' 1, Job 'chat-preload' 1)",
	)}
}

test_pvc001_one_pod_is_silent if {
	alone := samples.without_object(with_modes(samples.prod, ["ReadWriteOnce"]), "Job", "chat-preload")
	denied(downloading(alone)) == set()
}

# A rolling update adds a pod to the one.
test_pvc001_surge if {
	alone := samples.without_object(with_modes(samples.prod, ["ReadWriteOnce"]), "Job", "chat-preload")
	doc := samples.edited(
		downloading(alone),
		"Deployment", "chat", [{"op": "replace", "path": ["spec", "strategy"], "value": {"type": "RollingUpdate"}}],
	)
	denied(doc) == {samples.result(
		"PVC001", claim_ref, ["spec", "accessModes"],
		"a claim that up to 2 pods mount wants ReadWriteMany or ReadOnlyMany, found ['ReadWriteOnce'] (Deployment 'chat' 2)",
	)}
}

test_pvc001_class_without_the_mode if {
	denied(claim_edited(samples.prod, [{"op": "replace", "path": ["spec", "storageClassName"], "value": "local"}])) == {samples.result(
		"PVC001", claim_ref, ["spec", "storageClassName"],
		"a claim that up to 2 pods mount wants a storage class with ReadWriteMany, found 'local' with ['ReadWriteOnce'] (Deployment 'chat' 1, Job 'chat-preload' 1)",
	)}
}

test_pvc001_class_not_listed if {
	denied(claim_edited(samples.prod, [{"op": "replace", "path": ["spec", "storageClassName"], "value": "fast"}])) == {samples.result(
		"PVC001", claim_ref, ["spec", "storageClassName"],
		"a claim that up to 2 pods mount wants a storage class with ReadWriteMany, found 'fast' with [] (Deployment 'chat' 1, Job 'chat-preload' 1)",
	)}
}

test_pvc001_default_class_is_silent if {
	denied(claim_edited(samples.prod, [{"op": "remove", "path": ["spec", "storageClassName"]}])) == set()
	denied(claim_edited(samples.prod, [{"op": "replace", "path": ["spec", "storageClassName"], "value": ""}])) == set()
}

# A kind whose number of pods only its controller knows counts as one.
test_pvc001_unknown_controller if {
	doc := samples.without_object(with_modes(samples.prod, ["ReadWriteOnce"]), "Job", "chat-preload")
	other := samples.edited(downloading(doc), "Deployment", "chat", [{"op": "replace", "path": ["kind"], "value": "ModelServer"}])
	denied(other) == set()
}

test_pvc002_no_job if {
	denied(samples.without_object(samples.prod, "Job", "chat-preload")) == {samples.result(
		"PVC002", claim_ref, ["spec"],
		"claim 'chat-models' wants a writer (a Job with a writable mount, dataSource or volumeName), found read-only mounts in Deployment 'chat'",
	)}
}

test_pvc002_job_reads_only if {
	doc := samples.edited(samples.prod, "Job", "chat-preload", [{"op": "add", "path": ["spec", "template", "spec", "containers", "0", "volumeMounts", "0", "readOnly"], "value": true}])
	denied(doc) == {samples.result(
		"PVC002", samples.job_ref, samples.pod_path(["containers", 0, "volumeMounts", 0, "readOnly"]),
		"claim 'chat-models' wants a writer (a Job with a writable mount, dataSource or volumeName), found read-only mounts in Deployment 'chat', Job 'chat-preload'",
	)}
}

test_pvc002_volume_of_the_job_reads_only if {
	doc := samples.edited(samples.prod, "Job", "chat-preload", [{"op": "add", "path": ["spec", "template", "spec", "volumes", "0", "persistentVolumeClaim", "readOnly"], "value": true}])
	{result.path | some result in denied(doc)} == {samples.pod_path(["volumes", 0, "persistentVolumeClaim", "readOnly"])}
}

test_pvc002_mode_forbids_writing if {
	{result | some result in denied(with_modes(samples.prod, ["ReadOnlyMany"])); result.id == "PVC002"} == {samples.result(
		"PVC002", claim_ref, ["spec", "accessModes"],
		"claim 'chat-models' wants a writer (a Job with a writable mount, dataSource or volumeName), found access mode ReadOnlyMany only",
	)}
}

test_pvc002_filled_otherwise_is_silent if {
	doc := samples.without_object(samples.prod, "Job", "chat-preload")
	every spec in [
		{"field": "dataSource", "value": {"kind": "VolumeSnapshot", "name": "weights"}},
		{"field": "dataSourceRef", "value": {"kind": "VolumeSnapshot", "name": "weights"}},
		{"field": "volumeName", "value": "weights"},
	] {
		denied(claim_edited(doc, [{"op": "add", "path": ["spec", spec.field], "value": spec.value}])) == set()
	}
}

test_pvc002_init_container_writes if {
	doc := samples.pod_edited(samples.without_object(samples.prod, "Job", "chat-preload"), [{
		"op": "add",
		"path": ["initContainers"],
		"value": [{"name": "fetch", "volumeMounts": [{"name": "models", "mountPath": "/models"}]}],
	}])
	denied(doc) == set()
}

test_pvc002_claim_that_nobody_mounts_is_silent if {
	other := samples.object_of("v1", "PersistentVolumeClaim", "spare", "chat-prod", {"spec": {"accessModes": ["ReadWriteOnce"]}})
	denied(samples.with_objects(samples.prod, [other])) == set()
}

test_pvc002_a_part_may_have_its_writer_elsewhere if {
	doc := samples.without_object(samples.prod, "Job", "chat-preload")
	count(denied(doc)) > 0
	denied(object.union(doc, {"partial": true})) == set()
}

# PVC003

writable_server := samples.server_edited(samples.prod, [{"op": "remove", "path": ["volumeMounts", "1", "readOnly"]}])

test_pvc003_server_may_write if {
	denied(writable_server) == {samples.result(
		"PVC003", samples.deployment_ref, samples.server_path(["volumeMounts", 1, "readOnly"]),
		"container 'vllm' wants to mount the weights' claim 'chat-models' with readOnly true, found none",
	)}
	denied(samples.server_edited(samples.prod, [{"op": "replace", "path": ["volumeMounts", "1", "readOnly"], "value": false}])) == {samples.result(
		"PVC003", samples.deployment_ref, samples.server_path(["volumeMounts", 1, "readOnly"]),
		"container 'vllm' wants to mount the weights' claim 'chat-models' with readOnly true, found false",
	)}
}

test_pvc003_volume_is_read_only if {
	denied(samples.pod_edited(writable_server, [{"op": "add", "path": ["volumes", "1", "persistentVolumeClaim", "readOnly"], "value": true}])) == set()
}

# It downloads, or keeps what it compiles, or nobody knows where its weights are.
test_pvc003_server_that_has_to_write if {
	denied(downloading(samples.prod)) == set()
	denied(samples.server_edited(writable_server, [{"op": "replace", "path": ["env", "5", "value"], "value": "/models/triton"}])) == set()
	denied(samples.server_edited(writable_server, [{"op": "replace", "path": ["env", "2"], "value": {"name": "HF_HUB_CACHE", "valueFrom": {"configMapKeyRef": {"name": "x", "key": "y"}}}}])) == set()
}

test_pvc003_local_model if {
	local := samples.with_argument(downloading(samples.prod), "--model=/models/chat")
	{result.path | some result in denied(local)} == {samples.server_path(["volumeMounts", 1, "readOnly"])}
}

sized(storage) := claim_edited(samples.prod, [{"op": "replace", "path": ["spec", "resources", "requests", "storage"], "value": storage}])

model_place := {"object": samples.config_ref, "path": ["data", "serve.yaml", "model"]}

too_small(size) := {object.union(
	samples.result(
		"PVC003", claim_ref, ["spec", "resources", "requests", "storage"],
		sprintf("a claim for 27.5 GiB of weights ('Qwen/Qwen3-14B') wants 120 %% of it, 33.0 GiB or more; found '%s'", [size]),
	),
	{"also": [model_place]},
)}

# 1.2 x 29536614400 bytes are 33.01 GiB.
test_pvc003_claim_below_the_weights if {
	denied(sized("33Gi")) == too_small("33Gi")
	denied(sized("34Gi")) == set()
	denied(sized("35443937279")) == too_small("35443937279")
	denied(sized("35443937280")) == set()
}

test_pvc003_size_without_a_unit if {
	every size, said in {"100": " bytes", "50m": " (thousandths of a byte)"} {
		msg := sprintf("a claim wants a unit of its storage such as Gi, found '%v': that is%v", [size, said])
		denied(sized(size)) == {samples.result("PVC003", claim_ref, ["spec", "resources", "requests", "storage"], msg)}
	}
	unknown := samples.with_config(sized("100"), "model: acme/llm\n")
	[result.path | some result in denied(unknown)] == [["spec", "resources", "requests", "storage"]]
	denied(samples.with_config(sized("1048576"), "model: acme/llm\n")) == set()
	denied(claim_edited(sized("100"), [{"op": "add", "path": ["spec", "volumeName"], "value": "weights"}])) == set()
}

test_pvc003_size_nobody_knows if {
	denied(samples.with_config(sized("1Gi"), "model: acme/llm\n")) == set()
	denied(sized("lots")) == set()
	denied(claim_edited(samples.prod, [{"op": "remove", "path": ["spec", "resources"]}])) == set()
	denied(samples.server_edited(sized("1Gi"), [{"op": "replace", "path": ["env", "2", "value"], "value": "/scratch"}])) == set()
}

test_pvc003_facts_of_the_team if {
	doc := samples.with_config(sized("100Gi"), "model: acme/llm\n")
	found := {result.msg | some result in denied(doc)} with data.models as {"acme/llm": {"weights_bytes": 107374182400}}
	found == {"a claim for 100.0 GiB of weights ('acme/llm') wants 120 % of it, 120.0 GiB or more; found '100Gi'"}
}

test_pvc003_volume_with_a_size_of_its_own if {
	every operation in [
		{"op": "add", "path": ["spec", "volumeName"], "value": "weights"},
		{"op": "replace", "path": ["spec", "storageClassName"], "value": ""},
		{"op": "replace", "path": ["spec", "storageClassName"], "value": "efs-sc"},
	] {
		{result.id | some result in denied(claim_edited(sized("1Gi"), [operation]))} & {"PVC003"} == set()
	}
	class := {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "shared-rwx"}, "provisioner": "efs.csi.aws.com"}
	denied(samples.with_objects(sized("1Gi"), [class])) == set()
	other := object.union(class, {"provisioner": "ebs.csi.aws.com"})
	count(denied(samples.with_objects(sized("1Gi"), [other]))) == 1
}

# Two servers of two models share the claim.
test_pvc003_models_add_up if {
	second := samples.object_of("apps/v1", "Deployment", "small", "chat-prod", {"spec": {
		"strategy": {"type": "Recreate"},
		"template": {"spec": object.union(samples.server_pod, {"containers": [object.union(samples.server, {"args": ["--model=Qwen/Qwen3-0.6B"]})]})},
	}})
	{result.msg | some result in denied(samples.with_objects(sized("33Gi"), [second]))} == {"a claim for 28.6 GiB of weights ('Qwen/Qwen3-0.6B', 'Qwen/Qwen3-14B') wants 120 % of it, 34.3 GiB or more; found '33Gi'"}
}

# PVC004

synced(options) := claim_edited(samples.prod, [{"op": "add", "path": ["metadata", "annotations"], "value": object.union({"argocd.argoproj.io/sync-wave": "0"}, options)}])

test_pvc004_options if {
	wanted := {
		"none": "Prune=false and Delete=false",
		"Prune=false": "Delete=false",
		"Delete=false": "Prune=false",
		"Prune=true,Delete=true": "Prune=false and Delete=false",
	}
	every options, absent in wanted {
		denied(synced(annotation(options))) == {samples.result(
			"PVC004", claim_ref, ["metadata", "annotations", "argocd.argoproj.io/sync-options"],
			sprintf("claim 'chat-models' wants the sync options %s, found %s", [absent, quoted(options)]),
		)}
	}
}

annotation("none") := {}

annotation(options) := {"argocd.argoproj.io/sync-options": options} if options != "none"

quoted("none") := "none"

quoted(options) := sprintf("'%s'", [options]) if options != "none"

test_pvc004_kept_claims_are_silent if {
	every options in ["Prune=false,Delete=false", "Delete=false, Prune=false", "Prune=confirm,Delete=confirm", "ServerSideApply=true,Prune=false,Delete=false"] {
		denied(synced(annotation(options))) == set()
	}
	denied(synced({"helm.sh/resource-policy": "keep"})) == set()
}

# Nothing says that Argo CD is there.
test_pvc004_without_argo_is_silent if denied(samples.prod) == set()

test_pvc004_annotation_of_another_object if {
	doc := samples.edited(samples.prod, "Job", "chat-preload", [{"op": "add", "path": ["metadata", "annotations"], "value": {"argocd.argoproj.io/hook": "Sync"}}])
	{result.id | some result in denied(doc)} == {"PVC004"}
}

test_pvc004_application_of_the_environment if {
	{result.id | some result in denied(object.union(samples.prod, {"applications": [{"name": "chat-prod"}]}))} == {"PVC004"}
	denied(object.union(samples.prod, {"applications": []})) == set()
}

test_pvc004_claim_of_no_engine_is_silent if {
	doc := synced(annotation("Prune=false,Delete=false"))
	other := samples.object_of("v1", "PersistentVolumeClaim", "logs", "chat-prod", {"spec": {"accessModes": ["ReadWriteOnce"]}})
	denied(samples.with_objects(doc, [other])) == set()
}
