# Kustomizations: no entry without an effect.
package lockgate.kustomize

import data.lockgate.lib.refs
import data.lockgate.lib.results
import rego.v1

# METADATA
# title: Every entry of a kustomization changes something
# description: >-
#   kustomize drops a patch, replacement, image or replica entry that matches nothing, without a word: what
#   its author wanted is not in the output. An entry that matches and changes nothing is left over.
# related_resources:
#   - https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/patches/
# custom:
#   id: KUS001
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Correct the entry's `target` or `name` so that it matches what the build renders, or remove the entry.
deny contains result if {
	some entry in input.kustomize.entries
	fault := fault_of(entry)
	result := results.finding_at("KUS001", refs.kustomization(entry.file), entry.path, sprintf("%v wants to change something in the build, found that it %v", [
		entry.what,
		fault,
	]))
}

fault_of(entry) := "matches nothing" if {
	entry.matched == false
} else := "changes nothing" if {
	entry.matched == true
	entry.changed == false
}
