# The data files. conftest and Lockgate load policies/data/NAME.json as data.NAME,
# `opa test policies` as data.data.NAME.
package lockgate.lib.catalogue

import rego.v1

# Limits that the rules share (seconds, replicas per level).
thresholds := data.thresholds

thresholds := data.data.thresholds

# Resource keys and kinds that hold GPUs.
gpus := data.gpus

gpus := data.data.gpus

# GPU models: memory, node label, price.
accelerators := data.accelerators

accelerators := data.data.accelerators

# Models: layers, heads, size of the weights. The file is models.json; its key is another one,
# since `models` is the section of lockgate.yaml that overrides it.
models := data.known_models

models := data.data.known_models

# What the sum of a GPU's memory is made of: bits of a weight, overhead, defaults of vLLM.
memory := data.memory

memory := data.data.memory

# Shapes of credentials, and what marks a placeholder.
credentials := data.credentials

credentials := data.data.credentials

# Variables that name cache, home and temporary directories.
caches := data.caches

caches := data.data.caches

# Names that every cluster provides.
provided := data.provided

provided := data.data.provided

# What a route to servers may let through, and who else may end TLS or guard a path.
routes := data.routes

routes := data.data.routes

# Labels that change between releases or environments.
selectors := data.selectors

selectors := data.data.selectors

# Days that an exemption may run.
exemption_limits := data.exemption_limits

exemption_limits := data.data.exemption_limits

# Image tags that move.
image_tags := data.image_tags

image_tags := data.data.image_tags

# What each vLLM version understands and says; tools/vllm_catalogue.py of Lockgate writes it.
vllm := data.vllm

vllm := data.data.vllm

# Versions of Kubernetes' APIs: since when deprecated, since when gone, what to write instead.
apis := data.apis

apis := data.data.apis

# Fields of kustomizations that are deprecated, with what to write instead.
kustomizations := data.kustomizations

kustomizations := data.data.kustomizations

# What Argo CD does per level, and words that it knows.
delivery := data.delivery

delivery := data.data.delivery

# What exports metrics beside vLLM, labels that are mistaken for vLLM's, alerts that a service needs.
exporters := data.exporters

exporters := data.data.exporters

# What roles may not grant, and to whom.
rbac := data.rbac

rbac := data.data.rbac

# Labels that objects carry, and how names are formed.
object_labels := data.object_labels

object_labels := data.data.object_labels

# Volumes whose size is not what the claim says.
volumes := data.volumes

volumes := data.data.volumes
