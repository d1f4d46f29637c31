package lockgate.delivery_test

import data.lockgate.delivery
import data.lockgate.lib.samples
import data.lockgate.lib.testing
import rego.v1

set_ref := samples.ref("argoproj.io/v1alpha1", "ApplicationSet", "chat", "argocd")

project_ref := samples.ref("argoproj.io/v1alpha1", "AppProject", "chat", "argocd")

element := ["spec", "generators", 0, "list", "elements", 2]

below(path) := array.concat(["spec", "template", "spec"], path)

# The Application that an ApplicationSet makes for an environment: the element holds revision and namespace.
application(environment, operations) := {
	"name": concat("-", ["chat", environment]),
	"environment": environment,
	"object": set_ref,
	"base": ["spec", "template", "spec"],
	"element": element,
	"origins": {
		"source/targetRevision": [array.concat(element, ["revision"])],
		"destination/namespace": [below(["destination", "namespace"]), array.concat(element, ["environment"])],
	},
	"spec": spec,
	"sources": [{
		"field": ["source"],
		"path": spec.source.path,
		"git": true,
		"hydrated": false,
		"exists": true,
		"revision": object.get(spec.source, "targetRevision", null),
	}],
} if {
	spec := json.patch(
		{
			"project": "chat",
			"source": {"repoURL": "https://git.example.com/chat.git", "targetRevision": "v1.4.0", "path": concat("/", ["overlays", environment])},
			"destination": {"server": "main", "namespace": concat("-", ["chat", environment])},
			"ignoreDifferences": [{"group": "argoproj.io", "kind": "Rollout", "jsonPointers": ["/spec/replicas"]}],
			"syncPolicy": {"automated": {"prune": true, "selfHeal": true}, "syncOptions": ["RespectIgnoreDifferences=true"]},
		},
		operations,
	)
}

project(operations) := json.patch(
	{"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "chat", "namespace": "argocd"}, "spec": {
		"sourceRepos": ["https://git.example.com/*"],
		"destinations": [{"server": "main", "namespace": "chat-prod"}],
		"clusterResourceWhitelist": [{"group": "", "kind": "Namespace"}],
	}},
	operations,
)

environments := object.union(testing.environments, {"canary": {"level": "canary", "overlay": "overlays/canary", "namespace": "chat-canary"}})

of(doc) := results if {
	results := delivery.deny with input as doc with data.environments as environments
}

# prod's objects with an Application of these changes.
with_applications(doc, applications) := object.union(doc, {"applications": applications, "projects": [project([])]})

changed(operations) := of(with_applications(testing.prod, [application("prod", operations)]))

set_to(path, value) := {"op": "add", "path": path, "value": value}

found(id, object, path, msg) := {samples.result(id, object, path, msg)}

test_good_environments if {
	changed([]) == set()
	of(with_applications(testing.dev, [application("dev", [])])) == set()
}

test_silent_without_applications if {
	of(testing.prod) == set()
	of(with_applications(testing.prod, [])) == set()
	of(with_applications(testing.prod, [object.union(application("prod", [set_to("project", "default")]), {"environment": "canary"})])) == set()
}

# ARG001

test_arg001_default_project if {
	changed([set_to("project", "default")]) == found("ARG001", set_ref, below(["project"]), "Application 'chat-prod' wants a project of its own, found 'default'")
	changed([set_to("project", "")]) == found("ARG001", set_ref, below(["project"]), "Application 'chat-prod' wants a project of its own, found ''")
	changed([{"op": "remove", "path": "project"}]) == found("ARG001", set_ref, below(["project"]), "Application 'chat-prod' wants a project of its own, found ''")
}

test_arg001_project_elsewhere if {
	changed([set_to("project", "chats")]) == found("ARG001", set_ref, below(["project"]), "Application 'chat-prod' wants its AppProject 'chats' in the repository, found ['chat']")
}

with_project(operations) := of(object.union(
	with_applications(testing.prod, [application("prod", [])]),
	{"projects": [project(operations)]},
))

test_arg001_wildcards if {
	every case in [
		["spec/sourceRepos/0", "*", ["spec", "sourceRepos", 0], "source repositories"],
		["spec/destinations/0/namespace", "*", ["spec", "destinations", 0, "namespace"], "destinations"],
		["spec/destinations/0/server", "*", ["spec", "destinations", 0, "server"], "destinations"],
		["spec/clusterResourceWhitelist/0", {"group": "*", "kind": "*"}, ["spec", "clusterResourceWhitelist", 0, "group"], "cluster-wide kinds"],
	] {
		with_project([{"op": "replace", "path": case[0], "value": case[1]}]) == found("ARG001", project_ref, case[2], sprintf("AppProject 'chat' wants its %v by name, found '*'", [case[3]]))
	}
}

test_arg001_silent_on_projects_of_others_and_odd_values if {
	wild := object.union(project([set_to("spec/sourceRepos/0", "*")]), {"metadata": {"name": "other"}})
	of(object.union(with_applications(testing.prod, [application("prod", [])]), {"projects": [project([]), wild]})) == set()
	odd := project([set_to("spec", {"sourceRepos": "*", "destinations": [7], "clusterResourceWhitelist": {}})])
	of(object.union(with_applications(testing.prod, [application("prod", [])]), {"projects": [odd]})) == set()
	changed([set_to("project", 7)]) == set()
}

# ARG002

revision_path := array.concat(element, ["revision"])

revised(revision) := changed([set_to("source/targetRevision", revision)])

test_arg002_prod if {
	every revision, fault in {
		"HEAD": "'HEAD', which follows the default branch",
		"": "none, which follows the default branch",
		"main": "'main', which names no version",
		"refs/heads/v1": "the branch 'refs/heads/v1'",
		"1.*": "the range '1.*'",
		">=1.2 <2": "the range '>=1.2 <2'",
		"1.4.x": "the range '1.4.x'",
		"~1.4": "the range '~1.4'",
	} {
		revised(revision) == found("ARG002", set_ref, revision_path, sprintf("Application 'chat-prod' wants a tag or a commit in targetRevision, found %v", [fault]))
	}
	absent := changed([{"op": "remove", "path": "source/targetRevision"}])
	absent == revised("")
}

test_arg002_silent_on_tags_and_commits if {
	every revision in ["v1.4.0", "release-1.4", "refs/tags/v2", "2026-11-24", "40c0698", "v1.4.0-max", 1.4, ["main"]] {
		revised(revision) == set()
	}
}

in_canary(revision) := of(with_applications(object.union(testing.prod, {"environment": "canary", "objects": []}), [application("canary", [set_to("source/targetRevision", revision)])]))

test_arg002_canary_names_its_branch if {
	in_canary("main") == set()
	in_canary("1.*") == set()
	in_canary("HEAD") == found("ARG002", set_ref, revision_path, "Application 'chat-canary' wants a revision by its name in targetRevision, found 'HEAD', which follows the default branch")
}

test_arg002_silent_on_charts_and_hydrated_sources if {
	every field in [{"git": false}, {"hydrated": true}] {
		one := application("prod", [set_to("source/targetRevision", "main")])
		sources := [object.union(one.sources[0], field)]
		of(with_applications(testing.prod, [object.union(object.remove(one, ["sources"]), {"sources": sources})])) == set()
	}
}

# ARG003

namespace_places := {
	"object": set_ref,
	"path": below(["destination", "namespace"]),
	"also": [{"object": set_ref, "path": array.concat(element, ["environment"])}],
}

test_arg003_another_namespace if {
	changed([set_to("destination/namespace", "chat-dev")]) == {object.union(namespace_places, {
		"id": "ARG003",
		"msg": "Application 'chat-prod' of overlays/prod wants the namespace 'chat-prod', found 'chat-dev'",
	})}
	{result.msg | some result in changed([set_to("destination", {})])} == {"Application 'chat-prod' of overlays/prod wants the namespace 'chat-prod', found ''"}
}

test_arg003_silent_on_what_the_overlay_itself_says if {
	moved := testing.changed(testing.prod, "Deployment", [{"op": "replace", "path": ["metadata", "namespace"], "value": "elsewhere"}])
	jobless := testing.without(testing.without(testing.without(moved, "Job"), "Rollout"), "HorizontalPodAutoscaler")
	of(with_applications(jobless, [application("prod", [set_to("destination/namespace", "elsewhere")])])) == set()
	changed([set_to("destination/namespace", 7)]) == set()
}

repository(applications, complete) := {"repository": {
	"environments": {"dev": {}, "prod": {}},
	"exemptions": [],
	"applications": applications,
	"applications_complete": complete,
}}

dev := application("dev", [])

prod := application("prod", [])

astray(namespace) := object.union(object.remove(application("prod", [set_to("destination/namespace", namespace)]), ["sources"]), {
	"environment": "",
	"sources": [{"field": ["source"], "path": "overlays/prd", "git": true, "hydrated": false, "exists": false, "revision": "v1"}],
})

folder_missing(named) := {{
	"id": "ARG003",
	"msg": "Application 'chat-prod' wants a folder of the repository in source.path, found 'overlays/prd'",
	"object": set_ref,
	"path": below(["source", "path"]),
	"environments": named,
}}

test_arg003_one_application_each if of(repository([dev, prod], true)) == set()

test_arg003_a_folder_that_is_not_there if {
	of(repository([dev, astray("elsewhere")], true)) == folder_missing(["prod"])
	of(repository([dev, prod, astray("chat-dev")], true)) == folder_missing(["dev"])
	of(repository([dev, prod, astray("elsewhere")], false)) == folder_missing(["dev", "prod"])
}

test_arg003_an_overlay_without_an_application if {
	lack := {"id": "ARG003", "msg": "overlays/prod wants an Application that deploys it, found none", "environments": ["prod"]}
	of(repository([dev], true)) == {object.union(lack, {"object": set_ref, "path": ["spec", "generators", 0, "list", "elements"]})}
	alone := object.union(object.remove(dev, ["element"]), {"element": []})
	of(repository([alone], true)) == {object.union(lack, {
		"object": {"apiVersion": "lockgate", "kind": "Settings", "namespace": "", "name": "lockgate.yaml"},
		"path": ["environments", "prod", "overlay"],
	})}
}

test_arg003_silent_where_the_cluster_may_have_more if {
	of(repository([dev], false)) == set()
	of(repository([], true)) == set()
	other := object.union(dev, {"environment": ""})
	of(repository([other], true)) == set()
}

test_arg003_two_for_one_overlay if {
	again := object.union(prod, {"name": "again"})
	of(repository([dev, prod, again], true)) == {{
		"id": "ARG003",
		"msg": "overlays/prod wants one Application, found 'again' beside 'chat-prod'",
		"object": set_ref,
		"path": below(["source", "path"]),
		"environments": ["prod"],
	}}
	elsewhere := object.union(prod, {"name": "again", "spec": {"destination": {"server": "second"}}})
	of(repository([dev, prod, elsewhere], true)) == set()
}

# ARG004

entry(fields) := changed([set_to("ignoreDifferences", [fields])])

not_ignored := found("ARG004", set_ref, below(["ignoreDifferences"]), "Application 'chat-prod' wants to ignore /spec/replicas of the Rollout 'chat', which an autoscaler owns, found no such entry")

test_arg004_replicas_not_ignored if {
	changed([{"op": "remove", "path": "ignoreDifferences"}]) == not_ignored
	entry({"group": "apps", "kind": "Rollout", "jsonPointers": ["/spec/replicas"]}) == not_ignored
	entry({"group": "argoproj.io", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}) == not_ignored
	entry({"group": "argoproj.io", "kind": "Rollout", "jsonPointers": ["/spec/strategy"]}) == not_ignored
	entry({"group": "argoproj.io", "kind": "Rollout", "name": "other", "jsonPointers": ["/spec/replicas"]}) == not_ignored
	entry({}) == not_ignored
}

test_arg004_silent_on_every_way_to_say_it if {
	every fields in [
		{"group": "*", "kind": "*", "jsonPointers": ["/spec/replicas"]},
		{"group": "argoproj.io", "kind": "Rollout", "name": "chat", "jsonPointers": ["/spec"]},
		{"group": "argoproj.io", "kind": "Rollout", "jqPathExpressions": [".spec[\"replicas\"]"]},
		{"group": "argoproj.io", "kind": "Rollout", "managedFieldsManagers": ["kube-controller-manager"]},
	] {
		entry(fields) == set()
	}
}

test_arg004_not_respected if {
	changed([{"op": "remove", "path": "syncPolicy/syncOptions"}]) == found("ARG004", set_ref, below(["syncPolicy", "syncOptions"]), "Application 'chat-prod' wants the sync option RespectIgnoreDifferences=true for the replicas that it ignores, found none")
}

test_arg004_replicas_in_git_are_hpa001s if {
	doc := testing.changed(testing.prod, "Rollout", [{"op": "add", "path": ["spec", "replicas"], "value": 3}])
	of(with_applications(doc, [application("prod", [{"op": "remove", "path": "ignoreDifferences"}])])) == set()
}

automated(field, value) := changed([set_to(concat("/", ["syncPolicy/automated", field]), value)])

test_arg004_prune_and_self_heal if {
	automated("prune", false) == found("ARG004", set_ref, below(["syncPolicy", "automated", "prune"]), "Application 'chat-prod' wants prune true in prod, found false")
	changed([set_to("syncPolicy/automated", {"prune": true})]) == found("ARG004", set_ref, below(["syncPolicy", "automated", "selfHeal"]), "Application 'chat-prod' wants selfHeal true in prod, found false")
	automated("prune", "yes") == set()
}

test_arg004_prod_may_be_synced_by_hand_and_dev_not if {
	by_hand := {"op": "remove", "path": "syncPolicy/automated"}
	changed([by_hand]) == set()
	of(with_applications(testing.dev, [application("dev", [by_hand])])) == found("ARG004", set_ref, below(["syncPolicy", "automated"]), "Application 'chat-dev' wants automated sync in dev, found none")
	count(of(with_applications(testing.dev, [application("dev", [set_to("syncPolicy/automated/enabled", false)])]))) == 1
}

# ARG005

annotated(obj, annotations) := object.union(obj, {"metadata": {"annotations": annotations}})

wave(number) := {"argocd.argoproj.io/sync-wave": number}

hook(phase, number) := object.union(wave(number), {"argocd.argoproj.io/hook": phase, "argocd.argoproj.io/hook-delete-policy": "HookSucceeded"})

order(claim, job, server) := of({"environment": "prod", "objects": [
	annotated(samples.claim("chat-prod"), claim),
	annotated(samples.job("chat-prod"), job),
	annotated(samples.deployment("chat-prod"), server),
	samples.config("chat-prod"),
]})

wave_path := ["metadata", "annotations", "argocd.argoproj.io/sync-wave"]

test_arg005_rising_waves if {
	order(wave("0"), hook("Sync", "1"), wave("2")) == set()
	order(wave("1"), hook("Sync", "1"), wave("2")) == set()
	order(wave("-1"), {}, wave("1")) == set()
	order(hook("PreSync", "0"), hook("PreSync", "5"), {}) == set()
}

test_arg005_server_not_after_the_job if {
	every case in [["1", "1"], ["1", "0"], ["-1", "-2"]] {
		order(wave("-9"), hook("Sync", case[0]), wave(case[1])) == {{
			"id": "ARG005",
			"msg": sprintf("the Deployment 'chat' wants to come after the Job 'chat-preload' (Sync wave %s) that fills its cache, found it at Sync wave %s", case),
			"object": samples.deployment_ref,
			"path": wave_path,
			"also": [{"object": samples.job_ref, "path": wave_path}],
		}}
	}
}

test_arg005_claim_after_the_job if {
	order(wave("0"), hook("PreSync", "9"), {}) == {{
		"id": "ARG005",
		"msg": "the Job 'chat-preload' wants to come after its claim 'chat-models' (Sync wave 0), found it before (PreSync wave 9)",
		"object": samples.job_ref,
		"path": wave_path,
		"also": [{"object": samples.ref("v1", "PersistentVolumeClaim", "chat-models", "chat-prod"), "path": wave_path}],
	}}
}

test_arg005_silent_where_nothing_is_sure if {
	order({}, {}, {}) == set()
	order(wave("0"), hook("PostSync", "1"), wave("0")) == set()
	order(wave("0"), wave("soon"), wave("0")) == set()
	order(wave("0"), object.union(hook("SyncFail", "0"), {}), wave("0")) == set()
	order({"argocd.argoproj.io/sync-wave": 1}, hook("Sync", "2"), {"argocd.argoproj.io/sync-wave": 3}) == set()
}

test_arg005_a_hook_says_when_it_goes if {
	path := ["metadata", "annotations", "argocd.argoproj.io/hook-delete-policy"]
	every policy in ["", "Never"] {
		order({}, object.union(hook("Sync", "0"), {"argocd.argoproj.io/hook-delete-policy": policy}), wave("1")) == found("ARG005", samples.job_ref, path, sprintf("the hook 'chat-preload' wants a delete policy of ['BeforeHookCreation', 'HookFailed', 'HookSucceeded'], found '%s'", [policy]))
	}
	order({}, object.union(hook("Sync", "0"), {"argocd.argoproj.io/hook-delete-policy": "HookFailed, HookSucceeded"}), wave("1")) == set()
	order({}, object.union(hook("Sync", "0"), {"argocd.argoproj.io/hook-delete-policy": 7}), wave("1")) == set()
}
