"""ApplicationSets expanded without a cluster, each field with the place where it is written."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from lockgate import pipeline
from lockgate.context import applications
from lockgate.model import ObjectRef
from lockgate.settings import parse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from subprocess import CompletedProcess

    from lockgate.context.applications import Delivery

SETTINGS = parse("""
version: 1
environments:
  dev: {overlay: overlays/dev, namespace: chat-dev}
  prod: {overlay: ./overlays/prod/, namespace: chat-prod}
""")
SET = """
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: chat, namespace: argocd}
spec:
  goTemplate: true
  generators: GENERATORS
  template:
    metadata: {name: 'chat-{{ .name }}'}
    spec:
      project: chat
      source: {repoURL: https://git/chat.git, targetRevision: '{{ .revision }}', path: 'overlays/{{.name}}'}
      destination: {namespace: 'chat-{{ .name }}'}
"""
LIST = "[{list: {elements: [{name: dev, revision: main}, {name: prod, revision: v1}]}}]"
FOLDERS = "{repoURL: https://git/chat.git, revision: HEAD, directories: [{path: overlays/*}]}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("dev", "prod", ".hidden"):
        (tmp_path / "overlays" / name).mkdir(parents=True)
    return tmp_path


def read(root: Path, *documents: str) -> Delivery:
    return applications.read([yaml.safe_load(text) for text in documents], SETTINGS, root, "argocd")


def generated(root: Path, generators: str, *changes: tuple[str, str]) -> Delivery:
    text = SET.replace("GENERATORS", generators)
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return read(root, text)


def classic(*changes: tuple[str, str]) -> list[tuple[str, str]]:
    return [
        ("  goTemplate: true\n", ""),
        ("chat-{{ .name }}'}\n    spec", "chat-{{name}}'}\n    spec"),
        ("'{{ .revision }}'", "'{{ revision }}'"),
        ("{{.name}}", "{{name}}"),
        ("namespace: 'chat-{{ .name }}'", "namespace: 'chat-{{name}}'"),
        *changes,
    ]


def shown(delivery: Delivery) -> list[tuple[Any, ...]]:
    return [
        (a["name"], a["environment"], a["sources"][0]["revision"], a["spec"]["destination"]["namespace"])
        for a in delivery.applications
    ]


BOTH = [("chat-dev", "dev", "main", "chat-dev"), ("chat-prod", "prod", "v1", "chat-prod")]


def test_a_list_gives_an_application_for_each_element(root: Path) -> None:
    found = generated(root, LIST)
    assert shown(found) == BOTH
    assert found.left_out == ()
    prod = found.applications[1]
    assert prod["object"] == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "namespace": "argocd",
        "name": "chat",
    }
    assert prod["base"] == ["spec", "template", "spec"]
    element = ["spec", "generators", 0, "list", "elements", 1]
    assert prod["element"] == element
    # The revision is the element's alone; the path is the template's text with the element's name in it.
    assert prod["origins"] == {
        "source/targetRevision": [[*element, "revision"]],
        "source/path": [["spec", "template", "spec", "source", "path"], [*element, "name"]],
        "destination/namespace": [["spec", "template", "spec", "destination", "namespace"], [*element, "name"]],
    }


def test_plain_placeholders_are_filled_in_too(root: Path) -> None:
    assert shown(generated(root, LIST, *classic())) == BOTH


def test_nested_values_have_joined_names(root: Path) -> None:
    nested = "[{list: {elements: [{name: prod, values: {revision: v1, live: true}}]}}]"
    [made] = generated(root, nested, ("{{ .revision }}", "{{ .values.revision }}-{{.values.live}}")).applications
    assert made["sources"][0]["revision"] == "v1-true"
    assert made["origins"]["source/targetRevision"][1][-2:] == ["values", "revision"]


def test_folders_of_the_repository_make_applications(root: Path) -> None:
    names = [("{{ .revision }}", "main"), ("{{.name}}", "{{ .path.basename }}")]
    names += [(f"chat-{{{{ .name }}}}'}}{end}", f"chat-{{{{ .path.basename }}}}'}}{end}") for end in ("\n    spec",)]
    names += [("namespace: 'chat-{{ .name }}'", "namespace: 'chat-{{ index .path.segments 1 }}'")]
    found = generated(root, f"[{{git: {FOLDERS}}}]", *names)
    assert [one[:2] for one in shown(found)] == [("chat-dev", "dev"), ("chat-prod", "prod")]
    assert [one[3] for one in shown(found)] == ["chat-dev", "chat-prod"]
    assert found.applications[0]["element"] == ["spec", "generators", 0, "git", "directories", 0, "path"]
    without = FOLDERS.replace("[{path: overlays/*}]", "[{path: overlays/*}, {path: overlays/d*, exclude: true}]")
    assert [one[1] for one in shown(generated(root, f"[{{git: {without}}}]", *names))] == ["prod"]


def test_matrix_and_merge_combine_their_generators(root: Path) -> None:
    names = "{list: {elements: [{name: dev}, {name: prod}]}}"
    matrix = f"[{{matrix: {{generators: [{names}, {{list: {{elements: [{{revision: main}}]}}}}]}}}}]"
    assert [one[1:3] for one in shown(generated(root, matrix))] == [("dev", "main"), ("prod", "main")]
    base = "{list: {elements: [{name: dev, revision: main}, {name: prod, revision: main}]}}"
    over = "{list: {elements: [{name: prod, revision: v1}]}}"
    merge = f"[{{merge: {{mergeKeys: [name], generators: [{base}, {over}]}}}}]"
    found = generated(root, merge)
    assert shown(found) == BOTH
    [place] = found.applications[1]["origins"]["source/targetRevision"]
    assert place == ["spec", "generators", 0, "merge", "generators", 1, "list", "elements", 0, "revision"]


@pytest.mark.parametrize(
    ("generators", "change", "reason"),
    [
        ("[{clusters: {}}]", None, "with a generator 'clusters'"),
        ("[{list: {elements: []}, selector: {}}]", None, "with a generator with a selector"),
        ("[{}]", None, "with a generator of no kind"),
        ("[{list: {elementsYaml: x}}]", None, "with a list generator with elementsYaml"),
        ("[{list: {elements: [], template: {spec: {project: x}}}}]", None, "with a generator 'list'"),
        ("[{git: {repoURL: https://git/other.git, directories: []}}]", None, "with a git generator of another"),
        ("[{git: {repoURL: https://git/chat.git, files: []}}]", None, "with a git generator that reads more"),
        (f"[{{git: {FOLDERS.replace('overlays/*', 'apps/*')}}}]", None, "that matches no folder of this repository"),
        (f"[{{git: {FOLDERS.replace('overlays/*', '../*')}}}]", None, "that matches no folder of this repository"),
        (f"[{{git: {FOLDERS.replace('overlays/*', 'a**b')}}}]", None, "that matches no folder of this repository"),
        ("[{matrix: {generators: [{list: {elements: [{x: '{{ .y }}'}]}}]}}]", None, "depend on one another"),
        (LIST, ("{{ .revision }}", "{{ .revison }}"), "with the placeholder '{{ .revison }}'"),
        (LIST, ("{{ .revision }}", '{{ .revision | default "x" }}'), "with the placeholder"),
        (LIST, ("  template:\n", "  templatePatch: x\n  template:\n"), "with a templatePatch"),
    ],
)
def test_what_only_the_cluster_knows_is_named(
    root: Path, generators: str, change: tuple[str, str] | None, reason: str
) -> None:
    found = generated(root, generators, *([change] if change else []))
    assert found.applications == ()
    [one] = found.left_out
    assert one.names == ("ApplicationSet/chat (argocd)",)
    assert reason in one.reason


def test_a_path_that_leads_nowhere_is_known_in_the_own_repository_only(root: Path) -> None:
    one = "{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: NAME}, spec: SPEC}"

    def application(name: str, source: str) -> str:
        return one.replace("NAME", name).replace("SPEC", f"{{destination: {{namespace: chat-prod}}, {source}}}")

    found = read(
        root,
        application("prod", "source: {repoURL: https://git/Chat, path: ./overlays/prod}"),
        application("gone", "source: {repoURL: https://git/chat.git, path: overlays/gone}"),
        application("other", "source: {repoURL: https://git/other.git, path: overlays/gone}"),
        application("chart", "source: {repoURL: https://git/chat.git, chart: redis, targetRevision: 1.x}"),
        application("two", "sources: [{repoURL: https://git/chat, path: overlays/dev}, {repoURL: oci://x, path: .}]"),
        application("dry", "sourceHydrator: {drySource: {repoURL: https://git/chat, path: overlays/dev}}"),
        application("odd", "source: [1]"),
    )
    seen = {a["name"]: [(s["path"], s["git"], s["exists"]) for s in a["sources"]] for a in found.applications}
    assert seen == {
        "prod": [("overlays/prod", True, True)],
        "gone": [("overlays/gone", True, False)],
        "other": [("overlays/gone", True, None)],
        "chart": [("", False, None)],
        "two": [("overlays/dev", True, True), (".", False, None)],
        "dry": [("overlays/dev", True, True)],
        "odd": [],
    }
    assert [a["environment"] for a in found.applications] == ["prod", "", "", "", "dev", "dev", ""]
    assert [a["name"] for a in found.of_environment("dev", "chat-dev")["applications"]] == ["two", "dry"]
    assert len(found.of_environment("prod", "chat-prod")["applications"]) == len(found.applications)


def test_a_field_serves_the_environments_of_its_element(root: Path) -> None:
    found = generated(root, LIST)
    own = ObjectRef("ApplicationSet", "chat", "argocd", "argoproj.io/v1alpha1")
    assert found.served(own, ("spec", "generators", 0, "list", "elements", 1, "revision")) == frozenset({"prod"})
    assert found.served(own, ("spec", "template", "spec", "project")) == frozenset({"dev", "prod"})
    project = ObjectRef("AppProject", "chat", "argocd", "argoproj.io/v1alpha1")
    assert found.served(project, ("spec", "sourceRepos", 0)) == frozenset({"dev", "prod"})
    assert found.served(ObjectRef("AppProject", "other", "argocd", "argoproj.io/v1alpha1"), ("spec",)) is None
    assert found.served(ObjectRef("Rollout", "chat", "argocd", "argoproj.io/v1alpha1"), ("spec",)) is None


@pytest.mark.parametrize("spec", ["{}", "[]", "{template: []}", "{generators: {}}", "{generators: [1]}"])
def test_objects_of_a_wrong_shape_are_no_applications(root: Path, spec: str) -> None:
    text = f"{{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, metadata: [], spec: {spec}}}"
    assert read(root, text).applications == ()


def change(root: Path, file: str, old: str, new: str) -> None:
    text = (root / file).read_text()
    assert text.count(old) == 1
    (root / file).write_text(text.replace(old, new))


def test_argo_cd_objects_are_counted_and_a_patch_there_must_match(repository: Path) -> None:
    found = pipeline.check(repository, pipeline.Options())
    assert found is not None
    assert found[1].shared == {"argocd": 2}
    with (repository / "argocd/kustomization.yaml").open("a") as stream:
        stream.write("patches:\n  - patch: '[]'\n    target: {kind: AppProjekt}\n")
    broken = pipeline.check(repository, pipeline.Options())
    assert broken is not None
    [finding] = broken[1].open
    assert (finding.rule, finding.location.file) == ("KUS001", "argocd/kustomization.yaml")
    assert finding.environments == ("dev", "canary", "prod")


def test_a_change_of_argo_cd_objects_reaches_every_environment(repository: Path) -> None:
    def checked(*files: str) -> tuple[str, ...]:
        result = pipeline.check(repository, pipeline.Options(), changed=[repository / file for file in files])
        return result[1].environments if result else ()

    assert checked("argocd/application-set.yaml") == ("dev", "canary", "prod")
    assert checked("argocd/gone.yaml") == ("dev", "canary", "prod")
    assert checked("overlays/dev/replicas.yaml") == ("dev",)
    assert checked("CODEOWNERS") == ()


def test_the_folder_may_be_another_one_or_none(
    repository: Path, lockgate: Callable[..., CompletedProcess[str]]
) -> None:
    (repository / "argocd").rename(repository / "delivery")
    found = pipeline.check(repository, pipeline.Options())
    assert found is not None
    assert found[1].shared == {}
    change(repository, "lockgate.yaml", "\nenvironments:\n", "\nargocd: delivery\nenvironments:\n")
    found = pipeline.check(repository, pipeline.Options())
    assert found is not None
    assert found[1].shared == {"delivery": 2}
    change(repository, "lockgate.yaml", "argocd: delivery\n", "argocd: deliveries\n")
    done = lockgate("check", str(repository))
    assert done.returncode == 2
    assert "the folder 'deliveries' of the Argo CD objects does not exist" in done.stderr


def test_a_folder_without_a_kustomization_is_read_as_argo_cd_does(repository: Path) -> None:
    folder = repository / "argocd"
    shutil.rmtree(folder / "plugin")
    (folder / "kustomization.yaml").unlink()
    (folder / "values.yaml").write_text("a: 1\n")
    found = pipeline.check(repository, pipeline.Options())
    assert found is not None
    assert found[1].shared == {"argocd": 2}
    assert [one.names for one in found[1].left_out] == [("argocd/values.yaml",)]


def test_a_folder_without_objects_is_told(repository: Path, lockgate: Callable[..., CompletedProcess[str]]) -> None:
    shutil.rmtree(repository / "argocd")
    (repository / "argocd").mkdir()
    found = pipeline.check(repository, pipeline.Options())
    assert found is not None
    assert [one.names for one in found[1].left_out] == [("argocd/",)]
    change(repository, "lockgate.yaml", "\nenvironments:\n", "\nargocd: argocd\nenvironments:\n")
    done = lockgate("check", str(repository))
    assert (done.returncode, done.stderr.count("\n")) == (2, 2)


def test_an_application_set_of_the_cluster_is_left_out(
    repository: Path, lockgate: Callable[..., CompletedProcess[str]]
) -> None:
    change(repository, "argocd/application-set.yaml", "    - list:\n", "    - clusters: {}\n    - list:\n")
    done = lockgate("check", str(repository))
    assert done.returncode == 0, done.stdout
    reason = "ApplicationSets with a generator 'clusters', which only Argo CD can expand"
    assert f"left out:\n  {reason} (1): ApplicationSet/qwen-chat (argocd)\n" in done.stdout
