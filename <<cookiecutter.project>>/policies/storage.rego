# Claims: enough access for every pod that mounts them, and someone who fills them.
package lockgate.storage

import data.lockgate.lib.environment
import data.lockgate.lib.objects
import data.lockgate.lib.refs
import data.lockgate.lib.results
import data.lockgate.lib.scaling
import data.lockgate.lib.strategies
import data.lockgate.lib.text
import data.lockgate.lib.workloads
import rego.v1

shared_modes := {"ReadWriteMany", "ReadOnlyMany"}

# METADATA
# title: A claim that several pods mount is shared
# description: >-
#   ReadWriteOnce ties a claim to one node. The second replica, the pod of a rolling update or the preload
#   Job beside the server then waits in ContainerCreating for ever. The storage class has to offer the mode.
# related_resources:
#   - https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes
# custom:
#   id: PVC001
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Set `accessModes` to [ReadWriteMany] and a `storageClassName` that lockgate.yaml lists under `storage.classes` with that mode.
deny contains result if {
	some claim in shared_claims
	modes := object.get(claim.object, ["spec", "accessModes"], [])
	not shared(modes)
	result := results.finding("PVC001", claim.object, ["spec", "accessModes"], sprintf("a claim that up to %v pods mount wants ReadWriteMany or ReadOnlyMany, found %v (%v)", [
		claim.pods,
		text.list(modes),
		claim.terms,
	]))
}

deny contains result if {
	classes := data.storage.classes
	count(classes) > 0
	some claim in shared_claims
	modes := object.get(claim.object, ["spec", "accessModes"], [])
	shared(modes)
	class := claim.object.spec.storageClassName
	class != ""
	some mode in [refused | some refused in modes; not refused in object.get(classes, class, [])]
	result := results.finding("PVC001", claim.object, ["spec", "storageClassName"], sprintf("a claim that up to %v pods mount wants a storage class with %v, found '%v' with %v (%v)", [
		claim.pods,
		mode,
		class,
		text.list(object.get(classes, class, [])),
		claim.terms,
	]))
}

shared(modes) if {
	some mode in modes
	mode in shared_modes
}

# Claims that more than one pod mounts at the worst moment: {"object", "pods", "terms"}.
shared_claims := [{"object": claim, "pods": total, "terms": terms} |
	some claim in objects.of_kind("PersistentVolumeClaim")
	users := users_of(claim)
	total := sum([user.pods | some user in users])
	total > 1
	terms := concat(", ", [sprintf("%v %v", [refs.pod_text(user.pod), user.pods]) | some user in users])
]

# Who mounts a claim, and with how many pods at once. A number that only the cluster knows counts as one.
users_of(claim) := [{"pod": pod, "pods": peak_pods(workloads.all[pod.index])} |
	some pod in mounting
	refs.key_of(objects.namespace(claim), objects.name(claim)) in pod.claims
]

# The pods that mount claims: an entry of refs.pods with "claims", keys of the claims.
mounting := [object.union(pod, {"claims": claims}) |
	some pod in refs.pods
	claims := {refs.key_of(pod.namespace, volume.persistentVolumeClaim.claimName) |
		some volume in workloads.all[pod.index].pod.volumes
	}
	count(claims) > 0
]

peak_pods(workload) := strategies.peak(controller, scaling.base_count(controller).count).pods if {
	controller := scaling.controller_of(workload)
} else := 1

# METADATA
# title: A claim that is only read has a writer
# description: >-
#   A fresh claim is empty. When every pod mounts it read-only, nothing ever puts the weights there, and an
#   offline server finds no model at start.
# custom:
#   id: PVC002
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Let a preload Job mount the claim without `readOnly`, or fill it by `dataSource` or a `volumeName`.
deny contains result if {
	not environment.partial
	some claim in objects.of_kind("PersistentVolumeClaim")
	not filled(claim)
	all_mounts := mounts_of(claim)
	count(all_mounts) > 0
	not writer(claim, all_mounts)
	place := blame(claim, all_mounts)
	result := results.finding_at("PVC002", place.ref, place.path, sprintf("claim '%v' wants a writer (a Job with a writable mount, dataSource or volumeName), found %v", [
		objects.name(claim),
		readers_text(claim, all_mounts),
	]))
}

filled(claim) if claim.spec.dataSource

filled(claim) if claim.spec.dataSourceRef

filled(claim) if claim.spec.volumeName

writer(claim, all_mounts) if {
	object.get(claim, ["spec", "accessModes"], []) != ["ReadOnlyMany"]
	some mount in all_mounts
	not mount.read_only
}

# Mounts of a claim by all containers: {"pod": entry of refs.pods, "read_only", "path" of what makes it so}.
mounts_of(claim) := [mount |
	key := refs.key_of(objects.namespace(claim), objects.name(claim))
	some pod in mounting
	key in pod.claims
	workload := workloads.all[pod.index]
	some index
	volume := workload.pod.volumes[index]
	volume.persistentVolumeClaim.claimName == objects.name(claim)
	some field in ["containers", "initContainers"]
	some position
	container := workload.pod[field][position]
	some number
	mounted := container.volumeMounts[number]
	mounted.name == volume.name
	mount := access(
		pod, volume, mounted,
		array.concat(workload.path, ["volumes", index, "persistentVolumeClaim", "readOnly"]),
		array.concat(workload.path, [field, position, "volumeMounts", number, "readOnly"]),
	)
]

access(pod, volume, mounted, volume_path, mount_path) := {"pod": pod, "read_only": true, "path": volume_path} if {
	volume.persistentVolumeClaim.readOnly == true
} else := {"pod": pod, "read_only": true, "path": mount_path} if {
	mounted.readOnly == true
} else := {"pod": pod, "read_only": false, "path": mount_path}

# A Job that mounts the claim was meant to write; else the claim itself lacks a writer.
blame(claim, all_mounts) := places[0] if {
	jobs := [{"ref": mount.pod.ref, "path": mount.path} |
		some mount in all_mounts
		mount.read_only
		mount.pod.kind in {"Job", "CronJob"}
	]
	own := objects.ref(claim)
	modes := [spot |
		some mount in all_mounts
		not mount.read_only
		spot := {"ref": own, "path": ["spec", "accessModes"]}
	]
	places := array.concat(array.concat(modes, jobs), [{"ref": own, "path": ["spec"]}])
}

readers_text(claim, all_mounts) := "access mode ReadOnlyMany only" if {
	object.get(claim, ["spec", "accessModes"], []) == ["ReadOnlyMany"]
} else := sprintf("read-only mounts in %v", [concat(", ", sort({refs.pod_text(mount.pod) | some mount in all_mounts}))])
