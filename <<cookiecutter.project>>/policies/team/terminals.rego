# A rule of the team's own, as an example: copy it, give it the next TEAM id, write its test beside it.
package lockgate.team.terminals

import data.lockgate.lib.results
import data.lockgate.lib.workloads
import rego.v1

# METADATA
# title: Containers hold no terminal open
# description: >-
#   `stdin` and `tty` are left over from debugging. A container with an open standard input waits for a
#   person, and a terminal mixes control characters into the logs.
# custom:
#   id: TEAM001
#   scope: object
#   severity: {dev: note, canary: warning, prod: error}
#   remediation: Remove `stdin` and `tty` from the container, and use `kubectl debug` for a session.
deny contains result if {
	some entry in workloads.containers
	some field in ["stdin", "tty"]
	entry.container[field] == true
	result := results.finding("TEAM001", entry.object, array.concat(entry.path, [field]), sprintf("container '%v' wants no %v, found true", [
		entry.name,
		field,
	]))
}
