"""`lockgate export`: the rules, or what they judge, in the form of another runner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
import yaml

from lockgate import pipeline, resources, testing
from lockgate.errors import LockgateError
from lockgate.export import bundle, gatekeeper, suites
from lockgate.settings import Settings
from lockgate.settings import parse as parse_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lockgate.export.gatekeeper import Form
    from lockgate.model import Json
    from lockgate.rules import RuleSet

_LISTING = "export.json"
_PATH = click.argument("path", metavar="[PATH]", required=False, default=".", type=click.Path(path_type=Path))


@click.group()
def command() -> None:
    """Write the rules of the repository at PATH (default: here), or what they judge, for another runner."""


@command.command(
    "input", epilog="Examples:\n\n  lockgate export input build/input\n\n  lockgate export input - --env prod"
)
@click.argument("target", metavar="DIR|-", type=click.Path(path_type=Path, allow_dash=True))
@_PATH
@click.option("--env", "environment", metavar="NAME", help="This environment's document only.")
def export_input(target: Path, path: Path, environment: str | None) -> int:
    """Write what the rules get as `input` and `data`, for `opa eval` and `conftest test`.

    DIR gets a document per environment, `repository.json` and `data.json` (lockgate.yaml with its defaults);
    `-` prints all of it as one object, or the one document that --env names.
    """
    options = pipeline.Options((environment,) if environment else ())
    repository, _, documents = pipeline.documents(path, options)
    named = {name or "repository": document for name, document in documents.items() if name or not environment}
    data = repository.settings.data()
    if str(target) == "-":
        whole = named[environment] if environment else {"documents": named, "data": data}
        click.echo(_json(whole), nl=False)
        return 0
    files = {f"{name}.json": _json(document) for name, document in named.items()}
    _write(target, {**files, "data.json": _json(data)})
    return 0


@command.command(
    "bundle", epilog="Example:\n\n  lockgate export bundle bundle.tar.gz && opa run --server -b bundle.tar.gz"
)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@_PATH
def export_bundle(file: Path, path: Path) -> int:
    """Write rules, catalogues and lockgate.yaml as one OPA bundle.

    `data.lockgate_gate.findings` in it gives the findings on an `input` document of `lockgate export input`.
    """
    repository, ruleset = pipeline.rules_around(path)
    packed, revision = bundle.content(ruleset, repository.settings.data())
    try:
        file.write_bytes(packed)
    except OSError as error:
        msg = f"{file}: the bundle cannot be written: {error.strerror}"
        raise LockgateError(msg, "name a file in a folder that exists and is writable") from error
    click.echo(f"wrote {file}: {len(ruleset.rules)} rules, revision {revision}", err=True)
    return 0


@command.command(
    "gatekeeper",
    epilog="Example:\n\n  lockgate export gatekeeper build/gatekeeper && gator verify build/gatekeeper/...",
)
@click.argument("target", metavar="DIR", type=click.Path(path_type=Path))
@_PATH
def export_gatekeeper(target: Path, path: Path) -> int:
    """Write ConstraintTemplates, Constraints per environment and suites of `gator verify`.

    Only rules that judge each object for itself can run at admission; the others are named, and stay with
    `lockgate check`.
    """
    repository, ruleset = pipeline.rules_around(path)
    forms, left = gatekeeper.forms(ruleset, frozenset(Settings.__struct_fields__))
    files = dict(_gatekeeper(forms, repository.settings, ruleset, repository.root))
    listing = {"exported": sorted(form.rule.id for form in forms), "left": left}
    _write(target, {**files, _LISTING: _json({**listing, "files": sorted(files)})})
    click.echo(f"exported {len(forms)} rules: {', '.join(listing['exported'])}", err=True)
    for reason in sorted(set(left.values())):
        names = ", ".join(sorted(rule for rule, why in left.items() if why == reason))
        click.echo(f"not exported ({reason}): {names}", err=True)
    return 0


def _gatekeeper(forms: list[Form], settings: Settings, ruleset: RuleSet, root: Path) -> Iterator[tuple[str, str]]:
    """Every file of the export."""
    samples = _samples(root)
    lists: dict[str, list[str]] = {"templates": []}
    for form in forms:
        name = f"{form.rule.id.lower()}.yaml"
        lists["templates"].append(name)
        yield f"templates/{name}", _yaml(form.template)
        for environment in settings.environments:
            if own := list(gatekeeper.constraints(form, settings, environment)):
                lists.setdefault(f"constraints/{environment}", []).append(name)
                yield f"constraints/{environment}/{name}", "---\n".join(map(_yaml, own))
        for file, content in suites.suite(form, ruleset, samples.get(form.rule.id, []), _parsed, "embedded"):
            yield f"suites/{form.rule.id.lower()}/{file}", _yaml(content)
    for folder, names in lists.items():
        head = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
        yield f"{folder}/kustomization.yaml", _yaml({**head, "resources": sorted(names)})


def _samples(root: Path) -> dict[str, list[suites.Sample]]:
    """The samples of the shipped rules and of the team's own, by rule id."""
    found: dict[str, list[suites.Sample]] = {}
    shipped = resources.samples_root()
    for sample in [*(testing.samples(shipped) if shipped.is_dir() else ()), *testing.team_samples(root)]:
        if sample.text:  # an input sample is no list of objects
            one = (sample.path.stem, sample.document, sample.settings)
            found.setdefault(sample.rule, []).append(one)
    return found


def _parsed(settings: Mapping[str, Json]) -> Settings:
    return parse_settings(yaml.safe_dump(dict(settings)))


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """Writes the files; a folder that an export wrote before loses what it no longer has."""
    try:
        _clear(folder, set(files))
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"{folder}: the export cannot be written: {error.strerror}"
        raise LockgateError(msg, "name a folder that can be made or written") from error
    click.echo(f"wrote {len(files)} files to {folder}", err=True)


def _clear(folder: Path, names: set[str]) -> None:
    """Removes what the last export wrote; refuses a folder that holds something else.

    Raises:
        LockgateError: The folder is not empty and no export's.
    """
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    try:
        known = set(json.loads((folder / _LISTING).read_text(encoding="utf-8"))["files"]) | {_LISTING}
    except (OSError, ValueError, KeyError, TypeError):
        known = names
    if strange := sorted(present - known):
        msg = f"{folder} holds {strange[0]!r}, which no export wrote"
        raise LockgateError(msg, "name a folder that is empty or does not exist")
    for name in present:
        (folder / name).unlink()


def _json(value: Json) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, nothing by reference."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # PyYAML calls it so
        return True


def _text(dumper: _Dumper, value: str) -> yaml.Node:
    if "\n" not in value:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value)
    # YAML has no tabs in blocks; Rego takes any white space at the start of a line.
    indented = "\n".join(_spaces(line) for line in value.split("\n"))
    return dumper.represent_scalar("tag:yaml.org,2002:str", indented, style="|")


def _spaces(line: str) -> str:
    bare = line.lstrip("\t")
    return "  " * (len(line) - len(bare)) + bare


_Dumper.add_representer(str, _text)


def _yaml(value: Json) -> str:
    plain = msgspec.to_builtins(value)
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, width=10**6, allow_unicode=True)
