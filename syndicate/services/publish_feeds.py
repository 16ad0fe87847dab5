"""Publishes feeds: what changed is rendered once, stitched into the files of the feeds it is in, and put at the target.

Everything is read in one snapshot, rendered with no transaction open, written, and only then recorded. Whoever is
killed between leaves files that the next publisher writes again. One publisher works at a time, so that older bytes
never come over newer ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import jinja2

from syndicate.core.article import Article
from syndicate.core.feed import SITE_FEED, Feed
from syndicate.core.feed_entry import Fragments
from syndicate.core.identity import page_path
from syndicate.core.publication import Publication
from syndicate.errors import BadInput, NotFound
from syndicate.publishing.base import Target
from syndicate.publishing.twins import PutFile, has_with_twin, put_recorded, remove_with_twin
from syndicate.rendering import opml, pages
from syndicate.rendering.entry import Head, make_head
from syndicate.rendering.feed_files import FILE_NAMES, definition_hash, readable, same_selection
from syndicate.rendering.feed_update import FeedUpdate
from syndicate.storage import feeds as rows
from syndicate.storage.articles import select_articles
from syndicate.storage.database import Database
from syndicate.storage.feeds import FeedState
from syndicate.storage.publishing_lock import publishing_lock
from syndicate.storage.removals import shown_removals
from syndicate.storage.standings import lock_articles

Progress = Callable[[str, int, int], None]
"""Takes what is being done, how much of it is done, and of how much."""

FEEDS_AT_ONCE = 8
PAGES_AT_ONCE = 100
DECISIONS_AT_ONCE = 20_000
"""Articles × feeds in one write transaction while feeds are filled: some 100 ms."""
MOST_PROBLEMS = 20
"""Pages that may fail, with none written, before the rest is left for later: a broken template fails them all."""


@dataclass(frozen=True, slots=True)
class PublishedFeed:
    """A feed that was rendered. `changed` are the names of its files that hold something new now."""

    name: str
    entries: int
    changed: tuple[str, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """What one run did. `lists` are the changed ones of `index.html` and `feeds.opml`; `undeclared` feeds are no longer
    in the settings, and their files are left alone."""

    feeds: tuple[PublishedFeed, ...] = ()
    lists: tuple[str, ...] = ()
    pages_written: int = 0
    pages_removed: int = 0
    undeclared: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def changed_anything(self) -> bool:
        """Whether any file is new, changed or gone."""
        return bool(self.lists or self.pages_written or self.pages_removed or any(each.changed for each in self.feeds))


def publish(
    database: Database,
    feeds: Sequence[Feed],
    publication: Publication,
    target: Target,
    templates: jinja2.Environment,
    now: datetime,
    only: Iterable[str] | None = None,
    force: bool = False,
    progress: Progress = lambda what, done, total: None,
) -> Published:
    """Brings the files of all declared `feeds`, or of those named in `only`, up to date: those that have something new,
    whose definition changed, or whose files are missing. With `force` every file is compared, and written where it
    differs. The lists of feeds and the articles' own pages are always brought up to date.

    An article that no feed can carry is named in the feed's problem and left out; a feed that cannot be written keeps
    its last good files. Raises NotFound for an unknown name in `only`, and Refused when another process publishes for
    too long.
    """
    wanted = _wanted(feeds, only)
    with publishing_lock(database):
        return _Run(database, feeds, publication, target, templates, now, force, progress).all(wanted)


def _wanted(feeds: Sequence[Feed], only: Iterable[str] | None) -> set[str]:
    declared = [feed.name for feed in feeds]
    if only is None:
        return set(declared)
    names = set(only)
    for name in sorted(names - set(declared)):
        known = ", ".join(filter(None, declared)) or "none but the site's own"
        raise NotFound(f"No feed is called {name!r}.", cure=f"Known: {known}.")
    return names


@lru_cache(maxsize=4)
def _outline(title: str, heads: tuple[Head, ...]) -> bytes:
    """Definitions change with the settings, articles all day."""
    return opml.render_opml(title, heads)


@dataclass(frozen=True, slots=True)
class _Feed:
    """A feed being published: `generation` is what its update was read from; `unshown` are too many to be shown."""

    update: FeedUpdate
    generation: int
    unshown: int
    files: Future[list[PutFile]]


@dataclass(frozen=True, slots=True)
class _Underway:
    """Feeds whose files are being written, and the fragments to keep afterwards, by content."""

    feeds: Sequence[_Feed]
    new: Mapping[str, Fragments]


class _Run:
    """One run by one publisher."""

    def __init__(
        self,
        database: Database,
        feeds: Sequence[Feed],
        publication: Publication,
        target: Target,
        templates: jinja2.Environment,
        now: datetime,
        force: bool,
        progress: Progress,
    ) -> None:
        self.database = database
        self.feeds = feeds
        self.publication = publication
        self.target = target
        self.templates = templates
        self.now = now
        self.force = force
        self.progress = progress
        self.problems: list[str] = []
        self.definitions = {feed.name: definition_hash(feed, publication) for feed in feeds}

    def all(self, wanted: set[str]) -> Published:
        states = self._states()
        redefined = [feed for feed in self.feeds if states[feed.name].definition_hash != self.definitions[feed.name]]
        self._fill([feed for feed in redefined if not same_selection(feed, states[feed.name].definition_hash)])
        written, removed = self._pages(every=self.force or bool(redefined))
        names = {feed.name for feed in redefined}
        due = [feed for feed in self.feeds if feed.name in wanted and self._is_due(feed, states[feed.name], names)]
        published: list[PublishedFeed] = []
        underway: _Underway | None = None
        # zlib and the disk let go of the interpreter: two threads compress one group while the next is read.
        with ThreadPoolExecutor(2) as threads:
            for start in range(0, len(due), FEEDS_AT_ONCE):
                self.progress("Publishing feeds", start, len(due))
                started = self._start(due[start : start + FEEDS_AT_ONCE], threads)
                published += self._finish(underway) if underway else []
                underway = started
            published += self._finish(underway) if underway else []
        lists = self._lists(anew=self.force or bool(redefined))
        declared = {feed.name for feed in self.feeds}
        undeclared = [
            state.name
            for state in states.values()
            if state.name not in declared and state.published_generation >= 0 and not state.retired
        ]
        return Published(
            tuple(published), lists, written, removed, tuple(sorted(undeclared)), tuple(dict.fromkeys(self.problems))
        )

    def _states(self) -> dict[str, FeedState]:
        with self.database.read() as connection:
            states = rows.feed_states(connection)
        missing = {feed.name for feed in self.feeds} - states.keys()
        if not missing:
            return states
        with self.database.write() as connection:
            rows.declare_feeds(connection, missing)
            return rows.feed_states(connection)

    def _is_due(self, feed: Feed, state: FeedState, redefined: set[str]) -> bool:
        if state.paused:
            return False
        return self.force or state.is_behind or feed.name in redefined or not self._has_files(feed)

    def _has_files(self, feed: Feed) -> bool:
        return all(has_with_twin(self.target, feed.folder + name) for name in FILE_NAMES.values())

    # --- membership ---------------------------------------------------------------------------------------------

    def _fill(self, feeds: Sequence[Feed]) -> None:
        """Decides anew which articles are in these feeds, in short transactions. What arrives meanwhile is placed by
        whoever collects it."""
        if not feeds:
            return
        at_once = max(1, DECISIONS_AT_ONCE // (len(feeds) + 20))
        with self.database.read() as connection:
            total = rows.count_articles(connection)
        after, done = "", 0
        while True:
            with self.database.write() as connection:
                # Nobody changes an article between the look and the entries.
                lock_articles(connection)
                articles = rows.next_articles(connection, after, at_once)
                rows.fill_feeds(connection, feeds, articles)
            if not articles:
                return
            after, done = articles[-1].id, done + len(articles)
            self.progress("Choosing the entries of feeds", done, total)

    # --- feeds --------------------------------------------------------------------------------------------------

    def _start(self, feeds: Sequence[Feed], threads: Executor) -> _Underway:
        """Reads these feeds in one snapshot, renders what is missing and has the threads write their files."""
        known: dict[str, Fragments] = {}
        with self.database.read() as connection:
            states = rows.feed_states(connection, [feed.name for feed in feeds])
            shown = [rows.shown_entries(connection, feed) for feed in feeds]
            removals = shown_removals(connection, [feed.name for feed in feeds])
            updates = [
                FeedUpdate(feed, self.publication, entries, removals[feed.name])
                for feed, (entries, _) in zip(feeds, shown, strict=True)
            ]
            for content in {feed.content for feed in feeds}:
                of_content = [each for each in updates if each.feed.content == content]
                ids = {entry.article_id for each in of_content for entry in each.entries}
                known[content] = readable(rows.cached_fragments(connection, ids, content))
            missing = {article_id for each in updates for article_id in each.missing(known[each.feed.content])}
            found = select_articles(connection, ids=sorted(missing)) if missing else []
            paths = [feed.folder + name for feed in feeds for name in FILE_NAMES.values()]
            digests = {} if self.force else rows.published_digests(connection, paths)
        articles = {article.id: article for article in found}
        new: dict[str, Fragments] = {content: {} for content in known}
        for each in updates:
            new[each.feed.content].update(each.render_missing(known[each.feed.content], articles))
        # One feed, one job: two threads in one folder would wait for each other.
        jobs = [threads.submit(self._put, each, known[each.feed.content], digests) for each in updates]
        return _Underway(
            [
                _Feed(each, states[each.feed.name].generation, unshown, job)
                for each, (_, unshown), job in zip(updates, shown, jobs, strict=True)
            ],
            new,
        )

    def _put(self, update: FeedUpdate, known: Fragments, digests: Mapping[str, str]) -> list[PutFile]:
        return [put_recorded(self.target, path, each, digests.get(path)) for path, each in update.documents(known)]

    def _finish(self, underway: _Underway) -> list[PublishedFeed]:
        """Waits for the files and records them."""
        files = [each.files.result() for each in underway.feeds]
        published = []
        with self.database.write() as connection:
            for content, made in underway.new.items():
                rows.save_fragments(connection, content, made)
            recorded = [
                {"path": file.path, "sha256": file.sha256, "feed": each.update.feed.name}
                for each, mine in zip(underway.feeds, files, strict=True)
                for file in mine
            ]
            rows.record_files(connection, recorded, self.now)
            for each, mine in zip(underway.feeds, files, strict=True):
                feed, problems = each.update.feed, each.update.problems
                if each.unshown:
                    problems.append(f"feeds/{feed.folder} leaves out {each.unshown} recent articles: too many.")
                problem = "\n".join(problems)
                if len(mine) == len(FILE_NAMES):
                    rows.record_published(
                        connection,
                        feed.name,
                        generation=each.generation,
                        definition_hash=self.definitions[feed.name],
                        problem=problem,
                        now=self.now,
                    )
                else:
                    rows.record_problem(connection, feed.name, problem)
                self.problems += problems
                changed = tuple(file.path.removeprefix(feed.folder) for file in mine if file.changed)
                published.append(PublishedFeed(feed.name, len(each.update.entries), changed, problem))
        return published

    # --- lists and pages ----------------------------------------------------------------------------------------

    def _lists(self, *, anew: bool) -> tuple[str, ...]:
        """The list for feed readers, and the one for people when that changed or `anew`."""
        outline = _outline(self.publication.title, tuple(make_head(feed, self.publication) for feed in self.feeds))
        with self.database.read() as connection:
            digests = rows.published_digests(connection, (opml.FILE_NAME, pages.INDEX))
        if self.force:
            digests = {}
        files = [put_recorded(self.target, opml.FILE_NAME, outline, digests.get(opml.FILE_NAME))]
        if anew or files[0].changed or pages.INDEX not in digests or not has_with_twin(self.target, pages.INDEX):
            try:
                index = pages.render_index(self.templates, self.publication, self.feeds)
            except BadInput as error:
                self.problems.append(str(error))
            else:
                files.append(put_recorded(self.target, pages.INDEX, index, digests.get(pages.INDEX)))
        fresh = [file for file in files if digests.get(file.path) != file.sha256]
        if fresh:
            with self.database.write() as connection:
                rows.record_files(connection, [{"path": each.path, "sha256": each.sha256} for each in fresh], self.now)
        return tuple(file.path for file in files if file.changed)

    def _pages(self, *, every: bool) -> tuple[int, int]:
        """Writes and removes the articles' own pages that are due, or all with `every`: (written, removed)."""
        written = removed = failed = 0
        after = ""
        while written or failed < MOST_PROBLEMS:
            with self.database.read() as connection:
                due = rows.due_pages(
                    connection, self.publication.web_url, limit=PAGES_AT_ONCE, after=after, every=every
                )
            if not due:
                break
            after = due[-1][0].id
            files: list[dict[str, str]] = []
            shown: dict[str, int] = {}
            for article, wanted in due:
                path = page_path(article.id)
                if not wanted:
                    removed += remove_with_twin(self.target, path)
                    shown[article.id] = 0
                    continue
                try:
                    page = self._page(article)
                except BadInput as error:
                    failed += 1
                    self.problems.append(str(error))
                    continue
                file = put_recorded(self.target, path, page, None)
                written += file.changed
                files.append({"path": path, "sha256": file.sha256, "article_id": article.id})
                shown[article.id] = wanted
            with self.database.write() as connection:
                for article_id, revision in shown.items():
                    rows.record_page(connection, article_id, revision)
                rows.record_files(connection, files, self.now)
                rows.forget_files(connection, [page_path(each) for each, revision in shown.items() if not revision])
            self.progress("Writing pages", written, written)
            if len(due) < PAGES_AT_ONCE:
                break
        return written, removed

    def _page(self, article: Article) -> bytes:
        if article.status == "gone":
            return pages.render_retraction(self.templates, self.publication, article)
        return pages.render_article(self.templates, self.publication, article, self._feeds_of(article))

    def _feeds_of(self, article: Article) -> list[Feed]:
        return [feed for feed in self.feeds if feed.name == SITE_FEED or feed.selection.takes(article)]
