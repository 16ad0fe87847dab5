"""What every mail API must keep, over real sockets: each kind of answer, and never more than one acceptance a post."""

from __future__ import annotations

import html as html_lib
import re
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.copies import Addressee, Copies, Letter, Wording
from syndicate.core.message import Answer, Message
from syndicate.core.placeholders import NAME, PREFERENCES, UNSUBSCRIBE
from syndicate.errors import BadInput, MailAPIError
from syndicate.mail import ADAPTERS, open_mail_api, sheet_of
from syndicate.mail.base import Connection, MailAPI
from syndicate.mail.live import Live
from tests.mail.answering import told
from tests.mail.samples import message
from tests.mail_api_server import DIALECTS, KINDS, MailApiServer, Plan, doubled, read_journal
from tests.mail_api_server.dialects import Taken

SECRET = "re_key:the-secret-itself"

ACCEPTED = {"delay"}
NOT_ACCEPTED = {"unauthorized", "invalid"}
LIMITS = {"rate_limited", "quota"}
WITHOUT_LIMITS = {"mailpit"}
"""APIs that document no 429: there it proves nothing."""

SURELY_NOT = {"smtp": {"drop_before_body", "server_error"}}
"""Faults after which more is certain than over HTTP: nothing was taken before the dot that ends a mail, nor under any
reply that begins with 4 or 5."""

OWN_MESSAGE_IDS = {"brevo", "mailgun", "mailjet", "ses", "sparkpost"}
"""APIs that let nobody else write the Message-ID of a single mail."""

WITH_SUBJECT = {"brevo", "sendgrid", "sparkpost"}
"""APIs that take no mail without one."""

INVISIBLE = "\u2060"
"""What keeps a text apart that an API would read as a place for a value."""

BY_STATUS = [*range(400, 432), 451, *range(500, 509)]
"""Those that HTTP knows, and vendors besides."""

KILLS = {kind for kind in KINDS if kind.startswith("kill")}

apis = pytest.mark.parametrize("name", sorted(ADAPTERS))
http_apis = pytest.mark.parametrize("name", sorted(ADAPTERS.keys() - {"smtp"}))
Opened = Callable[..., tuple[MailAPI, MailApiServer]]


def at(name: str, url: str) -> str:
    """The address as this API's would be."""
    return url.replace("http", "smtp", 1) if name == "smtp" else url


def connection(url: str, api_key: str = SECRET, seconds: float = 30.0) -> Connection:
    return Connection(url, api_key, seconds, domain="post.example", activity=True)


@pytest.fixture
def opened(tmp_path: Path, request: pytest.FixtureRequest) -> Opened:
    def open_one(
        name: str, *faults: str, seconds: float = 5.0, api_key: str = "", refuse: str = ""
    ) -> tuple[MailAPI, MailApiServer]:
        server = MailApiServer(
            name, tmp_path / "journal", plan=Plan.parse(faults), api_key=api_key, refuse=[refuse] if refuse else []
        )
        server.__enter__()
        request.addfinalizer(lambda: server.__exit__(None, None, None))
        return open_mail_api(name, connection(server.url, SECRET, seconds)), server

    return open_one


def post(api: MailAPI, *messages: Message, key: str = "key") -> Answer:
    chosen = messages or (message(),)
    return api.post(api.build(chosen), key=key, count=len(chosen))


@apis
def test_a_readable_success_is_accepted_with_the_vendors_ids(name: str, opened: Opened) -> None:
    api, server = opened(name)
    answer = post(api)
    assert answer.verdict == "accepted"
    assert answer.refused == {}
    (taken,) = read_journal(server.journal)
    assert answer.vendor_ids == (taken.id,)
    assert taken.to == "reader1@example.org"
    if name not in OWN_MESSAGE_IDS:
        assert taken.message_id == "<1.a1b2@news.post.example>"


@apis
@pytest.mark.parametrize("kind", sorted(KINDS.keys() - KILLS - {"drip", "delay_before_accept"}))
def test_each_fault_gets_the_verdict_that_is_certain(name: str, kind: str, opened: Opened) -> None:
    api, server = opened(name, f"1:{kind}=0.02" if kind == "delay" else f"1:{kind}")
    answer = post(api)
    certain = NOT_ACCEPTED if name in WITHOUT_LIMITS else NOT_ACCEPTED | LIMITS
    certain |= SURELY_NOT.get(name, set())
    expected = "accepted" if kind in ACCEPTED else "not_accepted" if kind in certain else "uncertain"
    if (name, kind) == ("smtp", "drop_mid_body"):
        # It is a race whether the dot that ends the mail had left.
        expected = answer.verdict if answer.verdict != "accepted" else expected
    assert answer.verdict == expected, answer
    assert answer.why
    taken = read_journal(server.journal)
    assert len(taken) <= 1
    assert len(server.seen) <= 1, "a post was sent more than once"
    if answer.verdict == "accepted":
        assert len(taken) == 1
    if answer.verdict == "not_accepted":
        assert taken == []


@apis
@pytest.mark.parametrize("kind", ["drip=0.2", "delay=60", "delay_before_accept=60"])
def test_the_deadline_ends_a_request_that_is_then_uncertain(name: str, kind: str, opened: Opened) -> None:
    api, _ = opened(name, f"1:{kind}", seconds=0.4)
    for _ in range(20):
        began = time.monotonic()
        answer = post(api)
        assert time.monotonic() - began < 20
        if answer.verdict != "not_accepted":
            break
        # A machine that was too busy for anything to leave it: the fault has not been met.
    assert answer.verdict == "uncertain"
    assert "0.4 s" in answer.why


@apis
def test_after_any_fault_the_next_post_is_served(name: str, opened: Opened) -> None:
    api, server = opened(name)
    for number, kind in enumerate(sorted(KINDS.keys() - KILLS - {"drip", "delay_before_accept", "delay"})):
        server.plan = Plan(chances={kind: 1.0})
        post(api, message(2 * number), key=f"a{number}")
        server.plan = Plan()
        assert post(api, message(2 * number + 1), key=f"b{number}").verdict == "accepted", kind


@apis
def test_nobody_listening_is_surely_not_accepted(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    answer = post(open_mail_api(name, connection(at(name, f"http://127.0.0.1:{port}"))))
    assert answer.verdict == "not_accepted"
    assert not answer.permanent
    assert not answer.stops


@apis
def test_a_refused_key_stops_everything(name: str, opened: Opened) -> None:
    api, _ = opened(name, "1:unauthorized")
    answer = post(api)
    assert (answer.verdict, answer.stops, answer.permanent) == ("not_accepted", True, False)
    assert "SYNDICATE_MAIL__API_KEY" in cure_of(answer) or name == "ses"


def cure_of(answer: Answer) -> str:
    """What to do, which stands before what the API said."""
    found = re.fullmatch(r"([A-Z]\w+.*?) \([^()]*?\b[45]\d\d\b.*\)", answer.why)
    assert found, answer.why
    assert re.search("SYNDICATE_MAIL__API_KEY|\\[mail\\]|[Ll]ook|[Aa]sk|[Vv]erify", found[1]), answer.why
    return found[1]


@http_apis
def test_whatever_stops_everything_says_what_to_do(name: str) -> None:
    for status in (401, 402, 403, 404, 405):
        for body in (b"", b"{}", b"Forbidden"):
            answer = told(name, status, body, api_key=SECRET)
            if answer.stops:
                cure_of(answer)
            else:
                assert (answer.verdict, status) == ("uncertain", 402)


@http_apis
def test_what_is_surely_not_accepted_stands_in_the_sheet(name: str) -> None:
    """Each status that says so by itself; of those that need a code beside them it says that, too."""
    in_sheet = {int(status) for status in re.findall(r"\b[45]\d\d\b", sheet_of(name).surely_not)}
    by_status = {status for status in BY_STATUS if told(name, status, b"", api_key=SECRET).verdict == "not_accepted"}
    assert by_status <= in_sheet, "certain by its status, but not in the sheet"
    for status in in_sheet - by_status:
        assert told(name, status, b"{}", api_key=SECRET).verdict == "uncertain"
        assert re.search(rf"\b{status}\b[^;]* with ", sheet_of(name).surely_not), "not certain by its status alone"


@apis
def test_the_sheet_names_its_source(name: str) -> None:
    certain, _, source = sheet_of(name).surely_not.partition(" Source: ")
    assert len(certain) > 40
    assert len(source) > 20
    assert source.endswith(".")


@http_apis
def test_an_address_that_is_not_the_apis_stops_everything(name: str, opened: Opened) -> None:
    other = "mailpit" if name == "resend" else "resend"
    _, server = opened(other)
    answer = post(open_mail_api(name, connection(server.url)))
    assert (answer.verdict, answer.stops) == ("not_accepted", True)
    assert cure_of(answer)


@apis
def test_a_request_that_can_never_succeed_is_permanent(name: str, opened: Opened) -> None:
    api, server = opened(name, refuse="reader1@example.org")
    answer = post(api)
    assert (answer.verdict, answer.permanent, answer.stops) == ("not_accepted", True, False)
    assert read_journal(server.journal) == []


@apis
def test_a_request_that_is_too_large_is_permanent(name: str, tmp_path: Path) -> None:
    with MailApiServer(name, tmp_path / "journal", max_body=100) as server:
        answer = post(open_mail_api(name, connection(server.url)))
    assert (answer.verdict, answer.permanent) == ("not_accepted", True)


@apis
def test_the_same_messages_give_the_same_bytes(name: str, opened: Opened) -> None:
    api, _ = opened(name)
    again = open_mail_api(name, connection(at(name, "http://127.0.0.1:9"), "another:key"))
    assert api.build([message()]) == api.build([message()]) == again.build([message()])
    assert api.build([message()]) != api.build([message(2)])


@apis
def test_the_secret_is_nowhere_to_be_read(name: str, opened: Opened) -> None:
    api, _ = opened(name, api_key="another")
    answer = post(api)
    assert "the-secret-itself" not in f"{answer} {api!r} {api.account} {api.url} {Connection('', SECRET)!r}"


@apis
def test_the_account_is_told_apart_by_address(name: str) -> None:
    first, second = (open_mail_api(name, connection(at(name, f"http://127.0.0.1:{port}"))) for port in (9, 10))
    again = open_mail_api(name, connection(at(name, "http://127.0.0.1:9"), SECRET, 1.0))
    assert first.account == again.account != second.account
    assert len(first.account) < 40


@apis
@pytest.mark.parametrize(
    "url",
    [
        "http://mail.example.com",
        "https://192.168.1.2",
        "http://10.0.0.1:8025",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com:8025",
        "http://[::2]:8025",
        "http://0.0.0.0:8025",
    ],
)
def test_an_address_that_is_not_this_machine_is_behind_a_shut_gate(name: str, url: str) -> None:
    api = open_mail_api(name, connection(at(name, url)))
    assert isinstance(api, Live)
    assert api.post(b"[]", key="k", count=1).verdict == "not_accepted"


@apis
@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1@mail.example.com",
        "http://127.0.0.1\\@mail.example.com",
        "http://127.0.0.1#@mail.example.com",
        "ftp://127.0.0.1",
        "127.0.0.1:8025",
        "http://127.0.0.1/path",
        "http://127.0.0.1:80\r\nX: y",
    ],
)
def test_what_is_no_plain_address_is_refused_with_a_cure(name: str, url: str) -> None:
    with pytest.raises(MailAPIError) as refused:
        open_mail_api(name, connection(at(name, url)))
    assert refused.value.cure


@apis
@pytest.mark.parametrize("url", ["http://127.0.0.1:8025", "http://127.9.9.9", "http://[::1]:1", "http://localhost:25/"])
def test_an_address_of_this_machine_is_taken(name: str, url: str) -> None:
    api = open_mail_api(name, connection(at(name, url)))
    assert api.url.startswith((at(name, url.rstrip("/") + "/"), at(name, url + ":")))


def test_an_unknown_api_is_named_with_the_known_ones() -> None:
    with pytest.raises(MailAPIError, match="'pigeon'") as refused:
        open_mail_api("pigeon", Connection())
    assert refused.value.cure == f"Known: {', '.join(sorted(ADAPTERS))}."


@apis
@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "Hello\r\nBcc: spy@example.org"},
        {"subject": "Hello\nthere"},
        {"subject": "Half of a pair \ud83d"},
        {"html": "<p>\udfff</p>"},
        {"text": "\ud800"},
        {"from_name": "News\r\nBcc: spy@example.org"},
        {"to_name": "Ann\nB"},
        {"to_email": "ann@example.org, bob@example.org"},
        {"to_email": "ann@example.org\r\nBcc: spy@example.org"},
        {"to_email": "Ann <ann@example.org>"},
        {"to_email": "no address"},
        {"from_email": ""},
        {"reply_to": "desk@post.example\r\nX: y"},
        {"reply_to": "nobody"},
        {"headers": (("X-A", "b\r\nBcc: spy@example.org"),)},
        {"headers": (("X-A", "é"),)},
        {"headers": (("X A", "b"),)},
        {"headers": (("X-A\r\nX-B", "b"),)},
        {"headers": (("X-A", "b"), ("x-a", "c"))},
        {"headers": (("Bcc", "spy@example.org"),)},
        {"headers": (("subject", "another"),)},
        {"headers": (("Content-Type", "text/plain"),)},
    ],
    ids=lambda changes: ascii(changes)[:60],
)
def test_what_the_api_cannot_express_is_refused_before_anything_is_sent(
    name: str, changes: dict[str, Any], opened: Opened
) -> None:
    api, server = opened(name)
    with pytest.raises(BadInput) as refused:
        api.build([message(**changes)])
    assert refused.value.cure
    assert server.seen == []


@apis
def test_more_messages_than_a_request_holds_are_refused(name: str, opened: Opened) -> None:
    api, _ = opened(name)
    for count in (0, api.sheet.recipients_per_request + 1):
        with pytest.raises(BadInput):
            api.build([message(number) for number in range(count)])


@apis
@given(line=st.text(max_size=40), body=st.text(max_size=200))
def test_whatever_text_it_is_either_refused_or_read_by_the_vendor(name: str, line: str, body: str) -> None:
    api = open_mail_api(name, connection(at(name, "http://127.0.0.1:9")))
    try:
        request = api.build([message(subject=line, to_name=line, html=body or "-", text=body)])
    except BadInput:
        if name in WITH_SUBJECT and not line:
            return
        assert any(not (each.isprintable() or each.isspace()) or ord(each) < 32 for each in line + body) or any(
            each in "\x7f\x85\u2028\u2029" or "\ud800" <= each <= "\udfff" for each in line + body
        )
        return
    (taken,) = DIALECTS[name]().read(request)
    assert (taken.to, taken.subject.replace(INVISIBLE, "")) == ("reader1@example.org", line.replace(INVISIBLE, ""))


HOSTILE = (
    "%recipient.leave% %recipient.name% %recipient% %recipient_email% %unsubscribe_url% %tag_unsubscribe_url% "
    "-name- -leaving- {{name}} {{params.name}} {{{ data.name }}} [[data:name]] [%name%] {{var:name}} <%name%> "
    "#name# *|NAME|* $name ${name} %name% %%name%% 100%recipient.name% %recipient.%recipient.name%% 5% off"
)
"""Every vendor's own syntax, as an article may quote it."""


def letter(name: str) -> Copies:
    """A letter whose text quotes every vendor's syntax, to readers whose names do, with places beside it."""
    places = f"{HOSTILE} {NAME}% {UNSUBSCRIBE} %{NAME}% 5%off{NAME} {PREFERENCES}"
    in_html = escape(HOSTILE)
    html = f'<p title="{in_html}">{in_html} {NAME}%</p>'
    html += f'<a href="{UNSUBSCRIBE}">%{NAME}5%off{NAME}</a><a href="{PREFERENCES}">x</a>'
    leave_at, choose_at = "https://news.post.example/u/", "https://news.post.example/p/"
    whole = Letter(
        "The Harbour Post %unsubscribe_url%",
        "news@post.example",
        "Desk %recipient.name% <desk@post.example>",
        Wording.of(f"{HOSTILE[:60]} for {NAME}", leave_at, choose_at),
        Wording.of(html, leave_at, choose_at),
        Wording.of(places, leave_at, choose_at),
        (
            ("List-Unsubscribe", Wording([f"<{leave_at}", ">"], ["leaving"])),
            ("List-Unsubscribe-Post", Wording(["List-Unsubscribe=One-Click"])),
            ("List-Id", Wording(["100 % Morning <morning.news.post.example>"])),
        ),
    )
    people = [Addressee(f"reader{n}@example.org", f"{name} {n}", f"a-{n}", f"b_{n}", str(n)) for n in (1, 2, 3)]
    return Copies(whole, people, "<{}@news.post.example>".format)


def as_read(mail: Taken | Message, *, html: bool = False) -> str:
    """What a person sees of it."""
    words = html_lib.unescape(mail.html) if html else f"{mail.subject}\n{mail.text}"
    return words.replace(INVISIBLE, "")


@apis
@pytest.mark.parametrize("name_given", ["Zoë <b>, reader", HOSTILE[:180], "%", "", "-", "{{", "%recipient.leave%"])
def test_each_reader_gets_their_own_values_and_no_others(name: str, name_given: str, opened: Opened) -> None:
    api, _ = opened(name)
    copies = letter(name_given)
    size = min(len(copies), api.sheet.recipients_per_request)
    requests = [api.build(copies[start : start + size]) for start in range(0, len(copies), size)]
    got = [one for request in requests for one in DIALECTS[name]().read(request)]
    assert [one.to for one in got] == [person.email for person in copies.people]
    for one, wanted, person in zip(got, copies, copies.people, strict=True):
        assert as_read(one) == as_read(wanted)
        assert as_read(one, html=True) == as_read(wanted, html=True)
        assert one.headers["list-unsubscribe"] == f"<https://news.post.example/u/{person.leaving}>"
        assert one.headers["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
        assert f'href="https://news.post.example/u/{person.leaving}"' in one.html
        others = {each.leaving for each in copies.people} - {person.leaving}
        assert not any(other in str(one) for other in others)


@apis
def test_a_letter_to_many_gives_the_same_bytes_as_often_as_it_is_built(name: str, opened: Opened) -> None:
    api, _ = opened(name)
    count = min(3, api.sheet.recipients_per_request)
    again = open_mail_api(name, connection(at(name, "http://127.0.0.1:9")))
    assert api.build(letter("Zoë")[:count]) == api.build(letter("Zoë")[:count]) == again.build(letter("Zoë")[:count])


@apis
@pytest.mark.parametrize("fault", ["drop_after_accept", "gateway_timeout", "drop_after_body", "server_error"])
def test_the_record_shows_what_was_taken_without_an_answer_and_nothing_else(
    name: str, fault: str, opened: Opened
) -> None:
    api, _ = opened(name, f"1:{fault}", seconds=60.0)
    if not api.sheet.lookup:
        assert api.lookup([message().message_id], key="one") is None
        return
    assert post(api, key="one").verdict == "uncertain"
    assert post(api, message(2), key="two").verdict == "accepted"
    taken = [message(2).message_id]
    wait_for(lambda: api.lookup(taken, key="two") == frozenset(taken))
    shown = [message().message_id] if fault in ("drop_after_accept", "gateway_timeout") else []
    assert api.lookup([message().message_id], key="one") == frozenset(shown)


@apis
def test_an_empty_record_proves_nothing(name: str, opened: Opened) -> None:
    api, _ = opened(name)
    # Mailpit is for rehearsals, and searches by the Message-ID itself.
    assert api.lookup([message().message_id], key="one") == (frozenset() if name == "mailpit" else None)


def wait_for(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


@apis
def test_many_threads_post_at_once_and_each_is_accepted_once(name: str, opened: Opened) -> None:
    api, server = opened(name)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda number: post(api, message(number), key=f"key{number}"), range(64)))
    assert {answer.verdict for answer in answers} == {"accepted"}
    taken = read_journal(server.journal)
    assert {one.to for one in taken} == {f"reader{number}@example.org" for number in range(64)}
    assert doubled(taken) == {}
