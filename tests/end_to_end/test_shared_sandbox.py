"""Commands that send at once share one sandbox: the one that began it may end first."""

from __future__ import annotations

from collections import Counter
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from tests.end_to_end.site import make_site
from tests.process.waiting import until
from tests.sandbox.test_start import another

pytestmark = pytest.mark.slow

READERS = 400


def test_whoever_still_sends_takes_the_sandbox_over_and_goes_on(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    site.story(1)
    site.ok("collect")
    site.readers(READERS)
    with another(site.folder / "outbox") as (first, _, hosted):
        assert hosted
        command = site.start("send", "morning", "--yes")
        until(lambda: len(site.mails) >= 20)
        # It finishes what it reads; of the many under way some find nobody, some lose their connection.
        first.communicate(timeout=60)
        out, err = command.communicate(timeout=120)
    assert command.returncode == 0, (out, err)
    assert f"Issue 1 is sent: {READERS} planned, {READERS} accepted." in out
    got = Counter(message_from_bytes(each.read_bytes(), policy=policy.default)["To"] for each in site.mails)
    assert len(got) == READERS
    assert set(got.values()) == {1}
