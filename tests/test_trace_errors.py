"""Sources that cannot be built: the message names file and line, and says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from trace_scene import OVERLAY, Scene

from lockgate.errors import LockgateError
from lockgate.trace import check_sources

OBJECT = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\n"
COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnamePrefix: a-\n"
OVERLAY_FILE = "overlay/kustomization.yaml"

CASES: dict[str, tuple[dict[str, str], str]] = {
    "no folder": ({"other/x": ""}, "there is no folder 'overlay'"),
    "no kustomization": ({"overlay/x.yaml": OBJECT}, "folder 'overlay' has no kustomization.yaml"),
    "two kustomizations": (
        {OVERLAY_FILE: "resources: []", "overlay/Kustomization": "resources: []"},
        "folder 'overlay' has several kustomizations: kustomization.yaml, Kustomization",
    ),
    "empty": ({OVERLAY_FILE: "# nothing"}, f"{OVERLAY_FILE}:1: the kustomization is empty"),
    "only a kind": ({OVERLAY_FILE: "kind: Kustomization"}, f"{OVERLAY_FILE}:1: the kustomization is empty"),
    "not a kustomization": ({OVERLAY_FILE: OBJECT}, f"{OVERLAY_FILE}:2: kind 'Service' is no kustomization"),
    "unknown field": (
        {OVERLAY_FILE: "resources: []\npatchs: []\n"},
        f"{OVERLAY_FILE}:2: unknown field 'patchs' in a kustomization",
    ),
    "unreadable": ({OVERLAY_FILE: "resources:\n\t- x\n"}, f"{OVERLAY_FILE}:2: no valid YAML: "),
    "missing resource": (
        {OVERLAY_FILE: "resources:\n  - a.yaml\n  - gone.yaml\n", "overlay/a.yaml": OBJECT},
        f"{OVERLAY_FILE}:3: resource 'gone.yaml' does not exist",
    ),
    "missing base": ({OVERLAY_FILE: "resources: [../gone]"}, f"{OVERLAY_FILE}:1: resource '../gone' does not exist"),
    "base without kustomization": (
        {OVERLAY_FILE: "resources: [../base]", "base/x.yaml": OBJECT},
        f"{OVERLAY_FILE}:1: folder 'base' has no kustomization.yaml",
    ),
    "broken resource": (
        {OVERLAY_FILE: "resources: [x.yaml]", "overlay/x.yaml": "a: 1\n b: 2\n"},
        "overlay/x.yaml:2: no valid YAML: ",
    ),
    "no object": (
        {OVERLAY_FILE: "resources: [x.yaml]", "overlay/x.yaml": "# c\nreplicas: 1\n"},
        "overlay/x.yaml:2: no Kubernetes object: it has no 'kind'",
    ),
    "no name": (
        {OVERLAY_FILE: "resources: [x.yaml]", "overlay/x.yaml": "apiVersion: v1\nkind: Service\n"},
        "overlay/x.yaml:2: Service has no metadata.name",
    ),
    "circle": (
        {OVERLAY_FILE: "resources: [../a]", "a/kustomization.yaml": "resources:\n- ../overlay\n"},
        "a/kustomization.yaml:2: '../overlay' leads in a circle: overlay -> a -> overlay",
    ),
    "itself": ({OVERLAY_FILE: "resources: [.]"}, f"{OVERLAY_FILE}:1: '.' leads in a circle: overlay -> overlay"),
    "component as resource": (
        {OVERLAY_FILE: "resources: [../c]", "c/kustomization.yaml": COMPONENT},
        f"{OVERLAY_FILE}:1: '../c' is a component",
    ),
    "resource as component": (
        {OVERLAY_FILE: "components: [../c]", "c/kustomization.yaml": "namePrefix: a-"},
        f"{OVERLAY_FILE}:1: '../c' is no component",
    ),
    "missing component": ({OVERLAY_FILE: "components: [../c]"}, f"{OVERLAY_FILE}:1: component '../c' is no folder"),
    "missing patch": (
        {OVERLAY_FILE: "patches:\n  - path: p.yaml\n"},
        f"{OVERLAY_FILE}:2: patch 'p.yaml' is no file",
    ),
    "patch without text": ({OVERLAY_FILE: "patches:\n  - target: {}\n"}, f"{OVERLAY_FILE}:2: a patch needs 'path' or"),
    "broken inline patch": (
        {OVERLAY_FILE: "patches:\n  - patch: |-\n      a: 1\n       b: 2\n"},
        f"{OVERLAY_FILE}:4: no valid YAML: ",
    ),
    "missing generator file": (
        {OVERLAY_FILE: "configMapGenerator:\n  - name: c\n    files:\n      - a=gone.txt\n"},
        f"{OVERLAY_FILE}:4: ConfigMap 'c' is made from 'gone.txt', which is no file",
    ),
    "missing replacement file": (
        {OVERLAY_FILE: "replacements:\n  - path: r.yaml\n"},
        f"{OVERLAY_FILE}:2: replacement file 'r.yaml' is no file",
    ),
    "missing configuration": (
        {OVERLAY_FILE: "configurations: [c.yaml]"},
        f"{OVERLAY_FILE}:1: configuration 'c.yaml' is no file",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_fault_in_the_sources_is_named(tmp_path: Path, case: str) -> None:
    files, message = CASES[case]
    Scene.of(tmp_path, files)
    with pytest.raises(LockgateError) as caught:
        check_sources(tmp_path, OVERLAY)
    assert caught.value.message.startswith(message)
    assert caught.value.hint


def test_an_unknown_field_names_the_nearest(tmp_path: Path) -> None:
    Scene.of(tmp_path, {OVERLAY_FILE: "resource: [x.yaml]"})
    with pytest.raises(LockgateError) as caught:
        check_sources(tmp_path, OVERLAY)
    assert caught.value.hint == "did you mean 'resources'?"


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    Scene.of(tmp_path, {OVERLAY_FILE: "resources: [x.yaml]"})
    (tmp_path / "overlay/x.yaml").write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(LockgateError, match=r"overlay/x\.yaml:2: not UTF-8 text: byte 0xff"):
        check_sources(tmp_path, OVERLAY)


def test_binary_content_of_a_generator_is_allowed(tmp_path: Path) -> None:
    Scene.of(tmp_path, {OVERLAY_FILE: "configMapGenerator: [{name: a, files: [x.bin]}]"})
    (tmp_path / "overlay/x.bin").write_bytes(b"\xff\x00")
    check_sources(tmp_path, OVERLAY)


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Scene.of(tmp_path, {OVERLAY_FILE: "resources: [x.yaml]", "overlay/x.yaml": OBJECT})
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:  # root may read everything, so the mode alone proves nothing
        if path.name == "x.yaml":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(LockgateError, match=r"overlay/x\.yaml:1: cannot be read: Permission denied"):
        check_sources(tmp_path, OVERLAY)


def test_a_sound_tree_is_silent(tmp_path: Path) -> None:
    Scene.of(tmp_path, {OVERLAY_FILE: "resources: [x.yaml]", "overlay/x.yaml": OBJECT})
    check_sources(tmp_path, OVERLAY)
