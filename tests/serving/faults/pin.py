"""What goes wrong when a release is pinned."""

from __future__ import annotations

from typing import Any

from serving.faults.row import Row

WRITTEN, UNCHANGED = "release written", "release unchanged"


def registry(fault: str, message: str, **given: Any) -> Row:
    """A row in which the registry answers something else."""
    return Row(fault, "registry", 2, message, UNCHANGED, given)


def models(fault: str, message: str, **given: Any) -> Row:
    """A row in which the model hub answers something else."""
    return Row(fault, "hub", 2, message, UNCHANGED, given)


PIN = (
    Row("nothing", "nothing", 0, "wrote overlays/dev/release/kustomization.yaml", WRITTEN),
    Row("off-line: no such name", "no_name", 2, "registry.invalid cannot be reached: ", UNCHANGED),
    Row("the registry does not answer", "nobody", 2, "127.0.0.1:9 cannot be reached: ", UNCHANGED, {"who": "registry"}),
    Row(
        "the hub does not answer",
        "nobody",
        2,
        "Qwen/Qwen3-14B: 127.0.0.1:9 cannot be reached",
        UNCHANGED,
        {"who": "hub"},
    ),
    registry("no such tag", "has no such image or tag hint: mend newName or newTag of the release", status=404),
    registry("access refused", "refuses access (403) hint: `docker login ", status=403),
    registry("a door of another kind", "refuses access (401)", status=401, headers={"WWW-Authenticate": "Negotiate"}),
    registry(
        "a token service that sends a page",
        "wanted a token of http://",
        status=401,
        headers={"WWW-Authenticate": 'Bearer realm="http://HOST/token",service="x"'},
    ),
    registry(
        "asked too often",
        "has been asked too often (429) hint: wait 30 seconds",
        status=429,
        headers={"Retry-After": "30"},
    ),
    registry("the registry is down", "answers 503 hint: nothing was changed; try again later", status=503),
    registry("a page of a proxy", "wanted an image manifest of schema 2, found b'<html>'", status=200, body="<html>"),
    registry("a manifest of schema 1", "wanted an image manifest of schema 2", status=200, body='{"schemaVersion": 1}'),
    registry(
        "another content than its digest",
        "the registry says sha256:00, but what it sends has sha256:",
        status=200,
        headers={"Docker-Content-Digest": "sha256:00"},
        body='{"schemaVersion": 2}',
    ),
    Row(
        "no image for the nodes",
        "words",
        2,
        "wanted linux/s390x, found linux/amd64",
        UNCHANGED,
        {"words": ["--platform=linux/s390x"]},
    ),
    Row(
        "docker's configuration is cut",
        "docker",
        2,
        "wanted docker's configuration, found something else",
        UNCHANGED,
        {"text": '{"auths'},
    ),
    Row(
        "docker's configuration of another shape",
        "docker",
        2,
        "wanted docker's configuration, found something else",
        UNCHANGED,
        {"text": '{"credsStore": "", "auths": {"a": 1}, "credHelpers": 7}'},
    ),
    models("no such model", "the hub has no such model hint: mend `model`", status=404, code="RepoNotFound"),
    models(
        "no such revision",
        "the hub has no revision '40c069824f4251a91eefaf281ebe4c544efd3e18'",
        status=404,
        code="RevisionNotFound",
    ),
    models("gated, no token", "the hub refuses access (401) hint: is the name right?", status=401),
    models("asked too often by this address", "the hub has been asked too often (429)", status=429),
    models("the hub is down", "the hub answers 500", status=500),
    models("a page for a model", "wanted a model of the hub, found b'<html>'", status=200, body="<html>"),
    models(
        "a commit of another shape",
        "wanted a commit of 40 hex digits, found 'main'",
        status=200,
        body='{"sha": "main", "siblings": []}',
    ),
    models(
        "a model without safetensors",
        "holds no *.safetensors, which the preload Job fetches",
        status=200,
        body='{"sha": "40c069824f4251a91eefaf281ebe4c544efd3e18", "siblings": [{"rfilename": "a.bin"}]}',
    ),
    Row(
        "no such environment",
        "words",
        2,
        "environment 'test' is not in lockgate.yaml hint: known: dev, canary, prod",
        UNCHANGED,
        {"words": ["--env=test"]},
    ),
    Row(
        "no release",
        "file",
        2,
        "overlays/dev/release/serve.yaml: no such file",
        UNCHANGED,
        {"name": "serve.yaml", "text": None},
    ),
    Row(
        "a release without images",
        "file",
        2,
        "wanted `images` with a name each, found None",
        UNCHANGED,
        {"name": "kustomization.yaml", "text": "kind: Component\n"},
    ),
    Row(
        "a release that is no YAML",
        "file",
        2,
        "overlays/dev/release/serve.yaml:2: not readable as YAML",
        UNCHANGED,
        {"name": "serve.yaml", "text": "model: [\n"},
    ),
    Row(
        "a release that is a list",
        "file",
        2,
        "overlays/dev/release/serve.yaml: wanted a mapping, found list",
        UNCHANGED,
        {"name": "serve.yaml", "text": "- 1\n"},
    ),
)
