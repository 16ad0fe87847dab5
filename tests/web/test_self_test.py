"""The public pages prove to the site itself that its address leads to it."""

from __future__ import annotations

from pathlib import Path

from syndicate.core.token import TokenSigner
from syndicate.http import Client
from syndicate.services.guard_live import PURPOSE, try_web
from tests.web.reading_site import reading_site


def test_the_pages_pass_the_unsubscribe_test_and_change_nothing(database_url: str, tmp_path: Path) -> None:
    with reading_site(tmp_path / "site", database_url) as served:
        before = served.everything()
        client = Client(deadline_seconds=10)
        assert try_web(served.url, served.site.signer(), client) == ""
        assert "something else" in try_web(served.url, TokenSigner([(1, b"another site's secret")]), client)
        assert served.everything() == before


def test_only_a_nonce_is_signed_and_only_for_the_test(database_url: str, tmp_path: Path) -> None:
    with reading_site(tmp_path / "site", database_url) as served:
        answer = served.get("/.well-known/syndicate/abcdefghijklmnop")
        assert served.site.signer().read(PURPOSE, answer.text) == ("abcdefghijklmnop",)
        assert answer.headers["cache-control"] == "no-store"
        for odd in ("short", "a" * 65, "abcdefghijklmno%1Fp", "abcdefghijklmno.p"):
            assert served.get(f"/.well-known/syndicate/{odd}").status_code == 404
        # What the test gives out opens no reader's pages.
        assert "broken" in served.get(f"/u/{answer.text}").text.lower() or served.get(
            f"/u/{answer.text}"
        ).status_code in (400, 404, 410)
