# What a container may do to its node, and what its namespace refuses.
package lockgate.security

import data.lockgate.lib.objects
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
	found := effective_finding(entry, "runAsNonRoot", [], "true")
	result := other_user_answer(entry, found)
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
	found := effective_finding(entry, "seccompProfile", ["type"], "'RuntimeDefault'")
	result := results.set_to(found, "RuntimeDefault")
}

deny contains result if {
	some entry in workloads.containers
	not privileged(entry)
	not escalation_barred(entry)
	found := container_finding("SEC001", entry, "allowPrivilegeEscalation", "allowPrivilegeEscalation false")
	result := results.set_to(found, false)
}

deny contains result if {
	some entry in workloads.containers
	dropped := object.get(entry.container, ["securityContext", "capabilities", "drop"], [])
	not "ALL" in dropped
	found := results.finding("SEC001", entry.object, array.concat(entry.path, ["securityContext", "capabilities", "drop"]), sprintf("container '%v' wants capabilities.drop ['ALL'], found %v", [
		entry.name,
		text.list(dropped),
	]))
	result := results.with_fix(found, [{"op": "append", "path": found.path, "value": "ALL"}])
}

deny contains result if {
	some entry in workloads.containers
	some index, capability in entry.container.securityContext.capabilities.add
	result := results.finding("SEC001", entry.object, array.concat(entry.path, ["securityContext", "capabilities", "add", index]), sprintf("container '%v' wants no added capability, found '%v'", [
		entry.name,
		capability,
	]))
}

# Only where the user is another one than root for sure: else the pod would be refused at its start.
other_user_answer(entry, found) := results.set_to(found, true) if {
	user := security.effective(entry, "runAsUser")
	is_number(user)
	user > 0
} else := found

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
	found := results.finding("SEC002", workload.object, array.concat(workload.path, [field]), sprintf("the pod wants no %v, found true", [field]))
	result := results.removed(found)
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
	result := results.removed(container_finding("SEC002", entry, "privileged", "no privileged"))
}

deny contains result if {
	some entry in workloads.containers
	some index, port in entry.container.ports
	port.hostPort != 0
	found := results.finding("SEC002", entry.object, array.concat(entry.path, ["ports", index, "hostPort"]), sprintf("container '%v' wants no hostPort, found %v", [
		entry.name,
		port.hostPort,
	]))
	result := results.removed(found)
}

# METADATA
# title: The root file system is read-only
# description: >-
#   A read-only root keeps what an intruder or a bug writes out of the image. It needs its pair: directories on
#   writable mounts for whatever the container still writes. An engine's are VLM004's.
# custom:
#   id: SEC003
#   scope: object
#   severity: {canary: error, prod: error}
#   remediation: Set `readOnlyRootFilesystem` true in the container's `securityContext`, and mount an emptyDir where it writes.
deny contains result if {
	some entry in workloads.containers
	not security.read_only_root(entry)
	found := container_finding("SEC003", entry, "readOnlyRootFilesystem", "readOnlyRootFilesystem true")
	result := read_only_answer(entry, found)
}

# Where an engine writes is known, and VLM004's; what another container writes is not.
read_only_answer(entry, found) := results.set_to(found, true) if {
	some engine in vllm.engines
	engine.workload.id == entry.workload.id
	engine.path == entry.path
} else := found

container_finding(id, entry, field, wanted) := results.finding(
	id, entry.object, array.concat(entry.path, ["securityContext", field]),
	sprintf("container '%v' wants %v, found %v", [
		entry.name,
		wanted,
		text.found(object.get(entry.container, ["securityContext", field], null)),
	]),
)

# METADATA
# title: The namespace enforces the restricted Pod Security standard
# description: >-
#   The label makes the cluster itself refuse a pod that runs as root or reaches for its node, whoever makes it. The
#   version belongs to it: with `latest`, or none, an upgrade of the cluster changes what is refused. Looked at are
#   Namespaces that the build renders and puts objects into.
# related_resources:
#   - https://kubernetes.io/docs/concepts/security/pod-security-admission/
# custom:
#   id: SEC004
#   severity: {canary: error, prod: error}
#   remediation: Set the Namespace's labels `pod-security.kubernetes.io/enforce` to restricted and `pod-security.kubernetes.io/enforce-version` to the cluster's version, such as v1.36.
deny contains result if {
	some obj in objects.of_kind("Namespace")
	objects.name(obj) in used_namespaces
	faults := array.concat(enforce_faults(obj), version_faults(obj))
	count(faults) > 0
	result := results.finding("SEC004", obj, ["metadata", "labels", faults[0].label], sprintf("namespace '%v' wants %v", [
		objects.name(obj),
		concat(" and ", [fault.text | some fault in faults]),
	]))
}

used_namespaces := {objects.namespace(obj) | some obj in objects.all}

enforce := "pod-security.kubernetes.io/enforce"

enforce_version := "pod-security.kubernetes.io/enforce-version"

enforce_faults(obj) := [{"label": enforce, "text": words} |
	level := label_of(obj, enforce)
	level != "restricted"
	words := sprintf("%v 'restricted', found %v", [enforce, spoken(level)])
]

version_faults(obj) := [{"label": enforce_version, "text": words} |
	version := label_of(obj, enforce_version)
	not regex.match(`^v[1-9][0-9]*\.[0-9]+$`, version)
	words := sprintf("%v a version such as 'v1.36', found %v", [enforce_version, spoken(version)])
]

# A label's text, "" for none.
label_of(obj, label) := value if {
	value := obj.metadata.labels[label]
	is_string(value)
} else := ""

spoken("") := "none"

spoken(value) := text.found(value) if value != ""
