"""What goes wrong while the model comes from the hub."""

from __future__ import annotations

from typing import Any

from serving.faults.row import MARKED, UNMARKED, UNTOUCHED, Row
from serving.hub import MODEL, REVISION


def hub(fault: str, code: int, message: str, claim: str = UNMARKED, **given: Any) -> Row:
    """A row in which the hub goes wrong in one way."""
    return Row(fault, "hub", code, message, claim, {"faults": [given]})


WHOLE = f"{MODEL}@{REVISION} is whole"

PRELOAD = (
    Row("no argument", "nothing_said", 64, "the following arguments are required: --config", UNTOUCHED),
    Row(
        "the revision is a branch",
        "config",
        64,
        "revision must be a commit of 40 hexadecimal digits, found 'main'",
        UNTOUCHED,
        {"text": f"model: {MODEL}\nrevision: main\n"},
    ),
    Row(
        "no revision",
        "config",
        64,
        "revision must be a commit of 40 hexadecimal digits, found ''",
        UNTOUCHED,
        {"text": f"model: {MODEL}\n"},
    ),
    Row(
        "no model",
        "config",
        64,
        "model must be organisation/name, found ''",
        UNTOUCHED,
        {"text": f"revision: '{REVISION}'\n"},
    ),
    Row(
        "the configuration is a list",
        "config",
        64,
        "must be a mapping of flags to values",
        UNTOUCHED,
        {"text": "- 1\n"},
    ),
    Row("the configuration is no YAML", "config", 64, "cannot be read: ", UNTOUCHED, {"text": "model: [\n"}),
    Row(
        "HF_HUB_OFFLINE is set",
        "variables",
        64,
        f"{MODEL}@{REVISION}: OfflineModeIsEnabled: ",
        UNMARKED,
        {"variables": {"HF_HUB_OFFLINE": "1"}},
    ),
    Row("no safetensors in the repository", "no_weights", 65, f"{MODEL}@{REVISION} holds no *.safetensors"),
    Row(
        "no such repository",
        "config",
        66,
        "RepositoryNotFoundError: 404 Client Error.",
        UNMARKED,
        {"text": f"model: lockgate/other\nrevision: '{REVISION}'\n"},
    ),
    Row(
        "no such revision",
        "config",
        66,
        "RevisionNotFoundError: 404 Client Error.",
        UNMARKED,
        {"text": f"model: {MODEL}\nrevision: '{'1' * 40}'\n"},
    ),
    Row("no room on the claim", "no_room", 73, "GiB free; enlarge the claim or remove a model"),
    Row("the cache is no folder", "a_file_for_a_folder", 73, "NotADirectoryError: ", UNTOUCHED),
    Row("gated model, no token", "token", 77, "GatedRepoError: 401 Client Error."),
    hub("403 for the listing", 77, "Make sure your token has the correct permissions.", route="listing", kind="403"),
    hub("403 for one file", 77, "Make sure your token has the correct permissions.", route="metadata", kind="403"),
    Row(
        "nobody answers",
        "variables",
        75,
        "ConnectError: ",
        UNMARKED,
        {"variables": {"HF_ENDPOINT": "http://127.0.0.1:9"}},
    ),
    hub("429 once", 0, WHOLE, MARKED, route="listing", kind="429", times=1, headers={"Retry-After": "1"}),
    hub(
        "500 for the listing",
        75,
        "HfHubHTTPError: Server error '500 Internal Server Error'",
        route="listing",
        kind="500",
    ),
    hub("502 for one file, once", 0, WHOLE, MARKED, route="metadata", kind="502", times=1),
    hub("503 for the weights", 75, "HfHubHTTPError: Server error '503 Service Unavailable'", route="body", kind="503"),
    hub("the listing stalls once", 0, WHOLE, MARKED, route="listing", kind="stall", times=1),
    hub("the weights stall once", 0, WHOLE, MARKED, route="body", kind="stall", times=1),
    hub("the weights are cut off once", 0, WHOLE, MARKED, route="body", kind="truncate", times=1),
    hub(
        "the weights are cut off each time",
        75,
        "RemoteProtocolError: peer closed connection",
        route="body",
        kind="truncate",
    ),
    hub("the weights come damaged", 75, "1 files came damaged and were removed: model-", route="body", kind="corrupt"),
    Row("the hub lists another size", "wrong_size", 75, "Consistency check failed: "),
    Row("SIGTERM while it fetches", "signal", 143, "stopped by SIGTERM; whole files stay", UNMARKED, {"number": 15}),
    Row("SIGKILL while it fetches", "signal", 137, "fetching ", UNMARKED, {"number": 9}),
    Row("a file of the claim is lost", "lost_file", 0, WHOLE, MARKED),
    Row("a file of the claim is cut", "cut_file", 0, WHOLE, MARKED),
    Row("the marker is cut", "marker", 0, WHOLE, MARKED, {"text": '{"snapshot": "mod'}),
    Row("the marker is something else", "marker", 0, WHOLE, MARKED, {"text": "[1, 2]"}),
)
