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

read_only_root(entry) if entry.container.securityContext.readOnlyRootFilesystem == true

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

# Every mount of a container, worked out once for many directories:
# {"length", "prefix": mount path with a slash at its end, "writable": true or false}.
mount_table(entry) := table_of(object.get(entry.container, "volumeMounts", []), open_volumes(object.get(entry.pod, "volumes", [])))

table_of(mounts, open) := [{"length": count(prefix), "prefix": prefix, "writable": able} |
	some found in mounts
	prefix := slashed(found.mountPath)
	able := can_write(found, open)
]

# Names of the volumes that are there and not read-only by themselves.
open_volumes(volumes) := {volume.name | some volume in volumes; not read_only(volume)}

can_write(found, open) if {
	found.name in open
	not object.get(found, "readOnly", false)
} else := false

# Can a directory be written: by the mount of the table that it lies on (the longest mount path counts), else
# as one of the directories `open` that need no mount?
writable_in(table, directory, open) := deepest[1] if {
	path := slashed(directory)
	deepest := max([[candidate.length, candidate.writable] | some candidate in table; startswith(path, candidate.prefix)])
} else if {
	some one in open
	below(directory, one)
} else := false

# Volumes that nothing can be written to, whatever the mount says.
read_only(volume) if {
	some source in ["configMap", "secret", "projected", "downwardAPI", "image"]
	volume[source]
}

read_only(volume) if {
	some source in ["persistentVolumeClaim", "csi", "nfs"]
	volume[source].readOnly
}
