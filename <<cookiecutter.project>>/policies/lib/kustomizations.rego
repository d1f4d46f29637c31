# Kustomization files as places of findings. Known to Lockgate's own document only; elsewhere the lists are empty.
package lockgate.lib.kustomizations

import data.lockgate.lib.environment
import data.lockgate.lib.refs
import rego.v1

# Where labels are given to whole builds: entries of files that environments may share, then those of the
# overlay itself, then those of the folders in it.
label_places := [place |
	some depth in [0, 1, 2]
	some entry in label_entries
	entry.depth == depth
	place := {"object": refs.kustomization(entry.file), "path": entry.path}
]

label_entries := [{"file": entry.file, "path": entry.path, "depth": depth} |
	some entry in input.kustomize.entries
	entry.type == "label"
	depth := depth_of(entry.file)
]

depth_of(file) := 1 if {
	folder_of(file) == overlay
} else := 2 if {
	startswith(file, concat("", [overlay, "/"]))
} else := 0

folder_of(file) := concat("/", array.slice(parts, 0, count(parts) - 1)) if {
	parts := split(file, "/")
}

overlay := trim_suffix(environment.settings.overlay, "/")

# The kustomization of the overlay itself; [] when nothing in it is known.
overlay_places(path) := [place |
	some file in overlay_files
	place := {"object": refs.kustomization(file), "path": path}
]

overlay_files := {entry.file |
	some field in ["entries", "generators"]
	some entry in input.kustomize[field]
	folder_of(entry.file) == overlay
}
