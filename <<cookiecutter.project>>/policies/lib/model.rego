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
} else := bytes_at(entry, catalogue.memory.weight_bits[quantization(entry)])

# Bytes of the weights at so many bits per parameter; embeddings stay at 16.
bytes_at(entry, bits) := floor((((entry.parameters - embedding) * bits) + (embedding * 16)) / 8) if {
	embedding := object.get(entry, "embedding_parameters", 0)
}

# How the checkpoint's weights are held.
quantization(entry) := object.get(entry, "quantization", "none")

# Bytes of the weights on the GPUs, by the value of --quantization ("none": as published). Undefined
# for a method that the checkpoint was not made for.
loaded_bytes(entry, method) := plain_bytes(entry) if {
	quantization(entry) == "none"
	method == "none"
}

loaded_bytes(entry, method) := bytes_at(entry, catalogue.memory.weight_bits.fp8) if {
	quantization(entry) == "none"
	method == "fp8"
}

loaded_bytes(entry, method) := stored_bytes(entry) if {
	quantization(entry) != "none"
	method in array.concat(["none"], object.get(catalogue.memory.same_weights, quantization(entry), []))
}

plain_bytes(entry) := bytes_at(entry, catalogue.memory.weight_bits.none) if {
	entry.parameters
} else := entry.weights_bytes

# Bytes that one request of full length takes in the KV caches of the GPUs that share the model:
# `size` is the tensor parallel size, `value` the bytes of a cached number, `batched` the tokens of one
# step, which a layer with a window holds beside its window.
cache_bytes(entry, size, length, value, _) := (((size * entry.layers) * latent) * value) * length if {
	latent := entry.kv_lora_rank + entry.qk_rope_head_dim
}

cache_bytes(entry, size, length, value, batched) := token * (((entry.layers - windowed) * length) + (windowed * held)) if {
	not entry.kv_lora_rank
	windowed := object.get(entry, "window_layers", 0)
	held := min([length, (object.get(entry, "window", 0) - 1) + batched])
	token := ((2 * max([entry.kv_heads, size])) * entry.head_dim) * value
}

# Bytes that vLLM takes of so many GPUs; `milli` is the utilization in thousandths.
offered_bytes(accelerator, gpus, milli) := floor((((accelerator.memory_gib * gib) * milli) * gpus) / 1000)

overhead_bytes(gpus) := (catalogue.memory.overhead_gib * gib) * gpus

# Tenths of a GiB as text: "27.5".
tenths(bytes) := sprintf("%v.%v", [floor(n / 10), n % 10]) if {
	n := floor(((bytes * 10) + (gib / 2)) / gib)
}
