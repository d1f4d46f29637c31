"""Each supported set of answers gives a whole repository; each other one a sentence and nothing else."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from template.answers import REFUSED, SUPPORTED

from lockgate import generate, resources
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROOT = resources.template_root()
CHECKS = runpy.run_path(str(ROOT / "hooks" / "answers.py"))
ACCELERATORS, MODELS = CHECKS["catalogues"](ROOT)
QUESTIONS = generate.questions(ROOT)
UNRENDERED = re.compile(r"<<(?!\.)|<%|<#|cookiecutter\.")
PARTS = ("cookiecutter.json", "hooks", resources.PROJECT)


def answered(**given: str) -> dict[str, Any]:
    """All answers: the given ones, else the defaults."""
    context = generate.ask({"pin_by": "2026-12-08", **given}, interactive=False)
    answers: dict[str, Any] = context["cookiecutter"]
    return answers


def problems(**given: str) -> list[str]:
    found: list[str] = CHECKS["problems"](answered(**given), ACCELERATORS, MODELS, dt.date(2026, 11, 24))
    return found


def cookiecutter(template: str | Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Plain cookiecutter as a process, with a home of its own and without the gate."""
    home = cwd / "home"
    home.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "cookiecutter", "--no-input", str(template), *arguments],
        cwd=cwd,
        env={**os.environ, "HOME": str(home), "PWD": str(cwd), "LOCKGATE_SKIP_POST_GEN": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module", params=SUPPORTED)
def generated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository of one supported set of answers; read only."""
    given = SUPPORTED[request.param]
    target = tmp_path_factory.mktemp("supported") / given.get("project", "qwen-chat")
    generate.generate(target, given)
    return target


def test_nothing_stays_unrendered(generated: Path) -> None:
    left = [
        f"{path.relative_to(generated)}:{number}: {line}"
        for path in generated.rglob("*")
        if path.is_file() and "policies" not in path.relative_to(generated).parts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if UNRENDERED.search(line) or UNRENDERED.search(path.name)
    ]
    assert left == []


def test_each_overlay_builds(generated: Path) -> None:
    for overlay in sorted((generated / "overlays").iterdir()):
        done = subprocess.run(["kustomize", "build", str(overlay)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_its_yaml_is_tidy(generated: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "yamllint", "--strict", "."],
        cwd=generated,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout + done.stderr == ""


@pytest.mark.slow
def test_the_gate_is_silent(generated: Path, lockgate: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = lockgate("check", "--format", "json", str(generated))
    assert done.returncode == 0, done.stdout + done.stderr
    assert [one for one in json.loads(done.stdout)["findings"] if not one["exemption"]] == []


@pytest.mark.parametrize(("given", "expected"), REFUSED.values(), ids=REFUSED)
def test_answers_that_cannot_work_are_refused_with_every_reason(
    tmp_path: Path, given: dict[str, str], expected: list[str]
) -> None:
    target = tmp_path / given.get("project", "qwen-chat")
    with pytest.raises(LockgateError) as refused:
        generate.generate(target, given)
    first, *reasons = refused.value.message.splitlines()
    assert first == "these answers cannot work, nothing was written:"
    assert reasons == [f"- {sentence}" for sentence in expected]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["the-classic", "project-no-label", "no-numbers", "texts"])
def test_plain_cookiecutter_refuses_alike_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    given, expected = REFUSED[name]
    words = [f"{key}={value}" for key, value in given.items()]
    done = cookiecutter(ROOT, *words, cwd=tmp_path)
    assert done.returncode != 0
    lines = done.stderr.splitlines()
    start = lines.index("These answers cannot work, nothing was written:") + 1
    assert lines[start : start + len(expected)] == [f"- {sentence}" for sentence in expected]
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_refusal_leaves_an_existing_folder_as_it_was(tmp_path: Path) -> None:
    kept = tmp_path / "qwen-chat" / "notes.txt"
    kept.parent.mkdir()
    kept.write_text("mine")
    done = cookiecutter(ROOT, "--overwrite-if-exists", "prod_min_replicas=1", cwd=tmp_path)
    assert done.returncode != 0
    assert [path.name for path in kept.parent.iterdir()] == ["notes.txt"]
    assert kept.read_text() == "mine"


def test_a_model_outside_the_catalogue_is_told_and_taken(tmp_path: Path) -> None:
    given = SUPPORTED["model-outside-the-catalogue"]
    done = cookiecutter(ROOT, *(f"{key}={value}" for key, value in given.items()), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == (
        "note: model_id 'acme/llm-7b' is not in policies/data/models.json: tensor parallel, "
        "context length, memory fit and storage size are not checked\n"
    )


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """The template alone, in a folder of its own."""
    folder = tmp_path / "template"
    folder.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)
    return folder


def refuses_and_generates(template: str, cwd: Path) -> None:
    refused = cookiecutter(template, "prod_min_replicas=1", cwd=cwd)
    assert "- prod_min_replicas must be 2 or more" in refused.stderr
    assert not (cwd / "qwen-chat").exists()
    taken = cookiecutter(template, cwd=cwd)
    assert taken.returncode == 0, taken.stderr
    assert (cwd / "qwen-chat" / "lockgate.yaml").is_file()


@pytest.mark.slow
def test_the_hooks_find_their_checks_in_a_relative_folder(template: Path, tmp_path: Path) -> None:
    refuses_and_generates(template.name, tmp_path)
    assert not list(template.rglob("__pycache__"))


@pytest.mark.slow
def test_the_hooks_find_their_checks_in_a_zip(template: Path, tmp_path: Path) -> None:
    archive = tmp_path / "template.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        stream.mkdir("template")
        for path in sorted(template.rglob("*")):
            stream.write(path, path.relative_to(tmp_path))
    shutil.rmtree(template)
    refuses_and_generates(str(archive), tmp_path)


@pytest.mark.slow
def test_the_hooks_find_their_checks_in_a_git_repository(template: Path, tmp_path: Path) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]
    for words in (["init", "-q"], ["add", "-f", "."], ["commit", "-q", "-m", "template"]):
        subprocess.run(["git", *identity, *words], cwd=template, check=True)
    refuses_and_generates(f"git+file://{template}", tmp_path)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-11-23", "pin_by must lie between today 2026-11-24 and 2026-12-24 (30 days); found 2026-11-23"),
        ("2026-11-24", None),
        ("2026-12-24", None),
        ("2026-12-25", "pin_by must lie between today 2026-11-24 and 2026-12-24 (30 days); found 2026-12-25"),
        ("2026-02-30", "pin_by must be a date YYYY-MM-DD; found '2026-02-30'"),
    ],
)
def test_the_bounds_of_pin_by(day: str, expected: str | None) -> None:
    assert problems(pin_by=day) == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("level", "replicas", "budget", "fits"),
    [("prod", "3", "12", True), ("prod", "3", "11", False), ("canary", "2", "8", True), ("canary", "2", "7", False)],
)
def test_the_bounds_of_a_gpu_budget(level: str, replicas: str, budget: str, *, fits: bool) -> None:
    found = problems(**{f"{level}_max_replicas": replicas, f"{level}_gpu_budget": budget})
    assert (found == []) is fits


def test_the_kv_cache_follows_the_formula_that_vllm_logged() -> None:
    """1 GiB of cache for 2 layers, 2 KV heads of size 32 held 2,097,152 tokens."""
    model = {"layers": 2, "kv_heads": 2, "head_dim": 32}
    assert CHECKS["cache_bytes"](model, 1, 2_097_152) == CHECKS["GIB"]


def test_every_question_and_choice_has_words() -> None:
    raw = json.loads((ROOT / "cookiecutter.json").read_text())
    prompts = raw["__prompts__"]
    assert list(prompts) == list(QUESTIONS)
    for key, default in QUESTIONS.items():
        words = prompts[key]
        if isinstance(default, list):
            assert set(words) == {"__prompt__", *default}
        else:
            assert isinstance(words, str)
            assert len(words) > 10


def test_choices_and_labels_are_the_catalogues() -> None:
    raw = json.loads((ROOT / "cookiecutter.json").read_text())
    assert sorted(QUESTIONS["accelerator"]) == sorted(ACCELERATORS)
    for name, entry in ACCELERATORS.items():
        private = raw["_accelerators"][name]
        assert entry["gpu_resource"] == private["resource"]
        assert entry["node_labels"][private["label"]][0] == private["product"]


def test_the_catalogues_are_sound() -> None:
    for name, entry in ACCELERATORS.items():
        assert set(entry["dtypes"]) <= set(QUESTIONS["dtype"]), name
        assert set(entry["quantization"]) < set(QUESTIONS["quantization"]), name
        assert entry["memory_gib"] > 0
        assert entry["price_per_gpu_hour_usd"] > 0
        assert entry["price_source"]
        assert re.fullmatch(r"\d{4}-\d{2}", entry["price_date"])
    for name, entry in MODELS.items():
        assert entry["heads"] % entry["kv_heads"] == 0, name
        assert 0 < entry["embedding_parameters"] < entry["parameters"], name
        assert entry["quantization"] in QUESTIONS["quantization"], name


def test_defaults_name_no_private_host() -> None:
    text = (ROOT / "cookiecutter.json").read_text()
    hosts = set(re.findall(r"[\w-]+(?:\.[\w-]+)*\.(?:com|io|net|org|local)\b", text))
    assert {host for host in hosts if not host.endswith("example.com")} <= {"docker.io", "github.com"} | {
        host for host in hosts if host.startswith(("nvidia.com", "amd.com"))
    }
