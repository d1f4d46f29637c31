"""The preload program and a bucket: a real S3 server on loopback, through boto3, with faults in front of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from huggingface_hub import scan_cache_dir, snapshot_download
from serving.buckets import FOLDER, KEY, PREFIX, SECRET, Bucket, gateway, listing, wanted
from serving.faults import PRELOAD_S3, Row
from serving.hub import FILES, MODEL, REVISION, WANTED, WEIGHTS, Hub, sha256
from serving.preloading import MARKER, SNAPSHOT, as_a_shell_says, begun, ends_as, is_whole, marked, parts, preload
from serving.proxy import Fault, Proxy, before

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow

Done = subprocess.CompletedProcess[str]
# A busy machine is no stall.
WAITS = ("--stall-seconds=20",)
STALLED = "--stall-seconds=0.5"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with gateway(tmp_path_factory.mktemp("s3")) as host:
        yield host


@pytest.fixture
def bucket(server: str) -> Bucket:
    return Bucket(server, f"b-{uuid.uuid4().hex}")


@pytest.fixture
def proxy(server: str) -> Iterator[Proxy]:
    with before(server) as passing:
        yield passing


class Mirror:
    """The program told of one bucket behind a proxy."""

    def __init__(self, bucket: Bucket, proxy: Proxy, config: Path, cache: Path) -> None:
        self.bucket, self.proxy, self.config, self.cache = bucket, proxy, config, cache
        self.place = f"s3://{bucket.name}/{PREFIX}"
        self.variables = {
            "AWS_ENDPOINT_URL": f"http://{proxy.host}",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "2",
            # Else boto3 asks the node's metadata service for keys.
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def fetch(self, *options: str, hub: Hub | None = None, **extra: str) -> Done:
        words = options if any(one.startswith("--source") for one in options) else (f"--source={self.place}", *options)
        return preload(self.config, hub, self.cache, *WAITS, *words, **{**self.variables, **extra})

    def begin(self, *options: str) -> subprocess.Popen[str]:
        return begun(self.config, None, self.cache, *WAITS, f"--source={self.place}", *options, **self.variables)

    def publish(self, hub: Hub | None, *options: str, **extra: str) -> Done:
        words = options or (f"--publish={self.place}",)
        return preload(self.config, hub, self.cache, *WAITS, *words, **{**self.variables, **extra})


@pytest.fixture
def mirror(bucket: Bucket, proxy: Proxy, config: Path, cache: Path) -> Mirror:
    return Mirror(bucket, proxy, config, cache)


def test_it_fetches_what_the_listing_names_and_no_code(mirror: Mirror, cache: Path) -> None:
    mirror.bucket.fill()
    done = mirror.fetch()
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"preload: fetching {MODEL}@{REVISION} into {cache} from {mirror.place}"
    assert re.fullmatch(rf"preload: 4 of 4 files to fetch, 0.0 MiB; .* free in {cache}", lines[1])
    assert lines[-1] == f"preload: {MODEL}@{REVISION} is whole"
    assert is_whole(cache)
    assert sorted(mirror.proxy.asked) == sorted(
        f"GET /{mirror.bucket.name}/{name}" for name in (f"{FOLDER}.json", *(f"{FOLDER}/{name}" for name in WANTED))
    )


def test_the_marker_is_the_one_that_the_hub_gives(mirror: Mirror, hub: Hub, config: Path, tmp_path: Path) -> None:
    mirror.bucket.fill()
    assert mirror.fetch().returncode == 0
    assert preload(config, hub, tmp_path / "other").returncode == 0
    assert (mirror.cache / MARKER).read_bytes() == (tmp_path / "other" / MARKER).read_bytes()


def test_the_client_of_the_hub_finds_the_snapshot(mirror: Mirror, cache: Path) -> None:
    mirror.bucket.fill()
    assert mirror.fetch().returncode == 0
    found = snapshot_download(MODEL, revision=REVISION, cache_dir=cache, local_files_only=True)
    assert Path(found) == cache / SNAPSHOT
    scanned = scan_cache_dir(cache)
    assert [warning for warning in scanned.warnings if ".preload" not in str(warning)] == []
    ((repository,),) = [tuple(scanned.repos)]
    ((revision,),) = [tuple(repository.revisions)]
    assert (revision.commit_hash, {file.file_name for file in revision.files}) == (REVISION, set(WANTED))
    link = cache / SNAPSHOT / WEIGHTS
    assert str(link.readlink()) == f"../../blobs/{sha256(FILES[WEIGHTS])}"


def test_a_second_run_asks_the_bucket_for_nothing(mirror: Mirror) -> None:
    mirror.bucket.fill()
    mirror.fetch()
    mirror.proxy.asked.clear()
    done = mirror.fetch()
    assert (done.returncode, mirror.proxy.asked) == (0, [])
    assert done.stdout == f"preload: {MODEL}@{REVISION} is in {mirror.cache} already\n"


def test_what_is_published_is_the_snapshot_and_then_its_marker(mirror: Mirror, hub: Hub) -> None:
    done = mirror.publish(hub)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"preload: {MODEL}@{REVISION} is published"
    assert mirror.bucket.keys() == {f"{FOLDER}.json", *(f"{FOLDER}/{name}" for name in WANTED)}
    assert mirror.bucket.get(f"{FOLDER}.json") == (mirror.cache / MARKER).read_bytes()
    assert json.loads(mirror.bucket.get(f"{FOLDER}.json")) == wanted()
    assert {name: mirror.bucket.get(f"{FOLDER}/{name}") for name in WANTED} == {name: FILES[name] for name in WANTED}
    puts = [asked for asked in mirror.proxy.asked if asked.startswith("PUT ")]
    assert puts[-1] == f"PUT /{mirror.bucket.name}/{FOLDER}.json"


def test_what_was_published_is_fetched(mirror: Mirror, hub: Hub, tmp_path: Path) -> None:
    assert mirror.publish(hub).returncode == 0
    mirror.cache = tmp_path / "other"
    assert mirror.fetch().returncode == 0
    assert is_whole(mirror.cache)


def test_what_is_in_the_bucket_is_not_sent_again(mirror: Mirror, hub: Hub) -> None:
    mirror.publish(hub)
    mirror.bucket.put(f"{FOLDER}/{WEIGHTS}", b"half")
    mirror.proxy.asked.clear()
    assert mirror.publish(None).returncode == 0
    puts = [asked for asked in mirror.proxy.asked if asked.startswith("PUT ")]
    assert puts == [f"PUT /{mirror.bucket.name}/{FOLDER}{end}" for end in (f"/{WEIGHTS}", ".json")]
    assert mirror.bucket.get(f"{FOLDER}/{WEIGHTS}") == FILES[WEIGHTS]


def test_what_was_damaged_on_the_claim_is_not_published(mirror: Mirror, hub: Hub) -> None:
    assert preload(mirror.config, hub, mirror.cache).returncode == 0
    (mirror.cache / SNAPSHOT / WEIGHTS).resolve().write_bytes(bytes(len(FILES[WEIGHTS])))
    assert mirror.publish(hub).returncode == 0
    assert mirror.bucket.get(f"{FOLDER}/{WEIGHTS}") == FILES[WEIGHTS]


@pytest.mark.parametrize("count", [1, 2, 5, 8, 9])
def test_half_a_mirror_is_none(mirror: Mirror, hub: Hub, tmp_path: Path, count: int) -> None:
    """Two requests for each of four files and one for the listing; the program is killed at one of them."""
    assert preload(mirror.config, hub, mirror.cache).returncode == 0
    with mirror.proxy.stopped_at(count) as reached:
        words = (*WAITS, f"--publish={mirror.place}")
        with begun(mirror.config, None, mirror.cache, *words, **mirror.variables) as process:
            assert reached.wait(60), process.communicate(timeout=5)
            process.kill()
    other = Mirror(mirror.bucket, mirror.proxy, mirror.config, tmp_path / "other")
    assert other.fetch().returncode == 66
    assert mirror.publish(None).returncode == 0
    assert other.fetch().returncode == 0


@pytest.mark.parametrize("count", range(1, 6))
def test_killed_at_any_request_it_marks_nothing_and_the_next_run_ends_it(mirror: Mirror, count: int) -> None:
    mirror.bucket.fill()
    with mirror.proxy.stopped_at(count) as reached, mirror.begin() as process:
        assert reached.wait(60), process.communicate(timeout=5)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not marked(mirror.cache)
    done = mirror.fetch()
    assert done.returncode == 0, done.stderr
    assert is_whole(mirror.cache)
    assert marked(mirror.cache)


def large_weights(mirror: Mirror) -> bytes:
    """Weights of 8 MiB in the bucket."""
    content = os.urandom(8 * 2**20)
    mirror.bucket.fill({**FILES, WEIGHTS: content})
    return content


def test_within_a_run_it_goes_on_where_a_connection_broke(mirror: Mirror) -> None:
    content = large_weights(mirror)
    mirror.proxy.faults = [Fault(WEIGHTS, "truncate", times=1)]
    done = mirror.fetch()
    assert done.returncode == 0, done.stderr
    assert mirror.proxy.ranges == [f"bytes={6 * 2**20}-"]
    assert (mirror.cache / SNAPSHOT / WEIGHTS).read_bytes() == content


def test_after_a_kill_the_next_run_goes_on_with_the_part(mirror: Mirror) -> None:
    content = large_weights(mirror)
    mirror.proxy.faults = [Fault(WEIGHTS, "hold")]
    with mirror.begin() as process:
        assert mirror.proxy.held.wait(60), process.communicate(timeout=5)
        # Small files may be under way beside it.
        while sum(part.stat().st_size for part in parts(mirror.cache) if part.name.startswith(sha256(content))) < 2**20:
            threading.Event().wait(0.02)
        process.kill()
    (size,) = (part.stat().st_size for part in parts(mirror.cache) if part.name.startswith(sha256(content)))
    mirror.proxy.faults = []
    done = mirror.fetch()
    assert done.returncode == 0, done.stderr
    assert f"bytes={size}-" in mirror.proxy.ranges
    assert (mirror.cache / SNAPSHOT / WEIGHTS).read_bytes() == content
    assert parts(mirror.cache) == []


def test_a_part_that_is_damaged_is_thrown_away_and_fetched_anew(mirror: Mirror) -> None:
    mirror.bucket.fill()
    blobs = mirror.cache / SNAPSHOT.parts[0] / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{sha256(FILES[WEIGHTS])}.preload-0.incomplete").write_bytes(b"other")
    (blobs / f"{'0' * 64}.preload-0.incomplete").write_bytes(b"of another model")
    first = mirror.fetch()
    assert first.returncode == 75
    assert "removed the parts of 1 files" in first.stdout
    assert mirror.fetch().returncode == 0
    assert is_whole(mirror.cache)


def test_what_another_revision_has_is_not_fetched_again(mirror: Mirror) -> None:
    mirror.bucket.fill()
    assert mirror.fetch().returncode == 0
    newer = "f" * 40
    folder = f"{PREFIX}/{MODEL}/{newer}"
    config = {**FILES, "config.json": b'{"model_type": "llama", "newer": true}'}
    mirror.bucket.put(f"{folder}/config.json", config["config.json"])
    entries = {**listing(config), "snapshot": str(SNAPSHOT.with_name(newer))}
    mirror.bucket.put(f"{folder}.json", json.dumps(entries).encode())
    mirror.config.write_text(f"model: {MODEL}\nrevision: {newer}\n")
    mirror.proxy.asked.clear()
    done = mirror.fetch()
    assert done.returncode == 0, done.stderr
    assert [asked.rpartition("/")[2] for asked in mirror.proxy.asked] == [f"{newer}.json", "config.json"]
    assert (mirror.cache / SNAPSHOT.with_name(newer) / WEIGHTS).read_bytes() == FILES[WEIGHTS]


def test_files_of_one_content_come_each(mirror: Mirror) -> None:
    same = dict.fromkeys([f"{number}.json" for number in range(9)], os.urandom(2**20))
    twins = {**FILES, **same, "empty.json": b"", "empty.txt": b""}
    mirror.bucket.fill(twins)
    done = mirror.fetch()
    assert done.returncode == 0, done.stderr
    wanted = {name: content for name, content in twins.items() if name.endswith((".json", ".txt", ".safetensors"))}
    snapshot = mirror.cache / SNAPSHOT
    assert {path.name: path.read_bytes() for path in snapshot.iterdir()} == wanted
    assert parts(mirror.cache) == []


def test_without_symbolic_links_the_files_lie_in_the_snapshot(mirror: Mirror, tmp_path: Path) -> None:
    """As on a share of Windows: the file system refuses each link."""
    mirror.bucket.fill()
    (tmp_path / "share").mkdir()
    (tmp_path / "share" / "sitecustomize.py").write_text(
        "import errno, pathlib\n"
        "def refuse(*_): raise PermissionError(errno.EPERM, 'Operation not permitted')\n"
        "pathlib.Path.symlink_to = refuse\n"
    )
    done = mirror.fetch(PYTHONPATH=str(tmp_path / "share"))
    assert done.returncode == 0, done.stderr
    assert not any(path.is_symlink() for path in mirror.cache.rglob("*"))
    assert is_whole(mirror.cache)
    assert mirror.fetch().stdout.endswith(" already\n")


def test_two_at_once_fetch_it_once(mirror: Mirror) -> None:
    mirror.bucket.fill()
    mirror.proxy.faults = [Fault(WEIGHTS, "hold")]
    with mirror.begin() as first:
        assert mirror.proxy.held.wait(60), first.communicate(timeout=5)
        with mirror.begin() as second:
            assert second.stdout
            said = [second.stdout.readline() for _ in range(2)]
            mirror.proxy.release.set()
            rest = second.communicate(timeout=60)
        first.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0), rest
    assert said[1] == "preload: another run fills the cache: waiting for it\n"
    assert rest[0].endswith(" already\n")
    assert len(mirror.proxy.asked) == 1 + len(WANTED)
    assert is_whole(mirror.cache)


def test_two_at_once_without_a_lock_leave_it_whole(mirror: Mirror) -> None:
    """As on a file system whose locks mean nothing: neither waits for the other."""
    mirror.bucket.fill()
    mirror.proxy.faults = [Fault(WEIGHTS, "hold", times=1)]
    with mirror.begin() as first:
        assert mirror.proxy.held.wait(60), first.communicate(timeout=5)
        done = mirror.fetch("--lock-seconds=0.2")
        mirror.proxy.release.set()
        said = first.communicate(timeout=60)
    assert (first.returncode, done.returncode) == (0, 0), (said, done.stderr)
    assert "preload: going on without the lock: " in done.stdout
    assert is_whole(mirror.cache)


def test_no_key_is_written_or_shown(mirror: Mirror, hub: Hub) -> None:
    said = mirror.publish(hub)
    mirror.cache = mirror.cache.with_name("other")
    done = mirror.fetch()
    assert (said.returncode, done.returncode) == (0, 0)
    text = said.stdout + said.stderr + done.stdout + done.stderr
    written = b"".join(path.read_bytes() for path in mirror.cache.parent.rglob("*") if path.is_file())
    assert [key for key in (KEY, SECRET) if key in text or key.encode() in written] == []


def test_the_log_tells_how_far_it_is(mirror: Mirror) -> None:
    mirror.bucket.fill()
    mirror.proxy.faults = [Fault(WEIGHTS, "hold")]
    with mirror.begin() as process:
        assert process.stdout
        told = next(line for line in process.stdout if "MiB/s" in line)
        mirror.proxy.release.set()
        process.communicate(timeout=60)
    assert re.fullmatch(r"preload: 0.0 MiB of 0.0 MiB, [0-9.]+ MiB/s\n", told)


@pytest.mark.parametrize("row", PRELOAD_S3, ids=lambda row: row.fault)
def test_each_fault_ends_as_the_table_says(row: Row, mirror: Mirror, hub: Hub, tmp_path: Path) -> None:
    scene: Callable[..., Done] = globals()[f"scene_{row.scene}"]
    ends_as(row, mirror.cache, scene, {"mirror": mirror, "hub": hub, "tmp_path": tmp_path})
    assert not any(name in {"x.json", "x"} for path in tmp_path.rglob("*") for name in [path.name])


def scene_words(mirror: Mirror, said: tuple[str, ...]) -> Done:
    done = preload(mirror.config, None, mirror.cache, *said)
    assert KEY not in done.stdout + done.stderr
    return done


def scene_variables(mirror: Mirror, given: dict[str, str]) -> Done:
    mirror.bucket.fill()
    # An empty variable is a set one to boto3.
    mirror.variables = {name: text for name, text in {**mirror.variables, **given}.items() if text}
    return mirror.fetch()


def scene_without(mirror: Mirror, tmp_path: Path) -> Done:
    (tmp_path / "lacking").mkdir()
    (tmp_path / "lacking" / "boto3.py").write_text("raise ImportError('no boto3')")
    return mirror.fetch(PYTHONPATH=str(tmp_path / "lacking"))


def scene_bucket(mirror: Mirror, name: str) -> Done:
    return mirror.fetch(f"--source=s3://{name}/{PREFIX}")


def scene_no_listing(mirror: Mirror) -> Done:
    mirror.bucket.fill()
    mirror.bucket.delete(f"{FOLDER}.json")
    return mirror.fetch()


def scene_no_file(mirror: Mirror) -> Done:
    mirror.bucket.fill()
    mirror.bucket.delete(f"{FOLDER}/{WEIGHTS}")
    return mirror.fetch()


def scene_proxy(mirror: Mirror, fault: dict[str, Any]) -> Done:
    mirror.bucket.fill()
    mirror.proxy.faults = [Fault(**fault)]
    return mirror.fetch(*[STALLED] * (fault["kind"] == "stall"))


def scene_listing(mirror: Mirror, text: str) -> Done:
    mirror.bucket.fill()
    mirror.bucket.put(f"{FOLDER}.json", text.encode())
    return mirror.fetch()


def scene_lacking(mirror: Mirror) -> Done:
    mirror.bucket.fill()
    mirror.bucket.relist({name: part for name, part in wanted().items() if name != "hashes"})
    return mirror.fetch()


def scene_moved(mirror: Mirror) -> Done:
    mirror.bucket.fill()
    mirror.bucket.relist({**wanted(), "snapshot": str(SNAPSHOT.with_name("1" * 40))})
    return mirror.fetch()


def scene_listed(
    mirror: Mirror, name: str = WEIGHTS, size: object = None, value: str = "", without: str = "none"
) -> Done:
    """One file of the listing is another one, or has another size or hash; those with a suffix are left out."""
    mirror.bucket.fill()
    entries = wanted()
    entries["files"][name] = entries["files"][WEIGHTS] if size is None else size
    entries["hashes"][name] = value or entries["hashes"][WEIGHTS]
    for part in ("files", "hashes"):
        entries[part] = {one: found for one, found in entries[part].items() if not one.endswith(without)}
    mirror.bucket.relist(entries)
    return mirror.fetch()


def scene_signal(mirror: Mirror, number: int) -> Done:
    mirror.bucket.fill()
    mirror.proxy.faults = [Fault(WEIGHTS, "hold")]
    with mirror.begin() as process:
        assert mirror.proxy.held.wait(60), process.communicate(timeout=5)
        process.send_signal(number)
        said = process.communicate(timeout=20)
    return as_a_shell_says(process, said)


def scene_publish(mirror: Mirror, hub: Hub, model: str = MODEL, bucket: str = "", **fault: Any) -> Done:
    mirror.config.write_text(f"model: {model}\nrevision: '{REVISION}'\n")
    mirror.proxy.faults = [Fault(**fault)] if fault else []
    return mirror.publish(hub, f"--publish=s3://{bucket or mirror.bucket.name}/{PREFIX}")
