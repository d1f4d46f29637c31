package lockgate.combine_test

import data.lockgate.combine
import rego.v1

test_one_object_alone if {
	result := combine.violation with input as {"apiVersion": "v1", "kind": "Service"}
	result == {{"msg": "run conftest with --combine: the rules compare the objects of an environment with each other"}}
}

test_silent_on_documents_that_hold_objects if {
	combined := combine.violation with input as [{"path": "-", "contents": {"kind": "Service"}}]
	combined == set()
	document := combine.violation with input as {"environment": "dev", "objects": []}
	document == set()
}
