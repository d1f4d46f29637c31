"""The catalogue of vLLM's flags, variables and metrics: read right, and true of the server itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import vllm_catalogue
from lockgate import resources
from python_source import Package
from vllm_flags import Reader

SERVER = Path(__file__).parent / "snapshots" / "vllm-0.32.0.txt"
FILE = resources.template_root() / resources.PROJECT / "policies" / "data" / "vllm.json"
CATALOGUE: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))["vllm"]


def as_read_off(catalogue: dict[str, Any]) -> set[str]:
    """The first version of a catalogue in the words of the server's own list."""
    lines = set()
    for name, flag in catalogue["flags"].items():
        kind = flag if isinstance(flag, str) else flag["type"] if isinstance(flag, dict) else "str"
        choices = flag if isinstance(flag, list) else flag["choices"] if isinstance(flag, dict) else []
        if kind in {"switch", "on"}:
            lines.add(f"flag {name} switch")
            lines |= {f"flag no-{name} switch"} if kind == "switch" else set()
        else:
            nargs: str = {"+": "nargs+", "*": "nargs?"}.get(kind.rstrip("?")[-1], "")
            lines.add(" ".join(filter(None, ["flag", name, "value", nargs, "|".join(choices)])))
    lines |= {f"short {short} {name}" for short, name in catalogue["short"].items()}
    for name, metric in catalogue["metrics"].items():
        entry: dict[str, Any] = {"type": metric, "labels": vllm_catalogue.USUAL} if isinstance(metric, str) else metric
        labels = entry.get("labels")
        lines.add(" ".join(["metric", name, entry["type"], *([] if labels is None else [",".join(labels)])]))
    return lines


def test_0_32_0_is_what_the_server_says() -> None:
    said = {line for line in SERVER.read_text(encoding="utf-8").splitlines() if not line.startswith("#")}
    read = as_read_off(CATALOGUE)
    assert said - read == set()
    # A server that runs one way shows not every metric; of flags it shows all.
    assert {line for line in read - said if not line.startswith("metric ")} == set()


def test_the_versions_are_shipped_and_the_first_one_is_whole() -> None:
    assert next(iter(CATALOGUE["versions"])) == "0.32.0"
    assert tuple(CATALOGUE["versions"]) == vllm_catalogue.VERSIONS
    assert CATALOGUE["versions"]["0.32.0"] == {}
    assert "swap-space" in CATALOGUE["versions"]["0.16.0"]["flags"]
    assert CATALOGUE["gone"]["flags"]["swap-space"] == "0.18"
    assert CATALOGUE["gone"]["metrics"]["vllm:gpu_cache_usage_perc"] == "0.12"
    for section, names in CATALOGUE["renamed"].items():
        assert names.keys() <= CATALOGUE["gone"][section].keys()


ARGUMENTS = """
import argparse, json
from typing import TYPE_CHECKING, Literal, Optional
from vllm.config import Model, Size, choices_of
if TYPE_CHECKING:
    Free = Literal["a"]
else:
    Free = str

def get_kwargs(cls):
    human = {"most_tokens"}

class EngineArgs:
    @staticmethod
    def add_cli_args(parser):
        kwargs = get_kwargs(Model)
        kwargs["size"]["choices"].remove("huge")
        group = parser.add_argument_group("x")
        group.add_argument("--size", "-s", **kwargs["size"])
        group.add_argument("--most-tokens", **{**kwargs["most_tokens"], "default": None})
        group.add_argument("--names", **kwargs["names"])
        group.add_argument("--free", **kwargs["free"])
        group.add_argument("--part", **kwargs["part"])
        folded = kwargs["backend"]
        folded["type"] = lambda s: s.lower()
        group.add_argument("--backend", **folded)
        group.add_argument("--rate", type=float)
        group.add_argument("--level", choices=choices_of(Model))
        if parser:
            group.add_argument("--eager", action="store_true")

class AsyncEngineArgs(EngineArgs):
    @staticmethod
    def add_cli_args(parser):
        parser.add_argument("--log", action=argparse.BooleanOptionalAction)
"""
CONFIG = """
from dataclasses import dataclass
from typing import ClassVar, Literal
Size = Literal["small", "large", "huge"]

@dataclass
class Part:
    x: int = 0

@dataclass
class Base:
    names: list[str] | None = None

@dataclass
class Model(Base):
    size: Size = "small"
    most_tokens: int | None = None
    free: Size | str = "a"
    part: Part = Part()
    backend: Literal["One_A", "two"] = "two"
    kept: ClassVar[int] = 1
"""
PARSER = """
import json
from dataclasses import dataclass
from vllm.engine.arg_utils import AsyncEngineArgs, optional_type

@dataclass
class FrontendArgs:
    host: str | None = None
    origins: list[str] = ()
    port: int = 8000
    verbose: bool = False

    @classmethod
    def add_cli_args(cls, parser):
        frontend_kwargs = get_kwargs(cls)
        frontend_kwargs["origins"]["type"] = json.loads
        del frontend_kwargs["origins"]["nargs"]
        for key, value in frontend_kwargs.items():
            parser.add_argument(f"--{key}", **value)

def make_arg_parser(parser):
    parser.add_argument("model_tag", type=str)
    parser.add_argument("--config", help="a file")
"""
PACKAGE = {
    "vllm/engine/arg_utils.py": ARGUMENTS,
    "vllm/config/__init__.py": "from .model import Model, Size",
    "vllm/config/model.py": CONFIG,
    "vllm/entrypoints/openai/cli_args.py": PARSER,
    "vllm/metrics.py": """
NAME = "vllm:named"
def make(labelnames):
    Gauge(name="vllm:depth", labelnames=labelnames)
    self._counter_cls(name="vllm:served", labelnames=labelnames + ["reason"])
    Histogram(name=NAME, labelnames=["b", "a"])
    Gauge(name="vllm:info", labelnames=info.keys())
    specs = [("vllm:later", "text")]
    os.environ["VLLM_ONE"]
""",
}  # fmt: skip


def test_flags_are_read_from_annotations_and_calls() -> None:
    reader = Reader(Package(PACKAGE))
    reader.read()
    assert {name: flag.compact() for name, flag in sorted(reader.flags.items())} == {
        "backend": {"type": "str", "choices": ["One_A", "two"], "folded": True},
        "config": "str",
        "eager": "on",
        "free": "str",
        "host": "str?",
        "level": "str",
        "log": "switch",
        "most-tokens": "count?",
        "names": "str+?",
        "origins": "json",
        "part": "json",
        "port": "int",
        "rate": "float",
        "size": ["large", "small"],
        "verbose": "switch",
    }
    assert reader.short == {"s": "size"}


def test_metrics_and_variables_are_read_from_calls_and_words() -> None:
    assert vllm_catalogue.metrics(PACKAGE) == {
        "vllm:depth": "gauge",
        "vllm:info": {"type": "gauge"},
        "vllm:later": {"type": "open"},
        "vllm:named": {"type": "histogram", "labels": ["a", "b"]},
        "vllm:served_total": {"type": "counter", "labels": ["engine", "model_name", "reason"]},
    }
    assert vllm_catalogue.variables(PACKAGE) == {"VLLM_ONE": 1}


@pytest.mark.parametrize(
    ("other", "expected"),
    [({"a": 1, "b": 2}, ({}, [])), ({"a": 3}, ({"a": 3}, ["b"])), ({"a": 1, "b": 2, "c": 4}, ({"c": 4}, []))],
)
def test_a_version_is_told_by_its_difference(other: dict[str, int], expected: tuple[dict[str, int], list[str]]) -> None:
    assert vllm_catalogue.difference({"a": 1, "b": 2}, other) == expected


def test_names_that_went_away_carry_the_release_that_lacks_them() -> None:
    sections: list[tuple[str, dict[str, set[str]]]] = [
        ("1", {"flags": {"a", "b", "c"}, "variables": set(), "metrics": {"m"}}),
        ("2", {"flags": {"a"}, "variables": set(), "metrics": {"m"}}),
        ("3", {"flags": {"a", "c"}, "variables": set(), "metrics": set()}),
    ]
    assert vllm_catalogue.gone(sections) == {"flags": {"b": "2"}, "variables": {}, "metrics": {"m": "3"}}
