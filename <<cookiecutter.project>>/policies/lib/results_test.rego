package lockgate.lib.results_test

import data.lockgate.lib.results
import rego.v1

service := {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "n"}}

ref := {"apiVersion": "v1", "kind": "Service", "namespace": "n", "name": "a"}

settings_ref := {"apiVersion": "lockgate", "kind": "Settings", "namespace": "", "name": "lockgate.yaml"}

test_finding if {
	expected := {"id": "X1", "msg": "m", "object": ref, "path": ["spec", 0]}
	results.finding("X1", service, ["spec", 0], "m") == expected
	results.finding_at("X1", ref, ["spec", 0], "m") == expected
}

test_settings if {
	results.settings_finding("X1", ["pools"], "m") == {"id": "X1", "msg": "m", "object": settings_ref, "path": ["pools"]}
	results.settings_place(["pools"]) == {"object": settings_ref, "path": ["pools"]}
}

test_also if {
	found := results.finding("X1", service, [], "m")
	results.with_also(found, []) == found
	results.with_also(found, [results.place(service, ["spec"])]).also == [{"object": ref, "path": ["spec"]}]
}
