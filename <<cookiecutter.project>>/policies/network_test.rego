package lockgate.network_test

import data.lockgate.lib.samples
import data.lockgate.network
import rego.v1

denied(doc) := results if {
	results := network.deny with input as doc
}

of_policy(id, name, path, msg) := {samples.result(id, samples.policy_ref(name), path, msg)}

policy_edited(name, operations) := samples.edited(samples.prod, "NetworkPolicy", name, operations)

test_closed_service_is_silent if denied(samples.prod) == set()

test_net001_no_default_deny if {
	denied(samples.without_object(samples.prod, "NetworkPolicy", "chat-default-deny")) == of_policy(
		"NET001", "chat-dns", ["spec", "podSelector"],
		"the namespace wants a default deny for Ingress and Egress, found none for Ingress and Egress; open: Deployment 'chat', Job 'chat-preload'",
	)
}

test_net001_no_policy_at_all if {
	doc := object.union(samples.prod, {"objects": [obj | some obj in samples.prod.objects; obj.kind != "NetworkPolicy"]})
	denied(doc) == {samples.result(
		"NET001", samples.deployment_ref, ["metadata", "name"],
		"the namespace wants a default deny for Ingress and Egress, found none for Ingress and Egress; open: Deployment 'chat', Job 'chat-preload'",
	)}
}

test_net001_ingress_only if {
	denied(policy_edited("chat-default-deny", [{"op": "replace", "path": ["spec", "policyTypes"], "value": ["Ingress"]}])) == of_policy(
		"NET001", "chat-default-deny", ["spec", "policyTypes"],
		"the namespace wants a default deny for Ingress and Egress, found none for Egress; open: pods without a policy of their own",
	)
}

# Without policyTypes a policy without rules is for Ingress.
test_net001_default_types if {
	{result.path | some result in denied(policy_edited("chat-default-deny", [{"op": "remove", "path": ["spec", "policyTypes"]}]))} == {["spec", "policyTypes"]}
}

test_net001_deny_with_a_rule if {
	denied(policy_edited("chat-default-deny", [{"op": "add", "path": ["spec", "ingress"], "value": [{"from": [{"podSelector": {}}]}]}])) == of_policy(
		"NET001", "chat-default-deny", ["spec", "ingress"],
		"the namespace wants a default deny for Ingress and Egress, found none for Ingress; open: pods without a policy of their own",
	)
}

test_net001_deny_for_some_pods if {
	doc := policy_edited("chat-default-deny", [{"op": "replace", "path": ["spec", "podSelector"], "value": {"matchLabels": samples.server_labels}}])
	{result.id | some result in denied(doc)} == {"NET001"}
}

# An empty selector may be written as null; one of another type selects nothing.
test_net001_written_selectors if {
	denied(policy_edited("chat-default-deny", [{"op": "replace", "path": ["spec", "podSelector"], "value": null}])) == set()
	{result.object.name | some result in denied(policy_edited("chat-default-deny", [{"op": "replace", "path": ["spec", "podSelector"], "value": "all"}]))} == {"chat-dns"}
}

test_net001_two_policies_deny_together if {
	ns := "chat-prod"
	doc := samples.with_objects(samples.without_object(samples.prod, "NetworkPolicy", "chat-default-deny"), [
		samples.policy(ns, "deny-in", {"podSelector": {}}),
		samples.policy(ns, "deny-out", {"podSelector": {}, "policyTypes": ["Egress"], "egress": []}),
	])
	denied(doc) == set()
}

test_net001_no_pods_is_silent if {
	doc := {"environment": "prod", "objects": [samples.object_of("argoproj.io/v1alpha1", "Application", "chat", "argocd", {"spec": {}})]}
	denied(doc) == set()
}

internet := {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 443, "protocol": "TCP"}]}

test_net002_server if {
	rule := samples.policy("chat-prod", "chat-server", {"podSelector": {"matchLabels": samples.server_labels}, "policyTypes": ["Egress"], "egress": [internet]})
	denied(samples.with_objects(samples.prod, [rule])) == of_policy(
		"NET002", "chat-server", ["spec", "egress", 0, "to", 0, "ipBlock", "cidr"],
		"wants no egress to the internet for Deployment 'chat', found '0.0.0.0/0'",
	)
}

# The default deny that lets everything out is NET002's alone.
test_net002_default_deny_with_a_rule if {
	denied(policy_edited("chat-default-deny", [{"op": "add", "path": ["spec", "egress"], "value": [{}]}])) == of_policy(
		"NET002", "chat-default-deny", ["spec", "egress", 0, "to"],
		"wants no egress to the internet for Deployment 'chat', found a rule without 'to'",
	)
}

test_net002_dns_without_to if {
	denied(policy_edited("chat-dns", [{"op": "remove", "path": ["spec", "egress", "0", "to"]}])) == of_policy(
		"NET002", "chat-dns", ["spec", "egress", 0, "to"],
		"wants no egress to the internet for Deployment 'chat', found a rule without 'to'",
	)
}

test_net002_ipv6_and_later_peer if {
	peers := [{"namespaceSelector": {}}, {"ipBlock": {"cidr": "::/0"}}]
	denied(policy_edited("chat-dns", [{"op": "replace", "path": ["spec", "egress", "0", "to"], "value": peers}])) == of_policy(
		"NET002", "chat-dns", ["spec", "egress", 0, "to", 1, "ipBlock", "cidr"],
		"wants no egress to the internet for Deployment 'chat', found '::/0'",
	)
}

test_net002_narrow_block_is_silent if {
	denied(policy_edited("chat-dns", [{"op": "replace", "path": ["spec", "egress", "0", "to"], "value": [{"ipBlock": {"cidr": "10.0.0.10/32"}}]}])) == set()
}

test_net002_preload_on_every_port if {
	msg := "wants no egress to the internet on every port, found '0.0.0.0/0'"
	path := ["spec", "egress", 0, "to", 0, "ipBlock", "cidr"]
	denied(policy_edited("chat-preload", [{"op": "remove", "path": ["spec", "egress", "0", "ports"]}])) == of_policy("NET002", "chat-preload", path, msg)
	denied(policy_edited("chat-preload", [{"op": "replace", "path": ["spec", "egress", "0", "ports"], "value": [{"protocol": "TCP"}]}])) == of_policy("NET002", "chat-preload", path, msg)
}

# A policy that selects nothing opens nothing.
test_net002_no_pod_is_silent if {
	denied(policy_edited("chat-preload", [{"op": "replace", "path": ["spec", "podSelector"], "value": {"matchLabels": {"app": "gone"}}}])) == set()
}

test_net002_rules_without_the_type_are_silent if {
	denied(policy_edited("chat-preload", [{"op": "replace", "path": ["spec", "policyTypes"], "value": ["Ingress"]}])) == set()
}

test_net003_no_dns_policy if {
	denied(samples.without_object(samples.prod, "NetworkPolicy", "chat-dns")) == of_policy(
		"NET003", "chat-default-deny", ["spec", "egress"],
		"wants egress to port 53 with UDP and TCP for every pod, found no UDP and no TCP",
	)
}

test_net003_one_protocol if {
	[found] := [result | some result in denied(policy_edited("chat-dns", [{"op": "remove", "path": ["spec", "egress", "0", "ports", "1"]}]))]
	{object.remove(found, ["also"])} == of_policy(
		"NET003", "chat-dns", ["spec", "egress", 0, "ports"],
		"wants egress to port 53 with UDP and TCP for every pod, found no TCP",
	)

	# A patch may have changed a field of what is left, or have taken the next one away.
	{array.slice(place.path, 4, 6) | some place in found.also} == {[0, "port"], [0, "protocol"], [1, "port"], [1, "protocol"]}
}

# The protocol of a port is TCP when nothing is said.
test_net003_default_protocol if {
	{result.msg | some result in denied(policy_edited("chat-dns", [{"op": "replace", "path": ["spec", "egress", "0", "ports"], "value": [{"port": 53}]}]))} == {"wants egress to port 53 with UDP and TCP for every pod, found no UDP"}
}

test_net003_other_ways_to_allow_it if {
	every ports in [
		[{"port": "dns", "protocol": "UDP"}, {"port": "dns-tcp", "protocol": "TCP"}],
		[{"protocol": "UDP"}, {"protocol": "TCP"}],
		[{"port": 1, "endPort": 53, "protocol": "UDP"}, {"port": 53, "endPort": 60, "protocol": "TCP"}],
	] {
		denied(policy_edited("chat-dns", [{"op": "replace", "path": ["spec", "egress", "0", "ports"], "value": ports}])) == set()
	}
}

test_net003_ranges_beside_it if {
	every range in [{"port": 54, "endPort": 60, "protocol": "UDP"}, {"port": 1, "endPort": 52, "protocol": "UDP"}, {"port": "http", "protocol": "UDP"}] {
		ports := [range, {"port": 53, "protocol": "TCP"}]
		{result.id | some result in denied(policy_edited("chat-dns", [{"op": "replace", "path": ["spec", "egress", "0", "ports"], "value": ports}]))} == {"NET003"}
	}
}

every_port(peer) := samples.edited(
	policy_edited("chat-dns", [{"op": "remove", "path": ["spec", "egress", "0", "ports"]}]),
	"NetworkPolicy", "chat-dns",
	[{"op": "replace", "path": ["spec", "egress", "0", "to"], "value": [peer]}],
)

test_net003_every_port if {
	every peer in [
		{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "openshift-dns"}}},
		{"namespaceSelector": {}},
		{"ipBlock": {"cidr": "10.0.0.10/32"}},
	] {
		denied(every_port(peer)) == set()
	}
	every peer in [
		{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}},
		{"podSelector": {}},
	] {
		{result.id | some result in denied(every_port(peer))} == {"NET003"}
	}
}

# DNS for the server alone leaves the preload Job without.
test_net003_some_pods if {
	doc := policy_edited("chat-dns", [{"op": "replace", "path": ["spec", "podSelector"], "value": {"matchLabels": samples.server_labels}}])
	denied(doc) == of_policy(
		"NET003", "chat-default-deny", ["spec", "egress"],
		"wants egress to port 53 with UDP and TCP for every pod, found no UDP and no TCP",
	)
}

test_net003_host_network_is_silent if {
	doc := samples.without_object(samples.without_object(samples.prod, "NetworkPolicy", "chat-dns"), "Job", "chat-preload")
	denied(samples.pod_edited(doc, [{"op": "add", "path": ["hostNetwork"], "value": true}])) == set()
}

test_net001_a_part_without_policies_leaves_them_to_others if {
	objects := [obj | some obj in samples.prod.objects; obj.kind != "NetworkPolicy"]
	doc := object.union(samples.prod, {"objects": objects})
	count(denied(doc)) > 0
	denied(object.union(doc, {"partial": true})) == set()
}

test_net001_a_part_with_policies_is_judged if {
	doc := object.union(samples.without_object(samples.prod, "NetworkPolicy", "chat-default-deny"), {"partial": true})
	denied(doc) == denied(samples.without_object(samples.prod, "NetworkPolicy", "chat-default-deny"))
}

test_net001_a_namespace_without_policies_in_a_part_is_silent if {
	other := {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "gateway", "namespace": "gateway"}, "spec": {"containers": [{"name": "gateway"}]}}
	doc := object.union(samples.prod, {"objects": array.concat(samples.prod.objects, [other])})
	count(denied(doc)) == 1
	denied(object.union(doc, {"partial": true})) == set()
}
