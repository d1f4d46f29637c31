# HTTPRoute, Ingress and VirtualService alike: which rule sends what to which backend.
package lockgate.lib.routes

import data.lockgate.lib.objects
import rego.v1

# Every rule of every route: {"object", "kind", "namespace", "path" to the rule, "rule", "backends"}, a backend
# {"kind", "namespace", "name", "port", "path"}; port null when the route does not say it.
rules := array.concat(http_rules, array.concat(ingress_rules, virtual_rules))

http_rules := [entry |
	some obj in objects.of_kind("HTTPRoute")
	some i
	rule := obj.spec.rules[i]
	is_object(rule)
	ns := objects.namespace(obj)
	path := ["spec", "rules", i]
	backends := [backend |
		some j
		reference := rule.backendRefs[j]
		is_string(reference.name)
		backend := {
			"kind": kind_of(object.get(reference, "kind", "Service")),
			"namespace": own_or(reference, "namespace", ns),
			"name": reference.name,
			"port": object.get(reference, "port", null),
			"path": array.concat(path, ["backendRefs", j]),
		}
	]
	entry := {"object": obj, "kind": "HTTPRoute", "namespace": ns, "path": path, "rule": rule, "backends": backends}
]

kind_of(kind) := kind if is_string(kind)

own_or(holder, field, ns) := holder[field] if {
	is_string(holder[field])
} else := ns

# One rule per path of an Ingress; the default backend is a rule without a path. Older versions named it otherwise.
ingress_rules := [entry |
	some obj in objects.of_kind("Ingress")
	obj.apiVersion == "networking.k8s.io/v1"
	some spot in array.concat(ingress_paths(obj), default_backends(obj))
	ns := objects.namespace(obj)
	backends := [backend |
		service := spot.backend.service
		is_string(service.name)
		port := object.get(service, ["port", "number"], object.get(service, ["port", "name"], null))
		backend := {"kind": "Service", "namespace": ns, "name": service.name, "port": port, "path": array.concat(spot.path, ["backend"])}
	]
	entry := {"object": obj, "kind": "Ingress", "namespace": ns, "path": spot.path, "rule": spot.rule, "backends": backends}
]

ingress_paths(obj) := [spot |
	some i
	rule := obj.spec.rules[i]
	some j
	entry := rule.http.paths[j]
	is_object(entry.backend)
	spot := {"rule": entry, "backend": entry.backend, "path": ["spec", "rules", i, "http", "paths", j]}
]

default_backends(obj) := [{"rule": {}, "backend": backend, "path": ["spec", "defaultBackend"]} |
	backend := obj.spec.defaultBackend
	is_object(backend)
]

virtual_rules := [entry |
	some obj in objects.of_kind("VirtualService")
	some i
	rule := obj.spec.http[i]
	is_object(rule)
	ns := objects.namespace(obj)
	path := ["spec", "http", i]
	backends := [backend |
		some j
		destination := rule.route[j].destination
		is_string(destination.host)
		backend := object.union(host_service(destination.host, ns), {
			"kind": "Service",
			"port": object.get(destination, ["port", "number"], null),
			"path": array.concat(path, ["route", j, "destination"]),
		})
	]
	entry := {"object": obj, "kind": "VirtualService", "namespace": ns, "path": path, "rule": rule, "backends": backends}
]

# The Service of a short or a full name: "chat", "chat.prod", "chat.prod.svc.cluster.local".
host_service(host, ns) := {"name": host, "namespace": ns} if not contains(host, ".")

host_service(host, _) := {"name": parts[0], "namespace": parts[1]} if {
	contains(host, ".")
	parts := split(host, ".")
}

# Rules of one route.
rules_of(kind, ns, name) := [rule |
	some rule in rules
	rule.kind == kind
	rule.namespace == ns
	objects.name(rule.object) == name
]
