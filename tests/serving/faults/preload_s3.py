"""What goes wrong while the model comes from a bucket, or goes into one."""

from __future__ import annotations

from typing import Any

from serving.faults.preload import WHOLE
from serving.faults.row import MARKED, UNMARKED, UNTOUCHED, Row
from serving.hub import REVISION, WEIGHTS

NO_BUCKET = "wanted s3://BUCKET[/PREFIX]; keys come from the environment"
EXPIRED = "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"


def words(fault: str, message: str, *said: str) -> Row:
    """A row of words that name no source."""
    return Row(fault, "words", 64, message, UNTOUCHED, {"said": said})


def variables(fault: str, code: int, message: str, **given: str) -> Row:
    """A row in which the environment is another one."""
    return Row(fault, "variables", code, message, UNMARKED, {"given": given})


def answers(fault: str, code: int, message: str, claim: str = UNMARKED, **given: Any) -> Row:
    """A row in which the bucket goes wrong in one way."""
    return Row(fault, "proxy", code, message, claim, {"fault": given})


def listed(fault: str, code: int, message: str, claim: str = UNMARKED, **given: Any) -> Row:
    """A row in which the listing says something else of one file, or of a file more."""
    return Row(fault, "listed", code, message, claim, given)


def publishing(fault: str, code: int, message: str, claim: str = MARKED, **given: Any) -> Row:
    """A row in which a bucket is to be filled."""
    return Row(fault, "publish", code, message, claim, given)


PRELOAD_S3 = (
    words("the source is a page", "wanted hub, s3://BUCKET[/PREFIX] or oci://", "--source=https://example.com/models"),
    words("the source names no bucket", NO_BUCKET, "--source=s3://"),
    words("the source holds a key", NO_BUCKET, "--source=s3://AKTESTTESTTESTTEST:x@models"),
    words("an artifact is to be published", NO_BUCKET, "--publish=oci://registry.example.com/models/tiny:v1"),
    Row("no boto3 in the image", "without", 64, "needs the Python package boto3, which this image lacks"),
    variables(
        "AWS_ENDPOINT_URL is no address", 64, "AWS_ENDPOINT_URL: Invalid endpoint: here", AWS_ENDPOINT_URL="here"
    ),
    variables("AWS_PROFILE is not known", 64, "ProfileNotFound: ", AWS_PROFILE="other"),
    words("the name is no bucket's", NO_BUCKET, "--source=s3://Models/mirror"),
    Row("no such bucket", "bucket", 66, "(NoSuchBucket)", UNMARKED, {"name": "other"}),
    Row("no such revision in the bucket", "no_listing", 66, f"{REVISION}.json is not there: --publish fills a mirror"),
    Row("a file is not in the bucket", "no_file", 66, f"{WEIGHTS} is listed, but s3://"),
    variables("no key", 77, "NoCredentialsError: ", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY=""),
    variables("half a key", 77, "PartialCredentialsError: ", AWS_SECRET_ACCESS_KEY=""),
    variables("the key is wrong", 77, "(SignatureDoesNotMatch)", AWS_SECRET_ACCESS_KEY="other"),
    answers("the key may not read it", 77, "(403) when calling the GetObject", path=WEIGHTS, kind="403"),
    answers("the key has expired", 77, "(ExpiredToken)", path=WEIGHTS, kind="400", body=EXPIRED),
    variables("nobody answers", 75, "EndpointConnectionError: ", AWS_ENDPOINT_URL="http://127.0.0.1:9"),
    Row(
        "the listing is cut", "listing", 65, ".json is no listing of a mirror", UNMARKED, {"text": '{"snapshot": "mod'}
    ),
    Row("the listing is a list", "listing", 65, ".json is no listing of a mirror", UNMARKED, {"text": "[1, 2]"}),
    Row("the listing has no hashes", "lacking", 65, "wanted a listing with files and hashes: KeyError: 'hashes'"),
    Row(
        "the listing is another revision's", "moved", 65, "lists another snapshot: 'models--lockgate--tiny/snapshots/1"
    ),
    listed(
        "the listing leads out of the folder", 65, "the listing names '../x.json': wanted relative", name="../x.json"
    ),
    listed("the listing names a path of the system", 65, "the listing names '/etc/x.json'", name="/etc/x.json"),
    listed("the listing names a file below a file", 65, "below another file", name="config.json/x.json"),
    listed("the listing names code", 0, WHOLE, MARKED, name="model.py"),
    listed("a hash of the listing is a path", 65, "the hash sha1:../../x: wanted a sha256", value="sha1:../../x"),
    listed("a hash of the listing is of another kind", 65, "the hash md5:00: wanted a sha256", value="md5:00"),
    listed("a size of the listing is a word", 65, "the size 'all': wanted bytes", size="all"),
    listed("the bucket holds another size", 65, f"{WEIGHTS} has 16384 bytes, 16385 are listed", size=16385),
    listed("the listing has no safetensors", 65, "holds no *.safetensors", without=".safetensors"),
    listed("no room for what is listed", 73, "GiB free; enlarge the claim or remove a model", size=2**60),
    answers("503 for the listing, once", 0, WHOLE, MARKED, path=r"\.json$", kind="503", times=1),
    answers(
        "503 for the listing", 75, "(503) when calling the GetObject operation", path=f"{REVISION}.json", kind="503"
    ),
    answers("500 for the weights, once", 0, WHOLE, MARKED, path=WEIGHTS, kind="500", times=1),
    answers("500 for the weights", 75, "(500) when calling the GetObject operation", path=WEIGHTS, kind="500"),
    answers("the listing stalls once", 0, WHOLE, MARKED, path=f"{REVISION}.json", kind="stall", times=1),
    answers("the weights stall once", 0, WHOLE, MARKED, path=WEIGHTS, kind="stall", times=1),
    answers("the weights stall each time", 75, f"{WEIGHTS}: ReadTimeoutError: ", path=WEIGHTS, kind="stall"),
    answers("the weights are cut off once", 0, WHOLE, MARKED, path=WEIGHTS, kind="truncate", times=1),
    answers(
        "the weights are cut off each time", 75, f"{WEIGHTS}: IncompleteReadError: ", path=WEIGHTS, kind="truncate"
    ),
    answers(
        "the weights come damaged", 75, "1 files came damaged and were removed: model-", path=WEIGHTS, kind="corrupt"
    ),
    Row("SIGTERM while it fetches", "signal", 143, "stopped by SIGTERM; whole files stay", UNMARKED, {"number": 15}),
    Row("SIGKILL while it fetches", "signal", 137, "fetching ", UNMARKED, {"number": 9}),
    publishing("published", 0, "is published"),
    publishing("there is nothing to publish", 66, "RepositoryNotFoundError: ", UNMARKED, model="lockgate/other"),
    publishing("no bucket to publish to", 66, "(NoSuchBucket)", bucket="other"),
    publishing("the key may not write", 77, "(403) when calling the PutObject", path=".", kind="403", method="PUT"),
    publishing("the key may not look", 77, "(403) when calling the HeadObject", path=".", kind="403", method="HEAD"),
    publishing("the bucket is down while it is filled", 75, "(503)", path=WEIGHTS, kind="503", method="PUT"),
    publishing("503 for a file, once", 0, "is published", path=WEIGHTS, kind="503", method="PUT", times=1),
)
