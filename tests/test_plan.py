"""`lockgate plan`: sums of a generated repository, in the words of the rules that judge by them."""

from __future__ import annotations

import io
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from test_engines_random import RULESET, SETTINGS, Damage, damaged, damages

from lockgate import deltas, engines, pipeline, plan, tables

if TYPE_CHECKING:
    from pathlib import Path

Run = Callable[..., "subprocess.CompletedProcess[str]"]

BOUNDS = "overlays/prod/autoscaler-bounds.yaml"
SERVE = "overlays/prod/release/serve.yaml"
MEMORY = (
    "weights 27.5 GiB + KV cache of 32768 tokens 5.0 GiB + overhead 2 x 2 GiB, of 2 x 39 GiB of NVIDIA A100 40 GB x 0.9"
)

TEXT = f"""\
Peak / steady
  environment    pods    GPUs  budget
  dev           1 / 1   2 / 2       2
  canary        4 / 1   8 / 2       8
  prod          6 / 2  12 / 4      12
  total        11 / 4  22 / 8      22

GPUs at the peak
  dev     replicas 1 pods x 2 GPUs = 2
  canary  HPA max 2 pods x 2 GPUs = 4, doubled at promotion: 8
  prod    HPA max 3 pods x 2 GPUs = 6, doubled at promotion: 12

Memory of a pod's GPUs
  dev, canary, prod  vllm: fits: 18.3 of 35.1 GiB a GPU: {MEMORY}

Together
  pool a100-40gb: dev 2 + canary 8 + prod 12 = 22 of 22 GPUs
  cluster main: dev 2 + canary 8 + prod 12 = 22 of 22 GPUs

Notes
  steady: between changes, autoscalers at their minimum
"""

PRICED = """\
  environment    pods    GPUs  budget       per hour              per month
  dev           1 / 1   2 / 2       2    5.00 / 5.00    3,650.00 / 3,650.00
  canary        4 / 1   8 / 2       8   20.00 / 5.00   14,600.00 / 3,650.00
  prod          6 / 2  12 / 4      12  30.00 / 10.00   21,900.00 / 7,300.00
  total        11 / 4  22 / 8      22  55.00 / 20.00  40,150.00 / 14,600.00
"""


def edit(root: Path, file: str, old: str, new: str) -> None:
    """One edit, of what stands there."""
    text = (root / file).read_text(encoding="utf-8")
    assert old in text
    (root / file).write_text(text.replace(old, new), encoding="utf-8")


def planned(lockgate: Run, root: Path, *arguments: str) -> str:
    done = lockgate("plan", str(root), *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def document(lockgate: Run, root: Path, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(planned(lockgate, root, "--format", "json", *arguments))
    return found


def message(lockgate: Run, root: Path, rule: str) -> str:
    """What the gate says of the one finding of a rule."""
    found = json.loads(lockgate("check", str(root), "--format", "json").stdout)["findings"]
    [text] = [finding["message"] for finding in found if finding["rule"] == rule]
    return str(text)


def test_a_fresh_repository(lockgate: Run, pristine: Path) -> None:
    assert planned(lockgate, pristine) == TEXT


def test_a_price_gives_costs(lockgate: Run, repository: Path) -> None:
    edit(repository, "lockgate.yaml", "# gpu_hour: 2.50", "gpu_hour: 2.50")
    said = planned(lockgate, repository)
    assert PRICED in said
    assert said.endswith("autoscalers at their minimum; a month: 730 hours\n")
    prod = document(lockgate, repository, "--env", "prod")
    assert prod["environments"][0]["cost_per_month"] == {"peak": 21900, "steady": 7300}
    assert prod["total"] == {
        "peak": {"pods": 6, "gpus": 12},
        "steady": {"pods": 2, "gpus": 4},
        "cost_per_hour": {"peak": 30, "steady": 10},
    }


def test_one_price_of_two_gives_no_total(lockgate: Run, repository: Path) -> None:
    text = (repository / "lockgate.yaml").read_text()
    pool = text[text.index("  a100-40gb:\n", text.index("\npools:")) : text.index("\nclusters:")]
    other = pool.replace("  a100-40gb:\n", "  priced:\n").replace("# gpu_hour: 2.50", "gpu_hour: 0.1")
    (repository / "lockgate.yaml").write_text(text.replace("\nclusters:", f"{other}\nclusters:"))
    edit(repository, "lockgate.yaml", "    pool: a100-40gb\n    gpu_budget: 12", "    pool: priced\n    gpu_budget: 12")
    rows = planned(lockgate, repository).splitlines()
    assert [row.split()[-6:] for row in rows[2:6:3]] == [["unknown", "/", "unknown"] * 2] * 2
    assert rows[4].split()[-6:] == ["1.20", "/", "0.40", "876.00", "/", "292.00"]
    assert document(lockgate, repository)["total"]["cost_per_hour"] == {"peak": None, "steady": None}


def test_a_peak_above_its_budget_is_told_in_the_words_of_the_gate(lockgate: Run, repository: Path) -> None:
    edit(repository, BOUNDS, "maxReplicas: 3", "maxReplicas: 4")
    said = planned(lockgate, repository)
    assert "  prod is above its budget: 16 > 12 GPUs (CST001)\n" in said
    assert "  the cluster main is too small for all peaks at once\n" in said
    [prod] = document(lockgate, repository, "--env", "prod")["environments"]
    assert prod["above_budget"] is True
    terms = prod["peak"]["terms"]
    assert message(lockgate, repository, "CST001") == f"GPUs at the peak: {terms} > budget 12"


def test_memory_that_does_not_fit_is_told_in_the_words_of_the_gate(lockgate: Run, repository: Path) -> None:
    for name in ("dev", "canary", "prod"):
        file = SERVE.replace("prod", name)
        edit(repository, file, "Qwen/Qwen3-14B", "Qwen/Qwen3-32B")
    [prod] = document(lockgate, repository, "--env", "prod")["environments"]
    [memory] = prod["memory"]
    needs, _, offers = memory["words"].partition(", of ")
    said = message(lockgate, repository, "VLM002")
    assert memory["fits"] is False
    assert f"({needs}), found " in said
    assert said.endswith(f"({offers})")
    assert "vllm: does not fit: 36.5 of 35.1 GiB a GPU" in planned(lockgate, repository)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Qwen/Qwen3-14B", "acme/own", "'acme/own' is in no catalogue; describe it under `models`"),
        ("tensor-parallel-size: 2", "tensor-parallel-size: 4", "its GPUs are not what its flags ask for (GPU002)"),
        ("max-model-len: 32768", "max-model-len: auto", "says nothing that can be counted with"),
    ],
)
def test_memory_that_nobody_counts_is_not_covered(
    lockgate: Run, repository: Path, old: str, new: str, words: str
) -> None:
    edit(repository, SERVE, old, new)
    said = planned(lockgate, repository)
    assert "  dev, canary  vllm: fits: " in said
    [line] = [line for line in said.splitlines() if line.startswith("  prod         vllm: not covered: ")]
    assert words in line


def test_servers_of_one_name_are_told_apart(lockgate: Run, repository: Path) -> None:
    second = repository / "overlays/dev/second.yaml"
    rendered = subprocess.run(
        ["kustomize", "build", str(repository / "overlays/dev")], capture_output=True, text=True, check=True
    )
    [server] = [one for one in yaml.safe_load_all(rendered.stdout) if one["kind"] == "Deployment"]
    server["metadata"]["name"] = "second"
    second.write_text(yaml.safe_dump(server))
    edit(repository, "overlays/dev/kustomization.yaml", "resources:\n", "resources:\n  - second.yaml\n")
    said = planned(lockgate, repository, "--env", "dev")
    assert "  dev  Deployment/qwen-chat/vllm: fits: " in said
    assert "  dev  Deployment/second/vllm: " in said
    assert "  dev  Deployment qwen-chat: replicas 1 pods x 2 GPUs = 2; Deployment second: replicas 1 pods" in said


def test_a_kind_without_a_number_of_pods_is_not_counted(lockgate: Run, repository: Path) -> None:
    ray = "apiVersion: ray.io/v1\nkind: RayCluster\nmetadata: {name: ray}\nspec: {}\n"
    (repository / "overlays/dev/ray.yaml").write_text(ray)
    edit(repository, "overlays/dev/kustomization.yaml", "resources:\n", "resources:\n  - ray.yaml\n")
    assert "  not covered: RayCluster/ray (dev): its pods are not counted\n" in planned(lockgate, repository)


def test_without_budgets_pools_and_clusters(lockgate: Run, repository: Path) -> None:
    text = "version: 1\nenvironments:\n  dev: {overlay: overlays/dev}\n"
    (repository / "lockgate.yaml").write_text(text)
    said = planned(lockgate, repository)
    assert "  dev          1 / 1  2 / 2    none\n" in said
    assert "total" not in said
    assert "Together" not in said
    assert "dev  vllm: not covered: a flag, or the pool's accelerator, says nothing" in said


def test_markdown(lockgate: Run, repository: Path) -> None:
    said = planned(lockgate, repository, "--format", "markdown")
    assert "| environment | pods | GPUs | budget |\n| --- | ---: | ---: | ---: |\n| dev | 1 / 1 | 2 / 2 | 2 |\n" in said
    assert "| prod | HPA max 3 pods x 2 GPUs = 6, doubled at promotion: 12 |\n" in said


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_the_same_cells_and_no_control_characters() -> None:
    table = tables.Table("Title", ("name", "pods"), (("a\x1b[31m", "1"), ("[bold]b[/bold]", "22")), frozenset({1}))
    stream = Terminal()
    tables.text([table], stream)
    said = stream.getvalue()
    assert "\x1b[31m" not in said
    for word in ("Title", "name", "pods", "a [31m", "[bold]b[/bold]", " 22"):
        assert word in said


@pytest.fixture(scope="module")
def outcome() -> Iterator[Callable[[Any], engines.Outcome]]:
    """What the rules say of a document."""
    with engines.session("embedded", RULESET, SETTINGS.data()) as run:
        yield lambda document: run([document])[0]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(damages)
def test_damaged_objects_have_a_plan(outcome: Callable[[Any], engines.Outcome], damage: Damage) -> None:
    """Whatever a field holds: sums of whole numbers, and a difference that is none."""
    document = damaged(damage)
    assume(document["environment"] in SETTINGS.environments)
    facts = outcome(document).facts
    [one] = plan.of(SETTINGS, {document["environment"]: facts}, ()).environments
    assert all(isinstance(number, int) for number in (one.peak_pods, one.peak_gpus, one.steady_pods, one.steady_gpus))
    assert all(memory.verdict for memory in one.memory)
    side = deltas.Side(one, facts)
    assert deltas.of(side, side) == []
    assert {delta.what for delta in deltas.of(None, side)} >= {"GPUs at the peak"}


def test_engines_compute_the_same_facts(pristine: Path) -> None:
    ours, other = (pipeline.compute(pristine, pipeline.Options(engine=e), plan.FACTS) for e in ("embedded", "opa"))
    assert ours.facts == other.facts
    assert ours.facts["prod"]["servers"][0]["flags"]["model"] == "Qwen/Qwen3-14B"
    assert list(ours.objects) == ["dev", "canary", "prod", "argocd/"]


def older_rules(root: Path) -> None:
    (root / "policies" / "facts.rego").write_text("package lockgate.facts\n\nimport rego.v1\n\npeak := 1\n")
    (root / "policies" / "facts_test.rego").unlink()


def no_rules(root: Path) -> None:
    (root / "policies" / "facts.rego").unlink()
    (root / "policies" / "facts_test.rego").unlink()


def no_build(root: Path) -> None:
    edit(root, "overlays/prod/kustomization.yaml", "resources:\n", "resources:\n  - gone.yaml\n")


@pytest.mark.parametrize(
    ("break_it", "arguments", "message"),
    [
        (lambda _root: None, ("--env", "prd"), "environment 'prd' is not in lockgate.yaml\nhint: did you mean 'prod'?"),
        (lambda root: (root / "lockgate.yaml").unlink(), (), "no lockgate.yaml in "),
        (older_rules, (), "policies/facts.rego computes no `controllers`: it is older than this Lockgate"),
        (no_rules, (), "policies/facts.rego computes no `peak`"),
        (no_build, (), "gone.yaml"),
        (lambda _root: None, ("--format", "sarif"), "'sarif' is not one of 'text', 'json', 'markdown'"),
    ],
)
def test_no_answer(
    lockgate: Run, repository: Path, break_it: Callable[[Path], object], arguments: tuple[str, ...], message: str
) -> None:
    break_it(repository)
    done = lockgate("plan", str(repository), *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("price", ["-1", "many", ".nan", ".inf", "true", '"2.5"', "1000001"])
def test_a_price_is_a_number(lockgate: Run, repository: Path, price: str) -> None:
    edit(repository, "lockgate.yaml", "# gpu_hour: 2.50", f"gpu_hour: {price}")
    done = lockgate("plan", str(repository))
    assert done.returncode == 2
    assert re.search(r"lockgate\.yaml:\d+: Expected `float.*\(pools\[\.\.\.\]\.gpu_hour\)", done.stderr)
