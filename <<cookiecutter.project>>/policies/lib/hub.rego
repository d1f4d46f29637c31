# Where an engine's weights come from: the model hub, a directory, a claim.
package lockgate.lib.hub

import data.lockgate.lib.catalogue
import data.lockgate.lib.security
import data.lockgate.lib.vllm
import rego.v1

# A model given as a directory of the container.
local_model(engine) if startswith(engine.flags.model.value, "/")

# Do the weights lie on a claim: the model's directory, the download directory or the hub's cache?
weights_from_claim(engine) if {
	some directory in array.concat(flag_directories(engine), cache_directories(engine))
	startswith(directory, "/")
	security.mount(engine, directory).volume.persistentVolumeClaim
}

flag_directories(engine) := [directory |
	some name in ["model", "download-dir"]
	directory := engine.flags[name].value
	is_string(directory)
]

cache_directories(engine) := [directory |
	values := vllm.literals(engine)
	some name in catalogue.caches.hub
	directory := values[name]
]

# The variable that decides whether the hub is asked: {"name", "index", "value"}; the first of the
# catalogue's that the container has. No "value" when it is not a literal. Undefined when none is set.
offline_variable(entry) := found[0] if {
	found := [object.union({"name": name, "index": index}, literal(variable)) |
		some name in catalogue.caches.offline
		some index
		variable := entry.container.env[index]
		variable.name == name
	]
}

literal(variable) := {"value": variable.value} if {
	is_string(variable.value)
	not contains(variable.value, "$(")
} else := {}

# Does the container surely not ask the hub?
offline(entry) if is_offline(offline_variable(entry).value)

is_offline(value) if upper(value) in catalogue.caches.offline_values
