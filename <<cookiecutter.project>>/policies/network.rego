# Network policies: nothing in or out but what is named.
package lockgate.network

import data.lockgate.lib.catalogue
import data.lockgate.lib.environment
import data.lockgate.lib.objects
import data.lockgate.lib.refs
import data.lockgate.lib.results
import rego.v1

# Every NetworkPolicy with what the rules ask of it:
# {"ref", "namespace", "types", "all": selects every pod, "pods": what it selects, "ids" of them, "ingress", "egress"}.
policies := [policy |
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

# METADATA
# title: Every pod starts from deny
# description: >-
#   A pod that no policy selects for a direction is open in that direction. One policy that selects every
#   pod of the namespace and allows nothing closes both, also for pods that are added later.
# related_resources:
#   - https://kubernetes.io/docs/concepts/services-networking/network-policies/#default-deny-all-ingress-and-all-egress-traffic
# custom:
#   id: NET001
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Add a NetworkPolicy with `podSelector` {}, `policyTypes` [Ingress, Egress] and no rules to the namespace.
deny contains result if {
	not unknown_policies
	some ns in namespaces
	missing := [type | some type in ["Ingress", "Egress"]; not denied(ns, type)]
	count(missing) > 0
	place := open_place(ns, missing[0])
	result := results.finding_at("NET001", place.ref, place.path, sprintf("the namespace wants a default deny for Ingress and Egress, found none for %v; open: %v", [
		concat(" and ", missing),
		concat(", ", open_pods(ns, missing)),
	]))
}

# Manifests without any policy, which are a part of what runs, leave them to others.
unknown_policies if {
	environment.partial
	count(policies) == 0
}

namespaces := {pod.namespace | some pod in refs.pods}

denied(ns, type) if {
	some policy in policies
	policy.namespace == ns
	policy.all
	type in policy.types
	closed(policy, type)
}

closed(policy, "Ingress") if count(policy.ingress) == 0

closed(policy, "Egress") if count(policy.egress) == 0

# A rule to the internet is NET002's, also in the default deny.
closed(policy, "Egress") if {
	some rule in policy.egress
	open_peer(rule)
}

# The policy for all pods that falls short, else the first policy, else the first workload.
open_place(ns, type) := array.concat(array.concat(short_places(ns, type), policy_places(ns)), pod_places(ns))[0]

# The embedded engine hands a comprehension only what its body names: the path is made there.
short_places(ns, type) := [{"ref": policy.ref, "path": path} |
	some policy in policies
	policy.namespace == ns
	denies_something(policy)
	path := short_path(policy, type)
]

policy_places(ns) := [{"ref": policy.ref, "path": ["spec", "podSelector"]} |
	some policy in policies
	policy.namespace == ns
]

pod_places(ns) := [{"ref": pod.ref, "path": ["metadata", "name"]} |
	some pod in refs.pods
	pod.namespace == ns
]

denies_something(policy) if {
	policy.all
	some type in policy.types
	closed(policy, type)
}

denies_something(policy) if {
	policy.all
	every type in ["Ingress", "Egress"] {
		type in policy.types
	}
}

short_path(policy, type) := ["spec", lower(type)] if {
	type in policy.types
} else := ["spec", "policyTypes"]

# Workloads that no policy at all selects for a missing direction; every one when each has some policy.
open_pods(ns, missing) := names if {
	names := sort({refs.pod_text(pod) |
		some pod in refs.pods
		pod.namespace == ns
		some type in missing
		not chosen_for(pod, type)
	})
	count(names) > 0
} else := ["pods without a policy of their own"]

chosen_for(pod, type) if {
	some policy in policies
	type in policy.types
	pod.id in policy.ids
}

# METADATA
# title: Nothing but the preload Job reaches the internet
# description: >-
#   A server that can reach any address can send prompts and weights anywhere. It is offline and needs
#   DNS only; the Job that fills the cache needs the hub, on the ports that it names.
# custom:
#   id: NET002
#   severity: {dev: warning, canary: error, prod: error}
#   remediation: Name the peer in `to` (a namespace, pods or a narrow ipBlock), or move the rule, with `ports`, to a policy whose `podSelector` selects the preload Job only.
deny contains result if {
	some policy in policies
	"Egress" in policy.types
	count(policy.pods) > 0
	some index, rule in policy.egress
	peer := open_peer(rule)
	fault := internet_fault(policy, rule)
	result := results.finding_at("NET002", policy.ref, array.concat(["spec", "egress", index], peer.path), sprintf("wants no egress to the internet %v, found %v", [
		fault,
		peer.found,
	]))
}

# The peer of a rule that is the internet: {"path" in the rule, "found"}. The first one of a rule.
open_peer(rule) := peers[0] if {
	peers := array.concat(
		[{"path": [], "found": "a rule without 'to'"} | count(object.get(rule, "to", [])) == 0],
		[{"path": ["to", index, "ipBlock", "cidr"], "found": sprintf("'%v'", [peer.ipBlock.cidr])} |
			some index
			peer := rule.to[index]
			endswith(peer.ipBlock.cidr, "/0")
		],
	)
}

internet_fault(policy, _) := sprintf("for %v", [concat(", ", serving(policy))]) if {
	count(serving(policy)) > 0
}

internet_fault(policy, rule) := "on every port" if {
	count(serving(policy)) == 0
	not explicit_ports(rule)
}

explicit_ports(rule) if {
	count(rule.ports) > 0
	every entry in rule.ports {
		entry.port
	}
}

serving(policy) := sort({refs.pod_text(pod) |
	some pod in policy.pods
	not pod.kind in {"Job", "CronJob"}
})

# METADATA
# title: Pods may ask DNS
# description: >-
#   A policy with Egress closes port 53 too. A pod that cannot resolve names waits for its first
#   connection until it times out; large answers need TCP.
# custom:
#   id: NET003
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Allow egress to the cluster's DNS on port 53 with `protocol` UDP and `protocol` TCP in a NetworkPolicy that selects the pod.
deny contains result if {
	some pod in refs.pods
	not pod.on_host
	mine := [policy |
		some policy in policies
		"Egress" in policy.types
		pod.id in policy.ids
	]
	count(mine) > 0
	missing := [protocol | some protocol in ["UDP", "TCP"]; not allowed(mine, protocol)]
	count(missing) > 0
	place := dns_place(mine)
	result := results.finding_at("NET003", place.ref, place.path, sprintf("wants egress to port 53 with UDP and TCP for every pod, found no %v", [concat(" and no ", missing)]))
}

allowed(mine, protocol) if {
	some policy in mine
	some rule in policy.egress
	rule_allows(rule, protocol)
}

# A rule for all ports means DNS only when its peers can be the cluster's DNS.
rule_allows(rule, _) if {
	count(object.get(rule, "ports", [])) == 0
	reaches_dns(rule)
}

rule_allows(rule, protocol) if {
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

# The policy that allows one protocol and not the other, else the first that closes egress.
dns_place(mine) := places[0] if {
	half := [{"ref": policy.ref, "path": ["spec", "egress", index, "ports"]} |
		some policy in mine
		some index
		rule := policy.egress[index]
		some entry in rule.ports
		entry.port == 53
	]
	first := [{"ref": policy.ref, "path": ["spec", "egress"]} | some policy in mine]
	places := array.concat(half, first)
}
