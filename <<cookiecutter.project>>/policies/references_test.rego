package lockgate.references_test

import data.lockgate.lib.samples
import data.lockgate.lib.testing
import data.lockgate.references
import rego.v1

denied(doc) := results if {
	results := references.deny with input as doc
}

of_server(path, msg) := {samples.result("REF001", samples.deployment_ref, samples.server_path(path), msg)}

of_pod(path, msg) := {samples.result("REF001", samples.deployment_ref, samples.pod_path(path), msg)}

service_ref := samples.ref("v1", "Service", "chat", "chat-prod")

of_service(path, msg) := {samples.result("REF002", service_ref, path, msg)}

service_edited(operations) := samples.edited(samples.prod, "Service", "chat", operations)

test_whole_service_is_silent if denied(samples.prod) == set()

test_ref001_config_map if {
	denied(samples.without_object(samples.prod, "ConfigMap", "chat-serve")) == of_pod(["volumes", 0, "configMap", "name"], "wants a ConfigMap 'chat-serve', found none in the environment")
}

test_ref001_secret if {
	denied(samples.without_object(samples.prod, "ExternalSecret", "chat-api-key")) == of_server(["env", 0, "valueFrom", "secretKeyRef", "name"], "wants a Secret 'chat-api-key', found none in the environment")
}

test_ref001_optional_is_silent if denied(samples.without_object(samples.prod, "ExternalSecret", "chat-hf-token")) == set()

test_ref001_key if {
	doc := samples.edited(samples.prod, "ExternalSecret", "chat-api-key", [{"op": "replace", "path": ["spec", "data", "0", "secretKey"], "value": "key"}])
	denied(doc) == of_server(["env", 0, "valueFrom", "secretKeyRef", "key"], "wants the key 'api-key' in Secret 'chat-api-key', found ['key']")
}

# What makes the Secret decides which keys are known.
test_ref001_makers_of_a_secret if {
	bare := samples.without_object(samples.prod, "ExternalSecret", "chat-api-key")
	every maker in [
		samples.object_of("v1", "Secret", "chat-api-key", "chat-prod", {"stringData": {"api-key": "x"}}),
		samples.object_of("bitnami.com/v1alpha1", "SealedSecret", "chat-api-key", "chat-prod", {"spec": {"encryptedData": {"api-key": "AgBy"}}}),
		samples.object_of("bitnami.com/v1alpha1", "SealedSecret", "other", "chat-prod", {"spec": {"encryptedData": {"api-key": "AgBy"}, "template": {"metadata": {"name": "chat-api-key"}}}}),
		samples.object_of("external-secrets.io/v1", "ExternalSecret", "other", "chat-prod", {"spec": {"target": {"name": "chat-api-key"}, "dataFrom": [{"extract": {"key": "chat"}}]}}),
		samples.object_of("external-secrets.io/v1", "ExternalSecret", "chat-api-key", "chat-prod", {"spec": {"target": {"template": {"data": {}}}, "data": []}}),
		samples.object_of("cert-manager.io/v1", "Certificate", "tls", "chat-prod", {"spec": {"secretName": "chat-api-key"}}),
	] {
		denied(samples.with_objects(bare, [maker])) == set()
	}
}

test_ref001_external_secret_that_makes_none if {
	doc := samples.edited(samples.prod, "ExternalSecret", "chat-api-key", [{"op": "add", "path": ["spec", "target", "creationPolicy"], "value": "None"}])
	denied(doc) == of_server(["env", 0, "valueFrom", "secretKeyRef", "name"], "wants a Secret 'chat-api-key', found none in the environment")
}

test_ref001_other_namespace_does_not_count if {
	doc := samples.edited(samples.prod, "ConfigMap", "chat-serve", [{"op": "replace", "path": ["metadata", "namespace"], "value": "chat-dev"}])
	{result.path | some result in denied(doc)} == {samples.pod_path(["volumes", 0, "configMap", "name"])}
}

test_ref001_claim if {
	found := denied(samples.without_object(samples.prod, "PersistentVolumeClaim", "chat-models"))
	found == {
		samples.result("REF001", samples.deployment_ref, samples.pod_path(["volumes", 1, "persistentVolumeClaim", "claimName"]), "wants a PersistentVolumeClaim 'chat-models', found none in the environment"),
		samples.result("REF001", samples.job_ref, samples.pod_path(["volumes", 0, "persistentVolumeClaim", "claimName"]), "wants a PersistentVolumeClaim 'chat-models', found none in the environment"),
	}
}

test_ref001_service_account if {
	doc := samples.pod_edited(samples.prod, [{"op": "replace", "path": ["serviceAccountName"], "value": "chat2"}])
	denied(doc) == of_pod(["serviceAccountName"], "wants a ServiceAccount 'chat2', found none in the environment")
}

test_ref001_provided_names_are_silent if {
	denied(samples.pod_edited(samples.prod, [{"op": "replace", "path": ["serviceAccountName"], "value": "default"}])) == set()
	denied(samples.pod_edited(samples.prod, [{"op": "add", "path": ["volumes", "-"], "value": {"name": "ca", "configMap": {"name": "kube-root-ca.crt"}}}])) == set()
}

test_ref001_priority_class if {
	doc := samples.pod_edited(samples.prod, [{"op": "add", "path": ["priorityClassName"], "value": "system-critical"}])
	denied(doc) == of_pod(["priorityClassName"], "wants a PriorityClass 'system-critical', found no such built-in class")
	denied(samples.pod_edited(samples.prod, [{"op": "add", "path": ["priorityClassName"], "value": "system-cluster-critical"}])) == set()
	denied(samples.pod_edited(samples.prod, [{"op": "add", "path": ["priorityClassName"], "value": "gpu-serving"}])) == set()
}

test_ref001_items if {
	items := {"op": "add", "path": ["volumes", "0", "configMap", "items"], "value": [{"key": "vllm.yaml", "path": "serve.yaml"}]}
	denied(samples.pod_edited(samples.prod, [items])) == of_pod(["volumes", 0, "configMap", "items", 0, "key"], "wants the key 'vllm.yaml' in ConfigMap 'chat-serve', found ['serve.yaml']")
}

test_ref001_projected if {
	sources := {"op": "add", "path": ["volumes", "-"], "value": {"name": "all", "projected": {"sources": [
		{"secret": {"name": "chat-api-key"}},
		{"configMap": {"name": "gone"}},
	]}}}
	denied(samples.pod_edited(samples.prod, [sources])) == of_pod(["volumes", 3, "projected", "sources", 1, "configMap", "name"], "wants a ConfigMap 'gone', found none in the environment")
}

test_ref001_env_from if {
	source := {"op": "add", "path": ["envFrom"], "value": [{"configMapRef": {"name": "gone"}}, {"secretRef": {"name": "gone", "optional": true}}]}
	denied(samples.server_edited(samples.prod, [source])) == of_server(["envFrom", 0, "configMapRef", "name"], "wants a ConfigMap 'gone', found none in the environment")
}

test_ref001_pull_secret if {
	denied(samples.pod_edited(samples.prod, [{"op": "add", "path": ["imagePullSecrets"], "value": [{"name": "gone"}]}])) == of_pod(["imagePullSecrets", 0, "name"], "wants a Secret 'gone', found none in the environment")
}

# The engine's configuration file is a key of the mounted ConfigMap.
test_ref001_config_file if {
	doc := samples.edited(samples.prod, "ConfigMap", "chat-serve", [{"op": "move", "from": ["data", "serve.yaml"], "path": ["data", "vllm.yaml"]}])
	denied(doc) == of_server(["args", 0], "wants the key 'serve.yaml' in ConfigMap 'chat-serve', found ['vllm.yaml']")
}

test_ref002_nothing_selected if {
	[found] := [result | some result in denied(service_edited([{"op": "replace", "path": ["spec", "selector"], "value": {"app": "chat"}}]))]
	{object.remove(found, ["also"])} == of_service(["spec", "selector"], "the selector wants a pod template with its labels, found none with app=chat")
	[place.path | some place in found.also] == [["spec", "selector", "app"]]
}

# A label that moves is the fault, whether it matches today or not.
test_ref002_moving_label if {
	expected := of_service(["spec", "selector", "app.kubernetes.io/version"], "the selector wants labels that last, found 'app.kubernetes.io/version'")
	added := {"op": "add", "path": ["spec", "selector", "app.kubernetes.io/version"], "value": "0.32.0"}
	denied(service_edited([added])) == expected
	labelled := samples.edited(service_edited([added]), "Deployment", "chat", [{"op": "add", "path": ["spec", "template", "metadata", "labels", "app.kubernetes.io/version"], "value": "0.32.0"}])
	denied(labelled) == expected
}

test_ref002_target_port if {
	denied(service_edited([{"op": "replace", "path": ["spec", "ports", "0", "targetPort"], "value": "web"}])) == of_service(["spec", "ports", 0, "targetPort"], "the target port wants a port of the selected pods (http 8000), found 'web'")
	denied(service_edited([{"op": "replace", "path": ["spec", "ports", "0", "targetPort"], "value": 8080}])) == of_service(["spec", "ports", 0, "targetPort"], "the target port wants a port of the selected pods (http 8000), found '8080'")
	denied(service_edited([{"op": "remove", "path": ["spec", "ports", "0", "targetPort"]}])) == of_service(["spec", "ports", 0, "port"], "the target port wants a port of the selected pods (http 8000), found '80'")
	denied(service_edited([{"op": "replace", "path": ["spec", "ports", "0", "targetPort"], "value": 8000}])) == set()
}

test_ref002_pods_without_declared_ports_are_silent if {
	doc := samples.edited(service_edited([{"op": "replace", "path": ["spec", "ports", "0", "targetPort"], "value": 9000}]), "Deployment", "chat", [{"op": "remove", "path": ["spec", "template", "spec", "containers", "0", "ports"]}])
	denied(doc) == set()
}

test_ref002_services_without_a_selector_are_silent if {
	denied(service_edited([{"op": "remove", "path": ["spec", "selector"]}])) == set()
	denied(service_edited([{"op": "replace", "path": ["spec", "selector"], "value": {"app": "x"}}, {"op": "replace", "path": ["spec", "type"], "value": "ExternalName"}])) == set()
}

partly(doc) := object.union(doc, {"partial": true})

test_ref001_what_a_part_leaves_out_may_be_there if {
	denied(partly(samples.without_object(samples.prod, "PersistentVolumeClaim", "chat-models"))) == set()
	denied(partly(samples.without_object(samples.prod, "ConfigMap", "chat-serve"))) == set()
}

test_ref001_a_key_is_judged_in_a_part_too if {
	doc := samples.edited(samples.prod, "ConfigMap", "chat-serve", [{"op": "replace", "path": ["data"], "value": {"other.yaml": ""}}])
	{result.id | some result in denied(partly(doc))} == {"REF001"}
}

test_ref002_pods_of_a_part_may_be_elsewhere if {
	doc := service_edited([{"op": "replace", "path": ["spec", "selector"], "value": {"app": "x"}}])
	count(denied(doc)) == 1
	denied(partly(doc)) == set()
}

test_ref002_labels_of_controllers_are_on_no_template if {
	added(label) == set()
	added("job-name") == set()
	added("leaderworkerset.sigs.k8s.io/name") == set()
	count(added("leaderworkerset")) == 1
}

label := "batch.kubernetes.io/job-name"

added(name) := denied(service_edited([{"op": "add", "path": ["spec", "selector", name], "value": "chat"}]))

test_ref002_a_number_that_no_container_lists_may_be_listened_on if {
	web := {
		"apiVersion": "apps/v1",
		"kind": "Deployment",
		"metadata": {"name": "web", "namespace": "n"},
		"spec": {"template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "example.com/web:1", "ports": [{"containerPort": 9443}]}]}}},
	}
	denied({"environment": "prod", "objects": [web, service(8443)]}) == set()
	msg := "the target port wants a port of the selected pods (9443), found 'metrics'"
	denied({"environment": "prod", "objects": [web, service("metrics")]}) == {samples.result("REF002", samples.ref("v1", "Service", "web", "n"), ["spec", "ports", 0, "targetPort"], msg)}
}

service(port) := {
	"apiVersion": "v1",
	"kind": "Service",
	"metadata": {"name": "web", "namespace": "n"},
	"spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": port}]},
}

# REF003

ref003(doc) := {result |
	some result in references.deny with input as doc with data.environments as testing.environments
	result.id == "REF003"
}

scaling(target) := testing.changed(testing.prod, "HorizontalPodAutoscaler", [{"op": "replace", "path": ["spec", "scaleTargetRef"], "value": target}])

target_fault(field, msg) := {samples.result("REF003", samples.ref("autoscaling/v2", "HorizontalPodAutoscaler", "chat", "chat-prod"), ["spec", "scaleTargetRef", field], msg)}

rollout := {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "chat"}

test_ref003_targets if {
	ref003(testing.prod) == set()
	ref003(scaling(object.union(rollout, {"name": "chats"}))) == target_fault("name", "scaleTargetRef wants a Rollout of this name, found none named 'chats'")
	ref003(scaling(object.union(rollout, {"apiVersion": "apps/v1", "kind": "StatefulSet"}))) == target_fault("kind", "scaleTargetRef wants the Deployment 'chat', found a StatefulSet 'chat'")
	ref003(scaling(object.union(rollout, {"apiVersion": "apps/v1"}))) == target_fault("apiVersion", "scaleTargetRef wants the group 'argoproj.io' of the Rollout, found 'apps'")
	ref003(scaling({"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"})) == target_fault("kind", "scaleTargetRef wants the Rollout 'chat', whose pods they are, found the Deployment that lends it the template")
}

test_ref003_silent_on_targets_that_nobody_can_know if {
	every target in [7, {}, {"kind": "Rollout"}, {"name": ["chat"]}] {
		ref003(scaling(target)) == set()
	}
	operated := testing.plus(scaling(object.union(rollout, {"name": "chats"})), [{"apiVersion": "acme.io/v1", "kind": "Server", "metadata": {"name": "s"}}])
	ref003(operated) == set()
}

test_ref003_a_scaled_objects_default_is_a_deployment if {
	scaled := samples.object_of("keda.sh/v1alpha1", "ScaledObject", "chat", "chat-dev", {"spec": {"scaleTargetRef": {"name": "other"}}})
	{result.msg | some result in ref003(testing.plus(testing.dev, [scaled]))} == {"scaleTargetRef wants a Deployment of this name, found none named 'other'"}
}

budget(spec) := testing.plus(testing.prod, [samples.object_of("policy/v1", "PodDisruptionBudget", "chat", "chat-prod", {"spec": spec})])

test_ref003_budgets if {
	ref := samples.ref("policy/v1", "PodDisruptionBudget", "chat", "chat-prod")
	ref003(budget({"selector": {"matchLabels": testing.labels}})) == set()
	ref003(budget({"selector": {}})) == set()
	ref003(budget({})) == {samples.result("REF003", ref, ["spec", "selector"], "the PodDisruptionBudget wants a selector that matches a pod, found none")}
	ref003(budget({"selector": {"matchLabels": {"app": "x"}}})) == {samples.result("REF003", ref, ["spec", "selector", "matchLabels", "app"], "the PodDisruptionBudget wants a selector that matches a pod, found app=x")}
	ref003(budget({"selector": {"matchLabels": {"job-name": "chat"}}})) == set()
	ref003(budget({"selector": "app=x"})) == set()
}

policy(spec) := testing.plus(testing.prod, [samples.policy("chat-prod", "chat", spec)])

test_ref003_network_policies if {
	result := samples.result("REF003", samples.policy_ref("chat"), ["spec", "podSelector", "matchLabels", "app"], "the NetworkPolicy wants a podSelector that matches a pod, found app=x")
	ref003(policy({"podSelector": {"matchLabels": {"app": "x"}}})) == {result}
	{other.msg | some other in ref003(policy({"podSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}))} == {"the NetworkPolicy wants a podSelector that matches a pod, found matchExpressions"}
	every selector in [{}, null, {"matchLabels": testing.labels}, {"matchExpressions": [{"key": "batch.kubernetes.io/job-name", "operator": "Exists"}]}] {
		ref003(policy({"podSelector": selector})) == set()
	}
	elsewhere := testing.plus(testing.prod, [samples.policy("other", "chat", {"podSelector": {"matchLabels": {"app": "x"}}})])
	ref003(elsewhere) == set()
}

routed(kind, backend) := testing.plus(testing.prod, [
	samples.service("chat-prod"),
	samples.object_of("gateway.networking.k8s.io/v1", kind, "chat", "chat-prod", {"spec": {"rules": [{"backendRefs": [backend]}]}}),
])

backend_fault(field, msg) := {samples.result("REF003", samples.ref("gateway.networking.k8s.io/v1", "HTTPRoute", "chat", "chat-prod"), ["spec", "rules", 0, "backendRefs", 0, field], msg)}

test_ref003_backends if {
	ref003(routed("HTTPRoute", {"name": "chat", "port": 80})) == set()
	ref003(routed("HTTPRoute", {"name": "chats", "port": 80})) == backend_fault("name", "a backend wants a Service of the environment, found none named 'chats'")
	ref003(routed("HTTPRoute", {"name": "chat", "port": 8000})) == backend_fault("port", "a backend wants a port of the Service 'chat' (80), found 8000")
	ref003(routed("HTTPRoute", {"group": "core", "name": "chat"})) == backend_fault("group", "a backend of kind Service wants the group '', found 'core'")
	every backend in [
		{"name": "chats", "namespace": "other"},
		{"name": "pool", "kind": "InferencePool", "group": "inference.networking.k8s.io"},
		{"name": "chat"},
		{"name": "chat", "port": "80"},
		{"name": 7},
	] {
		ref003(routed("GRPCRoute", backend)) == set()
	}
}

ingress(name, number) := testing.plus(testing.prod, [samples.service("chat-prod"), samples.object_of("networking.k8s.io/v1", "Ingress", "chat", "chat-prod", {"spec": {
	"defaultBackend": {"service": {"name": "chat", "port": {"name": "http"}}},
	"rules": [{"http": {"paths": [{"backend": {"service": {"name": name, "port": {"number": number}}}}]}}],
}})])

test_ref003_backends_of_an_ingress if {
	ref := samples.ref("networking.k8s.io/v1", "Ingress", "chat", "chat-prod")
	path := ["spec", "rules", 0, "http", "paths", 0, "backend", "service"]
	ref003(ingress("chat", 80)) == set()
	ref003(ingress("chats", 80)) == {samples.result("REF003", ref, array.concat(path, ["name"]), "a backend wants a Service of the environment, found none named 'chats'")}
	ref003(ingress("chat", 81)) == {samples.result("REF003", ref, array.concat(path, ["port", "number"]), "a backend wants a port of the Service 'chat' (80), found 81")}
}

test_ref003_a_rollouts_route_without_its_services_is_rol003s if {
	steered := testing.changed(routed("HTTPRoute", {"name": "chats", "port": 80}), "Rollout", [{"op": "add", "path": ["spec", "strategy", "canary"], "value": {
		"stableService": "chat",
		"canaryService": "chat-canary",
		"trafficRouting": {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "chat"}}},
	}}])
	ref003(steered) == set()
	alone := testing.changed(steered, "Rollout", [{"op": "replace", "path": ["spec", "strategy", "canary", "trafficRouting"], "value": {"nginx": {"stableIngress": "x"}}}])
	count(ref003(alone)) == 1
}

# REF004

ref004(doc) := {result |
	some result in references.deny with input as doc with data.environments as testing.environments
	result.id == "REF004"
}

query(labels) := {
	"object": samples.ref("monitoring.coreos.com/v1", "PrometheusRule", "chat", "chat-prod"),
	"path": ["spec", "groups", 0, "rules", 0, "expr"],
	"source": "alert",
	"error": "",
	"metrics": [{"name": "vllm:num_requests_waiting", "labels": labels}],
}

serving := testing.serving(testing.prod, "model: Qwen/Qwen3-14B\nserved-model-name: [qwen3-14b, qwen3]\ntensor-parallel-size: 2\n")

asking(queries) := object.union(serving, {"queries": queries})

model(op, value) := {"name": "model_name", "op": op, "value": value}

alert_fault(value) := {samples.result("REF004", samples.ref("monitoring.coreos.com/v1", "PrometheusRule", "chat", "chat-prod"), ["spec", "groups", 0, "rules", 0, "expr"], sprintf("the alert of vllm:num_requests_waiting wants the served model name ['qwen3-14b'], found '%s'", [value]))}

test_ref004_queries if {
	ref004(asking([query([model("=", "qwen3-14b")])])) == set()
	ref004(asking([query([model("=", "qwen3")])])) == alert_fault("qwen3")
	ref004(asking([query([model("=", "Qwen/Qwen3-14B")])])) == alert_fault("Qwen/Qwen3-14B")
	ref004(asking([query([model("=~", "llama.*|mistral")])])) == alert_fault("llama.*|mistral")
	every label in [model("=~", "qwen.*"), model("!=", "x"), model("!~", "x"), model("=", null), model("=", ""), model("=~", "(")] {
		ref004(asking([query([label])])) == set()
	}
}

test_ref004_other_environments_have_other_names if {
	ref004(asking([query([model("=", "old"), {"name": "namespace", "op": "=", "value": "chat-dev"}])])) == set()
	ref004(asking([query([model("=", "old"), {"name": "environment", "op": "=", "value": "dev"}])])) == set()
	ref004(asking([query([model("=", "old"), {"name": "namespace", "op": "=~", "value": "chat-(dev|prod)"}])])) == alert_fault("old")
	ref004(asking([query([model("=", "old"), {"name": "namespace", "op": "=", "value": null}])])) == alert_fault("old")
}

test_ref004_the_engine_is_to_change_where_all_others_agree if {
	ref004(asking([query([model("=", "old")]), query([model("=", "old")])])) == {samples.result("REF004", samples.config_ref, ["data", "serve.yaml", "served-model-name"], "the served model name wants to be 'old', which 2 places name, found ['qwen3-14b']")}
	count(ref004(asking([query([model("=", "old")]), query([model("=", "older")])]))) == 2
}

test_ref004_the_model_is_the_name_unless_said if {
	doc := object.union(testing.prod, {"queries": [query([model("=", "Qwen/Qwen3-14B")])]})
	ref004(doc) == set()
	unknown := object.union(testing.server(testing.prod, {"args": ["--served-model-name=$(NAME)"]}), {"queries": [query([model("=", "old")])]})
	ref004(unknown) == set()
}

headed(value) := testing.plus(serving, [samples.object_of("gateway.networking.k8s.io/v1", "HTTPRoute", "chat", "chat-prod", {"spec": {"rules": [{"matches": [{"headers": [{
	"name": "X-Model",
	"value": value,
}]}]}]}})])

inference(spec) := testing.plus(serving, [samples.object_of("inference.networking.x-k8s.io/v1alpha2", "InferenceModel", "chat", "chat-prod", {"spec": spec})])

test_ref004_routes_and_inference_models if {
	ref004(headed("qwen3")) == set()
	{result.msg | some result in ref004(headed("other"))} == {"the route's header X-Model wants the served model name ['qwen3-14b'], found 'other'"}
	shared := testing.changed(headed("other"), "HTTPRoute", [{"op": "add", "path": ["spec", "rules", "0", "backendRefs"], "value": [{"name": "a"}, {"name": "b", "namespace": "c"}]}])
	count(ref004(shared)) == 1
	elsewhere := testing.changed(headed("other"), "HTTPRoute", [{"op": "add", "path": ["spec", "rules", "0", "backendRefs"], "value": [{"name": "b", "namespace": "c"}]}])
	ref004(elsewhere) == set()
	adapters := testing.serving(headed("other"), "model: Qwen/Qwen3-14B\nserved-model-name: qwen3-14b\nenable-lora: true\n")
	ref004(adapters) == set()
	{result.path | some result in ref004(inference({"modelName": "other"}))} == {["spec", "modelName"]}
	ref004(inference({"modelName": "other", "targetModels": [{"name": "qwen3"}]})) == set()
}

selected(value) := testing.changed(serving, "HorizontalPodAutoscaler", [{"op": "add", "path": ["spec", "metrics"], "value": [{"type": "External", "external": {"metric": {"name": "x", "selector": {"matchLabels": {"model_name": value}}}}}]}])

test_ref004_selectors_of_metrics if {
	ref004(selected("qwen3-14b")) == set()
	{result.path | some result in ref004(selected("qwen3"))} == {["spec", "metrics", 0, "external", "metric", "selector", "matchLabels", "model_name"]}
	ref004(testing.serving(selected("qwen3"), "model: Qwen/Qwen3-14B\n")) == set()
}
