# What a Rollout with traffic routing leans on: its two Services and the routes that share the traffic out.
package lockgate.lib.release_routes

import data.lockgate.lib.objects
import data.lockgate.lib.refs
import data.lockgate.lib.rollouts
import data.lockgate.lib.routes
import data.lockgate.lib.workloads
import rego.v1

# Routers that cannot do without both Services. Istio can, with a DestinationRule.
routers := ["alb", "ambassador", "apisix", "appMesh", "nginx", "smi", "traefik"]

gateway_plugin := "argoproj-labs/gatewayAPI"

# The fields of a canary that name its Services; with ping and pong there are others.
named_services := [entry |
	some rollout in rollouts.canaries
	not rollout.canary.pingPong
	some field in ["stableService", "canaryService"]
	name := object.get(rollout.canary, field, "")
	is_string(name)
	matters(rollout.canary, name)
	entry := {
		"object": rollout.object,
		"namespace": objects.namespace(rollout.object),
		"field": field,
		"name": name,
		"other": object.get(rollout.canary, "stableService", ""),
	}
]

matters(_, name) if name != ""

matters(canary, "") if needs_services(canary.trafficRouting)

needs_services(routing) if {
	some router in routers
	is_object(routing[router])
}

needs_services(routing) if is_object(routing.plugins[gateway_plugin])

needs_services(routing) if {
	is_object(routing.istio)
	not routing.istio.destinationRule
}

# Labels of the pods that a Rollout releases; undefined when its Deployment is not in the environment.
template_labels(rollout) := refs.labels_of(found[0].metadata) if {
	found := [workload |
		some workload in workloads.all
		releases(rollout, workload)
	]
}

releases(rollout, workload) if {
	not rollout.spec.workloadRef
	workload.object.kind == "Rollout"
	objects.ref(workload.object) == objects.ref(rollout)
}

releases(rollout, workload) if {
	rollout.spec.workloadRef.kind == workload.object.kind
	rollout.spec.workloadRef.name == objects.name(workload.object)
	objects.namespace(rollout) == objects.namespace(workload.object)
}

# Labels of a selector that the template does not have. The hash is the controller's.
unmatched(selector, labels) := sort([label |
	some label in object.keys(selector)
	label != "rollouts-pod-template-hash"
	object.get(labels, label, null) != selector[label]
])

# Routes that a Rollout names: {"object", "path", "kind", "namespace", "name", "services": what one rule of it must send to}.
used := [route |
	some rollout in rollouts.canaries
	not rollout.canary.pingPong
	routing := rollout.canary.trafficRouting
	stable := rollout.canary.stableService
	canary := rollout.canary.canaryService
	is_string(stable)
	is_string(canary)
	stable != canary
	ns := objects.namespace(rollout.object)
	some found in array.concat(array.concat(gateway_routes(routing, ns), istio_routes(routing)), array.concat(nginx_routes(routing), alb_routes(routing)))
	is_string(found.name)
	route := {
		"object": rollout.object,
		"path": array.concat(["spec", "strategy", "canary", "trafficRouting"], found.path),
		"kind": found.kind,
		"namespace": object.get(found, "namespace", ns),
		"name": found.name,
		"services": services(found, stable, canary),
	}
]

services(found, stable, canary) := [stable, canary] if found.kind != "Ingress"

# The canary's Ingress is made by the controller.
services(found, stable, _) := [object.get(found, "root", stable)] if found.kind == "Ingress"

gateway_routes(routing, ns) := array.concat(
	[{"kind": "HTTPRoute", "namespace": place, "name": name, "path": ["plugins", gateway_plugin, "httpRoute"]} |
		plugin := routing.plugins[gateway_plugin]
		name := plugin.httpRoute
		place := routes.own_or(plugin, "namespace", ns)
	],
	[{"kind": "HTTPRoute", "namespace": place, "name": name, "path": path} |
		plugin := routing.plugins[gateway_plugin]
		some i
		name := plugin.httpRoutes[i].name
		place := routes.own_or(plugin, "namespace", ns)
		path := ["plugins", gateway_plugin, "httpRoutes", i, "name"]
	],
)

# Without a DestinationRule the hosts are the two Services; TLS and TCP routes are not read.
istio_routes(routing) := [] if routing.istio.destinationRule

istio_routes(routing) := array.concat(
	[{"kind": "VirtualService", "name": name, "path": ["istio", "virtualService", "name"]} |
		name := routing.istio.virtualService.name
		not routing.istio.virtualService.tlsRoutes
		not routing.istio.virtualService.tcpRoutes
		not contains(name, ".")
	],
	[{"kind": "VirtualService", "name": name, "path": path} |
		some i
		service := routing.istio.virtualServices[i]
		name := service.name
		not service.tlsRoutes
		not service.tcpRoutes
		not contains(name, ".")
		path := ["istio", "virtualServices", i, "name"]
	],
) if {
	not routing.istio.destinationRule
}

nginx_routes(routing) := ingresses(routing.nginx, "nginx", "stableIngress", "stableIngresses") if {
	is_object(routing.nginx)
} else := []

alb_routes(routing) := [object.union(route, root(routing.alb)) | some route in ingresses(routing.alb, "alb", "ingress", "ingresses")] if {
	is_object(routing.alb)
} else := []

root(alb) := {"root": alb.rootService} if {
	is_string(alb.rootService)
} else := {}

ingresses(holder, router, one, many) := array.concat(
	[{"kind": "Ingress", "name": name, "path": path} |
		name := holder[one]
		path := [router, one]
	],
	[{"kind": "Ingress", "name": name, "path": path} |
		some i
		name := holder[many][i]
		path := [router, many, i]
	],
)

# The rule of a route that comes nearest to sending to all the Services it must, if none does: {"path", "names"}.
# Silent where a Service is not there that it names or should name: that is the fault, and said elsewhere.
falls_short(route) := array.concat(near, sets)[0] if {
	sets := targets(route)
	wanted := {service | some service in route.services}
	all := wanted | union({entry.names | some entry in sets})
	count([name | some name in all; not objects.named("Service", objects.namespace(route.object), name)]) == 0
	count([entry | some entry in sets; count(wanted - entry.names) == 0]) == 0
	near := [entry | some entry in sets; count(wanted & entry.names) > 0]
}

# Sets of Services that a route sends to, one per rule; an Ingress is one set.
targets(route) := [entry |
	some rule in routes.rules_of(route.kind, route.namespace, route.name)
	names := names_in(rule, objects.namespace(route.object))
	entry := {"path": array.concat(rule.path, [backends_field[route.kind]]), "names": names}
] if {
	route.kind != "Ingress"
}

targets(route) := [{"path": ["spec", "rules"], "names": names} |
	found := routes.rules_of("Ingress", route.namespace, route.name)
	count(found) > 0
	names := union({part | some rule in found; part := names_in(rule, objects.namespace(route.object))})
] if {
	route.kind == "Ingress"
}

backends_field := {"HTTPRoute": "backendRefs", "VirtualService": "route"}

names_in(rule, ns) := {backend.name |
	some backend in rule.backends
	backend.kind == "Service"
	backend.namespace == ns
}

# Is it surely missing: an Ingress or VirtualService stands beside the Rollout; a route may belong to someone
# else, unless the environment has others in the same namespace.
missing(route) if {
	not objects.named(route.kind, route.namespace, route.name)
	route.kind != "HTTPRoute"
}

missing(route) if {
	not objects.named(route.kind, route.namespace, route.name)
	route.namespace == objects.namespace(route.object)
	some other in objects.of_kind("HTTPRoute")
	objects.namespace(other) == route.namespace
}
