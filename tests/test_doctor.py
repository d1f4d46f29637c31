"""What `lockgate doctor` makes of an API server's words; the server itself is in tests/cluster/test_doctor.py."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from lockgate.doctor.cluster import Cluster, Refusal
from lockgate.doctor.kinds import fields_of, steps
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.model import Path as Field


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("spec", ("spec",)),
        ("spec.template.spec.containers[0].image", ("spec", "template", "spec", "containers", 0, "image")),
        ('metadata.labels["a.b/c"]', ("metadata", "labels")),
        ('spec.template.spec.containers[name="vllm"].lifecycle.beforeStop', ("spec", "template", "spec", "containers")),
        ("spec.accessModes", ("spec", "accessModes")),
    ],
)
def test_a_field_becomes_a_path(field: str, path: Field) -> None:
    assert steps(field) == path


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ('a[name="two"].x', ("a", 1, "x")),
        ('a[name="two",port=80].x', ("a", 1, "x")),
        ('a[name="three"].x', ("a",)),
        ('b[name="two"].x', ("b",)),
    ],
)
def test_an_item_that_is_named_has_its_index(field: str, path: Field) -> None:
    assert steps(field, {"a": [{"name": "one"}, {"name": "two", "port": 80}], "b": 3}) == path


@pytest.mark.parametrize(
    ("refusal", "paths"),
    [
        (Refusal(422, "is invalid", "Invalid", ("spec.type", "spec.type")), (("spec", "type"),)),
        (Refusal(500, "failed: .spec.paused_: field not declared in schema"), (("spec", "paused_"),)),
        (Refusal(400, 'strict decoding error: unknown field "spec.a", unknown field "b"'), (("spec", "a"), ("b",))),
        (Refusal(403, "exceeded quota: gpu"), ()),
    ],
)
def test_a_refusal_blames_its_fields(refusal: Refusal, paths: tuple[Field, ...]) -> None:
    assert fields_of(refusal) == paths


def test_a_right_that_is_missing_is_told_from_what_admission_forbids() -> None:
    assert Refusal(403, 'pods is forbidden: User "a" cannot list resource "pods" in API group ""').no_right
    assert not Refusal(403, 'pods "a" is forbidden: violates PodSecurity "restricted:v1.36"').no_right
    assert not Refusal(403, 'pods "a" is forbidden: exceeded quota: gpu').no_right


def test_without_the_client_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    with pytest.raises(LockgateError, match="needs the Kubernetes client") as caught:
        Cluster(tmp_path / "config", "", 1)
    assert caught.value.hint == "pip install 'lockgate[doctor]'"
