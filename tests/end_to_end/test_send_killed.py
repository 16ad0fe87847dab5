"""`syndicate send` itself, killed with -9 by the mail API at each instant of a request, and `run --once` after it."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.end_to_end.site import SiteAtHand, SiteFolder, make_site
from tests.mail_api_server import MailApiProcess, read_journal

READERS = 300
KILLS = ("kill_before", "kill_mid_body", "kill_after_accept", "kill_after_answer")
PUTS_OFF = ("drop_before_body", "drop_after_accept", "drop_in_answer")

pytestmark = pytest.mark.slow


def point_at(site: SiteFolder, api: str, url: str) -> None:
    """Settings for that mail API, at the test server."""
    settings = site.folder / "syndicate.toml"
    lines = settings.read_text(encoding="utf-8").splitlines()
    place = next(place for place, line in enumerate(lines) if line.startswith("api = "))
    lines[place : place + 1] = [f'api = "{api}"', f'url = "{url}"']
    settings.write_text("\n".join(lines) + "\n", encoding="utf-8")


class SiteWithKey(SiteAtHand):
    """Its commands have a key for the mail API in their environment."""

    @staticmethod
    def environment() -> dict[str, str]:
        return {**SiteFolder.environment(), "SYNDICATE_MAIL__API_KEY": "re_test"}


@pytest.mark.parametrize("api", ["resend", "mailpit"])
def test_each_reader_gets_each_issue_exactly_once(tmp_path: Path, api: str) -> None:
    site = SiteWithKey(make_site(tmp_path / "site").folder)
    site.readers(READERS)
    for number in range(1, len(KILLS) + 1):
        site.story(number)
    site.ok("collect")
    journal = tmp_path / "journal"
    with MailApiProcess(api, journal) as server:
        point_at(site, api, server.url)
        for number, kill in enumerate(KILLS, 1):
            faults = [f"2:{kill}", *(f"{place}:{kind}" for place, kind in enumerate(PUTS_OFF, 3))]
            server.control(plan={"faults": faults, "chances": [], "seed": number})
            command = site.start("send", "morning", "--articles", f"world/story-{number}.md", "--yes")
            server.control(pid=command.pid)
            command.communicate(timeout=120)
            assert command.returncode == -signal.SIGKILL
            site.ok("run", "--once")
            books = site.json("issues", "books", str(number))
            assert (books["planned"], books["accepted"], books["balanced"]) == (READERS, READERS, True)
    times = Counter((one.to, one.message_id) for one in read_journal(journal))
    assert set(times.values()) == {1}
    issues_of = Counter(to for to, _ in times)
    assert issues_of == {f"reader{number}@example.com": len(KILLS) for number in range(1, READERS + 1)}
