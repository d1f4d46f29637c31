"""A policies folder of a few rules, for the tests of what runs rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RULE = """# METADATA
# title: Containers have a memory limit
# description: >-
#   Without one the node decides.
# related_resources:
#   - https://kubernetes.io
# custom:
#   id: {id}
#   severity: {{canary: warning, prod: error}}
#   remediation: Set `limits.memory`.
"""

OBJECTS = """package lockgate.lib.objects

import rego.v1

all := object.get(input, "objects", [])

ref(obj) := {
\t"apiVersion": obj.apiVersion, "kind": obj.kind,
\t"namespace": object.get(obj.metadata, "namespace", ""), "name": obj.metadata.name,
}
"""

GPU = (
    "package lockgate.gpu\n\nimport data.lockgate.lib.objects\nimport rego.v1\n\n"
    + RULE.format(id="GPU001")
    + """deny contains result if {
\tsome obj in objects.all
\tsome i, container in obj.spec.template.spec.containers
\tnot container.resources.limits.memory
\tresult := {
\t\t"id": "GPU001", "msg": sprintf("container '%s' wants a memory limit, found none", [container.name]),
\t\t"object": objects.ref(obj), "path": ["spec", "template", "spec", "containers", i, "resources"],
\t}
}

deny contains result if {
\tsome obj in objects.all
\tobj.spec.replicas > data.limits.replicas
\tresult := {
\t\t"id": "GPU001", "msg": sprintf("replicas want at most %d, found %d", [data.limits.replicas, obj.spec.replicas]),
\t\t"object": objects.ref(obj), "path": ["spec", "replicas"],
\t\t"also": [{"object": settings_ref, "path": ["environments", input.environment, "gpu_budget"]}],
\t}
}

settings_ref := {"apiVersion": "lockgate", "kind": "Settings", "namespace": "", "name": "lockgate.yaml"}
"""
)

EXEMPTIONS = (
    "package lockgate.exemptions\n\nimport rego.v1\n\n"
    + RULE.format(id="EXM001").replace("canary: warning, prod", "dev: error, canary: error, prod")
    + """deny contains result if {
\tsome exemption in input.repository.exemptions
\tnot exemption.used
\tresult := {
\t\t"id": "EXM001", "msg": sprintf("the exemption wants a finding, found none; %v days left", [exemption.days_left]),
\t\t"object": {"apiVersion": "lockgate", "kind": "Settings", "namespace": "", "name": "lockgate.yaml"},
\t\t"path": ["exemptions", exemption.index], "severity": "warning",
\t}
}

deny contains result if {
\ttotal := sum([environment.facts.replicas | some environment in input.repository.environments])
\ttotal > 9
\tresult := {
\t\t"id": "EXM001", "msg": sprintf("all environments together want at most 9 replicas, found %d", [total]),
\t\t"object": {"apiVersion": "lockgate", "kind": "Settings", "namespace": "", "name": "lockgate.yaml"},
\t\t"path": ["clusters", "main"], "environments": ["prod"],
\t}
}
"""
)

FACTS = """package lockgate.facts

import data.lockgate.lib.objects
import rego.v1

replicas := sum([obj.spec.replicas | some obj in objects.all])
"""

FILES = {
    "lib/objects.rego": OBJECTS,
    "gpu.rego": GPU,
    "gpu_test.rego": "package lockgate.gpu_test\n\nthis is no rego\n",
    "exemptions.rego": EXEMPTIONS,
    "facts.rego": FACTS,
    "data/limits.json": '{"limits": {"replicas": 4}}',
}


def write(folder: Path, changes: Mapping[str, str | None] = {}) -> Path:  # read only
    """Writes the small policies below `folder`; None in `changes` leaves a file out."""
    for name, text in {**FILES, **changes}.items():
        if text is not None:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    return folder
