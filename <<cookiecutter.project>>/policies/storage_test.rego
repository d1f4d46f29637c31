package lockgate.storage_test

import data.lockgate.lib.samples
import data.lockgate.storage
import rego.v1

denied(doc) := results if {
	results := storage.deny with input as doc
		with data.storage as {"classes": {"shared-rwx": ["ReadWriteMany"], "local": ["ReadWriteOnce"]}}
}

claim_ref := samples.ref("v1", "PersistentVolumeClaim", "chat-models", "chat-prod")

claim_edited(doc, operations) := samples.edited(doc, "PersistentVolumeClaim", "chat-models", operations)

with_modes(doc, modes) := claim_edited(doc, [{"op": "replace", "path": ["spec", "accessModes"], "value": modes}])

test_shared_claim_is_silent if denied(samples.prod) == set()

test_pvc001_job_and_server if {
	denied(with_modes(samples.prod, ["ReadWriteOnce"])) == {samples.result(
		"PVC001", claim_ref, ["spec", "accessModes"],
		"a claim that up to 2 pods mount wants ReadWriteMany or ReadOnlyMany, found ['ReadWriteOnce'] (Deployment 'chat' 1, Job 'chat-preload' 1)",
	)}
}

test_pvc001_one_pod_is_silent if {
	alone := samples.without_object(with_modes(samples.prod, ["ReadWriteOnce"]), "Job", "chat-preload")
	denied(samples.server_edited(alone, [{"op": "remove", "path": ["volumeMounts", "1", "readOnly"]}])) == set()
}

# A rolling update adds a pod to the one.
test_pvc001_surge if {
	alone := samples.without_object(with_modes(samples.prod, ["ReadWriteOnce"]), "Job", "chat-preload")
	doc := samples.edited(
		samples.server_edited(alone, [{"op": "remove", "path": ["volumeMounts", "1", "readOnly"]}]),
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
	other := samples.edited(samples.server_edited(doc, [{"op": "remove", "path": ["volumeMounts", "1", "readOnly"]}]), "Deployment", "chat", [{"op": "replace", "path": ["kind"], "value": "ModelServer"}])
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
