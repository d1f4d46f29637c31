# Tolerations against taints, as the scheduler compares them.
package lockgate.lib.taints

import data.lockgate.lib.environment
import rego.v1

pool_taints := [taint |
	some taint in environment.pool.taints
	taint.effect in {"NoSchedule", "NoExecute"}
]

# The toleration of one taint and no other.
fitting(taint) := {"key": taint.key, "operator": "Equal", "value": taint.value, "effect": taint.effect} if taint.value

fitting(taint) := {"key": taint.key, "operator": "Exists", "effect": taint.effect} if not taint.value

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

# Fields of another type than text are the schema's matter.
readable(toleration) if {
	is_object(toleration)
	count([field | some field in ["key", "operator", "value", "effect"]; not is_string(object.get(toleration, field, ""))]) == 0
}

# Tolerations with the taint's key that do not fit it.
near(workload, taint) := [{"index": i, "toleration": toleration} |
	list := object.get(workload.pod, "tolerations", [])
	some i
	toleration := list[i]
	toleration.key == taint.key
	readable(toleration)
	not fits_another(toleration)
]

fits_another(toleration) if {
	some taint in environment.pool.taints
	tolerates(toleration, taint)
}

differing(toleration, taint) := "effect" if not same_effect(toleration, taint)

differing(toleration, taint) := "value" if same_effect(toleration, taint)

unneeded(workload, toleration) if {
	key := toleration.key
	not for_all(toleration)
	not startswith(key, "node.kubernetes.io/")
	not fits_another(toleration)
	unmet_keys := {taint.key | some taint in unmet(workload)}
	not key in unmet_keys
}

taint_words(taint) := sprintf("%v=%v:%v", [taint.key, taint.value, taint.effect]) if taint.value

taint_words(taint) := sprintf("%v:%v", [taint.key, taint.effect]) if not taint.value

toleration_words(t) := sprintf("%v%v", [taint_key_words(t), effect_words(t)])

taint_key_words(t) := sprintf("%v=%v", [t.key, t.value]) if t.value

taint_key_words(t) := object.get(t, "key", "") if not t.value

effect_words(t) := sprintf(":%v", [t.effect]) if t.effect

effect_words(t) := "" if not t.effect
