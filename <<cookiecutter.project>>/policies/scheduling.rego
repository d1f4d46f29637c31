# Where pods run: tolerations and node selection against the environment's pool.
package lockgate.scheduling

import data.lockgate.lib.catalogue
import data.lockgate.lib.environment
import data.lockgate.lib.results
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
]

pool_taints := [taint |
	some taint in environment.pool.taints
	taint.effect in {"NoSchedule", "NoExecute"}
]

# METADATA
# title: GPU pods tolerate exactly the taints of their pool
# description: >-
#   GPU nodes are tainted so that nothing else runs there. Without the toleration the pod
#   stays Pending; with one for another pool it lands on nodes that are not its own.
# custom:
#   id: SCH001
#   severity: {dev: error, canary: error, prod: error}
#   remediation: >-
#     Give spec.tolerations one entry per taint that pools.<pool>.taints in lockgate.yaml
#     lists, with its key, value and effect, and no other.
deny contains result if {
	rule_holds_here
	some workload in gpu_pods
	some taint in unmet(workload)
	count(near(workload, taint)) == 0
	msg := sprintf("no toleration for the taint %s of the pool, wanted one", [taint_words(taint)])
	result := results.finding("SCH001", workload.object, array.concat(workload.path, ["tolerations"]), msg)
}

deny contains result if {
	rule_holds_here
	some workload in gpu_pods
	some taint in unmet(workload)
	wrong := near(workload, taint)[0]
	msg := sprintf("the toleration %s does not fit the pool, wanted %s", [toleration_words(wrong.toleration), taint_words(taint)])
	path := array.concat(workload.path, ["tolerations", wrong.index, differing(wrong.toleration, taint)])
	result := results.finding("SCH001", workload.object, path, msg)
}

deny contains result if {
	rule_holds_here
	some workload in gpu_pods
	some i, toleration in object.get(workload.pod, "tolerations", [])
	unneeded(workload, toleration)
	msg := sprintf("the toleration %s fits no taint of the pool, wanted only: %s", [toleration_words(toleration), concat(", ", [taint_words(taint) | some taint in pool_taints])])
	result := results.finding("SCH001", workload.object, array.concat(workload.path, ["tolerations", i]), msg)
}

# Some clusters add the tolerations of GPU pods themselves.
rule_holds_here if {
	is_array(environment.pool.taints)
	not environment.pool.tolerations_added_by_cluster
}

unmet(workload) := [taint |
	some taint in pool_taints
	not tolerated(workload.pod, taint)
]

tolerated(pod, taint) if {
	some toleration in pod.tolerations
	tolerates(toleration, taint)
}

# Kubernetes' own comparison. A toleration without a key tolerates every taint.
tolerates(toleration, taint) if {
	same_key(toleration, taint)
	same_effect(toleration, taint)
	same_value(toleration, taint)
}

same_key(toleration, taint) if toleration.key == taint.key

same_key(toleration, _) if for_all(toleration)

for_all(toleration) if {
	toleration.operator == "Exists"
	object.get(toleration, "key", "") == ""
}

same_effect(toleration, taint) if object.get(toleration, "effect", "") in {"", taint.effect}

same_value(toleration, _) if toleration.operator == "Exists"

same_value(toleration, taint) if {
	object.get(toleration, "operator", "Equal") == "Equal"
	object.get(toleration, "value", "") == object.get(taint, "value", "")
}

# Tolerations with the taint's key that do not fit it.
near(workload, taint) := [{"index": i, "toleration": toleration} |
	list := object.get(workload.pod, "tolerations", [])
	some i
	toleration := list[i]
	toleration.key == taint.key
	not fits_another(toleration)
]

fits_another(toleration) if {
	some taint in environment.pool.taints
	tolerates(toleration, taint)
}

differing(toleration, taint) := "effect" if not same_effect(toleration, taint)

differing(toleration, taint) := "value" if same_effect(toleration, taint)

unneeded(workload, toleration) if {
	not for_all(toleration)
	not startswith(object.get(toleration, "key", ""), "node.kubernetes.io/")
	not fits_another(toleration)
	unmet_keys := {taint.key | some taint in unmet(workload)}
	not toleration.key in unmet_keys
}

taint_words(taint) := sprintf("%s=%v:%s", [taint.key, taint.value, taint.effect]) if taint.value

taint_words(taint) := sprintf("%s:%s", [taint.key, taint.effect]) if not taint.value

toleration_words(t) := sprintf("%s%s", [taint_key_words(t), effect_words(t)])

taint_key_words(t) := sprintf("%s=%v", [t.key, t.value]) if t.value

taint_key_words(t) := object.get(t, "key", "") if not t.value

effect_words(t) := sprintf(":%s", [t.effect]) if t.effect

effect_words(t) := "" if not t.effect

# METADATA
# title: No pod tolerates every taint
# description: >-
#   A toleration with the operator Exists and no key fits every taint: the pod lands on
#   control plane nodes, on nodes that are being drained, and on another team's GPUs.
# custom:
#   id: SCH002
#   severity: {dev: error, canary: error, prod: error}
#   remediation: >-
#     Name the key (and effect) of the taint that the pod must tolerate.
deny contains result if {
	some workload in workloads.all
	some i, toleration in object.get(workload.pod, "tolerations", [])
	for_all(toleration)
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
#   severity: {canary: error, prod: error}
#   remediation: >-
#     Set spec.nodeSelector (or a required node affinity with operator In) to a label and
#     value that pools.<pool>.node_selector in lockgate.yaml lists.
deny contains result if {
	some workload in gpu_pods
	some label, allowed in environment.pool.node_selector
	chosen := object.get(workload.pod, ["nodeSelector", label], null)
	chosen != null
	not chosen in allowed
	msg := sprintf("nodeSelector %s is \"%v\", wanted one of: %s", [label, chosen, concat(", ", allowed)])
	result := results.finding("SCH003", workload.object, array.concat(workload.path, ["nodeSelector", label]), msg)
}

deny contains result if {
	some workload in gpu_pods
	some label, allowed in environment.pool.node_selector
	object.get(workload.pod, ["nodeSelector", label], null) == null
	loose := loose_terms(workload.pod, label, allowed)
	count(loose) > 0
	affinity_path := ["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"]
	msg := sprintf("a required node affinity term leaves %s open or names another, wanted operator In with only: %s", [label, concat(", ", allowed)])
	result := results.finding("SCH003", workload.object, array.concat(workload.path, array.concat(affinity_path, loose[0])), msg)
}

deny contains result if {
	some workload in gpu_pods
	some label, allowed in environment.pool.node_selector
	object.get(workload.pod, ["nodeSelector", label], null) == null
	not names_label(workload.pod, label)
	msg := sprintf("the pod does not choose %s, wanted one of: %s", [label, concat(", ", allowed)])
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
#   severity: {dev: warning, canary: warning, prod: warning}
#   remediation: >-
#     Remove the toleration and the node selector of the GPU pool from this pod.
deny contains result if {
	some workload in other_pods
	some i, toleration in object.get(workload.pod, "tolerations", [])
	gpu_toleration(toleration)
	msg := sprintf("a pod without GPU tolerates %s, wanted no toleration of the GPU pool", [toleration_words(toleration)])
	result := results.finding("SCH004", workload.object, array.concat(workload.path, ["tolerations", i]), msg)
}

deny contains result if {
	some workload in other_pods
	some label, chosen in object.get(workload.pod, "nodeSelector", {})
	gpu_label(label)
	msg := sprintf("a pod without GPU selects %s \"%v\", wanted no selector of the GPU pool", [label, chosen])
	result := results.finding("SCH004", workload.object, array.concat(workload.path, ["nodeSelector", label]), msg)
}

deny contains result if {
	some workload in other_pods
	some i, term in required_terms(workload.pod)
	some j, expression in term.matchExpressions
	gpu_label(expression.key)
	expression.operator in {"In", "Exists", "Gt"}
	msg := sprintf("a pod without GPU requires nodes by %s, wanted no affinity to the GPU pool", [expression.key])
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
