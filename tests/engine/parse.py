"""Run by vLLM's own Python: what its parser makes of each configuration file, as one line of JSON."""

from __future__ import annotations

import contextlib
import io
import json
import sys

from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser

KEPT = ("model", "revision", "served_model_name", "tensor_parallel_size", "max_model_len", "dtype")


def read(parser: FlexibleArgumentParser, file: str) -> dict[str, object]:
    """Return the values that a file gives, or what the parser says of it."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            found = parser.parse_args(["--config", file])
    except SystemExit:
        return {"error": said.getvalue().strip().splitlines()[-1:]}
    if found.model_tag is not None:
        # A word too many is taken for the model: `--enforce-eager true` would serve one called true.
        return {"error": [f"left over: {found.model_tag}"]}
    return {name: getattr(found, name) for name in KEPT}


parser = make_arg_parser(FlexibleArgumentParser())
sys.stdout.write(json.dumps({file: read(parser, file) for file in sys.argv[1:]}) + "\n")
