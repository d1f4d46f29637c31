"""Fill the model cache with the one revision that the release names, before a server starts.

In: the `serve.yaml` of the release; HF_HUB_CACHE says where the cache lies, HF_TOKEN (environment
only) opens gated models. Out: the snapshot in the cache and a marker file that lists it. A second
run finds marker and files and downloads nothing. Exit code: 0 the snapshot is whole, 64 the
configuration names no model or no commit, 1 the download failed and may be tried again.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

import yaml

# What vLLM reads. No *.py: code of a model repository never reaches the server.
FILES = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken")


def release(config: Path) -> tuple[str, str]:
    """Return model id and revision that `config` names; end with 64 when they cannot be used."""
    try:
        serve = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        refuse(f"{config} cannot be read: {error}")
    if not isinstance(serve, dict):
        refuse(f"{config} must be a mapping of flags to values")
    model, revision = str(serve.get("model", "")), str(serve.get("revision", ""))
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", model):
        refuse(f"{config}: model must be organisation/name, found {model!r}")
    if not re.fullmatch(r"[0-9a-f]{40}", revision):
        refuse(f"{config}: revision must be a commit of 40 hexadecimal digits, found {revision!r}")
    return model, revision


def cached(marker: Path) -> bool:
    """Say whether every file that `marker` lists is there in its full size."""
    try:
        listed = json.loads(marker.read_text(encoding="utf-8"))
        snapshot = Path(listed["snapshot"])
        return all((snapshot / name).stat().st_size == size for name, size in listed["files"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def download(model: str, revision: str, cache: Path) -> Path:
    """Return the folder of the snapshot after every file of it was downloaded."""
    # Bars are noise in the log of a Job; the client reads this when it is imported.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from huggingface_hub import snapshot_download

    # False keeps the hub client from looking for a token anywhere but in our environment.
    token = os.environ.get("HF_TOKEN") or False
    return Path(snapshot_download(model, revision=revision, cache_dir=cache, token=token, allow_patterns=list(FILES)))


def mark(marker: Path, snapshot: Path) -> None:
    """Write the list of files with their sizes; readers see the old marker or the whole new one."""
    files = {
        str(path.relative_to(snapshot)): path.stat().st_size for path in sorted(snapshot.rglob("*")) if path.is_file()
    }
    marker.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", dir=marker.parent, prefix=".marker-", delete=False, encoding="utf-8"
    ) as stream:
        try:
            json.dump({"snapshot": str(snapshot), "files": files}, stream, indent=2)
            stream.flush()
            os.fsync(stream.fileno())
            Path(stream.name).replace(marker)
        except BaseException:
            Path(stream.name).unlink(missing_ok=True)
            raise


def refuse(message: str) -> NoReturn:
    """End with 64: another try cannot help."""
    print(f"preload: {message}", file=sys.stderr)
    raise SystemExit(64)


def main() -> int:
    """Download unless the cache is whole already; return the exit code."""
    parser = argparse.ArgumentParser(description="Fill the model cache with one pinned revision.")
    parser.add_argument("--config", type=Path, required=True, help="serve.yaml of the release")
    model, revision = release(parser.parse_args().config)
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    marker = cache / ".preload" / f"{model.replace('/', '--')}@{revision}.json"
    if cached(marker):
        print(f"preload: {model}@{revision} is in {cache} already")
        return 0
    print(f"preload: fetching {model}@{revision} into {cache}", flush=True)
    try:
        snapshot = download(model, revision, cache)
        if not any(snapshot.rglob("*.safetensors")):
            print(f"preload: {model}@{revision} holds no *.safetensors", file=sys.stderr)
            return 1
        mark(marker, snapshot)
    except Exception as error:  # noqa: BLE001  # hub, network, disk: each says itself what it is
        reason = " ".join(str(error).split())
        print(f"preload: {model}@{revision}: {type(error).__name__}: {reason}", file=sys.stderr)
        return 1
    print(f"preload: {model}@{revision} is whole")
    return 0


if __name__ == "__main__":
    sys.exit(main())
