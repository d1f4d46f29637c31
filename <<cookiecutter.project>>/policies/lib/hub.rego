# Where an engine's weights come from: the model hub, a directory, a claim.
package lockgate.lib.hub

import data.lockgate.lib.catalogue
import data.lockgate.lib.security
import rego.v1

# A model given as a directory of the container, or by the address of a bucket: no repository of the hub, which
# alone has revisions.
local_model(engine) if startswith(engine.flags.model.value, "/")

local_model(engine) if contains(engine.flags.model.value, "://")

# Do the weights lie on a claim: the model's directory, the download directory or the hub's cache?
weights_from_claim(engine) if {
	some directory in array.concat(flag_directories(engine), cache_directories(engine))
	startswith(directory, "/")
	security.mount(engine, directory).volume.persistentVolumeClaim
}

# The mount of the claim that the weights lie on, as lib/security's `mount` returns it. Undefined when they lie
# elsewhere or only the cluster knows where.
weights_mount(engine) := mount if {
	directory := weights_directory(engine)
	startswith(directory, "/")
	mount := security.mount(engine, directory)
	mount.volume.persistentVolumeClaim
}

# What counts first: a local model, the download directory, the hub's cache, the hub's home.
weights_directory(engine) := engine.flags.model.value if {
	local_model(engine)
} else := engine.flags["download-dir"].value if {
	engine.flags["download-dir"]
} else := literal(chosen[0]) if {
	chosen := [variable |
		some name in catalogue.caches.weights
		some variable in engine.container.env
		variable.name == name
	]
}

flag_directories(engine) := [directory |
	some name in ["model", "download-dir"]
	directory := engine.flags[name].value
	is_string(directory)
]

cache_directories(engine) := [directory |
	some variable in engine.container.env
	variable.name in catalogue.caches.hub
	directory := literal(variable)
]

# The value of a variable that the manifest itself says; undefined for a reference.
literal(variable) := variable.value if {
	is_string(variable.value)
	not contains(variable.value, "$(")
}

# The variable that decides whether the hub is asked: {"name", "index", "value"}; the first of the
# catalogue's that the container has. "value" null for a reference. Undefined when
# none is set.
offline_variable(entry) := found[0] if {
	found := [{"name": name, "index": index, "value": object.get(variable, "value", null)} |
		some name in catalogue.caches.offline
		some index
		variable := entry.container.env[index]
		variable.name == name
	]
}

# Does the container surely not ask the hub?
offline(entry) if is_offline(offline_variable(entry).value)

is_offline(value) if upper(value) in catalogue.caches.offline_values
