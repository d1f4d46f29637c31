# How servers are reached from outside: Services, and what routes let through.
package lockgate.lib.exposure

import data.lockgate.lib.catalogue
import data.lockgate.lib.objects
import data.lockgate.lib.refs
import data.lockgate.lib.routes
import data.lockgate.lib.vllm
import rego.v1

prefixes := catalogue.routes.prefixes

inside := {type | some type in catalogue.routes.inside}

# Services through which an engine can be asked: {"ref", "namespace", "name", "type", "ports": numbers and names
# that lead to it}. A Service for a proxy in the same pod is not one.
services := [service |
	some obj in objects.of_kind("Service")
	selector := obj.spec.selector
	is_object(selector)
	count(selector) > 0
	ports := leading_ports(obj, engine_ports(objects.namespace(obj), {"matchLabels": selector}))
	count(ports) > 0
	type := object.get(obj, ["spec", "type"], "ClusterIP")
	is_string(type)
	service := {
		"ref": objects.ref(obj),
		"namespace": objects.namespace(obj),
		"name": objects.name(obj),
		"type": type,
		"ports": ports,
	}
]

leading_ports(obj, targets) := union({said |
	some port in obj.spec.ports
	object.get(port, "targetPort", port.port) in targets
	said := {port.port, object.get(port, "name", port.port)}
})

# Numbers and names of the ports on which engines of the selected pods listen.
engine_ports(ns, selector) := {value |
	some pod in refs.selected(ns, selector)
	some server in vllm.servers
	server.workload.id == pod.id
	some value in listening(server)
}

listening(server) := {value |
	number := vllm.number(server, "port", 8000)
	some value in array.concat([number], names_of(server.container, number))
}

names_of(container, number) := [port.name |
	some port in container.ports
	port.containerPort == number
	is_string(port.name)
]

# Rules of routes that lead to an engine. A VirtualService without a gateway is for the mesh alone.
rules := [rule |
	some rule in routes.rules
	leads_to_engine(rule)
	from_outside(rule)
]

leads_to_engine(rule) if {
	some backend in rule.backends
	backend.kind == "Service"
	some service in services
	service.name == backend.name
	service.namespace == backend.namespace
	meets(service, backend)
}

leads_to_engine(rule) if {
	some backend in rule.backends
	backend.kind == "InferencePool"
	some pool in pools
	pool.name == backend.name
	pool.namespace == backend.namespace
}

meets(_, backend) if backend.port == null

meets(service, backend) if backend.port in service.ports

# Pools of the Gateway API inference extension whose pods are engines.
pools := [pool |
	some obj in objects.of_kind("InferencePool")
	objects.group(objects.string_at(obj, "apiVersion")) in catalogue.routes.pool_groups
	ports := engine_ports(objects.namespace(obj), {"matchLabels": pool_labels(obj.spec.selector)})
	some port in pool_ports(obj.spec)
	port in ports
	pool := {"namespace": objects.namespace(obj), "name": objects.name(obj)}
]

pool_labels(selector) := selector.matchLabels if {
	is_object(selector.matchLabels)
} else := selector if {
	is_object(selector)
	count(selector) > 0
}

pool_ports(spec) := array.concat([number | number := spec.targetPortNumber], [port.number | some port in spec.targetPorts])

from_outside(rule) if rule.kind != "VirtualService"

from_outside(rule) if {
	some gateway in rule.object.spec.gateways
	gateway != "mesh"
}

# What a rule lets through beside the wanted prefixes: {"path", "found"}. Silent where an annotation, an
# extension or a policy of the namespace may say otherwise.
open_paths(rule) := [spot |
	not guarded(rule)
	some asked in paths(rule)
	is_open(asked)
	spot := {"path": asked.path, "found": asked.found}
]

is_open(asked) if {
	value := asked.value
	not within(value)
	not value in catalogue.routes.harmless
}

within(value) if {
	some prefix in prefixes
	value == prefix
}

within(value) if {
	some prefix in prefixes
	startswith(value, concat("", [prefix, "/"]))
}

guarded(rule) if {
	some kind in catalogue.routes.guards
	some obj in objects.of_kind(kind)
	objects.namespace(obj) == rule.namespace
}

guarded(rule) if {
	rule.kind == "Ingress"
	annotated(rule.object, catalogue.routes.path_annotations)
}

guarded(rule) if {
	some filter in rule.rule.filters
	filter.type == "ExtensionRef"
}

guarded(rule) if rule.rule.rewrite.uriRegexRewrite

annotated(obj, parts) if {
	some key, _ in obj.metadata.annotations
	some part in parts
	contains(key, part)
}

# Paths that the engine can be asked for through a rule: {"value", "path", "found"}. Expressions are left out.
paths(rule) := http_paths(rule) if rule.kind == "HTTPRoute"

paths(rule) := ingress_path(rule) if rule.kind == "Ingress"

paths(rule) := virtual_paths(rule) if rule.kind == "VirtualService"

http_paths(rule) := [everything(array.concat(rule.path, ["matches"]))] if {
	count(object.get(rule.rule, "matches", [])) == 0
} else := [asked |
	some i
	match := rule.rule.matches[i]
	type := object.get(match, ["path", "type"], "PathPrefix")
	written := object.get(match, ["path", "value"], "/")
	is_string(written)
	value := asked_for(type, written, replacements(rule.rule))
	place := array.concat(rule.path, ["matches", i, "path", "value"])
	asked := {"value": value, "path": place, "found": shown(written, value)}
]

everything(path) := {"value": "/", "path": path, "found": "every path"}

# What the engine is asked for: a rewrite puts its own text in the place of the prefix.
asked_for("PathPrefix", _, new) := new[0] if count(new) > 0

asked_for("PathPrefix", written, []) := written

asked_for("Exact", written, []) := written

replacements(rule) := [value |
	some filter in rule.filters
	filter.type == "URLRewrite"
	some field in ["replacePrefixMatch", "replaceFullPath"]
	value := filter.urlRewrite.path[field]
	is_string(value)
]

shown(written, value) := sprintf("'%v'", [written]) if written == value

shown(written, value) := sprintf("'%v' rewritten to '%v'", [written, value]) if written != value

ingress_path(rule) := [everything(rule.path) | count(rule.rule) == 0] if count(rule.rule) == 0

# A star at the end is everything below; other signs make an expression.
ingress_path(rule) := [asked |
	written := object.get(rule.rule, "path", "/")
	is_string(written)
	value := trim_suffix(written, "*")
	not regex.match(`[][(){}*+?^$|\\]`, value)
	asked := {"value": value, "path": array.concat(rule.path, ["path"]), "found": sprintf("'%v'", [written])}
] if {
	count(rule.rule) > 0
}

virtual_paths(rule) := [everything(array.concat(rule.path, ["match"]))] if {
	count(object.get(rule.rule, "match", [])) == 0
} else := [asked |
	some i
	match := rule.rule.match[i]
	said := said_uri(match)
	value := object.get(rule.rule, ["rewrite", "uri"], said.value)
	is_string(value)
	place := array.concat(rule.path, array.concat(["match", i], said.field))
	asked := {"value": value, "path": place, "found": shown(said.value, value)}
]

said_uri(match) := {"value": "/", "field": ["uri"]} if {
	is_object(match)
	not match.uri
} else := {"value": match.uri.prefix, "field": ["uri", "prefix"]} if {
	is_string(match.uri.prefix)
} else := {"value": match.uri.exact, "field": ["uri", "exact"]} if {
	is_string(match.uri.exact)
}

# Where a route surely takes plain HTTP: {"path", "found"}.
plain(rule) := [spot |
	some i
	parent := rule.object.spec.parentRefs[i]
	is_object(parent)
	object.get(parent, "kind", "Gateway") == "Gateway"
	found := plain_parent(rule.namespace, parent)
	spot := {"path": array.concat(["spec", "parentRefs", i], found.field), "found": found.found}
] if {
	rule.kind == "HTTPRoute"
}

plain(rule) := [{"path": ["spec", "tls"], "found": sprintf("no tls for class '%v'", [class])} |
	class := class_of(rule.object)
	class in catalogue.routes.tls_by_spec
	count(object.get(rule.object, ["spec", "tls"], [])) == 0
	not annotated(rule.object, catalogue.routes.tls_annotations)
] if {
	rule.kind == "Ingress"
}

plain(rule) := [{"path": ["spec", "gateways", i], "found": sprintf("Gateway '%v' with HTTP alone", [name])} |
	some i
	name := rule.object.spec.gateways[i]
	gateway := istio_gateway(rule.namespace, name)
	all_plain([server |
		some server in gateway.spec.servers
	])
] if {
	rule.kind == "VirtualService"
}

class_of(ingress) := ingress.spec.ingressClassName if {
	ingress.spec.ingressClassName
} else := ingress.metadata.annotations["kubernetes.io/ingress.class"]

# A listener that the environment shows; else one whose name or port says it.
plain_parent(ns, parent) := {"field": ["sectionName"], "found": sprintf("listeners of Gateway '%v' with HTTP alone", [parent.name])} if {
	gateway := gateway_of(ns, parent)
	listeners := [listener |
		some listener in gateway.spec.listeners
		attached(parent, listener)
	]
	count(listeners) > 0
	count([listener | some listener in listeners; listener.protocol != "HTTP"]) == 0
}

plain_parent(ns, parent) := {"field": ["sectionName"], "found": sprintf("the listener '%v'", [parent.sectionName])} if {
	not gateway_of(ns, parent)
	parent.sectionName in catalogue.routes.plain_sections
}

plain_parent(ns, parent) := {"field": ["port"], "found": sprintf("port %v", [parent.port])} if {
	not gateway_of(ns, parent)
	section := object.get(parent, "sectionName", "")
	not section in catalogue.routes.plain_sections
	parent.port in catalogue.routes.plain_ports
}

attached(parent, listener) if {
	object.get(parent, "sectionName", listener.name) == listener.name
	object.get(parent, "port", listener.port) == listener.port
}

gateway_of(ns, parent) := found[0] if {
	place := routes.own_or(parent, "namespace", ns)
	found := [obj |
		some obj in objects.of_kind("Gateway")
		startswith(objects.string_at(obj, "apiVersion"), "gateway.networking.k8s.io/")
		objects.name(obj) == parent.name
		objects.namespace(obj) == place
	]
}

# "name" or "namespace/name".
istio_gateway(ns, name) := found[0] if {
	full := istio_name(ns, name)
	found := [obj |
		some obj in objects.of_kind("Gateway")
		startswith(objects.string_at(obj, "apiVersion"), "networking.istio.io/")
		refs.key_of(objects.namespace(obj), objects.name(obj)) == full
	]
}

istio_name(_, name) := name if contains(name, "/")

istio_name(ns, name) := refs.key_of(ns, name) if not contains(name, "/")

all_plain(servers) if {
	count(servers) > 0
	count([server | some server in servers; not takes_plain(server)]) == 0
}

takes_plain(server) if {
	server.port.protocol == "HTTP"
	not server.tls.httpsRedirect
}
