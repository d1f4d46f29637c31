"""Ask a vLLM server what its clients will ask, and see that its route lets nothing else through.

In: the server's address, the model's name (from the `serve.yaml` of the release), and VLLM_API_KEY
where a key is set. Out: one line for each check, and a report as JUnit or JSON. Standard library
only; PyYAML when the name is read from a file.

Checks: health, models, completion, chat, stream (to its end, with first token and tokens per second
against the limits), key (401 without one and with a wrong one), and with --public-url (or PUBLIC_URL): public (the
route serves the model list), public-invocations and public-metrics (it serves nothing beside /v1).

Exit codes: 0 all as it should be, 1 a check failed, 64 a value cannot be read, 69 the server did not
become ready in time.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import ssl
import statistics
import sys
import time
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

# Nothing is written beside the program: its folder is a ConfigMap, or part of a repository.
sys.dont_write_bytecode = True

from smoke_report import Outcome, as_json, as_junit  # noqa: E402  # the line above comes first

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAILED, USAGE, NOT_READY = 1, 64, 69
OK, UNAUTHORIZED = 200, 401
# What a gateway says of a path that it does not route.
CLOSED = {401, 403, 404}
CHECKS = (
    *("health", "models", "completion", "chat", "stream"),
    *("key", "public", "public-invocations", "public-metrics"),
)
PROMPT = "Count from one to ten."


class Fault(Exception):  # noqa: N818  # what a check found
    """A check failed; the text says what was wanted and found."""


class Server:
    """One address that is asked, with a key or without."""

    def __init__(self, url: str, key: str, timeout: float) -> None:
        self.url = url.rstrip("/")
        self.key = key
        self.timeout = timeout

    @contextlib.contextmanager
    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Iterator[http.client.HTTPResponse]:
        """Send one request, follow no redirect, and give the answer while it is open."""
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme == "https":
            context = ssl.create_default_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.netloc, timeout=self.timeout, context=context
            )
        else:
            connection = http.client.HTTPConnection(parts.netloc, timeout=self.timeout)
        headers = {"Content-Type": "application/json", "User-Agent": "smoke"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        try:
            connection.request(method, parts.path + path, json.dumps(body) if body else None, headers)
            yield connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            reason = " ".join(str(error).split())
            raise Fault(f"{method} {self.url}{path}: {type(error).__name__}: {reason}") from error
        finally:
            connection.close()

    def json(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the JSON of an answer that must be 200."""
        with self.ask(method, path, body) as answer:
            text = answer.read()
            if answer.status != OK:
                raise Fault(f"{method} {path} wants 200, found {answer.status}: {shown(text)}")
        try:
            return json.loads(text)
        except ValueError as error:
            raise Fault(f"{method} {path} wants JSON, found {shown(text)}") from error

    def status(self, method: str, path: str, body: dict[str, Any] | None = None) -> int:
        """Return the status of an answer."""
        with self.ask(method, path, body) as answer:
            answer.read()
            return answer.status


class Smoke:
    """The checks, of one server and its public route."""

    def __init__(self, options: argparse.Namespace, key: str) -> None:
        self.options = options
        self.key = key
        self.server = Server(options.url, key, options.timeout)
        self.public = Server(options.public_url, key, options.timeout)

    def checks(self) -> dict[str, Callable[[], str]]:
        """Return every check that is to be made, by name, in order."""
        found: dict[str, Callable[[], str]] = {
            "health": self.health,
            "models": self.models,
            "completion": self.completion,
            "chat": self.chat,
            "stream": self.stream,
        }
        if self.key:
            found["key"] = self.key_is_wanted
        if self.options.public_url:
            found["public"] = self.route_serves
            found["public-invocations"] = self.invocations_are_closed
            found["public-metrics"] = self.metrics_are_closed
        return found

    def health(self) -> str:
        """GET /health."""
        status = self.server.status("GET", "/health")
        if status != OK:
            raise Fault(f"GET /health wants 200, found {status}")
        return "GET /health is 200"

    def models(self) -> str:
        """The server lists the name that clients send."""
        names = self.listed(self.server)
        if self.options.model not in names:
            raise Fault(f"/v1/models wants {self.options.model!r}, found {', '.join(names) or 'none'}")
        return f"/v1/models lists {self.options.model}"

    def listed(self, server: Server) -> list[str]:
        """Return the names of /v1/models."""
        answer = server.json("GET", "/v1/models")
        try:
            return [str(entry["id"]) for entry in answer["data"]]
        except (KeyError, TypeError) as error:
            raise Fault(f"/v1/models wants a list of models, found {shown(json.dumps(answer).encode())}") from error

    def completion(self) -> str:
        """A prompt is continued."""
        body = {"model": self.options.model, "prompt": PROMPT, "max_tokens": 8, "temperature": 0}
        return f"{self.used('/v1/completions', body)} tokens"

    def chat(self) -> str:
        """A message is answered."""
        return f"{self.used('/v1/chat/completions', {**self.question(), 'max_tokens': 8})} tokens"

    def used(self, path: str, body: dict[str, Any]) -> int:
        """Return the tokens of an answer; there must be one."""
        answer = self.server.json("POST", path, body)
        try:
            tokens = int(answer["usage"]["completion_tokens"])
            reason = answer["choices"][0]["finish_reason"]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise Fault(f"{path} wants a choice and its usage, found {shown(json.dumps(answer).encode())}") from error
        if tokens < 1 or reason not in {"stop", "length"}:
            raise Fault(f"{path} wants an answer, found {tokens} tokens, finish_reason {reason!r}")
        return tokens

    def question(self) -> dict[str, Any]:
        """Return a chat request."""
        messages = [{"role": "user", "content": PROMPT}]
        return {"model": self.options.model, "messages": messages, "temperature": 0}

    def stream(self) -> str:
        """Answers stream to their end, soon enough and fast enough; the median of several counts."""
        runs = [self.streamed() for _ in range(self.options.samples)]
        first = statistics.median(run[0] for run in runs)
        speed = statistics.median(run[1] for run in runs)
        text = f"first token after {first:.3f} s, {speed:.1f} tokens/s"
        if first > self.options.max_ttft:
            raise Fault(f"{text}: wanted the first within {self.options.max_ttft:g} s")
        if speed < self.options.min_tokens_per_second:
            raise Fault(f"{text}: wanted {self.options.min_tokens_per_second:g} tokens/s")
        return text

    def streamed(self) -> tuple[float, float]:
        """Return the seconds to the first token and the tokens per second from there on, of one answer."""
        body = {
            **self.question(),
            "max_tokens": self.options.tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if self.options.ignore_eos:
            body["ignore_eos"] = True
        start = time.monotonic()
        with self.server.ask("POST", "/v1/chat/completions", body) as answer:
            if answer.status != OK:
                raise Fault(f"a stream wants 200, found {answer.status}: {shown(answer.read(4096))}")
            times, tokens = read_events(answer, start + self.options.timeout)
        if len(times) < 2:  # noqa: PLR2004  # the first token and one more make a speed
            raise Fault(f"a stream wants several tokens, found {len(times)}")
        return times[0] - start, (tokens - 1) / max(times[-1] - times[0], 1e-9)

    def key_is_wanted(self) -> str:
        """Without a key, or with another, nothing is answered."""
        for words, key in (("without a key", ""), ("with a wrong key", "wrong")):
            other = Server(self.options.url, key, self.options.timeout)
            status = other.status("POST", "/v1/chat/completions", {**self.question(), "max_tokens": 1})
            if status != UNAUTHORIZED:
                raise Fault(f"/v1/chat/completions {words} wants 401, found {status}")
        return "401 without a key and with a wrong one"

    def route_serves(self) -> str:
        """The public route leads to this model: else that it is closed elsewhere would say nothing."""
        names = self.listed(self.public)
        if self.options.model not in names:
            raise Fault(f"{self.public.url}/v1/models wants {self.options.model!r}, found {', '.join(names)}")
        return f"{self.public.url}/v1 serves {self.options.model}"

    def invocations_are_closed(self) -> str:
        """/invocations answers anybody who reaches it."""
        return self.closed("POST", "/invocations", {**self.question(), "max_tokens": 1})

    def metrics_are_closed(self) -> str:
        """/metrics is for the monitoring inside the cluster."""
        return self.closed("GET", "/metrics", None)

    def closed(self, method: str, path: str, body: dict[str, Any] | None) -> str:
        """Say that the public route does not lead to a path."""
        nobody = Server(self.public.url, "", self.options.timeout)
        with nobody.ask(method, path, body) as answer:
            answer.read()
            # vLLM's own 404 means that the path was reached.
            if answer.status not in CLOSED or answer.headers.get("server", "").lower() == "uvicorn":
                raise Fault(f"{method} {self.public.url}{path} wants 404 of the gateway, found {answer.status}")
            return f"{method} {path} is {answer.status} outside"


def read_events(answer: http.client.HTTPResponse, deadline: float) -> tuple[list[float], int]:
    """Return when each piece of text came, and the tokens of the answer; it must end with [DONE]."""
    times: list[float] = []
    tokens = 0
    for line in answer:
        if time.monotonic() > deadline:
            raise Fault(f"the stream did not end in time, after {len(times)} pieces")
        field, _, data = line.decode("utf-8", "replace").strip().partition(":")
        if field != "data":
            continue
        if data.strip() == "[DONE]":
            return times, max(tokens, len(times))
        event = event_of(data)
        if any(piece(choice) for choice in event.get("choices", [])):
            times.append(time.monotonic())
        tokens = int((event.get("usage") or {}).get("completion_tokens") or tokens)
    raise Fault(f"the stream broke off after {len(times)} pieces, without [DONE]")


def event_of(data: str) -> dict[str, Any]:
    """Return one event of a stream; an error in it is a fault."""
    try:
        event = json.loads(data)
    except ValueError as error:
        raise Fault(f"a stream wants JSON events, found {shown(data.encode())}") from error
    if not isinstance(event, dict) or "error" in event:
        raise Fault(f"the stream holds an error: {shown(data.encode())}")
    return event


def piece(choice: dict[str, Any]) -> bool:
    """Say whether a choice of an event carries text."""
    delta = choice.get("delta") or {}
    return bool(delta.get("content") or delta.get("reasoning") or delta.get("reasoning_content"))


def shown(text: bytes) -> str:
    """Return the beginning of an answer on one line."""
    return repr(" ".join(text.decode("utf-8", "replace").split())[:200])


def ready(server: Server, seconds: float) -> str:
    """Wait until /health answers; return '' then, else why not."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            status = server.status("GET", "/health")
            reason = f"GET /health is {status}"
        except Fault as fault:
            status, reason = 0, str(fault)
        if status == OK:
            return ""
        if time.monotonic() >= deadline:
            return reason
        time.sleep(min(1.0, seconds / 10 + 0.01))


def run(smoke: Smoke) -> Iterator[Outcome]:
    """Make the checks one after the other; the first ones warm the server up for the timed one."""
    for name, check in smoke.checks().items():
        if name in smoke.options.skip:
            continue
        start = time.monotonic()
        try:
            text, failed = check(), False
        except Fault as fault:
            text, failed = str(fault), True
        yield Outcome(name, time.monotonic() - start, text, failed)


class Parser(argparse.ArgumentParser):
    """A parser whose errors have this program's exit code."""

    def error(self, message: str) -> NoReturn:
        """End with 64."""
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"smoke: {message}\n")


def options_of(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    title, _, rest = (__doc__ or "").partition("\n\n")
    parser = Parser(description=title, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--url", required=True, help="the server, such as http://qwen-chat")
    name = parser.add_mutually_exclusive_group(required=True)
    name.add_argument("--model", help="name that clients send")
    name.add_argument("--config", type=Path, help="serve.yaml that holds it")
    public = os.environ.get("PUBLIC_URL", "")
    add("--public-url", default=public, help="the route's address, such as https://chat.example.com ($PUBLIC_URL)")
    add("--max-ttft", type=float, default=5, help="seconds to the first token (%(default)s)")
    add("--min-tokens-per-second", type=float, default=5, help="of one stream (%(default)s)")
    add("--samples", type=int, default=3, help="streams that are timed (%(default)s)")
    add("--tokens", type=int, default=64, help="of each stream, at most (%(default)s)")
    add("--ignore-eos", action="store_true", help="streams go on to that many tokens (vLLM only)")
    add("--wait", type=float, default=60, help="seconds until the server must be ready (%(default)s)")
    add("--timeout", type=float, default=60, help="seconds for one answer (%(default)s)")
    add("--skip", action="append", default=[], choices=CHECKS, metavar="CHECK", help="a check that is not to be made")
    add("--junit", type=Path, metavar="FILE", help="write the outcomes as JUnit")
    add("--json", type=Path, metavar="FILE", help="write the outcomes as JSON")
    options = parser.parse_args(arguments)
    for url in filter(None, (options.url, options.public_url)):
        if not url.startswith(("http://", "https://")):
            parser.error(f"wanted an address with http:// or https://, found {url!r}")
    if options.config:
        options.model = served_name(options.config, parser)
    return options


def served_name(config: Path, parser: Parser) -> str:
    """Return the name that a server with this configuration has for its clients."""
    import yaml

    try:
        serve = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        parser.error(f"{config} cannot be read: {' '.join(str(error).split())}")
    if not isinstance(serve, dict):
        parser.error(f"{config} must be a mapping of flags to values")
    name = serve.get("served-model-name") or serve.get("served_model_name") or serve.get("model")
    if not name:
        parser.error(f"{config} names no model")
    return str(name[0] if isinstance(name, list) else name)


def main(arguments: list[str]) -> int:
    """Make the checks and write the reports; return the exit code."""
    options = options_of(arguments)
    smoke = Smoke(options, os.environ.get("VLLM_API_KEY", ""))
    reason = ready(smoke.server, options.wait)
    if reason:
        print(f"smoke: not ready after {options.wait:g} s: {reason}", file=sys.stderr)
        return NOT_READY
    outcomes = []
    for outcome in run(smoke):
        outcomes.append(outcome)
        print(f"smoke: {'FAIL' if outcome.failed else 'ok':4}  {outcome.name:18} {outcome.text}", flush=True)
    for file, text in ((options.junit, as_junit(outcomes)), (options.json, as_json(outcomes))):
        if file:
            file.write_text(text, encoding="utf-8")
    return FAILED if any(outcome.failed for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
