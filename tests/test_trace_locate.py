"""The line to change: each way a field can be written, and each way it can be missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from trace_scene import OVERLAY, Scene

from lockgate.model import Location, ObjectRef
from lockgate.trace import Trace

if TYPE_CHECKING:
    from pathlib import Path

DEPLOYMENT = """
    # the server
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: app
    spec:
      replicas: 1
      selector:
        matchLabels: {app: app}
      template:
        metadata:
          labels: {app: app}
        spec:
          containers:
            - name: side
              image: side:1
            - name: vllm
              image: vllm-openai
              args: [--port=1, --host=x]
              env:
                - {name: HOME, value: /home}
                - {name: TMPDIR, value: /tmp}
              ports:
                - containerPort: 8000
          tolerations:
            - key: a
"""

ROLLOUT = """
    apiVersion: argoproj.io/v1alpha1
    kind: Rollout
    metadata:
      name: app
    spec:
      steps:
        - setWeight: 5
        - setWeight: 50
"""

BASE = {
    "base/kustomization.yaml": "resources: [deployment.yaml, rollout.yaml]",
    "base/deployment.yaml": DEPLOYMENT,
    "base/rollout.yaml": ROLLOUT,
}

SPEC = ("spec", "template", "spec")
SERVER = (*SPEC, "containers", 1)


@pytest.fixture
def scene(tmp_path: Path, request: pytest.FixtureRequest) -> Scene:
    """The base under the overlay that the test gives, plus its further files."""
    overlay, files = request.param if isinstance(request.param, tuple) else (request.param, {})
    return Scene.of(tmp_path, {**BASE, "overlay/kustomization.yaml": overlay, **files})


def overlay(text: str, **files: str) -> pytest.MarkDecorator:
    named = {name.replace("__", "/").replace("_yaml", ".yaml"): content for name, content in files.items()}
    return pytest.mark.parametrize("scene", [(text, named)], indirect=True)


@overlay("resources: [../base]")
def test_the_bases_own_lines(scene: Scene) -> None:
    assert scene.line("Deployment") == "base/deployment.yaml: apiVersion: apps/v1"
    assert scene.line("Deployment", *SERVER) == "base/deployment.yaml: name: vllm"
    assert scene.line("Deployment", *SERVER, "image") == "base/deployment.yaml: vllm-openai"
    assert scene.line("Deployment", *SERVER, "env", 1, "value") == "base/deployment.yaml: /tmp}"
    assert scene.line("Deployment", *SERVER, "args") == "base/deployment.yaml: args: [--port=1, --host=x]"
    assert scene.line("Deployment", *SERVER, "args", 1) == "base/deployment.yaml: --host=x]"
    assert scene.line("Rollout", "spec", "steps", 1, "setWeight") == "base/rollout.yaml: 50"


@overlay("resources: [../base]")
def test_a_missing_field_is_at_its_nearest_parent(scene: Scene) -> None:
    assert scene.line("Deployment", *SERVER, "resources", "limits", "cpu") == "base/deployment.yaml: name: vllm"
    assert scene.line("Deployment", *SPEC, "nodeSelector") == "base/deployment.yaml: spec:"
    assert scene.line("Deployment", *SERVER, "env", 7) == "base/deployment.yaml: env:"
    assert scene.line("Deployment", *SERVER, "image", "deeper") == "base/deployment.yaml: vllm-openai"


@overlay(
    """
    resources: [../base]
    patches:
      - path: server.yaml
    """,
    overlay__server_yaml="""
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: app
    spec:
      replicas: 3
      template:
        spec:
          containers:
            - name: vllm
              args: [--port=2]
              resources:
                limits:
                  cpu: 4
              env:
                - name: HOME
                  $patch: delete
                - name: NEW
                  value: "1"
          tolerations: null
    """,
)
def test_a_patch_file(scene: Scene) -> None:
    server = (*SPEC, "containers", 0)  # a strategic merge puts the patch's items first
    assert scene.lines("Deployment", "spec", "replicas") == ["overlay/server.yaml: 3", "base/deployment.yaml: 1"]
    assert scene.line("Deployment", *server, "image") == "base/deployment.yaml: vllm-openai"
    assert scene.line("Deployment", *server, "resources", "limits", "cpu") == "overlay/server.yaml: 4"
    assert scene.lines("Deployment", *server, "args", 0) == [
        "overlay/server.yaml: --port=2]",
        "base/deployment.yaml: args: [--port=1, --host=x]",
    ]
    assert scene.line("Deployment", *server, "env", 0, "value") == 'overlay/server.yaml: "1"'
    assert scene.line("Deployment", *server, "env", 1, "value") == "base/deployment.yaml: /tmp}"
    assert scene.line("Deployment", *server, "env", "HOME") == "overlay/server.yaml: delete"
    assert scene.lines("Deployment", *SPEC, "tolerations") == [
        "overlay/server.yaml: null",
        "base/deployment.yaml: tolerations:",
    ]
    assert scene.line("Deployment", *SPEC, "containers", 1, "image") == "base/deployment.yaml: side:1"


@overlay("""
    resources: [../base]
    patches:
      - patch: |-
          apiVersion: argoproj.io/v1alpha1
          kind: Rollout
          metadata:
            name: app
          spec:
            steps:
              - setWeight: 100
    """)
def test_an_inline_patch_and_a_custom_resources_list(scene: Scene) -> None:
    assert scene.lines("Rollout", "spec", "steps", 0, "setWeight") == [
        "overlay/kustomization.yaml: 100",
        "base/rollout.yaml: steps:",
    ]
    assert scene.line("Rollout", "spec", "steps", 1) == "overlay/kustomization.yaml: steps:"


@overlay("""
    resources: [../base]
    patches:
      - target: {kind: Deployment}
        patch: |-
          kind: Deployment
          apiVersion: apps/v1
          metadata: {name: any}
          spec:
            template:
              $patch: replace
              metadata: {labels: {app: app}}
              spec:
                containers: [{name: only, image: x}]
    """)
def test_what_a_replacing_patch_left_out(scene: Scene) -> None:
    assert scene.line("Deployment", *SPEC, "containers", 0, "image") == "overlay/kustomization.yaml: x}]"
    assert scene.line("Deployment", *SPEC, "tolerations") == "overlay/kustomization.yaml: spec:"


@overlay("""
    resources: [../base]
    patches:
      - target: {kind: Deployment, name: app}
        patch: |-
          - op: replace
            path: /spec/template/spec/containers/1/image
            value: other:2
          - op: add
            path: /spec/template/spec/containers/1/args/-
            value: --last
          - op: add
            path: /spec/strategy
            value:
              type: Recreate
          - op: remove
            path: /spec/template/spec/tolerations
          - op: copy
            from: /spec/replicas
            path: /spec/minReadySeconds
    """)
def test_json_operations(scene: Scene) -> None:
    assert scene.lines("Deployment", *SERVER, "image") == [
        "overlay/kustomization.yaml: other:2",
        "base/deployment.yaml: vllm-openai",
    ]
    assert scene.line("Deployment", *SERVER, "args", 2) == "overlay/kustomization.yaml: --last"
    assert scene.line("Deployment", *SERVER, "args", 0) == "base/deployment.yaml: --port=1, --host=x]"
    assert scene.line("Deployment", "spec", "strategy", "type") == "overlay/kustomization.yaml: Recreate"
    assert scene.line("Deployment", "spec", "strategy", "x") == "overlay/kustomization.yaml: value:"
    assert scene.lines("Deployment", *SPEC, "tolerations") == [
        "overlay/kustomization.yaml: /spec/template/spec/tolerations",
        "base/deployment.yaml: tolerations:",
    ]
    assert scene.line("Deployment", "spec", "minReadySeconds") == "overlay/kustomization.yaml: /spec/minReadySeconds"


@overlay("""
    resources: [../base]
    namespace: space
    namePrefix: pre-
    nameSuffix: -post
    labels:
      - pairs: {tier: gold}
        includeTemplates: true
    commonAnnotations:
      note: text
    replicas:
      - name: app
        count: 4
    images:
      - name: vllm-openai
        newName: registry.example.com/vllm
        newTag: v1
        digest: sha256:aa
      - name: side
        newTag: "2"
    """)
def test_the_other_transformers(scene: Scene) -> None:
    kustomization = "overlay/kustomization.yaml"
    assert scene.line("Deployment", "metadata", "namespace") == f"{kustomization}: space"
    assert scene.lines("Deployment", "metadata", "name") == [
        f"{kustomization}: -post",
        f"{kustomization}: pre-",
        "base/deployment.yaml: app",
    ]
    assert scene.line("Deployment", "metadata", "labels", "tier") == f"{kustomization}: gold}}"
    assert scene.line("Deployment", "spec", "template", "metadata", "labels", "tier") == f"{kustomization}: gold}}"
    assert scene.line("Deployment", "metadata", "annotations", "note") == f"{kustomization}: text"
    assert scene.lines("Deployment", "spec", "replicas") == [f"{kustomization}: 4", "base/deployment.yaml: 1"]
    assert scene.lines("Deployment", *SERVER, "image") == [
        f"{kustomization}: sha256:aa",
        "base/deployment.yaml: vllm-openai",
    ]
    assert scene.line("Deployment", *SERVER, "image", "name") == f"{kustomization}: registry.example.com/vllm"
    assert scene.line("Deployment", *SERVER, "image", "tag") == f"{kustomization}: v1"
    assert scene.line("Deployment", *SPEC, "containers", 0, "image") == f'{kustomization}: "2"'
    assert scene.line("Deployment", *SPEC, "containers", 0, "image", "name") == "base/deployment.yaml: side:1"


@overlay("""
    resources: [../base]
    replacements:
      - source: {kind: Rollout, fieldPath: spec.steps.1.setWeight}
        targets:
          - select: {kind: Deployment}
            fieldPaths:
              - spec.replicas
      - sourceValue: tmp-2
        targets:
          - select: {kind: Deployment}
            options: {delimiter: /, index: 1}
            fieldPaths:
              - spec.template.spec.containers.[name=vllm].env.[name=TMPDIR].value
    """)
def test_replacements(scene: Scene) -> None:
    assert scene.lines("Deployment", "spec", "replicas") == [
        "overlay/kustomization.yaml: spec.replicas",
        "base/rollout.yaml: 50",
        "base/deployment.yaml: 1",
    ]
    assert scene.lines("Deployment", *SERVER, "env", 1, "value")[0] == "overlay/kustomization.yaml: tmp-2"


@overlay(
    """
    resources: [../base]
    configMapGenerator:
      - name: serve
        files: [serve.yaml, renamed.txt=some.txt]
        literals: [A=1]
        envs: [some.env]
      - name: fixed
        options: {disableNameSuffixHash: true}
        literals: [B=2]
    components: [../component]
    """,
    overlay__serve_yaml="""
    # how the engine runs
    model: m
    limits:
      - name: x
        value: 2
    """,
    **{"overlay/some.txt": "hello\n", "overlay/some.env": "# comment\nENVKEY=value\n"},
    component__kustomization_yaml="""
    apiVersion: kustomize.config.k8s.io/v1alpha1
    kind: Component
    configMapGenerator:
      - name: serve
        behavior: merge
        literals: [A=5]
    patches:
      - target: {name: fixed}
        patch: '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"C": "3"}}'
    """,
)
def test_generators(scene: Scene) -> None:
    trace = scene.trace()
    name = next(one["metadata"]["name"] for one in scene.objects() if one["metadata"]["name"].startswith("serve-"))

    def line(name: str, *path: str | int) -> str:
        place, _ = trace.locate(ObjectRef("ConfigMap", name, "", "v1"), path)
        return scene.shown(place.file, place.line, place.column)

    assert line(name) == "overlay/kustomization.yaml: name: serve"
    assert line(name, "data", "serve.yaml") == "overlay/serve.yaml: # how the engine runs"
    assert line(name, "data", "serve.yaml", "model") == "overlay/serve.yaml: m"
    assert line(name, "data", "serve.yaml", "limits", 0, "value") == "overlay/serve.yaml: 2"
    assert line(name, "data", "serve.yaml", "revision") == "overlay/serve.yaml: model: m"
    assert line(name, "data", "renamed.txt") == "overlay/some.txt: hello"
    assert line(name, "data", "A") == "component/kustomization.yaml: A=5]"
    assert line(name, "data", "ENVKEY") == "overlay/some.env: ENVKEY=value"
    assert line("fixed", "data", "B") == "overlay/kustomization.yaml: B=2]"
    assert line("fixed", "data", "C").startswith("component/kustomization.yaml: '{")
    assert line("fixed", "data", "D") == "overlay/kustomization.yaml: name: fixed"


@overlay(
    "resources: [../base, config.yaml]",
    overlay__config_yaml="""
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: config
    data:
      serve.yaml: |
        # comment
        model: m
        revision: main
      other: "one line"
    """,
)
def test_text_inside_a_block(scene: Scene) -> None:
    assert scene.line("ConfigMap", "data", "serve.yaml", "revision") == "overlay/config.yaml: main"
    assert scene.line("ConfigMap", "data", "serve.yaml", "dtype") == "overlay/config.yaml: model: m"
    assert scene.line("ConfigMap", "data", "other", "x") == 'overlay/config.yaml: "one line"'


@overlay(
    """
    resources: [../base, config.yaml]
    replacements:
      - sourceValue: "7"
        targets:
          - select: {kind: ConfigMap}
            fieldPaths: [data.serve\\.yaml.size]
    """,
    overlay__config_yaml="""
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: config}
    data:
      serve.yaml: |
        model: m
        size: 1
    """,
)
def test_a_replacement_inside_a_block(scene: Scene) -> None:
    assert scene.lines("ConfigMap", "data", "serve.yaml", "size") == [
        'overlay/kustomization.yaml: "7"',
        "overlay/config.yaml: 1",
    ]
    assert scene.line("ConfigMap", "data", "serve.yaml", "model") == "overlay/config.yaml: m"


@overlay(
    """
    resources: [../base]
    patches:
      - path: a.yaml
    """,
    overlay__a_yaml="""
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: app}
    spec: {replicas: 2}
    """,
)
def test_files_of_the_repository(scene: Scene) -> None:
    Scene.of(scene.root, {"lockgate.yaml": "version: 1\npools:\n  a:\n    gpus: 3\n"})
    assert (
        scene.line("Kustomization", "overlay/kustomization.yaml", "patches", 0)
        == "overlay/kustomization.yaml: path: a.yaml"
    )
    assert (
        scene.line("Kustomization", "overlay/kustomization.yaml", "images")
        == "overlay/kustomization.yaml: resources: [../base]"
    )
    assert scene.line("Settings", "lockgate.yaml", "pools", "a", "gpus") == "lockgate.yaml: 3"
    assert scene.line("Settings", "lockgate.yaml", "pools", "b", "gpus") == "lockgate.yaml: pools:"


@overlay("resources: [../base]")
def test_what_cannot_be_traced_is_at_the_kustomization(scene: Scene) -> None:
    trace = scene.trace()
    assert trace.locate(ObjectRef("Secret", "none"), ("data",)) == (Location("overlay/kustomization.yaml", 1), ())
    assert trace.locate(ObjectRef("Settings", "none.yaml"), ("x",)) == (Location("none.yaml", 1), ())
    (scene.root / "base/deployment.yaml").write_text("a: [\n", encoding="utf-8")
    broken = Trace(scene.root, OVERLAY, [])
    assert broken.locate(ObjectRef("Deployment", "app"), ()) == (Location("overlay/kustomization.yaml", 1), ())


@overlay(
    "resources: [one.yaml]",
    overlay__one_yaml="""
    apiVersion: v1
    kind: List
    items:
      - apiVersion: v1
        kind: Service
        metadata: {name: a, namespace: one}
      - apiVersion: v1
        kind: Service
        metadata: {name: a, namespace: two}
      - apiVersion: serving.knative.dev/v1
        kind: Service
        metadata: {name: a, namespace: two}
    """,
)
def test_namespace_and_group_tell_objects_apart(scene: Scene) -> None:
    trace = scene.trace()
    for namespace, api_version, line in (("one", "v1", 4), ("two", "v1", 7), ("two", "serving.knative.dev/v1", 10)):
        place, _ = trace.locate(ObjectRef("Service", "a", namespace, api_version), ())
        assert place == Location("overlay/one.yaml", line, 5)
