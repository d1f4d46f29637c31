"""Documents that the rules see, results that they may return, and what no rule reads."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
import small_policies

from lockgate import evaluate, rules
from lockgate.errors import LockgateError
from lockgate.model import ObjectRef, Overlay, Rendering, Severity, Violation, plain_name
from lockgate.settings import Settings, parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

TODAY = date(2026, 11, 24)
SETTINGS = """
version: 1
clusters: {main: {gpus: 8}}
environments:
  dev: {overlay: overlays/dev, cluster: main}
  canary: {overlay: overlays/canary, cluster: main}
  prod: {overlay: overlays/prod, cluster: main}
"""
APPS = ObjectRef("Deployment", "api", "ns", "apps/v1")


def deployment(replicas: int, name: str = "api") -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "ns"},
        "spec": {"replicas": replicas},
    }


def rendering(environment: str, *objects: dict[str, Any]) -> Rendering:
    return Rendering(Overlay(environment, environment, f"overlays/{environment}"), objects, "kustomize")


def settings(*exemptions: str) -> Settings:
    return parse(SETTINGS + ("exemptions:\n" if exemptions else "") + "".join(f"  - {{{e}}}\n" for e in exemptions))


def run(
    tmp_path: Path,
    renderings: Sequence[Rendering],
    *exemptions: str,
    changes: Mapping[str, str] | None = None,
) -> evaluate.Evaluation:
    ruleset = rules.load(small_policies.write(tmp_path, changes or {}))
    return evaluate.evaluate(ruleset, settings(*exemptions), renderings, {}, TODAY)


def test_a_rule_is_silent_at_a_level_that_it_does_not_name(tmp_path: Path) -> None:
    found = run(tmp_path, [rendering("dev", deployment(5)), rendering("canary", deployment(5))]).violations
    assert [(v.rule, v.environment, v.object, v.path) for v in found if v.rule == "GPU001"] == [
        ("GPU001", "canary", APPS, ("spec", "replicas"))
    ]


def test_places_that_could_be_the_culprit_are_kept(tmp_path: Path) -> None:
    [violation] = run(tmp_path, [rendering("prod", deployment(5))]).violations
    lockgate_yaml = ObjectRef("Settings", "lockgate.yaml", "", "lockgate")
    assert violation.also == ((lockgate_yaml, ("environments", "prod", "gpu_budget")),)
    assert violation.message == "replicas want at most 4, found 5"


def test_the_repository_is_judged_by_the_facts_of_its_environments(tmp_path: Path) -> None:
    found = run(tmp_path, [rendering("dev", deployment(4)), rendering("prod", deployment(6))]).violations
    [total] = [v for v in found if v.rule == "EXM001"]
    assert (total.message, total.environments, total.environment) == (
        "all environments together want at most 9 replicas, found 10",
        ("prod",),
        "",
    )


EXEMPTION = 'rule: GPU001, object: Deployment/api, environments: [{}], reason: r, owner: o, expires: "{}"'


def unused(found: evaluate.Evaluation) -> list[Violation]:
    return [v for v in found.violations if v.rule == "EXM001"]


def test_an_exemption_that_matches_is_used(tmp_path: Path) -> None:
    assert unused(run(tmp_path, [rendering("prod", deployment(5))], EXEMPTION.format("prod", "2026-12-01"))) == []
    expired = EXEMPTION.format("prod", "2026-11-01")
    assert unused(run(tmp_path, [rendering("prod", deployment(5))], expired)) == []


def test_an_exemption_without_a_match_is_unused(tmp_path: Path) -> None:
    [violation] = unused(run(tmp_path, [rendering("prod", deployment(4))], EXEMPTION.format("prod", "2026-11-26")))
    assert violation.message == "the exemption wants a finding, found none; 2 days left"
    assert violation.severity is Severity.WARNING


def test_the_use_of_an_exemption_is_not_judged_where_nobody_looked(tmp_path: Path) -> None:
    only_prod = [rendering("prod", deployment(4))]
    assert unused(run(tmp_path, only_prod, EXEMPTION.format("canary", "2026-12-01"))) == []
    assert unused(run(tmp_path, only_prod, EXEMPTION.format("", "2026-12-01"))) == []


def test_an_exemption_of_a_repository_rule_counts_as_used(tmp_path: Path) -> None:
    entry = "rule: EXM001, object: Settings/lockgate.yaml, environments: [prod], reason: r, owner: o, expires: x"
    found = run(tmp_path, [rendering("prod", deployment(10))], entry)
    assert [v.path for v in unused(found)] == [("clusters", "main")]


@pytest.mark.parametrize(
    ("expires", "left"), [("2026-11-24", 0), ("2026-11-23", -1), ("2026-12-24", 30), ("", None), ("soon", None)]
)
def test_days_are_counted_to_the_last_one(expires: str, left: int | None) -> None:
    [exemption] = settings(EXEMPTION.format("prod", expires)).exempted()
    assert evaluate.days_left(exemption, TODAY) == left


@pytest.mark.parametrize(
    ("kind", "name", "plain"),
    [
        ("ConfigMap", "api-serve-5h8mfk2t7c", "api-serve"),
        ("Secret", "x-2222222222", "x"),
        ("ConfigMap", "api-serve-deployment", "api-serve-deployment"),
        ("ConfigMap", "api-serve-aaaaaaaaaa", "api-serve-aaaaaaaaaa"),
        ("Deployment", "api-5h8mfk2t7c", "api-5h8mfk2t7c"),
        ("ConfigMap", "5h8mfk2t7c", "5h8mfk2t7c"),
    ],
)
def test_a_generated_name_is_known_without_its_hash(kind: str, name: str, plain: str) -> None:
    assert plain_name(ObjectRef(kind, name)) == plain


REF = '{"apiVersion": "v1", "kind": "Pod", "namespace": "", "name": "a"}'
GOOD = {"id": '"GPU001"', "msg": '"m"', "object": REF, "path": "[]"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"msg": None}, "lacks 'msg'"),
        ({"id": "1"}, "has 'id' of the wrong type"),
        ({"path": '"spec"'}, "has 'path' of the wrong type"),
        ({"path": "[true]"}, "names an object or path of the wrong shape"),
        ({"object": '{"kind": "Pod"}'}, "names an object or path of the wrong shape"),
        ({"object": REF.replace('"a"', "1")}, "names an object or path of the wrong shape"),
        ({"line": "1"}, "has the unknown key 'line'"),
        ({"also": '"x"'}, "has 'also' of the wrong type"),
        ({"fix": '{"op": "remove", "path": ["a"]}'}, "has 'fix' of the wrong type"),
        ({"fix": '["a"]'}, "has a fix of the wrong shape"),
        ({"fix": '[{"op": "drop", "path": ["a"]}]'}, "has a fix of the wrong shape"),
        ({"fix": '[{"op": "set", "path": ["a"]}]'}, "has a fix of the wrong shape"),
        ({"fix": '[{"op": "remove", "path": ["a"], "value": 1}]'}, "has a fix of the wrong shape"),
        ({"fix": '[{"op": "append", "path": [true], "value": 1}]'}, "has a fix of the wrong shape"),
        ({"also": '["x"]'}, "names an object or path of the wrong shape"),
        ({"severity": '"fatal"'}, "has the severity 'fatal'"),
        ({"msg": '"a\\nb"'}, "has a message of several lines"),
        ({"id": '"GPU009"'}, "has the id 'GPU009', which no METADATA in this file gives"),
        ({"id": '"EXM001"'}, "has the id 'EXM001', which no METADATA in this file gives"),
    ],
)
def test_a_result_of_the_wrong_shape_names_the_rule_file(
    tmp_path: Path, change: dict[str, str | None], problem: str
) -> None:
    fields = ", ".join(f'"{key}": {value}' for key, value in {**GOOD, **change}.items() if value is not None)
    head = small_policies.GPU[: small_policies.GPU.index("deny contains")]
    changes = {"gpu.rego": f"{head}deny contains result if result := {{{fields}}}\n"}
    with pytest.raises(LockgateError) as caught:
        run(tmp_path, [rendering("prod", deployment(1))], changes=changes)
    assert caught.value.message.startswith(f"gpu.rego:6: a result {problem}: ")


def test_a_result_that_is_no_object_names_the_rule_file(tmp_path: Path) -> None:
    head = small_policies.GPU[: small_policies.GPU.index("deny contains")]
    with pytest.raises(LockgateError, match=r"gpu\.rego:6: a result is no object: 'x'"):
        run(tmp_path, [rendering("prod")], changes={"gpu.rego": f'{head}deny contains "x"\n'})


POD = {"containers": [{"name": "a", "image": "b"}]}


@pytest.mark.parametrize(
    ("kind", "spec", "unread"),
    [
        ("apps/v1 Deployment", {"template": {"spec": POD}}, False),
        ("batch/v1 CronJob", {"jobTemplate": {"spec": {"template": {"spec": POD}}}}, False),
        ("v1 Pod", POD, False),
        ("argoproj.io/v1alpha1 Rollout", {"workloadRef": {"name": "a"}}, False),
        (
            "leaderworkerset.x-k8s.io/v1 LeaderWorkerSet",
            {"leaderWorkerTemplate": {"workerTemplate": {"spec": POD}}},
            False,
        ),
        ("serving.kserve.io/v1beta1 InferenceService", {"predictor": POD}, False),
        ("serving.kserve.io/v1beta1 InferenceService", {"predictor": {"model": {}}}, True),
        ("serving.kserve.io/v1alpha1 ServingRuntime", POD, True),
        ("ray.io/v1 RayCluster", {"headGroupSpec": {"template": {"spec": POD}}}, True),
        ("ray.io/v1 RayService", {}, True),
        ("example.com/v1 Fleet", {"groups": [{"template": {"spec": POD}}]}, True),
        ("kyverno.io/v1 ClusterPolicy", {"rules": [{"validate": {"pattern": {"spec": POD}}}]}, False),
        ("example.com/v1 Shipping", {"containers": [{"name": "teu-20"}]}, False),
        ("v1 ConfigMap", None, False),
    ],
)
def test_pods_that_no_rule_reads_are_told(kind: str, spec: Any, *, unread: bool) -> None:
    version, _, name = kind.partition(" ")
    obj = {"apiVersion": version, "kind": name, "metadata": {"name": "x"}, "spec": spec}
    assert evaluate.holds_unread_pods(obj) == unread


def test_what_is_not_covered_is_listed_by_environment(tmp_path: Path) -> None:
    ray = {"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": "x"}, "spec": {}}
    job = {"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "y"}, "spec": {}}
    facts = small_policies.FACTS + '\nnot_covered contains {"kind": "Thing", "name": "y"}\n'
    found = run(tmp_path, [rendering("dev", ray), rendering("prod", job, ray)], changes={"facts.rego": facts})
    assert found.not_covered == ("RayCluster/x (dev)", "Thing/y (prod)", "RayCluster/x (prod)")
