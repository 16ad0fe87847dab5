"""A database that goes away while a mail to one person is posted: the answer is written down when it is back."""

from __future__ import annotations

from pathlib import Path

from syndicate.core.message import Answer
from syndicate.storage.database import Database
from tests.end_to_end.sender import Resized, mail_api
from tests.mail_api_server import MailApiServer, read_journal
from tests.services.reading_room import queued
from tests.services.site_rows import start
from tests.services.test_deliver_in_trouble import FAILURES, Ailing, Locked, sqlite
from tests.services.test_deliver_in_trouble_on_postgresql import Ended, postgresql
from tests.services.test_deliver_transactional import NOW, queue, working

__all__ = ["postgresql", "sqlite"]


class Meanwhile(Resized):
    """The database falls ill while the request is under way."""

    ailing: Ailing

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        answer = super().post(body, key=key, count=count)
        self.ailing.begin()
        return answer


def comes_once(database: Database, tmp_path: Path, ill: type[Ailing]) -> None:
    start(database, NOW)
    queue(database, "desk@post.example")
    with MailApiServer("ses", tmp_path / "journal") as server:
        api = Meanwhile(mail_api("ses", server.url, recipients=10))
        api.ailing = ill(database, FAILURES)
        with working(database, tmp_path, api) as run:
            assert run().accepted == 1
        assert not api.ailing.ails and api.ailing.left <= 0
        assert [each.to for each in read_journal(server.journal)] == ["desk@post.example"]
    (row,) = queued(database)
    assert row.state == "accepted"


def test_an_answer_outlives_a_lock(sqlite: Database, tmp_path: Path) -> None:
    """Nothing else would prove it: a person would have to decide."""
    comes_once(sqlite, tmp_path, Locked)


def test_an_answer_outlives_its_connections(postgresql: Database, tmp_path: Path) -> None:
    comes_once(postgresql, tmp_path, Ended)
