# Facts of the model that an engine serves, and the memory that follows from them.
#
# One sum for a pod's GPUs, the same as in hooks/answers.py:
#   need = weights + cache + 2 GiB x GPUs        have = memory of a GPU x utilization x GPUs
#   weights: 16 bits a parameter; quantised ones by their bits, embeddings at 16; or as published.
#   cache: bytes of one request of full length,
#     2 x max(KV heads, tensor parallel) x head size x bytes x (full layers x length
#       + window layers x min(length, window - 1 + batched tokens)),
#     or with MLA: tensor parallel x layers x (latent + rotary size) x bytes x length.
package lockgate.lib.model

import data.lockgate.lib.catalogue
import rego.v1

gib := 1073741824

# What is known of the engine's model: by lockgate.yaml, else by the catalogue. Undefined for a
# model that neither names.
facts(engine) := known(engine.flags.model.value)

known(id) := data.models[id] if {
	data.models[id]
} else := catalogue.models[id]

# Bytes of the weights as published: what the hub sends and the model cache has to hold. Undefined
# for an unknown model.
weights_bytes(engine) := stored_bytes(facts(engine))

stored_bytes(entry) := entry.weights_bytes if {
	entry.weights_bytes
} else := bytes_at(entry, catalogue.memory.weight_bits[entry.quantization])

# Bytes of the weights at so many bits per parameter; embeddings stay at 16.
bytes_at(entry, bits) := floor((((entry.parameters - entry.embedding_parameters) * bits) + (entry.embedding_parameters * 16)) / 8)

# Tenths of a GiB as text: "27.5".
tenths(bytes) := sprintf("%v.%v", [floor(n / 10), n % 10]) if {
	n := floor(((bytes * 10) + (gib / 2)) / gib)
}
