# /dev/shm of an engine on several GPUs.
package lockgate.lib.shared_memory

import data.lockgate.lib.catalogue
import data.lockgate.lib.quantity
import rego.v1

# The first fault of a server's /dev/shm: {"path", "msg", "also"}, paths from the object on.
problem(server, size) := {
	"path": array.concat(server.path, ["volumeMounts"]),
	"msg": sprintf("container \"%v\" mounts nothing at /dev/shm, wanted an emptyDir with medium Memory and a sizeLimit for tensor-parallel-size %v", [server.name, size]),
	"also": [],
} if {
	count(mounts(server)) == 0
} else := {
	"path": array.concat(server.path, ["volumeMounts", mount.index, "name"]),
	"msg": sprintf("container \"%v\" mounts the volume \"%v\" at /dev/shm, wanted a volume of the pod", [server.name, mount.name]),
	"also": [],
} if {
	mount := mounts(server)[0]
	not volume_of(server, mount.name)
} else := {
	"path": array.concat(volume_path(server, volume), ["emptyDir", "medium"]),
	"msg": sprintf("the volume \"%v\" at /dev/shm is not in memory, wanted emptyDir with medium Memory", [volume.name]),
	"also": [],
} if {
	volume := mounted(server)
	object.get(volume.spec, ["emptyDir", "medium"], "") != "Memory"
	not volume.spec.hostPath
} else := {
	"path": array.concat(volume_path(server, volume), ["emptyDir", "sizeLimit"]),
	"msg": sprintf("the volume \"%v\" at /dev/shm has no sizeLimit, wanted one below limits.memory", [volume.name]),
	"also": [],
} if {
	volume := mounted(server)
	is_object(volume.spec.emptyDir)
	unbounded(volume.spec.emptyDir)
} else := {
	"path": array.concat(volume_path(server, volume), ["emptyDir", "sizeLimit"]),
	"msg": sprintf("the volume \"%v\" at /dev/shm holds %v%v, wanted %v or more for tensor-parallel-size %v", [volume.name, limit, quantity.unit_said(limit), least.text, size]),
	"also": [],
} if {
	volume := mounted(server)
	limit := volume.spec.emptyDir.sizeLimit
	least := catalogue.thresholds.shared_memory
	quantity.bytes(limit) < least.bytes
} else := {
	"path": array.concat(volume_path(server, volume), ["emptyDir", "sizeLimit"]),
	"msg": sprintf("the volume \"%v\" at /dev/shm may grow to %v, wanted less than limits.memory %v of container \"%v\"", [volume.name, volume.spec.emptyDir.sizeLimit, limit, server.name]),
	"also": [array.concat(server.path, ["resources", "limits", "memory"])],
} if {
	volume := mounted(server)
	limit := settled_memory(server.container)
	quantity.bytes(volume.spec.emptyDir.sizeLimit) >= quantity.bytes(limit)
}

# The kubelet reads no limit and a limit of 0 alike.
unbounded(source) if object.get(source, "sizeLimit", null) in {null, 0, "0"}

# The memory limit, where request and limit do not contradict each other, and are no slip (RES001).
settled_memory(container) := limit if {
	limit := container.resources.limits.memory
	request := object.get(container, ["resources", "requests", "memory"], limit)
	quantity.bytes(request) == quantity.bytes(limit)
	not quantity.without_unit(limit)
}

mounts(server) := [{"index": i, "name": mount.name} |
	list := object.get(server.container, "volumeMounts", [])
	some i
	mount := list[i]
	trim_suffix(mount.mountPath, "/") == "/dev/shm"
]

mounted(server) := volume_of(server, mounts(server)[0].name)

volume_of(server, name) := found[0] if {
	list := object.get(server.pod, "volumes", [])
	found := [{"index": i, "name": name, "spec": volume} |
		some i
		volume := list[i]
		volume.name == name
	]
}

volume_path(server, volume) := array.concat(server.workload.path, ["volumes", volume.index])
