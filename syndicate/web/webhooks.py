"""`/webhooks/API`: what mail APIs report. Proven to come from them; kept and acted on before the answer.

Plain ASGI, because there are many: most vendors send each report in a request of its own, five thousand a second after
a large mailing. Requests that come while others are being written are written together, in one transaction.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from syndicate.errors import BadInput, MailAPIError, NotFound, Refused, StorageError
from syndicate.mail import sheet_of
from syndicate.mail.events import open_webhook
from syndicate.mail.events.base import AnyOf, Arrival, Webhook
from syndicate.services.record_event import AT_ONCE, Recorded, Request, record_requests

if TYPE_CHECKING:
    from syndicate.core.mail_account import MailAccount
    from syndicate.site import Site
    from syndicate.web.front import Receive, Scope, Send

PREFIX = "/webhooks/"

ENOUGH = 500_000
"""Octets of the requests that are written together: those behind them need not wait for more."""

# Amazon gives the password of an address only after it was asked for it.
_ASK = (b"www-authenticate", b'Basic realm="Syndicate"')

Answer = tuple[int, bytes]
"""Status and JSON."""
Answered = Callable[["Answer | Exception"], None]
"""Hears what became of a request: an exception when that is what nobody thought of."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request as it came, and who hears what became of it."""

    arrival: Arrival
    answered: Answered


class Webhooks:
    """The ASGI application: reports of the mail API that this site posts to, and of its standby; what proves one
    vendor's need not be secret to another. 200 when they are kept, also when they came before; 401 without proof of who
    tells, 413 for more than that mail API ever tells at once, 503 while that cannot be told or nothing can be kept:
    then the vendor tries again."""

    def __init__(self, site: Site, clock: Callable[[], datetime]) -> None:
        self._accounts = {site.mail.api: Intake(site, site.mail, "SYNDICATE_MAIL__WEBHOOK_SECRET", clock)}
        standby = site.settings.standby
        if standby is not None and standby.api not in self._accounts:
            self._accounts[standby.api] = Intake(site, standby, "SYNDICATE_STANDBY__WEBHOOK_SECRET", clock)
        elif standby is not None:
            # Another account of the same, such as Amazon's in another region, reports to the same address.
            self._accounts[standby.api].secrets += (standby.webhook_secret,)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        intake = self._accounts.get(scope["path"].removeprefix(PREFIX))
        if intake is None:
            await _say(404, _error("This site does not mail through that API."), send)
        elif scope["method"] != "POST":
            await _say(405, _error("Reports come by POST."), send, [(b"allow", b"POST")])
        else:
            await intake.answer(scope, receive, send)

    def admitting(self, path: str, headers: Mapping[str, str], length: int) -> Intake | None:
        """What takes in a POST of so many octets to that path with these headers; None for what is answered at once."""
        intake = self._accounts.get(path.removeprefix(PREFIX))
        return intake if intake is not None and intake.admits(headers, length) else None


class Intake:
    """The reports of one account. `setting` is where its secret is said."""

    def __init__(self, site: Site, account: MailAccount, setting: str, clock: Callable[[], datetime]) -> None:
        self._site, self._account, self._setting, self._clock = site, account, setting, clock
        self.secrets: tuple[str, ...] = (account.webhook_secret,)
        """Of the account, and of another one of the same mail API if there is one."""
        self._webhook: Webhook | None = None
        self._pending: list[Waiting] = []
        self._writing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="webhooks")

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        try:
            webhook = self._open()
        except NotFound as error:
            await _say(404, _error(error.message), send)
            return
        except MailAPIError as error:
            await _say(503, _error(f"{self._setting}: {error.message}"), send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            webhook.admit(headers)
        except Refused as error:
            await _say(401, _error(error.message), send)
            return
        said = headers.get("content-length", "")
        too_large = said.isdecimal() and int(said) > webhook.largest_body
        body = None if too_large else await _body(receive, webhook.largest_body)
        if body is None:
            await _say(413, _error("The body is too large."), send)
            return
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def answered(answer: Answer | Exception) -> None:
            if future.done():  # by a server that leaves
                return
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)

        self.put(Arrival(body, headers), answered)
        await _say(*await future, send)

    def admits(self, headers: Mapping[str, str], length: int) -> bool:
        """Whether a request with these headers, of so many octets, is taken in."""
        try:
            webhook = self._open()
            webhook.admit(headers)
        except (NotFound, MailAPIError, Refused):
            return False
        return length <= webhook.largest_body

    def put(self, arrival: Arrival, answered: Answered) -> None:
        """Takes in a request that is admitted. `answered` is called from the event loop, by and by."""
        self._pending.append(Waiting(arrival, answered))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    def _open(self) -> Webhook:
        if self._webhook is None:
            if not any(self.secrets):
                raise MailAPIError("It is not set, so that reports cannot be told from forged ones.")
            several = [open_webhook(self._account.api, each) for each in dict.fromkeys(self.secrets) if each]
            self._webhook = several[0] if len(several) == 1 else AnyOf(several)
        return self._webhook

    async def _write(self) -> None:
        """Writes what has come, and what comes meanwhile, until nothing more has."""
        try:
            while self._pending:
                await self._gather()
                count = size = 0
                while count < min(len(self._pending), AT_ONCE) and size < ENOUGH:
                    size += len(self._pending[count].arrival.body)
                    count += 1
                together, self._pending = self._pending[:count], self._pending[count:]
                await self._answer_all(together)
        finally:
            self._writing = None

    async def _gather(self) -> None:
        """Lets what is on its way come in first: those who were answered just now tell the next at once, and what is
        written together costs little more than one alone. Over as soon as a turn of the loop brings nothing."""
        known = 0
        while known < len(self._pending) < AT_ONCE:
            known = len(self._pending)
            await asyncio.sleep(0)

    async def _answer_all(self, together: Sequence[Waiting]) -> None:
        arrivals = [each.arrival for each in together]
        try:
            answers = await asyncio.get_running_loop().run_in_executor(self._thread, self._take, arrivals)
        except Exception as error:
            # One that nobody thought of keeps back no other.
            for each in together if len(together) > 1 else ():
                await self._answer_all([each])
            if len(together) == 1:
                together[0].answered(error)
            return
        for each, answer in zip(together, answers, strict=True):
            each.answered(answer)

    def _take(self, arrivals: Sequence[Arrival]) -> list[Answer]:
        """Reads and writes them, in the thread that does nothing else."""
        now = self._clock()
        answers: dict[int, Answer] = {}
        proven: dict[int, Request] = {}
        webhook = self._open()
        for place, arrival in enumerate(arrivals):
            try:
                proven[place] = Request(webhook.take(arrival, now), arrival.body)
            except Refused as error:
                answers[place] = 401, _error(error.message)
            except BadInput as error:
                answers[place] = 400, _error(error.message)
            except MailAPIError as error:
                answers[place] = 503, _error(error.message)
        answers |= self._keep(proven, now)
        return [answers[place] for place in range(len(arrivals))]

    def _keep(self, proven: dict[int, Request], now: datetime) -> dict[int, Answer]:
        whole = sheet_of(self._account.api).all_or_nothing
        try:
            recorded = record_requests(self._site.database, list(proven.values()), all_or_nothing=whole, now=now)
        except StorageError as error:
            if len(proven) == 1:
                return dict.fromkeys(proven, (503, _error(error.message)))
            # One that cannot be kept keeps back no other.
            one_by_one = (self._keep({place: request}, now) for place, request in proven.items())
            return {place: answer for each in one_by_one for place, answer in each.items()}
        return {place: _kept(results) for place, results in zip(proven, recorded, strict=True)}


def _kept(results: Sequence[Recorded] | None) -> Answer:
    if results is None:
        return 401, _error("The token of this request came with another one before.")
    return 200, b'{"results": ["%b"]}' % '", "'.join(results).encode() if results else b'{"results": []}'


async def _body(receive: Receive, longest: int) -> bytes | None:
    """The body as it came (signatures are over these very bytes), None when it is too long."""
    parts: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        part: bytes = message.get("body", b"")
        parts.append(part)
        length += len(part)
        if length > longest:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


def _error(message: str) -> bytes:
    return json.dumps({"error": {"message": message}}).encode()


def headers_of(status: int, length: int) -> list[tuple[bytes, bytes]]:
    """The headers of an answer of so many octets."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % length)]
    return [*headers, _ASK] if status == 401 else headers


async def _say(status: int, said: bytes, send: Send, more: Sequence[tuple[bytes, bytes]] = ()) -> None:
    headers = [*headers_of(status, len(said)), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": said})
