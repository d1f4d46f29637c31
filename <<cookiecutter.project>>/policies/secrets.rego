# Secrets: never readable in the repository, never where the server does not need them.
package lockgate.secrets

import data.lockgate.lib.credentials
import data.lockgate.lib.environment
import data.lockgate.lib.hub
import data.lockgate.lib.objects
import data.lockgate.lib.refs
import data.lockgate.lib.results
import data.lockgate.lib.text
import data.lockgate.lib.vllm
import data.lockgate.lib.workloads
import rego.v1

# METADATA
# title: A Secret in the repository is encrypted
# description: >-
#   The values of a Secret are base64, which anyone who can read the repository can undo, and they stay in
#   its history. A SOPS-encrypted Secret, a SealedSecret or an ExternalSecret keeps the value out.
# custom:
#   id: KEY001
#   scope: object
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Replace the Secret by an ExternalSecret (or a SealedSecret, or encrypt it with SOPS), and revoke what was committed.
deny contains result if {
	some secret in objects.of_kind("Secret")
	some field in ["data", "stringData"]
	plain := sort([key | some key; value := secret[field][key]; not encrypted(secret, value)])
	count(plain) > 0
	not generated(secret)
	result := results.finding("KEY001", secret, [field], sprintf("a Secret of the repository wants encrypted values, found plain %v in %v", [
		text.quoted(plain),
		field,
	]))
}

# SOPS writes its metadata beside, and each value as ENC[...]. An empty value holds nothing.
encrypted(secret, value) if {
	secret.sops
	startswith(value, "ENC[")
}

encrypted(_, "")

# What another program fills in (${TOKEN}, $TOKEN, <token>, {{token}}, op://vault/item) is no secret yet.
encrypted(_, value) if {
	is_string(value)
	regex.match(`^(\$\{[^}]+\}|\$\w+|\$\(\w+\)|<[^<>]+>|\{\{.*\}\}|(op|ref\+[a-z]+)://.+)$`, trim_space(value))
}

encrypted(_, null)

# A Secret that a secretGenerator made is KEY002's.
generated(secret) if {
	some generator in input.kustomize.generators
	generator.kind == "Secret"
	contains(objects.name(secret), generator.name)
}

# METADATA
# title: No Secret is generated from the repository
# description: >-
#   What feeds a secretGenerator lies in the repository in plain text: a literal in the kustomization, or a
#   file that Argo CD can only read because it is committed.
# custom:
#   id: KEY002
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Remove the `secretGenerator` entry, fetch the Secret with an ExternalSecret, and revoke what was committed.
deny contains result if {
	some generator in input.kustomize.generators
	generator.kind == "Secret"
	some field in ["literals", "files", "envs"]
	sources := object.get(generator, field, [])
	count(sources) > 0
	result := results.finding_at("KEY002", refs.kustomization(generator.file), array.concat(generator.path, [field]), sprintf("secretGenerator '%v' wants no %v from the repository, found %v", [
		generator.name,
		field,
		text.quoted(sources),
	]))
}

# METADATA
# title: No value has the shape of a credential
# description: >-
#   Tokens and keys are known by their shape, wherever they stand: in a variable, an argument, a ConfigMap,
#   an annotation. Whoever reads the repository or the pod has them. The name of a key decides nothing, so
#   references to Secrets, digests and revisions are silent.
# custom:
#   id: KEY003
#   scope: object
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Revoke the credential, put the new one into the secret store, and refer to it by `secretKeyRef`.
deny contains result if {
	some entry in workloads.containers
	some index, variable in entry.container.env
	credential := credentials.found(variable.value)
	result := results.finding("KEY003", entry.object, array.concat(entry.path, ["env", index, "value"]), sprintf("container '%v' wants %v from a Secret, found %v", [
		entry.name,
		variable.name,
		credentials.describe(credential),
	]))
}

deny contains result if {
	some entry in workloads.containers
	some field in ["command", "args"]
	some index, word in entry.container[field]
	credential := credentials.found(word)
	result := results.finding("KEY003", entry.object, array.concat(entry.path, [field, index]), sprintf("container '%v' wants no credential in its %v, found %v", [
		entry.name,
		field,
		credentials.describe(credential),
	]))
}

deny contains result if {
	some config in objects.of_kind("ConfigMap")
	some key, value in config.data
	credential := credentials.found(value)
	result := results.finding("KEY003", config, array.concat(["data", key], inner(value)), sprintf("key '%v' of a ConfigMap wants no credential, found %v", [
		key,
		credentials.describe(credential),
	]))
}

deny contains result if {
	some obj in objects.all
	some name, value in obj.metadata.annotations
	credential := credentials.found(value)
	result := annotation_finding(obj, ["metadata", "annotations", name], name, credential)
}

deny contains result if {
	some workload in workloads.all
	workload.path != ["spec"]
	some name, value in workload.metadata.annotations
	credential := credentials.found(value)
	path := array.concat(array.slice(workload.path, 0, count(workload.path) - 1), ["metadata", "annotations", name])
	result := annotation_finding(workload.object, path, name, credential)
}

annotation_finding(obj, path, name, credential) := results.finding("KEY003", obj, path, sprintf("annotation '%v' wants no credential, found %v", [
	name,
	credentials.describe(credential),
]))

# The key of a YAML text's top level that holds the credential, when there is one such key.
inner(value) := [key] if {
	content := text.yaml_value(value)
	found := [name | some name; value := content[name]; credentials.within(value)]
	count(found) == 1
	key := found[0]
} else := []

# METADATA
# title: An ExternalSecret reads an allowed store, keeps up with it, and is used
# description: >-
#   A store that nobody listed may hold anyone's secrets. Without a refresh a rotated secret never reaches the
#   pods, and the old one is revoked under them. A Secret that nothing names is one more copy to leak.
# related_resources:
#   - https://external-secrets.io/latest/api/externalsecret/
# custom:
#   id: KEY004
#   severity: {canary: error, prod: error}
#   remediation: Name a store of `secrets.stores` in lockgate.yaml, set `refreshInterval` to a duration above 0 (1h), and refer to `target.name` or remove the ExternalSecret.
deny contains result if {
	allowed := data.secrets.stores
	count(allowed) > 0
	some secret in external
	some store in stores_of(secret.spec)
	not store.name in allowed
	result := results.finding("KEY004", secret, store.path, sprintf("ExternalSecret '%v' wants a store of %v, found '%v'", [
		objects.name(secret),
		text.list(allowed),
		store.name,
	]))
}

deny contains result if {
	some secret in external
	object.get(secret.spec, "refreshPolicy", "Periodic") == "Periodic"
	interval := secret.spec.refreshInterval
	never(interval)
	result := results.finding("KEY004", secret, ["spec", "refreshInterval"], sprintf("ExternalSecret '%v' wants a refreshInterval above 0, found '%v'", [
		objects.name(secret),
		interval,
	]))
}

deny contains result if {
	some secret in external
	name := object.get(secret.spec, ["target", "name"], objects.name(secret))
	is_string(name)
	not environment.partial
	not labelled(secret.spec)
	not missed
	not mounted(objects.namespace(secret), name)
	not named_by_another(secret, name)
	result := results.finding("KEY004", secret, ["spec", "target", "name"], sprintf("the Secret '%v' of an ExternalSecret wants someone who reads it, found nothing that names it", [name]))
}

external := [secret |
	some secret in objects.of_kind("ExternalSecret")
	startswith(secret.apiVersion, "external-secrets.io/")
	is_object(secret.spec)
]

# Every store that an ExternalSecret names, for all its entries or for one.
stores_of(spec) := [store |
	some store in array.concat(
		[{"name": spec.secretStoreRef.name, "path": ["spec", "secretStoreRef", "name"]} | spec.secretStoreRef.name],
		[found |
			some field in ["data", "dataFrom"]
			some index
			name := spec[field][index].sourceRef.storeRef.name
			found := {"name": name, "path": ["spec", field, index, "sourceRef", "storeRef", "name"]}
		],
	)
	is_string(store.name)
]

# A duration without a digit above 0, such as 0, 0s or 0h0m, or below 0.
never(interval) if {
	is_string(interval)
	regex.match(`^[0-9.a-z]*[0-9][0-9.a-z]*$`, interval)
	not regex.match(`[1-9]`, interval)
}

never(interval) if {
	is_string(interval)
	regex.match(`^-[0-9]`, interval)
}

# Labels of the Secret are how others find it: Argo CD its repositories, a sidecar its files.
labelled(spec) if count(spec.target.template.metadata.labels) > 0

# A pod that asks for a Secret which is not there, or a server without its key: REF001 and KEY005 say so, and
# the Secret that nobody reads is likely theirs.
missed if {
	some reference in refs.wanted
	reference.kind == "Secret"
	not refs.key_of(reference.namespace, reference.name) in refs.existing.Secret
}

missed if {
	some engine in servers
	not engine.container.envFrom
	count([variable | some variable in engine.container.env; variable.name == "VLLM_API_KEY"; variable.valueFrom.secretKeyRef]) == 0
}

# The usual readers first: they cost little.
mounted(ns, name) if {
	some entry in workloads.containers
	objects.namespace(entry.object) == ns
	some variable in entry.container.env
	variable.valueFrom.secretKeyRef.name == name
}

mounted(ns, name) if {
	some workload in workloads.all
	objects.namespace(workload.object) == ns
	some volume in workload.pod.volumes
	volume.secret.secretName == name
}

# Anything else that has the name as a word: a ServiceAccount, a Gateway, an annotation, another custom resource.
named_by_another(secret, name) if {
	regex.match(`^[a-z0-9.-]+$`, name)
	word := sprintf(`(^|[^a-z0-9.-])%v([^a-z0-9.-]|$)`, [name])
	some obj in objects.all
	not same(obj, secret)
	regex.match(word, json.marshal([object.remove(obj, ["metadata"]), object.get(obj, ["metadata", "annotations"], {})]))
}

same(one, other) if objects.ref(one) == objects.ref(other)

# METADATA
# title: The server's key comes from a Secret, and the hub token stays with the preload Job
# description: >-
#   A key on the command line is in every process list and every description of the pod; a server without
#   a key answers whoever reaches it. A server that never asks the hub has no use for a hub token, and
#   whoever breaks into it would find one.
# related_resources:
#   - https://docs.vllm.ai/en/stable/usage/security.html
# custom:
#   id: KEY005
#   severity: {canary: error, prod: error}
#   remediation: Set `VLLM_API_KEY` by `valueFrom.secretKeyRef`, remove `--api-key`, and keep `HF_TOKEN` in the preload Job only.
deny contains result if {
	some engine in servers
	flag := engine.flags["api-key"]
	not shaped(flag.value)
	result := results.finding("KEY005", flag.object, flag.path, sprintf("container '%v' wants its key in VLLM_API_KEY from a Secret, found the flag 'api-key'", [engine.name]))
}

deny contains result if {
	some engine in servers
	some index, variable in engine.container.env
	variable.name == "VLLM_API_KEY"
	not variable.valueFrom.secretKeyRef
	not shaped(object.get(variable, "value", ""))
	result := results.finding("KEY005", engine.object, array.concat(engine.path, ["env", index, source_field(variable)]), sprintf("container '%v' wants VLLM_API_KEY by secretKeyRef, found %v", [
		engine.name,
		source_text(variable),
	]))
}

deny contains result if {
	some engine in servers
	not "VLLM_API_KEY" in {variable.name | some variable in object.get(engine.container, "env", [])}
	not engine.container.envFrom
	vllm.absent(engine, "api-key")
	result := results.finding("KEY005", engine.object, array.concat(engine.path, ["env", "VLLM_API_KEY"]), sprintf("container '%v' wants VLLM_API_KEY by secretKeyRef, found none", [engine.name]))
}

deny contains result if {
	some engine in servers
	hub.offline(engine)
	some index, variable in engine.container.env
	variable.name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]
	not shaped(object.get(variable, "value", ""))
	result := results.finding("KEY005", engine.object, array.concat(engine.path, ["env", index, "name"]), sprintf("container '%v' is offline and wants no hub token, found %v", [
		engine.name,
		variable.name,
	]))
}

# Engines that answer requests: not those of a Job.
servers := [engine |
	some engine in vllm.engines
	not engine.init
	kind := objects.string_at(engine.object, "kind")
	not kind in {"Job", "CronJob"}
]

# A value that KEY003 finds by its shape; a configuration file may hold a list of keys.
shaped(value) if credentials.within(value)

shaped(value) if {
	some item in value
	credentials.within(item)
}

source_field(variable) := "valueFrom" if variable.valueFrom

source_field(variable) := "value" if not variable.valueFrom

source_text(variable) := concat(", ", sort(object.keys(variable.valueFrom))) if variable.valueFrom

# What the value is stays out of the message: it may be the key.
source_text(variable) := sprintf("a value of %v characters", [count(object.get(variable, "value", ""))]) if not variable.valueFrom
