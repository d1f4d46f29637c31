# What a container may do to its node, and where it may write.
package lockgate.security

import data.lockgate.lib.catalogue
import data.lockgate.lib.hub
import data.lockgate.lib.results
import data.lockgate.lib.security
import data.lockgate.lib.text
import data.lockgate.lib.vllm
import data.lockgate.lib.workloads
import rego.v1

# METADATA
# title: Containers run without root and without privileges
# description: >-
#   What counts is the effective value: the container's own, else the pod's. Without it an image that
#   runs as root keeps root's powers, and a namespace with the restricted Pod Security standard refuses
#   the pod. Added capabilities need an exemption (IPC_LOCK for RDMA).
# related_resources:
#   - https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
# custom:
#   id: SEC001
#   scope: object
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Set `runAsNonRoot` true and `seccompProfile.type` RuntimeDefault in the pod's `securityContext`; `allowPrivilegeEscalation` false and `capabilities.drop` [ALL] in the container's.
deny contains result if {
	some entry in workloads.containers
	not runs_without_root(entry)
	result := effective_finding(entry, "runAsNonRoot", [], "true")
}

deny contains result if {
	some entry in workloads.containers
	runs_without_root(entry)
	security.effective(entry, "runAsUser") == 0
	result := effective_finding(entry, "runAsUser", [], "a user other than 0")
}

deny contains result if {
	some entry in workloads.containers
	not confined(entry)
	result := effective_finding(entry, "seccompProfile", ["type"], "'RuntimeDefault'")
}

deny contains result if {
	some entry in workloads.containers
	not privileged(entry)
	not escalation_barred(entry)
	result := container_finding("SEC001", entry, "allowPrivilegeEscalation", "allowPrivilegeEscalation false")
}

deny contains result if {
	some entry in workloads.containers
	dropped := object.get(entry.container, ["securityContext", "capabilities", "drop"], [])
	not "ALL" in dropped
	result := results.finding("SEC001", entry.object, array.concat(entry.path, ["securityContext", "capabilities", "drop"]), sprintf("container '%v' wants capabilities.drop ['ALL'], found %v", [
		entry.name,
		text.list(dropped),
	]))
}

deny contains result if {
	some entry in workloads.containers
	some index, capability in entry.container.securityContext.capabilities.add
	result := results.finding("SEC001", entry.object, array.concat(entry.path, ["securityContext", "capabilities", "add", index]), sprintf("container '%v' wants no added capability, found '%v'", [
		entry.name,
		capability,
	]))
}

# Predicates of their own: opa takes a call out of a negated comparison, and then an unset field decides nothing.
runs_without_root(entry) if security.effective(entry, "runAsNonRoot") == true

confined(entry) if security.effective(entry, "seccompProfile").type in {"RuntimeDefault", "Localhost"}

escalation_barred(entry) if entry.container.securityContext.allowPrivilegeEscalation == false

privileged(entry) if entry.container.securityContext.privileged == true

# A fault of a field that pod and container share, at the place that decides it.
effective_finding(entry, field, rest, wanted) := results.finding(
	"SEC001", entry.object, array.concat(path, rest),
	sprintf("%v wants %v %v, found %v", [
		spoken_of(entry, field),
		concat(".", array.concat([field], rest)),
		wanted,
		text.found(object.get(security_context(entry, field), array.concat([field], rest), null)),
	]),
) if {
	path := security.place(entry, field)
}

# The pod's own fault is one finding, however many containers inherit it.
spoken_of(entry, field) := sprintf("container '%v'", [entry.name]) if {
	security.own(entry.container, field) != null
} else := "the pod"

security_context(entry, field) := entry.container.securityContext if {
	security.own(entry.container, field) != null
} else := object.get(entry.pod, "securityContext", {})

# METADATA
# title: Pods stay out of their node
# description: >-
#   A privileged container, a host namespace, a host port or a host path gives a pod the node and every
#   other pod on it. GPUs need none of them: the device plugin hands the devices in.
# related_resources:
#   - https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline
# custom:
#   id: SEC002
#   scope: object
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Remove the field; use a claim or an emptyDir for a hostPath, a Service for a hostPort, an emptyDir of medium Memory at /dev/shm for hostIPC.
deny contains result if {
	some workload in workloads.all
	some field in ["hostNetwork", "hostPID", "hostIPC"]
	workload.pod[field] == true
	result := results.finding("SEC002", workload.object, array.concat(workload.path, [field]), sprintf("the pod wants no %v, found true", [field]))
}

deny contains result if {
	some workload in workloads.all
	some index, volume in workload.pod.volumes
	directory := volume.hostPath
	result := results.finding("SEC002", workload.object, array.concat(workload.path, ["volumes", index, "hostPath"]), sprintf("volume '%v' wants no hostPath, found '%v'", [
		volume.name,
		object.get(directory, "path", ""),
	]))
}

deny contains result if {
	some entry in workloads.containers
	privileged(entry)
	result := container_finding("SEC002", entry, "privileged", "no privileged")
}

deny contains result if {
	some entry in workloads.containers
	some index, port in entry.container.ports
	port.hostPort != 0
	result := results.finding("SEC002", entry.object, array.concat(entry.path, ["ports", index, "hostPort"]), sprintf("container '%v' wants no hostPort, found %v", [
		entry.name,
		port.hostPort,
	]))
}

# METADATA
# title: The root file system is read-only and every cache has a writable mount
# description: >-
#   A read-only root keeps what an intruder or a bug writes out of the image. It holds only as a pair:
#   vLLM writes to HOME, TMPDIR and the compile caches, and with any of them on the read-only root (or on a
#   read-only mount) the engine dies at start.
# custom:
#   id: SEC003
#   scope: object
#   severity: {canary: error, prod: error}
#   remediation: Set `readOnlyRootFilesystem` true, and give HOME, TMPDIR and each cache variable a path on a writable emptyDir of the container.
deny contains result if {
	some entry in workloads.containers
	not read_only_root(entry)
	result := container_finding("SEC003", entry, "readOnlyRootFilesystem", "readOnlyRootFilesystem true")
}

deny contains result if {
	some engine in vllm.engines
	read_only_root(engine)
	found := misplaced(engine)
	count(found) > 0
	result := results.finding("SEC003", engine.object, culprit(engine, found), sprintf("container '%v' has a read-only root and wants a writable mount for %v, found none at %v", [
		engine.name,
		concat(", ", [place.name | some place in found]),
		text.quoted(sort({place.directory | some place in found})),
	]))
}

read_only_root(entry) if entry.container.securityContext.readOnlyRootFilesystem == true

container_finding(id, entry, field, wanted) := results.finding(
	id, entry.object, array.concat(entry.path, ["securityContext", field]),
	sprintf("container '%v' wants %v, found %v", [
		entry.name,
		wanted,
		text.found(object.get(entry.container, ["securityContext", field], null)),
	]),
)

# Directories that the engine writes to and cannot: [{"name", "directory", "path"}].
misplaced(engine) := outside(array.concat(set_places(engine), default_places(engine)), security.mount_table(engine))

outside(places, table) := [place |
	some place in places
	not security.writable_in(table, place.directory)
]

# Directories that the container's own variables name. A hub cache on a claim is the weights', and MDL001's.
set_places(engine) := array.concat(
	named_places(engine, own_directories),
	[place |
		some place in named_places(engine, catalogue.caches.hub)
		not on_claim(engine, place.directory)
	],
)

own_directories := array.concat(["HOME"], array.concat(catalogue.caches.temporary, catalogue.caches.variables))

named_places(engine, wanted) := [{"name": variable.name, "directory": directory, "path": array.concat(engine.path, ["env", index, "value"])} |
	some index
	variable := engine.container.env[index]
	variable.name in wanted
	directory := hub.literal(variable)
	startswith(directory, "/")
]

on_claim(engine, directory) if security.mount(engine, directory).volume.persistentVolumeClaim

# What holds when HOME or TMPDIR is not set: the image's home, which a mount may cover, and /tmp.
default_places(engine) := array.concat(
	[{"name": "HOME", "directory": "/", "path": array.concat(engine.path, ["env", "HOME"])} |
		not "HOME" in names(engine)
		not home_mounted(engine)
		not engine.container.envFrom
	],
	[{"name": "TMPDIR", "directory": catalogue.caches.temporary_default, "path": array.concat(engine.path, ["env", "TMPDIR"])} |
		not engine.container.envFrom
		not names_temporary(engine)
	],
)

names_temporary(engine) if {
	some name in catalogue.caches.temporary
	name in names(engine)
}

names(engine) := {variable.name | some variable in object.get(engine.container, "env", [])}

home_mounted(engine) if {
	some mount in engine.container.volumeMounts
	some home in catalogue.caches.homes
	security.below(mount.mountPath, home)
}

# One directory without a writable mount: its variable. Several: the mount that all lie on, else the mounts.
culprit(engine, found) := found[0].path if {
	count(found) == 1
} else := array.concat(engine.path, ["volumeMounts", min(indexes)]) if {
	indexes := {index |
		some place in found
		index := security.mount(engine, place.directory).index
	}
	count(indexes) == 1
	count([place | some place in found; not security.mount(engine, place.directory)]) == 0
} else := array.concat(engine.path, ["volumeMounts"])
