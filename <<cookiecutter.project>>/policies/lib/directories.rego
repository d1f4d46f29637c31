# Directories that an engine writes to, and those of them that it surely cannot write.
package lockgate.lib.directories

import data.lockgate.lib.catalogue
import data.lockgate.lib.contract
import data.lockgate.lib.hub
import data.lockgate.lib.quantity
import data.lockgate.lib.security
import data.lockgate.lib.vllm
import rego.v1

# Engines that cannot write everywhere in their image:
# {"engine", "why" in words, "open" directories that need no mount, "user" that the image does not know or -1}.
cases := array.concat(
	[{"engine": engine, "why": "has a read-only root", "open": catalogue.caches.always_writable, "user": -1} |
		some engine in vllm.engines
		security.read_only_root(engine)
	],
	[{"engine": engine, "why": why, "open": catalogue.caches.image_writable, "user": user} |
		some engine in vllm.engines
		not security.read_only_root(engine)
		user := foreign_user(engine)
		why := sprintf("runs as user %v", [user])
	],
)

# A user without an entry in the image's passwd file owns no directory there and has / as its home. Only
# vLLM's own image is known well enough.
foreign_user(engine) := user if {
	contract.plain_image(engine.container.image)
	user := quantity.whole_number(security.effective(engine, "runAsUser"))
	not user in catalogue.caches.image_users
}

# Directories that the engine writes to and cannot: [{"name", "directory", "path"}].
misplaced(case) := [place |
	table := security.mount_table(case.engine)
	some place in array.concat(set_places(case.engine), default_places(case, table))
	not security.writable_in(table, place.directory, case.open)
]

# Directories that the container's own variables name. A hub cache on a claim is the weights', and MDL001's.
set_places(engine) := array.concat(
	named_places(engine, own_directories),
	[place |
		some place in named_places(engine, catalogue.caches.hub)
		not on_claim(engine, place.directory)
	],
)

# Variables of directories that an engine always writes to.
own_directories := array.concat(["HOME"], array.concat(catalogue.caches.temporary, catalogue.caches.variables))

named_places(engine, wanted) := [{"name": variable.name, "directory": directory, "path": array.concat(engine.path, ["env", index, "value"])} |
	some index
	variable := engine.container.env[index]
	variable.name in wanted
	directory := hub.literal(variable)
	startswith(directory, "/")
]

on_claim(engine, directory) if security.mount(engine, directory).volume.persistentVolumeClaim

# What holds when HOME or TMPDIR is not set: home, which a mount may cover, and the directories for temporary files.
default_places(case, table) := array.concat(
	[{"name": "HOME", "directory": "/", "path": array.concat(case.engine.path, ["env", "HOME"])} |
		sure_default(case, table)
		not "HOME" in names(case.engine)
		not home_mounted(case)
	],
	[{"name": "TMPDIR", "directory": catalogue.caches.temporary_defaults[0], "path": array.concat(case.engine.path, ["env", "TMPDIR"])} |
		sure_default(case, table)
		not names_temporary(case.engine)
		not finds_temporary(case, table)
	],
)

# Another image may set the variables itself, and then point them at a mount.
sure_default(case, _) if {
	contract.plain_image(case.engine.container.image)
	not case.engine.container.envFrom
}

sure_default(case, table) if {
	not case.engine.container.envFrom
	count([row | some row in table; row.writable; not row.prefix == "/dev/shm/"]) == 0
}

names_temporary(engine) if {
	some name in catalogue.caches.temporary
	name in names(engine)
}

# Python looks through these, and through the working directory.
finds_temporary(case, table) if {
	some directory in array.concat(catalogue.caches.temporary_defaults, working_directory(case.engine.container))
	security.writable_in(table, directory, case.open)
}

working_directory(container) := [container.workingDir] if {
	is_string(container.workingDir)
} else := []

# Names of the container's variables, whatever sets them.
names(engine) := {variable.name | some variable in object.get(engine.container, "env", [])}

home_mounted(case) if {
	case.user == -1
	some mount in case.engine.container.volumeMounts
	some home in catalogue.caches.homes
	security.below(mount.mountPath, home)
}

# Of a home that is /: its .cache and the like.
home_mounted(case) if {
	some mount in case.engine.container.volumeMounts
	startswith(mount.mountPath, "/.")
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
