from __future__ import annotations

from pathlib import Path

import pytest

from tests.sources.newsdesk import Newsdesk


@pytest.fixture
def desk(tmp_path: Path) -> Newsdesk:
    folder = tmp_path / "articles"
    folder.mkdir()
    return Newsdesk(folder)
