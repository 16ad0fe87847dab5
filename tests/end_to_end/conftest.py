"""Sites on a PostgreSQL database of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from tests.end_to_end.site import SiteFolder, make_site

_NUMBERS = count(1)


@pytest.fixture
def empty_database(postgresql_server: str) -> Iterator[str]:
    """The URL of a database with no tables, as `[database] url` takes it."""
    server = make_url(postgresql_server).set(drivername="postgresql")
    name = f"syndicate_site_{next(_NUMBERS)}_{time.time_ns()}"
    with psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    yield server.set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture
def fresh(tmp_path: Path, empty_database: str) -> SiteFolder:
    """A site whose settings name that database, which is still empty."""
    site = make_site(tmp_path / "site", at_hand=True)
    settings = site.folder / "syndicate.toml"
    text = settings.read_text(encoding="utf-8")
    lines = [f'url = "{empty_database}"' if line.startswith('url = "sqlite') else line for line in text.split("\n")]
    if lines == text.split("\n"):
        lines += ["[database]", f'url = "{empty_database}"']
    settings.write_text("\n".join(lines), encoding="utf-8")
    return site
