# Autoscalers and what they scale.
package lockgate.autoscaling

import data.lockgate.lib.catalogue
import data.lockgate.lib.delivery
import data.lockgate.lib.environment
import data.lockgate.lib.objects
import data.lockgate.lib.results
import data.lockgate.lib.scaling
import rego.v1

# METADATA
# title: An autoscaled workload has no replicas of its own
# description: >-
#   The manifest and the autoscaler write the same field: each sync of Argo CD throws the
#   scale back, or shows the application as out of sync for ever.
# related_resources:
#   - https://argo-cd.readthedocs.io/en/stable/user-guide/diffing/
# custom:
#   id: HPA001
#   severity: {dev: error, canary: error, prod: error}
#   remediation: >-
#     Remove spec.replicas from the autoscaler's target, or let the Application ignore
#     /spec/replicas with the sync option RespectIgnoreDifferences=true.
deny contains result if {
	some scaler in scaling.autoscalers
	some target in objects.all
	scaling.object_id(target) == scaler.target
	replicas := target.spec.replicas
	not left_alone(target)
	msg := sprintf("spec.replicas is %v beside the %v \"%v\", wanted none", [replicas, scaler.object.kind, objects.name(scaler.object)])
	result := results.finding("HPA001", target, ["spec", "replicas"], msg)
}

left_alone(target) if {
	some spec in delivery.specs
	delivery.leaves_replicas(spec, target)
}

# METADATA
# title: The autoscaler's bounds make sense
# description: >-
#   With a minimum above the maximum the API server refuses the autoscaler; with one replica
#   in prod each node drain and each crash is an outage of a start-up's length.
# custom:
#   id: HPA002
#   scope: object
#   severity: {canary: error, prod: error}
#   remediation: >-
#     Set minReplicas to 1 or more (2 or more in prod) and not above maxReplicas.
deny contains result if {
	some scaler in scaling.autoscalers
	scaler.min > scaler.max
	msg := sprintf("%v %v is above %v %v, wanted at most the maximum", [scaler.min_field, scaler.min, scaler.max_field, scaler.max])
	found := results.finding("HPA002", scaler.object, ["spec", scaler.min_field], msg)
	result := results.with_also(found, [results.place(scaler.object, ["spec", scaler.max_field])])
}

deny contains result if {
	some scaler in scaling.autoscalers
	scaler.min <= scaler.max
	wanted := object.get(catalogue.thresholds.autoscaler_minimum, environment.level, 1)
	scaler.min < wanted
	msg := sprintf("%v is %v, wanted at least %v in %v", [scaler.min_field, scaler.min, wanted, environment.name])
	result := results.finding("HPA002", scaler.object, ["spec", scaler.min_field], msg)
}
