"""What goes wrong before vLLM starts."""

from __future__ import annotations

from serving.faults.row import NOT_SEEN, READ_ONLY, Row

ENTRYPOINT = (
    Row("no model", "start", 64, "MODEL_NAME must be set when there is no --config", NOT_SEEN),
    Row(
        "the model is no id",
        "start",
        64,
        "MODEL_NAME must be organisation/name or an absolute path, found 'qwen'",
        NOT_SEEN,
        {"variables": {"MODEL_NAME": "qwen"}},
    ),
    Row(
        "the model is a flag",
        "start",
        64,
        "MODEL_NAME must be organisation/name or an absolute path, found '--help'",
        NOT_SEEN,
        {"variables": {"MODEL_NAME": "--help"}},
    ),
    Row(
        "the port of a Service's link",
        "start",
        64,
        "PORT must be a number from 1 to 65535, found 'tcp://10.0.0.1:80'",
        NOT_SEEN,
        {"variables": {"MODEL_NAME": "a/b", "PORT": "tcp://10.0.0.1:80"}},
    ),
    *(
        Row(
            f"the port is {port!r}",
            "start",
            64,
            f"PORT must be a number from 1 to 65535, found {port!r}",
            NOT_SEEN,
            {"variables": {"MODEL_NAME": "a/b", "PORT": port}},
        )
        for port in ("", "0", "65536")
    ),
    *(
        Row(
            f"the tensor parallel size is {size!r}",
            "start",
            64,
            f"TP_SIZE must be a number of GPUs, 1 or more, found {size!r}",
            NOT_SEEN,
            {"variables": {"MODEL_NAME": "a/b", "TP_SIZE": size}},
        )
        for size in ("0", "two")
    ),
    Row(
        "PREFLIGHT is another word",
        "start",
        64,
        "PREFLIGHT must be one of on, warn, off, found 'no'",
        NOT_SEEN,
        {"variables": {"MODEL_NAME": "a/b", "PREFLIGHT": "no"}},
    ),
    Row(
        "the configuration is not mounted",
        "start",
        64,
        "--config '/nowhere/serve.yaml' cannot be read: is the ConfigMap mounted there?",
        NOT_SEEN,
        {"arguments": ["--config=/nowhere/serve.yaml"]},
    ),
    Row(
        "the configuration is no YAML file",
        "start",
        64,
        "--config must name a .yaml file, found '/etc/serve.toml'",
        NOT_SEEN,
        {"arguments": ["--config=/etc/serve.toml"]},
    ),
    Row(
        "--config without a file",
        "start",
        64,
        "--config must name a .yaml file, found '-'",
        NOT_SEEN,
        {"arguments": ["--config"]},
    ),
    Row("preflight finds a fault", "preflight", 78, "preflight: FAIL", READ_ONLY, {"mode": "on", "code": 78}),
    Row(
        "preflight finds a fault, PREFLIGHT=warn",
        "preflight",
        0,
        "starting all the same, PREFLIGHT=warn",
        READ_ONLY,
        {"mode": "warn", "code": 78},
    ),
    Row(
        "preflight is killed (out of memory)",
        "preflight",
        137,
        "preflight: FAIL",
        READ_ONLY,
        {"mode": "on", "code": -9},
    ),
    Row("SIGTERM during preflight", "sigterm_in_preflight", 143, "", READ_ONLY),
    Row("no vllm in the image", "no_vllm", 127, "no vllm in PATH=", READ_ONLY),
    Row("SIGTERM while an answer streams", "sigterm_in_stream", 0, "data: [DONE]", READ_ONLY),
    Row(
        "SIGTERM while an answer streams, --shutdown-timeout=0",
        "sigterm_in_stream",
        0,
        "broken off",
        READ_ONLY,
        {"timeout": 0},
    ),
)
