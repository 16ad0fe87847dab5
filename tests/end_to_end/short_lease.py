"""`python -m tests.end_to_end.short_lease …`: the program with claims that are lent for seconds, so that a test need
not wait for minutes until one is over."""

from __future__ import annotations

from syndicate.cli import main
from syndicate.process import delivering
from syndicate.storage import database

SECONDS = 7.0

if __name__ == "__main__":
    delivering.LEASE_SECONDS = SECONDS
    database.WRITER_IDLE_SECONDS = SECONDS
    main()
