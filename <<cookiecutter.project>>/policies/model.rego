# The model: one revision, no code of its own, weights from the claim.
package lockgate.model

import data.lockgate.lib.command
import data.lockgate.lib.environment
import data.lockgate.lib.hub
import data.lockgate.lib.results
import data.lockgate.lib.security
import data.lockgate.lib.vllm
import data.lockgate.lib.workloads
import rego.v1

# METADATA
# title: The model is one pinned revision, without code of its own
# description: >-
#   A model id alone means the main branch of its repository: the owner can change the weights under
#   a running service, and `--trust-remote-code` runs the Python that lies beside them. A server whose
#   weights come from a claim has to be told to stay offline, or it asks the hub at every start. A preload
#   Job ends at once when the OCI artifact of its `--source` has no digest: a tag can be moved.
# related_resources:
#   - https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables#hfhuboffline
# custom:
#   id: MDL001
#   severity: {dev: warning, canary: error, prod: error}
#   remediation: Set `revision` to the 40 hex digits of a commit, name an artifact by its digest (oci://REGISTRY/REPOSITORY@sha256:DIGEST), leave `trust-remote-code` out, and give a server that reads a claim the variable `HF_HUB_OFFLINE` with the value "1".
deny contains result if {
	some engine in vllm.engines
	flag := engine.flags.revision
	not regex.match(`^[0-9a-f]{40}$`, text(flag.value))
	not hub.local_model(engine)
	result := results.finding("MDL001", flag.object, flag.path, sprintf("container '%v' wants a model revision of 40 hex digits, found '%v'", [
		engine.name,
		text(flag.value),
	]))
}

deny contains result if {
	some engine in vllm.engines
	vllm.absent(engine, "revision")
	model := engine.flags.model
	not hub.local_model(engine)
	result := results.finding("MDL001", model.object, beside(model.path, "revision"), sprintf("container '%v' wants a model revision of 40 hex digits, found none for '%v'", [
		engine.name,
		text(model.value),
	]))
}

deny contains result if {
	some engine in vllm.engines
	vllm.on(engine, "trust-remote-code")
	flag := engine.flags["trust-remote-code"]
	found := results.finding("MDL001", flag.object, flag.path, sprintf("container '%v' wants no code from the model repository, found 'trust-remote-code'", [engine.name]))
	result := without_flag(engine, found)
}

deny contains result if {
	some engine in vllm.engines
	hub.weights_from_claim(engine)
	not may_fill_it(engine)
	not engine.container.envFrom
	not hub.offline_variable(engine)
	found := results.finding("MDL001", engine.object, array.concat(engine.path, ["env", "HF_HUB_OFFLINE"]), sprintf("container '%v' reads its weights from a claim and wants HF_HUB_OFFLINE '1', found none", [engine.name]))
	result := results.with_fix(found, [{"op": "append", "path": array.concat(engine.path, ["env"]), "value": {"name": "HF_HUB_OFFLINE", "value": "1"}}])
}

deny contains result if {
	some engine in vllm.engines
	hub.weights_from_claim(engine)
	not may_fill_it(engine)
	variable := hub.offline_variable(engine)
	hub.literal(variable)
	not hub.is_offline(variable.value)
	found := results.finding("MDL001", engine.object, array.concat(engine.path, ["env", variable.index, "value"]), sprintf("container '%v' reads its weights from a claim and wants %v '1', found '%v'", [
		engine.name,
		variable.name,
		variable.value,
	]))
	result := results.set_to(found, "1")
}

deny contains result if {
	some entry in workloads.containers
	words := command.words(entry)
	some word in words
	regex.match(`(^|/)preload\.py$`, word.text)
	source := artifact(words)
	not regex.match(`@sha256:[0-9a-f]{64}$`, source.text)
	result := results.finding("MDL001", entry.object, source.path, sprintf("container '%v' wants the artifact by its digest, oci://REGISTRY/REPOSITORY@sha256:DIGEST, found '%v'", [
		entry.container.name,
		source.text,
	]))
}

# Where the preload program gets the model from, when it is an artifact and its name is known.
artifact(words) := found[count(found) - 1] if {
	found := [named |
		some i, _ in words
		named := source_at(words, i)
		startswith(named.text, "oci://")
		not contains(named.text, "$")
	]
}

source_at(words, i) := {"text": trim_prefix(words[i].text, "--source="), "path": words[i].path} if {
	startswith(words[i].text, "--source=")
}

source_at(words, i) := words[i + 1] if words[i].text == "--source"

# In a part of what runs nobody knows of a preload Job: a server that writes to the claim downloads its model.
may_fill_it(engine) if {
	environment.partial
	not hub.local_model(engine)
	some directory in array.concat(hub.flag_directories(engine), hub.cache_directories(engine))
	found := security.mount(engine, directory)
	found.volume.persistentVolumeClaim
	not found.mount.readOnly
	not found.volume.persistentVolumeClaim.readOnly
}

# The words of a script share its place.
without_flag(engine, found) := results.removed(found) if {
	not engine.script
} else := found

text(value) := value if is_string(value)

text(value) := sprintf("%v", [value]) if not is_string(value)

# Path of a flag next to another one of the same file; the list itself on a command line.
beside(path, name) := array.concat(array.slice(path, 0, count(path) - 1), [name]) if {
	path[0] == "data"
} else := array.slice(path, 0, count(path) - 1)
