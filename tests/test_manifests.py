"""Manifests without a lockgate.yaml: files, folders, standard input, kustomizations; each at its own lines."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from lockgate import discover, pipeline
from lockgate.errors import LockgateError
from lockgate.manifests import CHART, CLIENT, CRD, KUSTOMIZATION, OTHER, PATCH, TEMPLATE, TWICE, UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockgate.model import Finding, Report

Lockgate: TypeAlias = "Callable[..., subprocess.CompletedProcess[str]]"

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: NAME}
spec:
  containers:
    - name: main
      image: example.com/app:1
      securityContext: {privileged: yes}
"""
"""SEC002 finds it at its line 8."""

CRONTABS = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.example.com}
"""


def pod(name: str) -> str:
    return POD.replace("NAME", name)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return root


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder that is the root of a git checkout."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def gate(path: Path | str, **options: Any) -> Report:
    result = pipeline.check(Path(path), pipeline.Options(**{"foreign": True, **options}))
    assert result is not None
    return result[1]


def privileged(report: Report) -> list[str]:
    """Where SEC002 finds the privileged container, with its pod."""
    found: list[Finding] = [f for f in report.findings if f.rule == "SEC002"]
    return [f"{f.location} {f.objects[0].name}" for f in found]


def left_out(report: Report) -> dict[str, tuple[str, ...]]:
    return {one.reason: one.names for one in report.left_out}


def refusal(path: Path | str, **options: Any) -> LockgateError:
    with pytest.raises(LockgateError) as caught:
        gate(path, **options)
    return caught.value


def test_documents_lists_and_comments_keep_their_lines(root: Path) -> None:
    listed = "\n".join(f"    {line}" for line in pod("third").splitlines()).replace("    api", "  - api", 1)
    text = (
        f"# first\n{pod('first')}--- # second\n{pod('second')}---\n---\napiVersion: v1\nkind: List\nitems:\n{listed}\n"
    )
    write(root, {"deploy/all.yaml": text})
    assert privileged(gate("deploy")) == [
        "deploy/all.yaml:9 first",
        "deploy/all.yaml:18 second",
        "deploy/all.yaml:31 third",
    ]


def test_an_alias_is_found_where_it_is_anchored(root: Path) -> None:
    text = pod("a").replace("securityContext: {privileged: yes}", "securityContext: &c {privileged: yes}")
    again = "    - {name: side, image: 'example.com/b:1', securityContext: *c}\n"
    write(root, {"pod.yaml": text + again})
    report = gate("pod.yaml")
    assert [finding.location.line for finding in report.findings if finding.rule == "SEC002"] == [8, 8]


def test_a_single_file_a_folder_and_json(root: Path) -> None:
    obj = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "j"},
        "spec": {"hostNetwork": True, "containers": [{"name": "a", "image": "example.com/a:1"}]},
    }
    write(root, {"m/pod.json": json.dumps(obj, indent=1), "m/package.json": "{}", "m/deep/pod.yml": pod("a")})
    assert privileged(gate("m")) == ["m/deep/pod.yml:8 a", "m/pod.json:8 j"]
    assert left_out(gate("m")) == {}
    assert privileged(gate("m/deep/pod.yml")) == ["m/deep/pod.yml:8 a"]


def test_what_is_no_object_of_a_cluster_is_named_with_its_reason(root: Path) -> None:
    write(
        root,
        {
            "pod.yaml": pod("a"),
            ".github/workflows/ci.yaml": "on: push\njobs: {}\n",
            "compose.yaml": "services: {}\n",
            "empty.yaml": "# nothing\n",
            "values.yaml": "image: {tag: x}\n",
            "patch.yaml": "$patch: delete\napiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n",
            "kind.yaml": "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n",
            "crd.yaml": CRONTABS,
            "mixed.yaml": f"{CRONTABS}---\n{pod('b')}",
            "text.yaml": "apiVersion: v1\nkind: Pod\nmetadata: ${METADATA}\n",
            "bare.yaml": "spec:\n  replicas: {{ .Values.replicas }}\n",
            "broken.yaml": "a: b\n{{- if .Values.x }}\nc: d\n{{- end }}\n",
            "chart/Chart.yaml": "name: x\n",
            "chart/templates/pod.yaml": pod("c"),
            "over/lay/kustomization.yaml": "resources: [pod.yaml]\n",
            "over/lay/pod.yaml": pod("d"),
            "node_modules/x.yaml": pod("e"),
        },
    )
    report = gate(".", skip_unreadable=True)
    assert privileged(report) == ["mixed.yaml:12 b", "pod.yaml:8 a"]
    assert left_out(report) == {
        CHART: ("chart",),
        CLIENT: ("kind.yaml",),
        CRD: ("crd.yaml", "mixed.yaml"),
        KUSTOMIZATION: ("over/lay",),
        PATCH: ("patch.yaml",),
        OTHER: (".github/workflows/ci.yaml", "compose.yaml", "empty.yaml", "values.yaml"),
        TEMPLATE: ("bare.yaml", "broken.yaml", "text.yaml"),
    }


def test_a_file_that_cannot_be_read_is_no_answer_unless_it_is_left_out(root: Path) -> None:
    write(root, {"m/pod.yaml": pod("a"), "m/bad.yaml": "a: b\n c: d\n", "m/twice.yaml": "a: 1\na: 2\n"})
    (root / "m" / "binary.yaml").write_bytes(b"a: \xff\n")
    error = refusal("m")
    assert error.message.startswith("files that cannot be read (3): m/bad.yaml:2: no valid YAML")
    assert "m/binary.yaml:1: not UTF-8" in error.message
    assert "--skip-unreadable" in error.hint
    report = gate("m", skip_unreadable=True)
    assert privileged(report) == ["m/pod.yaml:8 a"]
    assert [name.partition(": ")[0] for name in left_out(report)[UNREADABLE]] == [
        "m/bad.yaml:2",
        "m/binary.yaml:1",
        "m/twice.yaml:2",
    ]
    for name, line in (("bad", 2), ("twice", 2), ("binary", 1)):
        assert refusal(f"m/{name}.yaml", skip_unreadable=True).message.startswith(f"m/{name}.yaml:{line}: ")


def test_a_single_template_is_refused_with_its_line(root: Path) -> None:
    write(root, {"t.yaml": "metadata:\n  name: {{ .Release.Name }}\n"})
    error = refusal("t.yaml")
    assert error.message.startswith("t.yaml:2: ")
    assert "helm template" in error.hint


def test_an_object_that_stands_twice_is_judged_once_and_named(root: Path) -> None:
    write(root, {"a/pod.yaml": pod("a"), "b/pod.yaml": pod("a").replace("yes", "no")})
    report = gate(".")
    assert privileged(report) == ["a/pod.yaml:8 a"]
    assert left_out(report) == {TWICE: ("Pod/a (b/pod.yaml:1, first a/pod.yaml:1)",)}
    assert [finding for finding in report.findings if finding.rule == "API001"] == []


def test_an_object_that_stands_twice_in_one_file_is_a_fault(root: Path) -> None:
    write(root, {"pods.yaml": f"{pod('a')}---\n{pod('b')}---\n{pod('a')}"})
    [finding] = [finding for finding in gate(".").findings if finding.rule == "API001"]
    assert (str(finding.location), finding.message) == (
        "pods.yaml:3",
        "Pod 'a' wants to stand once, found it again at pods.yaml:19",
    )


@pytest.mark.parametrize(
    ("files", "path", "hint"),
    [
        ({"m/values.yaml": "a: 1\n"}, "m", "there are only files without a Kubernetes object (m/values.yaml)"),
        ({"m/Chart.yaml": "name: x\n"}, "m", f"there are only {CHART} (.)"),
        ({"m/a/kustomization.yaml": "{}\n"}, "m", f"there are only {KUSTOMIZATION} (a)"),
        ({"m/readme.md": "x"}, "m", "name a folder or file of manifests, or pipe them into `lockgate check -`"),
    ],
)  # fmt: skip
def test_nothing_to_check_is_no_pass(root: Path, files: dict[str, str], path: str, hint: str) -> None:
    write(root, files)
    error = refusal(path)
    assert (error.message, error.hint) == (f"{path}: no Kubernetes object, so nothing to check", hint)


def test_the_environment_is_prod_unless_it_is_said(root: Path) -> None:
    write(root, {"pod.yaml": pod("a")})

    def of(*names: str, level: str = "") -> tuple[str, str]:
        [overlay] = discover.find(Path("pod.yaml"), names, level, foreign=True).overlays
        return overlay.environment, overlay.level

    assert of() == ("prod", "prod")
    assert of("dev") == ("dev", "dev")
    assert of("staging") == ("staging", "prod")
    assert of("staging", level="dev") == ("staging", "dev")
    assert of(level="canary") == ("canary", "canary")
    assert "wanted one environment, found a, b" in refusal("pod.yaml", environments=("a", "b")).message


def test_a_repository_has_its_own_levels(repository: Path) -> None:
    assert "--level dev" in refusal(repository, level="dev").message


def test_without_a_path_nothing_foreign_is_walked(root: Path, lockgate: Lockgate) -> None:
    write(root, {"pod.yaml": pod("a")})
    done = lockgate("check")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no lockgate.yaml in" in done.stderr
    assert "name a folder or file of manifests" in done.stderr
    assert lockgate("check", ".").returncode == 1


def test_a_kustomization_is_built_and_traced(root: Path) -> None:
    write(
        root,
        {
            "base/kustomization.yaml": "resources: [pod.yaml]\n",
            "base/pod.yaml": pod("a").replace("yes", "true"),
            "policies/x.rego": "package other\n",
            "overlays/x/kustomization.yaml": "resources: [../../base]\nnamePrefix: x-\n",
        },
    )
    report = gate("overlays/x", level="dev")
    assert report.environments == ("dev",)
    assert privileged(report) == ["base/pod.yaml:8 x-a"]


def stdin(monkeypatch: pytest.MonkeyPatch, content: str | bytes) -> None:
    data = content.encode() if isinstance(content, str) else content
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_helm_says_which_template_wrote_a_line(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del root
    one, two = "# Source: app/templates/one.yaml", "# Source: app/templates/two.yaml"
    stdin(
        monkeypatch,
        f"---\n{one}\n{pod('a')}---\n{two}\n{pod('b')}---\n{one}\n{pod('c')}---\n# a comment\n{pod('d')}",
    )
    report = gate("-")
    assert privileged(report) == [
        "app/templates/one.yaml:8 a",
        "app/templates/one.yaml:17 c",
        "app/templates/two.yaml:8 b",
        "stdin:9 d",
    ]
    for finding in report.findings:
        if finding.rule == "SEC002":
            assert "privileged" in report.texts[finding.location.file].splitlines()[finding.location.line - 1]


def test_a_comment_inside_a_text_is_no_template_of_helm(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del root
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  a: |\n    x\n    # Source: no/where.yaml\n"
    stdin(monkeypatch, f"{config}---\n{pod('a')}")
    assert privileged(gate("-")) == ["stdin:16 a"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "standard input: no Kubernetes object, so nothing to check"),
        (b"a: \xff\n", "stdin: not UTF-8 text: byte 0xff"),
        (b"a: b\n c: d\n", "stdin:2: no valid YAML"),
    ],
)
def test_bad_standard_input(root: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str) -> None:
    del root
    stdin(monkeypatch, content)
    assert refusal("-").message.startswith(message)


def test_the_command_line_reads_a_pipe(root: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "lockgate",
        "check",
        "-",
        "--env",
        "dev",
        "--format",
        "text",
        "--format",
        "sarif=s",
    ]
    done = subprocess.run(command, input=pod("a"), capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 1, done.stderr
    assert re.search(r"^stdin:8:\d+: error SEC002", done.stdout, re.MULTILINE)
    assert "     8 |       securityContext: {privileged: yes}" in done.stdout
    [run] = json.loads((root / "s").read_text())["runs"]
    assert {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in run["results"]} == {"stdin"}


def test_the_example_of_a_teams_rule_judges_no_other_team(root: Path) -> None:
    write(root, {"pod.yaml": pod("a").replace("securityContext: {privileged: yes}", "tty: true")})
    report = gate("pod.yaml")
    assert "SEC001" in report.rules
    assert [
        rule for rule in [*report.rules, *(finding.rule for finding in report.findings)] if rule.startswith("TEAM")
    ] == []


def test_a_level_of_dev_is_milder_than_prod(root: Path) -> None:
    write(root, {"pod.yaml": pod("a")})
    rules = {level: {finding.rule for finding in gate("pod.yaml", level=level).findings} for level in ("dev", "prod")}
    assert rules["dev"] < rules["prod"]
