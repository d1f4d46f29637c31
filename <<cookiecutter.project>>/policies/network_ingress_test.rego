# NET004: who may ask a pod.
package lockgate.network_ingress_test

import data.lockgate.lib.samples
import data.lockgate.network
import rego.v1

denied(doc) := results if {
	results := network.deny with input as doc
}

gateway := {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateway-system"}}}

server_policy(ingress) := samples.policy("chat-prod", "chat-server", {
	"podSelector": {"matchLabels": samples.server_labels},
	"policyTypes": ["Ingress"],
	"ingress": ingress,
})

letting_in(ingress) := samples.with_objects(samples.prod, [server_policy(ingress)])

from_peer(peer) := letting_in([{"from": [gateway, peer], "ports": [{"port": "http"}]}])

at_port(ports) := letting_in([{"from": [gateway], "ports": ports}])

of_policy(path, msg) := {samples.result("NET004", samples.policy_ref("chat-server"), array.concat(["spec", "ingress", 0], path), msg)}

test_net004_named_peers_are_silent if {
	denied(letting_in([{"from": [gateway], "ports": [{"port": "http"}]}])) == set()
	denied(letting_in([{"from": [gateway]}])) == set()
	denied(letting_in([])) == set()
}

test_net004_no_from if {
	denied(letting_in([{}])) == of_policy(["from"], "ingress wants named peers, found a rule without 'from'")
	denied(letting_in([{"from": [], "ports": [{"port": "http"}]}])) == of_policy(["from"], "ingress wants named peers, found a rule without 'from'")
}

test_net004_empty_peer if denied(from_peer({})) == of_policy(["from", 1], "ingress wants named peers, found an empty peer")

test_net004_every_namespace if {
	every peer in [{"namespaceSelector": {}}, {"namespaceSelector": {"matchLabels": {}}}, {"namespaceSelector": {}, "podSelector": {}}] {
		denied(from_peer(peer)) == of_policy(["from", 1, "namespaceSelector"], "ingress wants named peers, found every namespace")
	}
}

test_net004_peers_that_name_someone if {
	every peer in [
		{"podSelector": {}},
		{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "gateway"}}},
		{"namespaceSelector": {"matchExpressions": [{"key": "gateway", "operator": "Exists"}]}},
		{"ipBlock": {"cidr": "10.0.0.0/8"}},
	] {
		denied(from_peer(peer)) == set()
	}
}

test_net004_the_whole_world if {
	denied(from_peer({"ipBlock": {"cidr": "0.0.0.0/0"}})) == of_policy(["from", 1, "ipBlock", "cidr"], "ingress wants named peers, found '0.0.0.0/0'")
	denied(from_peer({"ipBlock": {"cidr": "::/0"}})) == of_policy(["from", 1, "ipBlock", "cidr"], "ingress wants named peers, found '::/0'")

	# A gateway's own pods are asked by the world.
	job := samples.policy("chat-prod", "chat-job", {"podSelector": {"matchLabels": samples.preload_labels}, "ingress": [{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]})
	denied(samples.with_objects(samples.prod, [job])) == set()
}

# One fault, one finding: the default deny that lets everyone in is not NET001's too.
test_net004_default_deny_for_everyone if {
	doc := samples.edited(samples.prod, "NetworkPolicy", "chat-default-deny", [{"op": "add", "path": ["spec", "ingress"], "value": [{}]}])
	denied(doc) == {samples.result("NET004", samples.policy_ref("chat-default-deny"), ["spec", "ingress", 0, "from"], "ingress wants named peers, found a rule without 'from'")}
}

test_net004_silent_without_pods_or_direction if {
	nobody := samples.policy("chat-prod", "chat-server", {"podSelector": {"matchLabels": {"app": "other"}}, "ingress": [{}]})
	denied(samples.with_objects(samples.prod, [nobody])) == set()
	outward := samples.policy("chat-prod", "chat-server", {"podSelector": {"matchLabels": samples.server_labels}, "policyTypes": ["Egress"], "ingress": [{}], "egress": []})
	{result.id | some result in denied(samples.with_objects(samples.without_object(samples.prod, "NetworkPolicy", "chat-dns"), [outward, samples.policy("chat-prod", "chat-dns", samples.dns)]))} == set()
}

# Ports

test_net004_name_that_the_pod_lacks if {
	denied(at_port([{"port": "http"}, {"port": "metrics"}])) == of_policy(["ports", 1, "port"], "the port wants a name that the selected pods have (http 8000), found 'metrics'")
	denied(at_port([{"port": "web"}])) == of_policy(["ports", 0, "port"], "the port wants a name that the selected pods have (http 8000), found 'web'")
}

test_net004_number_that_lets_nobody_in if {
	denied(at_port([{"port": 8080}])) == of_policy(["ports", 0, "port"], "the port wants one that Deployment 'chat' has (http 8000), found 8080")
	denied(at_port([{"port": 8001, "endPort": 8010}])) == of_policy(["ports", 0, "port"], "the port wants one that Deployment 'chat' has (http 8000), found 8001")
}

# A number need not be declared: side channels of the engine are not.
test_net004_numbers_that_do if {
	denied(at_port([{"port": 8000}])) == set()
	denied(at_port([{"port": 7999, "endPort": 8000}])) == set()
	denied(at_port([{"port": 8000, "endPort": 8010}])) == set()
	denied(at_port([{"protocol": "TCP"}])) == set()
	denied(at_port([{"port": 8000}, {"port": 5600}])) == set()
	denied(letting_in([{"from": [gateway], "ports": [{"port": "http"}]}, {"from": [{"podSelector": {}}], "ports": [{"port": 5600}]}])) == set()
}

test_net004_engine_port_that_nobody_declares if {
	bare := samples.server_edited(at_port([{"port": 8000}]), [{"op": "remove", "path": ["ports"]}])
	denied(bare) == set()
	wrong := samples.server_edited(at_port([{"port": 8080}]), [{"op": "remove", "path": ["ports"]}])
	denied(wrong) == of_policy(["ports", 0, "port"], "the port wants one that Deployment 'chat' has (8000), found 8080")
}

test_net004_pods_that_may_be_out_of_sight if {
	for_all := samples.policy("chat-prod", "chat-server", {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [gateway], "ports": [{"port": "metrics"}]}]})
	denied(samples.with_objects(samples.prod, [for_all])) == set()
}

test_net004_silent_on_wrong_types if {
	every ingress in ["all", null, [{"from": "gateway"}], [{"from": [{"namespaceSelector": "x"}]}], [{"from": [{"ipBlock": "x"}], "ports": "http"}]] {
		denied(letting_in(ingress)) == set()
	}
}

# Another policy may let in what this one does not.
test_net004_a_part_leaves_other_policies_to_others if {
	denied(object.union(at_port([{"port": 8080}]), {"partial": true})) == set()
	count(denied(object.union(at_port([{"port": "web"}]), {"partial": true}))) == 1
}
