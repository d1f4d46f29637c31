package lockgate.links_test

import data.lockgate.lib.samples
import data.lockgate.vllm
import rego.v1

denied(doc) := results if {
	found := vllm.deny with input as doc
	results := {json.unmarshal(json.marshal(json.remove(one, ["fix"]))) | some one in found} # tests/test_fix.py looks at the fixes
}

with_service(name, spec) := samples.with_objects(samples.prod, [samples.object_of("v1", "Service", name, "chat-prod", {"spec": spec})])

links_set(doc, value) := samples.pod_edited(doc, [{"op": "add", "path": ["enableServiceLinks"], "value": value}])

service_place(name) := {"object": samples.ref("v1", "Service", name, "chat-prod"), "path": ["metadata", "name"]}

at_pod(service, variable, found) := object.union(
	samples.result(
		"VLM003", samples.deployment_ref, samples.pod_path(["enableServiceLinks"]),
		sprintf("the pod wants enableServiceLinks false beside Service '%s', whose links set %s; found %s", [service, variable, found]),
	),
	{"also": [service_place(service)]},
)

warned(service, variable) := object.union(at_pod(service, variable, "none"), {"severity": "warning"})

test_vlm003_service_named_vllm if {
	denied(with_service("vllm", {})) == {at_pod("vllm", "VLLM_PORT", "none")}
	denied(links_set(with_service("vllm", {}), true)) == {at_pod("vllm", "VLLM_PORT", "true")}
}

test_vlm003_links_off if {
	denied(links_set(with_service("vllm", {}), false)) == set()
}

# vLLM tells of a variable that it does not know, and goes on.
test_vlm003_unknown_variables_are_a_warning if {
	denied(with_service("vllm-chat", {})) == {warned("vllm-chat", "VLLM_CHAT_PORT")}
}

test_vlm003_other_variables_that_vllm_reads if {
	denied(with_service("vllm-nixl-side-channel", {})) == {at_pod("vllm-nixl-side-channel", "VLLM_NIXL_SIDE_CHANNEL_PORT", "none")}
}

test_vlm003_engine_that_refuses_unknown_variables if {
	doc := samples.with_argument(with_service("vllm-chat", {}), "--fail-on-environ-validation")
	denied(doc) == {at_pod("vllm-chat", "VLLM_CHAT_PORT", "none")}
}

test_vlm003_variable_of_the_container_counts if {
	doc := samples.with_variable(with_service("vllm", {}), {"name": "VLLM_PORT", "value": "9000"})
	{object.get(result, "severity", "error") | some result in denied(doc)} == {"warning"}
}

test_vlm003_names_that_only_look_alike if {
	every name in ["chat", "my-vllm", "vllmx", "vll"] {
		denied(with_service(name, {})) == set()
	}
}

test_vlm003_services_without_links if {
	denied(with_service("vllm", {"clusterIP": "None"})) == set()
	denied(with_service("vllm", {"type": "ExternalName", "externalName": "a.example.com"})) == set()
	denied(samples.with_objects(samples.prod, [samples.object_of("serving.knative.dev/v1", "Service", "vllm", "chat-prod", {"spec": {}})])) == set()
}

test_vlm003_another_namespace_is_silent if {
	denied(samples.with_objects(samples.prod, [samples.object_of("v1", "Service", "vllm", "other", {"spec": {}})])) == set()
}

# The pod that serves is told; one without an engine is not.
test_vlm003_pod_without_an_engine_is_silent if {
	doc := samples.without_object(with_service("vllm", {}), "Deployment", "chat")
	denied(doc) == set()
}

test_vlm003_wrong_type_is_silent if denied(links_set(with_service("vllm", {}), "false")) == set()
