"""A generated repository under the real tools: each overlay builds and fits its schemas, offline.

Kubernetes' own kinds are checked against kubernetes-validate's schemas, custom resources against the
CustomResourceDefinitions of their pinned modules, both strictly: an unknown field is an error.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from template.answers import SUPPORTED

from lockgate import generate

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ("dev", "canary", "prod")
KUBERNETES = "1.36.0"

pytestmark = pytest.mark.slow


def run(*command: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    return subprocess.run(words, input=stdin, capture_output=True, text=True, check=False)


def built(folder: Path) -> str:
    done = run("kustomize", "build", folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def schemas() -> list[str]:
    """Options that let kubeconform find every schema without a network."""
    done = run(sys.executable, ROOT / "tools" / "schemas.py")
    assert done.returncode == 0, done.stderr
    return [f"-schema-location={location}" for location in done.stdout.splitlines()]


def misfits(manifests: str, schemas: Sequence[str]) -> str:
    done = run("kubeconform", "-strict", f"-kubernetes-version={KUBERNETES}", *schemas, "-", stdin=manifests)
    return done.stdout + done.stderr


@pytest.fixture(scope="module", params=SUPPORTED)
def generated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository of one supported set of answers; read only."""
    given = SUPPORTED[request.param]
    target = tmp_path_factory.mktemp("fits") / given.get("project", "qwen-chat")
    generate.generate(target, given)
    return target


def test_whatever_is_answered_fits_its_schemas_strictly(generated: Path, schemas: list[str]) -> None:
    overlays = [built(generated / "overlays" / environment) for environment in ENVIRONMENTS]
    assert misfits("---\n".join([*overlays, built(generated / "argocd")]), schemas) == ""


def test_promtool_accepts_the_alerts_whatever_is_answered(generated: Path, tmp_path: Path) -> None:
    # Only prod carries alerts on its own: they watch the live share of canary too.
    objects: list[dict[str, Any]] = list(yaml.safe_load_all(built(generated / "overlays" / "prod")))
    rules = [thing for thing in objects if thing["kind"] == "PrometheusRule"]
    assert rules
    for number, rule in enumerate(rules):
        file = tmp_path / f"{number}.yaml"
        file.write_text(yaml.safe_dump({"groups": rule["spec"]["groups"]}), encoding="utf-8")
        done = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", file)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_base_builds_alone_and_fits_its_schemas(pristine: Path, schemas: list[str]) -> None:
    assert misfits(built(pristine / "base"), schemas) == ""


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("Deployment", "spec: {replicaz: 1, selector: {matchLabels: {a: b}}, template: {spec: {containers: []}}}"),
        ("Deployment", "spec: {selector: {matchLabels: {a: b}}, template: {spec: {containers: [{nmae: a}]}}}"),
        ("Rollout", "spec: {strategy: {canary: {steps: [{setWeigth: 5}]}}}"),
        ("HTTPRoute", "spec: {ruels: []}"),
        ("PodMonitor", "spec: {selector: {}, podMetricsEndpoints: [{intervall: 5s}]}"),
        ("ExternalSecret", "spec: {refreshIntervall: 1h}"),
        ("AppProject", "spec: {destination: []}"),
    ],
)
def test_the_schemas_refuse_an_unknown_field(schemas: list[str], kind: str, wrong: str) -> None:
    version = {
        "Deployment": "apps/v1",
        "HTTPRoute": "gateway.networking.k8s.io/v1",
        "PodMonitor": "monitoring.coreos.com/v1",
        "ExternalSecret": "external-secrets.io/v1",
    }.get(kind, "argoproj.io/v1alpha1")
    said = misfits(f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\n{wrong}\n", schemas)
    assert "additional properties" in said


def test_the_rules_pass_their_own_tests_where_they_were_written_to(pristine: Path) -> None:
    done = run("opa", "test", pristine / "policies")
    assert done.returncode == 0, done.stdout + done.stderr
