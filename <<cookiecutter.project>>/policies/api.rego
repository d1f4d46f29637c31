# What the API server and kustomize take: schemas, API versions, fields of kustomizations.
package lockgate.api

import data.lockgate.lib.catalogue
import data.lockgate.lib.objects
import data.lockgate.lib.refs
import data.lockgate.lib.results
import rego.v1

# METADATA
# title: Objects fit the schema of their kind
# description: >-
#   A field that the kind does not know is refused by a strict API server and dropped by another one, without
#   a word: the setting is not there. A value of the wrong type stops the whole sync. An object that stands
#   twice is applied twice, and the last one wins.
# related_resources:
#   - https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation
# custom:
#   id: API001
#   severity: {dev: error, canary: error, prod: error}
#   remediation: >-
#     Write the field as the schema of the kind has it (`kubectl explain KIND.FIELD`), for the version in
#     `versions.kubernetes` of lockgate.yaml; a custom resource's schema comes from `schemas` there.
deny contains result if {
	some fault in input.schema.faults
	fault.wanted != ""
	msg := sprintf("%v wants %v, found %v%v", [place(fault.path), fault.wanted, fault.found, hinted(fault.hint)])
	result := results.finding_at("API001", fault.object, fault.path, msg)
}

deny contains result if {
	some fault in input.schema.faults
	fault.wanted == ""
	msg := sprintf("%v %v has no field %v%v", [fault.object.apiVersion, fault.object.kind, place(fault.path), hinted(fault.hint)])
	result := results.finding_at("API001", fault.object, fault.path, msg)
}

deny contains result if {
	some double in input.kustomize.twice
	msg := sprintf("%v '%v' wants to stand once, found it again at %v", [double.object.kind, double.object.name, double.place])
	result := results.finding_at("API001", double.object, ["metadata", "name"], msg)
}

hinted(hint) := sprintf("; %v", [hint]) if hint != ""

hinted(hint) := "" if hint == ""

# A path as people write it: spec.template.spec.containers[0].image.
place(path) := substring(concat("", [step(part) | some part in path]), 1, -1)

step(part) := sprintf("[%v]", [part]) if is_number(part)

step(part) := sprintf(".%v", [part]) if is_string(part)

# METADATA
# title: Objects use API versions that the cluster serves
# description: >-
#   An API version that Kubernetes has removed is not applied at all; after an upgrade of the cluster the
#   first sync fails. A deprecated one will be next.
# related_resources:
#   - https://kubernetes.io/docs/reference/using-api/deprecation-guide/
# custom:
#   id: API002
#   scope: object
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Write the `apiVersion` that the finding names, and move the fields that it has changed.
deny contains result if {
	some found in dated
	gone := found.entry.removed
	minor(gone) <= minor(target)
	msg := sprintf("%v wants an API of Kubernetes %v, found %v, which %v has removed%v", [found.kind, target, found.api, gone, advice(found.entry)])
	result := results.finding("API002", found.object, ["apiVersion"], msg)
}

deny contains result if {
	some found in dated
	minor(found.entry.deprecated) <= minor(target)
	not removed(found.entry)
	msg := sprintf("%v wants an API that lasts, found %v, deprecated since Kubernetes %v%v", [found.kind, found.api, found.entry.deprecated, advice(found.entry)])
	result := object.union(results.finding("API002", found.object, ["apiVersion"], msg), {"severity": "warning"})
}

# Objects whose API version has a date.
dated := [{"object": obj, "entry": entry, "api": obj.apiVersion, "kind": obj.kind} |
	some obj in objects.all
	is_string(obj.apiVersion)
	is_string(obj.kind)
	key := concat(" ", [obj.apiVersion, obj.kind])
	entry := catalogue.apis.versions[key]
]

removed(entry) if minor(entry.removed) <= minor(target)

# The cluster's version; the newest that is known when nobody says it.
target := data.versions.kubernetes if {
	minor(data.versions.kubernetes)
} else := catalogue.apis.newest

# 36 of "1.36" and of "v1.36.2".
minor(version) := to_number(found[0][1]) if {
	found := regex.find_all_string_submatch_n(`^v?1\.([0-9]{1,3})(?:\.|$)`, version, 1)
}

advice(entry) := sprintf("; use %v", [entry.instead]) if entry.instead

advice(entry) := "; there is no other" if not entry.instead

# METADATA
# title: Kustomizations use fields that last, pinned bases and every file
# description: >-
#   kustomize will drop its deprecated fields. A remote base that follows a branch changes what is synced
#   without a commit here. A manifest that no overlay reaches looks as if it were in force.
# related_resources:
#   - https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/
# custom:
#   id: API003
#   severity: {dev: warning, canary: warning, prod: warning}
#   remediation: >-
#     Rename the field (`kustomize edit fix` does most), add `?ref=` with the 40 hex digits of a commit to the
#     remote base, and name the file in a kustomization, remove it, or list it in `unreferenced` of lockgate.yaml.
deny contains result if {
	some kustomization in input.sources.kustomizations
	some field in kustomization.fields
	instead := catalogue.kustomizations.deprecated[field]
	msg := sprintf("the field %v is deprecated, wanted %v", [field, instead])
	result := results.finding_at("API003", refs.kustomization(kustomization.file), [field], msg)
}

deny contains result if {
	some remote in input.sources.remotes
	not pinned(remote.url)
	msg := sprintf("a remote base wants the 40 hex digits of a commit, found '%v'", [remote.url])
	result := results.finding_at("API003", refs.kustomization(remote.file), remote.path, msg)
}

deny contains result if {
	some file in input.sources.unreferenced
	msg := sprintf("'%v' wants an overlay that reaches it, found none", [file])
	result := results.finding_at("API003", refs.kustomization(file), [], msg)
}

# A commit as git's ref or as a part of the path; a file of a release has no commit.
pinned(url) if regex.match(`[?&](ref|version)=[0-9a-f]{40}(&|$)`, url)

pinned(url) if regex.match(`/[0-9a-f]{40}/`, url)

pinned(url) if contains(url, "/releases/download/")
