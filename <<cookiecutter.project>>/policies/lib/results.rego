# The one shape of a result.
package lockgate.lib.results

import data.lockgate.lib.objects
import data.lockgate.lib.settings
import rego.v1

# A finding on an object of the document.
finding(id, obj, path, msg) := finding_at(id, objects.ref(obj), path, msg)

# A finding on something that is known by its reference only.
finding_at(id, ref, path, msg) := {"id": id, "msg": one_line(msg), "object": ref, "path": path}

# A value that a message quotes may hold line breaks.
one_line(msg) := msg if {
	not contains(msg, "\n")
} else := replace(msg, "\n", " ")

# A finding on lockgate.yaml.
settings_finding(id, path, msg) := finding_at(id, settings.ref, path, msg)

# The same finding with other places that could be the culprit.
with_also(result, places) := object.union(result, {"also": places}) if count(places) > 0

with_also(result, places) := result if count(places) == 0

# The same finding with its one right answer: edits of the object, [{"op", "path", "value"}], that
# `lockgate check --fix` makes where the object is written. op is `set`, `remove` or `append` (to a list).
with_fix(result, edits) := object.union(result, {"fix": edits})

set_to(result, value) := with_fix(result, [{"op": "set", "path": result.path, "value": value}])

removed(result) := with_fix(result, [{"op": "remove", "path": result.path}])

# A place for `also`.
place(obj, path) := {"object": objects.ref(obj), "path": path}

settings_place(path) := {"object": settings.ref, "path": path}
