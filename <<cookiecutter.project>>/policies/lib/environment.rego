# Which environment the document is, and the team's numbers for it.
package lockgate.lib.environment

import data.lockgate.lib.objects
import rego.v1

# The environment's name: said by Lockgate; under conftest, the `environment` label of the
# Namespace, else of the first object that has one.
name := input.environment

name := labelled[0] if {
	is_array(input)
	count(labelled) > 0
}

labelled := array.concat(labels_of(objects.of_kind("Namespace")), labels_of(objects.all))

labels_of(objs) := [label |
	some obj in objs
	label := obj.metadata.labels.environment
	is_string(label)
]

# The entry of lockgate.yaml; undefined when there is none.
settings := data.environments[name]

# dev, canary or prod: how strict this environment is.
level := settings.level

level := name if not settings.level

# Is what stands in the document a part of what runs? Manifests that no lockgate.yaml calls an environment
# may leave out what others apply: what is not there may be in the cluster.
partial if input.partial == true

# The pool of GPU nodes that the environment runs on; undefined when it names none.
pool := data.pools[settings.pool]
