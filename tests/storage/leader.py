"""`python -m tests.storage.leader URL [hold]`: leads, and counts up in the database for as long as it does. Prints
`leads`, then `lost` when it finds that another leads, and ends. With `hold` it stays inside its first transaction until
a line comes in, then commits. Made to be killed, and to be put to sleep."""

from __future__ import annotations

import sys
import time

import sqlalchemy as sa

from syndicate.errors import StorageError
from syndicate.storage.database import Database, open_database
from syndicate.storage.leadership import leading
from syndicate.storage.tables import counters


def main(url: str, *options: str) -> None:
    """Until it is killed, or leads no longer."""
    database = open_database(url)
    with leading(database) as lead:
        assert lead is not None, "another leads"
        database.fence = lead.fence
        print("leads", flush=True)
        try:
            while True:
                lead.beat()
                count(database, hold="hold" in options)
                time.sleep(0.02)
        except StorageError as error:
            print("lost", type(error).__name__, flush=True)


def count(database: Database, *, hold: bool = False) -> None:
    """One more."""
    with database.write() as connection:
        connection.execute(sa.update(counters).where(counters.c.name == "ticks").values(value=counters.c.value + 1))
        if hold:
            print("holds", flush=True)
            sys.stdin.readline()


if __name__ == "__main__":
    main(*sys.argv[1:])
