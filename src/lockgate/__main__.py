"""`python -m lockgate` and the `lockgate` script: arguments in, process exit code out."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line and ends the process with its exit code."""
    from lockgate import cli

    sys.exit(cli.run(sys.argv[1:]))


if __name__ == "__main__":
    main()
