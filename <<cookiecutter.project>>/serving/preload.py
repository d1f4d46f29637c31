"""Fill the model cache with the model and revision of serve.yaml."""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml
from huggingface_hub import snapshot_download


def main() -> None:
    """Download the snapshot; what is already there is not downloaded again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="configuration file of vllm serve")
    config = yaml.safe_load(parser.parse_args().config.read_text(encoding="utf-8"))
    path = snapshot_download(config["model"], revision=config["revision"])
    print(f"{config['model']} at {config['revision']} is in {path}")


if __name__ == "__main__":
    main()
