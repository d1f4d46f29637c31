"""The rules, the catalogues and lockgate.yaml as one OPA bundle, the same bytes for the same content."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING

from lockgate import __version__, engines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.model import Json
    from lockgate.rules import RuleSet

_FINDINGS = """package {package}

import rego.v1

# What the rules say of one environment at the severities that hold there.
findings contains finding if {{
	level := object.get(data.environments[input.environment], "level", input.environment)
	some found in results
	some result in found
	own := severities[result.id][level]
	severity := lower(own, object.get(result, "severity", own))
	finding := object.union(result, {{"severity": severity}})
}}

lower(own, given) := given if {{
	weights[given] < weights[own]
}} else := own

weights := {{"note": 1, "warning": 2, "error": 3}}

severities := {severities}
"""


def content(ruleset: RuleSet, settings: Mapping[str, Json]) -> tuple[bytes, str]:
    """The bundle and its revision.

    Args:
        ruleset: The rules.
        settings: `lockgate.yaml` as rules see it.

    Raises:
        LockgateError: A catalogue has the name of a settings key.
    """
    data = engines.base_documents(ruleset, settings)
    files = {f"policies/{name}": text for name, text in ruleset.modules}
    files[f"{engines.PACKAGE}.rego"] = engines.entry(ruleset)
    files[f"{engines.PACKAGE}_findings.rego"] = _findings(ruleset)
    files["data.json"] = json.dumps(data, sort_keys=True, ensure_ascii=False)
    revision = _revision(files)
    manifest = {
        "revision": revision,
        # Only what is ours, so that a server may hold other bundles and policies beside it.
        "roots": sorted({"lockgate", engines.PACKAGE, *data}),
        "rego_version": 1,
        "metadata": {"lockgate": __version__},
    }
    return _archive({".manifest": json.dumps(manifest, sort_keys=True), **files}), revision


def _findings(ruleset: RuleSet) -> str:
    severities = {
        rule.id: {level: str(severity) for level, severity in rule.severity.items()} for rule in ruleset.rules.values()
    }
    return _FINDINGS.format(package=engines.PACKAGE, severities=json.dumps(severities, sort_keys=True))


def _revision(files: Mapping[str, str]) -> str:
    """A number for all that decides: rules, catalogues and settings."""
    total = hashlib.sha256()
    for name, text in sorted(files.items()):
        total.update(f"{name}\0{len(text)}\0{text}".encode())
    return total.hexdigest()[:16]


def _archive(files: Mapping[str, str]) -> bytes:
    """A tar.gz without times and owners, so that equal content is equal bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"/{name}")
            entry.size = len(text.encode())
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(packed.getvalue(), mtime=0)
