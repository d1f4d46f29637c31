# What Argo CD does with an environment: the Applications that deploy it, in what order it applies objects.
package lockgate.lib.delivery

import data.lockgate.lib.environment
import data.lockgate.lib.objects
import data.lockgate.lib.quantity
import data.lockgate.lib.results
import rego.v1

# Applications that deploy this environment's overlay, ApplicationSets expanded:
# {"name", "object": where it is written, "base": path of its spec there, "element": path of the generator's
# element, "origins": {field below the spec: paths}, "spec", "sources", "environment"}.
own := [application |
	some application in input.applications
	application.environment == environment.name
]

# The specs of those Applications; without Lockgate, of the Applications among the objects.
specs := [application.spec | some application in own] if input.applications

specs := [obj.spec | some obj in objects.of_kind("Application")] if not input.applications

# Where a field below an Application's spec is written: the template, the element, or both.
places(application, field) := found if {
	ref := application.object
	paths := application.origins[concat("/", [sprintf("%v", [step]) | some step in field])]
	found := [place | some path in paths; place := {"object": ref, "path": path}]
} else := [{"object": application.object, "path": array.concat(application.base, field)}]

# A finding on a field below an Application's spec.
finding(id, application, field, msg) := results.with_also(first, array.slice(spots, 1, count(spots))) if {
	spots := places(application, field)
	first := results.finding_at(id, spots[0].object, spots[0].path, msg)
}

# Does the Application leave the replicas of a target to the autoscaler? Without the sync option the
# difference is hidden, and each sync still writes the field.
leaves_replicas(spec, target) if {
	respects(spec)
	ignores_replicas(spec, target)
}

respects(spec) if "RespectIgnoreDifferences=true" in spec.syncPolicy.syncOptions

ignores_replicas(spec, target) if {
	some entry in spec.ignoreDifferences
	object.get(entry, "kind", "") in {target.kind, "*"}
	object.get(entry, "group", "") in {objects.group(target.apiVersion), "*"}
	object.get(entry, "name", objects.name(target)) in {objects.name(target), ""}
	object.get(entry, "namespace", objects.namespace(target)) in {objects.namespace(target), ""}
	covers_replicas(entry)
}

covers_replicas(entry) if {
	some pointer in entry.jsonPointers
	pointer in {"", "/spec", "/spec/replicas"}
}

# An expression may say it in many ways.
covers_replicas(entry) if {
	some expression in entry.jqPathExpressions
	contains(expression, "replicas")
}

covers_replicas(entry) if ".spec" in entry.jqPathExpressions

# Fields of a manager: which ones, only the cluster knows.
covers_replicas(entry) if count(entry.managedFieldsManagers) > 0

wave_annotation := "argocd.argoproj.io/sync-wave"

hook_annotation := "argocd.argoproj.io/hook"

# A number that grows with the moment at which Argo CD applies an object: phase, then wave. Undefined for
# hooks of another kind and waves that are no number.
moment(obj) := (1000000 * phase(obj)) + wave(obj)

wave(obj) := quantity.whole_value(object.get(obj, ["metadata", "annotations", wave_annotation], "0"))

phase(obj) := 1 if not hooks(obj)

phase(obj) := 0 if "PreSync" in hooks(obj)

phase(obj) := 1 if {
	"Sync" in hooks(obj)
	not "PreSync" in hooks(obj)
}

phase(obj) := 2 if {
	"PostSync" in hooks(obj)
	not "PreSync" in hooks(obj)
	not "Sync" in hooks(obj)
}

# The phases of a hook; undefined for what is none.
hooks(obj) := {trim_space(hook) | some hook in split(annotation, ",")} if {
	annotation := obj.metadata.annotations[hook_annotation]
	is_string(annotation)
	annotation != ""
}

# Does an object say anything to Argo CD about its order?
ordered(obj) if obj.metadata.annotations[wave_annotation]

ordered(obj) if hooks(obj)
