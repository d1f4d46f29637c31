"""`lockgate diff` in real checkouts: what changes, from where to where, and how each slip is told."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from lockgate import deltas, git

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

Run = Callable[..., "subprocess.CompletedProcess[str]"]

BOUNDS = "overlays/prod/autoscaler-bounds.yaml"
SERVE = "overlays/dev/release/serve.yaml"
RELEASE = "overlays/dev/release/kustomization.yaml"


def run_git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def committed(folder: Path, message: str = "Something") -> str:
    run_git(folder, "add", "--all")
    run_git(folder, "commit", "--quiet", "--message", message)
    return run_git(folder, "rev-parse", "HEAD")


def edited(root: Path, file: str, old: str, new: str) -> None:
    text = (root / file).read_text(encoding="utf-8")
    assert text.count(old) == 1
    (root / file).write_text(text.replace(old, new), encoding="utf-8")


def started(folder: Path) -> None:
    run_git(folder, "init", "--quiet", "--initial-branch", "main")
    run_git(folder, "config", "user.name", "ml-platform")
    run_git(folder, "config", "user.email", "ml-platform@example.com")
    committed(folder, "First version")


@pytest.fixture
def team(repository: Path) -> Path:
    """The default repository in a checkout of its own."""
    started(repository)
    return repository


@pytest.fixture
def diff(lockgate: Run, team: Path) -> Callable[..., str]:
    """The text of `lockgate diff` in the team's repository."""

    def run(*arguments: str, code: int = 0) -> str:
        done = lockgate("diff", *arguments, cwd=team)
        assert (done.returncode, done.stderr) == (code, ""), done.stderr
        assert len(run_git(team, "worktree", "list").splitlines()) == 1
        return done.stdout

    return run


Diff = Callable[..., str]


def document(diff: Diff, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(diff("--format", "json", *arguments))
    return found


def short(team: Path, revision: str = "HEAD") -> str:
    return run_git(team, "rev-parse", revision)[:12]


def test_nothing_changes(diff: Diff, team: Path) -> None:
    edited(team, "README.md", "# Qwen Chat", "# Our Qwen Chat")
    said = "nothing changes in what is rendered, from {} to the files in hand (dev, canary, prod, argocd/)\n"
    assert diff() == said.format(short(team))
    marked = f"**Lockgate**: {said.format(f'HEAD ({short(team)})')}"
    assert diff("HEAD", "--exit-code", "--format", "markdown") == marked
    assert document(diff)["changed"] is False


def test_the_numbers_stand_on_top_and_the_fields_below(diff: Diff, team: Path) -> None:
    edited(team, "lockgate.yaml", "# gpu_hour: 2.50", "gpu_hour: 2.50")
    before = committed(team)[:12]
    edited(team, BOUNDS, "maxReplicas: 3", "maxReplicas: 4")
    edited(team, SERVE, "max-model-len: 32768", "max-model-len: 16384")
    edited(team, "base/deployment.yaml", "terminationGracePeriodSeconds: 90", "terminationGracePeriodSeconds: 120")
    assert diff("--exit-code", code=1) == (
        f"""\
from {before} to the files in hand: dev, canary, prod changed

What it means
  dev, canary, prod  drain time (terminationGracePeriodSeconds)  90 -> 120
  dev                --max-model-len                             32768 -> 16384
  dev                memory of vllm                              fits: 18.3 of 35.1 GiB a GPU -> fits: 17.0 of 35.1 GiB a GPU
  prod               GPUs at the peak                            12 (HPA max 3 pods x 2 GPUs = 6, doubled at promotion: 12) -> 16 (HPA max 4 pods x 2 GPUs = 8, doubled at promotion: 16)
  prod               pods                                        2 to 3 -> 2 to 4
  prod               cost per hour, at the peak                  30.00 -> 40.00
  total              GPUs at the peak                            22 -> 26

~ ConfigMap/qwen-chat-serve (dev)
  ~ data["serve.yaml"].max-model-len: 32768 -> 16384
~ Deployment/qwen-chat (dev, canary, prod)
  ~ spec.template.spec.terminationGracePeriodSeconds: 90 -> 120
~ HorizontalPodAutoscaler/qwen-chat (prod)
  ~ spec.maxReplicas: 3 -> 4
"""  # noqa: E501  # the line as it is printed
    )
    assert diff("--env", "dev").splitlines()[0] == f"from {before} to the files in hand: dev changed"
    assert "pods" not in diff("--env", "dev", "--env", "canary")


def test_a_release(diff: Diff, team: Path) -> None:
    edited(team, RELEASE, "newTag: v0.32.0", f"newTag: v0.33.0\n    digest: sha256:{'a' * 64}")
    edited(team, SERVE, "40c069824f4251a91eefaf281ebe4c544efd3e18", "b" * 40)
    edited(team, SERVE, "gpu-memory-utilization: 0.9", "gpu-memory-utilization: 0.85\nenable-prefix-caching: true")
    found = document(diff)
    [dev] = [part for part in found["parts"] if part["name"] == "dev"]
    assert [(one["what"], one["old"], one["new"]) for one in dev["deltas"]] == [
        ("image tag", "v0.32.0", "v0.33.0"),
        ("image digest", None, f"sha256:{'a' * 64}"),
        ("model revision", "40c069824f4251a91eefaf281ebe4c544efd3e18", "b" * 40),
        ("--gpu-memory-utilization", "0.9", "0.85"),
        ("memory of vllm", "fits: 18.3 of 35.1 GiB a GPU", "fits: 18.3 of 33.1 GiB a GPU"),
        ("--enable-prefix-caching", None, "true"),
    ]
    assert {part["name"]: part["state"] for part in found["parts"]} == {
        "dev": "changed",
        "canary": "same",
        "prod": "same",
        "argocd/": "same",
    }
    fields = [change for one in dev["objects"] for change in one["changes"] if one["name"] == "qwen-chat-serve"]
    assert {
        "path": ["data", "serve.yaml", "gpu-memory-utilization"],
        "field": 'data["serve.yaml"].gpu-memory-utilization',
        "state": "changed",
        "hidden": False,
        "old": 0.9,
        "new": 0.85,
    } in fields
    images = [
        (one["kind"], change["field"])
        for one in dev["objects"]
        for change in one["changes"]
        if "image" in change["field"]
    ]
    assert ("Deployment", "spec.template.spec.containers[vllm].image") in images


def test_texts_and_values_that_are_long(diff: Diff, team: Path) -> None:
    edited(team, SERVE, "# Flags of", "# The flags of")
    edited(team, "overlays/dev/kustomization.yaml", "resources:\n", "resources:\n  - notes.yaml\n")
    notes = team / "overlays/dev/notes.yaml"
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes, labels: {environment: dev}}\ndata:\n"
    lines = "".join(f"    line {number}\n" for number in range(60))
    notes.write_text(f"{head}  long: {'x' * 300}1\n  odd: '2'\n  text: |\n{lines}")
    committed(team)
    edited(team, SERVE, "# The flags of", "# Flags of")
    notes.write_text(f"{head}  long: {'x' * 300}2\n  odd: ' 2'\n  text: |\n{lines.replace('line', 'row')}")
    said = diff()
    assert '~ data["serve.yaml"]:\n' in said
    assert "      -# The flags of `vllm serve`, without their dashes.\n" in said
    assert f"  ~ data.long: ...{'x' * 30}1 -> ...{'x' * 30}2\n" in said
    assert '  ~ data.odd: "2" -> " 2"\n' in said
    assert "      -line 0\n" in said
    assert "      ... 97 more lines\n" in said
    assert "line 59" not in said
    marked = diff("--format", "markdown")
    assert "\n`data.text`\n\n```diff\n@@ -1,60 +1,60 @@\n-line 0\n" in marked


def test_secrets_are_not_shown(diff: Diff, team: Path) -> None:
    kustomization = "overlays/dev/kustomization.yaml"
    edited(team, kustomization, "resources:\n", "resources:\n  - secret.yaml\n")
    secret = team / "overlays/dev/secret.yaml"
    secret.write_text("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: first-value}\n")
    with (team / kustomization).open("a") as stream:
        stream.write("secretGenerator:\n  - {name: made, literals: [k=first-value]}\n")
    env = "          env:\n"
    edited(team, "base/deployment.yaml", env, f"{env}            - {{name: HF_TOKEN, value: first-value}}\n")
    committed(team)
    for file in (kustomization, "base/deployment.yaml", "overlays/dev/secret.yaml"):
        edited(team, file, "first-value", "second-value")
    for shape in ("text", "json", "markdown"):
        said = diff("--format", shape)
        assert "first-value" not in said
        assert "second-value" not in said
        assert "c2Vjb25k" not in said  # second, in base64
    assert "  ~ data.k: (hidden)\n" in diff()
    assert "~ Secret/made (dev)\n" in diff()
    assert "  ~ spec.template.spec.containers[vllm].env[HF_TOKEN].value: (hidden)\n" in diff()


def test_objects_and_environments_that_come_and_go(diff: Diff, team: Path) -> None:
    edited(team, "overlays/dev/kustomization.yaml", "  - gpu-quota.yaml\n", "")
    (team / "overlays/prod").rename(team / "overlays/live")
    edited(
        team,
        "lockgate.yaml",
        "  prod:\n    level: prod\n    overlay: overlays/prod",
        "  live:\n    level: prod\n    overlay: overlays/live",
    )
    settings = team / "lockgate.yaml"
    settings.write_text(settings.read_text().replace("environments: [canary, prod]", "environments: [canary, live]"))
    said = diff()
    assert "- ResourceQuota/qwen-chat-gpu (dev, prod)\n" in said
    assert "+ Rollout/qwen-chat (live)\n" in said
    assert "- Rollout/qwen-chat (prod)\n" in said
    assert " live environment none -> added " in " ".join(said.split())
    assert "none -> 12 (HPA max 3 pods" in said
    assert "12 (HPA max 3 pods x 2 GPUs = 6, doubled at promotion: 12) -> none\n" in said
    assert document(diff, "--env", "prod")["parts"][0]["state"] == "removed"
    assert document(diff, "--env", "live")["parts"][0]["state"] == "added"
    assert "total" not in said


def test_the_argocd_folder_is_compared_too(diff: Diff, team: Path) -> None:
    edited(team, "argocd/application-set.yaml", "v0.1.0", "v0.2.0")
    said = diff()
    assert "argocd/ changed" in said
    assert "~ ApplicationSet/qwen-chat (argocd/)\n" in said
    assert "v0.1.0 -> v0.2.0" in said
    assert "What it means" not in said
    assert diff("--env", "prod").startswith("nothing changes")


def test_a_branch_is_compared_with_where_it_left_main(diff: Diff, team: Path) -> None:
    fork = short(team)
    run_git(team, "switch", "--quiet", "--create", "longer")
    edited(team, BOUNDS, "maxReplicas: 3", "maxReplicas: 4")
    committed(team)
    run_git(team, "switch", "--quiet", "main")
    edited(team, SERVE, "max-model-len: 32768", "max-model-len: 16384")
    committed(team)
    run_git(team, "switch", "--quiet", "longer")
    assert diff().splitlines()[0] == f"from {fork} to the files in hand: prod changed"
    assert diff("main").splitlines()[0] == f"from main ({short(team, 'main')}) to the files in hand: dev, prod changed"
    assert (
        diff("main..longer").splitlines()[0]
        == f"from main ({short(team, 'main')}) to longer ({short(team)}): dev, prod changed"
    )
    assert diff("main...longer").splitlines()[0] == f"from {fork} to longer ({short(team)}): prod changed"
    assert diff("main...").splitlines()[0] == f"from {fork} to HEAD ({short(team)}): prod changed"
    assert diff("..main").splitlines()[0].endswith(f"to main ({short(team, 'main')}): dev, prod changed")


def test_the_default_branch_is_the_remote_ones(team: Path, tmp_path: Path) -> None:
    run_git(team, "branch", "--move", "main", "trunk")
    clone = tmp_path / "clone"
    run_git(tmp_path, "clone", "--quiet", str(team), str(clone))
    run_git(clone, "config", "user.name", "ml-platform")
    run_git(clone, "config", "user.email", "ml-platform@example.com")
    fork = run_git(clone, "rev-parse", "HEAD")
    edited(clone, BOUNDS, "maxReplicas: 3", "maxReplicas: 4")
    committed(clone)
    assert git.checkout(clone).base() == fork
    assert git.checkout(team).base() == fork  # no default branch that anybody knows: the last commit
    assert git.checkout(clone).merge_base("HEAD", "nowhere") == ""


def test_a_repository_in_a_folder_of_its_checkout(lockgate: Run, pristine: Path, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("services\n")
    started(tmp_path)
    root = tmp_path / "services" / "chat"
    shutil.copytree(pristine, root)
    done = lockgate("diff", "HEAD", cwd=root)
    assert done.returncode == 2
    assert done.stderr == "error: HEAD has no folder services/chat\nhint: name a revision that has the repository\n"
    committed(tmp_path)
    edited(root, BOUNDS, "maxReplicas: 3", "maxReplicas: 4")
    done = lockgate("diff", "HEAD", str(root / "overlays" / "prod"), cwd=tmp_path)
    assert done.stdout.splitlines()[0].endswith("to the files in hand: prod changed"), done.stderr
    assert lockgate("diff", "HEAD", str(root / "overlays" / "dev"), cwd=tmp_path).stdout.startswith("nothing changes")


def test_an_older_revision_is_counted_by_the_rules_in_hand(diff: Diff, team: Path) -> None:
    rules = {name: (team / "policies" / name).read_text() for name in ("facts.rego", "facts_test.rego")}
    (team / "policies/facts.rego").write_text("package lockgate.facts\n\nimport rego.v1\n\npeak := 1\n")
    (team / "policies/facts_test.rego").unlink()
    committed(team)
    for name, text in rules.items():
        (team / "policies" / name).write_text(text)
    edited(team, BOUNDS, "maxReplicas: 3", "maxReplicas: 4")
    assert "22 -> 26" in diff()


def test_findings_that_are_new_and_gone(diff: Diff, team: Path) -> None:
    edited(team, SERVE, "gpu-memory-utilization: 0.9", "gpu-memory-utilization: 0.4")
    committed(team)
    assert "Findings: 0 new, 0 gone\n" in diff("--check")
    edited(team, SERVE, "gpu-memory-utilization: 0.4", "gpu-memory-utilization: 0.9")
    edited(team, BOUNDS, "maxReplicas: 3", "maxReplicas: 4")
    said = diff("--check")
    # The line that a finding stands at may move: it is gone by its rule, object and field.
    gone = "- VLM002 ConfigMap/qwen-chat-serve data.serve.yaml.gpu-memory-utilization (dev)"
    peak = "GPUs at the peak: HPA max 4 pods x 2 GPUs = 8, doubled at promotion: 16"
    new = f"{BOUNDS}:8 error CST001 {peak} > budget 12 (prod)"
    assert f"\nFindings: 1 new, 1 gone\n  + {new}\n  {gone}\n" in said
    assert "\n- **gone** VLM002 ConfigMap/qwen-chat-serve" in diff("--check", "--format", "markdown")
    found = document(diff, "--check")["findings"]
    assert [(one["rule"], one["file"], one["line"]) for one in found["new"]] == [("CST001", BOUNDS, 8)]
    assert found["gone"] == [gone[2:]]
    assert "findings" not in document(diff)


def test_an_exemption_that_goes_changes_a_finding_and_no_object(diff: Diff, team: Path) -> None:
    settings = team / "lockgate.yaml"
    text = settings.read_text()
    settings.write_text(text[: text.index("# A rule that may be broken")])
    said = diff("--check", "--exit-code", code=1)
    assert said.startswith("nothing changes in what is rendered")
    assert "\nFindings: 2 new, 0 gone\n  + overlays/canary/release/kustomization.yaml:" in said
    assert diff("--exit-code").count("\n") == 1


def unbuildable(team: Path) -> str:
    edited(team, "overlays/prod/kustomization.yaml", "resources:\n", "resources:\n  - gone.yaml\n")
    committed(team)
    edited(team, "overlays/prod/kustomization.yaml", "resources:\n  - gone.yaml\n", "resources:\n")
    return "HEAD"


def older_layout(team: Path) -> str:
    edited(team, "lockgate.yaml", "startup_budget_seconds:", "start_budget:")
    committed(team)
    edited(team, "lockgate.yaml", "start_budget:", "startup_budget_seconds:")
    return "HEAD"


def no_repository(team: Path) -> str:
    run_git(team, "rm", "--quiet", "-r", "--cached", ".")
    run_git(team, "commit", "--quiet", "--allow-empty", "--message", "Empty")
    return "HEAD"


def unrelated(team: Path) -> str:
    tree = run_git(team, "rev-parse", "HEAD^{tree}")
    return f"main...{run_git(team, 'commit-tree', tree, '-m', 'Other')}"


def unbuildable_here(team: Path) -> str:
    edited(team, "overlays/prod/kustomization.yaml", "resources:\n", "resources:\n  - gone.yaml\n")
    return "HEAD"


@pytest.mark.parametrize(
    ("revision", "arguments", "message"),
    [
        (lambda _team: "nowhere", (), "'nowhere' is no commit, branch or tag of "),
        (lambda _team: "main..nowhere", (), "'nowhere' is no commit, branch or tag of "),
        (lambda _team: "main...nowhere", (), "'nowhere' is no commit, branch or tag of "),
        (lambda _team: "overlays/prod", (), "hint: PATH comes behind REV: lockgate diff HEAD overlays/prod"),
        (lambda _team: "prod", (), "'prod' is no commit, branch or tag of "),
        (lambda _team: "prod", (), "hint: an environment: --env prod"),
        (unrelated, (), " share no commit\nhint: compare them as they are: main.."),
        (
            lambda _team: "HEAD",
            ("--env", "prd"),
            "environment 'prd' is in lockgate.yaml of neither side\nhint: in hand there are: dev, canary, prod",
        ),
        (lambda _team: "HEAD", ("--format", "sarif"), "'sarif' is not one of 'text', 'json', 'markdown'"),
        (no_repository, (), "error: HEAD: no lockgate.yaml, so no repository of Lockgate\n"),
        (older_layout, (), "error: HEAD: lockgate.yaml:"),
        (unbuildable, (), "error: HEAD: overlays/prod/kustomization.yaml:"),
        (unbuildable_here, (), "error: overlays/prod/kustomization.yaml:"),
    ],
)
def test_no_answer(
    lockgate: Run, team: Path, revision: Callable[[Path], str], arguments: tuple[str, ...], message: str
) -> None:
    done = lockgate("diff", revision(team), *arguments, cwd=team)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "lockgate-" not in done.stderr  # the folder that the revision was taken to
    assert len(run_git(team, "worktree", "list").splitlines()) == 1


def test_without_git(lockgate: Run, repository: Path, tmp_path: Path) -> None:
    outside = lockgate("diff", cwd=repository)
    assert outside.stderr == f"error: {repository} is in no Git checkout\nhint: git init && git add . && git commit\n"
    missing = lockgate("diff", cwd=repository, PATH=str(tmp_path))
    assert missing.stderr == "error: no `git` on PATH\nhint: install Git\n"
    run_git(repository, "init", "--quiet")
    empty = lockgate("diff", cwd=repository)
    assert empty.stderr == f"error: {repository} has no commit\nhint: git add . && git commit\n"
    assert (outside.returncode, missing.returncode, empty.returncode) == (2, 2, 2)
    nothing = lockgate("diff", cwd=tmp_path)
    assert nothing.returncode == 2
    assert "no lockgate.yaml in " in nothing.stderr


def test_markdown(diff: Diff, team: Path) -> None:
    edited(team, BOUNDS, "maxReplicas: 3", "maxReplicas: 4")
    said = diff("--format", "markdown")
    assert said.splitlines()[0] == f"### Lockgate: from {short(team)} to the files in hand: prod changed"
    assert "| prod | pods | 2 to 3 | 2 to 4 |\n" in said
    folded = said[said.index("<details>") :]
    assert folded.splitlines()[0] == "<details><summary>1 object</summary>"
    assert "\n**HorizontalPodAutoscaler/qwen-chat** changed in prod\n\n| field | before | after |\n" in folded
    assert "| `spec.maxReplicas` | `3` | `4` |\n" in folded
    assert folded.endswith("\n</details>\n")


def test_a_comment_of_a_pull_request_has_an_end(diff: Diff, team: Path) -> None:
    edited(team, "overlays/dev/kustomization.yaml", "resources:\n", "resources:\n  - many.yaml\n")
    one = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: many-NUMBER, labels: {environment: dev}}\ndata: {a: VALUE}\n"
    )
    many = team / "overlays/dev/many.yaml"
    text = "---\n".join(one.replace("NUMBER", str(number)) for number in range(200))
    many.write_text(text.replace("VALUE", "x" * 400))
    committed(team)
    many.write_text(text.replace("VALUE", "y" * 400))
    said = diff("--format", "markdown")
    assert 40_000 < len(said) < 65_536
    assert " more: see `lockgate diff`.\n\n</details>\n" in said


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("vllm/vllm-openai:v1", ("vllm/vllm-openai", "v1", "")),
        ("localhost:5000/a", ("localhost:5000/a", "", "")),
        ("localhost:5000/a:b@sha256:c", ("localhost:5000/a", "b", "sha256:c")),
        ("a@sha256:c", ("a", "", "sha256:c")),
        ("", ("", "", "")),
    ],
)
def test_parts_of_an_image(image: str, parts: tuple[str, str, str]) -> None:
    assert deltas.image_parts(image) == parts
