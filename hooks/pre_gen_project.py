"""Refuse answers that cannot work before a file is written: exit 1 with every reason at once."""

from __future__ import annotations

import datetime as dt
import importlib
import json
import os
import sys
from pathlib import Path

ANSWERS = json.loads(r"""<< cookiecutter | jsonify >>""")


def template_root() -> Path:
    """Return the template folder; a relative one is relative to where cookiecutter was started."""
    named = ANSWERS.get("_repo_dir") or "."
    # cookiecutter waits in the template folder while a hook runs; only Linux shows it.
    places = (Path(f"/proc/{os.getppid()}/cwd"), Path(os.environ.get("PWD", ".")) / named)
    for place in (*places, Path(ANSWERS.get("_output_dir") or ".") / named):
        if (place / "hooks" / "answers.py").is_file():
            return place.resolve()
    sys.exit(f"The template folder {named!r} was not found, so the answers could not be checked.")


def main() -> None:
    """Check the answers; leave by exit code 1 when one of them cannot work."""
    root = template_root()
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(root / "hooks"))
    answers = importlib.import_module("answers")

    accelerators, models = answers.catalogues(root)
    today = dt.datetime.now(dt.UTC).date()
    found = answers.problems(ANSWERS, accelerators, models, today)
    if found:
        lines = ["These answers cannot work, nothing was written:", *map("- {}".format, found)]
        sys.exit("\n".join(lines))
    unchecked = answers.unchecked(ANSWERS, models)
    if unchecked:
        print(f"note: {unchecked}", file=sys.stderr)


if __name__ == "__main__":
    main()
