"""What the entries of a tree did: matched and changed, judged by replaying the build."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from trace_scene import OVERLAY, Scene

from lockgate.trace import Sources, Trace
from lockgate.trace.identity import selects_labels
from lockgate.trace.source import Place, parse

if TYPE_CHECKING:
    from pathlib import Path

BASE = {
    "base/kustomization.yaml": "resources: [deployment.yaml]",
    "base/deployment.yaml": """
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: app
      labels: {tier: gold}
      annotations: {team: a}
    spec:
      replicas: 2
      template:
        metadata: {labels: {tier: gold}}
        spec:
          containers:
            - name: side
              image: side:1
            - name: vllm
              image: img:1
              env:
                - {name: A, value: "1"}
    """,
}


def entry(tmp_path: Path, overlay: str, *path: str | int, **files: str) -> tuple[bool | None, bool | None]:
    scene = Scene.of(tmp_path, {**BASE, "overlay/kustomization.yaml": overlay, **files})
    found = scene.entry(*path)
    return found["matched"], found["changed"]


def patching(target: str, patch: str, start: str = "resources: [../base]") -> str:
    """A kustomization with one inline patch behind the lines of `start`."""
    return f"{start}\npatches:\n  - target: {{{target}}}\n    patch: |-\n      {patch}\n"


CHANGES = '[{"op": "replace", "path": "/spec/replicas", "value": 3}]'


@pytest.mark.parametrize(
    ("target", "matched"),
    [
        ("kind: Deployment", True),
        ("kind: Deploy", False),
        ("kind: Deploy.*", True),
        ("kind: StatefulSet|Deployment", True),
        ("name: ap", False),
        ("name: a..", True),
        ("group: apps, version: v1", True),
        ("group: batch", False),
        ("namespace: default", True),
        ("namespace: other", False),
        ("labelSelector: tier=gold", True),
        ('labelSelector: "tier in (silver, gold), tier"', True),
        ("labelSelector: tier!=gold", False),
        ("annotationSelector: team=a", True),
        ("annotationSelector: team=b", False),
    ],
)
def test_a_target_matches_as_kustomize_does(tmp_path: Path, target: str, matched: bool) -> None:  # noqa: FBT001  # noqa: FBT001
    scene = Scene.of(tmp_path, {**BASE, "overlay/kustomization.yaml": patching(target, CHANGES)})
    assert scene.entry("patches", 0)["matched"] is matched
    assert scene.objects()[0]["spec"]["replicas"] == (3 if matched else 2)


@pytest.mark.parametrize(
    ("patch", "changed"),
    [
        (CHANGES, True),
        ('[{"op": "replace", "path": "/spec/replicas", "value": 2}]', False),
        ('[{"op": "test", "path": "/spec/replicas", "value": 2}]', False),
        ('[{"op": "add", "path": "/spec/x", "value": 1}, {"op": "remove", "path": "/spec/x"}]', False),
        ('[{"op": "add", "path": "/metadata/labels/tier", "value": "gold"}]', False),
        ('{"kind": "x", "apiVersion": "y", "metadata": {"name": "z"}, "spec": {"replicas": 2}}', False),
        ('{"kind": "x", "apiVersion": "y", "metadata": {"name": "z"}, "spec": {"paused": null}}', False),
        ('{"kind": "x", "apiVersion": "y", "metadata": {"name": "z"}, "spec": {"replicas": null}}', True),
    ],
)
def test_a_patch_changes_something_or_not(tmp_path: Path, patch: str, changed: bool) -> None:  # noqa: FBT001  # noqa: FBT001
    assert entry(tmp_path, patching("kind: Deployment", patch), "patches", 0) == (True, changed)


def test_the_order_of_merged_items_is_no_change(tmp_path: Path) -> None:
    overlay = """
    resources: [../base]
    patches:
      - path: p.yaml
    """
    patch = """
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: app}
    spec:
      template:
        spec:
          containers:
            - name: vllm
              env: [{name: A, value: "1"}]
    """
    assert entry(tmp_path, overlay, "patches", 0, **{"overlay/p.yaml": patch}) == (True, False)


@pytest.mark.parametrize(
    ("lines", "path", "expected"),
    [
        ("images: [{name: img, newTag: '2'}]", ("images", 0), (True, True)),
        ("images: [{name: img, newTag: '1'}]", ("images", 0), (True, False)),
        ("images: [{name: im, newTag: '2'}]", ("images", 0), (False, False)),
        ("replicas: [{name: app, count: 2}]", ("replicas", 0), (True, False)),
        ("replicas: [{name: app, count: 3}]", ("replicas", 0), (True, True)),
        ("labels: [{pairs: {tier: gold}, includeTemplates: true}]", ("labels", 0), (True, False)),
        ("labels: [{pairs: {tier: iron}}]", ("labels", 0), (True, True)),
        ("commonLabels: {tier: gold}", ("commonLabels",), (True, True)),
    ],
)
def test_the_other_entries(
    tmp_path: Path, lines: str, path: tuple[str | int, ...], expected: tuple[bool, bool]
) -> None:
    assert entry(tmp_path, f"resources: [../base]\n{lines}\n", *path) == expected


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [("Deployment", "3", (True, True)), ("Deployment", "2", (True, False)), ("Rollout", "3", (False, False))],
)
def test_replacements(tmp_path: Path, kind: str, value: str, expected: tuple[bool, bool]) -> None:
    overlay = f"""
    resources: [../base]
    replacements:
      - sourceValue: "{value}"
        targets:
          - select: {{kind: {kind}}}
            fieldPaths: [spec.replicas]
    """
    assert entry(tmp_path, overlay, "replacements", 0) == expected


def test_a_component_after_whose_change_of_kind_a_patch_misses(tmp_path: Path) -> None:
    component = """
    apiVersion: kustomize.config.k8s.io/v1alpha1
    kind: Component
    patches:
      - target: {kind: Deployment}
        options: {allowKindChange: true}
        patch: |-
          apiVersion: apps/v1
          kind: Rollout
          metadata: {name: app}
    """
    overlay = patching("kind: Deployment", CHANGES, "resources: [../base]\ncomponents: [../component]")
    assert entry(tmp_path, overlay, "patches", 0, **{"component/kustomization.yaml": component}) == (False, False)


def test_what_is_not_known_is_null(tmp_path: Path) -> None:
    overlay = patching("kind: Service", CHANGES, "resources: [../base, 'https://example.com/x.yaml']")
    scene = Scene.of(tmp_path, {**BASE, "overlay/kustomization.yaml": overlay})
    (found,) = Trace(scene.root, OVERLAY, []).facts()["entries"]
    assert (found["matched"], found["changed"]) == (None, None)


def test_generators_name_keys_and_never_values(tmp_path: Path) -> None:
    files = {
        "overlay/kustomization.yaml": """
        secretGenerator:
          - name: token
            literals: [KEY=hf_secret]
            files: [renamed=a.txt]
            envs: [b.env]
        configMapGenerator:
          - name: serve
            files: [a.txt]
        """,
        "overlay/a.txt": "hf_file",
        "overlay/b.env": "X=hf_env",
    }
    scene = Scene.of(tmp_path, files)
    facts = scene.trace().facts()
    assert facts["entries"] == []
    assert facts["generators"] == [
        {
            "file": "overlay/kustomization.yaml",
            "path": ["configMapGenerator", 0],
            "kind": "ConfigMap",
            "name": "serve",
            "literals": [],
            "files": ["overlay/a.txt"],
            "envs": [],
        },
        {
            "file": "overlay/kustomization.yaml",
            "path": ["secretGenerator", 0],
            "kind": "Secret",
            "name": "token",
            "literals": ["KEY"],
            "files": ["overlay/a.txt"],
            "envs": ["overlay/b.env"],
        },
    ]
    assert "hf_" not in json.dumps(facts)


def test_files_are_all_that_the_build_reads(tmp_path: Path) -> None:
    files = {
        **BASE,
        "overlay/kustomization.yaml": """
        resources: [../base, more]
        components: [../component]
        configurations: [config.yaml]
        """,
        "overlay/config.yaml": "nameReference: []",
        "overlay/more/kustomization.yml": "resources: [x.yaml]",
        "overlay/more/x.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: x}\n",
        "overlay/unused.yaml": "a: 1",
        "component/kustomization.yaml": """
        apiVersion: kustomize.config.k8s.io/v1alpha1
        kind: Component
        configMapGenerator: [{name: a, files: [serve.yaml], envs: [e.env]}]
        patches: [{path: p.yaml}]
        """,
        "component/serve.yaml": "a: 1",
        "component/e.env": "A=1",
        "component/p.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\nspec: {replicas: 9}\n",
    }
    scene = Scene.of(tmp_path, files)
    assert scene.trace().files() == tuple(sorted(files.keys() - {"overlay/unused.yaml"}))


def test_shared_sources_give_the_same_answers(tmp_path: Path) -> None:
    scene = Scene.of(tmp_path, {**BASE, "overlay/kustomization.yaml": patching("kind: Deployment", CHANGES)})
    sources = Sources(scene.root)
    facts = [Trace(scene.root, OVERLAY, [], sources).facts() for _ in range(2)]
    assert facts[0] == facts[1] == Trace(scene.root, OVERLAY, []).facts()


@pytest.mark.parametrize(
    ("selector", "holds"),
    [
        ("", True),
        ("a=1", True),
        ("a==1", True),
        ("a = 2", False),
        ("a!=2,b", True),
        ("!a", False),
        ("!c", True),
        ("c", False),
        ("a in (1,2)", True),
        ("a notin (1,2)", False),
        ("c notin (1)", True),
        ("a > 0", True),
        ("a<1", False),
        ("b>0", False),
    ],
)
def test_label_selectors(selector: str, holds: bool) -> None:  # noqa: FBT001  # noqa: FBT001
    (node,) = parse("{a: '1', b: x}", Place("f"))
    assert selects_labels(selector, node.fields()) is holds


def test_facts_are_plain_json(tmp_path: Path) -> None:
    scene = Scene.of(tmp_path, {**BASE, "overlay/kustomization.yaml": "resources: [../base]\nnamespace: x\n"})
    facts: dict[str, Any] = scene.trace().facts()
    assert json.loads(json.dumps(facts)) == facts
