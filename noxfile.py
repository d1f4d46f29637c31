"""Developer commands. Bare `nox` is the fast loop; `make test` runs every session tagged `ci`.

All sessions share one virtual environment, .nox/dev, installed once: on two cores that saves minutes.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import nox

ROOT = Path(__file__).parent
POLICIES = ROOT / "<<cookiecutter.project>>" / "policies"
SCRIPTS = ["hatch_build.py", "noxfile.py"]
PYTHON_CODE = ["src", "hooks", "tests", "tools", "benchmarks", *SCRIPTS, "<<cookiecutter.project>>"]
YAML_CODE = [".pre-commit-hooks.yaml", "action.yml"]
PYKUSTOMIZE = "pykustomize==0.1.4"  # its wheel asks for Python 3.14 and runs on 3.11
DEV = ROOT / ".nox" / "dev"
CORES = os.cpu_count() or 1

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "unit", "policies"]


def develop(session: nox.Session) -> None:
    """Install Lockgate for editing and every development tool, again only when pyproject.toml changes."""
    pyproject = ROOT / "pyproject.toml"
    stamp = DEV / "installed"
    wanted = f"{sys.version} {hashlib.sha256(pyproject.read_bytes()).hexdigest()} {ROOT}"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    session.run(sys.executable, "-m", "venv", "--clear", str(DEV), external=True)
    groups = nox.project.dependency_groups(nox.project.load_toml(pyproject), "dev")
    pip = ("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(session, *pip, "--editable", ".", *groups)
    run(session, *pip, "--no-deps", "--ignore-requires-python", PYKUSTOMIZE)
    stamp.write_text(wanted, encoding="utf-8")


def run(session: nox.Session, program: str, *arguments: str, path: str = "") -> None:
    """Run a program of the shared environment; `path` goes before PATH."""
    folders = os.pathsep.join(filter(None, [str(DEV / "bin"), path, os.environ["PATH"]]))
    session.run(str(DEV / "bin" / program), *arguments, external=True, env={"PATH": folders})


def pinned(session: nox.Session, *options: str) -> str:
    """Build the pinned programs where they are missing; return their folders, joined as in PATH."""
    build = [sys.executable, str(ROOT / "tools" / "build.py"), *options]
    session.run(*build, external=True)
    done = subprocess.run([*build, "--path"], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@nox.session
def tools(session: nox.Session) -> None:
    """Build the pinned programs, the control plane of the cluster tests too, and write the schemas."""
    pinned(session, "--cluster")
    develop(session)
    run(session, "python", "tools/schemas.py")


@nox.session(tags=["ci"])
def lint(session: nox.Session) -> None:
    """Check style and formatting of Python and YAML."""
    develop(session)
    run(session, "ruff", "check", *PYTHON_CODE)
    run(session, "ruff", "format", "--check", *PYTHON_CODE)
    run(session, "yamllint", "--strict", "--config-file", "tools/yamllint.yaml", *YAML_CODE)


@nox.session(tags=["ci"])
def types(session: nox.Session) -> None:
    """Check types strictly."""
    develop(session)
    run(session, "mypy")


@nox.session(tags=["ci"])
def policies(session: nox.Session) -> None:
    """Run the rules under stock opa and conftest: format, strict compilation, unit tests and their coverage."""
    folders = {Path(folder).name.split("-")[0]: Path(folder) for folder in pinned(session).split(os.pathsep)}
    opa, conftest = str(folders["opa"] / "opa"), str(folders["conftest"] / "conftest")
    session.run(opa, "fmt", "--fail", "--list", str(POLICIES), external=True)
    session.run(opa, "check", "--strict", str(POLICIES), external=True)
    # The threshold of coverage, in percent, turns its report on: too long to show.
    session.run(opa, "test", "--threshold", "95", str(POLICIES), external=True, silent=True)
    for command in (
        [opa, "test", str(POLICIES)],
        [conftest, "verify", "-p", str(POLICIES), "-d", str(POLICIES / "data")],
    ):
        said = session.run(*command, external=True, silent=True) or ""
        session.log(said.strip())
        # Both leave with 0 when they found no test at all.
        if re.search(r"PASS: [1-9]|[1-9]\d* passed", said) is None:
            session.error(f"{Path(command[0]).name} ran no test")


def suite(session: nox.Session, marks: str, processes: int, path: str) -> None:
    """Run the tests that `marks` chooses; those that share a costly fixture run in one process."""
    develop(session)
    spread = ("-n", str(processes), "--dist", "loadgroup")
    run(session, "pytest", *spread, "-m", marks, *session.posargs, path=path)


@nox.session
def unit(session: nox.Session) -> None:
    """Run the tests that take less than a moment each."""
    suite(session, "not slow and not cluster and not vllm", CORES, pinned(session))


@nox.session(tags=["ci"])
def tests(session: nox.Session) -> None:
    """Run every test but those of the real vLLM: one process has the control plane, which mostly waits."""
    suite(session, "not vllm", CORES + 1, pinned(session, "--cluster"))


@nox.session
def cluster(session: nox.Session) -> None:
    """Run only the tests that start a Kubernetes control plane with fake GPU nodes."""
    develop(session)
    run(session, "pytest", "tests/cluster", "-m", "cluster", *session.posargs, path=pinned(session, "--cluster"))


@nox.session
def vllm(session: nox.Session) -> None:
    """Run the tests of the real vLLM: its CPU build, 6 GB in an environment of its own."""
    develop(session)
    run(session, "python", "tools/vllm_env.py")
    run(session, "pytest", "tests/engine", "-m", "vllm", "-rP", *session.posargs, path=pinned(session))


@nox.session
def template(session: nox.Session) -> None:
    """Run only the tests of the generated repository: schemas, builds, YAML, PromQL."""
    develop(session)
    run(session, "pytest", "tests/template", *session.posargs, path=pinned(session))


@nox.session
def package(session: nox.Session) -> None:
    """Run only the tests of the wheel: what it carries, and its use from an empty environment."""
    develop(session)
    run(session, "pytest", "tests/test_package.py", *session.posargs, path=pinned(session))


@nox.session
def bench(session: nox.Session) -> None:
    """Time the gate, installed as users have it, against the shell loop that it replaces."""
    installed = ROOT / ".nox" / "bench"
    session.run(sys.executable, "-m", "venv", "--clear", str(installed), external=True)
    pip = (str(installed / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check")
    session.run(*pip, str(ROOT), external=True)
    session.run(*pip, "--no-deps", "--ignore-requires-python", PYKUSTOMIZE, external=True)
    path = os.pathsep.join([pinned(session), os.environ["PATH"]])
    python = str(installed / "bin" / "python")
    session.run(python, "benchmarks/check_vs_shell.py", *session.posargs, external=True, env={"PATH": path})


@nox.session
def docs(session: nox.Session) -> None:
    """Write the pages about the rules, their examples, the table of what tests them, and the schema of serve.yaml."""
    develop(session)
    run(session, "python", "tools/serve_schema.py")
    run(session, "python", "tools/serving_faults.py")
    run(session, "python", "tools/rule_docs.py", path=pinned(session))


@nox.session
def readme(session: nox.Session) -> None:
    """Write the example of README.md from a real run."""
    develop(session)
    run(session, "python", "tools/readme_example.py")
