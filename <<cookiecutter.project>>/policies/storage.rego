# Claims: enough access and room for every pod that mounts them, someone who fills them, and nobody who throws
# them away.
package lockgate.storage

import data.lockgate.lib.catalogue
import data.lockgate.lib.directories
import data.lockgate.lib.environment
import data.lockgate.lib.hub
import data.lockgate.lib.model
import data.lockgate.lib.objects
import data.lockgate.lib.quantity
import data.lockgate.lib.refs
import data.lockgate.lib.results
import data.lockgate.lib.scaling
import data.lockgate.lib.security
import data.lockgate.lib.strategies
import data.lockgate.lib.text
import data.lockgate.lib.vllm
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

# METADATA
# title: The weights' claim is only read, and large enough
# description: >-
#   A server that can write to the model cache can spoil it for every other one. A claim that just holds the weights
#   has no room for the partial files of a download, nor for a second revision at a rollback: wanted are 1.2 x the
#   published weights of all models on it, by policies/data/models.json and `models` of lockgate.yaml. Silent: a
#   server that downloads by itself or keeps its caches on the claim; models without facts; claims whose volume has
#   its own size (`volumeName`, an empty class, a file system without limits).
# custom:
#   id: PVC003
#   severity: {dev: warning, canary: warning, prod: warning}
#   remediation: Set `readOnly` true in the server's volumeMount of the claim; set the claim's `resources.requests.storage` to 1.2 x the weights or more.
deny contains result if {
	some server in vllm.servers
	only_reads(server)
	mount := hub.weights_mount(server)
	not mount.mount.readOnly == true
	not mount.volume.persistentVolumeClaim.readOnly == true
	not caches_on(server, mount)
	found := results.finding("PVC003", server.object, array.concat(server.path, ["volumeMounts", mount.index, "readOnly"]), sprintf("container '%v' wants to mount the weights' claim '%v' with readOnly true, found %v", [
		server.name,
		objects.string_at(mount.volume.persistentVolumeClaim, "claimName"),
		text.found(object.get(mount.mount, "readOnly", null)),
	]))
	result := results.set_to(found, true)
}

deny contains result if {
	some claim in objects.of_kind("PersistentVolumeClaim")
	sized_by_claim(claim)
	stored := stored_on(claim)
	count(stored) > 0
	weights := sum([bytes | some entry in stored; bytes := entry.bytes])
	asked := object.get(claim, ["spec", "resources", "requests", "storage"], null)
	not quantity.without_unit(asked)
	quantity.bytes(asked) * 100 < weights * catalogue.thresholds.cache_percent
	found := results.finding("PVC003", claim, ["spec", "resources", "requests", "storage"], sprintf("a claim for %v GiB of weights ('%v') wants %v %% of it, %v GiB or more; found %v", [
		model.tenths(weights),
		concat("', '", [entry.model | some entry in stored]),
		catalogue.thresholds.cache_percent,
		model.tenths(ceil((weights * catalogue.thresholds.cache_percent) / 100)),
		text.found(asked),
	]))
	result := results.with_also(found, [entry.place | some entry in stored])
}

deny contains result if {
	some claim in objects.of_kind("PersistentVolumeClaim")
	sized_by_claim(claim)
	asked := claim.spec.resources.requests.storage
	quantity.without_unit(asked)
	result := results.finding("PVC003", claim, ["spec", "resources", "requests", "storage"], sprintf("a claim wants a unit of its storage such as Gi, found %v: that is%v", [
		text.found(asked),
		quantity.unit_said(asked),
	]))
}

# The server asks no hub, so somebody else fills the claim.
only_reads(server) if hub.offline(server)

only_reads(server) if hub.local_model(server)

# Does the server write anything else to the same mount?
caches_on(server, mount) if {
	some place in directories.set_places(server)
	not place.name in catalogue.caches.hub
	security.mount(server, place.directory).index == mount.index
}

sized_by_claim(claim) if {
	not claim.spec.volumeName
	class := object.get(claim, ["spec", "storageClassName"], null)
	class != ""
	not class in catalogue.volumes.elastic_classes
	not class in elastic_classes
}

# Classes of the build whose volumes grow as they are filled.
elastic_classes := {objects.name(obj) |
	some obj in objects.of_kind("StorageClass")
	obj.provisioner in catalogue.volumes.elastic_provisioners
}

# Models whose weights lie on a claim, each once: {"model", "bytes", "place" of its name}.
stored_on(claim) := [entries[0] |
	all_entries := [entry |
		some server in vllm.servers
		objects.namespace(server.object) == objects.namespace(claim)
		mount := hub.weights_mount(server)
		mount.volume.persistentVolumeClaim.claimName == objects.name(claim)
		bytes := model.weights_bytes(server)
		place := results.place(server.flags.model.object, server.flags.model.path)
		entry := {"model": server.flags.model.value, "bytes": bytes, "place": place}
	]
	some name in {entry.model | some entry in all_entries}
	entries := [entry | some entry in all_entries; entry.model == name]
]

# METADATA
# title: Argo CD neither prunes nor deletes the model cache
# description: >-
#   A claim that leaves the build, by a new name or a mistake, is pruned at the next sync, and one whose Application is
#   deleted goes with it: the weights are gone and every start waits for a download of an hour. Looked at are claims
#   that an engine mounts, in builds that Argo CD surely syncs: the repository
#   has an Application of it, or some object an annotation for Argo CD.
# related_resources:
#   - https://argo-cd.readthedocs.io/en/stable/user-guide/sync-options/
# custom:
#   id: PVC004
#   severity: {canary: error, prod: error}
#   remediation: "Annotate the claim with `argocd.argoproj.io/sync-options: Prune=false,Delete=false`."
deny contains result if {
	synced_by_argo
	some claim in objects.of_kind("PersistentVolumeClaim")
	refs.key_of(objects.namespace(claim), objects.name(claim)) in engine_claims
	not kept_by_helm(claim)
	options := sync_options(claim)
	absent := [concat("", [option, "=false"]) |
		some option in ["Prune", "Delete"]
		not kept(options, option)
	]
	count(absent) > 0
	found := results.finding("PVC004", claim, ["metadata", "annotations", options_annotation], sprintf("claim '%v' wants the sync options %v, found %v", [
		objects.name(claim),
		concat(" and ", absent),
		text.found(object.get(claim, ["metadata", "annotations", options_annotation], null)),
	]))
	result := results.set_to(found, concat(",", array.concat(kept_options(options), absent)))
}

options_annotation := "argocd.argoproj.io/sync-options"

synced_by_argo if count(input.applications) > 0

synced_by_argo if {
	some obj in objects.all
	some annotation, _ in obj.metadata.annotations
	startswith(annotation, "argocd.argoproj.io/")
}

engine_claims := {refs.key_of(objects.namespace(engine.object), name) |
	some engine in vllm.engines
	some mounted in engine.container.volumeMounts
	some volume in engine.pod.volumes
	volume.name == mounted.name
	name := volume.persistentVolumeClaim.claimName
	is_string(name)
}

sync_options(claim) := [trim_space(option) | some option in split(said, ",")] if {
	said := claim.metadata.annotations[options_annotation]
	is_string(said)
} else := []

# The options without those that a claim must not have.
kept_options(options) := [option |
	some option in options
	not option in {"Prune=true", "Delete=true"}
]

# `confirm` waits for a person.
kept(options, option) if {
	some value in ["false", "confirm"]
	concat("=", [option, value]) in options
}

# Argo CD heeds Helm's own word for it.
kept_by_helm(claim) if claim.metadata.annotations["helm.sh/resource-policy"] == "keep"
