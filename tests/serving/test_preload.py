"""The preload program against a hub on loopback, through the real hub client."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from serving.faults import PRELOAD, Row
from serving.hub import FILES, MODEL, REVISION, TOKEN, WANTED, WEIGHTS, Fault, Hub
from serving.preloading import (
    MARKER,
    PROGRAM,
    SNAPSHOT,
    as_a_shell_says,
    begun,
    ends_as,
    environment,
    is_whole,
    marked,
    parts,
    preload,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_it_fetches_the_pinned_commit_and_no_code(hub: Hub, config: Path, cache: Path) -> None:
    done = preload(config, hub, cache)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"preload: fetching {MODEL}@{REVISION} into {cache}"
    assert re.fullmatch(rf"preload: 4 of 4 files to fetch, 0.0 MiB; .* free in {cache}", lines[1])
    assert lines[-1] == f"preload: {MODEL}@{REVISION} is whole"
    assert is_whole(cache)


def test_the_marker_lists_each_file_with_its_size_and_hash(hub: Hub, config: Path, cache: Path) -> None:
    preload(config, hub, cache)
    marker = json.loads((cache / MARKER).read_text())
    assert marker["snapshot"] == str(SNAPSHOT)
    assert marker["files"] == {name: len(FILES[name]) for name in WANTED}
    assert {name: value.partition(":")[0] for name, value in marker["hashes"].items()} == {
        name: "sha256" if name.endswith(".safetensors") else "sha1" for name in WANTED
    }


def test_a_second_run_asks_the_hub_for_nothing(hub: Hub, config: Path, cache: Path) -> None:
    preload(config, hub, cache)
    hub.asked.clear()
    done = preload(config, hub, cache)
    assert (done.returncode, hub.asked) == (0, [])
    assert done.stdout == f"preload: {MODEL}@{REVISION} is in {cache} already\n"


def test_a_second_run_needs_no_network(hub: Hub, config: Path, cache: Path) -> None:
    preload(config, hub, cache)
    assert preload(config, None, cache).returncode == 0


def test_a_claim_that_is_mounted_elsewhere_is_whole_all_the_same(hub: Hub, config: Path, cache: Path) -> None:
    preload(config, hub, cache)
    moved = cache.rename(cache.with_name("elsewhere"))
    assert preload(config, None, moved).returncode == 0


def test_files_can_be_left_out(hub: Hub, config: Path, cache: Path) -> None:
    assert preload(config, hub, cache, "--skip", "*-00002-*", "--skip=tokenizer*").returncode == 0
    assert sorted(json.loads((cache / MARKER).read_text())["files"]) == ["config.json", WEIGHTS]


def test_the_token_comes_from_the_environment_and_goes_to_the_hub_alone(hub: Hub, config: Path, cache: Path) -> None:
    hub.token = TOKEN
    done = preload(config, hub, cache, HF_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert (hub.tokens, hub.tokens_elsewhere) == ({TOKEN}, {""})
    assert TOKEN not in done.stdout + done.stderr
    written = b"".join(path.read_bytes() for path in cache.rglob("*") if path.is_file())
    assert TOKEN.encode() not in written


def test_a_token_file_in_the_home_is_not_used(hub: Hub, config: Path, cache: Path) -> None:
    file = cache.parent / ".cache" / "huggingface" / "token"
    file.parent.mkdir(parents=True)
    file.write_text(TOKEN)
    assert preload(config, hub, cache).returncode == 0
    assert hub.tokens == {""}


def test_the_log_tells_how_far_it_is(hub: Hub, config: Path, cache: Path) -> None:
    hub.faults = [Fault("body", "slow")]
    done = preload(config, hub, cache)
    assert done.returncode == 0, done.stderr
    assert re.search(r"preload: 0.0 MiB of 0.0 MiB, [0-9.]+ MiB/s\n", done.stdout)


def test_what_has_come_of_a_large_file_is_not_asked_for_again(hub: Hub, config: Path, cache: Path) -> None:
    """The client keeps pieces of 10 MiB."""
    hub.files[WEIGHTS] = os.urandom(24 * 2**20)
    hub.faults = [Fault("body", "truncate", times=1)]
    done = preload(config, hub, cache)
    assert done.returncode == 0, done.stderr
    assert hub.ranges == [f"bytes={10 * 2**20}-"]
    assert (cache / SNAPSHOT / WEIGHTS).read_bytes() == hub.files[WEIGHTS]
    assert marked(cache)


@pytest.mark.parametrize("count", range(1, 12))
def test_killed_at_any_request_it_marks_nothing_and_the_next_run_ends_it(
    hub: Hub, config: Path, cache: Path, count: int
) -> None:
    """Twelve requests make a snapshot; the program is killed while it waits for one of them."""
    reached, release = threading.Event(), threading.Event()

    def seen(number: int) -> None:
        if number == count:
            reached.set()
            release.wait(20)

    hub.seen = seen
    with begun(config, hub, cache) as process:
        assert reached.wait(60), process.communicate(timeout=5)
        process.kill()
        release.set()
    assert process.returncode == -signal.SIGKILL
    assert not marked(cache)
    hub.seen = lambda _number: None
    done = preload(config, hub, cache)
    assert done.returncode == 0, done.stderr
    assert is_whole(cache)
    assert marked(cache)


def test_whole_files_are_kept_after_a_kill(hub: Hub, config: Path, cache: Path) -> None:
    hub.faults = [Fault("body", "slow")]
    with begun(config, hub, cache) as process:
        deadline = time.monotonic() + 60
        others = [cache / SNAPSHOT / name for name in WANTED if name != WEIGHTS]
        while not (parts(cache) and all(path.exists() for path in others)) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.kill()
    assert len(parts(cache)) == 1
    hub.faults.clear()
    hub.fetched.clear()
    done = preload(config, hub, cache)
    assert done.returncode == 0, done.stderr
    assert "preload: removed the parts of 1 files that a killed run left\n" in done.stdout
    assert hub.fetched == [WEIGHTS]
    assert is_whole(cache)


def test_two_at_once_fetch_it_once(hub: Hub, config: Path, cache: Path) -> None:
    hub.faults = [Fault("body", "slow")]
    with begun(config, hub, cache) as first:
        assert hub.began.wait(60)
        done = preload(config, hub, cache)
        said = first.communicate(timeout=60)
    assert (first.returncode, done.returncode) == (0, 0), said
    assert "preload: another run fills the cache: waiting for it\n" in done.stdout
    assert done.stdout.endswith(" already\n")
    assert sorted(hub.fetched) == sorted(WANTED)
    assert is_whole(cache)


def test_two_at_once_without_a_lock_leave_it_whole(hub: Hub, config: Path, cache: Path) -> None:
    """As on a file system whose locks mean nothing: neither waits for the other."""
    hub.faults = [Fault("body", "slow")]
    with begun(config, hub, cache) as first:
        assert hub.began.wait(60)
        done = preload(config, hub, cache, "--lock-seconds=0.2", "--quiet-seconds=2")
        said = first.communicate(timeout=60)
    assert (first.returncode, done.returncode) == (0, 0), (said, done.stderr)
    assert "preload: going on without the lock: " in done.stdout
    assert is_whole(cache)


def test_nothing_is_left_of_a_part_that_came_damaged(hub: Hub, config: Path, cache: Path) -> None:
    hub.faults = [Fault("body", "corrupt", times=1)]
    assert preload(config, hub, cache).returncode == 75
    assert not (cache / SNAPSHOT / WEIGHTS).exists()
    done = preload(config, hub, cache)
    assert done.returncode == 0, done.stderr
    assert is_whole(cache)


def test_verify_finds_what_was_damaged_on_the_claim(hub: Hub, config: Path, cache: Path) -> None:
    preload(config, hub, cache)
    blob = (cache / SNAPSHOT / WEIGHTS).resolve()
    blob.write_bytes(bytes(len(FILES[WEIGHTS])))
    done = preload(config, hub, cache, "--verify")
    assert done.returncode == 0, done.stderr
    assert is_whole(cache)


@pytest.mark.parametrize("row", PRELOAD, ids=lambda row: row.fault)
def test_each_fault_ends_as_the_table_says(row: Row, hub: Hub, config: Path, cache: Path) -> None:
    ends_as(row, cache, globals()[f"scene_{row.scene}"], {"hub": hub, "config": config, "cache": cache})


def scene_hub(hub: Hub, config: Path, cache: Path, faults: list[dict[str, object]]) -> subprocess.CompletedProcess[str]:
    hub.faults = [Fault(**fault) for fault in faults]  # type: ignore[arg-type]
    return preload(config, hub, cache)


def scene_config(hub: Hub, config: Path, cache: Path, text: str) -> subprocess.CompletedProcess[str]:
    config.write_text(text)
    return preload(config, hub, cache)


def scene_variables(hub: Hub, config: Path, cache: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return preload(config, hub, cache, **variables)


def scene_token(hub: Hub, config: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    hub.token = TOKEN
    return preload(config, hub, cache)


def scene_no_weights(hub: Hub, config: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    hub.files = {name: content for name, content in FILES.items() if not name.endswith(".safetensors")}
    return preload(config, hub, cache)


def scene_no_room(hub: Hub, config: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    hub.sizes = {WEIGHTS: 2**60}
    return preload(config, hub, cache)


def scene_wrong_size(hub: Hub, config: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    hub.sizes = {WEIGHTS: len(FILES[WEIGHTS]) + 1}
    return preload(config, hub, cache)


def scene_a_file_for_a_folder(hub: Hub, config: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    cache.write_text("no folder")
    return preload(config, hub, cache)


def scene_lost_file(hub: Hub, config: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    preload(config, hub, cache)
    (cache / SNAPSHOT / WEIGHTS).resolve().unlink()
    (cache / SNAPSHOT / WEIGHTS).unlink()
    hub.fetched.clear()
    done = preload(config, hub, cache)
    assert hub.fetched == [WEIGHTS]
    return done


def scene_cut_file(hub: Hub, config: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    preload(config, hub, cache)
    with (cache / SNAPSHOT / WEIGHTS).resolve().open("r+b") as stream:
        stream.truncate(100)
    first = preload(config, hub, cache)
    assert first.returncode == 75
    return preload(config, hub, cache)


def scene_marker(hub: Hub, config: Path, cache: Path, text: str) -> subprocess.CompletedProcess[str]:
    preload(config, hub, cache)
    (cache / MARKER).write_text(text)
    return preload(config, hub, cache)


def scene_signal(hub: Hub, config: Path, cache: Path, number: int) -> subprocess.CompletedProcess[str]:
    hub.faults = [Fault("body", "slow")]
    with begun(config, hub, cache) as process:
        assert hub.began.wait(60)
        process.send_signal(number)
        said = process.communicate(timeout=20)
    return as_a_shell_says(process, said)


def scene_nothing_said(cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM)], env=environment(None, cache), capture_output=True, text=True, check=False
    )
