package lockgate.kustomize_test

import data.lockgate.kustomize
import rego.v1

denied(fields) := results if {
	entry := object.union({"file": "overlays/prod/kustomization.yaml", "path": ["patches", 1], "type": "patch", "what": "patch replicas.yaml"}, fields)
	results := kustomize.deny with input as {"environment": "prod", "objects": [], "kustomize": {"entries": [entry], "generators": []}}
}

found(fault) := {{
	"id": "KUS001",
	"msg": sprintf("patch replicas.yaml wants to change something in the build, found that it %s", [fault]),
	"object": {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "namespace": "", "name": "overlays/prod/kustomization.yaml"},
	"path": ["patches", 1],
}}

test_kus001_matches_nothing if {
	denied({"matched": false, "changed": false}) == found("matches nothing")
	denied({"matched": false, "changed": null}) == found("matches nothing")
}

test_kus001_changes_nothing if denied({"matched": true, "changed": false}) == found("changes nothing")

test_kus001_changes_something_is_silent if denied({"matched": true, "changed": true}) == set()

test_kus001_not_known_is_silent if {
	denied({"matched": true, "changed": null}) == set()
	denied({"matched": null, "changed": null}) == set()
	denied({}) == set()
}

test_kus001_without_kustomize_is_silent if {
	results := kustomize.deny with input as {"environment": "prod", "objects": []}
	results == set()
}
