"""One report with every kind of finding, a clean one, and one whose texts try to break each format."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

from lockgate import report
from lockgate.model import Exemption, Finding, LeftOut, Location, ObjectRef, Report, Rule, Severity

if TYPE_CHECKING:
    from pathlib import Path

SEVERITIES = {"dev": Severity.WARNING, "canary": Severity.ERROR, "prod": Severity.ERROR}
TOKEN = "hf" + "_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZabCdEfGh"
RULES = {
    rule.id: rule
    for rule in (
        Rule(
            "CST001",
            "cost",
            "The peak fits the budget",
            "d",
            SEVERITIES,
            "Lower `maxReplicas`.",
            ("https://example.com",),
        ),
        Rule("IMG001", "images", "Images are pinned", "d", SEVERITIES, "Write the digest."),
        Rule("KEY003", "secrets", "No credential is written", "d", SEVERITIES, "Refer to the secret."),
        Rule("SCH004", "scheduling", "No GPU selector without GPU", "d", SEVERITIES, "Remove it."),
    )
}
HPA = ObjectRef("HorizontalPodAutoscaler", "api", "api-prod", "autoscaling/v2")
EXEMPTION = Exemption(0, "IMG001", "Deployment/api", ("prod",), "not pinned yet", "ml-platform", "2026-12-08")
FINDINGS = (
    Finding(
        "IMG001", Severity.ERROR, "wants a digest, found 'v0.32.0'", Location("base/deployment.yaml", 3, 12),
        (ObjectRef("Deployment", "api", "api-prod", "apps/v1"),), ("spec", "image"), ("prod",), (), EXEMPTION,
    ),
    Finding(
        "KEY003", Severity.ERROR, f"wants no credential, found a token that starts with '{TOKEN[:6]}'",
        Location("base/deployment.yaml", 4, 7), (ObjectRef("Deployment", "api", "api-dev", "apps/v1"),),
        ("spec", "env", 0, "value"), ("dev", "canary", "prod"),
    ),
    Finding(
        "SCH004", Severity.WARNING, "wants no selector, found \x1b[2J'gpu'", Location("gone.yaml", 9),
        (ObjectRef("Job", "a", "d", "batch/v1"), ObjectRef("Job", "b", "d", "batch/v1")), ("spec",), ("dev",),
    ),
    Finding(
        "CST001", Severity.ERROR, "wants at most 4 GPUs, found a peak of 8: 4 pods x 2 GPUs",
        Location("overlays/prod/hpa.yaml", 2, 3), (HPA,), ("spec", "maxReplicas"), ("prod",),
        (Location("base/hpa.yaml", 7, 3),),
    ),
)  # fmt: skip
REPORT = Report(
    environments=("dev", "canary", "prod"),
    objects={"dev": 1, "canary": 20, "prod": 30},
    rules=RULES,
    findings=FINDINGS,
    not_covered=("RayCluster/x (dev)",),
    renderer="pykustomize",
    engine="embedded",
    shared={"argocd": 2},
)
CLEAN = replace(REPORT, environments=("dev",), objects={"dev": 1}, findings=(), not_covered=(), shared={})
BASELINE = replace(
    REPORT,
    findings=(FINDINGS[0], *(replace(finding, baseline=True) for finding in FINDINGS[1:])),
    not_covered=(),
    stale=("GPU001 Deployment/gone spec.replicas (dev)",),
)
LEFT_OUT = (LeftOut("Helm charts", tuple(f"charts/{letter}" for letter in "abcdefg")),)

NASTY = "größe | 'a`b``c' <b>&amp;]]> 100% [x](y) *z* _u_ ::error file=x::y @team #1 \\ {0} 日本 🚢\x1b[2J"
NASTY_FILE = "base/a b,c:d%25/größe|`.yaml"
HOSTILE = replace(
    REPORT,
    rules={
        **RULES,
        "NET001": Rule("NET001", "network", NASTY, NASTY, {"prod": Severity.NOTE}, f"Write `a|b`, not {NASTY}"),
    },
    findings=(
        Finding(
            "NET001", Severity.NOTE, f"{NASTY} {TOKEN}", Location(NASTY_FILE, 0), (ObjectRef("Kind", NASTY),),
            ("spec",), ("prod", "dev"), (Location(NASTY_FILE, 4, 2),),
        ),
        Finding(
            "NET001", Severity.WARNING, NASTY, Location(NASTY_FILE, 7), (ObjectRef("Kind", NASTY),), ("spec",),
            ("dev",),
        ),
        Finding(
            "NET001", Severity.ERROR, NASTY, Location(NASTY_FILE, 1), (), (), ("canary",), (),
            replace(EXEMPTION, reason=f"first line\n| {NASTY} {TOKEN}", owner="", expires=""),
        ),
    ),
    not_covered=(NASTY,),
    left_out=(LeftOut(NASTY, (NASTY, f"{NASTY} {TOKEN}")),),
)  # fmt: skip
REPORTS = {
    "findings": REPORT,
    "clean": CLEAN,
    "exempted": replace(REPORT, findings=FINDINGS[:1], not_covered=()),
    "not-covered": replace(CLEAN, not_covered=REPORT.not_covered),
    "left-out": replace(CLEAN, left_out=LEFT_OUT),
    "baseline": BASELINE,
    "hostile": HOSTILE,
}


def written(name: str, what: Report, root: Path, stream: io.StringIO | None = None) -> str:
    """What a format writes."""
    target = stream or io.StringIO()
    report.FORMATS[name](what, target, root)
    return target.getvalue()


def in_a_checkout(root: Path) -> Path:
    """A folder two levels below the root of a git checkout."""
    (root / ".git").mkdir()
    folder = root / "services" / "qwen chat"
    folder.mkdir(parents=True)
    return folder
