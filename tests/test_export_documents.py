"""`lockgate export bundle` and `input`: other runners decide what the gate decides."""

from __future__ import annotations

import json
import subprocess
import tarfile
from typing import TYPE_CHECKING, Any

import opa_server
import pytest
import requests

from lockgate import engines, pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]
    Told = set[tuple[str, str, str, str, str]]


@pytest.fixture
def faulty(repository: Path) -> Path:
    """A repository with faults of several rules and severities, and an exemption that ended."""
    deployment = repository / "base" / "deployment.yaml"
    text = deployment.read_text()
    text = text.replace("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true")
    deployment.write_text(text.replace("failureThreshold: ", "failureThreshold: 1  # was "))
    bounds = repository / "overlays" / "prod" / "autoscaler-bounds.yaml"
    bounds.write_text(bounds.read_text().replace("maxReplicas: 3", "maxReplicas: 4"))
    settings = repository / "lockgate.yaml"
    settings.write_text(settings.read_text().replace("environments: [canary, prod]", "environments: [canary]"))
    return repository


@pytest.fixture
def server(faulty: Path, lockgate: Run, tmp_path: Path) -> Iterator[str]:
    """An OPA server that was started with the bundle of the faulty repository."""
    bundle = tmp_path / "lockgate.tar.gz"
    assert lockgate("export", "bundle", str(bundle), str(faulty)).returncode == 0
    with opa_server.running("-b", str(bundle), ready="/health?bundles") as url:
        yield url


def told(environment: str, findings: list[Any]) -> Told:
    return {
        (environment, one["id"], one["severity"], json.dumps(one["object"], sort_keys=True), one["msg"])
        for one in findings
    }


def test_a_server_with_the_bundle_decides_as_the_gate_does(faulty: Path, server: str, lockgate: Run) -> None:
    checked = lockgate("check", str(faulty), "--engine", server, "--format", "json")
    assert checked.returncode == 1, checked.stderr
    _, _, documents = pipeline.documents(faulty, pipeline.Options())
    answers: Told = set()
    for name in ("dev", "canary", "prod"):
        answer = requests.post(
            f"{server}/v1/data/{engines.PACKAGE}/findings", json={"input": documents[name]}, timeout=60
        )
        answers |= told(name, answer.json()["result"])
    found = json.loads(checked.stdout)["findings"]
    wanted = {
        (one["rule"], name, json.dumps({**ref, "namespace": ref["namespace"]}, sort_keys=True))
        for one in found
        for name in one["environments"]
        for ref in one["objects"]
        if ref["kind"] != "Settings"
    }
    assert {rule for rule, *_ in wanted} >= {"SEC001", "PRB001", "CST001", "IMG001"}
    # A finding that several environments share names the objects of each.
    told_by_server = {(rule, name, ref) for name, rule, _, ref, _ in answers}
    assert told_by_server <= wanted
    assert {(rule, name) for rule, name, _ in told_by_server} == {(rule, name) for rule, name, _ in wanted}
    severities = {(rule, severity) for _, rule, severity, _, _ in answers}
    assert {(one["rule"], one["severity"]) for one in found if one["objects"][0]["kind"] != "Settings"} <= severities


def test_the_server_s_outcome_is_every_engine_s(faulty: Path, server: str) -> None:
    repository, ruleset, documents = pipeline.documents(faulty, pipeline.Options())
    with engines.session("embedded", ruleset, repository.settings.data()) as run:
        ours = run(list(documents.values()))
    values = [
        requests.post(f"{server}/v1/data/{engines.PACKAGE}/outcome", json={"input": document}, timeout=60).json()
        for document in documents.values()
    ]
    assert engines.outcomes(value["result"] for value in values) == ours


def test_the_server_keeps_room_for_others(server: str) -> None:
    policy = requests.put(f"{server}/v1/policies/other", data="package other\n\nallow := true\n", timeout=60)
    assert policy.ok, policy.text
    ours = requests.put(f"{server}/v1/policies/mine", data="package lockgate.mine\n\nallow := true\n", timeout=60)
    assert ours.status_code == 400  # the bundle owns it


def test_equal_content_is_equal_bytes_and_a_change_is_another_revision(
    repository: Path, lockgate: Run, tmp_path: Path
) -> None:
    files = [tmp_path / name for name in ("one.tar.gz", "two.tar.gz", "other.tar.gz")]
    for file in files[:2]:
        assert lockgate("export", "bundle", str(file), str(repository)).returncode == 0
    settings = repository / "lockgate.yaml"
    settings.write_text(settings.read_text().replace("gpu_budget: 12", "gpu_budget: 13"))
    assert lockgate("export", "bundle", str(files[2]), str(repository)).returncode == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    manifests = [_manifest(file) for file in files]
    assert manifests[0]["revision"] != manifests[2]["revision"]
    assert manifests[0]["rego_version"] == 1
    assert {"lockgate", "lockgate_gate", "environments", "vllm"} <= set(manifests[0]["roots"])


def _manifest(file: Path) -> dict[str, Any]:
    with tarfile.open(file) as archive:
        member = archive.extractfile("/.manifest")
        assert member
        found: dict[str, Any] = json.load(member)
        return found


def test_opa_takes_the_bundle_as_its_own(pristine: Path, lockgate: Run, tmp_path: Path) -> None:
    file = tmp_path / "b.tar.gz"
    done = lockgate("export", "bundle", str(file), str(pristine))
    shown = subprocess.run(["opa", "inspect", "-f", "json", str(file)], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    manifest = json.loads(shown.stdout)["manifest"]
    assert f"revision {manifest['revision']}" in done.stderr


def test_a_bundle_that_cannot_be_written_is_one_line(pristine: Path, lockgate: Run, tmp_path: Path) -> None:
    done = lockgate("export", "bundle", str(tmp_path / "none" / "b.tar.gz"), str(pristine))
    assert done.returncode == 2
    assert "the bundle cannot be written: No such file or directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_input_is_what_the_rules_see(faulty: Path, lockgate: Run, tmp_path: Path) -> None:
    folder = tmp_path / "input"
    assert lockgate("export", "input", str(folder), str(faulty)).returncode == 0
    repository, _, documents = pipeline.documents(faulty, pipeline.Options())
    files = {file.stem: json.loads(file.read_text()) for file in folder.iterdir()}
    data = files.pop("data")
    assert data == repository.settings.data()
    assert files == {name or "repository": document for name, document in documents.items()}
    whole = json.loads(lockgate("export", "input", "-", str(faulty)).stdout)
    assert whole == {"documents": files, "data": data}
    prod = json.loads(lockgate("export", "input", "-", str(faulty), "--env", "prod").stdout)
    assert prod == files["prod"]


def test_opa_and_conftest_say_of_the_input_what_the_engines_say(faulty: Path, lockgate: Run, tmp_path: Path) -> None:
    folder = tmp_path / "input"
    assert lockgate("export", "input", str(folder), str(faulty)).returncode == 0
    repository, ruleset, documents = pipeline.documents(faulty, pipeline.Options())
    with engines.session("embedded", ruleset, repository.settings.data()) as run:
        outcomes = dict(zip(documents, run(list(documents.values())), strict=True))
    policies, every = str(faulty / "policies"), ("--all-namespaces", "--output=json")
    for name, outcome in outcomes.items():
        file = str(folder / f"{name or 'repository'}.json")
        names = json.dumps([name.removeprefix("lockgate.") for name in ruleset.packages])
        query = f"{{name: found | some name in {names}; found := data.lockgate[name].deny}}"
        asked = subprocess.run(
            ["opa", "eval", "-d", policies, "-d", str(folder / "data.json"), "-i", file, "--format=raw", query],
            capture_output=True,
            text=True,
            check=True,
        )
        said = {package: sorted(one["msg"] for one in found) for package, found in json.loads(asked.stdout).items()}
        ours = {
            package.removeprefix("lockgate."): sorted(one["msg"] for one in found)
            for package, found in outcome.results.items()
        }
        assert said == {package: found for package, found in ours.items() if package in said}
        assert len(said) > 10
        tested = subprocess.run(
            ["conftest", "test", file, "-p", policies, "-d", f"{policies}/data", "-d", f"{folder}/data.json", *every],
            capture_output=True,
            text=True,
            check=False,
        )
        failures = [failure["msg"] for one in json.loads(tested.stdout) for failure in one.get("failures") or []]
        assert sorted(failures) == sorted(msg for found in ours.values() for msg in found)


def test_a_folder_that_holds_something_else_is_left_alone(pristine: Path, lockgate: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    done = lockgate("export", "input", str(tmp_path), str(pristine))
    assert done.returncode == 2
    assert "notes.txt" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_unknown_environment_and_an_unknown_form(pristine: Path, lockgate: Run) -> None:
    done = lockgate("export", "input", "-", str(pristine), "--env", "prd")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean 'prod'?" in done.stderr
    done = lockgate("export", "kyverno", "out")
    assert done.returncode == 2
    assert "No such command 'kyverno'" in done.stderr
