"""Answers to the template's questions in, a new repository out; whole, or not at all.

The only module that imports cookiecutter, and only inside its functions, since that import costs
more than `lockgate --help` may take. The files are cookiecutter's own work, so they equal those of
plain cookiecutter byte for byte; only the hooks are replaced: the checks of `pre_gen_project` run
here, in `refuse`, and the gate of `post_gen_project` is the caller's.
"""

from __future__ import annotations

import datetime as dt
import difflib
import json
import os
import runpy
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from lockgate import yamltext
from lockgate.errors import LockgateError
from lockgate.resources import template_root

if TYPE_CHECKING:
    from collections.abc import Mapping

Context = dict[str, Any]


def generate(target: Path, given: Mapping[str, str]) -> int:
    """Writes a repository without asking: given answers, else defaults.

    Args:
        target: Where to; its name is the project's when `given` has none.
        given: Answers by question.

    Returns:
        How many files were written.

    Raises:
        LockgateError: An answer fits no question, cannot work, or the target cannot be written.
    """
    answers = {"project": target.name, **given}
    context = ask(accept({key: (value, key) for key, value in answers.items()}), interactive=False)
    refuse(context)
    return write(context, target)


def questions(root: Path) -> Context:
    """Question -> default, a list for a choice, in the order in which they are asked.

    Args:
        root: The template folder.
    """
    text = (root / "cookiecutter.json").read_text(encoding="utf-8")
    return {key: default for key, default in json.loads(text).items() if not key.startswith("_")}


def read_answers(file: Path) -> dict[str, tuple[str, str]]:
    """The answers in a YAML file, each with its place `file:line`.

    Values are taken as written, so that a version `1.30` does not become the number 1.3.

    Raises:
        LockgateError: The file is unreadable, no YAML, or no mapping of questions to plain values.
    """
    name = str(file)
    hint = "write one `question: answer` per line"
    try:
        node = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise yamltext.error_at(error, name) from error
    except UnicodeDecodeError as error:
        msg = f"{name}: wanted UTF-8 text, found a binary file"
        raise LockgateError(msg, hint) from error
    except OSError as error:
        msg = f"{name}: cannot be read: {error.strerror}"
        raise LockgateError(msg, "name a YAML file of answers") from error
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        msg = f"{name}:1: wanted a mapping of questions to answers"
        raise LockgateError(msg, hint)
    found: dict[str, tuple[str, str]] = {}
    for key, value in node.value:
        place = f"{name}:{key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode) or not isinstance(value, yaml.ScalarNode):
            msg = f"{place}: wanted text or a number, found a list or a mapping"
            raise LockgateError(msg, hint)
        if key.value in found:
            msg = f"{place}: {key.value!r} is answered twice"
            raise LockgateError(msg, "keep one of the two")
        found[key.value] = value.value, place
    return found


def accept(given: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """The given answers without their places, once each fits a question.

    Args:
        given: Question -> answer and the place it comes from, for the message.

    Raises:
        LockgateError: No such question, or no such choice.
    """
    known = questions(template_root())
    for key, (value, place) in given.items():
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"questions: {', '.join(known)}"
            msg = f"{place}: no question {key!r}"
            raise LockgateError(msg, hint)
        if isinstance(known[key], list) and value not in known[key]:
            msg = f"{place}: {key} has no choice {value!r}"
            raise LockgateError(msg, f"choose one of {', '.join(known[key])}")
    return {key: value for key, (value, _) in given.items()}


def ask(given: Mapping[str, str], *, interactive: bool) -> Context:
    """All answers: the given ones, else those that a person types, else the defaults.

    Args:
        given: Answers by question, as `accept` returns them.
        interactive: Whether to ask on the terminal.

    Returns:
        The context for `write`; the answers are under `cookiecutter`.
    """
    from cookiecutter.generate import generate_context
    from cookiecutter.prompt import prompt_for_config

    root = template_root()
    context: Context = generate_context(str(root / "cookiecutter.json"), extra_context=dict(given))
    context["_cookiecutter"] = {key: value for key, value in context["cookiecutter"].items() if not key.startswith("_")}
    context["cookiecutter"].update(prompt_for_config(context, no_input=not interactive))
    return context


def own_answers(context: Context) -> dict[str, str]:
    """The answers that are not what their defaults would be; the others follow from these anew."""
    from cookiecutter.prompt import render_variable
    from cookiecutter.utils import create_env_with_context

    environment, answers = create_env_with_context(context), context["cookiecutter"]

    def default(raw: str | list[str]) -> str:
        return str(render_variable(environment, raw[0] if isinstance(raw, list) else raw, answers))

    asked = questions(template_root())
    return {key: answers[key] for key, raw in asked.items() if answers[key] != default(raw)}


def describe(context: Context, facts: Mapping[str, Any]) -> None:
    """Has the repository say what its model is.

    Args:
        context: As `ask` returns it; changed.
        facts: Keys and values of `lockgate.settings.Model`.
    """
    answers = context["cookiecutter"]
    lines = yaml.safe_dump({answers["model_id"]: dict(facts)}, sort_keys=False).splitlines()
    answers["__models"] = "\n".join(f"  {line}" for line in lines)


def refuse(context: Context, facts: Mapping[str, Any] | None = None) -> str:
    """What could not be checked, '' when all was.

    Args:
        context: As `ask` returns it.
        facts: What the model is, where the catalogue does not say it or says otherwise.

    Raises:
        LockgateError: Answers that cannot work, all of them at once, each with its rule or sum.
    """
    root = template_root()
    # The hooks' own module is run as a script: it belongs to the template, not to this package.
    checks = runpy.run_path(str(root / "hooks" / "answers.py"))
    accelerators, models = checks["catalogues"](root)
    today = dt.datetime.now(tz=dt.UTC).date()
    answers = context["cookiecutter"]
    models = {**models, answers["model_id"]: facts} if facts else models
    found: list[str] = checks["problems"](answers, accelerators, models, today)
    if found:
        msg = "\n".join(["these answers cannot work, nothing was written:", *map("- {}".format, found)])
        raise LockgateError(msg, "answer otherwise: --set QUESTION=ANSWER, or --answers FILE")
    return str(checks["unchecked"](answers, models))


def write(context: Context, target: Path) -> int:
    """Writes the repository to `target`, by way of a sibling folder that becomes it at the end.

    Args:
        context: As `ask` returns it.
        target: A folder that does not exist yet, or an empty one; its parent exists.

    Returns:
        How many files were written.

    Raises:
        LockgateError: The target is taken, or cannot be written; nothing is left behind.
    """
    _check_target(target)
    try:
        beside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise _unwritable(target, error) from error
    try:
        made = _render(context, beside)
        count = sum(1 for path in made.rglob("*") if path.is_file())
        os.replace(made, target)  # noqa: PTH105  # Path.replace would say less on an empty target
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return count


def _render(context: Context, folder: Path) -> Path:
    from cookiecutter.generate import generate_files

    root = str(template_root())
    context["cookiecutter"] |= {"_template": root, "_repo_dir": root, "_output_dir": str(folder), "_checkout": None}
    return Path(generate_files(root, context, str(folder), accept_hooks=False))


def _check_target(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        kind = "folder that is not empty" if target.is_dir() else "file"
        msg = f"{target} exists already, a {kind}"
        raise LockgateError(msg, "name a folder that does not exist yet")
    if target.exists() and target.samefile(Path.cwd()):
        msg = f"{target} is the folder you are in"
        raise LockgateError(msg, f"run it from the folder above: cd .. && lockgate new {target.name}")
    if not target.parent.is_dir():
        msg = f"{target.parent} is no folder"
        raise LockgateError(msg, "make it first, or name another place")


def _unwritable(target: Path, error: OSError) -> LockgateError:
    # cookiecutter wraps the error that the system gave in one without a reason.
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    reason = cause.strerror or str(cause)
    return LockgateError(
        f"{target} cannot be written: {reason}", "nothing was left behind; free the place or name another"
    )
