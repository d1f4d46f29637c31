"""Where the template lies: inside an installed wheel, else in the checkout this file is part of."""

from __future__ import annotations

from pathlib import Path

from lockgate.errors import LockgateError

PROJECT = "<<cookiecutter.project>>"


def template_root() -> Path:
    """The folder that holds `cookiecutter.json`, `hooks` and the project folder.

    Raises:
        LockgateError: Neither place has it, so the installation is damaged.
    """
    here = Path(__file__).resolve().parent
    for place in (here / "template", here.parents[1]):
        if (place / "cookiecutter.json").is_file() and (place / PROJECT).is_dir():
            return place
    msg = f"no template in {here / 'template'} nor in {here.parents[1]}"
    raise LockgateError(msg, "install Lockgate again: pip install --force-reinstall lockgate")


def samples_root() -> Path:
    """The folder that holds the samples of the shipped rules, one folder per rule id.

    Raises:
        LockgateError: As `template_root`.
    """
    root = template_root()
    return root / "samples" if (root / "samples").is_dir() else root / "tests" / "rules"
