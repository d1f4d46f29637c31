# Argo CD: which Applications deploy the overlays, from which revision, and how they sync.
package lockgate.delivery

import data.lockgate.lib.catalogue
import data.lockgate.lib.delivery
import data.lockgate.lib.deployed
import data.lockgate.lib.environment
import data.lockgate.lib.objects
import data.lockgate.lib.refs
import data.lockgate.lib.results
import data.lockgate.lib.scaling
import data.lockgate.lib.text
import data.lockgate.lib.vllm
import data.lockgate.lib.workloads
import rego.v1

# METADATA
# title: An Application belongs to a project that limits it
# description: >-
#   The project `default` lets an Application deploy anything from any repository to any cluster; so does a
#   project with `*`. A project that is not in the repository is reviewed by nobody who reads it.
# related_resources:
#   - https://argo-cd.readthedocs.io/en/stable/user-guide/projects/
# custom:
#   id: ARG001
#   severity: {canary: error, prod: error}
#   remediation: Set `spec.project` to an AppProject of the repository whose `sourceRepos`, `destinations` and `clusterResourceWhitelist` name what the service needs, without `*`.
deny contains result if {
	some application in delivery.own
	project := object.get(application.spec, "project", "")
	project in {"", "default"}
	result := delivery.finding("ARG001", application, ["project"], sprintf("Application '%v' wants a project of its own, found '%v'", [application.name, project]))
}

deny contains result if {
	some application in delivery.own
	project := application.spec.project
	is_string(project)
	not project in {"", "default"}
	known := {objects.name(one) | some one in input.projects}
	not project in known
	result := delivery.finding("ARG001", application, ["project"], sprintf("Application '%v' wants its AppProject '%v' in the repository, found %v", [
		application.name,
		project,
		text.list(sort(known)),
	]))
}

deny contains result if {
	some project in used_projects
	some wildcard in wildcards(project)
	result := results.finding("ARG001", project, wildcard.path, sprintf("AppProject '%v' wants its %v by name, found '*'", [
		objects.name(project),
		wildcard.what,
	]))
}

used_projects := [project |
	some project in input.projects
	objects.name(project) in {name | some application in delivery.own; name := application.spec.project}
]

wildcards(project) := array.concat(
	[found |
		some index
		project.spec.sourceRepos[index] == "*"
		found := {"what": "source repositories", "path": ["spec", "sourceRepos", index]}
	],
	array.concat(
		wild_fields(project, "destinations", ["name", "namespace", "server"], "destinations"),
		wild_fields(project, "clusterResourceWhitelist", ["group", "kind"], "cluster-wide kinds"),
	),
)

wild_fields(project, list, fields, what) := [found |
	some index
	entry := project.spec[list][index]
	wild := [field | some field in fields; entry[field] == "*"]
	count(wild) > 0
	found := {"what": what, "path": ["spec", list, index, wild[0]]}
]

# METADATA
# title: prod follows a tag or a commit
# description: >-
#   A branch moves under prod: whoever merges has released. `HEAD` or nothing follows the default branch,
#   which is a setting of the Git host. A range of versions takes the next tag without a commit. canary may
#   follow a branch, and by design does: it is where main is tried, but the branch has to be named.
# related_resources:
#   - https://argo-cd.readthedocs.io/en/stable/user-guide/tracking_strategies/
# custom:
#   id: ARG002
#   severity: {canary: warning, prod: error}
#   remediation: Set `targetRevision` to a tag or a commit in prod, and to the branch's name in canary.
deny contains result if {
	some application in delivery.own
	some source in application.sources
	source.git
	not source.hydrated
	fault := revision_fault(source.revision)
	result := delivery.finding("ARG002", application, array.concat(source.field, ["targetRevision"]), sprintf("Application '%v' wants %v in targetRevision, found %v", [
		application.name,
		wanted_revision,
		fault,
	]))
}

wanted_revision := "a tag or a commit" if environment.level == "prod"

wanted_revision := "a revision by its name" if environment.level != "prod"

revision_fault(revision) := "none, which follows the default branch" if {
	revision in {null, ""}
} else := "'HEAD', which follows the default branch" if {
	revision == "HEAD"
} else := sprintf("the branch '%v'", [revision]) if {
	environment.level == "prod"
	startswith(revision, "refs/heads/")
} else := sprintf("the range '%v'", [revision]) if {
	environment.level == "prod"
	regex.match(`[*^~<>|= ]|(^|\.)[xX](\.|$)`, revision)
} else := sprintf("'%v', which names no version", [revision]) if {
	environment.level == "prod"

	# A tag that stays says which release it is; a commit of letters alone is one in a million.
	regex.match(`^[^0-9]+$`, revision)
}

# METADATA
# title: Each overlay has one Application, with its folder and its namespace
# description: >-
#   An overlay without an Application is deployed by nobody, one with two is fought over. An Application with
#   a folder that is not there cannot sync, and one with another namespace than its overlay is refused by its
#   project or spreads over two. Two Applications for two clusters are none too many.
# custom:
#   id: ARG003
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Correct `source.path` and `destination.namespace` of the Application (or the element of its ApplicationSet), add the missing one, or remove the second.
deny contains result if {
	some application in delivery.own
	count(own_namespaces) > 0
	found := object.get(application.spec, ["destination", "namespace"], "")
	is_string(found)
	not found in own_namespaces
	result := delivery.finding("ARG003", application, ["destination", "namespace"], sprintf("Application '%v' of %v wants the namespace '%v', found '%v'", [
		application.name,
		environment.settings.overlay,
		min(own_namespaces),
		found,
	]))
}

# What lockgate.yaml says, and what the overlay's pods say when they agree.
own_namespaces := {ns | some ns in [object.get(environment.settings, "namespace", "")]; ns != ""} | agreed_namespace

agreed_namespace := rendered_namespaces if {
	count(rendered_namespaces) == 1
} else := set()

rendered_namespaces := {pod.namespace | some pod in refs.pods; pod.namespace != ""}

# The rest is seen in the repository document: all Applications, and the environments that are checked.
deny contains result if {
	some stray in deployed.strays
	found := delivery.finding("ARG003", stray.application, array.concat(stray.source.field, ["path"]), sprintf("Application '%v' wants a folder of the repository in source.path, found '%v'", [
		stray.application.name,
		stray.source.path,
	]))
	result := object.union(found, {"environments": deployed.meant(stray)})
}

deny contains result if {
	input.repository.applications_complete
	some name in deployed.lacking
	not name in {other | some stray in deployed.strays; some other in deployed.meant(stray)}
	some place in [deployed.missing_place(name)]
	found := results.finding_at("ARG003", place.object, place.path, sprintf("%v wants an Application that deploys it, found none", [data.environments[name].overlay]))
	result := object.union(found, {"environments": [name]})
}

deny contains result if {
	some name in deployed.environment_names
	deploying := [application |
		some application in input.repository.applications
		application.environment == name
	]
	some index
	application := deploying[index]
	earlier := [other.name |
		some other in array.slice(deploying, 0, index)
		deployed.cluster_of(other) == deployed.cluster_of(application)
	]
	count(earlier) > 0
	found := delivery.finding("ARG003", application, deployed.path_of(application), sprintf("%v wants one Application, found '%v' beside '%v'", [
		data.environments[name].overlay,
		application.name,
		earlier[0],
	]))
	result := object.union(found, {"environments": [name]})
}

# METADATA
# title: Argo CD syncs by itself, and leaves the replicas to the autoscaler
# description: >-
#   The autoscaler writes the replicas that Git does not say. An Application that does not ignore them sets
#   them back as soon as someone writes them down, and without RespectIgnoreDifferences each sync does.
#   Without prune and selfHeal the cluster keeps what Git dropped, and what someone changed by hand.
# related_resources:
#   - https://argo-cd.readthedocs.io/en/stable/user-guide/sync-options/#respect-ignore-difference-configs
# custom:
#   id: ARG004
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Add the autoscaler's target with `jsonPointers` [/spec/replicas] to `ignoreDifferences` and RespectIgnoreDifferences=true to `syncPolicy.syncOptions`; set `prune` and `selfHeal` of `syncPolicy.automated` to true.
deny contains result if {
	some application in delivery.own
	some target in scaled_targets
	not delivery.ignores_replicas(application.spec, target)
	result := delivery.finding("ARG004", application, ["ignoreDifferences"], sprintf("Application '%v' wants to ignore /spec/replicas of the %v '%v', which an autoscaler owns, found no such entry", [
		application.name,
		target.kind,
		objects.name(target),
	]))
}

deny contains result if {
	some application in delivery.own
	some target in scaled_targets
	delivery.ignores_replicas(application.spec, target)
	not delivery.respects(application.spec)
	result := delivery.finding("ARG004", application, ["syncPolicy", "syncOptions"], sprintf("Application '%v' wants the sync option RespectIgnoreDifferences=true for the replicas that it ignores, found none", [application.name]))
}

deny contains result if {
	some application in delivery.own
	wanted := catalogue.delivery.automated[environment.level]
	wanted.demanded
	not automated(application.spec)
	result := delivery.finding("ARG004", application, ["syncPolicy", "automated"], sprintf("Application '%v' wants automated sync in %v, found none", [
		application.name,
		environment.name,
	]))
}

deny contains result if {
	some application in delivery.own
	wanted := catalogue.delivery.automated[environment.level]
	automated(application.spec)
	some field in ["prune", "selfHeal"]
	found := object.get(application.spec, ["syncPolicy", "automated", field], false)
	is_boolean(found)
	found != wanted[field]
	result := delivery.finding("ARG004", application, ["syncPolicy", "automated", field], sprintf("Application '%v' wants %v %v in %v, found %v", [
		application.name,
		field,
		wanted[field],
		environment.name,
		found,
	]))
}

automated(spec) if {
	is_object(spec.syncPolicy.automated)
	not spec.syncPolicy.automated.enabled == false
}

# Targets of autoscalers that say no replicas themselves; the others are HPA001's.
scaled_targets := [target |
	some target in objects.all
	scaling.object_id(target) in {scaler.target | some scaler in scaling.autoscalers}
	object.get(target, ["spec", "replicas"], null) == null
]

# METADATA
# title: Argo CD fills the cache before it starts the server
# description: >-
#   Argo CD waits for each phase and wave before it begins the next. A server in the wave of the preload Job
#   starts on an empty cache and restarts until the weights are there; a Job before its claim waits for ever.
#   A hook that says when it is deleted leaves no old Job in the way of the next sync.
# related_resources:
#   - https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/
# custom:
#   id: ARG005
#   severity: {canary: warning, prod: warning}
#   remediation: Give the claim, the preload Job and the server rising values of `argocd.argoproj.io/sync-wave`, and a hook `argocd.argoproj.io/hook-delete-policy` BeforeHookCreation.
deny contains result if {
	some fill in fills
	some claim in objects.of_kind("PersistentVolumeClaim")
	refs.key_of(objects.namespace(claim), objects.name(claim)) == fill.claim
	delivery.moment(claim) > delivery.moment(fill.job)
	result := results.with_also(
		results.finding("ARG005", fill.job, wave_path, sprintf("the Job '%v' wants to come after its claim '%v' (%v), found it before (%v)", [
			objects.name(fill.job),
			objects.name(claim),
			moment_text(claim),
			moment_text(fill.job),
		])),
		[results.place(claim, wave_path)],
	)
}

deny contains result if {
	some start in starts
	filling := [fill | some fill in fills; fill.claim == start.claim]
	count(filling) > 0
	count([fill | some fill in filling; delivery.moment(fill.job) < delivery.moment(start.object)]) == 0
	fill := filling[0]
	result := results.with_also(
		results.finding("ARG005", start.object, wave_path, sprintf("the %v '%v' wants to come after the Job '%v' (%v) that fills its cache, found it at %v", [
			start.object.kind,
			objects.name(start.object),
			objects.name(fill.job),
			moment_text(fill.job),
			moment_text(start.object),
		])),
		[results.place(fill.job, wave_path)],
	)
}

deny contains result if {
	some job in objects.of_kind("Job")
	count(delivery.hooks(job)) > 0
	policy := object.get(job, ["metadata", "annotations", delete_annotation], "")
	is_string(policy)
	known := [part | some part in split(policy, ","); trim_space(part) in catalogue.delivery.hook_delete_policies]
	count(known) == 0
	result := results.finding("ARG005", job, ["metadata", "annotations", delete_annotation], sprintf("the hook '%v' wants a delete policy of %v, found '%v'", [
		objects.name(job),
		text.list(catalogue.delivery.hook_delete_policies),
		policy,
	]))
}

delete_annotation := "argocd.argoproj.io/hook-delete-policy"

wave_path := ["metadata", "annotations", delivery.wave_annotation]

moment_text(obj) := sprintf("%v wave %v", [["PreSync", "Sync", "PostSync"][delivery.phase(obj)], delivery.wave(obj)])

# Jobs that write a claim before or during a sync: {"job", "claim": its key}. One after the sync cleans up.
fills := [{"job": workload.object, "claim": key} |
	argo_deploys
	some workload in workloads.all
	workload.object.kind == "Job"
	delivery.phase(workload.object) < 2
	some volume in workload.pod.volumes
	not volume.persistentVolumeClaim.readOnly
	some container in workloads.pod_containers(workload.pod)
	some mount in container.volumeMounts
	mount.name == volume.name
	not mount.readOnly
	key := refs.key_of(objects.namespace(workload.object), volume.persistentVolumeClaim.claimName)
]

# What starts servers that read a claim: {"object": the controller, "claim"}.
starts := [{"object": controller, "claim": key} |
	some engine in vllm.engines
	kind := objects.string_at(engine.object, "kind")
	not kind in {"Job", "CronJob"}
	controller := scaling.controller_of(engine.workload)
	some volume in engine.pod.volumes
	key := refs.key_of(objects.namespace(engine.object), volume.persistentVolumeClaim.claimName)
]

argo_deploys if count(delivery.own) > 0

argo_deploys if {
	some obj in objects.all
	delivery.ordered(obj)
}
