"""Credentials in source files: files in, places out, never the credential itself.

detect-secrets finds what gives itself away by its shape. Its guesses by entropy and by key name
are left out: in a GitOps repository they hit revisions, digests and the names of Secrets.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate import credentials
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_PLUGINS = (
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "BasicAuthDetector",
    "DiscordBotTokenDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "JwtTokenDetector",
    "MailchimpDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SendGridDetector",
    "SlackDetector",
    "SquareOAuthDetector",
    "StripeDetector",
    "TelegramBotTokenDetector",
)
_FILTERS = (
    "detect_secrets.filters.allowlist.is_line_allowlisted",
    "detect_secrets.filters.heuristic.is_templated_secret",
    "detect_secrets.filters.heuristic.is_prefixed_with_dollar_sign",
)
_SETTINGS = {
    "plugins_used": [{"name": name} for name in _PLUGINS],
    "filters_used": [{"path": path} for path in _FILTERS],
}


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a credential stands. The line counts from 1."""

    file: str
    line: int
    kind: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.kind}"


def scan(files: Sequence[Path]) -> list[Place]:
    """The places of credentials in `files`, sorted; binary files are passed over.

    A line with the comment `pragma: allowlist secret` is left out.

    Raises:
        LockgateError: A file cannot be read.
    """
    from detect_secrets.settings import transient_settings

    logging.getLogger("detect_secrets").setLevel(logging.ERROR)
    with transient_settings(_SETTINGS):
        return sorted({place for file in files for place in _in_file(file)})


def _in_file(file: Path) -> Iterator[Place]:
    from detect_secrets.core.scan import scan_file

    lines = _lines(file)
    found = [(secret.line_number, secret.type) for secret in (scan_file(str(file)) if lines else ())]
    found += [(n, kind) for n, line in enumerate(lines, 1) for kind in credentials.find(line)]
    yield from (Place(str(file), n, kind) for n, kind in found if not _allowed(file, lines, n))


def _lines(file: Path) -> list[str]:
    """The lines of a text file, none of a binary one."""
    try:
        content = file.read_bytes()
    except OSError as error:
        msg = f"{file}: cannot be read: {error.strerror}"
        raise LockgateError(msg, "name files that exist and are readable") from error
    try:
        return [] if b"\0" in content else content.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        return []


def _allowed(file: Path, lines: Sequence[str], number: int) -> bool:
    """Whether a comment on the line, or on the one above, allows a credential there."""
    from detect_secrets.filters.allowlist import is_line_allowlisted
    from detect_secrets.util.code_snippet import get_code_snippet

    context = get_code_snippet(list(lines), number)
    return bool(is_line_allowlisted(str(file), lines[number - 1], context))
