# ROL003: Services and routes of a canary.
package lockgate.rollout_routes_test

import data.lockgate.lib.testing
import data.lockgate.rollout
import rego.v1

denied(doc) := results if {
	results := rollout.deny with input as doc with data.environments as testing.environments with data.pools as testing.pools
}

ref(api_version, kind, name) := {"apiVersion": api_version, "kind": kind, "namespace": "chat-prod", "name": name}

rollout_ref := ref("argoproj.io/v1alpha1", "Rollout", "chat")

canary_path(rest) := array.concat(["spec", "strategy", "canary"], rest)

service(name, selector) := {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "chat-prod"}, "spec": {"selector": selector, "ports": [{"port": 80}]}}

services := [service("chat-stable", testing.labels), service("chat-canary", testing.labels)]

canary(fields) := testing.plus(
	testing.changed(testing.prod, "Rollout", [{"op": "replace", "path": ["spec", "strategy"], "value": {"canary": object.union(
		{"stableService": "chat-stable", "canaryService": "chat-canary", "steps": [{"setWeight": 5}, {"pause": {}}]},
		fields,
	)}}]),
	services,
)

gateway := {"trafficRouting": {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "chat", "namespace": "chat-prod"}}}}

http_route(name, rules) := {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name, "namespace": "chat-prod"}, "spec": {"rules": rules}}

sending_to(names) := {"backendRefs": [{"name": name, "port": 80} | some name in names]}

both := sending_to(["chat-stable", "chat-canary"])

routed(rules) := testing.plus(canary(gateway), [http_route("chat", rules)])

of_rollout(path, msg) := {{"id": "ROL003", "msg": msg, "object": rollout_ref, "path": canary_path(path)}}

test_rol003_whole_release_is_silent if denied(routed([both])) == set()

# Services

test_rol003_service_is_not_there if {
	denied(testing.without(canary(gateway), "Service")) == of_rollout(["stableService"], "stableService wants a Service of the environment, found 'chat-stable', which is not there") | of_rollout(["canaryService"], "canaryService wants a Service of the environment, found 'chat-canary', which is not there")
}

test_rol003_service_is_not_named if {
	every routing in [gateway.trafficRouting, {"nginx": {"stableIngress": "chat"}}, {"istio": {"virtualService": {"name": "a.b"}}}, {"smi": {}}] {
		doc := testing.changed(canary({"trafficRouting": routing}), "Rollout", [{"op": "remove", "path": ["spec", "strategy", "canary", "canaryService"]}])
		denied(doc) == of_rollout(["canaryService"], "canaryService wants a Service of the environment, found none")
	}
}

test_rol003_service_is_not_needed if {
	every fields in [{"trafficRouting": {"istio": {"destinationRule": {"name": "x"}}}}, {"trafficRouting": {"plugins": {"other": {}}}}, {"pingPong": {"pingService": "a", "pongService": "b"}}] {
		doc := testing.changed(canary(fields), "Rollout", [
			{"op": "remove", "path": ["spec", "strategy", "canary", "canaryService"]},
			{"op": "remove", "path": ["spec", "strategy", "canary", "stableService"]},
		])
		{result | some result in denied(doc); result.id == "ROL003"} == set()
	}
}

test_rol003_one_service_for_both if {
	doc := testing.plus(canary(object.union(gateway, {"canaryService": "chat-stable"})), [http_route("chat", [both])])
	msg := "canaryService wants another Service than stableService, found 'chat-stable' for both"
	denied(doc) == {{
		"id": "ROL003",
		"msg": msg,
		"object": rollout_ref,
		"path": canary_path(["canaryService"]),
		"also": [{"object": rollout_ref, "path": canary_path(["stableService"])}],
	}}
}

test_rol003_service_selects_other_pods if {
	doc := testing.changed(routed([both]), "Job", [{"op": "replace", "path": ["spec", "template", "metadata", "labels"], "value": {"job": "preload"}}])
	other := testing.plus(testing.without(doc, "Service"), [services[0], service("chat-canary", {"job": "preload"})])
	denied(other) == {{
		"id": "ROL003",
		"msg": "the selector wants labels of the pods of Rollout 'chat', found 'job' that they do not have",
		"object": ref("v1", "Service", "chat-canary"),
		"path": ["spec", "selector", "job"],
	}}
}

# A selector without any pod is another rule's, the hash the controller's, a Deployment elsewhere unknown.
test_rol003_silent_selectors if {
	bare := testing.without(routed([both]), "Service")
	denied(testing.plus(bare, [services[0], service("chat-canary", {"app": "nothing"})])) == set()
	denied(testing.plus(bare, [services[0], service("chat-canary", object.union(testing.labels, {"rollouts-pod-template-hash": "x"}))])) == set()
	elsewhere := testing.changed(routed([both]), "Rollout", [{"op": "replace", "path": ["spec", "workloadRef", "name"], "value": "other"}])
	{result | some result in denied(elsewhere); result.id == "ROL003"} == set()
}

test_rol003_own_template if {
	template := {"metadata": {"labels": {"app": "chat"}}, "spec": testing.pod}
	own := testing.changed(testing.without(routed([both]), "Deployment"), "Rollout", [
		{"op": "remove", "path": ["spec", "workloadRef"]},
		{"op": "add", "path": ["spec", "template"], "value": template},
	])
	bare := testing.without(own, "Service")
	denied(testing.plus(bare, [service("chat-stable", {"app": "chat"}), service("chat-canary", {"app": "chat"})])) == set()
}

# Routes

short(names) := {{
	"id": "ROL003",
	"msg": sprintf("wants a rule with 'chat-stable', 'chat-canary' of Rollout 'chat', found %v", [names]),
	"object": ref("gateway.networking.k8s.io/v1", "HTTPRoute", "chat"),
	"path": ["spec", "rules", 0, "backendRefs"],
}}

test_rol003_route_names_one if {
	denied(routed([sending_to(["chat-stable"])])) == short("['chat-stable']")
	denied(routed([sending_to(["chat-stable"]), sending_to(["chat-canary"])])) == short("['chat-stable']")
	denied(routed([{"backendRefs": []}])) == short("[]")
	denied(routed([sending_to(["chat-stable"]), both])) == set()
}

test_rol003_route_with_a_backend_elsewhere if {
	far := {"backendRefs": array.concat(both.backendRefs, [{"name": "chat", "namespace": "chat-canary"}])}
	denied(routed([far])) == set()
	pool := {"backendRefs": [{"name": "chat-stable"}, {"name": "chat-canary", "kind": "InferencePool"}]}
	denied(routed([pool])) == short("['chat-stable']")
}

# A backend without a Service is another rule's.
test_rol003_route_with_a_dangling_backend if denied(routed([sending_to(["chat-stable", "chat-canari"])])) == set()

test_rol003_route_is_not_there if {
	missing := of_rollout(["trafficRouting", "plugins", "argoproj-labs/gatewayAPI", "httpRoute"], "wants an HTTPRoute of the environment, found 'chat', which is not there")
	denied(testing.plus(canary(gateway), [http_route("chats", [both])])) == missing

	# Without any route in the environment it may be the platform's.
	denied(canary(gateway)) == set()
	other := {"trafficRouting": {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "chat", "namespace": "gateways"}}}}
	denied(testing.plus(canary(other), [http_route("chats", [both])])) == set()
}

# The Services stand beside the Rollout, the route may stand elsewhere.
test_rol003_route_of_another_namespace if {
	config := {"trafficRouting": {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "chat", "namespace": "gateways"}}}}
	near := {"backendRefs": [{"name": "chat-stable", "namespace": "chat-prod"}, {"name": "chat-canary", "namespace": "chat-prod"}]}
	far := object.union(http_route("chat", [near]), {"metadata": {"namespace": "gateways"}})
	denied(testing.plus(canary(config), [far])) == set()
	wrong := object.union(http_route("chat", [both]), {"metadata": {"namespace": "gateways"}})
	{result.msg | some result in denied(testing.plus(canary(config), [wrong]))} == {"wants a rule with 'chat-stable', 'chat-canary' of Rollout 'chat', found []"}
}

test_rol003_several_routes if {
	several := {"trafficRouting": {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoutes": [{"name": "chat"}, {"name": "more"}]}}}}
	doc := testing.plus(canary(several), [http_route("chat", [both]), http_route("more", [sending_to(["chat-canary"])])])
	{[result.object.name, result.path] | some result in denied(doc)} == {["more", ["spec", "rules", 0, "backendRefs"]]}
}

ingress(name, backend) := {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name, "namespace": "chat-prod"}, "spec": {"rules": [{"http": {"paths": [{"path": "/v1", "pathType": "Prefix", "backend": {"service": {"name": backend, "port": {"number": 80}}}}]}}]}}

test_rol003_nginx_names_the_stable_service if {
	routing := {"trafficRouting": {"nginx": {"stableIngress": "chat"}}}
	denied(testing.plus(canary(routing), [ingress("chat", "chat-stable")])) == set()
	denied(testing.plus(canary(routing), [ingress("chat", "chat-canary")])) == {{
		"id": "ROL003",
		"msg": "wants a rule with 'chat-stable' of Rollout 'chat', found ['chat-canary']",
		"object": ref("networking.k8s.io/v1", "Ingress", "chat"),
		"path": ["spec", "rules"],
	}}
	denied(canary(routing)) == of_rollout(["trafficRouting", "nginx", "stableIngress"], "wants an Ingress of the environment, found 'chat', which is not there")
	older := json.patch(ingress("chat", "chat-canary"), [{"op": "replace", "path": "/apiVersion", "value": "extensions/v1beta1"}])
	denied(testing.plus(canary(routing), [older])) == set()
	many := {"trafficRouting": {"nginx": {"stableIngresses": ["chat", "more"]}}}
	{result.path | some result in denied(testing.plus(canary(many), [ingress("chat", "chat-stable")]))} == {canary_path(["trafficRouting", "nginx", "stableIngresses", 1])}
}

test_rol003_alb_names_its_root_service if {
	doc := testing.plus(canary({"trafficRouting": {"alb": {"ingress": "chat", "rootService": "chat-root"}}}), [service("chat-root", testing.labels)])
	denied(testing.plus(doc, [ingress("chat", "chat-root")])) == set()
	{result.msg | some result in denied(testing.plus(doc, [ingress("chat", "chat-stable")]))} == {"wants a rule with 'chat-root' of Rollout 'chat', found ['chat-stable']"}
}

virtual(hosts) := {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "chat", "namespace": "chat-prod"}, "spec": {"http": [{"route": [{"destination": {"host": host}} | some host in hosts]}]}}

test_rol003_istio_names_both_hosts if {
	routing := {"trafficRouting": {"istio": {"virtualService": {"name": "chat"}}}}
	denied(testing.plus(canary(routing), [virtual(["chat-stable", "chat-canary.chat-prod.svc.cluster.local"])])) == set()
	{[result.path, result.msg] | some result in denied(testing.plus(canary(routing), [virtual(["chat-stable", "chat-canary.other.svc"])]))} == {[["spec", "http", 0, "route"], "wants a rule with 'chat-stable', 'chat-canary' of Rollout 'chat', found ['chat-stable']"]}
	denied(canary(routing)) == of_rollout(["trafficRouting", "istio", "virtualService", "name"], "wants a VirtualService of the environment, found 'chat', which is not there")
	subsets := {"trafficRouting": {"istio": {"virtualService": {"name": "chat"}, "destinationRule": {"name": "chat"}}}}
	denied(testing.plus(canary(subsets), [virtual(["chat"])])) == set()
}

test_rol003_silent_on_wrong_types if {
	every fields in [{"stableService": 1}, {"canaryService": ["x"]}, {"trafficRouting": "x"}, {"trafficRouting": {"plugins": []}}, {"trafficRouting": {"nginx": {"stableIngress": {}}}}] {
		{result | some result in denied(canary(fields)); result.id == "ROL003"} == set()
	}
}

test_rol003_a_part_leaves_services_and_routes_to_others if {
	denied(object.union(testing.without(canary({"trafficRouting": {"nginx": {"stableIngress": "chat"}}}), "Service"), {"partial": true})) == set()
	unnamed := testing.changed(canary(gateway), "Rollout", [{"op": "remove", "path": ["spec", "strategy", "canary", "canaryService"]}])
	denied(object.union(unnamed, {"partial": true})) == of_rollout(["canaryService"], "canaryService wants a Service of the environment, found none")
}
