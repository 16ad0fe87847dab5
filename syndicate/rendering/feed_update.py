"""One feed on its way to its files: which entries it shows, which of them are rendered already, and its documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from syndicate.core.article import Article
from syndicate.core.feed import Feed
from syndicate.core.feed_entry import FeedEntry, Fragments
from syndicate.core.identity import page_url
from syndicate.core.publication import Publication
from syndicate.core.removal import Removal
from syndicate.errors import BadInput
from syndicate.rendering.entry import entry_version, last_change, make_head, shows_language
from syndicate.rendering.feed_files import FILE_NAMES, render_fragments, stitch_file


class FeedUpdate:
    """`entries` are those it shows, newest first; what cannot be rendered leaves them and is named in `problems`.
    `removals` are told as gone."""

    def __init__(
        self,
        feed: Feed,
        publication: Publication,
        entries: Sequence[FeedEntry],
        removals: Sequence[Removal] = (),
    ) -> None:
        self.feed = feed
        self.removals = removals
        self.problems: list[str] = []
        self._publication = publication
        self._versions = {entry.article_id: self._version(entry) for entry in entries}
        self.entries = list(entries)

    def _link(self, entry: FeedEntry) -> str:
        return entry.url or page_url(entry.article_id, self._publication.web_url)

    def _version(self, entry: FeedEntry) -> str:
        return entry_version(
            revision=entry.revision,
            link=self._link(entry),
            published=entry.published_at,
            updated=entry.updated_at,
            shows_language=shows_language(entry.language, self.feed.language),
        )

    def missing(self, known: Fragments) -> set[str]:
        """Ids of the articles that have to be rendered: at least one format of their fragment is not among `known`."""
        return {
            entry.article_id
            for entry in self.entries
            if len(known.get((entry.article_id, self._versions[entry.article_id]), ())) < len(FILE_NAMES)
        }

    def render_missing(self, known: Fragments, articles: Mapping[str, Article]) -> Fragments:
        """Adds what is missing to `known`, from the articles themselves, and returns it."""
        made: Fragments = {}
        missing = self.missing(known)
        for entry in [entry for entry in self.entries if entry.article_id in missing]:
            try:
                fragments = render_fragments(
                    articles[entry.article_id],
                    self.feed.content,
                    self._link(entry),
                    own_language=shows_language(entry.language, self.feed.language),
                )
            except BadInput as error:
                self.problems.append(str(error))
                self.entries.remove(entry)
            else:
                made[entry.article_id, self._versions[entry.article_id]] = fragments
        known.update(made)
        return made

    def documents(self, known: Fragments) -> Iterator[tuple[str, bytes]]:
        """Path and bytes of each of its files. One that could not be read is named in `problems` and not given."""
        head = make_head(self.feed, self._publication)
        moments = ((each.published_at, each.updated_at or each.published_at) for each in self.entries)
        changed = last_change(moments, self.removals)
        keys = [(each.article_id, self._versions[each.article_id]) for each in self.entries]
        for form, name in FILE_NAMES.items():
            path = self.feed.folder + name
            try:
                document = stitch_file(form, head, [known[key][form] for key in keys], changed, self.removals)
            except BadInput as error:
                self.problems.append(f"feeds/{path} was not written: {error}")
            else:
                yield path, document
