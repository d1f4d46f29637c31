package lockgate.lib.vllm_test

import data.lockgate.lib.objects
import data.lockgate.lib.testing
import data.lockgate.lib.vllm
import rego.v1

# The one engine of prod with these fields in its container.
engine(fields) := result[0] if {
	result := vllm.engines with input as testing.server(testing.prod, fields)
}

values(e) := {name: flag.value | some name, flag in e.flags}

engines_of(fields) := result if {
	result := vllm.engines with input as testing.server(testing.prod, fields)
}

test_file_behind_config if {
	e := engine({})
	values(e) == {
		"config": "/etc/vllm/serve.yaml",
		"port": "8000",
		"shutdown-timeout": "60",
		"model": "Qwen/Qwen3-14B",
		"tensor-parallel-size": 2,
		"max-model-len": 32768,
	}
	e.complete
	e.unknown == []
	e.flags.model.path == ["data", "serve.yaml", "model"]
	e.flags.model.object.kind == "ConfigMap"
	e.flags.port.path == testing.container_path(["args", 1])
}

test_args_beat_the_file if {
	e := engine({"args": ["--config", "/etc/vllm/serve.yaml", "-tp", "4", "--max_model_len=100"]})
	e.flags["tensor-parallel-size"].value == "4"
	e.flags["tensor-parallel-size"].path == testing.container_path(["args", 3])
	e.flags["max-model-len"].value == "100"
}

test_last_flag_counts if {
	e := engine({"args": ["-tp=1", "--tensor-parallel-size=4"]})
	vllm.number(e, "tensor-parallel-size", 1) == 4
}

test_model_by_position_and_switches if {
	e := engine({"args": ["some/model", "--trust-remote-code", "--enable-lora", "--port", "9000", "--seed"]})
	values(e) == {"model": "some/model", "trust-remote-code": true, "enable-lora": true, "port": "9000", "seed": true}
	vllm.on(e, "trust-remote-code")
	not vllm.on(e, "port")
}

test_shell_script if {
	e := engine({"command": ["/bin/sh", "-c"], "args": ["echo hi && exec vllm serve 'a/b' \\\n  --tensor-parallel-size $TP --port ${WEB}; echo --seed 3"], "env": [{"name": "TP", "value": "4"}, {"name": "WEB", "value": "81"}]})
	values(e) == {"model": "a/b", "tensor-parallel-size": "4", "port": "81"}
	e.flags.port.path == testing.container_path(["args", 0])
}

test_shell_with_options if {
	e := engine({"command": ["bash", "-e", "-c", "vllm serve a/b -tp 8"], "args": null})
	values(e) == {"model": "a/b", "tensor-parallel-size": "8"}
}

test_python_module if {
	e := engine({"command": ["python3", "-m", "vllm.entrypoints.openai.api_server"], "args": ["--model=a/b"]})
	values(e) == {"model": "a/b"}
}

test_image_without_command if {
	e := engine({"command": null, "args": ["--model=a/b"]})
	values(e) == {"model": "a/b"}
	spelt := engine({"command": null, "args": ["vllm", "serve", "a/b"]})
	values(spelt) == {"model": "a/b"}
	engines_of({"command": null, "image": "docker.io/nginx:1"}) == []
	count(engines_of({"command": null, "image": "docker.io/rocm/vllm@sha256:aa"})) == 1
}

test_entrypoint_variables if {
	e := engine({
		"image": "docker.io/example/serving:v1",
		"command": null,
		"args": ["--seed=1"],
		"env": [{"name": "MODEL_NAME", "value": "a/b"}, {"name": "TP_SIZE", "value": "2"}, {"name": "PORT", "valueFrom": {"configMapKeyRef": {"name": "chat-serve", "key": "serve.yaml"}}}],
	})
	e.flags["tensor-parallel-size"] == {"value": "2", "object": objects.slim(e.object), "path": testing.container_path(["env", 1, "value"])}
	e.flags.model.value == "a/b"
	e.flags.port.object.kind == "ConfigMap"
	e.flags.port.path == ["data", "serve.yaml"]
}

test_variables_in_args if {
	e := engine({"args": ["--tensor-parallel-size=$(TP)", "--port=$(OTHER)"], "env": [{"name": "TP", "value": "4"}, {"name": "OTHER", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]})
	values(e) == {"tensor-parallel-size": "4"}
	e.unknown == ["port"]
	not vllm.number(e, "port", 8000)
	vllm.number(e, "seed", 7) == 7
}

test_not_an_engine if {
	engines_of({"command": ["python3", "/preload.py"], "args": []}) == []
	engines_of({"command": ["vllm", "bench"], "args": []}) == []
}

test_unreadable_file if {
	missing := engine({"args": ["--config=/elsewhere/x.yaml"]})
	not missing.complete
	not vllm.absent(missing, "seed")
	unknown := engine({"args": ["--config=$(FILE)"]})
	not unknown.complete
	broken := vllm.engines with input as testing.serving(testing.prod, "a: [")
	not broken[0].complete
}

test_file_shown_by_sub_path_and_items if {
	by_path := engine({"args": ["--config=/c.yaml"], "volumeMounts": [{"name": "serve", "mountPath": "/c.yaml", "subPath": "serve.yaml"}]})
	vllm.value(by_path, "model") == "Qwen/Qwen3-14B"
	doc := testing.pod_changed(testing.server(testing.prod, {"args": ["--config=/etc/vllm/x.yaml"]}), [{"op": "replace", "path": ["volumes", "1"], "value": {"name": "serve", "projected": {"sources": [{"configMap": {"name": "chat-serve", "items": [{"key": "serve.yaml", "path": "x.yaml"}]}}]}}}])
	projected := vllm.engines with input as doc
	vllm.value(projected[0], "model") == "Qwen/Qwen3-14B"
}

test_two_spellings_in_the_file if {
	e := vllm.engines with input as testing.serving(testing.prod, "max_model_len: 1\nmax-model-len: 2\ntensor_parallel_size: 4\n")
	vllm.value(e[0], "max-model-len") == 2
	vllm.value(e[0], "tensor-parallel-size") == 4
}

test_gpus_needed if {
	some args, needed in {
		"--seed=1": 1,
		"-tp=4 -pp=2": 8,
		"-tp=2 -dp=4": 8,
		"-tp=2 -dp=8 -dpl=2": 4,
		"-tp=2 -dp=8 --data-parallel-rank=1": 2,
		"-tp=2 -pcp=2": 4,
	}
	vllm.gpus_needed(engine({"args": split(args, " ")})) == needed
}

test_gpus_needed_unknown if {
	some args in ["-tp=16 --nnodes=2", "-tp=16 --distributed-executor-backend=ray", "-tp=$(TP)", "--config=/nowhere"]
	not vllm.gpus_needed(engine({"args": split(args, " ")}))
}

test_server_is_the_holder if {
	doc := testing.pod_changed(testing.prod, [{"op": "add", "path": ["containers", "0"], "value": {"name": "first", "command": ["vllm", "serve", "x"]}}])
	servers := vllm.servers with input as doc
	[s.container.name | some s in servers] == ["vllm"]
	workload := servers[0].workload
	server := vllm.server_of(workload) with input as doc
	server.path == testing.pod_path(["containers", 1])
	vllm.serves(server) with input as doc
}

test_starts_engine if {
	some text in ["vllm serve x", "exec /usr/bin/vllm serve", "python3 -m vllm.entrypoints.openai.api_server", "from vllm import LLM", "import vllm"]
	vllm.starts_engine(text)
}

test_does_not_start_engine if {
	some text in ["vllm", "curl vllm/health", "echo serve vllm", "import vllm_tools", "pip show vllm"]
	not vllm.starts_engine(text)
}

test_numbers_in_args if {
	vllm.number(engine({"args": ["-tp", 2]}), "tensor-parallel-size", 1) == 2
}
