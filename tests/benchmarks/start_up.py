"""How long a command takes to start.

    python -m tests.benchmarks.start_up [--runs 15]

`syndicate --help`, which needs nothing, and two commands that read the database of a small site, beside what nobody
can go below in the same run: `python -c pass`, and the import of SQLAlchemy. Medians; each round runs every command
once and is compared with itself, so that a busy machine is busy for all of them. Ends with 1 only when a command fails.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.end_to_end.site import SiteFolder, make_site

HELP_MILLISECONDS = 150
TIMES_SQLALCHEMY = 2.5
"""The marks of the design (§8)."""

PASS = "python -c pass"
SQLALCHEMY = "python -c 'import sqlalchemy'"


def commands() -> dict[str, list[str]]:
    """What is timed, by how it is shown."""
    python = sys.executable
    return {
        PASS: [python, "-c", "pass"],
        SQLALCHEMY: [python, "-c", "import sqlalchemy"],
        "syndicate --help": [python, "-m", "syndicate", "--help"],
        "syndicate issues list": [python, "-m", "syndicate", "issues", "list"],
        "syndicate articles list": [python, "-m", "syndicate", "articles", "list"],
    }


def seconds(command: list[str], folder: Path) -> float:
    """Of one run. Raises CalledProcessError when it fails."""
    environment = SiteFolder.environment()
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def small_site(folder: Path) -> SiteFolder:
    """Three articles, and an issue of them that awaits approval."""
    site = make_site(folder / "site")
    for number in (1, 2, 3):
        site.story(number)
    site.ok("collect")
    site.readers(3)
    site.ok("issues", "draft", "morning")
    return site


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=15)
    runs = options.parse_args().runs
    timed = commands()
    taken: dict[str, list[float]] = {name: [] for name in timed}
    with tempfile.TemporaryDirectory() as place:
        folder = small_site(Path(place)).folder
        try:
            for number in range(runs + 1):
                for name, command in timed.items():
                    took = seconds(command, folder)
                    if number:  # the first round fills the caches
                        taken[name].append(took * 1000)
        except subprocess.CalledProcessError as error:
            print(error, file=sys.stderr)
            return 1
    print(f"median of {runs} runs, in milliseconds\n")
    for name, times in taken.items():
        mark = ""
        if name == "syndicate --help":
            mark = f"mark {HELP_MILLISECONDS}"
        elif name.startswith("syndicate"):
            ratio = median(mine / floor for mine, floor in zip(times, taken[SQLALCHEMY], strict=True))
            mark = f"{ratio:.1f} × the import of SQLAlchemy, mark {TIMES_SQLALCHEMY}"
        print(f"{name:<32}{median(times):>7.0f}   (fastest {min(times):.0f})   {mark}".rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
