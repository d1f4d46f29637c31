package lockgate.lib.refs_test

import data.lockgate.lib.refs
import data.lockgate.lib.samples
import rego.v1

labels := {"app": "chat", "tier": "gpu"}

expression(key, operator, values) := {"matchExpressions": [{"key": key, "operator": operator, "values": values}]}

test_empty_selector_selects_all if {
	refs.selects({}, labels)
	refs.selects({}, {})
}

test_labels_must_all_match if {
	refs.selects({"matchLabels": {"app": "chat"}}, labels)
	not refs.selects({"matchLabels": {"app": "chat", "tier": "cpu"}}, labels)
	not refs.selects({"matchLabels": {"zone": "a"}}, labels)
}

test_expressions if {
	refs.selects(expression("app", "In", ["chat", "embed"]), labels)
	not refs.selects(expression("app", "In", ["embed"]), labels)
	refs.selects(expression("app", "NotIn", ["embed"]), labels)
	refs.selects(expression("zone", "NotIn", ["a"]), labels)
	not refs.selects(expression("app", "NotIn", ["chat"]), labels)
	refs.selects(expression("app", "Exists", []), labels)
	not refs.selects(expression("zone", "Exists", []), labels)
	refs.selects(expression("zone", "DoesNotExist", []), labels)
	not refs.selects(expression("app", "DoesNotExist", []), labels)
}

test_both_parts_of_a_selector_count if {
	both := object.union({"matchLabels": {"app": "chat"}}, expression("tier", "In", ["cpu"]))
	not refs.selects(both, labels)
}

test_selected_pods_by_namespace if {
	selector := {"matchLabels": samples.server_labels}
	here := refs.selected("chat-prod", selector) with input as samples.prod
	[refs.pod_text(pod) | some pod in here] == ["Deployment 'chat'"]
	elsewhere := refs.selected("chat-dev", selector) with input as samples.prod
	elsewhere == []
}

test_two_config_maps_of_one_name if {
	doc := samples.with_objects(samples.prod, [samples.object_of("v1", "ConfigMap", "chat-serve", "chat-prod", {"binaryData": {"extra": "AA=="}})])
	known := refs.keys with input as doc
	known.ConfigMap["chat-prod/chat-serve"] == {"serve.yaml", "extra"}
}

test_kustomization_reference if refs.kustomization("base/kustomization.yaml").name == "base/kustomization.yaml"
