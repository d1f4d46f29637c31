"""Finds the bad and the good lines to show for a rule: the two samples that differ least.

Input: a rule's folder of samples. Output: the pair, and of both the few lines around the difference.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from lockgate import credentials

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LONGEST = 12
"""Lines of an example."""
CONTEXT = 3
"""Lines shown above and below what differs, when there is room."""
MARK = re.compile(r"\s*#\s*expect:.*$")

Block = tuple[int, int, int, int]
"""Lines of the bad sample from, to; lines of the good sample from, to; counted from 0, ends left out."""


@dataclass(frozen=True)
class Pair:
    """A failing and a passing sample.

    Attributes:
        bad: The failing one.
        good: The passing one.
        blocks: Where they differ.
        marks: Marked lines of the failing one, from 0.
    """

    bad: Path
    good: Path
    blocks: tuple[Block, ...]
    marks: tuple[int, ...]

    @property
    def changed(self) -> int:
        """How many lines differ; a line that was edited counts once."""
        return sum(max(end - start, to - at) for start, end, at, to in self.blocks)

    @property
    def cost(self) -> tuple[int, int, int, int, str, str]:
        """What makes the pair a worse example: no manifest, a mark far away, more to read, a small step."""
        is_document = self.bad.name.endswith(".input.yaml")
        distance = min((_distance(mark, block) for mark in self.marks for block in self.blocks), default=0)
        size = self.changed + 2 * len(self.blocks) + (10 if distance > CONTEXT else 0)
        return (is_document, size, distance, self.likeness, self.bad.name, self.good.name)

    @property
    def likeness(self) -> int:
        """How alike the differing lines are, in tenths: a digit that is off teaches less than a missing field."""
        bad, good = _judged(self.bad), _judged(self.good)
        pairs = [("".join(bad[start:end]), "".join(good[at:to])) for start, end, at, to in self.blocks]
        return int(10 * max((difflib.SequenceMatcher(None, *pair).ratio() for pair in pairs), default=0))


def _distance(line: int, block: Block) -> int:
    start, end = block[0], max(block[1] - 1, block[0])
    return max(start - line, line - end, 0)


@cache
def lines(file: Path) -> tuple[str, ...]:
    """Return a sample's lines without marks and comments at its head."""
    text = file.read_text(encoding="utf-8")
    return tuple(MARK.sub("", line).rstrip() for line in text.splitlines())


@cache
def closest(folder: Path) -> Pair | None:
    """Return the pair of samples to learn from; None when one side is missing."""
    bad, good = (sorted(folder.glob(f"{kind}-*.yaml")) for kind in ("fail", "pass"))
    pairs = [_pair(one, other) for one in bad for other in good if _alike(one, other)]
    return min(pairs, key=lambda pair: pair.cost, default=None)


def _alike(bad: Path, good: Path) -> bool:
    return bad.name.endswith(".input.yaml") == good.name.endswith(".input.yaml")


def _pair(bad: Path, good: Path) -> Pair:
    text = bad.read_text(encoding="utf-8").splitlines()
    marks = tuple(number for number, line in enumerate(text) if MARK.search(line))
    return Pair(bad, good, tuple(_differences(_judged(bad), _judged(good))), marks)


def _judged(file: Path) -> tuple[str, ...]:
    """The lines that a rule sees: of a document without what is expected of it."""
    content = lines(file)
    if not file.name.endswith(".input.yaml"):
        return content
    tail = next((number for number, line in enumerate(content) if line.startswith("expect:")), len(content))
    return content[:tail]


def _differences(bad: Sequence[str], good: Sequence[str]) -> Iterator[Block]:
    matcher = difflib.SequenceMatcher(None, bad, good, autojunk=False)
    for tag, start, end, at, to in matcher.get_opcodes():
        if tag != "equal":
            yield start, end, at, to


def shown(pair: Pair, identifier: str) -> tuple[str, str]:
    """Return the bad and the good lines; the marked bad line bears the rule's id."""
    bad, good = list(_judged(pair.bad)), list(_judged(pair.good))
    regions: list[Block] = []
    for context in range(CONTEXT, -1, -1):
        regions = _regions(pair, bad, good, context)
        if all(sum(region[side + 1] - region[side] for region in regions) <= LONGEST for side in (0, 2)):
            break
    else:
        regions = regions[:1]
    heads = [_head(pair.bad, bad, region) for region in regions]
    bad = [f"{line}  # {identifier}" if number in pair.marks else line for number, line in enumerate(bad)]
    return (
        "\n".join(_text(head, bad[region[0] : region[1]]) for head, region in zip(heads, regions, strict=True)),
        "\n".join(_text(head, good[region[2] : region[3]]) for head, region in zip(heads, regions, strict=True)),
    )


def _regions(pair: Pair, bad: Sequence[str], good: Sequence[str], context: int) -> list[Block]:
    """The differing lines, and the marked one, each with its surroundings; what touches is joined."""
    places = [*pair.blocks, *(_around_mark(pair, mark) for mark in pair.marks[:1])]
    regions: list[Block] = []
    for block in sorted(places):
        region = _surrounded(block, bad, good, context)
        if regions and region[0] <= regions[-1][1]:
            last = regions.pop()
            region = (last[0], max(last[1], region[1]), last[2], max(last[3], region[3]))
        regions.append(region)
    return regions


def _around_mark(pair: Pair, mark: int) -> Block:
    """The marked line in both samples; inside a difference it is that difference."""
    shift = 0
    for start, end, at, to in pair.blocks:
        if start <= mark < end:
            return start, end, at, to
        if end <= mark:
            shift = to - end
    return mark, mark + 1, mark + shift, mark + shift + 1


def _surrounded(block: Block, bad: Sequence[str], good: Sequence[str], context: int) -> Block:
    """A block with the lines around it that belong to the same mapping, or to the keys it stands under."""
    start, end, at, to = block
    own = min(map(_indent, [*bad[start:end], *good[at:to]]))
    below = 0
    for line in bad[end : end + min(context, _room(bad[end:], good[to:]))]:
        if _indent(line) < own:
            break
        below += 1
    while below and bad[end + below - 1].endswith((":", "|")):
        below -= 1
    above = min(context, _room(bad[:start][::-1], good[:at][::-1]))
    shallowest = min([own, *map(_indent, bad[start - above : start])])
    while above and _indent(bad[start - above]) > shallowest:
        above -= 1
    return start - above, end + below, at - above, to + below


def _room(bad: Sequence[str], good: Sequence[str]) -> int:
    """How many lines from here on are the same in both, up to the end of the object."""
    room = 0
    for one, other in zip(bad, good, strict=False):
        if one != other or one == "---":
            break
        room += 1
    return room


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _head(file: Path, content: Sequence[str], region: Block) -> str:
    """A comment that says where the lines stand: kind and path, or the path in a rule's input."""
    first, last = region[0], max(region[1], region[0] + 1)
    depth = min(map(_indent, content[first:last]))
    path = _path_above(content, first, depth)
    if file.name.endswith(".input.yaml"):
        return f"# {path}"
    start = max((number for number in range(first + 1) if content[number] == "---"), default=-1) + 1
    kind = next((line.removeprefix("kind: ") for line in content[start:] if line.startswith("kind: ")), "")
    return f"# {kind}: {path}" if path else f"# {kind}"


def _path_above(content: Sequence[str], first: int, depth: int) -> str:
    """The path of what holds the lines of this depth, like `spec.containers[0]`."""
    path = ""
    in_list = content[first].lstrip().startswith("- ")
    number = first
    while (in_list or depth) and number:
        number -= 1
        line, indent = content[number], _indent(content[number])
        if line == "---":
            break
        if line.lstrip().startswith("- "):
            if indent < depth:
                items = [other for other in _siblings(content, number, indent) if other.lstrip().startswith("- ")]
                path = f"[{len(items)}]{_joined(path)}"
                depth, in_list = indent, True
        elif line.rstrip("|").rstrip().endswith(":") and (indent < depth or (in_list and indent == depth)):
            path = f"{line.strip().rstrip('| ').removesuffix(':')}{_joined(path)}"
            depth, in_list = indent, False
    return path


def _joined(path: str) -> str:
    """A path as it goes on behind another step."""
    return path if not path or path.startswith("[") else f".{path}"


def _siblings(content: Sequence[str], number: int, indent: int) -> Iterator[str]:
    """The lines above of the same depth, the nearest first, up to what holds them."""
    for line in reversed(content[:number]):
        is_item = line.lstrip().startswith("- ")
        if _indent(line) < indent or (_indent(line) == indent and not is_item):
            return
        if _indent(line) == indent:
            yield line


def _text(head: str, content: Sequence[str]) -> str:
    """The lines of one region below the comment that says where they stand, cut where they are too many."""
    kept = [line for line in content[:LONGEST] if line != "---"]
    margin = min((_indent(line) for line in kept if line), default=0)
    moved = [_shown(line[margin:]) for line in kept] + ["# ..."] * (len(content) > LONGEST)
    return "\n".join([head, *moved]) if moved else f"{head} (without these lines)"


def _shown(line: str) -> str:
    """A line without the made-up credential that scanners would take for a real one."""
    return credentials.mask(line).replace("***", '"***"') if any(credentials.find(line)) else line
