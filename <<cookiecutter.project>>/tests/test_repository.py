"""What must hold of this repository whatever the team changes. Needs lockgate, pytest, kustomize.

`python -m pytest tests`; the rules themselves: `opa test policies`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lockgate import testing

ROOT = Path(__file__).parents[1]
SETTINGS = yaml.safe_load((ROOT / "lockgate.yaml").read_text(encoding="utf-8"))
ENVIRONMENTS = SETTINGS["environments"]


def render(overlay: str) -> list[dict[str, Any]]:
    """Build an overlay as Argo CD does, with kustomize or, where that is missing, kubectl."""
    build = ["kustomize", "build"] if shutil.which("kustomize") else ["kubectl", "kustomize"]
    done = subprocess.run([*build, overlay], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def environment(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the settings of one environment with its rendered objects."""
    settings = ENVIRONMENTS[request.param]
    return {**settings, "name": request.param, "objects": render(settings["overlay"])}


def test_the_gate_is_clean() -> None:
    """`lockgate check` finds nothing that is not exempted."""
    done = subprocess.run(
        [sys.executable, "-m", "lockgate", "check", str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_lands_in_the_namespace_of_its_environment(environment: dict[str, Any]) -> None:
    """No object of an environment can reach into another one."""
    wanted = environment["namespace"]
    for found in environment["objects"]:
        metadata = found["metadata"]
        place = metadata["name"] if found["kind"] == "Namespace" else metadata.get("namespace")
        assert place == wanted, f"{found['kind']}/{metadata['name']}"


def test_no_secret_is_in_git(environment: dict[str, Any]) -> None:
    """Secrets come from the secret store, never from a file."""
    assert [found for found in environment["objects"] if found["kind"] == "Secret"] == []


def test_the_model_is_one_commit(environment: dict[str, Any]) -> None:
    """The server and the preload Job read the same pinned configuration."""
    overlay = ROOT / environment["overlay"]
    serve = yaml.safe_load((overlay / "release" / "serve.yaml").read_text(encoding="utf-8"))
    assert len(serve["revision"]) == len("0" * 40)
    assert set(serve["revision"]) <= set("0123456789abcdef")


def test_the_team_s_rules_are_whole() -> None:
    """Each rule in policies/team has a test beside it, a sample that passes and one that fails."""
    assert testing.unfinished(ROOT) == []


@pytest.mark.parametrize("sample", testing.team_samples(ROOT), ids=lambda one: f"{one.rule}/{one.path.name}")
def test_a_sample_yields_what_it_expects(sample: testing.Sample) -> None:
    """The lines marked `# expect: ID` in tests/rules, and no others."""
    [found] = testing.check_inputs([sample.document], settings=sample.settings, policies=ROOT / "policies")
    assert sample.found(found) == sample.expected


@pytest.mark.parametrize("program", ["entrypoint.py", "preflight.py", "preload.py", "smoke.py"])
def test_the_programs_of_the_image_start(program: str) -> None:
    """Each ends with a usage message when it is told nothing, and not with a traceback."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "serving" / program)],
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 64, done.stderr  # noqa: PLR2004  # sysexits.h's EX_USAGE
    assert "Traceback" not in done.stderr
