"""What a look at a source found, taken into the tables, a handful of items in one short transaction.

The rows that the items touch are read at once, changed in memory by the rules of `core.matching` and `core.release`,
and written at once: the cost is that of the items, whatever the size of the archive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.article import ArticleDraft, Content
from syndicate.core.correction import corrected
from syndicate.core.feed import Feed
from syndicate.core.matching import Candidate, came_back, find_same, same_words_beside
from syndicate.core.release import Standing, on_arrival, on_edit, updated_after, winner
from syndicate.storage import tables
from syndicate.storage.approvals import take_back_edited
from syndicate.storage.articles import article_of, content_to_json, content_to_row
from syndicate.storage.compositions import take_back_carriers
from syndicate.storage.feed_entries import place_in_feeds
from syndicate.storage.intake_rows import ArticleRow, IntakeRows, Item, lives
from syndicate.storage.sources import get_source
from syndicate.storage.standings import lock_articles, record_numbers, standing_of, standing_to_row

Kind = Literal["new", "backlog", "changed", "renamed", "back", "carried", "broken", "missing", "unchanged", "conflict"]
"""carried: another version of an article that a source named earlier holds; back: its file had gone; unchanged: nothing
that shows; conflict: another collector changed the item since it was looked at, so it must be looked at again."""

_BLANK_ITEM: Mapping[str, Any] = {
    "article_id": None,
    "text_hash": "",
    "declared_id": "",
    "restored": False,
    "warnings": [],
    "carried": None,
    "received": "",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One item as a source saw it, new, changed, renamed or broken. Without a draft, `problem` says why. `url` is the
    draft's canonical address, or ""; the rest as in `sources.base.Sighting`."""

    key: str
    fingerprint: str
    sha256: str = ""
    modified_at: datetime | None = None
    draft: ArticleDraft | None = None
    url: str = ""
    problem: str = ""
    renamed_from: str = ""
    received: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item. `path` is `source/key`; `note` says what a person should know; `status` and
    `hold_reason` are the article's; `until` is when a waiting
    article is due; `taken_back` tells that a published article left the feeds and lost its number by this change."""

    kind: Kind
    path: str
    article_id: str | None = None
    title: str = ""
    note: str = ""
    status: str = ""
    hold_reason: str = ""
    until: datetime | None = None
    taken_back: bool = False
    warnings: tuple[str, ...] = ()


def content_columns(draft: ArticleDraft, url: str, *, whole: bool) -> dict[str, Any]:
    """The columns of `articles` that come from a reading; `whole` keeps what it would leave out, `url` is canonical."""
    content: Content = draft.full if whole and draft.full else draft.content
    return {
        **content_to_row(content),
        "canonical_url": url,
        "declared_id": draft.declared_id,
        "text_hash": draft.text_hash,
    }


class Intake:
    """One transaction's worth of items of one source. `known` gives the fingerprint of each item that the
    look was made against, `precedence` the names of the sources in the order of the settings; `tripwire` says why all
    that nobody knew is held for an editor, or ""."""

    def __init__(
        self,
        connection: Connection,
        source: str,
        known: Mapping[str, str],
        *,
        precedence: Sequence[str],
        feeds: Sequence[Feed],
        now: datetime,
        tripwire: str = "",
    ) -> None:
        lock_articles(connection)
        # Asked under the lock: another collector may have ended the first look since ours began.
        self._first_look = get_source(connection, source).first_look_at is None
        self._connection = connection
        self._source = source
        self._known = known
        self._precedence = precedence
        self._feeds = feeds
        self._now = now
        self._tripwire = tripwire
        self._rows = IntakeRows(connection, source)
        self._steps: dict[str, tuple[Standing | None, Standing]] = {}
        self._shown: set[str] = set()
        self._revisions: list[dict[str, Any]] = []

    def take(self, findings: Sequence[Finding]) -> list[Outcome]:
        """Takes in what was sighted; `save` writes it."""
        drafts = [each.draft for each in findings if each.draft is not None]
        self._rows.load(
            (key for each in findings for key in (each.key, each.renamed_from) if key),
            declared_ids={each.declared_id for each in drafts},
            canonical_urls={each.url for each in findings},
            text_hashes={each.text_hash for each in drafts},
        )
        return [self._take(each) for each in findings]

    def lose(self, keys: Sequence[str]) -> list[Outcome]:
        """Notes that these items are gone. Their articles stay."""
        self._rows.load(keys, declared_ids=set(), canonical_urls=set(), text_hashes=set())
        return [self._lose(key) for key in keys]

    def save(self) -> None:
        """Writes all that changed."""
        self._rows.save()
        if self._revisions:
            self._connection.execute(sa.insert(tables.article_revisions), self._revisions)
        record_numbers(self._connection, self._steps, self._now)
        held = [each for each, (b, a) in self._steps.items() if b is not None and b.published and not a.published]
        if held:
            take_back_carriers(self._connection, held)
        if edited := {each["article_id"] for each in self._revisions if each["kind"] == "edit"}:
            take_back_edited(self._connection, edited)
        if self._shown:
            shown = [article_of(self._rows.articles[each]) for each in sorted(self._shown)]
            place_in_feeds(self._connection, shown, self._feeds)

    def _take(self, finding: Finding) -> Outcome:
        path = f"{self._source}/{finding.key}"
        item = self._rows.items.get((self._source, finding.key))
        if item is not None and lives(item) and item["fingerprint"] == finding.fingerprint:
            return Outcome("unchanged", path, item["article_id"])
        before = self._rows.items.get((self._source, finding.renamed_from)) if finding.renamed_from else item
        if self._moved_on(finding.renamed_from or finding.key, before) or (finding.renamed_from and lives(item)):
            return Outcome("conflict", path)
        if finding.draft is None:
            self._write_item(finding, before)
            return Outcome("broken", path, before["article_id"] if before else None, note=finding.problem)
        return self._take_draft(finding, finding.draft, before, path)

    def _take_draft(self, finding: Finding, draft: ArticleDraft, before: Item | None, path: str) -> Outcome:
        rows = self._rows
        lived = before if lives(before) else None
        article_id: str | None = before["article_id"] if before is not None else None
        if article_id and lived is None and not came_back(draft, rows.candidate(article_id)):
            article_id = None
        if article_id is None:
            candidates = rows.candidates(draft, finding.url)
            same = find_same(draft, finding.url, self._source, candidates)
            if same is None:
                return self._arrive(finding, draft, before, path, same_words_beside(draft, self._source, candidates))
            article_id = same.article_id
            lived = None
        row = rows.articles[article_id]
        rival = rows.rival(article_id, before)
        shown_already = lived is not None and lived["carried"] is None
        first = rival is None or winner([rival["source"], self._source], self._precedence) != rival["source"]
        wins = shown_already or first
        same_bytes = before is not None and bool(finding.sha256) and before["sha256"] == finding.sha256
        was_missing = row["missing_since"] is not None
        item = self._write_item(finding, before, draft, article_id)
        if was_missing:
            row["missing_since"] = None
            rows.changed_articles.add(article_id)
        if not wins and rival is not None:
            item["carried"] = content_to_json(draft.content)
            return self._outcome("carried", path, article_id, note=f"shown as {rival['source']}/{rival['key']} has it")
        takes_over = rival is not None and not shown_already
        if rival is not None and takes_over:
            rival["carried"] = content_to_json(article_of(row).content)
            rows.changed_items.add((rival["source"], rival["key"]))
            row.update(source=self._source, key=finding.key)
        changed, taken_back = self._edit(
            row, draft, finding.url, whole=item["restored"], marks_count=takes_over or not same_bytes
        )
        kind: Kind = "back" if was_missing else "changed" if changed else "unchanged"
        note = ""
        if finding.renamed_from:
            kind, note = "renamed", f"was {finding.renamed_from}"
        return self._outcome(kind, path, article_id, note=note, taken_back=taken_back, warnings=draft.warnings)

    def _arrive(
        self, finding: Finding, draft: ArticleDraft, before: Item | None, path: str, beside: Candidate | None
    ) -> Outcome:
        """An article that nobody knew; `beside` has the same words."""
        warnings = draft.warnings
        if beside:
            warnings += (f"Its words are those of {beside.title!r} ({beside.article_id}) in the same source.",)
        article_id = self._rows.mint(finding.key)
        since = min(draft.content.date or finding.modified_at or self._now, self._now)
        standing = on_arrival(
            draft.hold,
            draft.not_before,
            self._now,
            backlog_since=since if self._first_look else None,
            tripwire=self._tripwire,
        )
        self._rows.articles[article_id] = {
            "id": article_id,
            "source": self._source,
            "key": finding.key,
            "arrived_at": self._now,
            "missing_since": None,
            "retracted_at": None,
            "retraction": "",
            "corrections": [],
            "overrides": {},
            "revision": 1,
            "declared_updated_at": draft.updated,
            **content_columns(draft, finding.url, whole=False),
            **standing_to_row(standing),
        }
        self._rows.changed_articles.add(article_id)
        self._steps[article_id] = (None, standing)
        self._revise(article_id, "first")
        if standing.published:
            self._shown.add(article_id)
        self._write_item(finding, before, draft, article_id, warnings)
        return self._outcome("backlog" if standing.backlog else "new", path, article_id, warnings=warnings)

    def _edit(
        self, row: ArticleRow, draft: ArticleDraft, url: str, *, whole: bool, marks_count: bool
    ) -> tuple[bool, bool]:
        """Whether the content or the standing changed, and whether the article was taken back by it."""
        article_id, old = row["id"], dict(row)
        if row["status"] == "gone":
            # It stays as it was retracted. By what it is known again follows its file: another source may bring it.
            known_by = {"canonical_url": url, "declared_id": draft.declared_id, "text_hash": draft.text_hash}
            row.update(known_by)
            if row != old:
                self._rows.changed_articles.add(article_id)
            return False, False
        row.update(content_columns(draft, url, whole=whole))
        # What an editor corrected stands until the file itself says something else.
        shown, overrides = corrected(article_of(row).content, row["overrides"])
        row.update(content_to_row(shown), overrides={name: list(pair) for name, pair in overrides.items()})
        changed = article_of(row).content != article_of(old).content
        before = standing_of(old)
        after = on_edit(before, draft.hold, draft.not_before, self._now) if marks_count else before
        if before != after:
            self._steps[article_id] = (self._steps[article_id][0] if article_id in self._steps else before, after)
            row.update(standing_to_row(after))
        if after.published:
            row["updated_at"] = updated_after(draft.updated, old["declared_updated_at"], old["updated_at"], self._now)
        if draft.updated:
            row["declared_updated_at"] = max(draft.updated, old["declared_updated_at"] or draft.updated)
        if changed:
            row["revision"] += 1
            self._revise(article_id, "edit")
        visible = changed or row["updated_at"] != old["updated_at"]
        if row != old:
            self._rows.changed_articles.add(article_id)
        if before.published != after.published or (after.published and visible):
            self._shown.add(article_id)
        return changed or before != after, before.published and not after.published

    def _lose(self, key: str) -> Outcome:
        path = f"{self._source}/{key}"
        item = self._rows.items.get((self._source, key))
        if item is None or not lives(item):
            return Outcome("unchanged", path)
        if self._moved_on(key, item):
            return Outcome("conflict", path)
        item["gone_at"] = self._now
        self._rows.changed_items.add((self._source, key))
        article_id = item["article_id"]
        if article_id is None:
            return Outcome("unchanged", path)
        other = next((each for each in self._rows.holders(article_id) if lives(each)), None)
        if other is not None:
            return self._outcome("unchanged", path, article_id, note=f"{other['source']}/{other['key']} still has it")
        self._rows.articles[article_id]["missing_since"] = self._now
        self._rows.changed_articles.add(article_id)
        return self._outcome("missing", path, article_id, note="its file is gone; the article stays")

    def _moved_on(self, key: str, item: Item | None) -> bool:
        """Whether the item is no longer as the look knew it."""
        known = self._known.get(key)
        if known is None:
            return lives(item)
        return item is None or not lives(item) or item["fingerprint"] != known

    def _write_item(
        self,
        finding: Finding,
        before: Item | None,
        draft: ArticleDraft | None = None,
        article_id: str | None = None,
        warnings: tuple[str, ...] = (),
    ) -> Item:
        """The item as it is now known. A broken one keeps what was known of its last good reading."""
        if finding.renamed_from and before is not None:
            self._rows.forget_item(finding.renamed_from)
        place = (self._source, finding.key)
        item = self._rows.items[place] = dict(_BLANK_ITEM if before is None else before)
        item.update(source=self._source, key=finding.key, fingerprint=finding.fingerprint, sha256=finding.sha256)
        item.update(received=finding.received)
        item.update(problem=finding.problem, modified_at=finding.modified_at, seen_at=self._now, gone_at=None)
        if draft is not None:
            item.update(article_id=article_id, text_hash=draft.text_hash, declared_id=draft.declared_id)
            item.update(warnings=list(warnings or draft.warnings), carried=None)
        self._rows.changed_items.add(place)
        return item

    def _revise(self, article_id: str, kind: str) -> None:
        row = self._rows.articles[article_id]
        content = content_to_json(article_of(row).content)
        self._revisions.append(
            {"article_id": article_id, "revision": row["revision"], "at": self._now, "kind": kind, "content": content}
        )

    def _outcome(
        self,
        kind: Kind,
        path: str,
        article_id: str,
        *,
        note: str = "",
        taken_back: bool = False,
        warnings: tuple[str, ...] = (),
    ) -> Outcome:
        row = self._rows.articles[article_id]
        due = row["not_before"] if row["status"] == "waiting" else None
        return Outcome(
            kind,
            path,
            article_id,
            title=row["title"],
            note=note,
            status=row["status"],
            hold_reason=row["hold_reason"],
            until=due if due and due > self._now else None,
            taken_back=taken_back,
            warnings=warnings,
        )
