"""The export for Gatekeeper, judged by the real `gator`: it says what the gate says, of the same objects."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from edits import FAULTS

from lockgate import evaluate, pipeline
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lockgate.model import Json

ANNOTATION_LIMIT = 256 * 1024
"""Bytes that `kubectl apply` can note of an object."""

FUTURE, PAST = "2099-01-01", "2001-01-01"


@pytest.fixture(scope="module")
def exported(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of the default repository; read only."""
    folder = tmp_path_factory.mktemp("export") / "gatekeeper"
    done = export(pristine, folder)
    assert done.returncode == 0, done.stderr
    return folder


def export(root: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["lockgate", "export", "gatekeeper", str(folder), str(root)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def gator(*files: Path, objects: Iterable[Json] = ()) -> set[tuple[str, str, str, str]]:
    """What `gator test` finds: (kind of the Constraint, its action, object, message)."""
    arguments = [part for file in files for part in ("-f", str(file))]
    done = subprocess.run(
        ["gator", "test", "--output=json", *arguments],
        input=yaml.safe_dump_all(objects),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    found = json.loads(done.stdout) or []
    return {
        (
            one["constraint"]["kind"],
            one["enforcementAction"],
            f"{one['violatingObject']['kind']}/{one['violatingObject']['metadata']['name']}",
            one["msg"],
        )
        for one in found
    }


def listing(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "export.json").read_text())
    return found


def test_what_is_exported_and_why_the_rest_is_not(pristine: Path, exported: Path) -> None:
    _, ruleset = pipeline.rules_around(pristine)
    scopes = {rule.id: rule.scope for rule in ruleset.rules.values()}
    assert listing(exported)["exported"] == sorted(rule for rule, scope in scopes.items() if scope == "object")
    reasons = {rule: why.partition(":")[0] for rule, why in listing(exported)["left"].items()}
    words = {"environment": "referential", "repository": "audit-only"}
    assert reasons == {rule: words[scope] for rule, scope in scopes.items() if scope != "object"}
    assert "SEC001" in listing(exported)["exported"]


def test_every_template_fits_into_the_note_of_kubectl_apply(exported: Path) -> None:
    sizes = {
        file.name: len(json.dumps(yaml.safe_load(file.read_text()))) for file in (exported / "templates").iterdir()
    }
    assert len(sizes) > 10
    assert {name: size for name, size in sizes.items() if size >= ANNOTATION_LIMIT} == {}


def test_constraints_follow_severity_and_namespace_of_their_environment(pristine: Path, exported: Path) -> None:
    repository, ruleset = pipeline.rules_around(pristine)
    actions = {"error": "deny", "warning": "warn", "note": "dryrun"}
    for rule in (rule for rule in ruleset.rules.values() if rule.scope == "object"):
        for environment, entry in repository.settings.environments.items():
            file = exported / "constraints" / environment / f"{rule.id.lower()}.yaml"
            severity = rule.severity.get(repository.settings.level(environment))
            assert file.is_file() == (severity is not None)
            if severity is not None:
                first = next(yaml.safe_load_all(file.read_text()))
                assert first["spec"]["enforcementAction"] == actions[str(severity)]
                assert first["spec"]["match"] == {"namespaces": [entry.namespace]}


@pytest.mark.slow
def test_gator_verify_agrees_with_every_sample(exported: Path) -> None:
    suites = sorted(path.parent.name.upper() for path in exported.rglob("suite.yaml"))
    assert suites == listing(exported)["exported"]
    done = subprocess.run(["gator", "verify", f"{exported}/suites/..."], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\nok\t") + done.stdout.startswith("ok\t") == len(suites)
    refused = [
        case
        for path in exported.rglob("suite.yaml")
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test["cases"]
        if case["assertions"][0]["violations"] != "no"
    ]
    assert len(refused) >= len(suites)


@pytest.mark.slow
@pytest.mark.parametrize("environment", ["dev", "canary", "prod"])
def test_a_clean_repository_is_admitted(pristine: Path, exported: Path, environment: str) -> None:
    _, _, documents = pipeline.documents(pristine, pipeline.Options())
    objects = documents[environment]["objects"]
    assert gator(exported / "templates", exported / "constraints" / environment, objects=objects) == set()


@pytest.mark.slow
def test_gator_test_finds_what_the_gate_finds(repository: Path, tmp_path: Path) -> None:
    """Many faults at once: whichever of the edits go together."""
    applied = faults(repository)
    assert len(applied) > 12
    settings = repository / "lockgate.yaml"
    settings.write_text(settings.read_text().partition("\nexemptions:")[0] + "\n")
    done = export(repository, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    kept, ruleset, documents = pipeline.documents(repository, pipeline.Options())
    exported = set(listing(tmp_path / "out")["exported"])
    for environment in ("dev", "canary", "prod"):
        [found] = evaluate.judge(ruleset, kept.settings, [documents[environment]], "embedded")
        wanted = {
            (f"Lockgate{one.rule.capitalize()}", str(one.object), f"{one.rule}: {one.message}")
            for one in found
            if one.rule in exported
        }
        said = gator(
            tmp_path / "out" / "templates",
            tmp_path / "out" / "constraints" / environment,
            objects=documents[environment]["objects"],
        )
        assert {(kind, name, message) for kind, _, name, message in said} == wanted
        assert len({kind for kind, *_ in wanted}) > 6


def faults(root: Path) -> list[str]:
    """Breaks object rules in every way that goes together; the ids of the edits."""
    _, ruleset = pipeline.rules_around(root)
    wanted = {rule.id for rule in ruleset.rules.values() if rule.scope == "object"}
    applied: list[str] = []
    for edit in FAULTS:
        path = root / edit.file
        text = path.read_text()
        if edit.rule not in wanted or edit.file == "lockgate.yaml" or (edit.old and text.count(edit.old) != 1):
            continue
        edit.apply(root)
        try:
            pipeline.documents(root, pipeline.Options())
        except LockgateError:
            path.write_text(text)
        else:
            applied.append(edit.id)
    return applied


# An object that SEC002 refuses.
POD: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "here", "namespace": "qwen-chat-prod"},
    "spec": {"hostNetwork": True, "containers": [{"name": "a", "image": "a"}]},
}


def pod(name: str, **metadata: Json) -> Json:
    return {**POD, "metadata": {**POD["metadata"], "name": name, **metadata}}


@pytest.mark.slow
def test_whose_objects_are_judged(exported: Path, tmp_path: Path) -> None:
    """Only those of the namespace, not what a controller made, and not what is exempted today."""
    file = exported / "constraints" / "prod" / "sec002.yaml"
    constraint = yaml.safe_load(file.read_text())
    constraint["spec"]["parameters"]["exemptions"] = [
        {"object": "Pod/exempted", "expires": FUTURE},
        {"object": "Pod/expired", "expires": PAST},
    ]
    (tmp_path / "constraint.yaml").write_text(yaml.safe_dump(constraint))
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "a", "uid": "1", "controller": True}
    objects = [
        pod("here"),
        pod("elsewhere", namespace="other"),
        pod("controlled", ownerReferences=[owner]),
        pod("owned", ownerReferences=[{**owner, "controller": False}]),
        pod("exempted"),
        pod("expired"),
    ]
    said = gator(exported / "templates" / "sec002.yaml", tmp_path / "constraint.yaml", objects=objects)
    assert {name for _, _, name, _ in said} == {"Pod/here", "Pod/owned", "Pod/expired"}
    assert {message for *_, message in said} == {"SEC002: the pod wants no hostNetwork, found true"}


LOWER = """package lockgate.team.lower

import data.lockgate.lib.objects
import data.lockgate.lib.results
import rego.v1

# METADATA
# title: Pods have an owner
# description: So that somebody answers.
# custom:
#   id: LOW001
#   scope: object
#   severity: {prod: error}
#   remediation: Add the label `owner`.
deny contains result if {
	some obj in objects.of_kind("Pod")
	not obj.metadata.labels.owner
	result := results.finding("LOW001", obj, ["metadata", "labels", "owner"], "wants an owner, found none")
}

deny contains result if {
	some obj in objects.of_kind("Pod")
	obj.metadata.labels.owner == ""
	found := results.finding("LOW001", obj, ["metadata", "labels", "owner"], "wants an owner, found ''")
	result := object.union(found, {"severity": "warning"})
}
"""


@pytest.mark.slow
def test_a_rule_of_the_team_and_a_lowered_severity(repository: Path, tmp_path: Path) -> None:
    (repository / "policies" / "team" / "lower.rego").write_text(LOWER)
    done = export(repository, tmp_path / "out")
    assert "LOW001" in done.stderr
    objects = [pod("none"), pod("empty", labels={"owner": ""}), pod("fine", labels={"owner": "me"})]
    template, constraints = (
        tmp_path / "out" / "templates" / "low001.yaml",
        tmp_path / "out" / "constraints" / "prod" / "low001.yaml",
    )
    assert gator(template, constraints, objects=objects) == {
        ("LockgateLow001", "deny", "Pod/none", "LOW001: wants an owner, found none"),
        ("LockgateLow001", "warn", "Pod/empty", "LOW001: wants an owner, found ''"),
    }
    assert not (tmp_path / "out" / "constraints" / "dev" / "low001.yaml").exists()


def test_an_export_replaces_an_export_and_nothing_else(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    (repository / "policies" / "team" / "lower.rego").write_text(LOWER)
    assert export(repository, folder).returncode == 0
    before = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (repository / "policies" / "team" / "lower.rego").unlink()
    assert export(repository, folder).returncode == 0
    after = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {name for name in before if "low001" in name}
    assert {name for name in after if "low001" in name} == set()
    assert after["templates/sec001.yaml"] == before["templates/sec001.yaml"]
    (folder / "mine.txt").write_text("mine")
    done = export(repository, folder)
    assert done.returncode == 2
    assert "holds 'mine.txt', which no export wrote" in done.stderr
    assert (folder / "mine.txt").read_text() == "mine"


def test_an_environment_without_a_namespace_is_refused(repository: Path, tmp_path: Path) -> None:
    settings = repository / "lockgate.yaml"
    settings.write_text(settings.read_text().replace("    namespace: qwen-chat-prod\n", ""))
    done = export(repository, tmp_path / "out")
    assert done.returncode == 2
    assert "environment 'prod' has no namespace" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("reads", "problem"),
    [
        ("data.nothing.there", "lower.rego:7: LOW001 reads data.nothing, which nothing in the repository holds"),
        ("data[obj.kind]", "lower.rego:7: LOW001 reads all of `data`"),
    ],
)
def test_a_rule_that_reads_what_no_export_has_is_refused(
    repository: Path, tmp_path: Path, reads: str, problem: str
) -> None:
    text = LOWER.replace('"wants an owner, found none")', f'sprintf("%v", [{reads}]))')
    (repository / "policies" / "team" / "lower.rego").write_text(text)
    done = export(repository, tmp_path / "out")
    assert done.returncode == 2
    assert problem in done.stderr


def test_an_unknown_scope_is_an_error_with_its_line(repository: Path, tmp_path: Path) -> None:
    (repository / "policies" / "team" / "lower.rego").write_text(LOWER.replace("scope: object", "scope: pod"))
    done = export(repository, tmp_path / "out")
    assert done.returncode == 2
    assert "team/lower.rego:12: METADATA: wanted one of object, environment, repository" in done.stderr
