"""Objects against schemas: what is told of each fault, what passes, and that nothing is looked at twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lockgate.context import crds, kubernetes, schema
from lockgate.context.kubernetes import Kubernetes
from lockgate.context.types import Type, faults
from lockgate.errors import LockgateError

ROOT = Path(__file__).resolve().parent.parent
APIS = ROOT / "<<cookiecutter.project>>" / "policies" / "data" / "apis.json"
POD = {"containers": [{"name": "a", "image": "b"}]}


def found(
    obj: dict[str, Any], root: Path = ROOT, version: str = "1.36", folders: tuple[str, ...] = ()
) -> list[tuple[Any, ...]]:
    """Path, wanted, found and hint of each fault."""
    facts = schema.facts(root, version, folders, [obj])
    return [(tuple(f["path"]), f["wanted"], f["found"], f["hint"]) for f in facts["faults"]]


def deployment(**spec: Any) -> dict[str, Any]:
    fields = {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": {**fields, **spec}}


def pod(**container: Any) -> dict[str, Any]:
    containers = [{"name": "a", "image": "b", **container}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": containers}}


CONTAINER = ("spec", "containers", 0)


@pytest.mark.parametrize(
    ("obj", "path", "hint"),
    [
        (deployment(replicaz=1), ("spec", "replicaz"), "did you mean 'replicas'?"),
        (deployment(Replicas=1), ("spec", "Replicas"), "did you mean 'replicas'?"),
        (deployment(qwertyuiop=1), ("spec", "qwertyuiop"), ""),
        (pod(enviroment=[]), (*CONTAINER, "enviroment"), "did you mean 'envFrom'?"),
        (pod(securityContex={}), (*CONTAINER, "securityContex"), "did you mean 'securityContext'?"),
        (pod(restartPolicies=1), (*CONTAINER, "restartPolicies"), "did you mean 'restartPolicy'?"),
        (pod(tolerations=[]), (*CONTAINER, "tolerations"), "it belongs to spec"),
        (
            pod(securityContext={"ports": []}),
            (*CONTAINER, "securityContext", "ports"),
            "it belongs to spec.containers[0]",
        ),
        (deployment(containers=[]), ("spec", "containers"), ""),
        (pod(limits={}), (*CONTAINER, "limits"), "it belongs to 'resources'"),
        (pod(metadata={}), (*CONTAINER, "metadata"), "it belongs to the object itself"),
        ({**deployment(), "sepc": {}}, ("sepc",), "did you mean 'spec'?"),
    ],
)
def test_an_unknown_field_says_where_it_belongs(obj: dict[str, Any], path: tuple[Any, ...], hint: str) -> None:
    assert found(obj) == [(path, "", "", hint)]


@pytest.mark.parametrize(
    ("obj", "path", "wanted", "value"),
    [
        (deployment(replicas="2"), ("spec", "replicas"), "a whole number of 32 bits", "'2'"),
        (deployment(replicas=1.5), ("spec", "replicas"), "a whole number of 32 bits", "the number 1.5"),
        (deployment(replicas=2**31), ("spec", "replicas"), "a whole number of 32 bits", "the number 2147483648"),
        (deployment(paused="no"), ("spec", "paused"), "true or false", "'no'"),
        (deployment(selector=[]), ("spec", "selector"), "a mapping", "a list"),
        (pod(args="--port"), (*CONTAINER, "args"), "a list", "'--port'"),
        (pod(args=[8000]), (*CONTAINER, "args", 0), "a string", "the number 8000"),
        (pod(env={"A": "b"}), (*CONTAINER, "env"), "a list", "a mapping"),
        (pod(env=[{"name": "A", "value": True}]), (*CONTAINER, "env", 0, "value"), "a string", "true"),
        (pod(env=[{"value": "b"}]), (*CONTAINER, "env", 0, "name"), "a string", "none"),
        (pod(env=[{"name": None}]), (*CONTAINER, "env", 0, "name"), "a string", "none"),
        (
            pod(resources={"limits": {"memory": "16 GB"}}),
            (*CONTAINER, "resources", "limits", "memory"),
            "a quantity such as 500m or 16Gi",
            "'16 GB'",
        ),
        (
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {"a": "not base64"}},
            ("data", "a"),
            "base64 text",
            "'not base64'",
        ),
        (
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "labels": {"a": 1}}},
            ("metadata", "labels", "a"),
            "a string",
            "the number 1",
        ),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}, ("metadata", "name"), "a name", "none"),
    ],
)
def test_a_wrong_value_says_what_is_wanted(obj: dict[str, Any], path: tuple[Any, ...], wanted: str, value: str) -> None:
    assert found(obj) == [(path, wanted, value, "")]


@pytest.mark.parametrize(
    "obj",
    [
        deployment(replicas=None, paused=True),
        deployment(replicas=2.0, strategy={"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}),
        deployment(replicas="${REPLICAS}"),
        deployment(replicas="$REPLICAS", paused="IS_PAUSED"),
        pod(resources={"limits": {"cpu": 2, "memory": "1e9", "nvidia.com/gpu": "1", "x/y": 0.5}}),
        pod(livenessProbe={"httpGet": {"port": "http", "httpHeaders": [{"name": "a"}]}}),
        {**deployment(), "status": {"whatever": 1}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "sops": {}, "data": {"a": "ENC[x]"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {"a": "YQ==", "b": "<token>"}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "x-"}, "spec": POD},
        {"apiVersion": "example.com/v1", "kind": "Server", "metadata": {"name": "x"}, "spec": {"any": 1}},
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "x"}, "spec": {}},
    ],
)  # fmt: skip
def test_what_the_api_server_takes_has_no_fault(obj: dict[str, Any]) -> None:
    for version in ("1.25", "1.30", "1.36", ""):
        assert found(obj, version=version) == []


NEW_KIND = "a kind of apps/v1 in Kubernetes 1.36"
NEW_API = "'resource.k8s.io/v1', new in 1.34"


def test_metadata_is_known_even_where_the_kind_is_not() -> None:
    obj = {"apiVersion": "example.com/v1", "kind": "Server", "metadata": {"name": "x", "lables": {}}}
    assert found(obj) == [(("metadata", "lables"), "", "", "did you mean 'labels'?")]
    assert schema.facts(ROOT, "1.36", (), [obj])["unknown"] == ["Server (example.com/v1)"]


@pytest.mark.parametrize(
    ("api", "kind", "version", "expected"),
    [
        ("apps/v1", "Deploymet", "1.36", [(("kind",), NEW_KIND, "'Deploymet'", "did you mean 'Deployment'?")]),
        ("resource.k8s.io/v1", "DeviceClass", "1.33", [(("apiVersion",), "an API of Kubernetes 1.33", NEW_API, "")]),
        ("resource.k8s.io/v1", "DeviceClass", "1.34", []),
        ("batch/v1beta1", "CronJob", "1.36", []),
        ("apps/v2", "Deployment", "1.36", []),
    ],
)  # fmt: skip
def test_a_kind_that_the_version_has_not(api: str, kind: str, version: str, expected: list[Any]) -> None:
    assert found({"apiVersion": api, "kind": kind, "metadata": {"name": "x"}}, version=version) == expected


def test_versions_differ() -> None:
    obj = pod(restartPolicyRules=[])
    assert found(obj, version="1.33") == [((*CONTAINER, "restartPolicyRules"), "", "", "did you mean 'restartPolicy'?")]
    assert found(obj, version="1.35") == []
    assert [Kubernetes(v).version for v in ("", "1.2", "v1.30.4", "1.99", "latest")] == [
        "1.37", "1.25", "1.30", "1.37", "1.37",
    ]  # fmt: skip


def test_removed_api_versions_are_those_of_the_definitions() -> None:
    known = Kubernetes("")
    versions = json.loads(APIS.read_text(encoding="utf-8"))["apis"]["versions"]
    newest = json.loads(APIS.read_text(encoding="utf-8"))["apis"]["newest"]
    assert newest == known.version
    for key in kubernetes._loaded()["kinds"]:  # noqa: SLF001  # every kind of every version
        api, _, kind = key.partition(" ")
        served = known.served(api, kind)
        last = int(served[-1].partition(".")[2])
        gone = versions.get(key, {}).get("removed")
        assert gone == (f"1.{last + 1}" if served[-1] != newest else None), key
        assert api.rpartition("/")[0] in schema._OWN_GROUPS  # noqa: SLF001


CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "servers.example.com"},
    "spec": {
        "group": "example.com",
        "names": {"kind": "Server", "plural": "servers"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "required": ["spec"],
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["size", "mode"],
                                "properties": {
                                    "size": {"type": "integer", "minimum": 1, "maximum": 3},
                                    "mode": {"type": "string", "enum": ["a", "b"], "default": "a"},
                                    "name": {"type": "string", "pattern": "^[a-z]+$"},
                                    "port": {"x-kubernetes-int-or-string": True},
                                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                                    "list": {"type": "array", "items": {"type": "string"}},
                                    "map": {"type": "object", "additionalProperties": {"type": "boolean"}},
                                    "either": {"type": "string", "anyOf": [{"pattern": "x"}]},
                                },
                            }
                        },
                    }
                },
            }
        ],
    },
}


def server(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "example.com/v1", "kind": "Server", "metadata": {"name": "x"}, "spec": {"size": 1, **spec}}


@pytest.fixture
def custom(tmp_path: Path) -> Path:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "crd.yaml").write_text(yaml.safe_dump(CRD), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"port": 80, "free": {"x": 1}, "either": "y", "map": {"a": True}, "list": ["a"], "mode": "b"}, []),
        ({"size": 4}, [(("spec", "size"), "a whole number, at least 1, at most 3", "the number 4", "")]),
        ({"size": 0}, [(("spec", "size"), "a whole number, at least 1, at most 3", "the number 0", "")]),
        ({"mode": "c"}, [(("spec", "mode"), "one of a, b", "'c'", "")]),
        ({"name": "A"}, [(("spec", "name"), "a string that matches ^[a-z]+$", "'A'", "")]),
        ({"list": "a"}, [(("spec", "list"), "a list", "'a'", "")]),
        ({"map": {"a": 1}}, [(("spec", "map", "a"), "true or false", "the number 1", "")]),
        ({"sizes": 1}, [(("spec", "sizes"), "", "", "did you mean 'size'?")]),
        ({"size": None}, [(("spec", "size"), "a whole number, at least 1, at most 3", "none", "")]),
    ],
)
def test_a_custom_resource_is_held_to_the_teams_schema(custom: Path, spec: dict[str, Any], expected: list[Any]) -> None:
    assert found(server(**spec), custom, folders=("schemas",)) == expected
    assert schema.facts(custom, "1.36", ("schemas",), [server()])["unknown"] == []


def test_json_schemas_are_named_by_group_kind_and_version(tmp_path: Path) -> None:
    folder = tmp_path / "schemas" / "example.com"
    folder.mkdir(parents=True)
    text = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}
    (folder / "server_v1.json").write_text(json.dumps(text), encoding="utf-8")
    assert found(server(other=1), tmp_path, folders=("schemas",)) == []
    text["properties"]["spec"]["additionalProperties"] = False  # type: ignore[index]
    (folder / "server_v1.json").write_text(json.dumps(text), encoding="utf-8")
    assert found(server(sise=1), tmp_path, folders=("schemas",)) == [(("spec", "sise"), "", "", "did you mean 'size'?")]


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("a.json", "{", "schemas/a.json: no valid JSON"),
        ("a.yaml", "a: b\n c: d\n", "schemas/a.yaml:2: not readable as YAML"),
        ("", "", "lockgate.yaml: schemas: there is no folder 'schemas'"),
    ],
)
def test_a_schema_that_cannot_be_read_is_an_error(tmp_path: Path, file: str, text: str, message: str) -> None:
    if file:
        (tmp_path / "schemas").mkdir()
        (tmp_path / "schemas" / file).write_text(text, encoding="utf-8")
    with pytest.raises(LockgateError) as caught:
        found(server(), tmp_path, folders=("schemas",))
    assert caught.value.message.startswith(message)


def test_an_object_without_fault_is_not_looked_at_again(
    custom: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LOCKGATE_CACHE", str(tmp_path / "cache"))
    objects = [server(), deployment(), deployment(replicaz=1)]
    first = schema.facts(custom, "1.36", ("schemas",), objects)
    schema._schemas.cache_clear()  # noqa: SLF001  # as in a new process
    monkeypatch.setattr(crds, "load", lambda *_: pytest.fail("the schemas are read again"))
    looked: list[str] = []

    def look(value: Any, wanted: Type) -> Any:
        looked.append(value["kind"])
        return faults(value, wanted)

    monkeypatch.setattr(schema, "faults", look)
    assert schema.facts(custom, "1.36", ("schemas",), objects) == first
    assert looked == ["Deployment"]


def test_a_changed_schema_is_read_again(custom: Path) -> None:
    assert found(server(extra=1), custom, folders=("schemas",)) != []
    text = (custom / "schemas" / "crd.yaml").read_text(encoding="utf-8")
    (custom / "schemas" / "crd.yaml").write_text(text.replace("either:", "extra:"), encoding="utf-8")
    assert found(server(extra="x"), custom, folders=("schemas",)) == []


def test_a_pattern_that_only_go_knows_is_met() -> None:
    for pattern in ("^[[:digit:]]$", r"^\p{Lu}$", r"x\z", "(?<a>"):
        assert list(faults("x", Type("str", pattern=pattern))) == []
    assert [fault.found for fault in faults("x", Type("str", pattern=r"^\d$"))] == ["'x'"]


def test_definitions_that_contain_themselves_end() -> None:
    deep: dict[str, Any] = {"type": "object"}
    for _ in range(5):
        deep = {"type": "object", "properties": {"a": deep}}
    crd = {**CRD, "spec": {**CRD["spec"], "scope": "Namespaced"}}  # type: ignore[dict-item]
    crd["spec"]["versions"] = [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": deep}}]  # type: ignore[index]
    assert found(crd) == []
