"""The faults that the programs of serving/ are tried with, and how each ends: test_*.py runs every row.

docs/serving.md shows the same rows; tests/serving/test_fault_table.py compares.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from serving.hub import MODEL, REVISION

MARKED = "whole, marked"
UNMARKED = "not marked; whole files stay"
UNTOUCHED = "untouched"
READ_ONLY = "read only"
NOT_SEEN = "not looked at"


@dataclass(frozen=True)
class Row:
    """One fault: what is done, how the program ends, and what becomes of the claim.

    Attributes:
        fault: In words, for the table.
        scene: The function `scene_<name>` of the program's test that brings it about.
        code: Exit code.
        message: What is said, or a part of it, on one line.
        claim: State of the claim (of the files of the release for `lockgate pin`) afterwards.
        given: What the scene is given.
    """

    fault: str
    scene: str
    code: int
    message: str
    claim: str = UNMARKED
    given: dict[str, Any] = field(default_factory=dict)


def hub(fault: str, code: int, message: str, claim: str = UNMARKED, **given: Any) -> Row:
    """A row in which the hub goes wrong in one way."""
    return Row(fault, "hub", code, message, claim, {"faults": [given]})


WHOLE = f"{MODEL}@{REVISION} is whole"

PRELOAD = (
    Row("no argument", "nothing_said", 64, "the following arguments are required: --config", UNTOUCHED),
    Row(
        "the revision is a branch",
        "config",
        64,
        "revision must be a commit of 40 hexadecimal digits, found 'main'",
        UNTOUCHED,
        {"text": f"model: {MODEL}\nrevision: main\n"},
    ),
    Row(
        "no revision",
        "config",
        64,
        "revision must be a commit of 40 hexadecimal digits, found ''",
        UNTOUCHED,
        {"text": f"model: {MODEL}\n"},
    ),
    Row(
        "no model",
        "config",
        64,
        "model must be organisation/name, found ''",
        UNTOUCHED,
        {"text": f"revision: '{REVISION}'\n"},
    ),
    Row(
        "the configuration is a list",
        "config",
        64,
        "must be a mapping of flags to values",
        UNTOUCHED,
        {"text": "- 1\n"},
    ),
    Row("the configuration is no YAML", "config", 64, "cannot be read: ", UNTOUCHED, {"text": "model: [\n"}),
    Row(
        "HF_HUB_OFFLINE is set",
        "variables",
        64,
        f"{MODEL}@{REVISION}: OfflineModeIsEnabled: ",
        UNMARKED,
        {"variables": {"HF_HUB_OFFLINE": "1"}},
    ),
    Row("no safetensors in the repository", "no_weights", 65, f"{MODEL}@{REVISION} holds no *.safetensors"),
    Row(
        "no such repository",
        "config",
        66,
        "RepositoryNotFoundError: 404 Client Error.",
        UNMARKED,
        {"text": f"model: lockgate/other\nrevision: '{REVISION}'\n"},
    ),
    Row(
        "no such revision",
        "config",
        66,
        "RevisionNotFoundError: 404 Client Error.",
        UNMARKED,
        {"text": f"model: {MODEL}\nrevision: '{'1' * 40}'\n"},
    ),
    Row("no room on the claim", "no_room", 73, "GiB free; enlarge the claim or remove a model"),
    Row("the cache is no folder", "a_file_for_a_folder", 73, "NotADirectoryError: ", UNTOUCHED),
    Row("gated model, no token", "token", 77, "GatedRepoError: 401 Client Error."),
    hub("403 for the listing", 77, "Make sure your token has the correct permissions.", route="listing", kind="403"),
    hub("403 for one file", 77, "Make sure your token has the correct permissions.", route="metadata", kind="403"),
    Row(
        "nobody answers",
        "variables",
        75,
        "ConnectError: ",
        UNMARKED,
        {"variables": {"HF_ENDPOINT": "http://127.0.0.1:9"}},
    ),
    hub("429 once", 0, WHOLE, MARKED, route="listing", kind="429", times=1, headers={"Retry-After": "1"}),
    hub(
        "500 for the listing",
        75,
        "HfHubHTTPError: Server error '500 Internal Server Error'",
        route="listing",
        kind="500",
    ),
    hub("502 for one file, once", 0, WHOLE, MARKED, route="metadata", kind="502", times=1),
    hub("503 for the weights", 75, "HfHubHTTPError: Server error '503 Service Unavailable'", route="body", kind="503"),
    hub("the listing stalls once", 0, WHOLE, MARKED, route="listing", kind="stall", times=1),
    hub("the weights stall once", 0, WHOLE, MARKED, route="body", kind="stall", times=1),
    hub("the weights are cut off once", 0, WHOLE, MARKED, route="body", kind="truncate", times=1),
    hub(
        "the weights are cut off each time",
        75,
        "RemoteProtocolError: peer closed connection",
        route="body",
        kind="truncate",
    ),
    hub("the weights come damaged", 75, "1 files came damaged and were removed: model-", route="body", kind="corrupt"),
    Row("the hub lists another size", "wrong_size", 75, "Consistency check failed: "),
    Row("SIGTERM while it fetches", "signal", 143, "stopped by SIGTERM; whole files stay", UNMARKED, {"number": 15}),
    Row("SIGKILL while it fetches", "signal", 137, "fetching ", UNMARKED, {"number": 9}),
    Row("a file of the claim is lost", "lost_file", 0, WHOLE, MARKED),
    Row("a file of the claim is cut", "cut_file", 0, WHOLE, MARKED),
    Row("the marker is cut", "marker", 0, WHOLE, MARKED, {"text": '{"snapshot": "mod'}),
    Row("the marker is something else", "marker", 0, WHOLE, MARKED, {"text": "[1, 2]"}),
)


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


def gpus(fault: str, code: int, message: str, **given: Any) -> Row:
    """A row in which preflight sees other GPUs than two A100 with a good driver."""
    return Row(fault, "gpus", code, message, READ_ONLY, {"torch": given})


PREFLIGHT = (
    gpus("nothing", 0, "0 failed, 0 to be minded"),
    gpus("no GPU", 78, "FAIL gpus 0 visible, 2 wanted: raise the GPU limit of the pod", count=0),
    gpus("a GPU too few", 78, "FAIL gpus 1 visible, 2 wanted: raise the GPU limit of the pod", count=1),
    gpus("a GPU too many", 0, "warn gpus 3 visible, 2 wanted: the others stand idle", count=3),
    gpus("GPUs of two kinds", 0, "warn gpus GPUs of 2 kinds: A100, L4; the smallest decides", names=["A100", "L4"]),
    gpus("memory held by another process", 78, "another process holds the rest", free=30),
    gpus("bfloat16 on a T4", 78, "FAIL formats GPU 0: compute capability 7.5, bfloat16 needs 8.0", capability=[7, 5]),
    Row(
        "fp8 on a V100",
        "gpus",
        78,
        "compute capability 7.0, fp8 needs 7.5",
        READ_ONLY,
        {"torch": {"capability": [7, 0], "built": ["sm_70"]}, "flags": ["--quantization=fp8", "--dtype=float16"]},
    ),
    Row(
        "fp8 on an A100",
        "gpus",
        0,
        "warn formats GPU 0: compute capability 8.0 has no fp8 units: fp8 saves memory there, but no time",
        READ_ONLY,
        {"flags": ["--quantization", "fp8"]},
    ),
    Row(
        "an fp8 cache on a V100",
        "gpus",
        78,
        "compute capability 7.0, fp8 needs 7.5",
        READ_ONLY,
        {"torch": {"capability": [7, 0], "built": ["sm_70"]}, "flags": ["--kv-cache-dtype=fp8", "--dtype=half"]},
    ),
    Row(
        "fp8 on an MI250",
        "gpus",
        78,
        "FAIL formats GPU 0: gfx90a, fp8 needs one of gfx94",
        READ_ONLY,
        {"torch": {"hip": "6.4", "arch": "gfx90a:sramecc+"}, "flags": ["-q", "fp8"]},
    ),
    Row(
        "fp8 on an MI300X",
        "gpus",
        0,
        "ok formats GPU 0: gfx942 does bfloat16, fp8",
        READ_ONLY,
        {"torch": {"hip": "6.4", "arch": "gfx942:sramecc+"}, "flags": ["-q", "fp8"]},
    ),
    gpus(
        "torch without code for the GPU", 78, "torch has no code for compute capability 8.0", built=["sm_90", "sm_100"]
    ),
    gpus("no driver", 78, "FAIL driver no NVIDIA driver in the container", driver=0),
    gpus(
        "a driver of the generation before",
        78,
        "the driver does CUDA 12.4, torch 2.13.0 was built with 13.0",
        driver=12040,
    ),
    gpus("a driver that is a little older", 0, "warn driver the driver does CUDA 13.0", driver=13000, cuda="13.2"),
    gpus("torch without CUDA", 78, "FAIL driver torch 2.13.0 was built without CUDA", cuda=None),
    gpus("no peer access", 0, "warn peers 2 of 2 pairs of GPUs have no peer access (0-1, 1-0)", peers=False),
    gpus(
        "torch cannot be imported", 78, "FAIL torch cannot be imported: ImportError: libcudart.so.13", broken="import"
    ),
    gpus(
        "the driver answers with an error",
        78,
        "could not be looked at: RuntimeError: CUDA error: no device",
        broken="call",
    ),
    gpus("64 MiB of shared memory", 78, "FAIL shared-memory 0.1 GiB free in /dev/shm, 1.0 GiB wanted", shm=64),
    Row("HOME cannot be written", "home", 78, "FAIL places HOME=", READ_ONLY),
    Row(
        "the model is not marked as whole", "weights", 78, "is not marked as whole in", READ_ONLY, {"damage": "marker"}
    ),
    Row(
        "the marker is cut",
        "weights",
        78,
        "cannot be read (JSONDecodeError): run the preload Job",
        READ_ONLY,
        {"damage": "cut"},
    ),
    Row("a file of the model is gone", "weights", 78, "1 of 2 files of", READ_ONLY, {"damage": "lost"}),
    Row("a file of the model is cut", "weights", 78, "1 of 2 files of", READ_ONLY, {"damage": "short"}),
    Row("not marked, and not offline", "weights", 0, "warn weights", READ_ONLY, {"damage": "marker", "offline": ""}),
    Row("no configuration", "words", 64, "no model: wanted --config FILE", NOT_SEEN, {"words": []}),
    Row(
        "no such configuration",
        "words",
        64,
        "--config /nowhere.yaml cannot be read: ",
        NOT_SEEN,
        {"words": ["--config", "/nowhere.yaml"]},
    ),
    Row(
        "a size that is no number",
        "words",
        64,
        "tensor-parallel-size must be a number, found 'two'",
        NOT_SEEN,
        {"words": ["a/b", "-tp", "two"]},
    ),
    Row(
        "an unknown check is left out",
        "skip",
        64,
        "PREFLIGHT_SKIP: no check 'gpu'; known: driver, gpus",
        NOT_SEEN,
        {"skip": "gpu"},
    ),
    Row("checks are left out", "skip", 0, "skip gpus PREFLIGHT_SKIP names it", READ_ONLY, {"skip": "gpus,memory"}),
)


def server(fault: str, code: int, message: str, **how: Any) -> Row:
    """A row in which the server behaves otherwise."""
    return Row(fault, "server", code, message, NOT_SEEN, {"how": how})


def route(fault: str, message: str, **how: Any) -> Row:
    """A row in which the public route behaves otherwise."""
    return Row(fault, "route", 1, message, NOT_SEEN, {"how": how})


SMOKE = (
    server("nothing", 0, "ok stream first token after"),
    Row(
        "nobody answers",
        "nobody",
        69,
        "not ready after 0.5 s: GET http://127.0.0.1:9/health: ConnectionRefused",
        NOT_SEEN,
    ),
    server("it never becomes ready", 69, "not ready after 0.5 s: GET /health is 503", health=503),
    server("it becomes ready late", 0, "ok health", late=1.0),
    server("another name is served", 1, "FAIL models /v1/models wants 'tiny', found other", models=["other"]),
    server("it serves no model", 1, "FAIL models /v1/models wants 'tiny', found none", models=[]),
    server(
        "the engine is dead, /health is 200",
        1,
        "FAIL completion POST /v1/completions wants 200, found 500",
        statuses={"/v1/completions": 500, "/v1/chat/completions": 500},
    ),
    server(
        "no chat template",
        1,
        "FAIL chat POST /v1/chat/completions wants 200, found 400",
        statuses={"/v1/chat/completions": 400},
    ),
    server(
        "an answer that is no JSON",
        1,
        "FAIL completion POST /v1/completions wants JSON, found '<html>'",
        bodies={"/v1/completions": b"<html>"},
    ),
    server(
        "an answer without text",
        1,
        "FAIL completion /v1/completions wants an answer, found 0 tokens, finish_reason 'abort'",
        bodies={"/v1/completions": b'{"choices": [{"finish_reason": "abort"}], "usage": {"completion_tokens": 0}}'},
    ),
    server(
        "a list of models of another shape",
        1,
        "FAIL models /v1/models wants a list of models",
        bodies={"/v1/models": b"[]"},
    ),
    server("the stream breaks off", 1, "FAIL stream ", stream="broken"),
    server(
        "the stream ends without [DONE]",
        1,
        "FAIL stream the stream broke off after 20 pieces, without [DONE]",
        stream="undone",
    ),
    server("the stream holds an error", 1, "FAIL stream the stream holds an error: ", stream="error"),
    server(
        "the stream holds half an event", 1, "FAIL stream a stream wants JSON events, found '{half'", stream="garbage"
    ),
    server("the stream stalls", 1, "FAIL stream ", stream="stall"),
    server("the stream has one token", 1, "FAIL stream a stream wants several tokens, found 1", stream="one"),
    server("the first token comes late", 1, "wanted the first within 0.5 s", first_token=0.8),
    server("tokens come slowly", 1, "wanted 20 tokens/s", token=0.08),
    Row(
        "the key is wrong",
        "key",
        1,
        "FAIL models GET /v1/models wants 200, found 401",
        NOT_SEEN,
        {"key": "k-1", "sent": "k-2"},
    ),
    Row(
        "the server wants no key",
        "key",
        1,
        "FAIL key /v1/chat/completions without a key wants 401, found 200",
        NOT_SEEN,
        {"key": "", "sent": "k-2"},
    ),
    Row(
        "the key is right",
        "key",
        0,
        "ok key 401 without a key and with a wrong one",
        NOT_SEEN,
        {"key": "k-1", "sent": "k-1"},
    ),
    Row(
        "the route lets /v1 through",
        "route",
        0,
        "ok public-metrics GET /metrics is 404 outside",
        NOT_SEEN,
        {"how": {"routed": ("/v1",)}},
    ),
    route("the route lets all through", "FAIL public-invocations POST"),
    route(
        "the route lets /metrics through", "/metrics wants 404 of the gateway, found 200", routed=("/v1", "/metrics")
    ),
    route(
        "the route leads to another model", "/v1/models wants 'tiny', found other", routed=("/v1",), models=["other"]
    ),
    route("the route leads nowhere", "FAIL public GET /v1/models wants 200, found 404", routed=("/nothing",)),
    route(
        "a path that the server refuses is reached",
        "/metrics wants 404 of the gateway, found 404",
        statuses={"/metrics": 404},
        routed=("/v1", "/metrics"),
    ),
    Row(
        "nobody answers on the route",
        "no_route",
        1,
        "FAIL public GET http://127.0.0.1:9/v1/models: ConnectionRefused",
        NOT_SEEN,
    ),
    Row("no address", "words", 64, "the following arguments are required: --url", NOT_SEEN, {"words": ["--model=a"]}),
    Row(
        "an address without http",
        "words",
        64,
        "wanted an address with http:// or https://, found 'chat'",
        NOT_SEEN,
        {"words": ["--url=chat", "--model=a"]},
    ),
    Row(
        "no model",
        "words",
        64,
        "one of the arguments --model --config is required",
        NOT_SEEN,
        {"words": ["--url=http://a"]},
    ),
    Row(
        "no such configuration",
        "words",
        64,
        "/nowhere.yaml cannot be read: ",
        NOT_SEEN,
        {"words": ["--url=http://a", "--config=/nowhere.yaml"]},
    ),
    Row(
        "an unknown check is left out",
        "words",
        64,
        "invalid choice: 'chats'",
        NOT_SEEN,
        {"words": ["--url=http://a", "--model=a", "--skip=chats"]},
    ),
)

WRITTEN, UNCHANGED = "release written", "release unchanged"


def registry(fault: str, message: str, **given: Any) -> Row:
    """A row in which the registry answers something else."""
    return Row(fault, "registry", 2, message, UNCHANGED, given)


def models(fault: str, message: str, **given: Any) -> Row:
    """A row in which the model hub answers something else."""
    return Row(fault, "hub", 2, message, UNCHANGED, given)


PIN = (
    Row("nothing", "nothing", 0, "wrote overlays/dev/release/kustomization.yaml", WRITTEN),
    Row("off-line: no such name", "no_name", 2, "registry.invalid cannot be reached: ", UNCHANGED),
    Row("the registry does not answer", "nobody", 2, "127.0.0.1:9 cannot be reached: ", UNCHANGED, {"who": "registry"}),
    Row(
        "the hub does not answer",
        "nobody",
        2,
        "Qwen/Qwen3-14B: 127.0.0.1:9 cannot be reached",
        UNCHANGED,
        {"who": "hub"},
    ),
    registry("no such tag", "has no such image or tag hint: mend newName or newTag of the release", status=404),
    registry("access refused", "refuses access (403) hint: `docker login ", status=403),
    registry("a door of another kind", "refuses access (401)", status=401, headers={"WWW-Authenticate": "Negotiate"}),
    registry(
        "a token service that sends a page",
        "wanted a token of http://",
        status=401,
        headers={"WWW-Authenticate": 'Bearer realm="http://HOST/token",service="x"'},
    ),
    registry(
        "asked too often",
        "has been asked too often (429) hint: wait 30 seconds",
        status=429,
        headers={"Retry-After": "30"},
    ),
    registry("the registry is down", "answers 503 hint: nothing was changed; try again later", status=503),
    registry("a page of a proxy", "wanted an image manifest of schema 2, found b'<html>'", status=200, body="<html>"),
    registry("a manifest of schema 1", "wanted an image manifest of schema 2", status=200, body='{"schemaVersion": 1}'),
    registry(
        "another content than its digest",
        "the registry says sha256:00, but what it sends has sha256:",
        status=200,
        headers={"Docker-Content-Digest": "sha256:00"},
        body='{"schemaVersion": 2}',
    ),
    Row(
        "no image for the nodes",
        "words",
        2,
        "wanted linux/s390x, found linux/amd64",
        UNCHANGED,
        {"words": ["--platform=linux/s390x"]},
    ),
    Row(
        "docker's configuration is cut",
        "docker",
        2,
        "wanted docker's configuration, found something else",
        UNCHANGED,
        {"text": '{"auths'},
    ),
    Row(
        "docker's configuration of another shape",
        "docker",
        2,
        "wanted docker's configuration, found something else",
        UNCHANGED,
        {"text": '{"credsStore": "", "auths": {"a": 1}, "credHelpers": 7}'},
    ),
    models("no such model", "the hub has no such model hint: mend `model`", status=404, code="RepoNotFound"),
    models(
        "no such revision",
        "the hub has no revision '40c069824f4251a91eefaf281ebe4c544efd3e18'",
        status=404,
        code="RevisionNotFound",
    ),
    models("gated, no token", "the hub refuses access (401) hint: is the name right?", status=401),
    models("asked too often by this address", "the hub has been asked too often (429)", status=429),
    models("the hub is down", "the hub answers 500", status=500),
    models("a page for a model", "wanted a model of the hub, found b'<html>'", status=200, body="<html>"),
    models(
        "a commit of another shape",
        "wanted a commit of 40 hex digits, found 'main'",
        status=200,
        body='{"sha": "main", "siblings": []}',
    ),
    models(
        "a model without safetensors",
        "holds no *.safetensors, which the preload Job fetches",
        status=200,
        body='{"sha": "40c069824f4251a91eefaf281ebe4c544efd3e18", "siblings": [{"rfilename": "a.bin"}]}',
    ),
    Row(
        "no such environment",
        "words",
        2,
        "environment 'test' is not in lockgate.yaml hint: known: dev, canary, prod",
        UNCHANGED,
        {"words": ["--env=test"]},
    ),
    Row(
        "no release",
        "file",
        2,
        "overlays/dev/release/serve.yaml: no such file",
        UNCHANGED,
        {"name": "serve.yaml", "text": None},
    ),
    Row(
        "a release without images",
        "file",
        2,
        "wanted `images` with a name each, found None",
        UNCHANGED,
        {"name": "kustomization.yaml", "text": "kind: Component\n"},
    ),
    Row(
        "a release that is no YAML",
        "file",
        2,
        "overlays/dev/release/serve.yaml:2: not readable as YAML",
        UNCHANGED,
        {"name": "serve.yaml", "text": "model: [\n"},
    ),
    Row(
        "a release that is a list",
        "file",
        2,
        "overlays/dev/release/serve.yaml: wanted a mapping, found list",
        UNCHANGED,
        {"name": "serve.yaml", "text": "- 1\n"},
    ),
)
