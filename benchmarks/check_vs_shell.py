"""Times `lockgate check` against the shell loop that it replaces, in one run, turn by turn.

Input: a default repository, generated into a temporary folder, and the programs on PATH. Output: a
table on stdout with medians, spread and ratios, and the machine that it was measured on. It judges
nothing: benchmarks/README.md names the bars.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SHELL_LOOP = """
for environment in dev canary prod; do
  kustomize build "overlays/$environment" |
    conftest test --combine -p policies -d policies/data -d lockgate.yaml --all-namespaces - || true
done
"""
LOCKGATE = (sys.executable, "-m", "lockgate")
COLD, AGAIN, SHELL = "lockgate check, cold", "lockgate check, nothing changed", "kustomize | conftest"


def seconds(command: tuple[str, ...], folder: Path, **variables: str) -> float:
    """Run a command in `folder` and return its wall time in seconds; its output goes nowhere.

    Raises:
        RuntimeError: It gave no answer, so that its time would mean nothing.
    """
    start = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    elapsed = time.perf_counter() - start
    if done.returncode not in (0, 1) or "error" in done.stderr.lower():
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return elapsed


def measure(repository: Path, engine: str, runs: int) -> dict[str, list[float]]:
    """Time each way `runs` times, alternating, after one run of each that is not counted."""
    check = (*LOCKGATE, "check", "--engine", engine)
    shell = ("bash", "-c", SHELL_LOOP)
    times: dict[str, list[float]] = {COLD: [], AGAIN: [], SHELL: []}
    for number in range(runs + 1):
        with tempfile.TemporaryDirectory() as cache:
            turn = {
                COLD: seconds(check, repository, LOCKGATE_CACHE=cache),
                AGAIN: seconds(check, repository, LOCKGATE_CACHE=cache),
                SHELL: seconds(shell, repository),
            }
        if number:
            for name, value in turn.items():
                times[name].append(value)
        print(f"\r{number}/{runs}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return times


def machine() -> str:
    """Describe what the figures were measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cpu = models[0] if models else platform.processor() or "unknown CPU"
    return f"{os.cpu_count()} x {cpu}, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def table(times: dict[str, list[float]]) -> str:
    """Lay out medians, extremes and ratios to the shell loop."""
    base = statistics.median(times[SHELL])
    rows = [f"{'':32} {'median':>9} {'least':>9} {'most':>9} {'ratio':>6}"]
    for name, values in times.items():
        figures = (statistics.median(values), min(values), max(values))
        cells = " ".join(f"{1000 * value:6.0f} ms" for value in figures)
        rows.append(f"{name:32} {cells} {statistics.median(values) / base:6.2f}")
    return "\n".join(rows)


def main() -> int:
    """Generate, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=11, help="counted runs of each (default %(default)s)")
    parser.add_argument("--engine", default="embedded", help="engine of lockgate check (default %(default)s)")
    options = parser.parse_args()
    missing = [program for program in ("bash", "kustomize", "conftest") if shutil.which(program) is None]
    if missing:
        print(f"not on PATH: {', '.join(missing)}; run `nox -s bench`", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder) / "qwen-chat"
        seconds((*LOCKGATE, "new", str(repository), "--defaults"), Path(folder))
        times = measure(repository, options.engine, options.runs)
    print(f"{machine()}\nengine {options.engine}, {options.runs} runs of each, alternating\n\n{table(times)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
