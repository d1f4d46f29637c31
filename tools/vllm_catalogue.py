"""Writes policies/data/vllm.json: flags, environment variables and metrics of vLLM, by version.

Input: wheels on the package index, of which only the Python text is fetched; nothing of them is
run. `python tools/vllm_catalogue.py` writes the file anew for VERSIONS. The first version stands
there whole, the others by what differs from it; RELEASES tell when a name went away.

A metric is its type when its labels are the usual ones, else {type, labels}; labels are left out
where only a running server knows them. Type `open`: the text does not say which one.
"""

from __future__ import annotations

import ast
import itertools
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import remote_wheel
from python_source import Package
from vllm_flags import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TARGET = Path(__file__).resolve().parent.parent / "<<cookiecutter.project>>" / "policies" / "data" / "vllm.json"
VERSIONS = ("0.32.0", "0.33.0", "0.31.0", "0.24.0", "0.16.0")
RELEASES = (
    "0.8.5", "0.9.2", "0.10.2", "0.11.2", "0.12.0", "0.13.0", "0.14.1", "0.15.1", "0.16.0", "0.17.1", "0.18.1",
    "0.19.1", "0.20.2", "0.21.0", "0.22.1", "0.23.0", "0.24.0", "0.25.1", "0.26.0", "0.27.1", "0.28.0", "0.29.0",
    "0.30.0", "0.31.0", "0.32.0", "0.33.0",
)  # fmt: skip
# Kernels, models and benchmarks: megabytes without a flag or a metric of the server.
SKIPPED = ("model_executor/models/", "third_party/", "vllm_flash_attn/", "benchmarks/")
METRIC = re.compile(r"vllm:[a-z0-9_]*[a-z0-9]")
VARIABLE = re.compile(r"VLLM_[A-Z0-9_]+")
USUAL = ["engine", "model_name"]
# Said by vLLM's own words of deprecation (arg_utils.py of 0.9 to 0.11, v1/metrics/loggers.py of 0.9,
# engine/metrics.py of 0.10).
RENAMED = {
    "flags": {
        "cuda-graph-sizes": "cudagraph-capture-sizes",
        "disable-log-requests": "no-enable-log-requests",
        "enable-reasoning": "reasoning-parser",
        "override-pooler-config": "pooler-config",
    },
    "metrics": {
        "vllm:gpu_cache_usage_perc": "vllm:kv_cache_usage_perc",
        "vllm:gpu_prefix_cache_hits": "vllm:prefix_cache_hits",
        "vllm:gpu_prefix_cache_queries": "vllm:prefix_cache_queries",
        "vllm:time_per_output_token_seconds": "vllm:inter_token_latency_seconds",
    },
}
# FlexibleArgumentParser looks for these as words of their own: with `=` the value is never read.
SEPARATE = {"config": 1}
SECTIONS = ("flags", "variables", "metrics")


@dataclass(frozen=True)
class Contract:
    """What one version understands and says, each part by name; `short` is of flags."""

    flags: Mapping[str, Any]
    short: Mapping[str, str]
    variables: Mapping[str, Any]
    metrics: Mapping[str, Any]


def contract(texts: Mapping[str, str]) -> Contract:
    """Return the contract of the version with these texts, by path in the wheel."""
    reader = Reader(Package(texts))
    reader.read()
    flags = {name: flag.compact() for name, flag in sorted(reader.flags.items())}
    return Contract(flags, dict(sorted(reader.short.items())), variables(texts), metrics(texts))


def variables(texts: Mapping[str, str]) -> dict[str, int]:
    """Return the names of all VLLM_ variables that the text speaks of."""
    names = {name for text in texts.values() for name in re.findall(r"""["'](VLLM_[A-Z0-9_]+)["']""", text)}
    return dict.fromkeys(sorted(names), 1)


def metrics(texts: Mapping[str, str]) -> dict[str, Any]:
    """Return every metric of the server with its type and labels."""
    found: dict[str, Any] = {}
    for text in texts.values():
        if "vllm:" in text:
            tree = ast.parse(text)
            for name in _constants(tree).values():
                if METRIC.fullmatch(name):
                    found.setdefault(name, {"type": "open"})
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and METRIC.fullmatch(str(node.value)):
                    found.setdefault(str(node.value), {"type": "open"})
            found.update(_made(tree))
    # A counter's own name ends in _total only in what it exposes.
    counters = {name.removesuffix("_total") for name, entry in found.items() if "counter" in (entry, *_type_of(entry))}
    return {name: entry for name, entry in sorted(found.items()) if name not in counters}


def _type_of(entry: Any) -> tuple[str, ...]:
    return (entry["type"],) if isinstance(entry, dict) else ()


def _made(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    """Metrics that calls such as `Gauge(name=..., labelnames=...)` make."""
    known = _constants(tree)
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        kind = re.search(r"gauge|counter|histogram|summary", _identifier(call.func), re.IGNORECASE)
        arguments = {keyword.arg: keyword.value for keyword in call.keywords}
        name = _string(arguments.get("name", call.args[0] if call.args else None), known)
        if kind and METRIC.fullmatch(name):
            labels = _labels(arguments.get("labelnames"), tree, known)
            type_ = kind[0].lower()
            exposed = f"{name.removesuffix('_total')}_total" if type_ == "counter" else name
            yield (
                exposed,
                type_ if labels == USUAL else {"type": type_, **({} if labels is None else {"labels": labels})},
            )


def _labels(node: ast.AST | None, tree: ast.Module, known: Mapping[str, str]) -> list[str] | None:
    """Return the labels that an expression lists; None when the text does not say."""
    if node is None:
        return []
    if isinstance(node, ast.List | ast.Tuple):
        names = [_string(item, known) for item in node.elts]
        return sorted(names) if all(names) else None
    if isinstance(node, ast.BinOp):
        parts = [_labels(side, tree, known) for side in (node.left, node.right)]
        return None if None in parts else sorted(label for part in parts for label in part or ())
    if _identifier(node).lstrip("_") in {"labelnames", "label_names"}:
        return list(USUAL)
    for item in ast.walk(tree):
        if isinstance(item, ast.Assign) and _identifier(item.targets[0]) == _identifier(node) != "":
            return _labels(item.value, tree, known)
    return None


def _constants(tree: ast.Module) -> dict[str, str]:
    """Return the texts that names and attributes of a module are bound to."""
    return {
        _identifier(target): item.value.value
        for item in ast.walk(tree)
        if isinstance(item, ast.Assign) and isinstance(item.value, ast.Constant) and isinstance(item.value.value, str)
        for target in item.targets
    }


def _string(node: ast.AST | None, known: Mapping[str, str]) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    return known.get(_identifier(node), "") if node else ""


def _identifier(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def difference(base: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what `other` has or says otherwise, and the names that only `base` has."""
    return {k: v for k, v in other.items() if base.get(k) != v}, sorted(base.keys() - other.keys())


def gone(names: Sequence[tuple[str, Mapping[str, set[str]]]]) -> dict[str, dict[str, str]]:
    """Return, by section, the first release without each name that an earlier one had and the last one lacks."""
    found: dict[str, dict[str, str]] = {}
    for section in SECTIONS:
        last: dict[str, str] = {}
        for (_, before), (release, after) in itertools.pairwise(names):
            last.update(dict.fromkeys(before[section] - after[section], release))
        final = names[-1][1][section]
        found[section] = {name: last[name] for name in sorted(last.keys() - final)}
    return found


def catalogue(contracts: Mapping[str, Contract], disappeared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of the file."""
    first, *others = contracts
    whole = contracts[first]
    versions: dict[str, Any] = {first: {}}
    for version in others:
        entry: dict[str, Any] = {}
        without: dict[str, list[str]] = {}
        for section in ("short", *SECTIONS):
            more, less = difference(getattr(whole, section), getattr(contracts[version], section))
            entry |= {section: more} if more else {}
            without |= {section: less} if less else {}
        versions[version] = {**entry, **({"without": dict.fromkeys(without)} if without else {})}
        for section, names in without.items():
            versions[version]["without"][section] = dict.fromkeys(names, 1)
    return {
        "vllm": {
            "versions": versions,
            "flags": dict(whole.flags),
            "short": dict(whole.short),
            "variables": dict(whole.variables),
            "metrics": dict(whole.metrics),
            "gone": dict(disappeared),
            "renamed": RENAMED,
            "separate": SEPARATE,
        }
    }


def written(value: Any, depth: int = 0) -> str:
    """Return JSON with one line for each name, and lists and small objects on one line."""
    short = json.dumps(value)
    if not isinstance(value, dict) or (depth > 1 and len(short) <= 100):  # noqa: PLR2004
        return short
    pad = " " * (depth + 1)
    lines = ",\n".join(f"{pad}{json.dumps(key)}: {written(item, depth + 1)}" for key, item in value.items())
    return f"{{\n{lines}\n{' ' * depth}}}"


def texts_of(version: str) -> dict[str, str]:
    """Return the Python texts of one version, by path in the wheel."""
    with remote_wheel.wheel("vllm", version) as archive:
        skipped = tuple(f"vllm/{folder}" for folder in SKIPPED)
        return remote_wheel.python_files(
            archive, lambda name: name.startswith("vllm/") and not name.startswith(skipped)
        )


def main() -> int:
    """Fetch every version and write the file."""
    contracts: dict[str, Contract] = {}
    names: list[tuple[str, dict[str, set[str]]]] = []
    for release in RELEASES:
        print(f"reading vLLM {release}", file=sys.stderr)
        found = contract(texts_of(release))
        # What the text says of a counter's ending differs from version to version.
        own = {section: {name.removesuffix("_total") for name in getattr(found, section)} for section in SECTIONS}
        names.append((release.rpartition(".")[0], own))
        if release in VERSIONS:
            contracts[release] = found
    ordered = {version: contracts[version] for version in VERSIONS}
    TARGET.write_text(written(catalogue(ordered, gone(names))) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
