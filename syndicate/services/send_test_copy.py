"""Send an issue to editors only, as a test: marked, with an inert unsubscribe, and outside the books."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from syndicate.core.address import normalise
from syndicate.core.issue import BEFORE_FREEZING
from syndicate.core.newsletter import Newsletter
from syndicate.core.rate import Rate
from syndicate.core.token import TokenSigner
from syndicate.errors import MailAPIError, Refused
from syndicate.mail.base import MailAPI
from syndicate.rendering.email import RenderedVariant, render_digest
from syndicate.rendering.issue import House, digest_of
from syndicate.rendering.personalise import Envelope, Recipient, copies, personalise, recipients
from syndicate.storage.audit import record
from syndicate.storage.compositions import composed_articles
from syndicate.storage.database import Database
from syndicate.storage.issues import get_issue, get_variants
from syndicate.storage.rate_limits import take
from syndicate.storage.transactional import queue_mail, test_key

PER_USER = Rate(20, timedelta(seconds=30))
"""Of test mails that are asked for in the console, a request."""
_OF_THE_LANE = {"message-id", "date", "auto-submitted"}
"""What whoever posts the mail writes itself."""


def send_test(
    database: Database,
    issue_id: int,
    newsletter: Newsletter,
    house: House,
    mail_api: MailAPI,
    *,
    to: Sequence[str],
    signer: TokenSigner,
    instance: str,
    key: str,
    now: datetime,
    actor: str,
) -> list[str]:
    """Sends the issue as sealed to these addresses at once; returns those that the mail API took.

    Raises Refused without a recipient or a sealed content, and when that would not be the mail of an issue under way;
    MailAPIError with the reason when the API did not take them.
    """
    variant, envelope, people = _test_of(database, issue_id, newsletter, house, to, signer, instance, now)
    messages = copies(variant, envelope, recipients(people))
    size = mail_api.sheet.recipients_per_request
    taken: list[str] = []
    for start in range(0, len(messages), size):
        part = messages[start : start + size]
        answer = mail_api.post(mail_api.build(part), key=f"{key}.{start}", count=len(part))
        if answer.verdict != "accepted":
            raise MailAPIError(f"The test was not taken by the mail API: {answer.why}.", cure="Nobody else was mailed.")
        left_out = answer.refused.keys() | answer.not_taken
        taken += [message.to_email for place, message in enumerate(part) if place not in left_out]
    with database.write() as connection:
        record(connection, at=now, actor=actor, action="issue.test", subject=str(issue_id), detail={"to": len(taken)})
    return taken


def queue_test(
    database: Database,
    issue_id: int,
    newsletter: Newsletter,
    house: House,
    *,
    to: Sequence[str],
    signer: TokenSigner,
    instance: str,
    request: str,
    now: datetime,
    actor: str,
) -> list[str]:
    """Queues the same mails for the worker that posts what single persons wait for; returns the addresses, none when
    this `request` (16 characters at most) was queued before. Raises Refused like `send_test`, and when one user asks
    too often."""
    mails = list(personalise(*_test_of(database, issue_id, newsletter, house, to, signer, instance, now)))
    with database.write() as connection:
        wait = take(connection, f"test {actor}", PER_USER, now)
        if not wait:
            queued = [
                queue_mail(
                    connection,
                    kind="test",
                    request_key=test_key(issue_id, request, place),
                    to_email=mail.to_email,
                    subject=mail.subject,
                    html=mail.html,
                    text=mail.text,
                    headers=[each for each in mail.headers if each[0].lower() not in _OF_THE_LANE],
                    now=now,
                )
                for place, mail in enumerate(mails)
            ]
            if any(queued):
                detail: dict[str, object] = {"to": len(mails)}
                record(connection, at=now, actor=actor, action="issue.test", subject=str(issue_id), detail=detail)
    if wait:
        raise Refused("These are many tests.", cure=f"Wait {max(1, round(wait.total_seconds()))} seconds.")
    return [mail.to_email for mail in mails] if any(queued) else []


def _test_of(
    database: Database,
    issue_id: int,
    newsletter: Newsletter,
    house: House,
    to: Sequence[str],
    signer: TokenSigner,
    instance: str,
    now: datetime,
) -> tuple[RenderedVariant, Envelope, list[Recipient]]:
    if not to:
        raise Refused("There is nobody to send a test to.", cure="Set test_to in [mail], or name addresses by --to.")
    with database.read() as connection:
        issue = get_issue(connection, issue_id)
        articles = [(article, composed.role) for article, composed in composed_articles(connection, issue_id)]
        sealed = get_variants(connection, issue_id, issue.revision).get("")
    if not articles:
        raise Refused(f"Issue {issue_id} has no content yet.", cure="Draft it first.")
    day = issue.sealed_at or now
    digest = digest_of(issue, newsletter, house.publication, house.sender, articles, day=day, test=True)
    if issue.state not in BEFORE_FREEZING and sealed is not None:
        # Nothing can be changed by it any more: it is worth something only as the very mail that goes out.
        anew = render_digest(house.environment, replace(digest, test=False))
        if (anew.subject, anew.html, anew.text) != (sealed.subject, sealed.html, sealed.text):
            raise Refused(
                f"An article or a template was changed since issue {issue_id} was sealed: a test would not be the "
                "mail that goes out.",
                cure="The mail on the page of the issue is.",
            )
    envelope = Envelope(
        publication=house.publication,
        sender=house.sender,
        newsletter=newsletter,
        issue_id=issue.id,
        instance=instance,
        date=now,
        signer=signer,
        test=True,
    )
    recipients = [Recipient(place, 0, normalise(address).email, "") for place, address in enumerate(to, start=1)]
    return render_digest(house.environment, digest), envelope, recipients
