package lockgate.resources_test

import data.lockgate.lib.testing
import data.lockgate.resources
import rego.v1

found(doc) := result if {
	found := resources.deny with input as doc
	result := {json.unmarshal(json.marshal(json.remove(one, ["fix"]))) | some one in found} # tests/test_fix.py looks at the fixes
}

disk := {"ephemeral-storage": "16Gi"}

given(limits, requests) := testing.server(testing.prod, {"resources": {"limits": object.union(disk, limits), "requests": object.union(disk, requests)}})

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
	{result | some result in found(testing.server(testing.prod, {"resources": null})); result.id == "RES001"} == {at_server(["resources", "requests", "cpu"], "container \"vllm\" lacks requests.cpu, requests.memory, limits.memory, wanted requests.cpu, requests.memory and limits.memory")}
}

test_res001_memory_request_below_limit if {
	expected := at_server(["resources", "requests", "memory"], "container \"vllm\" requests 4095Mi of memory, wanted the limit 4Gi")
	limit := {"object": testing.server_ref("prod"), "path": testing.container_path(["resources", "limits", "memory"])}
	found(given({"memory": "4Gi"}, {"memory": "4095Mi", "cpu": 1})) == {object.union(expected, {"also": [limit]})}
}

test_res001_init_containers_count if {
	doc := testing.pod_changed(testing.prod, [{"op": "add", "path": ["initContainers"], "value": [{"name": "first"}]}])
	{result.path | some result in found(doc)} == {
		["spec", "template", "spec", "initContainers", 0, "resources", "requests", "cpu"],
		["spec", "template", "spec", "initContainers", 0, "resources", "requests", "ephemeral-storage"],
	}
}

test_res001_silent_on_equal_values_and_no_cpu_limit if {
	found(given({"memory": "4Gi"}, {"memory": "4096Mi", "cpu": "250m"})) == set()
	found(given({"memory": "4Gi"}, {"memory": 4294967296, "cpu": 2})) == set()
}

test_res001_memory_without_a_unit if {
	every value, said in {"64": " bytes", "1048575": " bytes", "512m": " (thousandths of a byte)"} {
		expected := at_server(["resources", "limits", "memory"], sprintf("container \"vllm\" wants a unit of limits.memory such as Gi, found '%v': that is%v", [value, said]))
		request := {"object": testing.server_ref("prod"), "path": testing.container_path(["resources", "requests", "memory"])}
		found(given({"memory": value}, {"memory": value, "cpu": 1})) == {object.union(expected, {"also": [request]})}
		found(given({"memory": value}, {"memory": "64Gi", "cpu": 1})) == {expected}
	}
	found(given({"memory": "64Gi"}, {"memory": 64, "cpu": 1})) == {at_server(["resources", "requests", "memory"], "container \"vllm\" wants a unit of requests.memory such as Gi, found 64: that is bytes")}
}

test_res001_silent_on_memory_that_may_be_meant if {
	every value in [1048576, "1048576", "512Ki", "64M", "0", 0, "64X", "$MEMORY"] {
		found(given({"memory": value}, {"memory": value, "cpu": 1})) == set()
	}
}

test_res001_more_cpus_than_any_node_has if {
	every value in [4000, 2001, 2000.5] {
		found(given({"memory": "4Gi"}, {"memory": "4Gi", "cpu": value})) == {at_server(["resources", "requests", "cpu"], sprintf("container \"vllm\" wants no more CPUs than a node has (2000), found %v of them: 500m is half of one", [value]))}
	}
	found(given({"memory": "4Gi", "cpu": "8Gi"}, {"memory": "4Gi", "cpu": 1})) == {at_server(["resources", "limits", "cpu"], "container \"vllm\" wants no more CPUs than a node has (2000), found '8Gi' of them: 500m is half of one")}
}

test_res001_silent_on_cpus_that_a_node_may_have if {
	every value in [2000, "2000", "2000000m", "4000m", 0.5] {
		found(given({"memory": "4Gi"}, {"memory": "4Gi", "cpu": value})) == set()
	}
}

# RES002

test_res002_without_a_unit if {
	each := {"cpu": 1, "memory": "4Gi", "ephemeral-storage": "16"}
	[found_one] := [one | some one in found(sized(each, each))]
	found_one.msg == "container \"vllm\" wants a unit of limits.ephemeral-storage such as Gi, found '16': that is bytes"
	[found_one.id, found_one.path, found_one.also[0].path] == ["RES002", testing.container_path(["resources", "limits", disk_key]), testing.container_path(["resources", "requests", disk_key])]
}

disk_key := "ephemeral-storage"

test_res002_volume_without_a_unit if {
	every size in ["20", 20, "20m"] {
		doc := testing.pod_changed(testing.prod, [{"op": "add", "path": ["volumes", "-"], "value": {"name": "tmp", "emptyDir": {"sizeLimit": size}}}])
		[[one.id, one.path] | some one in found(doc)] == [["RES002", testing.pod_path(["volumes", 2, "emptyDir", "sizeLimit"])]]
	}
	every size in ["20Mi", "1Ki", "1048576", "20X"] {
		found(testing.pod_changed(testing.prod, [{"op": "add", "path": ["volumes", "-"], "value": {"name": "tmp", "emptyDir": {"sizeLimit": size}}}])) == set()
	}
}

test_res002_leaves_the_workers_shared_memory_to_gpu005 if {
	found(testing.pod_changed(testing.prod, [{"op": "replace", "path": ["volumes", "0"], "value": {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "6"}}}])) == set()
}

lacking(fields) := object.remove({"cpu": 1, "memory": "4Gi", "ephemeral-storage": "16Gi"}, fields)

sized(limits, requests) := testing.server(testing.prod, {"resources": {"limits": object.remove(limits, ["cpu"]), "requests": requests}})

on_disk(field, fields) := object.union(at_server([field, "ephemeral-storage"], sprintf("container 'vllm' lacks %v, wanted requests and limits of ephemeral-storage", [fields])), {"id": "RES002", "path": testing.container_path(["resources", field, "ephemeral-storage"])})

test_res002_each_missing_value if {
	found(sized(lacking([]), lacking(["ephemeral-storage"]))) == {on_disk("requests", "requests.ephemeral-storage")}
	found(sized(lacking(["ephemeral-storage"]), lacking([]))) == {on_disk("limits", "limits.ephemeral-storage")}
	found(sized(lacking(["ephemeral-storage"]), lacking(["ephemeral-storage"]))) == {on_disk("requests", "requests.ephemeral-storage, limits.ephemeral-storage")}
}

limit_range(fields) := {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "disk", "namespace": "chat-prod"}, "spec": {"limits": [fields]}}

test_res002_limit_range_fills_in if {
	bare := sized(lacking(["ephemeral-storage"]), lacking(["ephemeral-storage"]))
	found(testing.plus(bare, [limit_range({"type": "Container", "default": disk})])) == set()
	found(testing.plus(bare, [limit_range({"type": "Container", "defaultRequest": disk})])) == {on_disk("limits", "limits.ephemeral-storage")}
	found(testing.plus(bare, [limit_range({"type": "Pod", "default": disk})])) == {on_disk("requests", "requests.ephemeral-storage, limits.ephemeral-storage")}
	elsewhere := object.union(limit_range({"type": "Container", "default": disk}), {"metadata": {"namespace": "other"}})
	count(found(testing.plus(bare, [elsewhere]))) == 1
}

scratch(source) := testing.pod_changed(testing.prod, [{"op": "add", "path": ["volumes", "-"], "value": object.union({"name": "scratch"}, source)}])

at_volume(index, found_text) := {
	"id": "RES002",
	"msg": sprintf("volume 'scratch' wants a sizeLimit of its emptyDir, found %v", [found_text]),
	"object": testing.server_ref("prod"),
	"path": testing.pod_path(["volumes", index, "emptyDir", "sizeLimit"]),
}

test_res002_volume_without_a_limit if {
	found(scratch({"emptyDir": {}})) == {at_volume(2, "none")}
	found(scratch({"emptyDir": {"medium": "Memory"}})) == {at_volume(2, "none")}
	found(scratch({"emptyDir": {"sizeLimit": "0"}})) == {at_volume(2, "'0'")}
	found(scratch({"emptyDir": {"sizeLimit": 0}})) == {at_volume(2, "0")}
}

test_res002_silent_on_other_volumes if {
	found(scratch({"emptyDir": {"sizeLimit": "1Gi"}})) == set()
	found(scratch({"emptyDir": "1Gi"})) == set()
	found(scratch({"configMap": {"name": "x"}})) == set()
	found(scratch({})) == set()
}

# /dev/shm of an engine on two GPUs is GPU005's, that of one GPU is not.
test_res002_shared_memory if {
	doc := testing.pod_changed(testing.prod, [{"op": "replace", "path": ["volumes", "0", "emptyDir"], "value": {"medium": "Memory"}}])
	found(testing.server(doc, {"args": ["--tensor-parallel-size=2"]})) == set()
	{result.path | some result in found(testing.server(doc, {"args": ["--tensor-parallel-size=1"]}))} == {testing.pod_path(["volumes", 0, "emptyDir", "sizeLimit"])}
}
