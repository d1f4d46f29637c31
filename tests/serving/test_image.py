"""The Dockerfile and what surrounds it: non-root, pinned, nothing secret, the same paths as the pod."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

# Beside the interpreter: its package carries the program.
HADOLINT = str(Path(sys.executable).with_name("hadolint"))


@pytest.fixture(scope="module")
def instructions(pristine: Path) -> list[tuple[str, str]]:
    """Every instruction of the Dockerfile, continued lines joined."""
    text = (pristine / "serving" / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def of_kind(instructions: list[tuple[str, str]], kind: str) -> list[str]:
    return [rest for word, rest in instructions if word == kind]


def environment(instructions: list[tuple[str, str]]) -> dict[str, str]:
    words = [word for rest in of_kind(instructions, "ENV") for word in shlex.split(rest)]
    return dict(word.split("=", 1) for word in words)


def server(pristine: Path) -> dict[str, Any]:
    deployment = yaml.safe_load((pristine / "base" / "deployment.yaml").read_text())
    pod: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return pod


def test_the_base_image_needs_a_digest(instructions: list[tuple[str, str]]) -> None:
    assert of_kind(instructions, "FROM") == ["${VLLM_IMAGE}:${VLLM_TAG}@${VLLM_DIGEST}"]
    assert of_kind(instructions, "ARG") == [
        "VLLM_IMAGE=docker.io/vllm/vllm-openai",
        "VLLM_TAG=v0.32.0",
        "VLLM_DIGEST",
        # Said again below FROM, for the labels: a build forgets them there.
        "VLLM_IMAGE",
        "VLLM_TAG",
        "VLLM_DIGEST",
    ]


def test_the_labels_name_the_base_and_the_source(instructions: list[tuple[str, str]]) -> None:
    words = [word for rest in of_kind(instructions, "LABEL") for word in shlex.split(rest)]
    labels = dict(word.removeprefix("org.opencontainers.image.").split("=", 1) for word in words)
    assert labels == {
        "title": "qwen-chat",
        "source": "https://git.example.com/ml-platform/qwen-chat",
        "vendor": "ml-platform",
        "version": "${VLLM_TAG}",
        "base.name": "${VLLM_IMAGE}:${VLLM_TAG}",
        "base.digest": "${VLLM_DIGEST}",
    }


def test_hadolint_has_nothing_to_say(pristine: Path) -> None:
    done = subprocess.run(
        [HADOLINT, "--failure-threshold=style", str(pristine / "serving" / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    wrong = subprocess.run(
        [HADOLINT, "-"], input="FROM vllm\nRUN sudo ls\n", capture_output=True, text=True, check=False
    )
    assert "DL3006" in wrong.stdout


def test_it_runs_as_the_numeric_user_of_the_pod(instructions: list[tuple[str, str]], pristine: Path) -> None:
    security = server(pristine)["securityContext"]
    wanted = f"{security['runAsUser']}:{security['runAsGroup']}"
    assert of_kind(instructions, "USER") == [wanted]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", wanted)


def test_the_caches_lie_where_the_pod_has_them(instructions: list[tuple[str, str]], pristine: Path) -> None:
    pod = {one["name"]: one.get("value") for one in server(pristine)["containers"][0]["env"]}
    image = environment(instructions)
    del image["PYTHONDONTWRITEBYTECODE"]
    assert image == {name: pod[name] for name in image}


def test_no_layer_holds_a_credential(instructions: list[tuple[str, str]]) -> None:
    names = [*environment(instructions), *of_kind(instructions, "ARG")]
    assert [name for name in names if re.search(r"TOKEN|KEY|SECRET|PASSWORD", name)] == []


def test_only_what_is_copied_enters_the_build(instructions: list[tuple[str, str]], pristine: Path) -> None:
    (copy,) = of_kind(instructions, "COPY")
    words = shlex.split(copy)
    copied = [word for word in words[:-1] if not word.startswith("--")]
    lines = (pristine / "serving" / ".dockerignore").read_text().splitlines()
    allowed = [line for line in lines if line and not line.startswith("#")]
    assert allowed == ["*", *(f"!{name}" for name in copied)]
    assert all((pristine / "serving" / name).is_file() for name in copied)
    assert "--chown=0:0" in words
    assert of_kind(instructions, "ENTRYPOINT") == ['["python3", "/opt/serving/entrypoint.py"]']
