"""Start `vllm serve` from three variables, a configuration file, or both.

In: MODEL_NAME (hub id or absolute path), PORT (default 8000), TP_SIZE (default 1, or what the
configuration says), `--config FILE`, and any further flag of `vllm serve`, which is passed on. The
words `vllm serve` may stand first, so that a manifest shows what it starts.
Out: preflight.py has looked at the GPUs and the weights, and this process becomes the server, so
that signals reach it.

  PREFLIGHT=on    what preflight.py finds keeps the server from starting (default)
  PREFLIGHT=warn  it is told, and the server starts
  PREFLIGHT=off   nothing is looked at

Exit codes: 64 a value cannot work, 78 preflight.py found what would end the server, 127 there is no
`vllm`, 143 ended by SIGTERM before the server started; else the server's own.

Kubernetes gives pods variables for each Service of their namespace. Those of a Service named
`vllm` (VLLM_PORT=tcp://10.0.0.1:80 and its like) would be read as vLLM's own and end the engine:
they are taken away here, whatever `enableServiceLinks` says.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

USAGE = 64
NOT_FOUND = 127
TERMINATED = 128 + signal.SIGTERM
LINK = re.compile(r"VLLM_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
LINK_VALUE = re.compile(r"(tcp|udp|sctp)://")
MODEL = re.compile(r"[\w.-]+/[\w.-]+|/[^\s]+", re.ASCII)
PREFLIGHT = Path(__file__).with_name("preflight.py")
MODES = ("on", "warn", "off")


def without_links(environment: dict[str, str]) -> dict[str, str]:
    """Return `environment` without the link variables of a Service; vLLM's own ones stay."""

    def is_link(key: str, value: str) -> bool:
        return key.startswith("VLLM_") and bool(LINK.fullmatch(key) or LINK_VALUE.match(value))

    return {key: value for key, value in environment.items() if not is_link(key, value)}


def split(arguments: list[str]) -> tuple[str, list[str]]:
    """Return the value of `--config` ('' when it is not given) and the other arguments."""
    config, rest = "", []
    waiting = False
    for argument in arguments[2:] if arguments[:2] == ["vllm", "serve"] else arguments:
        if waiting:
            config, waiting = argument, False
        elif argument == "--config":
            waiting = True
        elif argument.startswith("--config="):
            config = argument.partition("=")[2]
        else:
            rest.append(argument)
    return ("-" if waiting else config), rest


def problems(environment: dict[str, str], config: str) -> list[str]:
    """Return one sentence for each value that cannot work."""
    found = []
    model, port = environment.get("MODEL_NAME", ""), environment.get("PORT", "8000")
    size, mode = environment.get("TP_SIZE", "1"), environment.get("PREFLIGHT", "on")
    if not model and not config:
        found.append("MODEL_NAME must be set when there is no --config")
    if model and not MODEL.fullmatch(model):
        found.append(f"MODEL_NAME must be organisation/name or an absolute path, found {model!r}")
    if not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65535:  # noqa: PLR2004
        found.append(f"PORT must be a number from 1 to 65535, found {port!r}")
    if not re.fullmatch(r"[1-9][0-9]{0,2}", size):
        found.append(f"TP_SIZE must be a number of GPUs, 1 or more, found {size!r}")
    if mode not in MODES:
        found.append(f"PREFLIGHT must be one of {', '.join(MODES)}, found {mode!r}")
    if config and not config.endswith((".yaml", ".yml")):
        found.append(f"--config must name a .yaml file, found {config!r}")
    elif config and not os.access(config, os.R_OK):
        found.append(f"--config {config!r} cannot be read: is the ConfigMap mounted there?")
    return found


def command(environment: dict[str, str], config: str, rest: list[str]) -> list[str]:
    """Return the command line of the server; what is not set is left to the configuration."""
    words = ["vllm", "serve"]
    if environment.get("MODEL_NAME"):
        words.append(environment["MODEL_NAME"])
    if config:
        # Two words: vLLM never reads the file of `--config=FILE`.
        words += ["--config", config]
    if "PORT" in environment or not config:
        words.append(f"--port={environment.get('PORT', '8000')}")
    if "TP_SIZE" in environment or not config:
        words.append(f"--tensor-parallel-size={environment.get('TP_SIZE', '1')}")
    return words + rest


def preflight(words: list[str], environment: dict[str, str]) -> int:
    """Run preflight.py on the words of the server and return its exit code; 0 when it is not to be minded.

    It is a process of its own: what it holds of the GPUs is free again before the server starts. As
    process 1 of a container we get no SIGTERM that we have not asked for, so it is asked for.
    """
    mode = environment.get("PREFLIGHT", "on")
    if mode == "off":
        return 0
    signal.signal(signal.SIGTERM, end)
    with subprocess.Popen([sys.executable, str(PREFLIGHT), *words], env=environment) as process:
        try:
            code = process.wait()
        except BaseException:
            process.kill()
            raise
    if code and mode == "warn":
        print("entrypoint: starting all the same, PREFLIGHT=warn", file=sys.stderr, flush=True)
        return 0
    return 128 - code if code < 0 else code


def end(*_: object) -> NoReturn:
    """End on SIGTERM. Once this process is the server, the server decides."""
    raise SystemExit(TERMINATED)


def main(arguments: list[str]) -> int:
    """Become the server; return an exit code only when that cannot work."""
    if arguments in (["--help"], ["-h"]):
        print((__doc__ or "").strip())
        return 0
    environment = without_links(dict(os.environ))
    config, rest = split(arguments)
    found = problems(environment, config)
    if found:
        print("\n".join(f"entrypoint: {problem}" for problem in found), file=sys.stderr)
        return USAGE
    words = command(environment, config, rest)
    code = preflight(words[2:], environment)
    if code:
        return code
    # Further flags are not shown: one of them may be a key.
    shown = " ".join(command(environment, config, ["..."] if rest else []))
    print(f"entrypoint: {shown}", file=sys.stderr, flush=True)
    try:
        os.execvpe(words[0], words, environment)  # noqa: S606  # a list of words, no shell
    except FileNotFoundError:
        print(f"entrypoint: no vllm in PATH={environment.get('PATH', '')}", file=sys.stderr)
    return NOT_FOUND


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
