"""What `rules.load` reads from a policies folder, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import small_policies
from small_policies import GPU, RULE

from lockgate import cache, rules
from lockgate.errors import LockgateError
from lockgate.model import Rule, Severity

if TYPE_CHECKING:
    from pathlib import Path

TITLE = "# title: Containers have a memory limit\n"


def test_a_rule_is_read_whole(tmp_path: Path) -> None:
    found = rules.load(small_policies.write(tmp_path))
    assert list(found.rules) == ["EXM001", "GPU001"]
    assert found.rules["GPU001"] == Rule(
        id="GPU001",
        family="gpu",
        title="Containers have a memory limit",
        description="Without one the node decides.",
        severity={"canary": Severity.WARNING, "prod": Severity.ERROR},
        remediation="Set `limits.memory`.",
        links=("https://kubernetes.io",),
        file="gpu.rego",
        line=6,
    )


def test_modules_packages_and_data_are_known(tmp_path: Path) -> None:
    found = rules.load(small_policies.write(tmp_path, {"data/more.yaml": "more: [1]\n"}))
    assert [name for name, _ in found.modules] == ["exemptions.rego", "facts.rego", "gpu.rego", "lib/objects.rego"]
    assert found.packages == {"lockgate.exemptions": "exemptions.rego", "lockgate.gpu": "gpu.rego"}
    assert found.data == {"limits": {"replicas": 4}, "more": [1]}
    assert found.has_facts


def test_team_rules_are_rules(tmp_path: Path) -> None:
    text = GPU.replace("lockgate.gpu", "lockgate.team.our_rules").replace("GPU001", "OURS001")
    found = rules.load(small_policies.write(tmp_path, {"team/our-rules.rego": text}))
    assert found.rules["OURS001"].file == "team/our-rules.rego"
    assert "lockgate.team.our_rules" in found.packages


def test_the_cache_gives_the_same_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_CACHE", str(tmp_path / "cache"))
    policies = small_policies.write(tmp_path / "policies")
    first = rules.load(policies)
    monkeypatch.setattr(rules, "_scan_all", None)
    assert rules.load(policies) == first


def test_a_broken_cache_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_CACHE", str(tmp_path / "cache"))
    policies = small_policies.write(tmp_path / "policies")
    first = rules.load(policies)
    for content in (b"{}", b"\xff", b'{"rules": [{"id": 1}], "packages": {}}'):
        cache.write(f"{first.digest}.rules", content)
        assert rules.load(policies).rules == first.rules


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_CACHE", str(small_policies.write(tmp_path) / "gpu.rego"))
    assert list(rules.load(tmp_path).rules) == ["EXM001", "GPU001"]


def test_old_cached_files_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_CACHE", str(tmp_path))
    cache.write("other.code", b"x")
    for number in range(cache.KEPT[".rules"] + 5):
        cache.write(f"{number}.rules", b"x")
    assert len(list(tmp_path.glob("*.rules"))) <= cache.KEPT[".rules"]
    assert cache.read(f"{number}.rules") == b"x"
    assert cache.read("other.code") == b"x"


def test_the_digest_changes_with_every_file(tmp_path: Path) -> None:
    seen = {rules.load(small_policies.write(tmp_path)).digest}
    seen.add(rules.load(small_policies.write(tmp_path, {"data/limits.json": '{"limits": {}}'})).digest)
    seen.add(rules.load(small_policies.write(tmp_path, {"gpu.rego": GPU + "\n"})).digest)
    assert len(seen) == 3


HEAD = "package lockgate.gpu\n\nimport rego.v1\n\n"
BODY = 'deny contains result if result := {"id": "GPU001"}\n'
GOOD = RULE.format(id="GPU001")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + BODY, "gpu.rego:5: the first `deny` has no METADATA"),
        (HEAD + GOOD + "\n" + BODY, "gpu.rego:16: the first `deny` has no METADATA"),
        (
            HEAD + GOOD + BODY + GOOD.replace("GPU001", "GPU002") + "x := 1\n",
            "gpu.rego:16: this METADATA has no `deny`",
        ),
        (HEAD + GOOD + "deny := {1}\n", "gpu.rego:15: wanted `deny contains"),
        (HEAD + GOOD + "deny[x] { x := 1 }\n", "gpu.rego:15: wanted `deny contains"),
        (HEAD + GOOD.replace("title", "titel") + BODY, "gpu.rego:6: METADATA: unknown key 'titel'"),
        (HEAD + GOOD.replace("  id:", "  ids:") + BODY, "gpu.rego:12: METADATA: unknown key 'ids'"),
        (
            HEAD + GOOD.replace("prod: error", "prod: fatal") + BODY,
            "gpu.rego:13: METADATA: wanted error, warning or note",
        ),
        (HEAD + GOOD.replace("prod:", "production:") + BODY, "unknown key 'production'"),
        (
            HEAD + GOOD.replace("canary: warning, prod: error", "") + BODY,
            "gpu.rego:13: METADATA: wanted at least one of",
        ),
        (HEAD + GOOD.replace(TITLE, "") + BODY, "gpu.rego:5: METADATA: wanted text under 'title'"),
        (
            HEAD + GOOD.replace("GPU001", "gpu1") + BODY,
            "gpu.rego:12: METADATA: wanted an id like 'GPU001', found 'gpu1'",
        ),
        (HEAD + GOOD.replace("# custom:", "# custom: [") + BODY, "gpu.rego:13: not readable as YAML"),
        (HEAD + GOOD.replace("#   - https", "#   https") + BODY, "gpu.rego"),
        (HEAD + "# METADATA\n" + BODY, "gpu.rego:5: METADATA: wanted a mapping"),
        (HEAD + GOOD + BODY + GOOD + BODY, "gpu.rego:16: id 'GPU001' is already used at gpu.rego:5"),
        (GPU.replace("lockgate.gpu", "gpu"), "gpu.rego:1: wanted `package lockgate.gpu`, found 'gpu'"),
        (
            HEAD + GOOD.replace("GPU001", "EXM002") + BODY,
            "gpu.rego:5: id 'EXM002' does not match the family: EXM is exemptions.rego's",
        ),
        ("package lockgate.gpu\n", "no rule, so nothing would be checked"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    only = None if "nothing would" in message else small_policies.EXEMPTIONS
    policies = small_policies.write(tmp_path, {"gpu.rego": text, "exemptions.rego": only})
    with pytest.raises(LockgateError) as caught:
        rules.load(policies)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data/limits.json", b"{", "data/limits.json:1: not readable as JSON"),
        ("data/limits.json", b"[1]", "data/limits.json: wanted an object"),
        ("data/other.yaml", b"limits: {}", "data/other.yaml: key 'limits' is already in data/limits.json"),
        ("data/other.yaml", b"a: [", "data/other.yaml:2: not readable as YAML"),
        ("gpu.rego", b"\xff\xfe\x00", "gpu.rego: wanted UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (small_policies.write(tmp_path) / name).write_bytes(content)
    with pytest.raises(LockgateError) as caught:
        assert rules.load(tmp_path).data
    assert message in caught.value.message


def test_no_folder_and_no_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LockgateError, match="no policies folder"):
        rules.load(tmp_path / "policies")
    with pytest.raises(LockgateError, match=r"no \.rego file"):
        rules.load(tmp_path)
