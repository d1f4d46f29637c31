package lockgate.images_test

import data.lockgate.images
import data.lockgate.lib.samples
import rego.v1

denied(doc) := results if {
	results := images.deny with input as doc
		with data.images as {"allowed": ["docker.io/vllm/vllm-openai"]}
		with data.environments as {"dev": {"level": "dev"}, "prod": {"level": "prod"}}
}

of_image(doc, reference) := samples.server_edited(doc, [{"op": "replace", "path": ["image"], "value": reference}])

unpinned(reference, fault) := {samples.result(
	"IMG001", samples.deployment_ref, samples.server_path(["image"]),
	sprintf("wants an image that stays the same, found '%s': %s", [reference, fault]),
)}

test_pinned_service_is_silent if denied(samples.prod) == set()

test_img001_no_digest_in_prod if {
	reference := "docker.io/vllm/vllm-openai:v0.32.0"
	denied(of_image(samples.prod, reference)) == unpinned(reference, "it has no digest")
}

test_img001_tag_is_enough_in_dev if denied(of_image(samples.dev, "docker.io/vllm/vllm-openai:v0.32.0")) == set()

test_img001_no_tag_in_dev if {
	some result in denied(of_image(samples.dev, "docker.io/vllm/vllm-openai"))
	result.id == "IMG001"
	result.object.namespace == "chat-dev"
	result.path == samples.server_path(["image"])
	result.msg == "wants an image that stays the same, found 'docker.io/vllm/vllm-openai': it has no tag, which means 'latest'"
}

test_img001_nobody_reads_a_tag_beside_a_digest if {
	denied(of_image(samples.prod, concat("@", ["docker.io/vllm/vllm-openai:latest", samples.digest]))) == set()
	reference := "docker.io/vllm/vllm-openai:latest@sha256:12"
	denied(of_image(samples.prod, reference)) == unpinned(reference, "the digest is not sha256 with 64 hex digits")
}

test_img001_nightly if {
	reference := "docker.io/vllm/vllm-openai:nightly-0123abc"
	denied(of_image(samples.prod, reference)) == unpinned(reference, "the tag 'nightly-0123abc' moves")
}

test_img001_short_digest if {
	reference := "docker.io/vllm/vllm-openai:v0.32.0@sha256:0123"
	denied(of_image(samples.prod, reference)) == unpinned(reference, "the digest is not sha256 with 64 hex digits")
}

test_img001_digest_without_tag_is_silent if denied(of_image(samples.prod, concat("@", ["docker.io/vllm/vllm-openai", samples.digest]))) == set()

test_img001_init_container if {
	doc := samples.pod_edited(samples.prod, [{"op": "add", "path": ["initContainers"], "value": [{"name": "check", "image": "docker.io/vllm/vllm-openai:v0.32.0"}]}])
	denied(doc) == {samples.result(
		"IMG001", samples.deployment_ref, samples.pod_path(["initContainers", 0, "image"]),
		"wants an image that stays the same, found 'docker.io/vllm/vllm-openai:v0.32.0': it has no digest",
	)}
}

foreign(reference, repository) := {samples.result(
	"IMG002", samples.deployment_ref, samples.server_path(["image", "name"]),
	sprintf("wants an image of 'docker.io/vllm/vllm-openai', found '%s' of '%s'", [reference, repository]),
)}

test_img002_other_registry if {
	reference := concat("@", ["ghcr.io/vllm/vllm-openai:v0.32.0", samples.digest])
	denied(of_image(samples.prod, reference)) == foreign(reference, "ghcr.io/vllm/vllm-openai")
}

test_img002_registry_with_port if {
	reference := concat("@", ["localhost:5000/vllm/vllm-openai:v0.32.0", samples.digest])
	denied(of_image(samples.prod, reference)) == foreign(reference, "localhost:5000/vllm/vllm-openai")
}

test_img002_same_repository_in_short if {
	denied(of_image(samples.prod, concat("@", ["vllm/vllm-openai:v0.32.0", samples.digest]))) == set()
	denied(of_image(samples.prod, concat("@", ["index.docker.io/vllm/vllm-openai:v0.32.0", samples.digest]))) == set()
}

test_img002_name_that_only_begins_alike if {
	reference := concat("@", ["docker.io/vllm/vllm-openai-rocm:v0.32.0", samples.digest])
	denied(of_image(samples.prod, reference)) == foreign(reference, "docker.io/vllm/vllm-openai-rocm")
}

# A placeholder that no entry replaced is one finding.
test_img002_placeholder_left if denied(of_image(samples.prod, "vllm-openai")) == foreign("vllm-openai", "docker.io/library/vllm-openai")

# An entry that names no image is KUS001's.
test_img002_placeholder_with_idle_entry_is_silent if {
	doc := object.union(of_image(samples.prod, "vllm-openai"), {"kustomize": {"entries": [{
		"file": "overlays/prod/release/kustomization.yaml",
		"path": ["images", 0],
		"type": "image",
		"what": "image vllm-opena",
		"matched": false,
		"changed": false,
	}]}})
	denied(doc) == set()
}

test_img002_without_a_list_is_silent if {
	results := images.deny with input as of_image(samples.prod, concat("@", ["ghcr.io/x/y:v1", samples.digest]))
		with data.environments as {"prod": {"level": "prod"}}
	results == set()
}

# IMG003

released(changes) := object.union(
	{
		"id": "Deployment/chat/vllm",
		"container": "vllm",
		"digest": samples.digest,
		"revision": samples.revision,
		"image_place": {"object": samples.deployment_ref, "path": ["image"]},
		"revision_place": {"object": samples.config_ref, "path": ["revision"]},
	},
	changes,
)

between(canary, prod) := {result |
	some result in images.deny with input as {"repository": {"exemptions": [], "environments": {
		"canary": {"level": "canary", "facts": {"release": canary}},
		"prod": {"level": "prod", "facts": {"release": prod}},
	}}}
}

other_digest := concat("", ["sha256:", "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"])

behind(ref, path, msg) := {object.union(samples.result("IMG003", ref, path, msg), {"environments": ["prod"]})}

test_img003_prod_is_canary if {
	between([released({})], [released({})]) == set()
	between([released({"digest": other_digest})], [released({})]) == behind(samples.deployment_ref, ["image"], "container 'vllm' of prod wants the image digest of canary (fedcba987654), found 0123456789ab")
	between([released({"revision": "0000000000000000000000000000000000000000"})], [released({})]) == behind(samples.config_ref, ["revision"], "container 'vllm' of prod wants the model revision of canary (000000000000), found 40c069824f42")
}

test_img003_one_server_may_have_another_name if {
	count(between([released({"id": "Deployment/a/b", "digest": other_digest})], [released({})])) == 1
	two := [released({"id": "Deployment/a/b", "digest": other_digest}), released({"id": "Deployment/c/d", "digest": other_digest})]
	between(two, [released({})]) == set()
}

test_img003_silent_where_something_is_not_known if {
	between([], [released({})]) == set()
	between([released({"digest": ""})], [released({})]) == set()
	between([released({})], [released({"digest": "", "revision": ""})]) == set()
	results := images.deny with input as {"repository": {"exemptions": [], "environments": {"prod": {"level": "prod", "facts": {"release": [released({})]}}}}}
	results == set()
}
