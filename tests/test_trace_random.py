"""Random small repositories: the replayed build equals kustomize's, and what it says of entries and lines holds."""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lockgate.errors import LockgateError
from lockgate.model import ObjectRef, Overlay
from lockgate.trace import Trace
from lockgate.trace.build import build
from lockgate.trace.files import Sources
from lockgate.trace.source import data

if TYPE_CHECKING:
    from random import Random

Json = Any
NAMES = ("a", "b", "c")
SCALABLE = {("apps/v1", "Deployment"), ("apps/v1", "StatefulSet")}
# Each example runs kustomize, so a failing one is not shrunk.
SLOW = settings(max_examples=12, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))


def protocol(random: Random) -> Json:
    return {"protocol": random.choice(["TCP", "UDP"])} if random.random() < 0.3 else {}


def container(random: Random, name: str) -> Json:
    made: Json = {"name": name, "image": random.choice(["img", "img:1", "reg.io/x/img:2", "other"])}
    if random.random() < 0.6:
        made["args"] = random.sample(["-x", "-y", "-z"], random.randint(1, 3))
    if random.random() < 0.7:
        made["env"] = [{"name": key, "value": str(random.randint(0, 3))} for key in random.sample("PQRS", 2)]
    if random.random() < 0.5:
        made["ports"] = [{"containerPort": port} | protocol(random) for port in random.sample([80, 81, 82], 2)]
    if random.random() < 0.5:
        made["resources"] = {"limits": {"cpu": random.randint(1, 3), "example.com/gpu": random.randint(1, 2)}}
    if random.random() < 0.3:
        made["volumeMounts"] = [{"name": "v", "mountPath": path} for path in random.sample(["/a", "/b", "/c"], 2)]
    return made


def pod(random: Random) -> Json:
    made: Json = {"containers": [container(random, name) for name in random.sample(NAMES, random.randint(1, 3))]}
    if random.random() < 0.5:
        made["tolerations"] = [{"key": key} for key in random.sample(NAMES, 2)]
    if random.random() < 0.5:
        made["volumes"] = [{"name": name, "emptyDir": {}} for name in random.sample(NAMES, 2)]
    if random.random() < 0.3:
        made["nodeSelector"] = dict.fromkeys(random.sample(NAMES, 2), "x")
    return made


def workload(random: Random) -> Json:
    return {
        "apiVersion": random.choice(["apps/v1", "example.com/v1"]),
        "kind": random.choice(["Deployment", "StatefulSet", "Rollout"]),
        "spec": {
            "replicas": random.randint(1, 3),
            "selector": {"matchLabels": {"app": "a"}},
            "template": {"metadata": {"labels": {"app": "a"}}, "spec": pod(random)},
        },
    }


def service(random: Random) -> Json:
    ports = [{"port": port, "name": f"p{port}"} | protocol(random) for port in random.sample([80, 81, 82], 2)]
    return {"apiVersion": "v1", "kind": "Service", "spec": {"ports": ports, "selector": {"app": "a"}}}


def objects(random: Random) -> list[Json]:
    made = [random.choice([workload, workload, service])(random) for _ in range(random.randint(1, 3))]
    for number, one in enumerate(made):
        one["metadata"] = {"name": f"o{number}"}
        if random.random() < 0.5:
            one["metadata"]["labels"] = dict.fromkeys(random.sample(NAMES, 2), "1")
    return made


def part(random: Random, value: Json, key: str = "") -> Json:
    """A random part of a value, changed here and there: what a strategic merge patch may hold."""
    if isinstance(value, dict):
        kept = {name: part(random, child, name) for name, child in value.items() if random.random() < 0.5}
        kept |= {name: value[name] for name in ("name", "mountPath", "containerPort", "port") if name in value}
        if random.random() < 0.1 and key not in {"spec", "template", "metadata", "selector"}:
            kept["$patch"] = random.choice(["delete", "replace"])
        return kept
    if isinstance(value, list):
        items = [part(random, item) for item in value if random.random() < 0.6]
        return items or [part(random, value[0])]
    if random.random() < 0.1 and key != "image":
        return None
    return random.choice([value, value, "9" if isinstance(value, str) else 9])


def merge_patch(random: Random, one: Json) -> Json:
    spec = part(random, one["spec"])
    spec.pop("$patch", None)
    return {"apiVersion": one["apiVersion"], "kind": one["kind"], "metadata": one["metadata"], "spec": spec}


class Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, as people do."""


def block(dumper: Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Dumper.add_representer(str, block)


def dumped(value: Json) -> str:
    return yaml.dump(value, Dumper=Dumper, sort_keys=False)


def leaves(value: Json, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(value, dict) and value:
        return [leaf for key, child in value.items() for leaf in leaves(child, (*path, key))]
    if isinstance(value, list) and value:
        return [leaf for index, child in enumerate(value) for leaf in leaves(child, (*path, index))]
    return [path]


def pointer(path: tuple[str | int, ...]) -> str:
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)


def operations(random: Random, one: Json) -> list[Json]:
    """Operations that fit whatever came before: only the parts of the workload that patches leave alone."""
    keep = [path for path in leaves(one) if path[:2] in {("spec", "replicas"), ("spec", "selector")}]
    made: list[Json] = [{"op": "add", "path": "/spec/added", "value": {"x": [1, {"z": random.randint(0, 2)}]}}]
    for path in keep:
        op = random.choice(["replace", "add", "test"])
        value = one
        for key in path:
            value = value[key]
        made.append(
            {
                "op": op,
                "path": pointer(path),
                "value": value if op == "test" else random.choice([value, 7 if isinstance(value, int) else "7"]),
            }
        )
    last: Json = {"op": "copy", "path": "/spec/copied", "from": "/spec/added/x/0"}
    remove: Json = {"op": "remove", "path": "/spec/added/x/1"}
    made.append(random.choice([last, last | {"op": "move"}, remove]))
    return [made[0], made[-1]] if random.random() < 0.5 else made[:1] + [op for op in made[1:-1] if op["op"] != "test"]


def patch_entries(random: Random, found: list[Json], files: dict[str, str]) -> Json:
    """Entries of all three patch fields over these objects; the files that they name go into `files`."""
    made: Json = {"patches": [], "patchesStrategicMerge": [], "patchesJson6902": []}
    for number, one in enumerate(found):
        draw, name = random.random(), f"p{number}.yaml"
        target = {"kind": one["kind"], "name": random.choice([one["metadata"]["name"], "o."])}
        if draw < 0.45:
            files[name] = dumped(merge_patch(random, one))
            entry: Json = random.choice([{"path": name}, {"patch": files[name]}])
            made["patches"].append(entry | random.choice([{}, {"target": target}]))
        elif draw < 0.55:
            files[name] = dumped(merge_patch(random, one))
            made["patchesStrategicMerge"].append(name)
        elif draw < 0.75:
            entry = {"target": {**target, "name": one["metadata"]["name"]}, "patch": dumped(operations(random, one))}
            made[random.choice(["patches", "patches", "patchesJson6902"])].append(entry)
    if random.random() < 0.2:
        made["patches"].append({"target": {"kind": "Nothing"}, "patch": dumped([{"op": "remove", "path": "/x"}])})
    if random.random() < 0.1 and len(found) > 1:
        gone = {name: found[-1][name] for name in ("apiVersion", "kind", "metadata")}
        made["patches"].append({"patch": dumped({**gone, "$patch": "delete"})})
    return {name: entries for name, entries in made.items() if entries}


def replacement(random: Random, found: list[Json]) -> Json:
    source: Json = {"sourceValue": random.choice(["one", "two"])}
    if random.random() < 0.5:
        path = random.choice(["metadata.name", "spec.selector"])
        source = {"source": {"kind": found[0]["kind"], "name": found[0]["metadata"]["name"], "fieldPath": path}}
        if path == "spec.selector":
            target = {"select": {"kind": found[0]["kind"]}, "fieldPaths": ["spec.copied"], "options": {"create": True}}
            return source | {"targets": [target]}
    paths = ["spec.made.[example.com/x]", "spec.made.list.0.x"]
    target = {"select": {"name": "o."}, "fieldPaths": random.sample(paths, 1), "options": {"create": True}}
    return source | {"targets": [target]}


def layer(random: Random, found: list[Json]) -> tuple[Json, dict[str, str]]:
    """Entries of an overlay or a component over these objects, and the patch files that they name."""
    files: dict[str, str] = {}
    tag = {"newTag": random.choice(["1", "2"])}
    image: Json = {"name": random.choice(["img", "reg.io/x/img", "none"])}
    image |= random.choice([tag, tag | {"newName": "reg.io/y"}, {"digest": "sha256:aa"}, {"newName": "z"}])
    # Its own label in each layer: kustomize lets fields that one entry made share a value, and later changes all.
    label = {"pairs": {f"label{random.randint(0, 999)}": random.choice("12")}}
    scalable = [one["metadata"]["name"] for one in found if (one["apiVersion"], one["kind"]) in SCALABLE]
    choices: list[tuple[float, str, Json]] = [
        (0.2, "labels", [label | {"includeTemplates": True}]),
        (0.2, "labels", [label, {"pairs": {f"selector{random.randint(0, 999)}": "1"}, "includeSelectors": True}]),
        (0.2, "commonLabels", {f"common{random.randint(0, 999)}": "1"}),
        (0.3, "commonAnnotations", {"note": "text"}),
        (0.5, "images", [image]),
        (0.4 if scalable else 0, "replicas", [{"name": name, "count": random.randint(1, 3)} for name in scalable[:1]]),
        (0.2, "namespace", "space"),
        (0.2, "namePrefix", "pre-"),
        (0.2, "nameSuffix", "-post"),
        (0.3, "replacements", [replacement(random, found)]),
    ]
    made: Json = patch_entries(random, found, files)
    return made | {field: value for chance, field, value in choices if random.random() < chance}, files


def repository(random: Random) -> dict[str, str]:
    """The files of a base, perhaps a component, and an overlay."""
    found = objects(random)
    overlay, patches = layer(random, found)
    overlay["resources"] = ["../base"]
    files = {f"overlay/{name}": text for name, text in patches.items()}
    files["base/all.yaml"] = yaml.safe_dump_all(found, sort_keys=False)
    base: Json = {"resources": ["all.yaml"]}
    if random.random() < 0.4:
        base["configMapGenerator"] = [{"name": "conf", "literals": ["A=1", "B=2"], "files": ["serve.yaml"]}]
        files["base/serve.yaml"] = "one: 1\ntwo:\n  - 2\n"
        if random.random() < 0.5:
            overlay["configMapGenerator"] = [
                {"name": "conf", "behavior": random.choice(["merge", "replace"]), "literals": ["A=3"]}
            ]
    if random.random() < 0.3:
        overlay["resources"] = ["../middle"]
        middle, patches = layer(random, found)
        files |= {f"middle/{name}": text for name, text in patches.items()}
        files["middle/kustomization.yaml"] = dumped(middle | {"resources": ["../base"]})
    if random.random() < 0.4:
        component, patches = layer(random, found)
        files |= {f"component/{name}": text for name, text in patches.items()}
        component |= {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}
        files["component/kustomization.yaml"] = dumped(component)
        overlay["components"] = ["../component"]
    files["base/kustomization.yaml"] = dumped(base)
    files["overlay/kustomization.yaml"] = dumped(overlay)
    return files


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def rendered(root: Path) -> list[Json] | None:
    """What kustomize makes of the overlay; None when it refuses to build it."""
    done = subprocess.run(["kustomize", "build", "overlay"], cwd=root, capture_output=True, text=True, check=False)
    return list(yaml.load_all(done.stdout, yaml.CSafeLoader)) if done.returncode == 0 else None


HASH = re.compile(r"-[a-z0-9]{10}$")


def key(one: Json) -> tuple[str, str]:
    name = one["metadata"]["name"]
    return one["kind"], HASH.sub("", name) if one["kind"] == "ConfigMap" else name


def by_key(found: list[Json]) -> dict[tuple[str, str], Json]:
    made = {}
    for one in found:
        made[key(one)] = {**one, "metadata": {**one["metadata"], "name": key(one)[1]}}
    return made


def plain(value: Json) -> Json:
    """A value without the order of its lists."""
    if isinstance(value, dict):
        return {name: plain(child) for name, child in value.items()}
    return sorted(map(plain, value), key=repr) if isinstance(value, list) else value


def trace(root: Path, found: list[Json]) -> Trace:
    return Trace(root, Overlay("prod", "prod", "overlay"), found)


@SLOW
@given(st.randoms(use_true_random=False))
def test_the_replayed_build_is_kustomizes(random: Random) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = written(Path(folder), repository(random))
        expected = rendered(root)
        if expected is None:
            return
        mine = [data(one.node) for one in build(Sources(root), "overlay").resources]
        assert by_key(mine) == by_key(expected)


@SLOW
@given(st.randoms(use_true_random=False))
def test_an_entry_that_changes_nothing_can_go(random: Random) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = written(Path(folder), repository(random))
        expected = rendered(root)
        if expected is None:
            return
        for entry in trace(root, expected).facts()["entries"]:
            assert entry["matched"] or not entry["changed"], entry
            if entry["changed"] is False:
                file, path = root / entry["file"], entry["path"]
                text = file.read_text(encoding="utf-8")
                document = yaml.safe_load(text)
                del (document[path[0]] if path[1:] else document)[path[-1]]
                file.write_text(yaml.safe_dump(document), encoding="utf-8")
                without = rendered(root)
                file.write_text(text, encoding="utf-8")
                assert without is not None
                assert plain(by_key(without)) == plain(by_key(expected)), entry


@SLOW
@given(st.randoms(use_true_random=False))
def test_an_edit_at_the_line_changes_the_field(random: Random) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = written(Path(folder), repository(random))
        expected = rendered(root)
        if expected is None:
            return
        one = random.choice(expected)
        path = random.choice(leaves(one["spec"], ("spec",)) if "spec" in one else [("data", "A")])
        check_edit(root, expected, one, path)


def value_at(one: Json, path: tuple[str | int, ...]) -> Json:
    for step in path:
        if isinstance(one, dict) and step not in one:
            return None
        one = one[step]
    return one


def check_edit(root: Path, found: list[Json], one: Json, path: tuple[str | int, ...]) -> None:
    """The value at the place that `locate` gives is the one: put another there, and the field is another."""
    value = value_at(one, path)
    if isinstance(value, dict | list) or path[-1] in {"name", "mountPath", "containerPort", "port"}:
        return
    metadata = one["metadata"]
    ref = ObjectRef(one["kind"], metadata["name"], metadata.get("namespace", ""), one["apiVersion"])
    place, _ = trace(root, found).locate(ref, path)
    file = root / place.file
    text = file.read_text(encoding="utf-8")
    lines = text.split("\n")
    line = lines[place.line - 1]
    head, tail = line[: place.column - 1], line[place.column - 1 :]
    edited = re.sub(r"[A-Za-z0-9:./=-]*[A-Za-z0-9]", lambda match: match[0][:-1] + "5", tail, count=1)
    lines[place.line - 1] = head + edited
    file.write_text("\n".join(lines), encoding="utf-8")
    again = rendered(root)
    if again is None:
        assert "spec.made" in line, f"{place}: {line!r}"  # no field has the edited path any more
        return
    other = next(it for it in again if key(it) == key(one))
    assert value_at(other, path) != value, f"{path} at {place}: {line!r}"


JUNK: tuple[Json, ...] = (
    None,
    1,
    True,
    "x",
    [],
    {},
    [None],
    [[1]],
    {"a": None},
    "a: [",
    "- op: x",
    -1,
    "*",
    "[",
    ["/"],
    "²",
    "9" * 5000,
)


def spoiled(random: Random, value: Json) -> Json:
    if random.random() < 0.06:
        return random.choice(JUNK)
    if isinstance(value, dict):
        return {name: spoiled(random, child) for name, child in value.items()}
    return [spoiled(random, child) for child in value] if isinstance(value, list) else value


@settings(max_examples=60, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_nothing_but_a_message_comes_of_nonsense(random: Random) -> None:
    files = repository(random)
    for name in [name for name in files if name.endswith(".yaml")]:
        files[name] = "---\n".join(dumped(spoiled(random, one)) for one in yaml.safe_load_all(files[name]))
    with tempfile.TemporaryDirectory() as folder:
        asked = trace(written(Path(folder), files), [])
        place, _ = asked.locate(ObjectRef("Deployment", "o0", "", "apps/v1"), ("spec", "template", "spec", "x", 0, "y"))
        assert place.line
        with contextlib.suppress(LockgateError):
            asked.facts()
