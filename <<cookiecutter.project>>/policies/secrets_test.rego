package lockgate.secrets_test

import data.lockgate.lib.samples
import data.lockgate.secrets
import rego.v1

# Made up for the tests, in parts, so that no scanner takes this file for a leak.
token := concat("", ["hf", "_", "abcdefghijklmnopqrstuvwxyz01234567"])

shown := "Hugging Face token 'hf_a...' of 37 characters"

denied(doc) := results if {
	results := secrets.deny with input as doc
}

of_server(id, path, msg) := {samples.result(id, samples.deployment_ref, samples.server_path(path), msg)}

test_service_is_silent if denied(samples.prod) == set()

secret(fields) := samples.object_of("v1", "Secret", "chat-hf-token", "chat-prod", fields)

secret_ref := samples.ref("v1", "Secret", "chat-hf-token", "chat-prod")

test_key001_plain if {
	denied(samples.with_objects(samples.prod, [secret({"data": {"token": "YWJj"}})])) == {samples.result(
		"KEY001", secret_ref, ["data"],
		"a Secret of the repository wants encrypted values, found plain 'token' in data",
	)}
	denied(samples.with_objects(samples.prod, [secret({"stringData": {"b": "x", "a": "y"}})])) == {samples.result(
		"KEY001", secret_ref, ["stringData"],
		"a Secret of the repository wants encrypted values, found plain 'a', 'b' in stringData",
	)}
}

test_key001_sops if {
	encrypted := {"sops": {"mac": "ENC[AES256_GCM,data:x]"}, "data": {"token": "ENC[AES256_GCM,data:x,type:str]"}}
	denied(samples.with_objects(samples.prod, [secret(encrypted)])) == set()
	half := object.union(encrypted, {"data": {"token": "ENC[AES256_GCM,data:x,type:str]", "other": "YWJj"}})
	{result.msg | some result in denied(samples.with_objects(samples.prod, [secret(half)]))} == {"a Secret of the repository wants encrypted values, found plain 'other' in data"}
	without_metadata := {"data": {"token": "ENC[AES256_GCM,data:x,type:str]"}}
	{result.id | some result in denied(samples.with_objects(samples.prod, [secret(without_metadata)]))} == {"KEY001"}
}

test_key001_empty_is_silent if {
	denied(samples.with_objects(samples.prod, [secret({})])) == set()
	denied(samples.with_objects(samples.prod, [secret({"data": {"token": ""}})])) == set()
	denied(samples.with_objects(samples.prod, [secret({"data": {"token": null}})])) == set()
}

test_key001_sealed_is_silent if {
	sealed := samples.object_of("bitnami.com/v1alpha1", "SealedSecret", "chat-hf-token", "chat-prod", {"spec": {"encryptedData": {"token": "AgBy"}}})
	denied(samples.with_objects(samples.prod, [sealed])) == set()
}

generated(kind, sources) := object.union(
	samples.with_objects(samples.prod, [samples.object_of("v1", "Secret", "chat-key-abc123", "chat-prod", {"data": {"key": "YWJj"}})]),
	{"kustomize": {"entries": [], "generators": [object.union(
		{
			"file": "overlays/prod/kustomization.yaml",
			"path": ["secretGenerator", 0],
			"kind": kind,
			"name": "chat-key",
			"literals": [],
			"files": [],
			"envs": [],
		},
		sources,
	)]}},
)

# The Secret that the generator renders is not a second fault.
test_key002_sources if {
	every field in ["literals", "files", "envs"] {
		denied(generated("Secret", {field: ["key"]})) == {samples.result(
			"KEY002",
			{"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "namespace": "", "name": "overlays/prod/kustomization.yaml"},
			["secretGenerator", 0, field],
			sprintf("secretGenerator 'chat-key' wants no %s from the repository, found 'key'", [field]),
		)}
	}
}

test_key002_config_map_generator_is_silent if {
	{result.id | some result in denied(generated("ConfigMap", {"literals": ["key"]}))} == {"KEY001"}
}

test_key002_without_sources_is_silent if denied(generated("Secret", {})) == set()

test_key003_variable if {
	denied(samples.with_variable(samples.dev, {"name": "WANDB", "value": token})) == {samples.result(
		"KEY003", samples.ref("apps/v1", "Deployment", "chat", "chat-dev"), samples.server_path(["env", 6, "value"]),
		sprintf("container 'vllm' wants WANDB from a Secret, found %s", [shown]),
	)}
}

# HF_TOKEN by value in an offline server breaks one rule, not two.
test_key003_goes_before_key005 if {
	{result.id | some result in denied(samples.with_variable(samples.prod, {"name": "HF_TOKEN", "value": token}))} == {"KEY003"}
	{result.id | some result in denied(samples.with_argument(samples.prod, sprintf("--api-key=%s", [token])))} == {"KEY003"}
	key := {"op": "replace", "path": ["env", "0"], "value": {"name": "VLLM_API_KEY", "value": token}}
	{result.id | some result in denied(samples.server_edited(samples.prod, [key]))} == {"KEY003"}
	{result.id | some result in denied(samples.with_config(samples.prod, sprintf("api-key:\n- %s\n", [token])))} == {"KEY003"}
}

test_key003_argument if {
	denied(samples.with_argument(samples.prod, sprintf("--hf-token=%s", [token]))) == of_server("KEY003", ["args", 2], sprintf("container 'vllm' wants no credential in its args, found %s", [shown]))
}

test_key003_config_map if {
	denied(samples.with_config(samples.prod, sprintf("model: a/b\nhf-token: %s\n", [token]))) == {samples.result(
		"KEY003", samples.config_ref, ["data", "serve.yaml", "hf-token"],
		sprintf("key 'serve.yaml' of a ConfigMap wants no credential, found %s", [shown]),
	)}
	denied(samples.with_config(samples.prod, sprintf("export TOKEN=%s\nexport OTHER=1\n", [token]))) == {samples.result(
		"KEY003", samples.config_ref, ["data", "serve.yaml"],
		sprintf("key 'serve.yaml' of a ConfigMap wants no credential, found %s", [shown]),
	)}
}

test_key003_annotations if {
	msg := sprintf("annotation 'note' wants no credential, found %s", [shown])
	on_object := samples.edited(samples.prod, "Deployment", "chat", [{"op": "add", "path": ["metadata", "annotations"], "value": {"note": token}}])
	denied(on_object) == {samples.result("KEY003", samples.deployment_ref, ["metadata", "annotations", "note"], msg)}
	on_template := samples.edited(samples.prod, "Deployment", "chat", [{"op": "add", "path": ["spec", "template", "metadata", "annotations"], "value": {"note": token}}])
	denied(on_template) == {samples.result("KEY003", samples.deployment_ref, ["spec", "template", "metadata", "annotations", "note"], msg)}
}

# Names of keys, references, digests and revisions are no credentials.
test_key003_names_and_references_are_silent if {
	every variable in [
		{"name": "OPENAI_API_KEY", "valueFrom": {"secretKeyRef": {"name": "hf-token-sk-key", "key": "api-key"}}},
		{"name": "PASSWORD_FILE", "value": "/run/secrets/token"},
		{"name": "REVISION", "value": samples.revision},
		{"name": "DIGEST", "value": samples.digest},
		{"name": "HF_HUB_DISABLE_XET", "value": "1"},
		{"name": "TOKEN", "value": "$(OTHER)"},
		{"name": "TASK", "value": "risk-assessment-of-somethingverylongindeed"},
	] {
		denied(samples.with_variable(samples.prod, variable)) == set()
	}
}

test_key005_argument if {
	denied(samples.with_argument(samples.prod, "--api-key=letmein")) == of_server("KEY005", ["args", 2], "container 'vllm' wants its key in VLLM_API_KEY from a Secret, found the flag 'api-key'")
}

# The message never says what may be the key.
test_key005_literal if {
	doc := samples.server_edited(samples.prod, [{"op": "replace", "path": ["env", "0"], "value": {"name": "VLLM_API_KEY", "value": "letmein"}}])
	denied(doc) == of_server("KEY005", ["env", 0, "value"], "container 'vllm' wants VLLM_API_KEY by secretKeyRef, found a value of 7 characters")
}

test_key005_from_config_map if {
	by_config := {"name": "VLLM_API_KEY", "valueFrom": {"configMapKeyRef": {"name": "chat-serve", "key": "key"}}}
	doc := samples.server_edited(samples.prod, [{"op": "replace", "path": ["env", "0"], "value": by_config}])
	denied(doc) == of_server("KEY005", ["env", 0, "valueFrom"], "container 'vllm' wants VLLM_API_KEY by secretKeyRef, found configMapKeyRef")
}

test_key005_no_key if {
	doc := samples.server_edited(samples.prod, [{"op": "remove", "path": ["env", "0"]}])
	denied(doc) == of_server("KEY005", ["env", "VLLM_API_KEY"], "container 'vllm' wants VLLM_API_KEY by secretKeyRef, found none")
	with_all := samples.server_edited(doc, [{"op": "add", "path": ["envFrom"], "value": [{"secretRef": {"name": "chat-api-key"}}]}])
	denied(with_all) == set()
}

hub_token := {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "chat-hf-token", "key": "token"}}}

test_key005_hub_token_in_an_offline_server if {
	denied(samples.with_variable(samples.prod, hub_token)) == of_server("KEY005", ["env", 6, "name"], "container 'vllm' is offline and wants no hub token, found HF_TOKEN")
}

test_key005_hub_token_in_a_server_that_asks_the_hub_is_silent if {
	online := samples.server_edited(samples.prod, [{"op": "remove", "path": ["env", "1"]}])
	denied(samples.with_variable(online, hub_token)) == set()
}

test_key001_what_is_filled_in_later_is_no_secret if {
	filled("${HF_TOKEN}") == set()
	filled("$HF_TOKEN") == set()
	filled("<your token>") == set()
	filled("{{HF_TOKEN}}") == set()
	filled("op://models/hub/token\n") == set()
	filled("ref+vault://models/hub#/token") == set()
	count(filled(concat("@", ["postgres://user:password", "host"]))) == 1
	count(filled("token")) == 1
	count(filled("a<b>")) == 1
}

filled(value) := {result | some result in denied(doc); result.id == "KEY001"} if {
	secret := {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hf"}, "stringData": {"token": value}}
	doc := {"environment": "prod", "objects": [secret]}
}

# KEY004

external(operations) := {result |
	some result in secrets.deny with input as samples.edited(samples.prod, "ExternalSecret", "chat-api-key", operations) with data.secrets as {"stores": ["platform-secrets"]}
	result.id == "KEY004"
}

external_fault(path, msg) := {samples.result("KEY004", samples.ref("external-secrets.io/v1", "ExternalSecret", "chat-api-key", "chat-prod"), path, msg)}

set_in_spec(path, value) := [{"op": "add", "path": array.concat(["spec"], path), "value": value}]

test_key004_stores if {
	external([]) == set()
	external(set_in_spec(["secretStoreRef", "name"], "mine")) == external_fault(["spec", "secretStoreRef", "name"], "ExternalSecret 'chat-api-key' wants a store of ['platform-secrets'], found 'mine'")
	external(set_in_spec(["data", "0", "sourceRef"], {"storeRef": {"name": "mine"}})) == external_fault(["spec", "data", 0, "sourceRef", "storeRef", "name"], "ExternalSecret 'chat-api-key' wants a store of ['platform-secrets'], found 'mine'")
	external(set_in_spec(["secretStoreRef"], {})) == set()
	external(set_in_spec(["secretStoreRef", "name"], 7)) == set()
}

test_key004_no_list_allows_every_store if {
	results := {result |
		doc := samples.edited(samples.prod, "ExternalSecret", "chat-api-key", set_in_spec(["secretStoreRef", "name"], "mine"))
		some result in secrets.deny with input as doc with data.secrets as {"stores": []}
		result.id == "KEY004"
	}
	results == set()
}

test_key004_refresh if {
	every interval in ["0", "0s", "0h0m0s", "0.0h", "-1h"] {
		external(set_in_spec(["refreshInterval"], interval)) == external_fault(["spec", "refreshInterval"], sprintf("ExternalSecret 'chat-api-key' wants a refreshInterval above 0, found '%s'", [interval]))
	}
	every interval in ["1s", "1h", "0h30m", "0.5h", "", "never", 0, null] {
		external(set_in_spec(["refreshInterval"], interval)) == set()
	}
	at_changes := array.concat(set_in_spec(["refreshInterval"], "0"), set_in_spec(["refreshPolicy"], "OnChange"))
	external(at_changes) == set()
}

unread(spec) := {result |
	spare := object.union(samples.external_secret("chat-prod", "spare", "key"), {"spec": spec})
	some result in secrets.deny with input as samples.with_objects(samples.prod, [spare]) with data.secrets as {"stores": ["platform-secrets"]}
	result.id == "KEY004"
}

test_key004_used_by_someone if {
	unread({}) == {samples.result("KEY004", samples.ref("external-secrets.io/v1", "ExternalSecret", "spare", "chat-prod"), ["spec", "target", "name"], "the Secret 'spare' of an ExternalSecret wants someone who reads it, found nothing that names it")}
	unread({"target": {"name": "chat-hf-token"}}) == set()
	unread({"target": {"name": 7}}) == set()
	unread({"target": {"template": {"metadata": {"labels": {"argocd.argoproj.io/secret-type": "repository"}}}}}) == set()
}

read_by(reader) := {result |
	spare := samples.external_secret("chat-prod", "spare", "key")
	some result in secrets.deny with input as samples.with_objects(samples.prod, [spare, reader]) with data.secrets as {"stores": ["platform-secrets"]}
	result.id == "KEY004"
}

test_key004_every_kind_of_reader_counts if {
	count(read_by(samples.object_of("v1", "ServiceAccount", "x", "chat-prod", {}))) == 1
	count(read_by(samples.object_of("v1", "ServiceAccount", "x", "chat-prod", {"secrets": [{"name": "spares"}]}))) == 1
	read_by(samples.object_of("v1", "ServiceAccount", "x", "chat-prod", {"imagePullSecrets": [{"name": "spare"}]})) == set()
	read_by(samples.object_of("acme.io/v1", "Thing", "x", "chat-prod", {"spec": {"deep": {"ref": "ns/spare"}}})) == set()
	read_by({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x", "namespace": "chat-prod", "annotations": {"auth-secret": "spare"}}}) == set()
}

test_key004_a_missing_reader_is_another_rules if {
	spare := samples.external_secret("chat-prod", "spare", "key")
	asking := samples.with_variable(samples.prod, {"name": "X", "valueFrom": {"secretKeyRef": {"name": "spares", "key": "a"}}})
	every doc in [asking, samples.server_edited(samples.prod, [{"op": "remove", "path": ["env", "0"]}])] {
		count([result |
			some result in secrets.deny with input as samples.with_objects(doc, [spare])
			result.id == "KEY004"
		]) == 0
	}
}
