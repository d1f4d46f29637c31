# Network policies: nothing in or out but what is named.
package lockgate.network

import data.lockgate.lib.environment
import data.lockgate.lib.exposure
import data.lockgate.lib.netpol
import data.lockgate.lib.refs
import data.lockgate.lib.results
import data.lockgate.lib.workloads
import rego.v1

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
	some ns in namespaces
	not unknown_policies(ns)
	missing := [type | some type in ["Ingress", "Egress"]; not denied(ns, type)]
	count(missing) > 0
	place := open_place(ns, missing[0])
	result := results.finding_at("NET001", place.ref, place.path, sprintf("the namespace wants a default deny for Ingress and Egress, found none for %v; open: %v", [
		concat(" and ", missing),
		concat(", ", open_pods(ns, missing)),
	]))
}

# Manifests without any policy in a namespace, which are a part of what runs there, leave them to others.
unknown_policies(ns) if {
	environment.partial
	count(policy_places(ns)) == 0
}

namespaces := {pod.namespace | some pod in refs.pods}

denied(ns, type) if {
	some policy in netpol.all
	policy.namespace == ns
	policy.all
	type in policy.types
	closed(policy, type)
}

closed(policy, "Ingress") if count(policy.ingress) == 0

# A rule for everyone is NET004's, also in the default deny.
closed(policy, "Ingress") if {
	some rule in policy.ingress
	netpol.everyone(policy, rule)
}

closed(policy, "Egress") if count(policy.egress) == 0

# A rule to the internet is NET002's, also in the default deny.
closed(policy, "Egress") if {
	some rule in policy.egress
	netpol.internet(rule)
}

# The policy for all pods that falls short, else the first policy, else the first workload.
open_place(ns, type) := array.concat(array.concat(short_places(ns, type), policy_places(ns)), pod_places(ns))[0]

# The embedded engine hands a comprehension only what its body names: the path is made there.
short_places(ns, type) := [{"ref": policy.ref, "path": path} |
	some policy in netpol.all
	policy.namespace == ns
	denies_something(policy)
	path := short_path(policy, type)
]

policy_places(ns) := [{"ref": policy.ref, "path": ["spec", "podSelector"]} |
	some policy in netpol.all
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
	some policy in netpol.all
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
	some policy in netpol.all
	"Egress" in policy.types
	count(policy.pods) > 0
	some index, rule in policy.egress
	peer := netpol.internet(rule)
	fault := internet_fault(policy, rule)
	result := results.finding_at("NET002", policy.ref, array.concat(["spec", "egress", index], peer.path), sprintf("wants no egress to the internet %v, found %v", [
		fault,
		peer.found,
	]))
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
		some policy in netpol.all
		"Egress" in policy.types
		pod.id in policy.ids
	]
	count(mine) > 0
	missing := [protocol | some protocol in ["UDP", "TCP"]; not allowed(mine, protocol)]
	count(missing) > 0
	place := dns_place(mine)
	found := results.finding_at("NET003", place.ref, place.path, sprintf("wants egress to port 53 with UDP and TCP for every pod, found no %v", [concat(" and no ", missing)]))
	result := results.with_also(found, place.also)
}

allowed(mine, protocol) if {
	some policy in mine
	some rule in policy.egress
	netpol.allows_dns(rule, protocol)
}

# What a patch may have changed in a list of ports; the last one may be gone.
fields_of_ports(ref, path, rule) := [place |
	some index in numbers.range(0, count(rule.ports))
	some field in ["port", "protocol"]
	place := {"object": ref, "path": array.concat(path, [index, field])}
]

# The policy that allows one protocol and not the other, else the first that closes egress.
dns_place(mine) := places[0] if {
	half := [{"ref": policy.ref, "path": path, "also": fields_of_ports(policy.ref, path, rule)} |
		some policy in mine
		some index
		rule := policy.egress[index]
		some entry in rule.ports
		entry.port == 53
		path := ["spec", "egress", index, "ports"]
	]
	first := [{"ref": policy.ref, "path": ["spec", "egress"], "also": []} | some policy in mine]
	places := array.concat(half, first)
}

# METADATA
# title: Who may ask a pod has a name, and the port is one that it has
# description: >-
#   A rule without `from`, or with every namespace, lets each pod of the cluster ask the server past the
#   gateway, its key and its limits. A port that the pod does not have lets nobody in: the gateway times out.
# related_resources:
#   - https://kubernetes.io/docs/concepts/services-networking/network-policies/#networkpolicy-resource
# custom:
#   id: NET004
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Name the gateway's and Prometheus' namespaces in `from` by `namespaceSelector` with the label kubernetes.io/metadata.name, and a port of the pod by its name in `ports`.
deny contains result if {
	some policy in netpol.all
	"Ingress" in policy.types
	count(policy.pods) > 0
	some index, rule in policy.ingress
	peer := netpol.everyone(policy, rule)
	result := results.finding_at("NET004", policy.ref, array.concat(["spec", "ingress", index], peer.path), sprintf("ingress wants named peers, found %v", [peer.found]))
}

deny contains result if {
	some policy in judged
	some index, rule in policy.ingress
	some position, entry in rule.ports
	is_string(entry.port)
	ports := [port |
		some pod in policy.pods
		some port in netpol.ports_of(pod)
	]
	not netpol.opens(entry, ports)
	result := results.finding_at("NET004", policy.ref, ["spec", "ingress", index, "ports", position, "port"], sprintf("the port wants a name that the selected pods have (%v), found '%v'", [
		ports_text(ports),
		entry.port,
	]))
}

# A number need not be declared; it is a fault when nothing else lets anyone in.
deny contains result if {
	not environment.partial
	some policy in judged
	closed_off := [pod |
		some pod in policy.pods
		count(netpol.ports_of(pod)) > 0
		not netpol.reachable(pod)
	]
	count(closed_off) > 0
	spot := numbered(policy)[0]
	result := results.finding_at("NET004", policy.ref, spot.path, sprintf("the port wants one that %v has (%v), found %v", [
		refs.pod_text(closed_off[0]),
		ports_text(netpol.ports_of(closed_off[0])),
		spot.port,
	]))
}

# Policies whose pods are all in sight: an empty selector may select others, and KServe adds ports of its own.
judged := [policy |
	some policy in netpol.all
	"Ingress" in policy.types
	not policy.all
	count(policy.pods) > 0
	count([pod | some pod in policy.pods; workloads.all[pod.index].path == ["spec", "predictor"]]) == 0
]

numbered(policy) := [{"path": ["spec", "ingress", index, "ports", position, "port"], "port": port} |
	some index
	rule := policy.ingress[index]
	some position
	port := rule.ports[position].port
	is_number(port)
]

ports_text(ports) := concat(", ", sort({trim_space(sprintf("%v %v", [port.name, port.number])) | some port in ports; port.name != ""})) if {
	count([port | some port in ports; port.name != ""]) > 0
} else := concat(", ", sort({sprintf("%v", [port.number]) | some port in ports})) if {
	count(ports) > 0
} else := "none"

# METADATA
# title: Servers are reached through a route with TLS, and by /v1 alone
# description: >-
#   The API key guards /v1 and nothing else: /invocations generates text without one. A Service of type
#   LoadBalancer or NodePort, or a route for /, gives the GPUs away; without TLS the key is read on the way.
# custom:
#   id: NET005
#   severity: {canary: error, prod: error}
#   remediation: Set the Service's `type` ClusterIP, give the route a path match of PathPrefix /v1 only, and its TLS (a listener like `sectionName` https, or `tls` of an Ingress).
deny contains result if {
	some service in exposure.services
	type := service.type
	not type in exposure.inside
	result := results.finding_at("NET005", service.ref, ["spec", "type"], sprintf("a Service of servers wants type ClusterIP, found '%v'", [type]))
}

deny contains result if {
	some rule in exposure.rules
	some spot in exposure.open_paths(rule)
	result := results.finding("NET005", rule.object, spot.path, sprintf("a route to servers wants paths below %v only, found %v", [
		concat(", ", exposure.prefixes),
		spot.found,
	]))
}

deny contains result if {
	some rule in exposure.rules
	some spot in exposure.plain(rule)
	result := results.finding("NET005", rule.object, spot.path, sprintf("a route to servers wants TLS, found %v", [spot.found]))
}
