# Probes and shutdown of serving containers.
package lockgate.probes

import data.lockgate.lib.catalogue
import data.lockgate.lib.quantity
import data.lockgate.lib.results
import data.lockgate.lib.settings
import data.lockgate.lib.vllm
import rego.v1

quoted(server) := sprintf("\"%v\"", [server.name])

# Servers that answer /health: vLLM's gRPC server has no HTTP.
http_servers := [server |
	some server in vllm.servers
	not speaks_grpc(server.container)
]

speaks_grpc(container) if {
	some word in container.command
	contains(word, "grpc_server")
}

# Seconds that a probe allows before it acts.
patience(probe) := failures(probe) * period(probe)

# The fewest failures that last long enough at the probe's own period.
patience_answer(found, probe, seconds) := results.set_to(found, ceil(seconds / period(probe))) if {
	period(probe) > 0
} else := found

failures(probe) := quantity.whole_number(object.get(probe, "failureThreshold", 3))

period(probe) := quantity.whole_number(object.get(probe, "periodSeconds", 10))

# METADATA
# title: A startup probe gives the model its whole start-up budget
# description: >-
#   Weights, KV cache profiling and warm-up take minutes, and /health answers only after
#   them. Without a startup probe, or with a short one, the kubelet kills the pod while it
#   loads, for ever. A long initialDelaySeconds instead kills large models and delays small
#   ones.
# custom:
#   id: PRB001
#   scope: object
#   severity: {dev: error, canary: error, prod: error}
#   remediation: >-
#     Set startupProbe with failureThreshold x periodSeconds of at least
#     startup_budget_seconds in lockgate.yaml, and drop long initialDelaySeconds.
deny contains result if {
	some server in vllm.servers
	not is_object(object.get(server.container, "startupProbe", null))
	msg := sprintf("container %v has no startupProbe, wanted one of at least %v s", [quoted(server), settings.startup_budget_seconds])
	result := results.finding("PRB001", server.object, array.concat(server.path, ["startupProbe"]), msg)
}

deny contains result if {
	some server in vllm.servers
	probe := server.container.startupProbe
	patience(probe) < settings.startup_budget_seconds
	msg := sprintf("startupProbe of container %v gives up after %v x %v s = %v s, wanted at least %v s", [quoted(server), failures(probe), period(probe), patience(probe), settings.startup_budget_seconds])
	found := results.finding("PRB001", server.object, array.concat(server.path, ["startupProbe", "failureThreshold"]), msg)
	answered := patience_answer(found, probe, settings.startup_budget_seconds)
	result := results.with_also(answered, [
		results.place(server.object, array.concat(server.path, ["startupProbe", "periodSeconds"])),
		results.settings_place(["startup_budget_seconds"]),
	])
}

deny contains result if {
	some server in vllm.servers
	is_object(server.container.startupProbe)
	some kind in ["startupProbe", "readinessProbe", "livenessProbe"]
	delay := quantity.whole_number(server.container[kind].initialDelaySeconds)
	delay > catalogue.thresholds.initial_delay_seconds
	msg := sprintf("%v of container %v has initialDelaySeconds %v, wanted at most %v beside a startupProbe", [kind, quoted(server), delay, catalogue.thresholds.initial_delay_seconds])
	result := results.removed(results.finding("PRB001", server.object, array.concat(server.path, [kind, "initialDelaySeconds"]), msg))
}

# METADATA
# title: Probes ask /health on the port that the engine listens on
# description: >-
#   vLLM answers /health when it can serve. A command in its stead starts processes in a
#   loaded container; another path or port never answers, and the pod is never ready.
# custom:
#   id: PRB002
#   severity: {dev: error, canary: error, prod: error}
#   remediation: >-
#     Use httpGet with path /health and the name of a declared containerPort that equals
#     --port (8000 by default).
deny contains result if {
	some server in http_servers
	not is_object(object.get(server.container, "readinessProbe", null))
	msg := sprintf("container %v has no readinessProbe, wanted httpGet /health", [quoted(server)])
	result := results.finding("PRB002", server.object, array.concat(server.path, ["readinessProbe"]), msg)
}

deny contains result if {
	some server in http_servers
	some kind, paths in accepted_paths
	probe := server.container[kind]
	problem := probe_problem(server, kind, probe, paths)
	found := results.finding("PRB002", server.object, array.concat(server.path, array.concat([kind], problem.path)), problem.msg)
	result := health_answer(found, problem.path)
}

# vLLM's own routes that answer without a key when it serves.
accepted_paths := {
	"startupProbe": ["/health"],
	"readinessProbe": ["/health"],
	"livenessProbe": ["/health", "/ping"],
}

probe_problem(server, kind, probe, _) := {
	"path": ["exec"],
	"msg": sprintf("%v of container %v runs a command, wanted httpGet /health", [kind, quoted(server)]),
} if {
	probe.exec
	not vllm.starts_engine(vllm.joined(probe.exec.command))
} else := {
	"path": ["httpGet"],
	"msg": sprintf("%v of container %v does not ask by HTTP, wanted httpGet /health", [kind, quoted(server)]),
} if {
	kind != "livenessProbe"
	not probe.exec
	not probe.httpGet
} else := {
	"path": ["httpGet", "path"],
	"msg": sprintf("%v of container %v asks \"%v\", wanted \"/health\"", [kind, quoted(server), asked]),
} if {
	paths := accepted_paths[kind]
	asked := object.get(probe.httpGet, "path", "/")
	is_string(asked)
	not asked in paths
} else := {
	"path": ["httpGet", "port"],
	"msg": sprintf("%v of container %v asks port \"%v\", wanted a declared port", [kind, quoted(server), probe.httpGet.port]),
} if {
	not is_object(probe.httpGet.port)
	not is_array(probe.httpGet.port)
	not port_number(server.container, probe.httpGet.port)
}

# The declared number behind a port's name or number; undefined when it is not declared.
health_answer(found, path) := results.set_to(found, "/health") if {
	path == ["httpGet", "path"]
} else := found

port_number(container, port) := declared(container, port)[0].number

declared(container, port) := [{"index": i, "number": entry.containerPort} |
	some i
	entry := container.ports[i]
	quantity.whole_number(entry.containerPort)
	port in {object.get(entry, "name", ""), entry.containerPort}
]

# One finding for all probes: they agree with each other and not with the engine.
deny contains result if {
	some server in http_servers
	listens := vllm.number(server, "port", 8000)
	wrong := [probe |
		some kind in ["startupProbe", "readinessProbe", "livenessProbe"]
		probe := {"kind": kind, "port": server.container[kind].httpGet.port}
		port_number(server.container, probe.port) != listens
	]
	count(wrong) > 0
	first := wrong[0]
	spot := declared(server.container, first.port)[0]
	msg := sprintf("%v of container %v asks port %v, wanted the engine's port %v", [first.kind, quoted(server), spot.number, listens])
	declared_path := array.concat(server.path, ["ports", spot.index, "containerPort"])
	probe_path := array.concat(server.path, [first.kind, "httpGet", "port"])
	places := array.concat([results.place(server.object, probe_path)], port_flag(server))
	result := results.with_also(results.finding("PRB002", server.object, declared_path, msg), places)
}

port_flag(server) := [results.place(flag.object, flag.path) | flag := server.flags.port]

# METADATA
# title: The liveness probe is slower than a busy engine
# description: >-
#   A loaded engine answers /health late. The default timeout of one second, or a short
#   patience, restarts a server that works, and its queue moves to the others.
# custom:
#   id: PRB003
#   scope: object
#   severity: {canary: warning, prod: warning}
#   remediation: >-
#     Set livenessProbe.timeoutSeconds to 5 or more and failureThreshold x periodSeconds to
#     60 or more.
deny contains result if {
	some server in vllm.servers
	probe := server.container.livenessProbe
	is_object(probe)
	patience(probe) < catalogue.thresholds.liveness_seconds
	msg := sprintf("livenessProbe of container %v restarts it after %v x %v s = %v s, wanted at least %v s", [quoted(server), failures(probe), period(probe), patience(probe), catalogue.thresholds.liveness_seconds])
	found := results.finding("PRB003", server.object, array.concat(server.path, ["livenessProbe", "failureThreshold"]), msg)
	answered := patience_answer(found, probe, catalogue.thresholds.liveness_seconds)
	result := results.with_also(answered, [results.place(server.object, array.concat(server.path, ["livenessProbe", "periodSeconds"]))])
}

deny contains result if {
	some server in vllm.servers
	probe := server.container.livenessProbe
	is_object(probe)
	timeout := quantity.whole_number(object.get(probe, "timeoutSeconds", 1))
	timeout < catalogue.thresholds.liveness_timeout_seconds
	msg := sprintf("livenessProbe of container %v waits %v s for an answer, wanted at least %v s", [quoted(server), timeout, catalogue.thresholds.liveness_timeout_seconds])
	found := results.finding("PRB003", server.object, array.concat(server.path, ["livenessProbe", "timeoutSeconds"]), msg)
	result := results.set_to(found, catalogue.thresholds.liveness_timeout_seconds)
}

# METADATA
# title: A pod that ends finishes its streams
# description: >-
#   With --shutdown-timeout 0, its default, SIGTERM aborts every stream. With it, vLLM still
#   takes new requests until it leaves the Service: a preStop pause lets that happen first.
#   The kubelet kills the pod when terminationGracePeriodSeconds are over, whatever runs.
# custom:
#   id: PRB004
#   severity: {canary: error, prod: error}
#   remediation: >-
#     Set --shutdown-timeout, a lifecycle.preStop sleep, and terminationGracePeriodSeconds
#     greater than the two together.
deny contains result if {
	some server in vllm.servers
	vllm.number(server, "shutdown-timeout", 0) <= 0
	not lacks_timeout(server)
	spot := timeout_spot(server)
	msg := sprintf("container %v stops with shutdown-timeout %v, wanted more than 0", [quoted(server), spot.words])
	result := results.finding("PRB004", spot.object, spot.path, msg)
}

# Releases that do not know --shutdown-timeout yet.
lacks_timeout(server) if {
	not server.flags["shutdown-timeout"]
	found := regex.find_all_string_submatch_n(`/vllm-openai[^:@]*:v0\.(\d+)\.`, server.container.image, 1)
	count(found) > 0
	to_number(found[0][1]) < catalogue.thresholds.shutdown_timeout_since_minor
}

timeout_spot(server) := {"object": flag.object, "path": flag.path, "words": sprintf("%v", [flag.value])} if {
	flag := server.flags["shutdown-timeout"]
} else := {"object": server.object, "path": array.concat(server.path, ["args"]), "words": "0 by default"}

deny contains result if {
	some server in vllm.servers
	not pauses(server.container)
	msg := sprintf("container %v has no preStop pause, wanted a sleep before SIGTERM", [quoted(server)])
	result := results.finding("PRB004", server.object, array.concat(server.path, ["lifecycle", "preStop"]), msg)
}

deny contains result if {
	some server in vllm.servers
	pause := pause_seconds(server.container)
	pause > 0
	timeout := vllm.number(server, "shutdown-timeout", 0)
	timeout > 0
	grace := quantity.whole_number(object.get(server.pod, "terminationGracePeriodSeconds", 30))
	grace <= pause + timeout
	msg := sprintf("terminationGracePeriodSeconds is %v, wanted more than preStop %v s + shutdown-timeout %v s = %v s", [grace, pause, timeout, pause + timeout])
	flag := server.flags["shutdown-timeout"]
	found := results.finding("PRB004", server.object, array.concat(server.workload.path, ["terminationGracePeriodSeconds"]), msg)
	answered := results.set_to(found, (pause + timeout) + catalogue.thresholds.grace_margin_seconds)
	result := results.with_also(answered, [
		results.place(server.object, array.concat(server.path, ["lifecycle", "preStop"])),
		results.place(flag.object, flag.path),
	])
}

# A preStop hook that waits; how long a program of its own waits is not known.
pauses(container) if {
	hook := container.lifecycle.preStop
	not hook.httpGet
	not no_wait(container)
}

no_wait(container) if pause_seconds(container) <= 0

pause_seconds(container) := quantity.whole_number(container.lifecycle.preStop.sleep.seconds)

pause_seconds(container) := to_number(found[0][2]) if {
	command := container.lifecycle.preStop.exec.command
	found := regex.find_all_string_submatch_n(`(^|[\s/;])sleep\s+([0-9]+)`, vllm.joined(command), 1)
}
