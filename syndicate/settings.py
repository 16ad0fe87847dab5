"""`syndicate.toml` and the environment, as core objects. Every mistake is reported at once, with its place.

An environment variable `SYNDICATE_MAIL__API_KEY` stands before `[mail] api_key` in the file, and
`SYNDICATE_MAIL__API_KEY_FILE` names a file that holds the value (as container platforms hand secrets over).

Plain pydantic does the checking. pydantic-settings knows neither lines in the file nor `…_FILE`, and would double the
time that this module takes to load.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syndicate.core.alert import AlertChannels
from syndicate.core.allowance import Limits, WarmUp
from syndicate.core.feed import SITE_FEED, Feed
from syndicate.core.first_wave import FirstWave, StopAt
from syndicate.core.mail_account import SANDBOX, MailAccount
from syndicate.core.newsletter import Newsletter
from syndicate.core.publication import Publication, Sender
from syndicate.core.retention import Keep
from syndicate.core.selection import Selection
from syndicate.core.standby import StandbyRule
from syndicate.errors import SettingsError
from syndicate.settings_places import key_lines, line_of

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from syndicate.settings_shape import LimitsTable, MailTable, SettingsTable, SourceTable, StandbyTable

FILE_NAME = "syndicate.toml"
PREFIX = "SYNDICATE_"
LARGEST_BYTES = 1_000_000
ONE_PER_SITE = ("site", "web", "database", "mail", "standby", "publish", "alerts", "keep")
SECRETS = {("mail", "api_key"), ("mail", "webhook_secret"), ("standby", "api_key"), ("standby", "webhook_secret")}
HUSHED = SECRETS | {("database", "url"), ("mail", "proxy")}
"""Values that a message never repeats."""
LATER_KINDS = ("wordpress", "ghost", "sitemap")
OF_FEEDS = ("url", "allow_private")
"""Keys that mean something only to a source of kind `feed`."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the file and the environment say. Retired definitions stand in `retired` alone; `renamed` maps a name to
    the one it had before, both by kind: "sources", "feeds" or "newsletters"."""

    publication: Publication
    sender: Sender
    mail: MailAccount
    standby: MailAccount | None
    """What posts while `mail` takes nothing."""
    standby_rule: StandbyRule
    listen: tuple[str, int]
    """Host and port of the built-in web server."""
    database_url: str = field(repr=False)
    feeds_folder: Path
    sources: tuple[SourceTable, ...]
    feeds: tuple[Feed, ...]
    newsletters: tuple[Newsletter, ...]
    retired: Mapping[str, frozenset[str]]
    renamed: Mapping[str, Mapping[str, str]]
    alerts: AlertChannels
    keep: Keep


def read_settings(
    directory: Path, environ: Mapping[str, str], *, kinds: Collection[str], apis: Collection[str]
) -> Settings:
    """The settings of the site in that folder. `kinds` and `apis` are the sources and mail APIs that exist.

    Raises SettingsError with every mistake at once."""
    text = _text(directory / FILE_NAME)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{FILE_NAME} is not valid TOML: {error}.", cure="Mend that line and try again.") from None
    except RecursionError:
        raise SettingsError(f"{FILE_NAME} is nested too deeply.") from None
    check = _Check(raw, key_lines(text))
    check.merge(environ)
    table = check.shape()
    check.definitions(kinds)
    check.mail_api(apis)
    check.certificates(directory)
    if check.mistakes or table is None:
        count = len(check.mistakes)
        raise SettingsError(
            f"{FILE_NAME} has {'a mistake' if count == 1 else f'{count} mistakes'}:", mistakes=check.mistakes
        )
    return _settings(table, directory)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise SettingsError(f"{path} is larger than {LARGEST_BYTES:,} bytes: that is not a settings file.")
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise SettingsError(
            f"There is no {FILE_NAME} in {path.parent}.",
            cure="Go to the site's folder, or name it with --site DIR; 'syndicate init DIR' makes a new one.",
        ) from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 (byte {error.start}).", cure="Save it as UTF-8.") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None


class _Check:
    """Collects mistakes over the raw tables."""

    def __init__(self, raw: dict[str, Any], lines: dict[tuple[str | int, ...], int]) -> None:
        self.raw = raw
        self.lines = lines
        self.from_environment: dict[tuple[str, str], str] = {}
        self._found: list[tuple[int, str]] = []

    @property
    def mistakes(self) -> list[str]:
        """What is wrong, in the order of the file; the environment's mistakes come last."""
        return [sentence for _, sentence in sorted(self._found, key=lambda each: each[0])]

    def place(self, path: Sequence[str | int]) -> str:
        """`syndicate.toml:12: [mail] from`, or the environment variable the value came from."""
        variable = self.from_environment.get((str(path[0]), str(path[1]))) if len(path) > 1 else None
        if variable:
            return variable
        line = line_of(path, self.lines)
        return f"{FILE_NAME}{f':{line}' if line else ''}: {self._named(path)}"

    def _named(self, path: Sequence[str | int]) -> str:
        if len(path) > 1 and isinstance(path[1], int):
            table, rest = f"[[{path[0]}]]", path[2:]
            tables = self.raw.get(str(path[0]))
            name = (
                tables[path[1]].get("name") if isinstance(tables, list) and isinstance(tables[path[1]], dict) else None
            )
            if name is not None and rest != ("name",):
                table = f"{table} {name}:"
        else:
            table, rest = f"[{path[0]}]", path[1:]
        inner = ""
        for part in rest:
            inner += f"[{part}]" if isinstance(part, int) else f".{part}"
        return f"{table} {inner.lstrip('.')}".strip().rstrip(":")

    def add(self, path: Sequence[str | int], sentence: str) -> None:
        """One mistake."""
        place = self.place(path)
        line = line_of(path, self.lines) if place.startswith(FILE_NAME) else None
        self._found.append(
            (line or LARGEST_BYTES, f"{place}: {sentence if sentence.endswith('?') else sentence.rstrip('.') + '.'}")
        )

    def _add_variable(self, variable: str, sentence: str) -> None:
        self._found.append((LARGEST_BYTES, f"{variable}: {sentence}."))

    def merge(self, environ: Mapping[str, str]) -> None:
        """Puts the environment's values over the file's; a secret in the file itself is a mistake."""
        for section, key in sorted(SECRETS):
            table = self.raw.get(section)
            if isinstance(table, dict) and key in table:
                del table[key]
                variable = f"{PREFIX}{section}__{key}".upper()
                self.add(
                    (section, key), f"a secret does not belong in this file; put it into {variable} or {variable}_FILE"
                )
        mail = self.raw.get("mail")
        if isinstance(mail, dict) and "@" in str(mail.get("proxy", "")):
            del mail["proxy"]
            self.add(
                ("mail", "proxy"),
                f"a password does not belong in this file; put the address into {PREFIX}MAIL__PROXY or"
                f" {PREFIX}MAIL__PROXY_FILE",
            )
        for variable, value in sorted(environ.items()):
            section, separator, key = variable.removeprefix(PREFIX).lower().partition("__")
            if not variable.startswith(PREFIX) or not separator:
                continue
            if key.endswith("_file"):
                key = key.removesuffix("_file")
                try:
                    value = Path(value).read_text("utf-8").strip()
                except (OSError, UnicodeDecodeError) as error:
                    why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
                    self._add_variable(variable, f"the file it names cannot be read: {why}")
                    continue
            if section not in ONE_PER_SITE:
                self._add_variable(variable, f"no table is called [{section}]; known: {', '.join(ONE_PER_SITE)}")
                continue
            table = self.raw.setdefault(section, {})
            if isinstance(table, dict):
                table[key] = value
                self.from_environment[(section, key)] = variable

    def shape(self) -> SettingsTable | None:
        """The checked tables, or None."""
        from pydantic import ValidationError

        from syndicate.settings_shape import SettingsTable

        try:
            return SettingsTable.model_validate(self.raw)
        except ValidationError as error:
            self._report(error)
            return None

    def _report(self, error: ValidationError) -> None:
        from syndicate.settings_shape import Within

        for detail in error.errors(include_url=False):
            path = detail["loc"]
            fields = _fields_around(path)
            if detail["type"] == "extra_forbidden":
                noun = "key" if len(path) > 1 else "table"
                self.add(path, f"unknown {noun}{_near(str(path[-1]), fields)}")
            elif detail["type"] == "missing":
                self.add(path, f"is missing; {_expected(fields, path)}")
            elif isinstance(cause := detail.get("ctx", {}).get("error"), Within):
                for below, why in cause.mistakes:
                    self.add((*path, *below), why)
            else:
                self.add(path, _expected(fields, path) + _why(detail, path))

    def definitions(self, kinds: Collection[str]) -> None:
        """Names that clash, and what only makes sense together."""
        from syndicate.settings_shape import RESERVED_FEED_NAMES

        for section in ("sources", "feeds", "newsletters"):
            seen: dict[str, tuple[str, int]] = {}
            tables = self.raw.get(section)
            for position, table in enumerate(tables if isinstance(tables, list) else []):
                if not isinstance(table, dict):
                    continue
                path = (section, position)
                for key in ("name", "was"):
                    name = table.get(key)
                    if isinstance(name, str) and name in seen:
                        line = line_of((*seen[name], "name"), self.lines)
                        self.add((*path, key), f"two {section} are called {name!r} (the other is in line {line})")
                    elif isinstance(name, str):
                        seen[name] = path
                if section == "feeds" and table.get("name") in RESERVED_FEED_NAMES:
                    self.add(
                        (*path, "name"), f"{table['name']!r} is taken by the site's own pages; choose another name"
                    )
                if section == "sources":
                    self._source(table, path, kinds)
                if section == "newsletters":
                    low, high = table.get("min_articles", 1), table.get("max_articles", 12)
                    if isinstance(low, int) and isinstance(high, int) and low > high:
                        self.add((*path, "min_articles"), f"{low} is more than max_articles, which is {high}")

    def _source(self, table: Mapping[str, Any], path: tuple[str, int], kinds: Collection[str]) -> None:
        kind = table.get("kind", "folder")
        if isinstance(kind, str) and kind not in kinds:
            later = "is not yet known to this version" if kind in LATER_KINDS else "is no kind of source"
            self.add((*path, "kind"), f"{kind!r} {later}{_near(kind, kinds)}")
        if kind == "folder" and not table.get("path"):
            self.add((*path, "path"), "is missing; expected a folder, relative to syndicate.toml")
        if kind == "feed" and not table.get("url"):
            self.add((*path, "url"), "is missing; expected the address of a feed")
        if kind == "feed" and table.get("path"):
            self.add((*path, "path"), "is for a folder; the address of a feed is its `url`")
        if kind == "push" and table.get("path"):
            self.add((*path, "path"), "is for a folder; articles are pushed to this source")
        for key in OF_FEEDS:
            if kind in ("folder", "push") and key in table:
                self.add((*path, key), 'is for a source of kind = "feed"')

    def mail_api(self, apis: Collection[str]) -> None:
        """The mail API has to be one that exists."""
        table = self.raw.get("mail")
        api = table.get("api", "sandbox") if isinstance(table, dict) else "sandbox"
        if isinstance(api, str) and api not in apis:
            self.add(("mail", "api"), f"{api!r} is no mail API{_near(api, apis)}")
        standby = self.raw.get("standby")
        other = standby.get("api") if isinstance(standby, dict) else None
        able = [each for each in apis if each != SANDBOX]
        if isinstance(other, str) and other not in able:
            self.add(("standby", "api"), f"{other!r} is no mail API that can stand in{_near(other, able)}")

    def certificates(self, directory: Path) -> None:
        """A file that is named has to be there, or every request would fail."""
        table = self.raw.get("mail")
        name = table.get("certificates") if isinstance(table, dict) else None
        if name and isinstance(name, str) and not _beside(directory, name).is_file():
            self.add(("mail", "certificates"), f"there is no file {name!r}")


def _beside(directory: Path, name: str) -> Path:
    return (directory / Path(name).expanduser()).resolve()


def _why(detail: ErrorDetails, path: Sequence[str | int]) -> str:
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, ValueError):
        return f"; {cause}" if str(cause) else ""
    if tuple(path) in HUSHED:
        return ""
    found = repr(detail["input"])
    return f"; found {found if len(found) <= 80 else found[:77] + '…'}"


def _expected(fields: Mapping[str, str], path: Sequence[str | int]) -> str:
    known = next((fields[str(part)] for part in reversed(path) if str(part) in fields), "")
    return f"expected {known or 'a table'}"


def _fields_around(path: Sequence[str | int]) -> dict[str, str]:
    """The keys known at the place of the last key of `path`, with what is expected of each."""
    from typing import get_args

    from pydantic import BaseModel

    from syndicate.settings_shape import SettingsTable

    model: type[BaseModel] = SettingsTable
    for part in path[:-1]:
        if isinstance(part, int):
            continue
        named = {(each.alias or key): each for key, each in model.model_fields.items()}
        if part not in named:
            break
        kinds = [named[part].annotation, *get_args(named[part].annotation)]
        inner = [each for each in kinds if isinstance(each, type) and issubclass(each, BaseModel)]
        if not inner:
            break
        model = inner[0]
    return {(each.alias or key): each.description or "" for key, each in model.model_fields.items()}


def _near(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, list(known), 1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known))}"


def _settings(table: SettingsTable, directory: Path) -> Settings:
    site, mail = table.site, table.mail
    publication = Publication(site.title, site.url, site.language, site.timezone, table.web.url, site.description)
    name, email = mail.sender
    sections: dict[str, Sequence[Any]] = {
        "sources": table.sources,
        "feeds": table.feeds,
        "newsletters": table.newsletters,
    }
    return Settings(
        publication=publication,
        sender=Sender(
            from_name=name or site.title,
            from_email=email,
            reply_to=mail.reply_to or "",
            legal_name=mail.legal_name,
            postal_address=mail.postal_address,
            privacy_url=mail.privacy_url,
            test_to=tuple(mail.test_to),
        ),
        mail=MailAccount(
            mail.api,
            mail.url or "",
            mail.api_key.get_secret_value(),
            mail.deadline_seconds,
            mail.concurrency,
            mail.webhook_secret.get_secret_value(),
            mail.stream,
            mail.region,
            mail.domain,
            mail.activity,
            sandbox_seconds=mail.sandbox_seconds,
            limits=_limits(mail.limits),
            **_way(mail, directory),
        ),
        standby=_standby(table.standby, mail, directory) if table.standby else None,
        standby_rule=_standby_rule(table.standby),
        listen=table.web.listen,
        database_url=_absolute_database(table.database.url, directory),
        feeds_folder=(directory / Path(table.publish.folder).expanduser()).resolve(),
        sources=tuple(each for each in table.sources if not each.retired),
        feeds=(
            _site_feed(publication),
            *(
                Feed(
                    name=each.name,
                    title=each.title or f"{site.title}: {_spoken(each.name)}",
                    selection=Selection(each.where),
                    limit=each.limit,
                    content=each.content,
                    language=each.language or site.language,
                    description=each.description,
                )
                for each in table.feeds
                if not each.retired
            ),
        ),
        newsletters=tuple(
            Newsletter(
                name=each.name,
                title=each.title or _spoken(each.name),
                language=each.language or site.language,
                timezone=each.timezone or site.timezone,
                selection=Selection(each.where),
                cadences=each.cadences,
                min_articles=each.min_articles,
                max_articles=each.max_articles,
                approval=each.approval,
                draft_at_minutes=each.draft_at,
                if_not_approved=each.if_not_approved,
                when_uncertain=each.when_uncertain,
                template=each.template,
                description=each.description,
                quiet=each.quiet,
                first_wave=FirstWave(each.first_wave, timedelta(seconds=each.look)) if each.first_wave else None,
                stop_at=StopAt(each.stop_at.refused, each.stop_at.bounced, each.stop_at.complained),
            )
            for each in table.newsletters
            if not each.retired
        ),
        retired={key: frozenset(each.name for each in tables if each.retired) for key, tables in sections.items()},
        renamed={key: {each.name: each.was for each in tables if each.was} for key, tables in sections.items()},
        alerts=AlertChannels(
            email=tuple(table.alerts.email),
            webhook=table.alerts.webhook or "",
            heartbeat_url=table.alerts.heartbeat_url or "",
            allow_private=table.alerts.allow_private,
        ),
        keep=Keep(**table.keep.model_dump()),
    )


def _limits(table: LimitsTable) -> Limits:
    warm_up = WarmUp(table.warm_up.since, tuple(table.warm_up.days)) if table.warm_up else None
    return Limits(tuple(table.requests), tuple(table.recipients), table.domains, warm_up)


def _way(mail: MailTable, directory: Path) -> dict[str, Any]:
    """Through what both mail APIs are reached."""
    return {
        "proxy": mail.proxy.get_secret_value() if mail.proxy else "",
        "certificates": str(_beside(directory, mail.certificates)) if mail.certificates else "",
    }


def _standby(table: StandbyTable, mail: MailTable, directory: Path) -> MailAccount:
    return MailAccount(
        table.api,
        table.url or "",
        table.api_key.get_secret_value(),
        mail.deadline_seconds,
        webhook_secret=table.webhook_secret.get_secret_value(),
        stream=table.stream,
        region=table.region,
        domain=table.domain,
        activity=table.activity,
        **_way(mail, directory),
    )


def _standby_rule(table: StandbyTable | None) -> StandbyRule:
    if table is None:
        return StandbyRule()
    return StandbyRule(timedelta(seconds=table.after), timedelta(seconds=table.lasts))


def _site_feed(publication: Publication) -> Feed:
    return Feed(SITE_FEED, publication.title, language=publication.language, description=publication.description)


def _spoken(name: str) -> str:
    text = name.replace("-", " ")
    return text[:1].upper() + text[1:]


def _absolute_database(url: str, directory: Path) -> str:
    if not url.startswith("sqlite:///"):
        return url
    return f"sqlite:///{(directory / url.removeprefix('sqlite:///')).resolve()}"
