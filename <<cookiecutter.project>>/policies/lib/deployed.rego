# Which Application deploys which environment, for the repository as a whole.
package lockgate.lib.deployed

import data.lockgate.lib.objects
import data.lockgate.lib.results
import rego.v1

environment_names := sort(object.keys(object.get(input, ["repository", "environments"], {})))

# Sources whose folder is not there.
strays := [{"application": application, "source": source} |
	some application in input.repository.applications
	some source in application.sources
	source.exists == false
]

# Environments that no Application deploys, where some are covered at all.
lacking := [name |
	some name in environment_names
	count(covered) + count(strays) > 0
	not name in covered
]

covered := {application.environment |
	some application in input.repository.applications
	application.environment != ""
}

# The environments that a stray was meant for: its namespace tells, else those that lack one.
meant(stray) := named if {
	named := named_by_namespace(stray.application)
	count(named) > 0
} else := lacking if {
	count(lacking) > 0
} else := environment_names

named_by_namespace(application) := [name |
	ns := application.spec.destination.namespace
	is_string(ns)
	some name in environment_names
	object.get(data.environments[name], "namespace", "") == ns
]

# The list that lacks an element, else the overlay's line in lockgate.yaml.
missing_place(name) := places[0] if {
	lists := [{"object": ref, "path": path} |
		some application in input.repository.applications
		application.environment != ""
		count(application.element) > 0
		ref := application.object
		path := array.slice(application.element, 0, count(application.element) - 1)
	]
	places := array.concat(lists, [results.settings_place(["environments", name, "overlay"])])
}

path_of(application) := paths[0] if {
	paths := [array.concat(source.field, ["path"]) |
		some source in application.sources
		source.git
		source.path != ""
	]
}

cluster_of(application) := concat("|", [objects.string_at(destination, "server"), objects.string_at(destination, "name")]) if {
	destination := application.spec.destination
} else := ""
