"""One hostile site for all that only look at it; what changes a site takes one of its own (`web_site`)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.hostile.site import HostileSite, hostile_site
from tests.web.reading_site import ReadingSite, reading_site


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileSite]:
    """Made once: a test may sign in to it and ask for anything, and leaves it as it was."""
    with hostile_site(tmp_path_factory.mktemp("hostile")) as site:
        yield site


@pytest.fixture
def readers(_migrated_sqlite: Path, tmp_path: Path) -> Iterator[ReadingSite]:
    """A new site as its readers meet it, for what changes it."""
    shutil.copyfile(_migrated_sqlite, tmp_path / "syndicate.db")
    with reading_site(tmp_path / "site", f"sqlite:///{tmp_path / 'syndicate.db'}") as site:
        yield site


@pytest.fixture
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords' hashes of the same kind that cost a hundredth: for who tries many, and does not look at the time."""
    from pwdlib import PasswordHash
    from pwdlib.hashers.argon2 import Argon2Hasher

    from syndicate.storage import password_hashes

    cheap = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1),))
    monkeypatch.setattr(password_hashes, "_hasher", lambda: cheap)
    password_hashes._of_nobody.cache_clear()
