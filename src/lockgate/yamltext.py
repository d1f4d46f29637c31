"""YAML text in, JSON values out, read the way Kubernetes reads it.

PyYAML follows YAML 1.1; kustomize and the API server follow JSON. Three differences would change
an object: a plain date and a plain `=` stay strings, and `1e3` is a number. Duplicate keys are refused, since
each reader keeps another one of the two.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from lockgate.model import Json

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FLOAT = re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?$")
_NOT_JSON = {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value"}
_FLOAT_TAG = "tag:yaml.org,2002:float"


class JsonLoader(_Base):  # type: ignore[misc]  # PyYAML's C loader has no types
    """PyYAML's safe loader (the C one where there is one), restricted to what JSON can say."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML reads it as a class attribute
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NOT_JSON]
        for first, resolvers in _Base.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[str, Json]:  # noqa: FBT001, FBT002
        """As PyYAML does it, but a key that stands twice is an error at its second place."""
        seen: set[str] = set()
        for key, _ in node.value:
            name = key.value if isinstance(key.value, str) else repr(key)
            if name in seen and key.tag != "tag:yaml.org,2002:merge":
                problem = f"key {name!r} stands twice in this mapping"
                raise yaml.MarkedYAMLError(None, None, problem, key.start_mark)
            seen.add(name)
        self.flatten_mapping(node)
        return {
            _key(self.construct_object(key, deep=True)): self.construct_object(value, deep=deep)
            for key, value in node.value
        }


def _key(value: Hashable) -> str:
    """A key as JSON has it: `1:` is "1", `true:` is "true"."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


JsonLoader.add_implicit_resolver(_FLOAT_TAG, _FLOAT, list("-+0123456789."))


def error_at(error: yaml.YAMLError, file: str) -> LockgateError:
    """PyYAML's error as `file:line: what is wrong`."""
    mark = getattr(error, "problem_mark", None)
    place = f"{file}:{mark.line + 1}" if mark else file
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return LockgateError(f"{place}: not readable as YAML: {problem}", "mend the YAML at that line")


def load_all(text: str, file: str) -> list[Json]:
    """Every document in `text`, empty ones left out.

    Args:
        text: One or more YAML documents.
        file: What to call the text in an error.

    Raises:
        LockgateError: The text is no YAML, or a key stands twice in one mapping.
    """
    try:
        return [doc for doc in yaml.load_all(text, JsonLoader) if doc is not None]
    except yaml.YAMLError as error:
        raise error_at(error, file) from error
    except RecursionError as error:
        msg = f"{file}: nested too deeply to be read"
        raise LockgateError(msg, "flatten the file, or leave it out of the overlay") from error


def load(text: str, file: str) -> Json:
    """The one document in `text`, None when it is empty.

    Raises:
        LockgateError: As `load_all`, or when there are several documents.
    """
    documents = load_all(text, file)
    if len(documents) > 1:
        msg = f"{file}: wanted one YAML document, found {len(documents)}"
        raise LockgateError(msg, "remove the `---` separators")
    return documents[0] if documents else None
