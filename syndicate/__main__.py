"""`python3 -m syndicate` and the command `syndicate`: the environment first, then the command line."""

import sys

from syndicate import _first_run


def main() -> None:
    """The console script. Nothing but the standard library is imported before the packages are known to be there."""
    try:
        _first_run.enter()
        from syndicate.cli import main as command_line
    except KeyboardInterrupt:
        sys.exit(130)
    command_line()


if __name__ == "__main__":
    main()
