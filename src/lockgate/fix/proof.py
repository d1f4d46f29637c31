"""Whether two renderings differ in the mended field alone."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

from lockgate.model import ObjectRef, plain_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockgate.model import Finding, Fix, Json, Path
    from lockgate.pipeline import Scene

_Identity = tuple[str, str, str, str]


def strange_change(before: Scene, after: Scene, finding: Finding) -> str:
    """What an edit changed beside the field that it should; empty when nothing.

    Args:
        before: The repository as it was.
        after: The repository with the edit.
        finding: What the edit mends.
    """
    rule = before.ruleset.rules[finding.rule]
    for old, new in zip(before.renderings, after.renderings, strict=True):
        overlay = old.overlay
        was, now = _by_identity(old.objects), _by_identity(new.objects)
        if was.keys() != now.keys():
            return f"it would add or remove objects of {overlay.environment}"
        # Where the rule is off, the line serves an environment that nobody judges by it.
        concerned = overlay.environment in finding.environments or overlay.level not in rule.severity
        for identity in was:
            if was[identity] == now[identity]:
                continue
            name = f"{identity[0]}/{identity[3]}"
            if not concerned:
                return f"the line serves {overlay.environment} too, which is as it should be"
            if not any(_same_object(ref, identity) for ref in finding.objects):
                return f"it would change {name} too"
            if not _is_mended(was[identity], now[identity], finding.fix):
                return f"it would change more of {name}"
    return ""


def _by_identity(objects: tuple[dict[str, Json], ...]) -> dict[_Identity, Json]:
    """Objects by what they are; names that end in a hash of the content are written without it."""
    refs = [ObjectRef.of(one) for one in objects]
    text = json.dumps(objects)
    for ref in refs:
        if plain_name(ref) != ref.name:
            text = text.replace(f'"{ref.name}"', f'"{plain_name(ref)}"')
    plain = json.loads(text)
    return {(r.kind, r.group, r.namespace, plain_name(r)): one for r, one in zip(refs, plain, strict=True)}


def _same_object(ref: ObjectRef, identity: _Identity) -> bool:
    """Whether a reference, of this or another environment, means the object."""
    return (ref.kind, ref.group, plain_name(ref)) == (identity[0], identity[1], identity[3])


def _is_mended(was: Json, now: Json, fixes: Sequence[Fix]) -> bool:
    """Whether an object is what the edits make of it."""
    wanted, found = copy.deepcopy(was), copy.deepcopy(now)
    for fix in fixes:
        holder = _apply(wanted, fix)
        if holder is not None:  # the path goes on inside a text
            _blank(wanted, holder)
            _blank(found, holder)
        elif fix.op == "append":
            _sort(wanted, fix.path)
            _sort(found, fix.path)
    return bool(wanted == found)


def _apply(obj: Json, fix: Fix) -> Path | None:
    """Makes the change in a rendered object; the path of the text when it is inside of one."""
    holder = obj
    for position, step in enumerate(fix.path[:-1]):
        inner = _child(holder, step)
        if inner is None and isinstance(holder, dict):
            inner = holder[step] = {}
        if isinstance(inner, str):
            return fix.path[: position + 1]
        holder = inner
    last = fix.path[-1]
    try:
        if fix.op == "remove":
            del holder[last]
        elif fix.op == "append":
            holder[last] = [*(_child(holder, last) or []), fix.value]
        else:
            holder[last] = fix.value
    except (KeyError, IndexError, TypeError):
        pass  # as it is, it equals nothing that the edit could have made
    return None


def _child(holder: Json, step: str | int) -> Json:
    try:
        return holder[step]
    except (KeyError, IndexError, TypeError):
        return None


def _blank(obj: Json, path: Path) -> None:
    """Empties the text at `path`."""
    for step in path[:-1]:
        obj = _child(obj, step)
    if isinstance(obj, dict):
        obj[path[-1]] = ""


def _sort(obj: Json, path: Path) -> None:
    """Sorts the list at `path`: kustomize puts the items of a patch first."""
    for step in path:
        obj = _child(obj, step)
    if isinstance(obj, list):
        obj.sort(key=lambda item: json.dumps(item, sort_keys=True))
