"""What `lockgate diff` shows: a difference in, text, Markdown or JSON out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TextIO

import click

from lockgate import credentials, pages, tables
from lockgate.compare import MISSING
from lockgate.tables import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lockgate.commands.diff import Difference, Part
    from lockgate.compare import Change, ObjectChange
    from lockgate.deltas import Delta
    from lockgate.model import Finding, Json

_WIDEST = 120
"""Characters of a value that are shown."""
_LONGEST = 24
"""Lines of a text's diff that are shown."""
_COMMENT = 60_000
"""Characters: a forge refuses a comment of more than 65,536."""
_MARKS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def text(found: Difference, stream: TextIO) -> None:
    """Writes a difference for a person, with colours on a terminal."""
    click.echo(_title(found), file=stream)
    rows = _rows(found)
    if rows:
        lines = tuple((where, what, f"{old} -> {new}") for where, what, old, new in rows)
        click.echo(file=stream)
        tables.text([Table("What it means", _HEAD[:3], lines, headed=False)], stream)
    if found.findings is not None:
        click.echo(f"\n{_counts(found)}", file=stream)
        for mark, line in _findings(found):
            click.echo(f"  {click.style(mark, fg=_COLOURS[mark])} {line}", file=stream)
    entries = _objects(found)
    if entries:
        click.echo(file=stream)
    for one, names in entries:
        click.echo(f"{click.style(*_MARKS[one.state])} {_name(one)} ({', '.join(names)})", file=stream)
        for change in one.changes:
            for line in _lines(change):
                colour = _COLOURS.get(line.lstrip()[:1], "")
                click.echo(f"  {click.style(line, fg=colour) if colour else line}", file=stream)


def markdown(found: Difference, stream: TextIO) -> None:
    """Writes a difference for a pull request: the numbers, and the objects folded away."""
    if not found.differs:
        stream.write(f"**Lockgate**: {pages.escaped(_title(found))}\n")
        return
    stream.write(f"### Lockgate: {pages.escaped(_title(found))}\n\n")
    rows = _rows(found)
    stream.write(tables.markdown([Table("", _HEAD, rows)]) if rows else "No number changes.\n")
    if found.findings is not None:
        stream.write(f"\n{_counts(found)}\n\n")
        words = {"+": "new", "-": "gone"}
        stream.writelines(f"- **{words[mark]}** {pages.escaped(line)}\n" for mark, line in _findings(found))
    left = _COMMENT - sum(len(cell) for row in rows for cell in row)
    _fold(_objects(found), left, stream)


def _fold(entries: list[tuple[ObjectChange, list[str]]], left: int, stream: TextIO) -> None:
    if not entries:
        return
    stream.write(f"\n<details><summary>{_count(len(entries), 'object')}</summary>\n")
    for index, (one, names) in enumerate(entries):
        block = "".join(_block(one, names))
        left -= len(block)
        if left < 0:
            stream.write(f"\n{len(entries) - index} more: see `lockgate diff`.\n")
            break
        stream.write(block)
    stream.write("\n</details>\n")


def as_json(found: Difference, stream: TextIO) -> None:
    """Writes a difference as JSON with sorted keys."""
    document: dict[str, Json] = {
        "version": 1,
        "from": found.old,
        "to": found.new,
        "changed": bool(found.changed),
        "parts": [_part(part) for part in found.parts],
        "total": [_delta(one) for one in found.total],
    }
    if found.findings is not None:
        new = [_finding(one) for one in found.findings.new]
        document["findings"] = {"new": new, "gone": list(map(credentials.mask, found.findings.gone))}
    json.dump(document, stream, indent=2, sort_keys=True, ensure_ascii=False)
    stream.write("\n")


FORMATS: Final[Mapping[str, Callable[[Difference, TextIO], None]]] = {
    "text": text,
    "json": as_json,
    "markdown": markdown,
}

_HEAD = ("where", "what", "before", "after")


def _title(found: Difference) -> str:
    names = ", ".join(part.name for part in found.changed or found.parts)
    if found.changed:
        return f"from {found.old} to {found.new}: {names} changed"
    return f"nothing changes in what is rendered, from {found.old} to {found.new} ({names})"


def _counts(found: Difference) -> str:
    new, gone = found.findings or ((), ())
    return f"Findings: {len(new)} new, {len(gone)} gone"


def _findings(found: Difference) -> Iterator[tuple[str, str]]:
    """A mark and a line for each finding that is new or gone."""
    new, gone = found.findings or ((), ())
    for one in new:
        where = f"{one.location} {one.severity} {one.rule}"
        yield "+", credentials.said(f"{where} {one.message} ({', '.join(one.environments)})")
    yield from (("-", credentials.said(one)) for one in gone)


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"


def _rows(found: Difference) -> tuple[tuple[str, ...], ...]:
    """Where, what, before and after; environments of which the same is said share a row."""
    joined: dict[tuple[str, str, str], list[str]] = {}
    for part in found.parts:
        if part.state in {"added", "removed"}:
            sides = ("none", "added") if part.state == "added" else ("there", "removed")
            joined.setdefault(("environment", *sides), []).append(part.name)
        for one in part.deltas:
            joined.setdefault((one.what, one.old or "none", one.new or "none"), []).append(part.name)
    for one in found.total:
        joined.setdefault((one.what, one.old, one.new), []).append("total")
    return tuple((", ".join(names), *row) for row, names in joined.items())


def _objects(found: Difference) -> list[tuple[ObjectChange, list[str]]]:
    """Each object that differs, with the environments in which it differs alike."""
    joined: dict[str, tuple[ObjectChange, list[str]]] = {}
    for part in found.parts:
        for one in part.objects:
            key = json.dumps([one.state, _name(one), [_change(change) for change in one.changes]], default=str)
            joined.setdefault(key, (one, []))[1].append(part.name)
    return sorted(joined.values(), key=lambda entry: (entry[0].ref.kind, entry[0].ref.name))


def _name(one: ObjectChange) -> str:
    return credentials.said(f"{one.ref.kind}/{one.ref.name}")


def _lines(change: Change) -> Iterator[str]:
    """One field in lines of text."""
    mark, _ = _MARKS[change.state]
    field = credentials.said(change.field)
    diff = change.lines()
    if diff:
        yield f"{mark} {field}:"
        yield from (f"    {credentials.said(line)}" for line in _short(diff))
        return
    sides = _sides(change)
    if change.state == "changed":
        yield f"{mark} {field}: {' -> '.join(dict.fromkeys(sides)) if change.hidden else ' -> '.join(sides)}"
    else:
        yield f"{mark} {field}: {sides[0] if change.state == 'removed' else sides[1]}"


def _short(lines: list[str]) -> list[str]:
    more = len(lines) - _LONGEST
    return lines if more <= 0 else [*lines[:_LONGEST], f"... {_count(more, 'more line')}"]


def _sides(change: Change) -> tuple[str, str]:
    """Both values as they are shown: where they are long, from where they begin to differ."""
    if change.hidden:
        return "(hidden)", "(hidden)"
    old, new = (_shown(value) for value in (change.old, change.new))
    start = 0
    if change.state == "changed" and max(len(old), len(new)) > _WIDEST:
        same = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
        start = max(0, same - _WIDEST // 4)
    return _cut(old, start), _cut(new, start)


def _cut(value: str, start: int) -> str:
    before, after = "..." if start else "", "..." if len(value) > start + _WIDEST else ""
    return f"{before}{value[start : start + _WIDEST]}{after}"


def _shown(value: Json) -> str:
    """A value as YAML would have it on one line; a string that reads like something else in quotes."""
    if value is MISSING:
        return ""
    if not isinstance(value, str):
        return credentials.said(json.dumps(value, ensure_ascii=False, default=str))
    plain = value.strip() == value and value.isprintable() and not _is_json(value)
    return credentials.said(value if plain else json.dumps(value, ensure_ascii=False))


def _is_json(value: str) -> bool:
    """Whether a string reads as a number, true, null or in quotes; the empty one too."""
    try:
        json.loads(value or "null")
    except ValueError:
        return False
    return True


def _block(one: ObjectChange, names: list[str]) -> Iterator[str]:
    """One object as Markdown: the fields in a table, texts of several lines below it."""
    fields = [change for change in one.changes if not change.lines()]
    yield f"\n**{pages.escaped(_name(one))}** {one.state} in {pages.escaped(credentials.said(', '.join(names)))}\n"
    if fields:
        yield "\n" + tables.row(("field", "before", "after")) + tables.row(("---",) * 3)
        for change in fields:
            cells = (credentials.said(change.field), *_sides(change))
            yield tables.row([pages.code(cell, table=True) if cell else "" for cell in cells])
    for change in one.changes:
        lines = change.lines()
        if lines:
            yield f"\n{pages.code(credentials.said(change.field))}\n\n"
            yield _fenced([credentials.said(line) for line in _short(lines)])


def _fenced(lines: list[str]) -> str:
    longest = max(len(line) - len(line.lstrip("`+- ")) for line in lines)
    fence = "`" * max(3, longest + 1)
    return f"{fence}diff\n" + "".join(f"{line}\n" for line in lines) + f"{fence}\n"


def _part(part: Part) -> dict[str, Json]:
    return {
        "name": part.name,
        "state": part.state,
        "deltas": [_delta(one) for one in part.deltas],
        "objects": [
            {
                "state": one.state,
                "kind": one.ref.kind,
                "namespace": one.ref.namespace,
                "name": one.ref.name,
                "changes": [_change(change) for change in one.changes],
            }
            for one in part.objects
        ],
    }


def _delta(one: Delta) -> dict[str, Json]:
    return {"what": one.what, "old": _masked(one.old) or None, "new": _masked(one.new) or None}


def _finding(one: Finding) -> dict[str, Json]:
    return {
        "rule": one.rule,
        "severity": str(one.severity),
        "message": credentials.mask(one.message),
        "file": one.location.file,
        "line": one.location.line,
        "environments": list(one.environments),
    }


def _change(change: Change) -> dict[str, Json]:
    """One field for programs; a side that does not have it has no key, nor has a hidden value."""
    sides = {"old": change.old, "new": change.new}
    values = {} if change.hidden else {k: _masked(v) for k, v in sides.items() if v is not MISSING}
    head = {"path": list(change.path), "field": change.field, "state": change.state, "hidden": change.hidden}
    return {**head, **values}


def _masked(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return credentials.mask(value) if isinstance(value, str) else value
