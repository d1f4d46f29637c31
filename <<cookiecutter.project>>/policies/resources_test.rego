package lockgate.resources_test

import data.lockgate.lib.testing
import data.lockgate.resources
import rego.v1

found(doc) := result if {
	result := resources.deny with input as doc
}

given(limits, requests) := testing.server(testing.prod, {"resources": {"limits": limits, "requests": requests}})

at_server(rest, msg) := {"id": "RES001", "msg": msg, "object": testing.server_ref("prod"), "path": testing.container_path(rest)}

test_good_environments if {
	found(testing.prod) == set()
	found(testing.dev) == set()
	found({"repository": {}}) == set()
}

test_res001_each_missing_value if {
	found(given({"memory": "4Gi"}, {"memory": "4Gi"})) == {at_server(["resources", "requests", "cpu"], "container \"vllm\" lacks requests.cpu, wanted requests.cpu, requests.memory and limits.memory")}
	found(given({"memory": "4Gi"}, {"cpu": 1})) == {at_server(["resources", "requests", "memory"], "container \"vllm\" lacks requests.memory, wanted requests.cpu, requests.memory and limits.memory")}
	found(given({}, {"cpu": 1, "memory": "4Gi"})) == {at_server(["resources", "limits", "memory"], "container \"vllm\" lacks limits.memory, wanted requests.cpu, requests.memory and limits.memory")}
}

test_res001_all_missing_is_one_finding if {
	found(testing.server(testing.prod, {"resources": null})) == {at_server(["resources", "requests", "cpu"], "container \"vllm\" lacks requests.cpu, requests.memory, limits.memory, wanted requests.cpu, requests.memory and limits.memory")}
}

test_res001_memory_request_below_limit if {
	expected := at_server(["resources", "requests", "memory"], "container \"vllm\" requests 4095Mi of memory, wanted the limit 4Gi")
	limit := {"object": testing.server_ref("prod"), "path": testing.container_path(["resources", "limits", "memory"])}
	found(given({"memory": "4Gi"}, {"memory": "4095Mi", "cpu": 1})) == {object.union(expected, {"also": [limit]})}
}

test_res001_init_containers_count if {
	doc := testing.pod_changed(testing.prod, [{"op": "add", "path": ["initContainers"], "value": [{"name": "first"}]}])
	{result.path | some result in found(doc)} == {["spec", "template", "spec", "initContainers", 0, "resources", "requests", "cpu"]}
}

test_res001_silent_on_equal_values_and_no_cpu_limit if {
	found(given({"memory": "4Gi"}, {"memory": "4096Mi", "cpu": "250m"})) == set()
	found(given({"memory": "4Gi"}, {"memory": 4294967296, "cpu": 2})) == set()
}
