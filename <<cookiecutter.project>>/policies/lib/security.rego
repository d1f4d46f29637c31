# Effective security context of a container, and what its mounts let it write.
# `entry` is one of lib/workloads' containers.
package lockgate.lib.security

import rego.v1

# The value that holds for the container: its own, else the pod's. Undefined when neither is set.
effective(entry, field) := value if {
	value := own(entry.container, field)
} else := own(entry.pod, field)

own(holder, field) := value if {
	value := holder.securityContext[field]
	value != null
}

# Path of the place that decides the field.
place(entry, field) := array.concat(entry.path, ["securityContext", field]) if {
	own(entry.container, field) != null
} else := array.concat(entry.workload.path, ["securityContext", field])

# The mount that a directory of the container lies on (the longest mount path above it), with
# its volume: {"index", "mount", "volume"}. Undefined for a directory of the image.
# One loop for each function: the embedded engine may run a second loop around the first.
mount(entry, directory) := mount_at(entry, max(covering(entry.container, directory))[1])

covering(container, directory) := [[count(trim_right(candidate.mountPath, "/")), position] |
	some position
	candidate := container.volumeMounts[position]
	below(directory, candidate.mountPath)
]

mount_at(entry, index) := {
	"index": index,
	"mount": entry.container.volumeMounts[index],
	"volume": volumes_named(entry.pod, entry.container.volumeMounts[index].name)[0],
}

volumes_named(pod, name) := [volume |
	some volume in pod.volumes
	volume.name == name
]

# Is the path the directory itself, or in it?
below(path, directory) if startswith(slashed(path), slashed(directory))

slashed(path) := concat("", [trim_right(path, "/"), "/"])

# Can the container write on the mount? Volumes made from objects are read-only whatever the mount says.
writable(found) if {
	not object.get(found.mount, "readOnly", false)
	not read_only(found.volume)
}

read_only(volume) if {
	some source in ["configMap", "secret", "projected", "downwardAPI", "image"]
	volume[source]
}

read_only(volume) if {
	some source in ["persistentVolumeClaim", "csi", "nfs"]
	volume[source].readOnly
}
