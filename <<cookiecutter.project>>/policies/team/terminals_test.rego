package lockgate.team.terminals_test

import data.lockgate.lib.samples
import data.lockgate.team.terminals
import rego.v1

denied(doc) := results if {
	results := terminals.deny with input as doc
}

test_service_is_silent if denied(samples.prod) == set()

test_team001_open_terminal if {
	every field in ["stdin", "tty"] {
		doc := samples.server_edited(samples.prod, [{"op": "add", "path": [field], "value": true}])
		denied(doc) == {samples.result(
			"TEAM001", samples.deployment_ref, samples.server_path([field]),
			sprintf("container 'vllm' wants no %s, found true", [field]),
		)}
	}
}

test_team001_closed_terminal_is_silent if {
	denied(samples.server_edited(samples.prod, [{"op": "add", "path": ["tty"], "value": false}])) == set()
}
