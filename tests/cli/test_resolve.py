"""`issues resolve` through a mail API that can prove nothing: both ways, the books after, and who has it twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.site import SiteAtHand, SiteFolder, make_site
from tests.mail_api_server import MailApiServer, Plan, read_journal
from tests.mail_api_server.journal import doubled
from tests.mail_api_server.process import control


class KeyedSite(SiteAtHand):
    """One whose mail API wants a key."""

    @staticmethod
    def environment() -> dict[str, str]:
        return {**SiteFolder.environment(), "SYNDICATE_MAIL__API_KEY": "key"}


READERS = {f"reader{number}@example.com" for number in (1, 2, 3)}


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SiteFolder, MailApiServer]]:
    """An issue to three readers, taken by the mail API, whose answer was lost."""
    folder = tmp_path_factory.mktemp("resolve")
    plan = Plan.parse(["1:drop_after_accept", "2:drop_after_accept"], [], seed=1)
    with MailApiServer("sendgrid", folder / "journal", plan=plan) as server:
        site = KeyedSite(make_site(folder / "site").folder)
        settings = site.folder / "syndicate.toml"
        text = settings.read_text(encoding="utf-8")
        assert 'api = "sandbox"' in text
        api = f'api = "sendgrid"\nurl = "{server.url}"'
        settings.write_text(text.replace('api = "sandbox"', api), encoding="utf-8")
        site.story(1)
        assert site.call("collect").returncode == 0
        site.readers(3)
        assert "issues resolve 1" in site.call("send", "morning", "--yes").stderr
        yield site, server


def books(site: SiteFolder) -> Any:
    balance = site.json("issues", "books", "1")
    return {name: balance[name] for name in ("planned", "accepted", "uncertain", "waiting", "balanced")}


def test_it_is_asked_how_then_done_and_the_books_say_so(sent: tuple[SiteFolder, MailApiServer]) -> None:
    site, server = sent
    uncertain = {"planned": 3, "accepted": 0, "uncertain": 3, "waiting": 0, "balanced": True}
    assert books(site) == uncertain
    assert site.call("issues", "resolve", "1").returncode == 2
    # Nobody answers: nothing is changed.
    assert site.call("issues", "resolve", "1", "--resend").returncode == 1
    assert books(site) == uncertain
    # Again for all, and again nobody can tell.
    site.call("issues", "resolve", "1", "--resend", "--yes")
    assert doubled(read_journal(server.journal)) == dict.fromkeys(READERS, 2)
    assert books(site) == uncertain
    done = site.call("issues", "resolve", "1", "--resend", "--yes")
    assert done.returncode == 0, done.stderr
    assert doubled(read_journal(server.journal)) == dict.fromkeys(READERS, 3)
    settled = {**uncertain, "accepted": 3, "uncertain": 0}
    assert books(site) == settled
    nothing = site.call("issues", "resolve", "1", "--count-as-sent", "--yes")
    assert nothing.returncode == 1 and "Nothing of issue 1 is uncertain" in nothing.stderr
    assert books(site) == settled


def test_counted_as_sent_nothing_more_is_posted(sent: tuple[SiteFolder, MailApiServer]) -> None:
    site, server = sent
    site.story(2)
    assert site.call("collect").returncode == 0
    control(server.url, plan={"faults": ["1:drop_after_accept"], "seed": 1})
    site.call("send", "morning", "--yes")
    before = len(server.seen)
    counted = site.json("issues", "resolve", "2", "--count-as-sent", "--yes")
    assert (counted["state"], counted["books"]["accepted"], counted["books"]["uncertain"]) == ("sent", 3, 0)
    assert len(server.seen) == before
