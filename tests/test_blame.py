"""Which line is to blame: in a base, in one environment's file, in several places at once."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from lockgate import blame
from lockgate.model import (
    Finding,
    Location,
    ObjectRef,
    Overlay,
    Path,
    Rendering,
    Rule,
    Severity,
    Violation,
)
from lockgate.settings import Settings, parse

TODAY = date(2026, 11, 24)
ENVIRONMENTS = ("dev", "canary", "prod")
ALL = {"dev": Severity.WARNING, "canary": Severity.ERROR, "prod": Severity.ERROR}
RULES = {
    "GPU002": Rule("GPU002", "gpu", "t", "d", ALL, "r"),
    "CST003": Rule("CST003", "cost", "t", "d", ALL, "r"),
    "IMG001": Rule("IMG001", "images", "t", "d", {"canary": Severity.ERROR, "prod": Severity.ERROR}, "r"),
}
SETTINGS = """
version: 1
pools: {a100: {}, h100: {}}
clusters: {main: {gpus: 8}}
environments:
  dev: {overlay: overlays/dev, pool: a100, cluster: main}
  canary: {overlay: overlays/canary, pool: h100, cluster: main}
  prod: {overlay: overlays/prod, pool: h100, cluster: main}
"""
HASHES = dict(zip(ENVIRONMENTS, ("2222222222", "4444444444", "5555555555"), strict=True))
LIMIT: Path = ("spec", "limit")
FLAG: Path = ("data", "serve.yaml", "tensor-parallel-size")
LOCKGATE = ObjectRef("Settings", "lockgate.yaml", "", "lockgate")


def server(environment: str) -> ObjectRef:
    return ObjectRef("Deployment", "api", f"api-{environment}", "apps/v1")


def config(environment: str) -> ObjectRef:
    return ObjectRef("ConfigMap", f"api-serve-{HASHES[environment]}", f"api-{environment}", "v1")


def rendering(environment: str) -> Rendering:
    objects: list[dict[str, Any]] = [
        {"apiVersion": r.api_version, "kind": r.kind, "metadata": {"name": r.name, "namespace": r.namespace}}
        for r in (server(environment), config(environment))
    ]
    return Rendering(Overlay(environment, environment, f"overlays/{environment}"), tuple(objects), "")


class Sources:
    """Where fields are written: the limit in the base, the flag in each release, but for `patched`."""

    def __init__(self, *patched: str) -> None:
        self.patched = patched

    def locate(self, environment: str, ref: ObjectRef, path: Path) -> Location:
        if ref.kind in {"Settings", "Kustomization"}:
            return Location(ref.name, 1 + len(path))
        if ref.kind == "ConfigMap":
            return Location(f"overlays/{environment}/release/serve.yaml", 4)
        if environment in self.patched:
            return Location(f"overlays/{environment}/gpus.yaml", 9)
        return Location("base/deployment.yaml", 20, 7)


def gpus(environment: str, message: str = "wanted 2, found 1") -> Violation:
    also = ((config(environment), FLAG),)
    return Violation("GPU002", message, server(environment), LIMIT, also, environment)


def run(*violations: Violation, patched: tuple[str, ...] = (), exempt: tuple[str, ...] = ()) -> tuple[Finding, ...]:
    settings: Settings = parse(
        SETTINGS + ("exemptions:\n" if exempt else "") + "".join(f"  - {{{entry}}}\n" for entry in exempt)
    )
    return blame.findings(
        violations, RULES, settings, [rendering(e) for e in ENVIRONMENTS], blame.Lines(Sources(*patched).locate), TODAY
    )


def shown(findings: tuple[Finding, ...]) -> list[tuple[str, tuple[str, ...]]]:
    return [(str(finding.location), finding.environments) for finding in findings]


def test_an_edit_in_the_base_is_one_finding_of_all_environments() -> None:
    [finding] = run(*map(gpus, ENVIRONMENTS))
    assert finding == Finding(
        rule="GPU002",
        severity=Severity.ERROR,
        message="wanted 2, found 1",
        location=Location("base/deployment.yaml", 20, 7),
        objects=(server("canary"), server("dev"), server("prod")),
        path=LIMIT,
        environments=ENVIRONMENTS,
        related=tuple(Location(f"overlays/{e}/release/serve.yaml", 4) for e in ("canary", "dev", "prod")),
    )


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_edit_in_one_release_is_a_finding_there(environment: str) -> None:
    [finding] = run(gpus(environment))
    assert shown((finding,)) == [(f"overlays/{environment}/release/serve.yaml:4", (environment,))]
    assert finding.related == (Location("base/deployment.yaml", 20, 7),)
    assert finding.severity is ALL[environment]


def test_edits_in_two_releases_are_two_findings() -> None:
    assert shown(run(gpus("dev"), gpus("prod"))) == [
        ("overlays/dev/release/serve.yaml:4", ("dev",)),
        ("overlays/prod/release/serve.yaml:4", ("prod",)),
    ]


def test_a_patch_that_overrides_the_base_is_to_blame_where_it_holds() -> None:
    assert shown(run(gpus("prod"), patched=("prod",))) == [("overlays/prod/gpus.yaml:9", ("prod",))]
    assert shown(run(*map(gpus, ENVIRONMENTS), patched=("prod",))) == [
        ("base/deployment.yaml:20", ("dev", "canary")),
        ("overlays/prod/gpus.yaml:9", ("prod",)),
    ]


def test_a_shared_line_is_the_one_place_that_is_left() -> None:
    violations = [Violation("GPU002", "m", server(e), LIMIT, (), e) for e in ("dev", "canary")]
    assert shown(run(*violations)) == [("base/deployment.yaml:20", ("dev", "canary"))]


def test_an_environment_at_whose_level_the_rule_is_off_says_nothing_about_the_base() -> None:
    violations = [Violation("IMG001", "m", server(e), LIMIT, ((config(e), FLAG),), e) for e in ("canary", "prod")]
    assert shown(run(*violations)) == [("base/deployment.yaml:20", ("canary", "prod"))]


def test_a_message_whose_numbers_differ_is_the_last_environments() -> None:
    findings = run(gpus("dev", "a"), gpus("canary", "b"), gpus("prod", "c"))
    assert [(f.message, str(f.location), f.environments) for f in findings] == [
        ("c", "base/deployment.yaml:20", ENVIRONMENTS)
    ]


def test_several_messages_about_one_field_are_all_kept() -> None:
    findings = run(gpus("dev", "b"), gpus("prod", "c"), gpus("prod", "a"), gpus("canary", "a"))
    assert [(f.message, f.environments) for f in findings] == [("a", ENVIRONMENTS), ("c", ("prod",))]


def test_objects_with_one_fault_at_one_line_are_one_finding() -> None:
    other = ObjectRef("Deployment", "other", "api-dev", "apps/v1")
    first = Violation("GPU002", "m", server("dev"), ("spec", "b"), (), "dev")
    second = Violation("GPU002", "m", other, ("spec", 1), (), "dev")
    [finding] = run(first, second)
    assert finding.objects == (server("dev"), other)
    assert finding.path == ("spec", 1)


@pytest.mark.parametrize(
    ("path", "environment", "line"),
    [
        (("environments", "prod", "gpu_budget"), "prod", 4),
        (("pools", "h100", "gpus"), "prod", None),
        (("pools", "a100", "gpus"), "dev", 4),
    ],
)
def test_a_number_of_the_team_serves_the_environments_it_speaks_of(
    path: Path, environment: str, line: int | None
) -> None:
    # The base is shared, so the other place is better, if it is this environment's alone.
    violation = Violation("GPU002", "m", server(environment), LIMIT, ((LOCKGATE, path),), environment)
    [finding] = run(violation)
    expected = Location("lockgate.yaml", line) if line else Location("base/deployment.yaml", 20, 7)
    assert finding.location == expected


def test_a_kustomization_serves_its_overlay() -> None:
    file = ObjectRef("Kustomization", "overlays/prod/kustomization.yaml", "", "kustomize.config.k8s.io/v1beta1")
    violation = Violation("GPU002", "m", server("prod"), LIMIT, ((file, ("images", 0)),), "prod")
    assert shown(run(violation)) == [("overlays/prod/kustomization.yaml:3", ("prod",))]


def test_a_repository_rule_names_its_environments() -> None:
    violation = Violation("CST003", "m", LOCKGATE, ("clusters", "main"), environments=("prod", "dev"))
    [finding] = run(violation)
    assert (finding.environments, finding.severity) == (("dev", "prod"), Severity.ERROR)
    [finding] = run(Violation("CST003", "m", LOCKGATE, ("clusters", "main")))
    assert finding.environments == ENVIRONMENTS
    [finding] = run(Violation("IMG001", "m", LOCKGATE, ("clusters", "main")))
    assert finding.environments == ("canary", "prod")


def test_a_rule_may_lower_its_severity_and_not_raise_it() -> None:
    lowered = Violation("GPU002", "m", server("prod"), LIMIT, (), "prod", severity=Severity.NOTE)
    raised = Violation("GPU002", "n", server("dev"), LIMIT, (), "dev", severity=Severity.ERROR)
    assert [run(violation)[0].severity for violation in (lowered, raised)] == [Severity.NOTE, Severity.WARNING]


ENTRY = 'rule: GPU002, object: Deployment/api, environments: [{}], reason: r, owner: o, expires: "{}"'


def test_an_exempted_environment_splits_from_the_others() -> None:
    findings = run(*map(gpus, ENVIRONMENTS), exempt=(ENTRY.format("prod", "2026-11-24"),))
    assert [(f.environments, f.exemption is not None) for f in findings] == [
        (("dev", "canary"), False),
        (("prod",), True),
    ]
    assert {str(f.location) for f in findings} == {"base/deployment.yaml:20"}


@pytest.mark.parametrize(
    "entry",
    [
        ENTRY.format("prod", "2026-11-23"),
        ENTRY.format("canary", "2026-12-24"),
        ENTRY.format("prod", "2026-12-24").replace("GPU002", "GPU001"),
        ENTRY.format("prod", "2026-12-24").replace("Deployment/api", "Deployment/ap"),
    ],
    ids=["expired", "elsewhere", "rule", "object"],
)
def test_an_exemption_that_does_not_hold_exempts_nothing(entry: str) -> None:
    assert [f.exemption for f in run(gpus("prod"), exempt=(entry,))] == [None]


@pytest.mark.parametrize("missing", ["reason: r, ", "owner: o, ", ', expires: "2026-12-24"'])
def test_an_incomplete_exemption_covers_since_it_is_a_finding_itself(missing: str) -> None:
    entry = ENTRY.format("prod", "2026-12-24").replace(missing, "")
    [finding] = run(gpus("prod"), exempt=(entry,))
    assert finding.exemption is not None


def test_an_exemption_without_environments_holds_in_all() -> None:
    [finding] = run(*map(gpus, ENVIRONMENTS), exempt=(ENTRY.format("", "2026-12-24"),))
    assert finding.exemption is not None
    assert finding.environments == ENVIRONMENTS


def test_a_generated_object_is_exempted_by_its_name_without_hash() -> None:
    violation = Violation("GPU002", "m", config("prod"), FLAG, (), "prod")
    entry = ENTRY.format("prod", "2026-12-24").replace("Deployment/api", "ConfigMap/api-serve")
    [finding] = run(violation, exempt=(entry,))
    assert finding.exemption is not None


def test_the_order_of_violations_does_not_matter() -> None:
    violations = [gpus(e, m) for e in ENVIRONMENTS for m in ("b", "a")]
    assert run(*violations) == run(*reversed(violations))


def test_a_credential_in_a_message_is_hidden() -> None:
    token = "hf" + "_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZabCdEfGh"
    [finding] = run(gpus("prod", f"wanted none, found '{token}'"))
    assert finding.message == "wanted none, found '***'"
