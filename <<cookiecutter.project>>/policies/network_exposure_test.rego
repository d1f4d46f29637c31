# NET005: how servers are reached.
package lockgate.network_exposure_test

import data.lockgate.lib.samples
import data.lockgate.network
import rego.v1

denied(doc) := {result | some result in results; result.id == "NET005"} if {
	results := network.deny with input as doc
}

ns := "chat-prod"

finding(api_version, kind, path, msg) := {samples.result("NET005", samples.ref(api_version, kind, "chat", ns), path, msg)}

# Services

typed(type) := samples.edited(samples.prod, "Service", "chat", [{"op": "add", "path": ["spec", "type"], "value": type}])

test_net005_service_inside_the_cluster if {
	denied(samples.prod) == set()
	headless := samples.edited(samples.prod, "Service", "chat", [{"op": "remove", "path": ["spec", "type"]}, {"op": "add", "path": ["spec", "clusterIP"], "value": "None"}])
	denied(headless) == set()
}

test_net005_service_outside if {
	every type in ["LoadBalancer", "NodePort"] {
		denied(typed(type)) == finding("v1", "Service", ["spec", "type"], sprintf("a Service of servers wants type ClusterIP, found '%v'", [type]))
	}
}

# A proxy in the pod, a router beside it and a port of something else are no engine.
test_net005_service_of_something_else if {
	metrics := samples.edited(typed("LoadBalancer"), "Service", "chat", [{"op": "replace", "path": ["spec", "ports", "0", "targetPort"], "value": 9090}])
	denied(metrics) == set()
	router := samples.edited(typed("LoadBalancer"), "Service", "chat", [{"op": "replace", "path": ["spec", "selector"], "value": samples.preload_labels}])
	denied(router) == set()
	denied(typed(null)) == set()
}

test_net005_port_by_number_alone if {
	bare := samples.edited(typed("NodePort"), "Service", "chat", [{"op": "replace", "path": ["spec", "ports"], "value": [{"port": 8000}]}])
	count(denied(bare)) == 1
}

# HTTPRoute

match(path) := {"matches": [{"path": path}], "backendRefs": [{"name": "chat", "port": 80}]}

prefix(value) := match({"type": "PathPrefix", "value": value})

route(rules, parents) := samples.with_objects(samples.prod, [samples.object_of("gateway.networking.k8s.io/v1", "HTTPRoute", "chat", ns, {"spec": {"parentRefs": parents, "rules": rules}})])

https := {"name": "shared", "namespace": "gateway-system", "sectionName": "https"}

routed(rule) := denied(route([rule], [https]))

of_route(path, msg) := finding("gateway.networking.k8s.io/v1", "HTTPRoute", array.concat(["spec"], path), msg)

open_at(path, found) := of_route(path, sprintf("a route to servers wants paths below /v1 only, found %v", [found]))

value_path := ["rules", 0, "matches", 0, "path", "value"]

test_net005_paths_below_v1 if {
	every value in ["/v1", "/v1/", "/v1/chat/completions", "/health", "/ping"] {
		routed(prefix(value)) == set()
		routed(match({"type": "Exact", "value": value})) == set()
	}
	routed(match({"type": "RegularExpression", "value": "/v1/.*"})) == set()
}

test_net005_paths_beside_v1 if {
	every value in ["/", "/v", "/v10", "/invocations", "/metrics"] {
		routed(prefix(value)) == open_at(value_path, sprintf("'%v'", [value]))
	}
	routed(match({"type": "Exact", "value": "/invocations"})) == open_at(value_path, "'/invocations'")
	routed(match({"value": "/"})) == open_at(value_path, "'/'")
}

test_net005_no_match_is_every_path if {
	routed({"backendRefs": [{"name": "chat", "port": 80}]}) == open_at(["rules", 0, "matches"], "every path")
	routed({"matches": [], "backendRefs": [{"name": "chat"}]}) == open_at(["rules", 0, "matches"], "every path")
	routed({"matches": [{"headers": [{"name": "x", "value": "y"}]}], "backendRefs": [{"name": "chat"}]}) == open_at(value_path, "'/'")
}

rewriting(value, new) := object.union(prefix(value), {"filters": [{"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": new}}}]})

test_net005_what_the_engine_is_asked_for_counts if {
	routed(rewriting("/chat", "/v1")) == set()
	routed(rewriting("/chat", "/")) == open_at(value_path, "'/chat' rewritten to '/'")
	routed(rewriting("/v1", "/")) == open_at(value_path, "'/v1' rewritten to '/'")
}

test_net005_rules_that_lead_elsewhere if {
	every backends in [
		[{"name": "router", "port": 80}],
		[{"name": "chat", "port": 9090}],
		[{"name": "chat", "namespace": "chat-canary", "port": 80}],
		[{"name": "chat", "kind": "ServiceImport"}],
		[],
	] {
		routed({"backendRefs": backends}) == set()
	}
	routed({"filters": [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}}]}) == set()
}

test_net005_paths_that_something_else_guards if {
	extension := object.union(prefix("/"), {"filters": [{"type": "ExtensionRef", "extensionRef": {"name": "auth"}}]})
	routed(extension) == set()
	guarded := samples.with_objects(route([prefix("/")], [https]), [samples.object_of("gateway.envoyproxy.io/v1alpha1", "SecurityPolicy", "auth", ns, {"spec": {}})])
	denied(guarded) == set()
}

pool(selector) := samples.object_of("inference.networking.k8s.io/v1", "InferencePool", "chat", ns, {"spec": {"selector": selector, "targetPorts": [{"number": 8000}]}})

pooled := {"backendRefs": [{"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "chat"}]}

test_net005_inference_pool if {
	denied(samples.with_objects(route([pooled], [https]), [pool({"matchLabels": samples.server_labels})])) == open_at(["rules", 0, "matches"], "every path")
	older := json.patch(pool(samples.server_labels), [
		{"op": "replace", "path": "/apiVersion", "value": "inference.networking.x-k8s.io/v1alpha2"},
		{"op": "remove", "path": "/spec/targetPorts"},
		{"op": "add", "path": "/spec/targetPortNumber", "value": 8000},
	])
	denied(samples.with_objects(route([pooled], [https]), [older])) == open_at(["rules", 0, "matches"], "every path")

	# Not in sight, of another port, of other pods.
	denied(route([pooled], [https])) == set()
	denied(samples.with_objects(route([pooled], [https]), [pool({"matchLabels": samples.preload_labels})])) == set()
}

# TLS

under(parent) := denied(route([prefix("/v1")], [parent]))

plain(field, found) := of_route(["parentRefs", 0, field], sprintf("a route to servers wants TLS, found %v", [found]))

test_net005_listener_that_says_plain if {
	under({"name": "shared", "namespace": "gateway-system", "sectionName": "http"}) == plain("sectionName", "the listener 'http'")
	under({"name": "shared", "namespace": "gateway-system", "port": 80}) == plain("port", "port 80")
	under({"name": "shared", "namespace": "gateway-system", "port": 443}) == set()
}

# The Gateway is the platform's; a mesh's parent is a Service.
test_net005_listener_out_of_sight if {
	under({"name": "shared", "namespace": "gateway-system"}) == set()
	under({"group": "", "kind": "Service", "name": "chat", "port": 80}) == set()
}

with_gateway(parent, listeners) := denied(samples.with_objects(
	route([prefix("/v1")], [parent]),
	[samples.object_of("gateway.networking.k8s.io/v1", "Gateway", "own", ns, {"spec": {"listeners": listeners}})],
))

web := {"name": "http", "port": 80, "protocol": "HTTP"}

secure := {"name": "https", "port": 443, "protocol": "HTTPS"}

test_net005_listeners_in_sight if {
	with_gateway({"name": "own"}, [web]) == plain("sectionName", "listeners of Gateway 'own' with HTTP alone")
	with_gateway({"name": "own"}, [web, secure]) == set()
	with_gateway({"name": "own", "sectionName": "http"}, [web, secure]) == plain("sectionName", "listeners of Gateway 'own' with HTTP alone")
	with_gateway({"name": "own", "sectionName": "https"}, [web, secure]) == set()
	with_gateway({"name": "own", "sectionName": "http"}, [{"name": "http", "port": 443, "protocol": "HTTPS"}]) == set()
}

# Ingress

ingress(path, spec, annotations) := samples.with_objects(samples.prod, [{
	"apiVersion": "networking.k8s.io/v1",
	"kind": "Ingress",
	"metadata": {"name": "chat", "namespace": ns, "annotations": annotations},
	"spec": object.union({"ingressClassName": "nginx", "tls": [{"hosts": ["x"]}], "rules": [{"http": {"paths": [object.union(path, {"backend": {"service": {"name": "chat", "port": {"number": 80}}}})]}}]}, spec),
}])

entry(path) := {"path": path, "pathType": "Prefix"}

of_ingress(path, msg) := finding("networking.k8s.io/v1", "Ingress", path, msg)

ingress_path := ["spec", "rules", 0, "http", "paths", 0, "path"]

test_net005_ingress_paths if {
	denied(ingress(entry("/v1"), {}, {})) == set()
	denied(ingress(entry("/v1/*"), {}, {})) == set()
	every value in ["/", "/*", "/invocations"] {
		denied(ingress(entry(value), {}, {})) == of_ingress(ingress_path, sprintf("a route to servers wants paths below /v1 only, found '%v'", [value]))
	}
	denied(ingress({"pathType": "ImplementationSpecific"}, {}, {})) == of_ingress(ingress_path, "a route to servers wants paths below /v1 only, found '/'")
}

test_net005_ingress_paths_of_others if {
	denied(ingress(entry("/api(/|$)(.*)"), {}, {})) == set()
	denied(ingress(entry("/"), {}, {"nginx.ingress.kubernetes.io/rewrite-target": "/v1/$1"})) == set()
	denied(ingress(entry("/"), {}, {"nginx.ingress.kubernetes.io/auth-url": "http://auth"})) == set()
}

test_net005_ingress_default_backend if {
	doc := ingress(entry("/v1"), {"defaultBackend": {"service": {"name": "chat", "port": {"name": "http"}}}}, {})
	denied(doc) == of_ingress(["spec", "defaultBackend"], "a route to servers wants paths below /v1 only, found every path")
}

test_net005_ingress_tls if {
	expected := of_ingress(["spec", "tls"], "a route to servers wants TLS, found no tls for class 'nginx'")
	denied(ingress(entry("/v1"), {"tls": []}, {})) == expected
	older := ingress(entry("/v1"), {"tls": [], "ingressClassName": false}, {"kubernetes.io/ingress.class": "nginx"})
	denied(older) == expected
}

# Some classes and annotations bring the certificate.
test_net005_ingress_tls_elsewhere if {
	denied(ingress(entry("/v1"), {"tls": [], "ingressClassName": "alb"}, {})) == set()
	denied(ingress(entry("/v1"), {"tls": [], "ingressClassName": false}, {})) == set()
	denied(ingress(entry("/v1"), {"tls": [], "ingressClassName": "traefik"}, {"traefik.ingress.kubernetes.io/router.entrypoints": "websecure"})) == set()
}

# VirtualService

virtual(http, gateways) := samples.with_objects(samples.prod, [samples.object_of("networking.istio.io/v1", "VirtualService", "chat", ns, {"spec": {"hosts": ["x"], "gateways": gateways, "http": [http]}})])

to_chat(fields) := object.union({"route": [{"destination": {"host": "chat", "port": {"number": 80}}}]}, fields)

of_virtual(path, msg) := finding("networking.istio.io/v1", "VirtualService", array.concat(["spec"], path), msg)

test_net005_virtual_service_paths if {
	open := "a route to servers wants paths below /v1 only, found %v"
	denied(virtual(to_chat({"match": [{"uri": {"prefix": "/v1"}}]}), ["istio-system/web"])) == set()
	denied(virtual(to_chat({"match": [{"uri": {"prefix": "/"}}]}), ["istio-system/web"])) == of_virtual(["http", 0, "match", 0, "uri", "prefix"], sprintf(open, ["'/'"]))
	denied(virtual(to_chat({"match": [{"uri": {"exact": "/metrics"}}]}), ["istio-system/web"])) == of_virtual(["http", 0, "match", 0, "uri", "exact"], sprintf(open, ["'/metrics'"]))
	denied(virtual(to_chat({}), ["istio-system/web"])) == of_virtual(["http", 0, "match"], sprintf(open, ["every path"]))
	denied(virtual(to_chat({"match": [{"headers": {}}]}), ["istio-system/web"])) == of_virtual(["http", 0, "match", 0, "uri"], sprintf(open, ["'/'"]))
	denied(virtual(to_chat({"match": [{"uri": {"prefix": "/chat"}}], "rewrite": {"uri": "/v1"}}), ["istio-system/web"])) == set()
}

test_net005_virtual_service_of_the_mesh if {
	denied(virtual(to_chat({}), ["mesh"])) == set()
	denied(virtual(to_chat({}), [])) == set()
	denied(virtual(to_chat({"match": [{"uri": {"regex": ".*"}}]}), ["istio-system/web"])) == set()
}

istio(servers) := samples.object_of("networking.istio.io/v1", "Gateway", "web", ns, {"spec": {"servers": servers}})

test_net005_virtual_service_tls if {
	v1 := to_chat({"match": [{"uri": {"prefix": "/v1"}}]})
	http := {"port": {"number": 80, "protocol": "HTTP"}}
	tls := {"port": {"number": 443, "protocol": "HTTPS"}}
	redirect := object.union(http, {"tls": {"httpsRedirect": true}})
	expected := of_virtual(["gateways", 0], "a route to servers wants TLS, found Gateway 'web' with HTTP alone")
	denied(samples.with_objects(virtual(v1, ["web"]), [istio([http])])) == expected
	denied(samples.with_objects(virtual(v1, ["web"]), [istio([http, tls])])) == set()
	denied(samples.with_objects(virtual(v1, ["web"]), [istio([redirect])])) == set()
	denied(samples.with_objects(virtual(v1, ["istio-system/web"]), [istio([http])])) == set()
}

test_net005_silent_on_wrong_types if {
	every rule in ["x", {"backendRefs": "chat"}, {"backendRefs": [{"name": 1}]}, object.union(prefix("/v1"), {"filters": "x"}), match({"type": 1, "value": 2})] {
		routed(rule) == set()
	}
	under("x") == set()
	denied(virtual("x", ["web"])) == set()
	denied(ingress({"path": 1}, {"tls": "x"}, {})) == set()
}
