package lockgate.api_test

import data.lockgate.api
import data.lockgate.lib.catalogue
import rego.v1

deployment := {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "a", "name": "server"}

schema(fields) := results if {
	fault := object.union({"object": deployment, "path": ["spec", "replicas"], "wanted": "a whole number", "found": "'two'", "hint": ""}, fields)
	results := api.deny with input as {"environment": "prod", "objects": [], "schema": {"version": "1.36", "faults": [fault], "unknown": []}}
}

finding(id, ref, path, msg) := {"id": id, "msg": msg, "object": ref, "path": path}

test_api001_wrong_type if {
	schema({}) == {finding("API001", deployment, ["spec", "replicas"], "spec.replicas wants a whole number, found 'two'")}
}

test_api001_unknown_field if {
	path := ["spec", "containers", 0, "enviroment"]
	results := schema({"path": path, "wanted": "", "found": "", "hint": "did you mean 'env'?"})
	results == {finding("API001", deployment, path, "apps/v1 Deployment has no field spec.containers[0].enviroment; did you mean 'env'?")}
}

test_api001_unknown_field_without_a_near_one if {
	results := schema({"path": ["x"], "wanted": "", "found": ""})
	results == {finding("API001", deployment, ["x"], "apps/v1 Deployment has no field x")}
}

test_api001_twice if {
	double := {"object": deployment, "place": "b.yaml:7"}
	results := api.deny with input as {"environment": "prod", "objects": [], "kustomize": {"twice": [double]}}
	results == {finding("API001", deployment, ["metadata", "name"], "Deployment 'server' wants to stand once, found it again at b.yaml:7")}
}

test_api001_without_a_schema_is_silent if {
	results := api.deny with input as {"environment": "prod", "objects": [{"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"x": 1}}]}
	results == set()
}

served(api_version, kind, version) := results if {
	obj := {"apiVersion": api_version, "kind": kind, "metadata": {"name": "server"}}
	results := api.deny with input as {"environment": "prod", "objects": [obj]} with data.versions as {"kubernetes": version}
}

dated(api_version, kind, msg) := finding("API002", {"apiVersion": api_version, "kind": kind, "namespace": "", "name": "server"}, ["apiVersion"], msg)

gone(version) := {dated("batch/v1beta1", "CronJob", sprintf("CronJob wants an API of Kubernetes %v, found batch/v1beta1, which 1.25 has removed; use batch/v1", [version]))}

old := {object.union(
	dated("batch/v1beta1", "CronJob", "CronJob wants an API that lasts, found batch/v1beta1, deprecated since Kubernetes 1.21; use batch/v1"),
	{"severity": "warning"},
)}

test_api002_removed if {
	served("batch/v1beta1", "CronJob", "1.25") == gone("1.25")
	served("batch/v1beta1", "CronJob", "1.36") == gone("1.36")
	served("batch/v1beta1", "CronJob", "v1.26.3") == gone("v1.26.3")
}

test_api002_deprecated if {
	served("batch/v1beta1", "CronJob", "1.21") == old
	served("batch/v1beta1", "CronJob", "1.24") == old
}

test_api002_served if {
	served("batch/v1beta1", "CronJob", "1.20") == set()
	served("batch/v1", "CronJob", "1.36") == set()
	served("batch.example.com/v1beta1", "CronJob", "1.36") == set()
}

test_api002_without_a_target_means_the_newest if {
	served("batch/v1beta1", "CronJob", "") == gone(catalogue.apis.newest)
	served("batch/v1beta1", "CronJob", "latest") == gone(catalogue.apis.newest)
}

test_api002_without_another_api if {
	msg := "PodSecurityPolicy wants an API of Kubernetes 1.36, found policy/v1beta1, which 1.25 has removed; there is no other"
	served("policy/v1beta1", "PodSecurityPolicy", "1.36") == {dated("policy/v1beta1", "PodSecurityPolicy", msg)}
}

test_api002_wrong_type_is_silent if {
	served(["batch/v1beta1"], "CronJob", "1.36") == set()
	served("batch/v1beta1", 3, "1.36") == set()
}

sources(fields) := results if {
	found := object.union({"kustomizations": [], "remotes": [], "unreferenced": []}, fields)
	results := api.deny with input as {"environment": "prod", "objects": [], "sources": found}
}

file(name, path, msg) := finding("API003", {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "namespace": "", "name": name}, path, msg)

test_api003_deprecated_field if {
	results := sources({"kustomizations": [{"file": "base/kustomization.yaml", "fields": ["resources", "bases"]}]})
	results == {file("base/kustomization.yaml", ["bases"], "the field bases is deprecated, wanted resources")}
}

remote(url) := sources({"remotes": [{"file": "k.yaml", "path": ["resources", 0], "url": url}]})

floating(url) := {file("k.yaml", ["resources", 0], sprintf("a remote base wants the 40 hex digits of a commit, found '%v'", [url]))}

commit := "e9a2f0c7c5ad8e1a6b3c2d4f5a6b7c8d9e0f1a2b"

floating_urls := [
	"https://github.com/example/base?ref=main",
	"github.com/example/base",
	sprintf("https://github.com/example/base?ref=%vc", [commit]),
	sprintf("https://github.com/example/base?ref=%v", [substring(commit, 1, -1)]),
]

test_api003_remote_base if {
	told := [url | some url in floating_urls; remote(url) == floating(url)]
	told == floating_urls
}

test_api003_pinned_base_is_silent if {
	remote(sprintf("https://github.com/example/base?ref=%v", [commit])) == set()
	remote(sprintf("https://github.com/example/base//a?submodules=0&ref=%v&timeout=9s", [commit])) == set()
	remote(sprintf("https://raw.githubusercontent.com/example/base/%v/a.yaml", [commit])) == set()
	remote("https://github.com/example/base/releases/download/v1.2.0/a.yaml") == set()
}

test_api003_unreferenced if {
	results := sources({"unreferenced": ["base/old.yaml"]})
	results == {file("base/old.yaml", [], "'base/old.yaml' wants an overlay that reaches it, found none")}
}

test_api003_without_sources_is_silent if {
	results := api.deny with input as {"environment": "prod", "objects": []}
	results == set()
}
