"""Builds the pinned programs that tests and benchmarks run, once, with Go.

Input: tools/pins.toml. Output: CACHE/NAME-VERSION-KEY/NAME, where CACHE is
$XDG_CACHE_HOME/lockgate/tools (or ~/.cache/lockgate/tools). Standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pins

if TYPE_CHECKING:
    from pathlib import Path

JOBS = 2
GO_VERSION = "1.26.0"


@dataclass(frozen=True, kw_only=True)
class Program:
    """One pinned program."""

    name: str
    module: str
    package: str
    version: str
    how: str
    tags: str = ""
    ldflags: str = ""
    staging: str = ""
    group: str = ""

    @property
    def folder(self) -> Path:
        """Where the built program lies; another pin, or another go.mod of ours, is another folder."""
        sources = sorted((pins.HERE / self.name).glob("*"))
        pin = {name: value for name, value in self.__dict__.items() if name == "tags" or (value and name != "group")}
        made_from = [pin, *(path.read_text(encoding="utf-8") for path in sources)]
        return pins.cache_root() / f"{self.name}-{self.version}-{pins.key(made_from)}"

    @property
    def cached(self) -> bool:
        """Whether it is built already."""
        return (self.folder / self.name).is_file()


class BuildError(Exception):
    """Go refused; the text is what it said last."""


def programs(names: list[str], groups: tuple[str, ...] = ("",)) -> list[Program]:
    """Return the pinned programs: those of the groups when no name is given."""
    pinned = {name: Program(name=name, **pin) for name, pin in pins.load()["programs"].items()}
    unknown = [name for name in names if name not in pinned]
    if unknown:
        pins.fail(f"unknown program {unknown[0]!r}; pinned are {', '.join(pinned)}")
    if names:
        return [pinned[name] for name in pinned if name in names]
    return [program for program in pinned.values() if program.group in groups]


def run_go(arguments: list[str], folder: Path, **variables: str) -> str:
    """Run Go without cgo, so that the programs need no library of this machine; return its output.

    Raises:
        BuildError: with the last lines of Go's own words.
    """
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", **variables}
    result = subprocess.run(
        [pins.go(), *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise BuildError("\n".join(result.stderr.strip().splitlines()[-12:]))
    return result.stdout


def replaced(program: Program, folder: Path) -> list[str]:
    """Return the replacements of the module's own go.mod, which count only where it is the main one.

    A folder of its repository, as Kubernetes has for what it publishes apart, is that published
    module at the version `staging`; without one the requirement beside it has the version.
    """
    found = json.loads(run_go(["mod", "download", "-json", f"{program.module}@{program.version}"], folder))
    lines = []
    for entry in json.loads(run_go(["mod", "edit", "-json", found["GoMod"]], folder)).get("Replace") or []:
        old = " ".join(filter(None, [entry["Old"]["Path"], entry["Old"].get("Version")]))
        if "Version" in entry["New"]:
            lines.append(f"replace {old} => {entry['New']['Path']} {entry['New']['Version']}\n")
        elif program.staging:
            lines.append(f"replace {old} => {entry['Old']['Path']} {program.staging}\n")
    return lines


def compile_program(program: Program, folder: Path) -> None:
    """Build one program as `folder/NAME`."""
    ldflags = f"-ldflags=-s -w {program.ldflags}".strip()
    flags = ["-trimpath", f"-tags={program.tags}", ldflags]
    if program.how == "install":
        package = f"{program.package}@{program.version}"
        run_go(["install", *flags, package], folder, GOBIN=str(folder), GOFLAGS="-mod=mod")
        return
    output = str(folder / program.name)
    if program.how == "source":
        run_go(["build", "-mod=readonly", *flags, "-o", output, "."], pins.HERE / program.name)
        return
    for source in (pins.HERE / program.name).glob("*.go"):
        shutil.copy(source, folder)
    tool = "" if program.package == "." else f"tool {program.package}\n\n"
    (folder / "go.mod").write_text(
        f"module lockgate/tools/{program.name}\n\ngo {GO_VERSION}\n\n"
        f"{tool}require {program.module} {program.version}\n\n" + "".join(replaced(program, folder)),
        encoding="utf-8",
    )
    run_go(["build", "-mod=mod", *flags, "-o", output, program.package], folder)


def build(program: Program) -> str:
    """Build one program unless it is there; return a line that says what happened."""
    if program.cached:
        return f"{program.name} {program.version}: cached"
    say(f"{program.name} {program.version}: building")
    start = time.monotonic()
    shutil.rmtree(program.folder, ignore_errors=True)  # a folder without its program is half thrown away
    with pins.filled(program.folder) as folder:
        compile_program(program, folder)
    return f"{program.name} {program.version}: built in {time.monotonic() - start:.0f} s"


def say(line: str) -> None:
    """Print progress; stdout stays free for --path."""
    print(line, file=sys.stderr, flush=True)


def build_all(wanted: list[Program]) -> int:
    """Build what is missing, two at a time; return the exit code."""
    if not all(program.cached for program in wanted):
        pins.go()
    failed = 0
    with ThreadPoolExecutor(JOBS) as pool:
        futures = [(program, pool.submit(build, program)) for program in wanted]
        for program, future in futures:
            try:
                say(future.result())
            except (BuildError, OSError) as error:
                failed = 1
                say(f"{program.name} {program.version}: not built\n{error}")
    return failed


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="programs (default: all but the control plane)")
    parser.add_argument("--cluster", action="store_true", help="the control plane of the cluster tests too")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="say what is pinned and what is cached")
    what.add_argument("--path", action="store_true", help="print the folders to put before PATH")
    return parser.parse_args()


def main() -> int:
    """Do what the command line asks for."""
    options = arguments()
    wanted = programs(options.names, ("", "cluster") if options.cluster or options.list else ("",))
    if options.list:
        for program in wanted:
            state = "cached" if program.cached else "missing"
            print(f"{program.name:24} {program.version:10} {state:8} {program.folder}")
        return 0
    if options.path:
        missing = [program.name for program in wanted if not program.cached]
        if missing:
            pins.fail(f"{', '.join(missing)}: not built yet; run `python tools/build.py`")
        print(os.pathsep.join(str(program.folder) for program in wanted))
        return 0
    return build_all(wanted)


if __name__ == "__main__":
    sys.exit(main())
