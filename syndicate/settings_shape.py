"""The shape of `syndicate.toml`: every key, what is expected of it, and what it is when it is not said.

A field's description completes the sentence "expected …", which is what a person reads after a mistake.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from syndicate.core.allowance import Allowance, parse_allowance
from syndicate.core.first_wave import parse_share
from syndicate.core.line import line_fault
from syndicate.core.newsletter import Cadence
from syndicate.core.quiet import QuietHours, parse_quiet
from syndicate.core.schedule import parse_cadence, parse_every, parse_lead, parse_span
from syndicate.core.selection import mistakes

RESERVED_FEED_NAMES = ("articles", "archive", "index")
"""Folders and files of the site's own beside the feeds."""

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")  # RFC 5646 §2.1, without grandfathered tags


def _line(text: str) -> str:
    text = text.strip()
    if not text:
        raise ValueError("it is empty")
    if fault := line_fault(text):
        raise ValueError(f"it holds {fault}")
    return text


def _name(text: str) -> str:
    if not _NAME.match(text) or len(text) > 80:
        raise ValueError(f"found {text!r}")
    return text


def _language(text: str) -> str:
    if not _LANGUAGE.match(text):
        raise ValueError(f"found {text!r}")
    return text


def _timezone(text: str) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        from difflib import get_close_matches

        near = get_close_matches(text, available_timezones(), 1)
        raise ValueError(f"found {text!r}" + (f"; did you mean {near[0]!r}?" if near else "")) from None
    return text


def _web_address(text: str) -> str:
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or line_fault(text) or " " in text:
        raise ValueError(f"found {text!r}")
    if "@" in parts.netloc:
        raise ValueError("it must not carry a user name or a password")
    return text


def _base_address(text: str) -> str:
    text = _web_address(text)
    parts = urlsplit(text)
    if parts.query or parts.fragment:
        raise ValueError(f"it must end before any '?' or '#', found {text!r}")
    return text.rstrip("/")


def _mail_address(text: str) -> str:
    """As `_base_address`; `smtp` and `smtps` are ways to a mail API too."""
    scheme, colon, rest = text.partition("://")
    if scheme not in ("smtp", "smtps"):
        return _base_address(text)
    _base_address(f"https://{rest}")
    return f"{scheme}{colon}{rest}".rstrip("/")


def _proxy(value: SecretStr) -> SecretStr:
    """It may hold a password: nothing of it is repeated."""
    try:
        parts = urlsplit(value.get_secret_value())
        fits = parts.scheme == "http" and bool(parts.hostname) and parts.port != 0 and parts.path in ("", "/")
    except ValueError:
        fits = False
    if not fits or parts.query or parts.fragment or line_fault(value.get_secret_value()) or " " in parts.netloc:
        raise ValueError
    return value


def _email(text: str) -> str:
    from syndicate.core.address import normalise

    return normalise(text).email


def _named_email(text: str) -> tuple[str, str]:
    from syndicate.core.address import named

    return named(_line(text))


def _database(text: str) -> str:
    # The value may hold a password: it is never repeated.
    if not text.startswith(("sqlite:///", "postgresql://")):
        raise ValueError("")
    return text


class Within(ValueError):
    """Mistakes inside one value: each is the place below the value's key, and a sentence."""

    def __init__(self, mistakes: list[tuple[tuple[str | int, ...], str]]) -> None:
        super().__init__("mistakes within")
        self.mistakes = mistakes


def _cadences(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError(f"found {value!r}")
    found: dict[str, Cadence] = {}
    wrong: list[tuple[tuple[str | int, ...], str]] = []
    for name, text in value.items():
        if not _NAME.match(name) or len(name) > 80:
            wrong.append(((name,), f"expected a name of a-z, 0-9 and -, found {name!r}"))
        try:
            found[name] = parse_cadence(name, text if isinstance(text, str) else repr(text))
        except ValueError as error:
            wrong.append(((name,), str(error)))
    if wrong:
        raise Within(wrong)
    return found


def _where(value: Any) -> Any:
    found = [sentence.partition(": ") for sentence in mistakes(value, "where")]
    if found:
        raise Within([(tuple(re.findall(r"[^.\[\]]+", place))[1:], why) for place, _, why in found])
    return value


def _listen(value: Any) -> Any:
    host, colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"found {value!r}")
    return host, int(port)


def _every(value: Any) -> Any:
    return parse_every(value if isinstance(value, str) else repr(value))


def _span(value: Any) -> Any:
    return parse_span(value if isinstance(value, str) else repr(value))


def _allowance(value: Any) -> Any:
    return parse_allowance(value if isinstance(value, str) else repr(value))


def _allowances(value: Any) -> Any:
    return [_allowance(each) for each in (value if isinstance(value, list) else [value])]


def _share(value: Any) -> Any:
    return parse_share(value if isinstance(value, str) else repr(value))


def _quiet(value: Any) -> Any:
    return parse_quiet(value if isinstance(value, str) else repr(value))


def _domain(text: str) -> str:
    from syndicate.core.address import normalise

    return normalise(f"anybody@{text}").address.rpartition("@")[2]


def _lead(value: Any) -> Any:
    return parse_lead(value if isinstance(value, str) else repr(value))


def _split(value: Any) -> Any:
    """An environment variable has no lists: commas stand between the values."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Allowances = Annotated[list[Any], BeforeValidator(_allowances)]
Share = Annotated[float, BeforeValidator(_share)]
Domain = Annotated[str, AfterValidator(_domain)]
Line = Annotated[str, AfterValidator(_line)]
Name = Annotated[str, AfterValidator(_name), Field(description='a name of a-z, 0-9 and -, such as "morning"')]
Language = Annotated[str, AfterValidator(_language), Field(description='a language tag such as "en" or "fr-CA"')]
Timezone = Annotated[str, AfterValidator(_timezone), Field(description='an IANA time zone such as "Europe/Lisbon"')]
WebAddress = Annotated[
    str, AfterValidator(_web_address), Field(description='a web address such as "https://post.example/privacy"')
]
BaseAddress = Annotated[
    str, AfterValidator(_base_address), Field(description='a web address such as "https://post.example"')
]
MailAddress = Annotated[
    str,
    AfterValidator(_mail_address),
    Field(description="the address that takes the place of the vendor's own; for SMTP the server's, smtps://HOST"),
]
LanguageIfSaid = Annotated[Language | None, Field(description='a language tag such as "en" or "fr-CA"')]
Email = Annotated[str, AfterValidator(_email), Field(description='an e-mail address such as "desk@post.example"')]
Emails = Annotated[list[Email], BeforeValidator(_split), Field(description="a list of e-mail addresses")]
Where = Annotated[dict[str, Any], BeforeValidator(_where), Field(description='a table such as { section = "world" }')]


class Table(BaseModel):
    """One table: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True)


class SiteTable(Table):
    """The publication."""

    title: Line = Field(description="the publication's name")
    url: BaseAddress
    language: Language = "en"
    timezone: Timezone = "UTC"
    description: str = Field("", description="a sentence about the publication")


class WebTable(Table):
    """Where Syndicate itself is reached."""

    url: BaseAddress
    listen: Annotated[tuple[str, int], BeforeValidator(_listen)] = Field(
        ("127.0.0.1", 8000), description='where the built-in web server listens, such as "127.0.0.1:8000"'
    )


class DatabaseTable(Table):
    """Where everything is kept that must not be lost."""

    url: Annotated[str, AfterValidator(_database)] = Field(
        "sqlite:///syndicate.db", description='"sqlite:///FILE" or "postgresql://USER@HOST/NAME"', repr=False
    )


class WarmUpTable(Table):
    """The first days of an account that nobody knows yet."""

    since: date = Field(description="a date such as 2027-01-15")
    days: list[Annotated[int, Field(ge=1)]] = Field(
        min_length=1, max_length=366, description="how many recipients on each day, such as [200, 500, 1000, 2000]"
    )


class LimitsTable(Table):
    """What a mail API, or a receiving domain, may be sent."""

    requests: Allowances = Field(default_factory=list, description='such as "5/s", or a list of them')
    recipients: Allowances = Field(default_factory=list, description='such as "50000/day", or a list of them')
    domains: dict[Domain, Annotated[Allowance, BeforeValidator(_allowance)]] = Field(
        default_factory=dict, description='a table such as { "gmail.com" = "2000/h" }'
    )
    warm_up: WarmUpTable | None = Field(
        None, description="a table such as { since = 2027-01-15, days = [200, 500, 1000, 2000] }"
    )


class MailTable(Table):
    """The mail API and the sender."""

    api: str = Field("sandbox", description="the name of a mail API")
    url: MailAddress | None = None
    api_key: SecretStr = Field(SecretStr(""), description="the mail API's key")
    webhook_secret: SecretStr = Field(SecretStr(""), description="the secret that the mail API signs its webhooks with")
    stream: Line = Field("", description="the name of a message stream at Postmark")
    region: Line = Field("", description='where the account is: a region of Amazon such as "eu-west-1", else "eu"')
    domain: Line = Field("", description="the sending domain at Mailgun, if not that of `from`")
    activity: bool = Field(False, description="true or false: whether SendGrid's Email Activity may be asked")
    proxy: Annotated[SecretStr, AfterValidator(_proxy)] | None = Field(
        None, description='the address of an HTTP proxy such as "http://proxy.post.example:3128"'
    )
    certificates: Line = Field("", description="a file of certificates to trust, relative to syndicate.toml")
    deadline_seconds: float = Field(30.0, ge=1, le=300, description="1 to 300 seconds for one request")
    sandbox_seconds: float = Field(0.0, ge=0, le=10, description="0 to 10 seconds until the sandbox answers")
    concurrency: int = Field(4, ge=1, le=64, description="1 to 64 requests under way at once for an issue")
    sender: Annotated[
        tuple[str, str], BeforeValidator(lambda value: _named_email(value) if isinstance(value, str) else value)
    ] = Field(alias="from", description='a name and an address such as "The Harbour Post <news@post.example>"')
    reply_to: Email | None = Field(None, description='an e-mail address such as "desk@post.example"')
    legal_name: Line = Field(description="the name of the firm or person who sends, as the law asks")
    postal_address: Line = Field(description="the sender's postal address, as the law asks")
    privacy_url: WebAddress
    test_to: Emails = Field(default_factory=list)
    limits: LimitsTable = Field(default_factory=lambda: LimitsTable.model_validate({}))


class StandbyTable(Table):
    """A second mail API, which posts while the first takes nothing."""

    api: str = Field(description="the name of a mail API")
    url: MailAddress | None = None
    api_key: SecretStr = Field(SecretStr(""), description="the mail API's key")
    webhook_secret: SecretStr = Field(SecretStr(""), description="the secret that the mail API signs its webhooks with")
    stream: Line = Field("", description="the name of a message stream at Postmark")
    region: Line = Field("", description='where the account is: a region of Amazon such as "eu-west-1", else "eu"')
    domain: Line = Field("", description="the sending domain at Mailgun, if not that of `from`")
    activity: bool = Field(False, description="true or false: whether SendGrid's Email Activity may be asked")
    after: Annotated[int, BeforeValidator(_every)] = Field(120, description='a time from "10s" to "7d" such as "2m"')
    lasts: Annotated[int, BeforeValidator(_every)] = Field(3600, description='a time from "10s" to "7d" such as "1h"')


class PublishTable(Table):
    """Where feeds go."""

    folder: Line = Field("feeds", description="a folder, relative to syndicate.toml")


class AlertsTable(Table):
    """Who is told when something that should have happened did not."""

    email: Emails = Field(default_factory=list)
    webhook: WebAddress | None = Field(None, description="a web address")
    heartbeat_url: WebAddress | None = Field(None, description="a web address")
    allow_private: bool = Field(False, description="true or false")


class KeepTable(Table):
    """How long personal data is kept."""

    unconfirmed_days: int = Field(7, ge=1, le=365, description="1 to 365 days for sign-ups never confirmed")
    mails_days: int = Field(30, ge=7, le=365, description="7 to 365 days for confirmations, previews and alerts")
    events_days: int = Field(90, ge=1, le=3650, description="1 to 3650 days for the mail API's raw events")
    ledger_months: int = Field(13, ge=1, le=120, description="1 to 120 months for who was sent what")


class DefinitionTable(Table):
    """What has a stable name: `retired` keeps its rows but stops it, `was` is the name it had before."""

    name: Name
    retired: bool = Field(False, description="true or false")
    was: Name | None = Field(None, description="the name it had before")


class Defaults(Table):
    """What fills in for an article that does not say it."""

    section: str = Field("", description='a section such as "world"')
    language: LanguageIfSaid = None
    authors: Annotated[list[str], BeforeValidator(_split)] = Field(default_factory=list, description="a list of names")
    tags: Annotated[list[str], BeforeValidator(_split)] = Field(default_factory=list, description="a list of tags")


class TripwireTable(Table):
    """When too much looks new at once at one source."""

    at_least: int = Field(20, ge=0, le=100_000, description="a number of articles; 0 never holds any")
    times: int = Field(5, ge=1, le=1_000, description="how many times the usual number")
    old: int = Field(5, ge=0, le=100_000, description="a number of articles that are old by their date")


class SourceTable(DefinitionTable):
    """Where articles come from."""

    kind: str = Field("folder", description="the kind of a source")
    path: str = Field("", description="a folder, relative to syndicate.toml")
    url: WebAddress | None = Field(None, description='the address of a feed such as "https://wire.example/feed.xml"')
    every: Annotated[int | None, BeforeValidator(_every)] = Field(
        None, description='a time from "10s" to "7d" such as "15m"'
    )
    allow_private: bool = Field(False, description="true or false")
    quiet_after: Annotated[int | None, BeforeValidator(_span)] = Field(
        None, description='a time from "1h" to "366d" such as "3d"'
    )
    tripwire: TripwireTable = Field(
        default_factory=lambda: TripwireTable.model_validate({}),
        description="a table such as { at_least = 20, times = 5, old = 5 }",
    )
    rights: Literal["ours", "theirs"] | None = Field(None, description='"ours" or "theirs"')
    defaults: Defaults = Field(default_factory=lambda: Defaults.model_validate({}))
    options: dict[str, Any] = Field(default_factory=dict, description="a table of the kind's own keys")


class FeedTable(DefinitionTable):
    """A selection of articles published in several formats."""

    title: Line | None = Field(None, description="the feed's title")
    where: Where = Field(default_factory=dict)
    limit: int = Field(50, ge=1, le=1000, description="a number of entries from 1 to 1000")
    content: Literal["full", "summary"] = Field("full", description='"full" or "summary"')
    language: LanguageIfSaid = None
    description: str = Field("", description="a sentence about the feed")


class StopAtTable(Table):
    """Shares of those mailed at which an issue stops by itself."""

    refused: Share = Field(0.1, description='a share such as "10%"')
    bounced: Share = Field(0.05, description='a share such as "5%"')
    complained: Share = Field(0.003, description='a share such as "0.3%"')


class NewsletterTable(DefinitionTable):
    """A standing digest."""

    title: Line | None = Field(None, description="the newsletter's title")
    description: str = Field("", description="a sentence about the newsletter")
    where: Where = Field(default_factory=dict)
    cadences: Annotated[dict[str, Any], BeforeValidator(_cadences)] = Field(
        default_factory=dict, description='a table such as { daily = "mon-fri 07:00", weekly = "sat 09:00" }'
    )
    language: LanguageIfSaid = None
    timezone: Timezone | None = Field(None, description='an IANA time zone such as "Europe/Lisbon"')
    min_articles: int = Field(1, ge=1, le=100, description="a number from 1 to 100")
    max_articles: int = Field(12, ge=1, le=100, description="a number from 1 to 100")
    approval: Literal["editor", "automatic"] = Field("editor", description='"editor" or "automatic"')
    draft_at: Annotated[int, BeforeValidator(_lead)] = Field(60, description='a time before the slot such as "-60m"')
    if_not_approved: Literal["hold", "skip", "send"] = Field("hold", description='"hold", "skip" or "send"')
    when_uncertain: Literal["ask", "resend"] = Field("ask", description='"ask" or "resend"')
    template: Name = Field("digest", description="the name of a folder in templates/email")
    quiet: Annotated[QuietHours | None, BeforeValidator(_quiet)] = Field(
        None, description='hours in which nothing leaves by the clock, such as "22:00-07:00"'
    )
    first_wave: Share | None = Field(None, description='a share of the readers such as "1%"')
    look: Annotated[int, BeforeValidator(_every)] = Field(900, description='a time from "10s" to "7d" such as "15m"')
    stop_at: StopAtTable = Field(
        default_factory=lambda: StopAtTable.model_validate({}),
        description='a table such as { refused = "10%", bounced = "5%", complained = "0.3%" }',
    )


class SettingsTable(Table):
    """The whole file."""

    site: SiteTable
    web: WebTable
    mail: MailTable
    standby: StandbyTable | None = Field(None, description='a table that begins with api = "…"')
    database: DatabaseTable = Field(default_factory=lambda: DatabaseTable.model_validate({}))
    publish: PublishTable = Field(default_factory=lambda: PublishTable.model_validate({}))
    alerts: AlertsTable = Field(default_factory=lambda: AlertsTable.model_validate({}))
    keep: KeepTable = Field(default_factory=lambda: KeepTable.model_validate({}))
    sources: list[SourceTable] = Field(default_factory=list)
    feeds: list[FeedTable] = Field(default_factory=list)
    newsletters: list[NewsletterTable] = Field(default_factory=list)
