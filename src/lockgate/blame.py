"""Between evaluate and report: violations in, findings at the line to change out.

A violation names one place, or several that could be the culprit (`also`). The line to change is
the one that serves exactly the environments that have the violation: an edit in the base is one
finding that names all of them, an edit in one release a finding there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from lockgate import credentials
from lockgate.evaluate import covers, days_left, environments_of
from lockgate.model import (
    Exemption,
    Finding,
    Location,
    ObjectRef,
    Path,
    Rendering,
    Rule,
    Violation,
    plain_name,
)

if TYPE_CHECKING:
    from datetime import date

    from lockgate.settings import Settings

Locate: TypeAlias = Callable[[str, ObjectRef, Path], Location]
"""(environment, object, path) to the source line that decides the field there."""

Serves: TypeAlias = Callable[[ObjectRef, Path], frozenset[str] | None]
"""An Argo CD object and path to the environments that the field speaks of; None for any other object."""


@dataclass(frozen=True, slots=True)
class Lines:
    """What is known of source lines.

    Attributes:
        locate: Finds the line of a field in one environment.
        serves: Knows whom the fields of Argo CD objects concern, which no environment renders.
    """

    locate: Locate
    serves: Serves = lambda _ref, _path: None


_Place: TypeAlias = tuple[ObjectRef, Path]


def findings(
    violations: Sequence[Violation],
    rules: Mapping[str, Rule],
    settings: Settings,
    renderings: Sequence[Rendering],
    lines: Lines,
    today: date,
) -> tuple[Finding, ...]:
    """Findings of all environments, each at one line, sorted by file, line, rule and message.

    Args:
        violations: As `lockgate.evaluate` returns them.
        rules: By id.
        settings: Levels and exemptions.
        renderings: The environments that were checked.
        lines: Finds the source line of a field.
        today: Decides which exemptions have ended.
    """
    scene = _Scene(settings, tuple(renderings), lines)
    single: list[Finding] = []
    for group in _problems(violations, rules, scene).values():
        blamed = scene.blame(group, rules[group[0].violation.rule])
        single += _of_one_line([_finding(*one, rules, settings, today) for one in blamed], scene.environments)
    return _merged(single, scene.environments)


def _of_one_line(found: Iterable[Finding], order: Sequence[str]) -> Iterable[Finding]:
    """One problem that one line causes in several environments is one finding.

    The numbers in its message may differ between them; the last environment's are shown, which is
    the one nearest to the users.
    """
    merged: dict[tuple[object, ...], Finding] = {}
    seen: Counter[tuple[object, ...]] = Counter()
    for finding in sorted(found, key=lambda one: (order.index(one.environments[0]), one.message)):
        # Several messages about one field of one environment are as many problems.
        here = (finding.location, finding.exemption, finding.environments)
        key = (finding.location, finding.exemption, seen[here])
        seen[here] += 1
        first = merged.get(key)
        merged[key] = replace(_joined(first, finding, order), message=finding.message) if first else finding
    return merged.values()


@dataclass(frozen=True, slots=True)
class _Hit:
    """A violation in one of its environments."""

    violation: Violation
    environment: str

    @property
    def places(self) -> tuple[_Place, ...]:
        return ((self.violation.object, self.violation.path), *self.violation.also)


def _problems(
    violations: Iterable[Violation], rules: Mapping[str, Rule], scene: _Scene
) -> dict[tuple[object, ...], list[_Hit]]:
    """Hits that are one problem in several environments: same rule, object and field."""
    groups: dict[tuple[object, ...], list[_Hit]] = defaultdict(list)
    for violation in violations:
        ref = violation.object
        key = (violation.rule, ref.kind, ref.group, plain_name(ref), violation.path)
        for environment in environments_of(violation, scene.environments):
            if scene.level(environment) in rules[violation.rule].severity:
                groups[key].append(_Hit(violation, environment))
    return groups


class _Scene:
    """What is known of the environments while lines are sought."""

    def __init__(self, settings: Settings, renderings: tuple[Rendering, ...], lines: Lines) -> None:
        self._settings = settings
        self._locate = cache(lines.locate)
        self._serves = lines.serves
        self._overlays = {r.overlay.environment: r.overlay for r in renderings}
        self.environments = tuple(self._overlays)
        self._objects = {
            r.overlay.environment: {_identity(ref): ref for ref in map(ObjectRef.of, r.objects)} for r in renderings
        }

    def level(self, environment: str) -> str:
        """The level of a checked environment."""
        return self._overlays[environment].level

    def blame(self, hits: Sequence[_Hit], rule: Rule) -> list[tuple[_Hit, Location, tuple[Location, ...]]]:
        """The line of each hit, and the other lines that take part in it.

        The lines are chosen one after the other: first those that serve no environment without
        the violation, among them the one that explains the most, then one that a patch or an image,
        label or replacement entry wrote over the object's own file, then the rule's own order.
        """
        judged = {e for e in self.environments if self.level(e) in rule.severity}
        candidates = [[(self._line(hit, place), place) for place in hit.places] for hit in hits]
        affected = {hit.environment for hit in hits}
        served: dict[Location, set[str]] = {}
        for options in candidates:
            for line, place in options:
                served.setdefault(line, set()).update(self._served(line, place) & judged)
        overlaid = {
            line
            for hit, options in zip(hits, candidates, strict=True)
            for line, place in options
            if self._overlaid(hit, line, place)
        }
        left = list(range(len(hits)))
        chosen: dict[int, Location] = {}
        while left:
            line = _best(left, hits, candidates, served, affected, overlaid)
            for index in list(left):
                if any(option == line for option, _ in candidates[index]):
                    chosen[index] = line
                    left.remove(index)
        return [
            (_mendable(hit, chosen[i] == candidates[i][0][0]), chosen[i], _others(chosen[i], candidates[i]))
            for i, hit in enumerate(hits)
        ]

    def _line(self, hit: _Hit, place: _Place) -> Location:
        return self._locate(hit.environment, *place)

    def _overlaid(self, hit: _Hit, line: Location, place: _Place) -> bool:
        """Whether a line changes the blamed object from another file than the object's own."""
        ref, _ = place
        if ref != hit.violation.object:
            return False
        return ref.kind not in {"Settings", "Kustomization"} and line.file != self._line(hit, (ref, ())).file

    def _served(self, line: Location, place: _Place) -> set[str]:
        """The environments whose field at `place` comes from `line`."""
        ref, path = place
        if ref.kind == "Settings":
            return self._settings_served(path)
        if ref.kind in {"Kustomization", "Values"}:
            return self._folder_served(line.file)
        named = self._serves(ref, path)
        if named is not None:
            return set(named) & set(self.environments)
        return {
            environment
            for environment in self.environments
            if (same := self._objects[environment].get(_identity(ref))) is not None
            and self._locate(environment, same, path) == line
        }

    def _settings_served(self, path: Path) -> set[str]:
        """The environments that a field of `lockgate.yaml` speaks of."""
        entries = self._settings.environments
        match path:
            case ("environments", str(name), *_):
                return {name} & set(self.environments)
            case ("pools", str(name), *_):
                return {e for e in self.environments if entries[e].pool == name}
            case ("clusters", str(name), *_):
                return {e for e in self.environments if entries[e].cluster == name}
        return set(self.environments)

    def _folder_served(self, file: str) -> set[str]:
        """The environment in whose overlay a file lies; all of them for a shared file."""
        inside = {e for e, overlay in self._overlays.items() if file.startswith(f"{overlay.path}/")}
        return inside or set(self.environments)


def _best(
    left: Sequence[int],
    hits: Sequence[_Hit],
    candidates: Sequence[Sequence[tuple[Location, _Place]]],
    served: Mapping[Location, set[str]],
    affected: set[str],
    overlaid: set[Location],
) -> Location:
    """The line that explains most of the hits that are left."""
    explains: dict[Location, set[str]] = defaultdict(set)
    order: dict[Location, int] = {}
    for index in left:
        for position, (line, _) in enumerate(candidates[index]):
            explains[line].add(hits[index].environment)
            order[line] = min(order.get(line, position), position)

    def rank(line: Location) -> tuple[bool, int, bool, int, int, Location]:
        strangers = len(served[line] - affected)
        return (strangers > 0, -len(explains[line]), line not in overlaid, order[line], strangers, line)

    exact = [line for line in explains if served[line] <= affected]
    return min(exact or [line for line in explains if order[line] == 0], key=rank)


def _mendable(hit: _Hit, own: bool) -> _Hit:  # noqa: FBT001  # where it is called the condition says what it is
    """The hit; its fix is an answer at the place that its rule names, and at no other."""
    return hit if own else replace(hit, violation=replace(hit.violation, fix=()))


def _others(chosen: Location, options: Sequence[tuple[Location, _Place]]) -> tuple[Location, ...]:
    return tuple(dict.fromkeys(line for line, _ in options if line != chosen))


def _identity(ref: ObjectRef) -> tuple[str, str, str]:
    """What an object is in every environment: namespace and hash differ between them."""
    return (ref.kind, ref.group, plain_name(ref))


def _finding(
    hit: _Hit,
    location: Location,
    related: tuple[Location, ...],
    rules: Mapping[str, Rule],
    settings: Settings,
    today: date,
) -> Finding:
    """The finding of one hit."""
    violation = hit.violation
    severity = rules[violation.rule].severity[settings.level(hit.environment)]
    return Finding(
        rule=violation.rule,
        severity=min(severity, violation.severity or severity),
        # Whatever a rule quotes, no format may carry a credential into a log.
        message=credentials.mask(violation.message),
        location=location,
        objects=(violation.object,),
        path=violation.path,
        environments=(hit.environment,),
        related=related,
        exemption=_exemption(hit, settings, today),
        fix=violation.fix,
    )


def _exemption(hit: _Hit, settings: Settings, today: date) -> Exemption | None:
    """The first exemption that covers a hit and has not ended.

    One that lacks its reason, owner or expiry still covers: EXM001 is the one finding for that.
    """
    violation = hit.violation
    if violation.object.kind == "Settings" and violation.path[:1] == ("exemptions",):
        return None  # An exemption does not exempt exemptions.
    for exemption in settings.exempted():
        left = days_left(exemption, today)
        if (left is None or left >= 0) and covers(exemption, violation, hit.environment):
            return exemption
    return None


def _merged(single: Iterable[Finding], order: Sequence[str]) -> tuple[Finding, ...]:
    """One finding for all that say the same of the same line."""
    merged: dict[tuple[object, ...], Finding] = {}
    for finding in single:
        exempt = finding.exemption.index if finding.exemption else None
        key = (finding.location, finding.rule, finding.message, exempt)
        merged[key] = _joined(merged[key], finding, order) if key in merged else finding
    return tuple(sorted(merged.values(), key=_position))


def _joined(one: Finding, other: Finding, order: Sequence[str]) -> Finding:
    environments = {*one.environments, *other.environments}
    return replace(
        one,
        severity=max(one.severity, other.severity),
        objects=tuple(sorted({*one.objects, *other.objects})),
        path=min(one.path, other.path, key=_comparable),
        environments=tuple(name for name in order if name in environments),
        related=tuple(sorted({*one.related, *other.related} - {one.location})),
        fix=one.fix if one.fix == other.fix else (),
    )


def _comparable(path: Path) -> tuple[tuple[bool, int, str], ...]:
    """Keys and indexes do not compare with one another; indexes come first, by number."""
    return tuple((isinstance(s, str), 0 if isinstance(s, str) else s, str(s)) for s in path)


def _position(finding: Finding) -> tuple[object, ...]:
    exempt = finding.exemption.index if finding.exemption else -1
    return (finding.location.file, finding.location.line, finding.rule, finding.message, exempt)
