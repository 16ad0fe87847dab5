"""A site of each kind, whose processes' parts are tried one by one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from syndicate.services.write_site import write_site
from syndicate.site import Site, open_site


@pytest.fixture
def site(tmp_path: Path, database_url: str, now: datetime) -> Iterator[Site]:
    """A new site; once on SQLite and once on PostgreSQL."""
    folder = tmp_path / "site"
    write_site(folder)
    settings = folder / "syndicate.toml"
    url = database_url.replace("postgresql+psycopg://", "postgresql://")
    settings.write_text(f'{settings.read_text(encoding="utf-8")}\n[database]\nurl = "{url}"\n', encoding="utf-8")
    opened = open_site(folder, {})
    opened.start(now)
    yield opened
    opened.database.dispose()
