"""`issues refused`, and the reasons beside the books: what was not accepted, why, and who."""

from __future__ import annotations

import csv
import stat
from pathlib import Path

import pytest

from tests.cli.test_issues import change
from tests.end_to_end.site import SiteFolder, make_site


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    """An issue to three: one refused, one uncertain, one whose next try is known."""
    site = make_site(tmp_path / "site", at_hand=True)
    site.story(1)
    site.readers(3)
    assert site.call("collect").returncode == 0
    assert site.call("send", "morning", "--yes").returncode == 0
    change(
        site,
        "UPDATE batches SET state = 'refused', why = '=550: no such user' WHERE first = 1",
        "UPDATE batches SET state = 'uncertain', why = 'the answer was lost' WHERE first = 2",
        "UPDATE batches SET state = 'retry', why = '429: too many', retry_at = '2099-01-01T00:00:00.000000Z'"
        " WHERE first = 3",
    )
    return site


def test_the_reasons_stand_beside_the_books(site: SiteFolder) -> None:
    for verb in ("show", "books"):
        said = site.call("issues", verb, "1").stdout
        assert "1 refused: =550: no such user" in said
        assert "1 uncertain: the answer was lost (`syndicate issues resolve 1` settles it)" in said
        assert "1 tried again: 429: too many (next 2099-01-01" in said
        assert "`syndicate issues refused 1`" in said
        told = site.json("issues", verb, "1")["not_accepted"]
        assert [(each["state"], each["people"], each["at_least"]) for each in told] == [
            ("uncertain", 1, False),
            ("retry", 1, False),
            ("refused", 1, False),
        ]
        assert told[1]["next_at"].startswith("2099-01-01")


def test_who_was_refused_is_listed_and_written(site: SiteFolder) -> None:
    [row] = site.json("issues", "refused", "1")
    assert (row["email"].partition("@")[2], row["why"]) == ("example.com", "=550: no such user")
    assert row["email"] in site.call("issues", "refused", "1").stdout
    assert site.call("issues", "refused", "1", "refused.csv").returncode == 0
    file = site.folder / "refused.csv"
    with file.open(encoding="utf-8", newline="") as stream:
        assert list(csv.reader(stream)) == [["email", "why"], [row["email"], "'=550: no such user"]]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    change(site, "UPDATE batches SET state = 'accepted'")
    assert "Nobody of issue 1 was refused." in site.call("issues", "refused", "1").stdout
    assert site.call("issues", "refused", "9").returncode == 1
