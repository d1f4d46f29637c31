package lockgate.references_test

import data.lockgate.lib.samples
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
