# Where routes and Ingresses of the environment send requests to.
package lockgate.lib.backends

import data.lockgate.lib.objects
import data.lockgate.lib.refs
import rego.v1

# Ports of each Service by its key; a Service without any (ExternalName) has an empty list.
service_ports := {key: ports |
	some key in {service.key | some service in services}
	ports := [port |
		some service in services
		service.key == key
		some port in service.ports
	]
}

services := [{"key": key, "ports": ports} |
	some service in objects.of_kind("Service")
	key := refs.key_of(objects.namespace(service), objects.name(service))
	ports := [entry.port | some entry in object.get(service, ["spec", "ports"], []); is_number(entry.port)]
]

# Services of the own namespace that a route or an Ingress sends requests to:
# {"route", "path", "group", "name", "port": {"value", "path"}}.
all := array.concat(route_backends, ingress_backends)

route_backends := [backend |
	some obj in objects.all
	obj.kind in {"HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute", "UDPRoute"}
	some index
	rule := obj.spec.rules[index]
	some number
	entry := rule.backendRefs[number]
	object.get(entry, "kind", "Service") == "Service"
	object.get(entry, "namespace", objects.namespace(obj)) == objects.namespace(obj)
	path := ["spec", "rules", index, "backendRefs", number]
	backend := {
		"route": objects.ref(obj),
		"path": path,
		"group": object.get(entry, "group", ""),
		"name": entry.name,
		"port": {"value": object.get(entry, "port", null), "path": array.concat(path, ["port"])},
	}
	is_string(backend.name)
	is_string(backend.group)
]

ingress_backends := [backend |
	some obj in objects.of_kind("Ingress")
	some entry in array.concat(
		[{"service": obj.spec.defaultBackend.service, "path": ["spec", "defaultBackend", "service"]} | obj.spec.defaultBackend.service],
		[{"service": service, "path": path} |
			some index
			rule := obj.spec.rules[index]
			some number
			service := rule.http.paths[number].backend.service
			path := ["spec", "rules", index, "http", "paths", number, "backend", "service"]
		],
	)
	is_string(entry.service.name)
	backend := {
		"route": objects.ref(obj),
		"path": entry.path,
		"group": "",
		"name": entry.service.name,
		"port": {"value": object.get(entry.service, ["port", "number"], null), "path": array.concat(entry.path, ["port", "number"])},
	}
]

# A route that a Rollout steers and that lacks one of its Services: ROL003 says that.
of_a_rollout(backend) if {
	some rollout in objects.of_kind("Rollout")
	objects.namespace(rollout) == backend.route.namespace
	canary := rollout.spec.strategy.canary
	contains(json.marshal(canary.trafficRouting), json.marshal(backend.route.name))
	named := {other.name | some other in all; other.route == backend.route}
	some field in ["stableService", "canaryService"]
	not canary[field] in named
}
