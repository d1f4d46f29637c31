"""Text formats and digests."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from lockgate.engines.builtins.operands import string
from lockgate.engines.values import as_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import yaml

    from lockgate.engines.builtins.operands import Builtin


def _json(value: Any) -> Any:
    return json.loads(string(value))


def _yaml(value: Any) -> Any:
    """The first document, its plain scalars read as Go's YAML reader does (`yes` is a string)."""
    import yaml

    try:
        return next(yaml.load_all(string(value), Loader=_loader()), None)
    except yaml.YAMLError as error:
        raise ValueError(value) from error


@cache
def _loader() -> Any:
    from lockgate.scalars import resolve
    from lockgate.yamltext import JsonLoader

    class Loader(JsonLoader):
        yaml_implicit_resolvers = {}  # noqa: RUF012  # PyYAML reads it as a class attribute

    def scalar(loader: Loader, node: yaml.ScalarNode) -> Any:
        text = loader.construct_scalar(node)
        return text if node.style else resolve(text)

    Loader.add_constructor("tag:yaml.org,2002:str", scalar)
    return Loader


def _base64(value: Any) -> str:
    return base64.b64decode(string(value), validate=True).decode()


def _base64url(value: Any) -> str:
    padded = string(value) + "=" * (-len(value) % 4)
    return base64.b64decode(padded, altchars=b"-_", validate=True).decode()


def _is_valid(read: Callable[[Any], Any]) -> Builtin:
    def valid(value: Any) -> bool:
        try:
            read(value)
        except (TypeError, ValueError, binascii.Error):
            return False
        return True

    return valid


TABLE: Final[Mapping[str, Builtin]] = {
    "json.marshal": as_json,
    "json.unmarshal": _json,
    "json.is_valid": _is_valid(_json),
    "yaml.unmarshal": _yaml,
    "yaml.is_valid": _is_valid(_yaml),
    "base64.encode": lambda a: base64.b64encode(string(a).encode()).decode(),
    "base64.decode": _base64,
    "base64.is_valid": _is_valid(_base64),
    "base64url.decode": _base64url,
    "hex.encode": lambda a: string(a).encode().hex(),
    "hex.decode": lambda a: bytes.fromhex(string(a)).decode(),
    "crypto.sha256": lambda a: hashlib.sha256(string(a).encode()).hexdigest(),
    "crypto.sha1": lambda a: hashlib.sha1(string(a).encode()).hexdigest(),  # noqa: S324  # OPA has it
    "crypto.md5": lambda a: hashlib.md5(string(a).encode()).hexdigest(),  # noqa: S324  # OPA has it
}
