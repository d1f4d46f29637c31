"""Credentials are found by their shape, printed by their place, and traps stay silent."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from lockgate import secrets
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

# Put together here, so that this file holds none of them whole.
HF = "hf" + "_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZabCdEfGh"
SK = "sk" + "-" + "proj-a1B2c3D4e5F6g7H8i9J0k1L2m3N4"
GITHUB = "ghp" + "_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
AWS = "AKIA" + "IOSFODNN7EXAMPLQ"
PEM = "-----BEGIN " + "RSA PRIVATE KEY-----"
JWT = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
)
ENCODED = base64.b64encode(HF.encode()).decode()

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def scan(tmp_path: Path, text: str, name: str = "a.yaml") -> list[str]:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return [f"{place.line} {place.kind}" for place in secrets.scan([file])]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (f"token: {HF}", "Hugging Face token"),
        (f'  - --api-key="{SK}"', "API key (sk-...)"),
        (f"curl -H 'Authorization: Bearer {HF}'", "Hugging Face token"),
        (f"token: {ENCODED}", "Hugging Face token in base64"),
        (f"t = {GITHUB!r}", "GitHub Token"),
        (f"key: {AWS}", "AWS Access Key"),
        (PEM, "Private Key"),
        (f"bearer: {JWT}", "JSON Web Token"),
        ("url: https://bob:" + "s3cr3tpw@example.com/x", "Basic Auth Credentials"),
    ],
    ids=["hf", "sk", "header", "base64", "github", "aws", "pem", "jwt", "basic"],
)
def test_a_credential_is_found_at_its_line(tmp_path: Path, line: str, kind: str) -> None:
    assert scan(tmp_path, f"a: 1\n{line}\nb: 2\n") == [f"2 {kind}"]


@pytest.mark.parametrize(
    "line",
    [
        "revision: 40c069824f4251a91eefaf281ebe4c544efd3e18",
        "image: docker.io/vllm/vllm-openai@sha256:" + "0f" * 32,
        "secretName: qwen-chat-hf-token",
        "  secretKeyRef: {name: qwen-chat-api-key, key: VLLM_API_KEY}",
        "  remoteRef: {key: ml-platform/qwen-chat/hf_token}",
        "HF_TOKEN: $(HF_TOKEN)",
        "token: hf_" + "x" * 34,
        "key: sk-<your key>",
        "name: sk-learn-pipeline-for-the-batch-jobs",
        "task-risk-assessment-for-large-language-models: 1",
        "password: '{{ .password }}'",
        "caBundle: " + base64.b64encode(bytes(range(90))).decode(),
        "model: Qwen/Qwen3-14B",
        "spec.secretStoreRef.name: platform-secrets",
    ],
)
def test_a_trap_is_silent(tmp_path: Path, line: str) -> None:
    assert scan(tmp_path, f"{line}\n") == []


@pytest.mark.parametrize("value", [HF, SK, GITHUB])
def test_a_comment_allows_a_line(tmp_path: Path, value: str) -> None:
    assert scan(tmp_path, f"a: {value}  # pragma: allowlist secret\nb: {value}\n")[0].startswith("2 ")
    assert scan(tmp_path, f"# pragma: allowlist nextline secret\na: {value}\n") == []


def test_binary_and_empty_files_are_passed_over(tmp_path: Path) -> None:
    binary = tmp_path / "a.png"
    binary.write_bytes(b"\x89PNG\0" + HF.encode())
    latin = tmp_path / "b.txt"
    latin.write_bytes(b"\xff\xfe" + HF.encode())
    (tmp_path / "c").touch()
    assert secrets.scan([binary, latin, tmp_path / "c"]) == []


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LockgateError, match="cannot be read"):
        secrets.scan([tmp_path / "none"])


def test_the_command_says_where_and_never_what(tmp_path: Path, lockgate: Run) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(f"token: {HF}\n", encoding="utf-8")
    done = lockgate("secrets", "values.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "values.yaml:1: Hugging Face token\n")
    assert HF not in done.stderr
    file.write_text("token: none\n", encoding="utf-8")
    assert lockgate("secrets", "values.yaml", cwd=tmp_path).returncode == 0
    assert lockgate("secrets", "absent.yaml", cwd=tmp_path).returncode == 2
