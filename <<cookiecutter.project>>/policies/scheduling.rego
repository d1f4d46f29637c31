# Where pods run: tolerations and node selection against the environment's pool.
package lockgate.scheduling

import data.lockgate.lib.catalogue
import data.lockgate.lib.environment
import data.lockgate.lib.objects
import data.lockgate.lib.quantity
import data.lockgate.lib.refs
import data.lockgate.lib.results
import data.lockgate.lib.scaling
import data.lockgate.lib.taints
import data.lockgate.lib.vllm
import data.lockgate.lib.workloads
import rego.v1

# Pods that run on GPU nodes: they hold GPUs, or serve and should.
gpu_pods := [workload |
	some workload in workloads.all
	on_gpu(workload)
]

on_gpu(workload) if workload.id in workloads.gpu_ids

on_gpu(workload) if vllm.server_paths[workload.id]

other_pods := [workload |
	some workload in workloads.all
	not on_gpu(workload)
	not on_each_node(workload)
]

# Agents of nodes (exporters, drivers, device plugins) belong on GPU nodes and on tainted ones.
on_each_node(workload) if workload.object.kind == "DaemonSet"

# METADATA
# title: GPU pods tolerate exactly the taints of their pool
# description: >-
#   GPU nodes are tainted so that nothing else runs there. Without the toleration the pod
#   stays Pending; with one for another pool it lands on nodes that are not its own.
# custom:
#   id: SCH001
#   scope: object
#   severity: {dev: error, canary: error, prod: error}
#   remediation: >-
#     Give spec.tolerations one entry per taint that pools.<pool>.taints in lockgate.yaml
#     lists, with its key, value and effect, and no other.
deny contains result if {
	rule_holds_here
	some workload in gpu_pods
	some taint in taints.unmet(workload)
	count(taints.near(workload, taint)) == 0
	msg := sprintf("no toleration for the taint %v of the pool, wanted one", [taints.taint_words(taint)])
	found := results.finding("SCH001", workload.object, array.concat(workload.path, ["tolerations"]), msg)
	result := results.with_fix(found, [{"op": "append", "path": found.path, "value": taints.fitting(taint)}])
}

deny contains result if {
	rule_holds_here
	some workload in gpu_pods
	some taint in taints.unmet(workload)
	wrong := taints.near(workload, taint)[0]
	msg := sprintf("the toleration %v does not fit the pool, wanted %v", [taints.toleration_words(wrong.toleration), taints.taint_words(taint)])
	field := taints.differing(wrong.toleration, taint)
	path := array.concat(workload.path, ["tolerations", wrong.index, field])
	result := fitting_answer(taint, field, results.finding("SCH001", workload.object, path, msg))
}

deny contains result if {
	rule_holds_here
	some workload in gpu_pods
	some i, toleration in workload.pod.tolerations
	taints.readable(toleration)
	taints.unneeded(workload, toleration)
	msg := sprintf("the toleration %v fits no taint of the pool, wanted only: %v", [taints.toleration_words(toleration), concat(", ", [taints.taint_words(taint) | some taint in taints.pool_taints])])
	result := results.removed(results.finding("SCH001", workload.object, array.concat(workload.path, ["tolerations", i]), msg))
}

fitting_answer(taint, field, found) := results.set_to(found, taint[field]) if {
	taint[field]
} else := found

# Some clusters add the tolerations of GPU pods themselves.
rule_holds_here if {
	is_array(environment.pool.taints)
	not environment.pool.tolerations_added_by_cluster
}

# METADATA
# title: No pod tolerates every taint
# description: >-
#   A toleration with the operator Exists and no key fits every taint: the pod lands on
#   control plane nodes, on nodes that are being drained, and on another team's GPUs.
# custom:
#   id: SCH002
#   scope: object
#   severity: {dev: error, canary: error, prod: error}
#   remediation: >-
#     Name the key (and effect) of the taint that the pod must tolerate.
deny contains result if {
	some workload in workloads.all
	not on_each_node(workload)
	some i, toleration in workload.pod.tolerations
	taints.for_all(toleration)
	msg := "a toleration with operator Exists has no key and fits every taint, wanted a key"
	result := results.finding("SCH002", workload.object, array.concat(workload.path, ["tolerations", i]), msg)
}

# METADATA
# title: GPU pods choose the accelerator that the environment names
# description: >-
#   A cluster with several GPU models puts the pod on any of them: too little memory for
#   the weights, or a price that nobody asked for.
# custom:
#   id: SCH003
#   scope: object
#   severity: {canary: error, prod: error}
#   remediation: >-
#     Set spec.nodeSelector (or a required node affinity with operator In) to a label and
#     value that pools.<pool>.node_selector in lockgate.yaml lists.
deny contains result if {
	some workload in gpu_pods
	some label, allowed in environment.pool.node_selector
	chosen := object.get(workload.pod, ["nodeSelector", label], null)
	is_string(chosen)
	not chosen in allowed
	msg := sprintf("nodeSelector %v is \"%v\", wanted one of: %v", [label, chosen, concat(", ", allowed)])
	result := results.finding("SCH003", workload.object, array.concat(workload.path, ["nodeSelector", label]), msg)
}

deny contains result if {
	some workload in gpu_pods
	some label, allowed in environment.pool.node_selector
	object.get(workload.pod, ["nodeSelector", label], null) == null
	loose := loose_terms(workload.pod, label, allowed)
	count(loose) > 0
	affinity_path := ["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"]
	msg := sprintf("a required node affinity term leaves %v open or names another, wanted operator In with only: %v", [label, concat(", ", allowed)])
	result := results.finding("SCH003", workload.object, array.concat(workload.path, array.concat(affinity_path, loose[0])), msg)
}

deny contains result if {
	some workload in gpu_pods
	some label, allowed in environment.pool.node_selector
	object.get(workload.pod, ["nodeSelector", label], null) == null
	not names_label(workload.pod, label)
	msg := sprintf("the pod does not choose %v, wanted one of: %v", [label, concat(", ", allowed)])
	result := results.finding("SCH003", workload.object, array.concat(workload.path, ["nodeSelector", label]), msg)
}

required_terms(pod) := object.get(pod, ["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"], [])

names_label(pod, label) if {
	some term in required_terms(pod)
	some expression in term.matchExpressions
	expression.key == label
}

# Paths, from the list of terms on, of terms that do not bind the label to allowed values.
# Terms are alternatives: each must bind it. Empty when no term names the label at all.
loose_terms(pod, label, allowed) := [path |
	names_label(pod, label)
	terms := required_terms(pod)
	some i
	term := terms[i]
	not bound(term, label, allowed)
	path := expression_path(term, i, label)
]

bound(term, label, allowed) if {
	some expression in term.matchExpressions
	expression.key == label
	expression.operator == "In"
	count([v | some v in expression.values; not v in allowed]) == 0
}

expression_path(term, i, label) := [i, "matchExpressions", found[0], "values"] if {
	found := expressions_on(term, label)
	count(found) > 0
}

expression_path(term, i, label) := [i] if count(expressions_on(term, label)) == 0

expressions_on(term, label) := [j |
	list := object.get(term, "matchExpressions", [])
	some j
	list[j].key == label
]

# METADATA
# title: Pods without GPU stay off GPU nodes
# description: >-
#   A Job or router that tolerates the GPU taint or selects GPU nodes takes their CPU and
#   memory, and an expensive node stays up for it.
# custom:
#   id: SCH004
#   scope: object
#   severity: {dev: warning, canary: warning, prod: warning}
#   remediation: >-
#     Remove the toleration and the node selector of the GPU pool from this pod.
deny contains result if {
	some workload in other_pods
	some i, toleration in workload.pod.tolerations
	taints.readable(toleration)
	gpu_toleration(toleration)
	msg := sprintf("a pod without GPU tolerates %v, wanted no toleration of the GPU pool", [taints.toleration_words(toleration)])
	result := results.removed(results.finding("SCH004", workload.object, array.concat(workload.path, ["tolerations", i]), msg))
}

deny contains result if {
	some workload in other_pods
	some label, chosen in workload.pod.nodeSelector
	is_string(chosen)
	gpu_label(label)
	msg := sprintf("a pod without GPU selects %v \"%v\", wanted no selector of the GPU pool", [label, chosen])
	result := results.removed(results.finding("SCH004", workload.object, array.concat(workload.path, ["nodeSelector", label]), msg))
}

deny contains result if {
	some workload in other_pods
	some i, term in required_terms(workload.pod)
	some j, expression in term.matchExpressions
	gpu_label(expression.key)
	expression.operator in {"In", "Exists", "Gt"}
	msg := sprintf("a pod without GPU requires nodes by %v, wanted no affinity to the GPU pool", [expression.key])
	affinity_path := ["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"]
	result := results.finding("SCH004", workload.object, array.concat(workload.path, array.concat(affinity_path, [i, "matchExpressions", j])), msg)
}

gpu_toleration(toleration) if {
	some taint in environment.pool.taints
	toleration.key == taint.key
}

gpu_toleration(toleration) if workloads.is_gpu(toleration.key)

gpu_label(label) if is_array(environment.pool.node_selector[label])

gpu_label(label) if strings.any_prefix_match(label, catalogue.gpus.node_label_prefixes)

# METADATA
# title: Several pods are spread, and share a node where they fit
# description: >-
#   The scheduler may put all pods of a service on one node or in one zone, and its loss is then an outage. A
#   required anti-affinity by host name is the other extreme: one pod takes a node for itself and its other GPUs
#   stay idle. Counted are the pods that are always there (`replicas`, or the autoscaler's minimum); an entry that
#   selects other pods spreads nothing.
# related_resources:
#   - https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
# custom:
#   id: SCH005
#   severity: {prod: warning}
#   remediation: >-
#     Give the pod's spec topologySpreadConstraints with `whenUnsatisfiable: ScheduleAnyway` or a preferred
#     podAntiAffinity whose labelSelector selects the pod itself; make a required one preferred.
deny contains result if {
	some entry in several
	count(entry.exclusive) == 0
	not spread(entry)
	result := results.finding("SCH005", entry.workload.object, array.concat(entry.workload.path, ["topologySpreadConstraints"]), sprintf("%v pods want topologySpreadConstraints or a preferred podAntiAffinity that selects them, found none", [entry.pods]))
}

deny contains result if {
	some entry in several
	fits := pods_on_node(entry.workload)
	fits > 1
	some index in entry.exclusive
	path := array.concat(entry.workload.path, array.concat(required_affinity, [index]))
	result := results.finding("SCH005", entry.workload.object, path, sprintf("the pods want a preferred podAntiAffinity, found a required one by %v, while %v of them fit a node of %v GPUs", [
		host_label,
		fits,
		environment.pool.gpus_per_node,
	]))
}

host_label := "kubernetes.io/hostname"

required_affinity := ["affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution"]

preferred_affinity := ["affinity", "podAntiAffinity", "preferredDuringSchedulingIgnoredDuringExecution"]

# Workloads with two pods or more at any time: {"workload", "pods", "labels", "exclusive": indexes of required
# anti-affinities by host name that select the pods themselves}.
several := [{"workload": workload, "pods": pods, "labels": labels, "exclusive": exclusive} |
	some workload in workloads.all
	pods := steady_pods(scaling.controller_of(workload))
	pods > 1
	labels := refs.labels_of(workload.metadata)
	terms := entries(workload.pod, required_affinity)
	exclusive := [index |
		some index
		term := terms[index]
		term.topologyKey == host_label
		selects_own(term, labels)
		not term.namespaceSelector
	]
]

replicated_kinds := {"Deployment", "ReplicaSet", "Rollout", "StatefulSet"}

steady_pods(controller) := scaling.autoscaler_of(controller).min if {
	scaling.autoscaler_of(controller)
} else := quantity.whole_number(object.get(controller, ["spec", "replicas"], 1)) if {
	objects.string_at(controller, "kind") in replicated_kinds
}

entries(pod, path) := list if {
	list := object.get(pod, path, [])
	is_array(list)
} else := []

spread(entry) if {
	some constraint in entries(entry.workload.pod, ["topologySpreadConstraints"])
	selects_own(constraint, entry.labels)
}

spread(entry) if {
	some item in entries(entry.workload.pod, preferred_affinity)
	selects_own(item.podAffinityTerm, entry.labels)
}

spread(entry) if {
	some term in entries(entry.workload.pod, required_affinity)
	selects_own(term, entry.labels)
}

# Labels that only the cluster knows (the hash of a template) are not judged.
selects_own(term, labels) if {
	is_object(term.labelSelector)
	refs.selects(term.labelSelector, labels)
}

selects_own(term, _) if count(term.matchLabelKeys) > 0

pods_on_node(workload) := floor(environment.pool.gpus_per_node / gpus) if {
	gpus := workloads.pod_gpus(workload.pod)
	gpus > 0
}
