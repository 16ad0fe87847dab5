"""`syndicate articles`: look at articles, hold and release them, include backlog, bring back what was left out, correct
and retract them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, get_args

import click

from syndicate.cli.article_names import find_articles
from syndicate.cli.frame import Frame, counted, site_command
from syndicate.core.article import Status
from syndicate.errors import Refused, Unfinished, UsageError

if TYPE_CHECKING:
    from syndicate.core.article import Article, Content
    from syndicate.core.effect import Action, Effects
    from syndicate.storage.source_items import Version


@click.group()
def articles() -> None:
    """Look at articles; hold, release, correct, retract them.

    ARTICLE is an id (urn:uuid:…), the start of one, or the path of its file.
    """


@articles.command("list")
@click.option("--section", help="Only this section's.")
@click.option("--status", type=click.Choice(get_args(Status)), help="Only these.")
@click.option("--source", help="Only this source's.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many, newest arrivals first.")
@site_command
def list_(frame: Frame, section: str | None, status: str | None, source: str | None, limit: int) -> None:
    """List articles, newest arrivals first."""
    from syndicate.storage.articles import paths, select_articles

    site = frame.site
    with site.database.read() as connection:
        found = select_articles(
            connection,
            section=section,
            status=status,
            source=source,
            limit=limit,
            web_url=site.publication.web_url,
        )
        places = paths(connection, [each.id for each in found])
    frame.rows(
        [_row(each, places.get(each.id, [])) for each in found],
        {
            "short_id": "id",
            "number": "no.",
            "status": "status",
            "section": "section",
            "published_at": "published",
            "title": "title",
            "path": "file",
        },
        empty="No articles. Put files into a source's folder, then: syndicate collect",
    )


@articles.command()
@click.argument("article")
@site_command
def show(frame: Frame, article: str) -> None:
    """Show everything about one article.

    Where it is, where it was mailed, and what was left out of it.
    """
    from syndicate.storage.feed_entries import feeds_of
    from syndicate.storage.mailed import issues_with
    from syndicate.storage.missed import missed_newsletters
    from syndicate.storage.revisions import list_revisions
    from syndicate.storage.source_items import versions

    site = frame.site
    with site.database.read() as connection:
        [found] = find_articles(site, connection, [article])
        places = versions(connection, found.id)
        value: dict[str, Any] = {
            **_row(found, [f"{each.source}/{each.key}" for each in places]),
            **_details(found),
            "feeds": feeds_of(connection, found.id),
            "newsletters": [each.name for each in site.newsletters if each.selection.takes(found)],
            "issues": issues_with(connection, found.id),
            "missed": missed_newsletters(connection, found, site.newsletters),
            "revisions": [asdict(each) for each in list_revisions(connection, found.id)],
            "warnings": [warning for each in places for warning in each.warnings],
            "problems": [each.problem for each in places if each.problem and not each.gone],
            "other_versions": [_other(each, found.content) for each in places if each.carried is not None],
        }
    if frame.as_json:
        frame.emit(value)
    else:
        _say_article(frame, found, value)


@articles.command()
@click.argument("names", nargs=-1, required=True, metavar="ARTICLE…")
@click.option("--because", default="", help="Why, for the log and for whoever wonders.")
@site_command
def hold(frame: Frame, names: tuple[str, ...], because: str) -> None:
    """Hold articles back.

    They leave the feeds and go into no issue until they are released. A published one loses its number; released again
    it gets a new one. An issue that has it goes back to draft, unless its sending has begun.
    """
    from syndicate.services.hold_article import hold_articles

    site, found = frame.site, _find(frame, names)
    effects = _effects(frame, found, "hold")
    taken_back = hold_articles(
        site.database,
        [each.id for each in found],
        because=because,
        actor=frame.actor,
        feeds=site.feeds,
        now=frame.now,
    )
    frame.emit([{"id": each.id, "status": "held", "taken_back": each.id in taken_back} for each in found])
    for each in found if not frame.as_json else ():
        frame.say(f"Held: {each.content.title}")
        _say_places(frame, effects[each.id])
    _say_issues(frame, found)
    if taken_back and not frame.as_json:
        frame.say("Next: syndicate publish takes what was published out of the feeds' files.")


@articles.command()
@click.argument("names", nargs=-1, required=True, metavar="ARTICLE…")
@click.option("--now", "before_its_time", is_flag=True, help="Also before its embargo or its date.")
@click.option("--retracted", is_flag=True, help="Also one that was retracted: publish it again.")
@site_command
def release(frame: Frame, names: tuple[str, ...], before_its_time: bool, retracted: bool) -> None:
    """Release held articles, with a new number.

    A mark in the file that held one (draft, TK) is overridden until the file changes. One with an embargo or a date to
    come waits for it unless --now is given. Backlog returns to the feeds without a number.
    """
    from syndicate.services.release_articles import release_articles

    site, found = frame.site, _find(frame, names)
    effects = _effects(frame, found, "release")
    standings = release_articles(
        site.database,
        [each.id for each in found],
        actor=frame.actor,
        feeds=site.feeds,
        now=frame.now,
        before_its_time=before_its_time,
        retracted=retracted,
    )
    frame.emit(
        [
            {"id": each, "status": now.status, "number": now.number, "until": now.not_before}
            for each, now in standings.items()
        ]
    )
    for each in found if not frame.as_json else ():
        standing = standings[each.id]
        if standing.published:
            number = f" as number {standing.number}" if standing.number else " as backlog, without a number"
            frame.say(f"Released{number}: {each.content.title}")
            _say_places(frame, effects[each.id])
        else:
            frame.say(f"No longer held, waits until {standing.not_before:%Y-%m-%d %H:%M} UTC: {each.content.title}")


@articles.command()
@click.argument("names", nargs=-1, required=True, metavar="ARTICLE…")
@site_command
def include(frame: Frame, names: tuple[str, ...]) -> None:
    """Include backlog in the next issues.

    Numbers what a source held when it was first seen.
    """
    from syndicate.services.include_backlog import include_backlog

    site, found = frame.site, _find(frame, names)
    numbers = include_backlog(
        site.database, [each.id for each in found], actor=frame.actor, feeds=site.feeds, now=frame.now
    )
    frame.emit([{"id": article_id, "number": number} for article_id, number in numbers.items()])
    for each in found if not frame.as_json else ():
        frame.say(f"Included as number {numbers[each.id]}: {each.content.title}")


@articles.command()
@click.argument("article")
@site_command
def restore(frame: Frame, article: str) -> None:
    """Bring back lines that were left out of a saved page.

    Now, and after every later edit of its file.
    """
    from syndicate.services.restore_article import restore_article

    site, [found] = frame.site, _find(frame, [article])
    lines = restore_article(site.database, found.id, site.source, actor=frame.actor, feeds=site.feeds, now=frame.now)
    frame.emit({"id": found.id, "lines": lines})
    if not frame.as_json:
        frame.say(f"{lines} {'line is' if lines == 1 else 'lines are'} back in: {found.content.title}")


@articles.command()
@click.argument("article")
@click.option("--note", default="", help="What was corrected, for readers: its page shows it. Required.")
@click.option("--title", help="Another title, until the file itself gives another.")
@click.option("--summary", help="Another summary, until the file itself gives another.")
@click.option("--in-feeds", is_flag=True, help="Say what was corrected in feeds too.")
@site_command
def correct(
    frame: Frame, article: str, note: str, title: str | None, summary: str | None, in_feeds: bool
) -> None:
    """Correct a published article, and say so.

    Takes what its file says now. Feeds show it as updated. Issues with it that are not being sent go back to draft; one
    that is stops, and goes on with the correction once that is approved.
    """
    from syndicate.services.article_effects import article_effects
    from syndicate.services.correct_article import correct_article

    site, [found] = frame.site, _find(frame, [article])
    if not note.strip():
        raise UsageError("A correction says what was corrected.", cure="Add --note 'what was wrong, what is right'.")
    before = article_effects(site.database, found.id, "correct", feeds=site.feeds)
    if not _confirm(frame, before, f"Correct “{found.content.title}”?"):
        raise Refused("Nothing was corrected.")
    given = {"title": title, "summary": summary}
    effects = correct_article(
        site.database,
        found.id,
        site.source,
        note=note,
        changes={name: text for name, text in given.items() if text is not None},
        in_feeds=in_feeds,
        actor=frame.actor,
        feeds=site.feeds,
        now=frame.now,
    )
    _finish(frame, effects)


@articles.command()
@click.argument("article")
@click.option("--note", default="", help="Why, for readers: its page becomes a notice that says it.")
@site_command
def retract(frame: Frame, article: str, note: str) -> None:
    """Retract an article: take it back everywhere.

    It leaves feeds and archives at once, its page becomes a notice, issues with it go back to draft, and one that is
    being sent stops. It does not come back by itself: "syndicate articles release --retracted" publishes it again.
    """
    from syndicate.services.article_effects import article_effects
    from syndicate.services.retract_article import retract_article

    site, [found] = frame.site, _find(frame, [article])
    before = article_effects(site.database, found.id, "retract", feeds=site.feeds)
    if not _confirm(frame, before, f"Retract “{found.content.title}”?"):
        raise Refused("Nothing was retracted.")
    effects = retract_article(
        site.database, found.id, note=note, actor=frame.actor, feeds=site.feeds, now=frame.now
    )
    _finish(frame, effects)


def _confirm(frame: Frame, effects: Effects, question: str) -> bool:
    from syndicate.core.effect import sentences

    if not frame.yes:
        for line in sentences(effects, done=False):
            frame.say(line)
    return frame.confirm(question)


def _finish(frame: Frame, effects: Effects) -> None:
    """What follows at once: the stopped issues are composed anew and the files written; then what was done, place by
    place."""
    from syndicate.core.effect import as_rows, sentences
    from syndicate.web.finishing import finish

    if not frame.as_json:
        for line in sentences(effects, done=True):
            frame.say(line)
    done = finish(frame.site, actor=frame.actor, now=frame.now)
    frame.emit({**as_rows(effects), "files_changed": done.files, "problems": list(done.problems)})
    if not frame.as_json:
        frame.say(f"Published: {counted(done.files, 'file')} changed.")
        for issue_id in effects.revised:
            frame.say(
                f"Next: `syndicate issues preview {issue_id}`, `syndicate issues approve {issue_id}`,"
                f" `syndicate issues resume {issue_id}`."
            )
    for problem in done.problems:
        frame.warn(problem)
    if done.problems:
        raise Unfinished("Not all of it is done.", cure="The same command again finishes it.")


def _effects(frame: Frame, found: Sequence[Article], action: Action) -> dict[str, Effects]:
    """What that would do to each."""
    from syndicate.services.article_effects import article_effects

    site = frame.site
    return {
        each.id: article_effects(site.database, each.id, action, feeds=site.feeds, newsletters=site.newsletters)
        for each in found
    }


def _say_places(frame: Frame, effects: Effects) -> None:
    from syndicate.core.effect import sentences

    for line in sentences(effects, done=True):
        frame.say(f"  {line}")


def _say_issues(frame: Frame, held: Sequence[Article]) -> None:
    """What becomes of the issues that have one of the articles."""
    from syndicate.storage.mailed import issues_with

    with frame.site.database.read() as connection:
        found = {each["id"]: each["state"] for article in held for each in issues_with(connection, article.id)}
    for issue_id, state in sorted(found.items()):
        if state == "draft" and not frame.as_json:
            frame.say(f"Issue {issue_id} has it and is a draft again: `syndicate issues show {issue_id}`.")
        elif state in ("freezing", "sending", "paused"):
            stop = f"`syndicate issues {'cancel' if state == 'paused' else 'pause'} {issue_id}` stops it"
            frame.warn(f"Issue {issue_id} has it and is {state}: {stop}.")


def _find(frame: Frame, names: Sequence[str]) -> list[Article]:
    frame.site.sync(frame.now)
    with frame.site.database.read() as connection:
        return find_articles(frame.site, connection, names)


def _row(article: Article, places: Sequence[str]) -> dict[str, Any]:
    content = article.content
    return {
        "id": article.id,
        "short_id": article.id.removeprefix("urn:uuid:")[:8],
        "title": content.title,
        "status": article.status,
        "number": article.number,
        "backlog": article.backlog,
        "section": content.section,
        "language": content.language,
        "date": content.date,
        "published_at": article.published_at,
        "updated_at": article.updated_at,
        "arrived_at": article.arrived_at,
        "missing_since": article.missing_since,
        "hold_reason": article.hold_reason,
        "not_before": article.not_before,
        "retracted_at": article.retracted_at,
        "retraction": article.retraction,
        "source": article.source,
        "path": places[0] if places else "",
        "link": article.link,
    }


def _details(article: Article) -> dict[str, Any]:
    content = asdict(article.content)
    known = ("title", "section", "language", "date")
    return {
        "revision": article.revision,
        "own_page": article.own_page,
        "corrections": [asdict(each) for each in article.corrections],
        **{name: value for name, value in content.items() if name not in known},
    }


def _other(version: Version, shown: Content) -> dict[str, Any]:
    """The version that is not shown, and in which fields and lines it differs."""
    from difflib import unified_diff

    other = version.carried
    assert other is not None
    fields = [name for name in asdict(shown) if name != "html" and getattr(shown, name) != getattr(other, name)]
    lines = unified_diff(shown.html.splitlines(), other.html.splitlines(), "shown", version.source, lineterm="", n=0)
    return {
        "path": f"{version.source}/{version.key}",
        "gone": version.gone,
        "fields": {name: getattr(other, name) for name in fields},
        "difference": list(lines),
    }


def _say_article(frame: Frame, article: Article, value: dict[str, Any]) -> None:
    content = article.content
    say = frame.say
    say(content.title)
    say(f"  {article.id}")
    say(f"  {article.link}{' (its own page here)' if article.own_page else ''}")
    number = (
        f", number {article.number}" if article.number else ", backlog: in no newsletter" if article.backlog else ""
    )
    why = f" ({article.hold_reason})" if article.status == "held" else ""
    if article.status == "gone":
        why = f" (retracted{f': {article.retraction}' if article.retraction else ''})"
    if article.status == "waiting" and article.not_before:
        why = f" (until {article.not_before:%Y-%m-%d %H:%M} UTC)"
    say(f"  {article.status}{why}{number}, revision {article.revision}")
    say(f"  from {value['path'] or article.source}{' – its file is gone' if article.missing_since else ''}")
    described = {
        "section": content.section,
        "tags": ", ".join(content.tags),
        "by": ", ".join(content.authors),
        "language": content.language,
        "date": f"{content.date:%Y-%m-%d %H:%M %Z}"
        if content.date
        else "undated: sorted by arrival, shown without a date",
        "published": f"{article.published_at:%Y-%m-%d %H:%M} UTC" if article.published_at else "",
        "feeds": ", ".join(name or "the site's" for name in value["feeds"]),
        "newsletters": ", ".join(value["newsletters"]) or "in no newsletter's reach",
        "issues": ", ".join(f"{each['id']} ({each['newsletter']}, {each['state']})" for each in value["issues"]),
    }
    for name, text in described.items():
        if text:
            say(f"  {name + ':':<13}{text}")
    if value["missed"]:
        frame.warn(f"  too late for {', '.join(value['missed'])}: their issues have passed it; send it by hand.")
    for each in article.corrections:
        say(f"  corrected {frame.when(each.at)}: {each.note}")
    if content.left_out:
        count = len(content.left_out)
        say(f"  left out: {count} {'line' if count == 1 else 'lines'} (syndicate articles restore brings back)")
        for line in content.left_out:
            say(f"    | {line}")
    for suspect in content.suspects:
        frame.warn(f"  suspect: {suspect}")
    for warning in (*value["warnings"], *value["problems"]):
        frame.warn(f"  {warning}")
    for other in value["other_versions"]:
        say(f"  other version, not shown: {other['path']}")
        for name, text in other["fields"].items():
            say(f"    {name}: {text}")
        for line in other["difference"][2:]:
            say(f"    {line}")
    if content.summary:
        say(f"\n  {content.summary}")
