"""Amazon SNS: signed by Amazon for our own topic, and led astray by nothing that a request says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from syndicate.errors import BadInput, MailAPIError, Refused
from syndicate.http import Failure, Reply
from syndicate.mail.events import sns
from syndicate.mail.events.base import Arrival, Report
from syndicate.mail.events.ses import AmazonSESWebhook
from tests.mail.events.amazon import BASE, CERTIFICATE, ENDS, TOPIC, certificate, envelope, sign

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
MESSAGE = json.dumps({"eventType": "Send", "mail": {"messageId": "m1"}})
OTHER_REGION = "https://sns.us-east-1.amazonaws.com"


class Amazon:
    """Answers what it is asked, and remembers that."""

    def __init__(self, answer: Reply | Failure | None = None) -> None:
        self.asked: list[str] = []
        self.answer = answer

    def get(self, url: str) -> Reply | Failure:
        self.asked.append(url)
        return self.answer or Reply(200, {}, certificate())


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """No certificate is known yet."""
    monkeypatch.setattr(sns, "CERTIFICATES", sns.Certificates())


def take(body: bytes, amazon: Amazon | None = None, now: datetime = NOW) -> Report:
    return AmazonSESWebhook(TOPIC, amazon or Amazon()).take(Arrival(body, {}), now)


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", ["Amazon SES", None])
def test_both_versions_of_the_signature_are_read(version: str, subject: str | None) -> None:
    (event,) = take(sign(envelope(MESSAGE, NOW, SignatureVersion=version, Subject=subject))).events
    assert event.vendor_id == "m1"


def test_the_certificate_is_fetched_once() -> None:
    amazon = Amazon()
    for number in range(3):
        take(sign(envelope(MESSAGE, NOW, MessageId=f"{number}")), amazon)
    assert amazon.asked == [CERTIFICATE]


@pytest.mark.parametrize("name", ["Message", "MessageId", "Subject", "Timestamp", "Type", "Signature"])
def test_no_word_of_it_can_be_changed(name: str) -> None:
    told = json.loads(sign(envelope(MESSAGE, NOW)))
    for value in ("2026-11-20T09:29:59.000Z", "AAAA", ""):
        with pytest.raises(Refused):
            take(json.dumps({**told, name: value}).encode())


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
        f"{BASE}.evil.example/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
        f"{BASE}@evil.example/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
        f"{BASE}:444/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
        f"{BASE}/elsewhere/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
        f"{CERTIFICATE}?x=y",
        f"{CERTIFICATE}#x",
        f"{CERTIFICATE}\n",
        CERTIFICATE.replace("https", "http"),
        CERTIFICATE.replace(BASE, OTHER_REGION),
        CERTIFICATE.replace("sns.eu-west-1", "sns-eu-west-1.s3"),
        "http://127.0.0.1/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
        "",
        None,
    ],
)
def test_a_certificate_from_anywhere_else_is_not_even_asked_for(url: str | None) -> None:
    amazon = Amazon()
    with pytest.raises(Refused, match="certificate"):
        take(sign(envelope(MESSAGE, NOW, SigningCertURL=url)), amazon)
    assert amazon.asked == []


@pytest.mark.parametrize(
    "topic", [TOPIC.replace("syndicate", "other"), TOPIC.replace("123456789012", "210987654321"), ""]
)
def test_another_topic_is_refused_though_amazon_signed_for_it(topic: str) -> None:
    amazon = Amazon()
    with pytest.raises(Refused, match="topic"):
        take(sign(envelope(MESSAGE, NOW, TopicArn=topic)), amazon)
    assert amazon.asked == []


@pytest.mark.parametrize(
    "pem", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"], ids=len
)
def test_a_certificate_that_is_none_is_refused(pem: bytes) -> None:
    with pytest.raises(Refused, match="certificate"):
        take(sign(envelope(MESSAGE, NOW)), Amazon(Reply(200, {}, pem)))


@pytest.mark.parametrize("answer", [Failure(False, "not reached"), Reply(503, {}, b""), Reply(302, {}, b"")])
def test_when_the_certificate_cannot_be_had_amazon_is_asked_to_come_again(answer: Reply | Failure) -> None:
    with pytest.raises(MailAPIError):
        take(sign(envelope(MESSAGE, NOW)), Amazon(answer))


def test_an_expired_certificate_proves_nothing() -> None:
    later = ENDS + timedelta(seconds=1)
    with pytest.raises(Refused, match="expired"):
        take(sign(envelope(MESSAGE, later)), now=later)


@pytest.mark.parametrize("hours", [-1, 25])
def test_an_old_one_is_refused(hours: int) -> None:
    body = sign(envelope(MESSAGE, NOW))
    with pytest.raises(Refused, match="old"):
        take(body, now=NOW + timedelta(hours=hours))


def test_a_subscription_to_our_topic_is_confirmed_at_amazon_and_nowhere_else() -> None:
    amazon = Amazon()
    told = envelope("You have chosen to subscribe", NOW, Type="SubscriptionConfirmation", Token="2336412f&x=y")
    told["SubscribeURL"] = "https://evil.example/?Action=ConfirmSubscription"
    assert take(sign(told), amazon).events == ()
    assert amazon.asked == [
        CERTIFICATE,
        f"{BASE}/?Action=ConfirmSubscription"
        "&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A123456789012%3Asyndicate&Token=2336412f%26x%3Dy",
    ]


def test_a_subscription_that_nobody_expects_is_not_confirmed() -> None:
    amazon = Amazon()
    told = envelope("x", NOW, Type="SubscriptionConfirmation", Token="2336412f", SubscribeURL=f"{BASE}/")
    forged = json.loads(sign(told))
    for change in ({"Token": "another"}, {"TopicArn": TOPIC + "x"}):
        with pytest.raises(Refused):
            take(json.dumps({**forged, **change}).encode(), amazon)
    with pytest.raises(BadInput):
        take(sign({**told, "Token": ""}), amazon)
    assert set(amazon.asked) <= {CERTIFICATE}


def test_the_end_of_a_subscription_and_the_first_word_of_a_topic_are_no_events() -> None:
    ended = envelope("You have chosen to deactivate", NOW, Type="UnsubscribeConfirmation", Token="t", SubscribeURL=BASE)
    assert take(sign(ended)).events == ()
    hello = "Successfully validated SNS topic for Amazon SES event publishing."
    assert take(sign(envelope(hello, NOW))).events == ()
    with pytest.raises(BadInput):
        take(sign(envelope("anything else", NOW)))


def test_raw_delivery_is_refused_with_what_to_do() -> None:
    with pytest.raises(Refused) as refused:
        take(MESSAGE.encode())
    assert "raw message delivery" in refused.value.cure


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sqs:eu-west-1:123456789012:x",
        "arn:aws:sns:evil.example/:123456789012:x",
        "arn:aws:sns:s3:123456789012:x",
        "arn:aws:sns:eu-west-1:1:x",
        f"{TOPIC}\n",
    ],
)
def test_what_is_no_topic_is_said_at_once(arn: str) -> None:
    with pytest.raises(MailAPIError):
        AmazonSESWebhook(arn)
    assert AmazonSESWebhook("arn:aws-cn:sns:cn-north-1:123456789012:x")


@pytest.mark.parametrize("kind", ["Bounce", "Complaint"])
def test_it_is_about_whom_the_mail_was_for_and_not_about_whom_it_was_passed_on_to(kind: str) -> None:
    inner = {
        "Bounce": {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": "a.b@inside.example.net"}]},
        "Complaint": {"complainedRecipients": [{"emailAddress": "a.b@inside.example.net"}]},
    }[kind]
    mail = {"messageId": "m1", "destination": ["Ann Bell <ann@example.org>"]}
    message = json.dumps({"eventType": kind, "mail": mail, kind.lower(): inner})
    (event,) = take(sign(envelope(message, NOW))).events
    assert event.addresses == ("Ann Bell <ann@example.org>",)
