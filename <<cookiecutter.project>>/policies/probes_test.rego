package lockgate.probes_test

import data.lockgate.lib.testing
import data.lockgate.probes
import rego.v1

found(doc) := result if {
	found := probes.deny with input as doc with data.startup_budget_seconds as 600
	result := {json.unmarshal(json.marshal(json.remove(one, ["fix"]))) | some one in found} # tests/test_fix.py looks at the fixes
}

changed(kind, fields) := testing.server(testing.prod, {kind: object.union(testing.container[kind], fields)})

finding(id, rest, msg) := {"id": id, "msg": msg, "object": testing.server_ref("prod"), "path": testing.container_path(rest)}

place(rest) := {"object": testing.server_ref("prod"), "path": testing.container_path(rest)}

settings_place := {"object": {"apiVersion": "lockgate", "kind": "Settings", "namespace": "", "name": "lockgate.yaml"}, "path": ["startup_budget_seconds"]}

test_good_environments if {
	found(testing.prod) == set()
	found(testing.dev) == set()
}

# PRB001

test_prb001_no_startup_probe if {
	found(testing.server(testing.prod, {"startupProbe": null})) == {finding("PRB001", ["startupProbe"], "container \"vllm\" has no startupProbe, wanted one of at least 600 s")}
}

test_prb001_just_below_the_budget if {
	expected := finding("PRB001", ["startupProbe", "failureThreshold"], "startupProbe of container \"vllm\" gives up after 59 x 10 s = 590 s, wanted at least 600 s")
	found(changed("startupProbe", {"failureThreshold": 59})) == {object.union(expected, {"also": [place(["startupProbe", "periodSeconds"]), settings_place]})}
}

test_prb001_defaults_are_short if {
	probe := {"httpGet": {"path": "/health", "port": "http"}}
	{[result.id, result.msg] | some result in found(testing.server(testing.prod, {"startupProbe": probe}))} == {["PRB001", "startupProbe of container \"vllm\" gives up after 3 x 10 s = 30 s, wanted at least 600 s"]}
}

test_prb001_at_and_above_the_budget if {
	found(changed("startupProbe", {"failureThreshold": 60})) == set()
	found(changed("startupProbe", {"failureThreshold": 120, "periodSeconds": 10})) == set()
}

test_prb001_long_delay if {
	some kind in ["startupProbe", "readinessProbe", "livenessProbe"]
	found(changed(kind, {"initialDelaySeconds": 31})) == {finding("PRB001", [kind, "initialDelaySeconds"], sprintf("%s of container \"vllm\" has initialDelaySeconds 31, wanted at most 30 beside a startupProbe", [kind]))}
	found(changed(kind, {"initialDelaySeconds": 30})) == set()
}

# PRB002

test_prb002_no_readiness_probe if {
	found(testing.server(testing.prod, {"readinessProbe": null})) == {finding("PRB002", ["readinessProbe"], "container \"vllm\" has no readinessProbe, wanted httpGet /health")}
}

test_prb002_command if {
	probe := object.union(object.remove(testing.container.readinessProbe, ["httpGet"]), {"exec": {"command": ["curl", "localhost:8000/health"]}})
	found(testing.server(testing.prod, {"readinessProbe": probe})) == {finding("PRB002", ["readinessProbe", "exec"], "readinessProbe of container \"vllm\" runs a command, wanted httpGet /health")}
}

test_prb002_not_http if {
	probe := object.union(object.remove(testing.container.startupProbe, ["httpGet"]), {"tcpSocket": {"port": "http"}})
	found(testing.server(testing.prod, {"startupProbe": probe})) == {finding("PRB002", ["startupProbe", "httpGet"], "startupProbe of container \"vllm\" does not ask by HTTP, wanted httpGet /health")}
}

test_prb002_path if {
	found(changed("readinessProbe", {"httpGet": {"path": "/v1/models", "port": "http"}})) == {finding("PRB002", ["readinessProbe", "httpGet", "path"], "readinessProbe of container \"vllm\" asks \"/v1/models\", wanted \"/health\"")}
	{result.id | some result in found(changed("livenessProbe", {"httpGet": {"path": "/healthz", "port": "http"}}))} == {"PRB002"}
}

test_prb002_undeclared_port if {
	some port in ["web", 9000]
	found(changed("readinessProbe", {"httpGet": {"path": "/health", "port": port}})) == {finding("PRB002", ["readinessProbe", "httpGet", "port"], sprintf("readinessProbe of container \"vllm\" asks port \"%v\", wanted a declared port", [port]))}
}

test_prb002_engine_listens_elsewhere if {
	doc := testing.server(testing.prod, {"args": ["--config=/etc/vllm/serve.yaml", "--port=8080", "--shutdown-timeout=60"]})
	expected := finding("PRB002", ["ports", 0, "containerPort"], "startupProbe of container \"vllm\" asks port 8000, wanted the engine's port 8080")
	found(doc) == {object.union(expected, {"also": [place(["startupProbe", "httpGet", "port"]), place(["args", 1])]})}
}

test_prb002_container_port_moved if {
	doc := testing.server(testing.prod, {"ports": [{"name": "http", "containerPort": 8001}]})
	{[result.id, result.path] | some result in found(doc)} == {["PRB002", testing.container_path(["ports", 0, "containerPort"])]}
}

test_prb002_silent_forms if {
	found(changed("readinessProbe", {"httpGet": {"path": "/health", "port": 8000}})) == set()
	found(changed("livenessProbe", {"httpGet": {"path": "/ping", "port": "http"}})) == set()
	found(testing.server(testing.prod, {"livenessProbe": null})) == set()
	found(testing.server(testing.prod, {"livenessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 60, "timeoutSeconds": 5}})) == set()
	found(testing.server(testing.prod, {"args": ["--config=/etc/vllm/serve.yaml", "--port=$(WEB)", "--shutdown-timeout=60"]})) == set()
}

# PRB003

test_prb003_patience if {
	expected := finding("PRB003", ["livenessProbe", "failureThreshold"], "livenessProbe of container \"vllm\" restarts it after 5 x 11 s = 55 s, wanted at least 60 s")
	found(changed("livenessProbe", {"failureThreshold": 5, "periodSeconds": 11})) == {object.union(expected, {"also": [place(["livenessProbe", "periodSeconds"])]})}
	found(changed("livenessProbe", {"failureThreshold": 6, "periodSeconds": 10})) == set()
}

test_prb003_timeout if {
	found(changed("livenessProbe", {"timeoutSeconds": 4})) == {finding("PRB003", ["livenessProbe", "timeoutSeconds"], "livenessProbe of container \"vllm\" waits 4 s for an answer, wanted at least 5 s")}
	found(changed("livenessProbe", {"timeoutSeconds": 5})) == set()
}

test_prb003_default_timeout if {
	probe := object.remove(testing.container.livenessProbe, ["timeoutSeconds"])
	{[result.id, result.path] | some result in found(testing.server(testing.prod, {"livenessProbe": probe}))} == {["PRB003", testing.container_path(["livenessProbe", "timeoutSeconds"])]}
}

# PRB004

test_prb004_no_shutdown_timeout if {
	doc := testing.server(testing.prod, {"args": ["--config=/etc/vllm/serve.yaml"]})
	found(doc) == {finding("PRB004", ["args"], "container \"vllm\" stops with shutdown-timeout 0 by default, wanted more than 0")}
}

test_prb004_zero_shutdown_timeout_in_the_file if {
	doc := testing.serving(testing.server(testing.prod, {"args": ["--config=/etc/vllm/serve.yaml"]}), "shutdown-timeout: 0\n")
	found(doc) == {{
		"id": "PRB004",
		"msg": "container \"vllm\" stops with shutdown-timeout 0, wanted more than 0",
		"object": {"apiVersion": "v1", "kind": "ConfigMap", "namespace": "chat-prod", "name": "chat-serve"},
		"path": ["data", "serve.yaml", "shutdown-timeout"],
	}}
}

test_prb004_no_pause if {
	some lifecycle in [null, {}, {"preStop": {"sleep": {"seconds": 0}}}, {"preStop": {"httpGet": {"path": "/x", "port": "http"}}}]
	found(testing.server(testing.prod, {"lifecycle": lifecycle})) == {finding("PRB004", ["lifecycle", "preStop"], "container \"vllm\" has no preStop pause, wanted a sleep before SIGTERM")}
}

grace(seconds) := testing.pod_changed(testing.prod, [{"op": "replace", "path": ["terminationGracePeriodSeconds"], "value": seconds}])

test_prb004_grace_at_the_sum if {
	some seconds in [75, 30]
	found(grace(seconds)) == {{
		"id": "PRB004",
		"msg": sprintf("terminationGracePeriodSeconds is %d, wanted more than preStop 15 s + shutdown-timeout 60 s = 75 s", [seconds]),
		"object": testing.server_ref("prod"),
		"path": testing.pod_path(["terminationGracePeriodSeconds"]),
		"also": [place(["lifecycle", "preStop"]), place(["args", 2])],
	}}
}

test_prb004_grace_by_default if {
	doc := testing.pod_changed(testing.prod, [{"op": "remove", "path": ["terminationGracePeriodSeconds"]}])
	{result.msg | some result in found(doc)} == {"terminationGracePeriodSeconds is 30, wanted more than preStop 15 s + shutdown-timeout 60 s = 75 s"}
}

test_prb004_silent_above_the_sum if found(grace(76)) == set()

test_prb004_sleep_commands if {
	some command in [["sleep", "15"], ["sh", "-c", "sleep 15"], ["/bin/sh", "-c", "echo x; sleep 15"]]
	doc := testing.server(grace(75), {"lifecycle": {"preStop": {"exec": {"command": command}}}})
	{result.id | some result in found(doc)} == {"PRB004"}
	found(testing.server(grace(76), {"lifecycle": {"preStop": {"exec": {"command": command}}}})) == set()
}

test_prb004_silent_on_a_program_of_unknown_length if {
	found(testing.server(grace(61), {"lifecycle": {"preStop": {"exec": {"command": ["/drain"]}}}})) == set()
}

test_prb004_silent_on_releases_without_the_flag if {
	fields := {"args": ["--config=/etc/vllm/serve.yaml", "--port=8000"]}
	found(testing.server(testing.prod, object.union(fields, {"image": "docker.io/vllm/vllm-openai:v0.17.1"}))) == set()
	count(found(testing.server(testing.prod, object.union(fields, {"image": "docker.io/vllm/vllm-openai:v0.18.0"})))) == 1
	count(found(testing.server(testing.prod, object.union(fields, {"image": "docker.io/example/vllm:v0.17.1"})))) == 1
}

test_prb002_silent_on_a_grpc_server if {
	fields := {"command": ["python3", "-m", "vllm.entrypoints.grpc_server"], "args": ["--tensor-parallel-size=2", "--shutdown-timeout=60"], "readinessProbe": {"tcpSocket": {"port": 8000}}}
	{result.id | some result in found(testing.server(testing.prod, fields))} & {"PRB002"} == set()
}
