"""What the smoke test finds."""

from __future__ import annotations

from typing import Any

from serving.faults.row import NOT_SEEN, Row


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
