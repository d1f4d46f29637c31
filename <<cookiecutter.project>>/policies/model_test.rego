package lockgate.model_test

import data.lockgate.lib.samples
import data.lockgate.model
import rego.v1

denied(doc) := results if {
	found := model.deny with input as doc
	results := {json.unmarshal(json.marshal(json.remove(one, ["fix"]))) | some one in found} # tests/test_fix.py looks at the fixes
}

of_config(path, msg) := {samples.result("MDL001", samples.config_ref, path, msg)}

of_server(path, msg) := {samples.result("MDL001", samples.deployment_ref, samples.server_path(path), msg)}

test_pinned_service_is_silent if denied(samples.prod) == set()

test_mdl001_branch if {
	doc := samples.with_config(samples.prod, "model: Qwen/Qwen3-14B\nrevision: main\n")
	denied(doc) == of_config(["data", "serve.yaml", "revision"], "container 'vllm' wants a model revision of 40 hex digits, found 'main'")
}

test_mdl001_39_digits if {
	short := substring(samples.revision, 0, 39)
	doc := samples.with_config(samples.prod, sprintf("model: Qwen/Qwen3-14B\nrevision: %s\n", [short]))
	denied(doc) == of_config(["data", "serve.yaml", "revision"], sprintf("container 'vllm' wants a model revision of 40 hex digits, found '%s'", [short]))
}

test_mdl001_no_revision if {
	doc := samples.with_config(samples.prod, "model: Qwen/Qwen3-14B\n")
	denied(doc) == of_config(["data", "serve.yaml", "revision"], "container 'vllm' wants a model revision of 40 hex digits, found none for 'Qwen/Qwen3-14B'")
}

test_mdl001_no_revision_on_the_command_line if {
	doc := samples.server_edited(samples.prod, [{"op": "replace", "path": ["args"], "value": ["Qwen/Qwen3-14B", "--port=8000"]}])
	denied(doc) == of_server(["args"], "container 'vllm' wants a model revision of 40 hex digits, found none for 'Qwen/Qwen3-14B'")
}

test_mdl001_directory_has_no_revision if denied(samples.with_config(samples.prod, "model: /models/qwen\n")) == set()

test_mdl001_unreadable_file_is_silent if denied(samples.without_object(samples.prod, "ConfigMap", "chat-serve")) == set()

test_mdl001_remote_code if {
	doc := samples.with_config(samples.prod, sprintf("model: Qwen/Qwen3-14B\nrevision: %s\ntrust-remote-code: true\n", [samples.revision]))
	denied(doc) == of_config(["data", "serve.yaml", "trust-remote-code"], "container 'vllm' wants no code from the model repository, found 'trust-remote-code'")
}

test_mdl001_remote_code_off_is_silent if {
	doc := samples.with_config(samples.prod, sprintf("model: Qwen/Qwen3-14B\nrevision: %s\ntrust-remote-code: false\n", [samples.revision]))
	denied(doc) == set()
}

test_mdl001_claim_without_offline if {
	doc := samples.server_edited(samples.prod, [{"op": "remove", "path": ["env", "1"]}])
	denied(doc) == of_server(["env", "HF_HUB_OFFLINE"], "container 'vllm' reads its weights from a claim and wants HF_HUB_OFFLINE '1', found none")
}

test_mdl001_claim_with_offline_zero if {
	doc := samples.server_edited(samples.prod, [{"op": "replace", "path": ["env", "1", "value"], "value": "0"}])
	denied(doc) == of_server(["env", 1, "value"], "container 'vllm' reads its weights from a claim and wants HF_HUB_OFFLINE '1', found '0'")
}

test_mdl001_other_words_for_offline if {
	some value in ["true", "YES", "on"]
	denied(samples.server_edited(samples.prod, [{"op": "replace", "path": ["env", "1", "value"], "value": value}])) == set()
}

test_mdl001_offline_from_elsewhere_is_silent if {
	by_reference := {"name": "HF_HUB_OFFLINE", "valueFrom": {"configMapKeyRef": {"name": "hub", "key": "offline"}}}
	denied(samples.server_edited(samples.prod, [{"op": "replace", "path": ["env", "1"], "value": by_reference}])) == set()
	all_of_it := [{"op": "remove", "path": ["env", "1"]}, {"op": "add", "path": ["envFrom"], "value": [{"configMapRef": {"name": "hub"}}]}]
	denied(samples.server_edited(samples.prod, all_of_it)) == set()
}

# A server that fetches its weights by itself may ask the hub.
test_mdl001_no_claim_is_silent if {
	doc := samples.pod_edited(samples.prod, [
		{"op": "replace", "path": ["volumes", "1"], "value": {"name": "models", "emptyDir": {}}},
		{"op": "remove", "path": ["containers", "0", "env", "1"]},
	])
	denied(doc) == set()
}

test_mdl001_model_directory_on_a_claim if {
	doc := samples.with_config(
		samples.server_edited(samples.prod, [{"op": "remove", "path": ["env", "2"]}, {"op": "remove", "path": ["env", "1"]}]),
		"model: /models/qwen\n",
	)
	denied(doc) == of_server(["env", "HF_HUB_OFFLINE"], "container 'vllm' reads its weights from a claim and wants HF_HUB_OFFLINE '1', found none")
}

test_mdl001_a_bucket_has_no_revisions if {
	doc := samples.server_edited(samples.prod, [
		{"op": "replace", "path": ["command"], "value": ["vllm", "serve", "s3://models/chat"]},
		{"op": "replace", "path": ["args"], "value": ["--port=8000"]},
	])
	denied(doc) == set()
}

test_mdl001_in_a_part_a_server_may_fill_its_claim if {
	writable := samples.server_edited(samples.prod, [{"op": "remove", "path": ["volumeMounts", "1", "readOnly"]}, {"op": "remove", "path": ["env", "1"]}])
	count(denied(writable)) == 1
	denied(object.union(writable, {"partial": true})) == set()
	read_only := samples.server_edited(samples.prod, [{"op": "remove", "path": ["env", "1"]}])
	count(denied(object.union(read_only, {"partial": true}))) == 1
}

fetching(args) := {"objects": [{
	"apiVersion": "batch/v1",
	"kind": "Job",
	"metadata": {"name": "preload"},
	"spec": {"template": {"spec": {"containers": [{
		"name": "preload",
		"command": ["python3", "/opt/preload/preload.py"],
		"args": args,
	}]}}},
}]}

by_digest := sprintf("oci://registry.example.com/models/chat:v1@sha256:%s", [substring(concat("", [samples.revision, samples.revision]), 0, 64)])

test_mdl001_artifact_by_tag if {
	path := ["spec", "template", "spec", "containers", 0, "args", 1]
	msg := "container 'preload' wants the artifact by its digest, oci://REGISTRY/REPOSITORY@sha256:DIGEST, found 'oci://r/chat:v1'"
	ref := {"apiVersion": "batch/v1", "kind": "Job", "namespace": "", "name": "preload"}
	wanted := {samples.result("MDL001", ref, path, msg)}
	denied(fetching(["--config=x", "--source=oci://r/chat:v1"])) == wanted
	denied(fetching(["--source", "oci://r/chat:v1"])) == wanted
}

test_mdl001_artifact_by_digest if denied(fetching([sprintf("--source=%s", [by_digest])])) == set()

test_mdl001_the_last_source_counts if denied(fetching(["--source=oci://r/chat:v1", sprintf("--source=%s", [by_digest])])) == set()

test_mdl001_other_sources_are_silent if {
	denied(fetching(["--source=s3://models"])) == set()
	denied(fetching(["--source=hub"])) == set()
	denied(fetching(["--source"])) == set()
	denied(fetching(["--source=oci://$(REGISTRY)/chat"])) == set()
	denied(fetching([])) == set()
}

test_mdl001_another_program_is_silent if {
	doc := fetching(["--source=oci://r/chat:v1"])
	denied(json.patch(doc, [{"op": "replace", "path": "/objects/0/spec/template/spec/containers/0/command", "value": ["sync.py"]}])) == set()
}
