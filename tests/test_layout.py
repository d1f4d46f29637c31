"""The layout of the house style, read from the source itself: who imports whom, and how big things are."""

from __future__ import annotations

import ast
import re
import statistics
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "lockgate"
MODULES = sorted(SOURCE.rglob("*.py"))
POLICIES = sorted((ROOT / "<<cookiecutter.project>>" / "policies").rglob("*.rego"))
FOLDERS = (ROOT / "hooks", ROOT / "tools", ROOT / "<<cookiecutter.project>>" / "serving")
SCRIPTS = [*(path for folder in FOLDERS for path in sorted(folder.glob("*.py"))), ROOT / "noxfile.py"]

LONGEST_MODULE = 400  # lines
LONGEST_FUNCTION = 50  # lines
MEDIAN_FUNCTION = 12  # lines, not reached

# A part is a module of the package or a folder of it; a part may import itself.
GROUND = {"lockgate", "errors", "model", "settings"}  # "lockgate" is the package itself: its version
SHARED = {
    "cache",
    "credentials",
    "pages",
    "progress",
    "resources",
    "scalars",
    "tables",
    "yamledit",
    "yamltext",
}  # helpers without a stage's knowledge
STAGES = {"discover", "render", "trace", "evaluate", "report"}
ALLOWED: dict[str, set[str]] = {
    "lockgate": set(),
    "errors": set(),
    "model": set(),
    "cache": {"lockgate", "errors"},
    "credentials": {"resources"},
    "pages": {"model"},
    "progress": set(),
    "resources": {"errors"},
    "scalars": set(),
    "tables": {"credentials", "pages"},
    "yamledit": {"errors"},
    "yamltext": {"errors", "model"},
    "settings": {"errors", "model", "yamltext"},
    "rules": GROUND | SHARED,
    "engines": GROUND | SHARED | {"rules"},
    **dict.fromkeys(STAGES, GROUND | SHARED),
    "evaluate": GROUND | SHARED | {"engines", "results", "rules"},
    "results": GROUND | SHARED | {"engines", "rules"},
    "manifests": GROUND | SHARED | {"trace"},
    "context": GROUND | SHARED | {"discover", "trace"},
    "delivery": GROUND | SHARED | {"context", "discover", "manifests", "trace"},
    "baseline": GROUND | SHARED,
    "blame": GROUND | SHARED | {"evaluate"},
    "fix": GROUND | SHARED | {"discover", "pipeline", "trace"},
    "export": GROUND | SHARED | {"engines", "evaluate", "rules"},
    "doctor": GROUND | SHARED,
    "modelconfig": GROUND | SHARED,
    "generate": GROUND | SHARED,
    "git": {"errors"},
    "plan": GROUND | SHARED,
    "compare": GROUND | SHARED,
    "deltas": GROUND | SHARED | {"plan"},
    "hub": {"lockgate", "errors"},
    "registry": {"lockgate", "errors"},
    "release": GROUND | SHARED,
    "secrets": GROUND | SHARED,
    "pipeline": GROUND | SHARED | STAGES | {"blame", "context", "delivery", "doctor", "manifests", "rules"},
    "commands": GROUND
    | SHARED
    | {
        "baseline",
        "compare",
        "deltas",
        "export",
        "fix",
        "pipeline",
        "discover",
        "doctor",
        "generate",
        "git",
        "hub",
        "modelconfig",
        "plan",
        "registry",
        "release",
        "report",
        "rules",
        "secrets",
        "testing",
    },
    "testing": GROUND | SHARED | STAGES | {"context", "pipeline", "rules", "generate"},
    "cli": {"lockgate", "errors", "commands"},
    "__main__": {"cli"},
}
# Who alone may import a package of others.
ONLY_IN = {
    "cookiecutter": {"generate"},
    "regopy": {"engines"},
    "opa_client": {"engines"},
    "kubernetes": {"doctor"},
    "promql_parser": {"context"},
    "pykustomize": {"render"},
    "detect_secrets": {"secrets"},
}
# What costs time at each start: imported inside functions, never by a module itself.
LAZY = ("cookiecutter", "detect_secrets", "kubernetes", "opa_client", "promql_parser", "pykustomize", "regopy", "rich")


def part_of(path: Path) -> str:
    """The part that a file belongs to: `evaluate`, `commands`, or `lockgate` for the package's own file."""
    first = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    return "lockgate" if first == "__init__" else first


def imported(path: Path) -> set[str]:
    """Full names of all modules that a file imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def parts_imported(path: Path) -> set[str]:
    """The parts of Lockgate that a file imports."""
    parts: set[str] = set()
    known = {part_of(module) for module in MODULES}
    for name in imported(path):
        package, _, rest = name.partition(".")
        if package == "lockgate":
            first = rest.partition(".")[0]
            parts.add(first if first in known else "lockgate")
    return parts - {part_of(path)}


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and number of lines of each function, decorators and docstring left out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            documented = ast.get_docstring(node) is not None and len(node.body) > 1
            docstring = node.body[0]
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if documented:
                lines -= (docstring.end_lineno or 0) - docstring.lineno + 1
            yield node.name, lines


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_run_one_way(path: Path) -> None:
    part = part_of(path)
    assert part in ALLOWED, f"{name_of(path)}: a new part of Lockgate; say in tests/test_layout.py what it may import"
    assert parts_imported(path) <= ALLOWED[part]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_some_packages_are_imported_in_one_place(path: Path) -> None:
    packages = {name.partition(".")[0] for name in imported(path)}
    wrong = {package for package, parts in ONLY_IN.items() if package in packages and part_of(path) not in parts}
    assert wrong == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_slow_packages_are_imported_inside_functions(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    at_start: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            at_start |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            at_start.add(node.module.partition(".")[0])
    assert at_start.isdisjoint(LAZY)


@pytest.mark.parametrize("path", [*MODULES, *SCRIPTS], ids=name_of)
def test_modules_and_functions_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE
    assert [(name, lines) for name, lines in functions(path) if lines > LONGEST_FUNCTION] == []


@pytest.mark.parametrize("path", POLICIES, ids=name_of)
def test_policies_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


def test_the_median_function_is_short() -> None:
    lengths = [lines for path in MODULES for _, lines in functions(path)]
    assert statistics.median(lengths) < MEDIAN_FUNCTION


def test_nothing_of_lockgate_imports_the_tools() -> None:
    tools = {path.stem for path in (ROOT / "tools").glob("*.py")}
    assert [name_of(path) for path in MODULES if tools & {name.partition(".")[0] for name in imported(path)}] == []


def test_every_imported_package_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = [dependency for extra in project["optional-dependencies"].values() for dependency in extra]
    declared = {re.split(r"[^\w.-]", dependency)[0].lower() for dependency in [*project["dependencies"], *optional]}
    names = {
        "yaml": "pyyaml",
        "opa_client": "opa-python-client",
        "detect_secrets": "detect-secrets",
        "promql_parser": "promql-parser",
    }
    standard = {*sys.stdlib_module_names, "lockgate", "__future__"}
    used = {name.partition(".")[0] for path in MODULES for name in imported(path)} - standard
    assert {names.get(package, package) for package in used} <= declared


def test_no_file_is_left_unfinished() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    unfinished = [name_of(path) for path in [*MODULES, *SCRIPTS] if marks.search(path.read_text(encoding="utf-8"))]
    assert unfinished == []
