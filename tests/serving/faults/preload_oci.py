"""What goes wrong while the model comes from a registry."""

from __future__ import annotations

from typing import Any

from serving.faults.preload import WHOLE
from serving.faults.row import MARKED, UNMARKED, UNTOUCHED, Row
from serving.hub import MODEL, REVISION, WEIGHTS

PLACE = "registry.example.com/models/tiny"
NO_DIGEST = "[:TAG]@sha256:DIGEST; a tag alone can be moved"


def words(fault: str, *said: str) -> Row:
    """A row of words that name no artifact."""
    return Row(fault, "words", 64, NO_DIGEST, UNTOUCHED, {"said": said})


def answers(fault: str, code: int, message: str, claim: str = UNMARKED, **given: Any) -> Row:
    """A row in which the registry goes wrong in one way."""
    return Row(fault, "proxy", code, message, claim, {"fault": given})


def manifest(fault: str, code: int, message: str, claim: str = UNMARKED, **given: Any) -> Row:
    """A row in which the manifest is another one."""
    return Row(fault, "manifest", code, message, claim, given)


def layer(fault: str, code: int, message: str, claim: str = UNMARKED, **given: Any) -> Row:
    """A row in which the manifest says something else of the weights."""
    return Row(fault, "layer", code, message, claim, given)


def door(fault: str, code: int, message: str, claim: str = UNMARKED, **given: Any) -> Row:
    """A row in which the registry wants a password."""
    return Row(fault, "password", code, message, claim, given)


def tokens(fault: str, code: int, message: str, claim: str = UNMARKED, **given: Any) -> Row:
    """A row in which the registry wants a token of its own service."""
    return Row(fault, "token", code, message, claim, given)


PRELOAD_OCI = (
    words("the artifact is named by a tag", f"--source=oci://{PLACE}:v1"),
    words("the digest is cut", f"--source=oci://{PLACE}@sha256:12"),
    words("the source holds a password", f"--source=oci://reader:open@{PLACE}@sha256:{'1' * 64}"),
    Row("no requests in the image", "without", 64, "needs the Python package requests, which this image lacks"),
    Row("docker's configuration is cut", "docker", 64, "config.json is no docker configuration: ", UNMARKED),
    Row("no such artifact", "no_artifact", 66, "answers 404 Not Found for /manifests/sha256:"),
    Row("a layer is not in the registry", "no_layer", 66, "answers 404 Not Found for /blobs/sha256:"),
    Row(
        "the artifact is another revision's",
        "revision",
        65,
        f"the artifact is revision 'main', the release wants {REVISION}",
    ),
    Row(
        "the artifact does not name its revision",
        "no_revision",
        0,
        f"does not name its revision (org.opencontainers.image.revision): taken for {REVISION}",
        MARKED,
    ),
    Row("files have the names of the CNCF's specification", "filepath", 0, WHOLE, MARKED),
    Row("the digest is an index", "index", 65, "is no manifest of an artifact with layers"),
    manifest("the artifact has no layers", 65, f"{MODEL}@{REVISION} holds no *.safetensors", layers=[]),
    manifest("the layers are no list", 65, "is no manifest of an artifact with layers", layers={"a": 1}),
    layer(
        "a name leads out of the folder",
        65,
        "the listing names '../x.safetensors': wanted relative",
        title="../x.safetensors",
    ),
    layer("a name is a path of the system", 65, "the listing names '/etc/x.safetensors'", title="/etc/x.safetensors"),
    layer("two layers have one name", 65, "the listing names 'config.json'", title="config.json"),
    layer(
        "the weights lie in an archive",
        65,
        f"{WEIGHTS} lies in an archive",
        kind="application/vnd.cncf.model.weight.v1.tar",
    ),
    layer("a size is not the layer's", 65, f"{WEIGHTS} has 16384 bytes, 16385 are listed", size=16385),
    layer("no room for what is listed", 73, "GiB free; enlarge the claim or remove a model", size=2**60),
    answers(
        "the manifest comes damaged", 75, "sends another manifest than sha256:", path="/manifests/", kind="corrupt"
    ),
    answers("503 for the manifest, once", 0, WHOLE, MARKED, path="/manifests/", kind="503", times=1),
    answers(
        "503 for the manifest", 75, "answers 503 Service Unavailable for /manifests/", path="/manifests/", kind="503"
    ),
    answers(
        "429 once, with a time to wait",
        0,
        WHOLE,
        MARKED,
        path="/blobs/",
        kind="429",
        times=1,
        headers={"Retry-After": "1"},
    ),
    answers("500 for a layer, once", 0, WHOLE, MARKED, path="/blobs/", kind="500", times=1),
    answers("500 for the layers", 75, "answers 500 Internal Server Error for /blobs/", path="/blobs/", kind="500"),
    answers("access refused", 77, "answers 403 Forbidden for /manifests/", path="/manifests/", kind="403"),
    answers(
        "a door of another kind",
        77,
        "refuses access (Negotiate): see DOCKER_CONFIG",
        path="/manifests/",
        kind="401",
        headers={"WWW-Authenticate": "Negotiate"},
    ),
    answers("the manifest stalls once", 0, WHOLE, MARKED, path="/manifests/", kind="stall", times=1),
    answers("a layer stalls once", 0, WHOLE, MARKED, path="/blobs/", kind="stall", times=1),
    answers("a layer is cut off once", 0, WHOLE, MARKED, path="/blobs/", kind="truncate", times=1),
    answers("the layers are cut off each time", 75, ": ChunkedEncodingError: ", path="/blobs/", kind="truncate"),
    answers("the layers come damaged", 75, "1 files came damaged and were removed: ", path="/blobs/", kind="corrupt"),
    Row("nobody answers", "nobody", 75, "ConnectionError: "),
    door("no password", 77, "refuses access (Basic): see DOCKER_CONFIG"),
    door("the password is wrong", 77, "answers 401 Unauthorized for /manifests/", password="other"),
    door("the password is right", 0, WHOLE, MARKED, password="open sesame"),
    door("the password stands beside the user", 0, WHOLE, MARKED, password="open sesame", apart=True),
    tokens("a token for everybody", 0, WHOLE, MARKED),
    tokens("a token for a password", 0, WHOLE, MARKED, password="open sesame"),
    tokens("the token service refuses", 77, "its token service answers 401 Unauthorized", status=401),
    tokens("the token service is down", 75, "its token service answers 503 Service Unavailable", status=503),
    tokens("the token service sends a page", 75, "its token service answers 200 OK", body="<html>"),
    tokens("the token opens nothing", 77, "answers 401 Unauthorized for /manifests/", body='{"token": "x"}'),
    Row("SIGTERM while it fetches", "signal", 143, "stopped by SIGTERM; whole files stay", UNMARKED, {"number": 15}),
    Row("SIGKILL while it fetches", "signal", 137, "fetching ", UNMARKED, {"number": 9}),
)
