# NetworkPolicies as the rules ask of them: what they select, and whom their peers are.
package lockgate.lib.netpol

import data.lockgate.lib.catalogue
import data.lockgate.lib.objects
import data.lockgate.lib.quantity
import data.lockgate.lib.refs
import data.lockgate.lib.vllm
import data.lockgate.lib.workloads
import rego.v1

# Every NetworkPolicy with what the rules ask of it:
# {"ref", "namespace", "types", "all": selects every pod, "pods": what it selects, "ids" of them, "ingress", "egress"}.
all := [policy |
	some obj in objects.of_kind("NetworkPolicy")
	selector := selector_of(object.get(obj, ["spec", "podSelector"], null))
	is_object(object.get(selector, "matchLabels", {}))
	chosen := refs.selected(objects.namespace(obj), selector)
	policy := {
		"ref": objects.ref(obj),
		"namespace": objects.namespace(obj),
		"types": types(obj.spec),
		"all": all_pods(selector),
		"pods": chosen,
		"ids": {pod.id | some pod in chosen},
		"ingress": object.get(obj, ["spec", "ingress"], []),
		"egress": object.get(obj, ["spec", "egress"], []),
	}
]

# A selector of another type is no policy, and the schema's matter.
selector_of(written) := written if is_object(written)

selector_of(written) := {} if written == null

# Without policyTypes the API server sets Ingress, and Egress when there are egress rules.
types(spec) := {type | some type in spec.policyTypes} if {
	spec.policyTypes
} else := {"Ingress", "Egress"} if {
	spec.egress
} else := {"Ingress"}

# True or false, never undefined: it is a field of an entry.
all_pods(selector) := (count(object.get(selector, "matchLabels", {})) + count(object.get(selector, "matchExpressions", []))) == 0

# The peer of a rule that is the internet: {"path" in the rule, "found"}. The first one of a rule.
internet(rule) := peers[0] if {
	peers := array.concat(
		[{"path": ["to"], "found": "a rule without 'to'"} | count(object.get(rule, "to", [])) == 0],
		[{"path": ["to", index, "ipBlock", "cidr"], "found": sprintf("'%v'", [peer.ipBlock.cidr])} |
			some index
			peer := rule.to[index]
			endswith(peer.ipBlock.cidr, "/0")
		],
	)
}

# The peer of an ingress rule that is everyone: {"path" in the rule, "found"}. The first one of a rule.
everyone(policy, rule) := peers[0] if {
	peers := array.concat(
		[{"path": ["from"], "found": "a rule without 'from'"} | count(object.get(rule, "from", [])) == 0],
		[peer |
			some index
			written := rule.from[index]
			found := anyone(policy, written)
			peer := {"path": array.concat(["from", index], found.path), "found": found.found}
		],
	)
}

anyone(_, peer) := {"path": [], "found": "an empty peer"} if peer == {}

# An empty selector of namespaces selects all; labels of pods beside it name someone.
anyone(_, peer) := {"path": ["namespaceSelector"], "found": "every namespace"} if {
	is_object(peer.namespaceSelector)
	all_pods(peer.namespaceSelector)
	all_pods(object.get(peer, "podSelector", {}))
}

# A gateway's own pods may be open to the world, servers are behind it.
anyone(policy, peer) := {"path": ["ipBlock", "cidr"], "found": sprintf("'%v'", [peer.ipBlock.cidr])} if {
	endswith(peer.ipBlock.cidr, "/0")
	some pod in policy.pods
	vllm.server_paths[pod.id]
}

# Ports that a pod surely has: {"name", "number"} of its containers, and the engine's own.
ports_of(pod) := array.concat(
	[{"name": object.get(port, "name", ""), "number": port.containerPort} |
		some container in workloads.pod_containers(workloads.all[pod.index].pod)
		some port in container.ports
		quantity.whole_number(port.containerPort)
	],
	[{"name": "", "number": number} |
		some server in vllm.servers
		server.workload.id == pod.id
		number := vllm.number(server, "port", 8000)
	],
)

# Does a policy's port mean one of these?
opens(entry, ports) if {
	some port in ports
	means(entry, port)
}

means(entry, _) if not entry.port

means(entry, port) if entry.port in {port.number, port.name}

means(entry, port) if {
	quantity.whole_number(entry.port) <= port.number
	quantity.whole_number(entry.endPort) >= port.number
}

# Can a port that the pod surely has be asked at all?
reachable(pod) if {
	ports := ports_of(pod)
	some policy in all
	"Ingress" in policy.types
	pod.id in policy.ids
	some rule in policy.ingress
	lets_in(rule, ports)
}

lets_in(rule, _) if count(object.get(rule, "ports", [])) == 0

lets_in(rule, ports) if {
	some entry in rule.ports
	opens(entry, ports)
}

# A rule for all ports means DNS only when its peers can be the cluster's DNS.
allows_dns(rule, _) if {
	count(object.get(rule, "ports", [])) == 0
	reaches_dns(rule)
}

allows_dns(rule, protocol) if {
	some entry in rule.ports
	object.get(entry, "protocol", "TCP") == protocol
	dns_port(entry)
}

dns_port(entry) if not entry.port

dns_port(entry) if entry.port == 53

# Names that DNS servers give their port.
dns_port(entry) if regex.match(`dns|^domain`, entry.port)

dns_port(entry) if {
	entry.port <= 53
	entry.endPort >= 53
}

reaches_dns(rule) if count(object.get(rule, "to", [])) == 0

reaches_dns(rule) if {
	some peer in rule.to
	may_be_dns(peer)
}

# Addresses may be DNS; pods of the own namespace and of another named one are not.
may_be_dns(peer) if peer.ipBlock

may_be_dns(peer) if {
	labels := object.get(peer.namespaceSelector, "matchLabels", {})
	not labels["kubernetes.io/metadata.name"]
}

may_be_dns(peer) if peer.namespaceSelector.matchLabels["kubernetes.io/metadata.name"] in catalogue.provided.dns_namespaces
