"""Run the gate on the new repository when there is one, and say what to do next.

Writes nothing into the repository and never fails the generation: the files are there, whatever
the gate says about them.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys

ANSWERS = json.loads(r"""<< cookiecutter | jsonify >>""")


def gate() -> list[str]:
    """Return the command that runs the gate, [] when Lockgate is not installed."""
    if importlib.util.find_spec("lockgate"):
        return [sys.executable, "-m", "lockgate", "check", "."]
    program = shutil.which("lockgate")
    return [program, "check", "."] if program else []


def main() -> None:
    """Gate, then next steps; silent when `lockgate new` does both itself."""
    if os.environ.get("LOCKGATE_SKIP_POST_GEN") == "1":
        return
    command = gate()
    if command:
        # Bytecode and caches would make this tree differ from the one that `lockgate new` writes.
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run(command, check=False, env=environment)
    else:
        print("Lockgate is not installed here: `pip install lockgate`, then `lockgate check`.")
    print(f"Next: cd {ANSWERS['project']} && git init && git add . && pre-commit install")
    print(f"Then pin the image digest before {ANSWERS['pin_by']}; README.md has the first day.")


if __name__ == "__main__":
    main()
