"""`python -m tests.queues.waiter URL FILE`: a worker whose slow jobs never end; it writes down each. Made to be killed,
and to be put to sleep."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from syndicate.core.job import Job
from syndicate.queues.procrastinate import ProcrastinateQueue
from syndicate.storage.database import open_database


def main(url: str, file: str) -> None:
    """Until it is killed."""

    def handle(job: Job) -> None:
        with Path(file).open("a", encoding="utf-8") as lines:
            lines.write(f"{job.subject}\n")
        if job.subject.startswith("slow"):
            threading.Event().wait()

    ProcrastinateQueue(open_database(url).engine).work(handle, {"publish": 2})
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
