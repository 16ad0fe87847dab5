"""Every table. DESIGN words are the names; migrations/ must give exactly these (a test compares them).

States are short texts, checked by the rules in core/ and by compare-and-set updates, not by database enums.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Text

from syndicate.core.sample import SAMPLE_DOMAINS
from syndicate.storage.columns import Moment, json_column

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# A 64-bit key that SQLite still treats as its own row id.
Key = BigInteger().with_variant(Integer(), "sqlite")


PAGE_DUE = (
    "page_revision<>CASE WHEN status='released' AND (url IS NULL OR page_revision<>0) THEN revision"
    " WHEN status='gone' AND published_at IS NOT NULL AND (url IS NULL OR page_revision<>0) THEN -revision ELSE 0 END"
)
"""Which articles' own pages have to be written or removed. In one text, because the index serves only a query that says
it in the same words. A page once written stays when the article gets a URL elsewhere: mails link to it for ever. A
retracted article's becomes a notice, which counts below zero."""

_SAMPLE_ENDS = [f"{before}{domain}" for domain in SAMPLE_DOMAINS for before in ("@", ".")]


def sample_address(end: str) -> str:
    """`core.sample.is_sample_address` for a normalised address, whose domain is in lower case; `end` is how the
    database says the last characters of it. In one text, as above, for the index of the few."""
    lengths = sorted({len(each) for each in _SAMPLE_ENDS})
    alike = {length: ", ".join(f"'{each}'" for each in _SAMPLE_ENDS if len(each) == length) for length in lengths}
    return " OR ".join(f"{end.format(length)} IN ({ends})" for length, ends in alike.items())


SAMPLE_ON_SQLITE, SAMPLE_ON_POSTGRESQL = sample_address("substr(address, -{})"), sample_address("right(address, {})")


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="", **options)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=sa.false())


# --- the instance -----------------------------------------------------------------------------------------------

instance = sa.Table(
    "instance",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("created_at", Moment, nullable=False),
    _text("machine"),
    _text("web_url"),
    _text("mail_account"),
    Column("epoch", Integer, nullable=False, server_default="0"),
    _flag("quarantined"),
    _text("quarantine_why"),
    _flag("sending_stopped"),
    _text("stopped_by"),
    Column("web_tested_at", Moment),  # when [web] url last answered its own unsubscribe test
    _text("web_tested_url"),
    Column("mail_failing_since", Moment),  # the first mail API has taken nothing since then
    Column("mail_failed_at", Moment),  # when it last failed
    Column("standby_since", Moment),  # the standby posts in its place since then
    Column("clock_at", Moment),  # the clock's last tick that was believed
    _text("clock_held"),  # why the clock fires nothing, or ''
    Column("clock_seen_at", Moment),  # what the clock last showed, believed or not
    Column("clock_go_on_at", Moment),  # when a person last said that the clock is right
    comment="One row: what the database remembers of where it runs.",
)

counters = sa.Table(
    "counters",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", BigInteger, nullable=False),
    comment="`article`: the highest number given. The row's lock is held to commit, so numbers commit in order.",
)

signing_keys = sa.Table(
    "signing_keys",
    metadata,
    Column("id", Key, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("retired_at", Moment),
    comment="The newest unretired key signs; all verify, for ever.",
    sqlite_autoincrement=True,
)

workers = sa.Table(
    "workers",
    metadata,
    Column("id", String(64), primary_key=True),
    _text("machine"),
    Column("pid", Integer, nullable=False, server_default="0"),
    _text("role"),
    Column("lock_key", BigInteger, nullable=False, server_default="0"),  # PostgreSQL advisory lock
    Column("started_at", Moment, nullable=False),
    Column("seen_at", Moment),  # its last sign of life, by the database's clock; one that only sends gives none
    Column("gone_at", Moment),
    comment="Each live worker holds an flock'd file (SQLite) or an advisory lock (PostgreSQL).",
)

leases = sa.Table(
    "leases",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("term", BigInteger, nullable=False),
    _text("session"),
    Column("seen_at", Moment, nullable=False),
    comment="Who leads in what only one may do at a time: `session` names its connections, each has a term of its own.",
)

audit_log = sa.Table(
    "audit_log",
    metadata,
    Column("id", Key, primary_key=True),
    Column("at", Moment, nullable=False),
    _text("actor"),
    Column("action", String(60), nullable=False),
    _text("subject"),
    Column("detail", json_column(), nullable=False, server_default="{}"),
    Index("ix_audit_log_subject_id", "subject", "id"),
    Index("ix_audit_log_actor_id", "actor", "id"),
    Index("ix_audit_log_action_id", "action", "id"),
    sqlite_autoincrement=True,
)

transactional_mails = sa.Table(
    "transactional_mails",
    metadata,
    Column("id", Key, primary_key=True),
    Column("kind", String(20), nullable=False),  # confirmation preview alert test
    Column("request_key", String(80), nullable=False, unique=True),  # the same request is one mail
    Column("to_email", String(320), nullable=False),
    _text("to_name"),
    Column("subject", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("headers", json_column(), nullable=False, server_default="[]"),
    Column("subscriber_id", Key),
    Column("created_at", Moment, nullable=False),
    Column("state", String(12), nullable=False),  # planned sending accepted refused retry uncertain
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("generation", Integer, nullable=False, server_default="0"),
    _text("api"),
    _text("account"),
    Column("sha256", String(64), nullable=False, server_default=""),
    Column("retry_at", Moment),
    Column("first_posted_at", Moment),  # of this generation: the key's lifetime counts from here
    Column("posted_at", Moment),
    Column("vendor_id", String(200), nullable=False, server_default=""),  # what the mail API calls it
    _text("worker_id"),
    _text("why"),
    Index("ix_transactional_mails_state_retry_at", "state", "retry_at"),
    Index("ix_transactional_mails_vendor_id", "vendor_id"),
    Index("ix_transactional_mails_subscriber_id", "subscriber_id"),
    sqlite_autoincrement=True,
    comment="Mails to one person outside of any issue: confirmations, previews to editors, alerts, tests.",
)

alerts = sa.Table(
    "alerts",
    metadata,
    Column("key", String(200), primary_key=True),  # kind and subject: one row while the trouble lasts
    Column("kind", String(40), nullable=False),
    Column("sentence", Text, nullable=False),
    Column("began_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("webhook_began_at", Moment),  # when the webhook took that it began, and that it ended; null: owed to it
    Column("webhook_ended_at", Moment),
    Column("webhook_tried_at", Moment),
    Index("ix_alerts_ended_at", "ended_at"),
    comment="What should have happened and did not. Told once when it begins and once when it ends.",
)

# --- users of the console ---------------------------------------------------------------------------------------

users = sa.Table(
    "users",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", String(80), nullable=False, unique=True),
    Column("role", String(10), nullable=False),  # editor sender admin
    _text("password_hash"),  # '' until one is chosen by a one-time link
    _text("email"),  # where this user's test mails go, '' until they say
    Column("created_at", Moment, nullable=False),
    Column("removed_at", Moment),
    Column("signed_in_at", Moment),
    sqlite_autoincrement=True,
)

sign_in_links = sa.Table(
    "sign_in_links",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("user_id", Key, ForeignKey("users.id")),  # null: makes the first user
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("used_at", Moment),
    comment="One-time links by which a person chooses a password.",
)

user_sessions = sa.Table(
    "user_sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("user_id", Key, ForeignKey("users.id"), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index("ix_user_sessions_user_id", "user_id"),
    comment="Who is signed in. The cookie holds the token, this table its hash.",
)

api_tokens = sa.Table(
    "api_tokens",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", String(80), nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("scope", String(20), nullable=False),  # push
    _text("source"),  # a push source it is bound to, or ''
    _text("created_by"),
    Column("created_at", Moment, nullable=False),
    Column("used_at", Moment),
    Column("revoked_at", Moment),
    sqlite_autoincrement=True,
)

rate_limits = sa.Table(
    "rate_limits",
    metadata,
    Column("key", String(120), primary_key=True),  # hashes only, never an address of a person or a machine
    Column("tat", Moment, nullable=False),  # theoretical arrival time of the generic cell rate algorithm
    comment="Token buckets that every process shares.",
)

request_tokens = sa.Table(
    "request_tokens",
    metadata,
    Column("token", String(250), primary_key=True),
    Column("body", String(40), nullable=False),  # its keyed hash
    Column("good_until", Moment, nullable=False),
    sqlite_with_rowid=False,
    comment="With which body each token came, of requests that are signed without theirs.",
)

# --- articles ---------------------------------------------------------------------------------------------------

sources = sa.Table(
    "sources",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("first_look_at", Moment),  # what it held then is backlog
    Column("last_look_at", Moment),
    Column("last_ok_at", Moment),
    Column("last_new_at", Moment),
    _text("problem"),
    Column("state", json_column(), nullable=False, server_default="{}"),  # what its adapter keeps between looks
    _flag("paused"),
    _flag("retired"),
)

source_items = sa.Table(
    "source_items",
    metadata,
    Column("source", String(80), ForeignKey("sources.name"), primary_key=True),
    Column("key", String(1024), primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("sha256", String(64), nullable=False, server_default=""),
    Column("text_hash", String(64), nullable=False, server_default=""),
    Column("declared_id", Text, nullable=False, server_default=""),
    Column("article_id", String(45), ForeignKey("articles.id")),
    _flag("restored"),
    _text("problem"),
    Column("modified_at", Moment),
    Column("seen_at", Moment, nullable=False),
    Column("gone_at", Moment),
    Column("warnings", json_column(), nullable=False, server_default="[]"),
    Column("carried", json_column()),  # the other version, when another source carries the article
    _text("received"),  # what a feed said, as it said it, where it cannot be asked again
    Index("ix_source_items_article_id", "article_id"),
    comment="What each source held at the last look, item by item.",
)

pushed_articles = sa.Table(
    "pushed_articles",
    metadata,
    Column("source", String(80), ForeignKey("sources.name"), primary_key=True),
    Column("key", String(1024), primary_key=True),  # the pusher's own id
    Column("content", json_column(), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("pushed_at", Moment, nullable=False),
    Column("removed_at", Moment),
    comment="What a push source holds: as sent, so that it can be read again like a folder.",
)

articles = sa.Table(
    "articles",
    metadata,
    Column("id", String(45), primary_key=True),  # urn:uuid:…, minted once
    Column("source", String(80), ForeignKey("sources.name"), nullable=False),
    Column("key", String(1024), nullable=False),  # as first seen
    Column("number", BigInteger, unique=True),  # null: not released to newsletters
    Column("status", String(12), nullable=False),  # waiting held released gone
    _text("hold_reason"),
    _text("held_by"),  # '' | 'mark' (the file says so) | 'editor' | 'tripwire'
    _flag("backlog"),
    Column("not_before", Moment),
    Column("arrived_at", Moment, nullable=False),
    Column("published_at", Moment),
    Column("updated_at", Moment),
    Column("declared_updated_at", Moment),  # front matter's `updated:` as last taken
    Column("missing_since", Moment),  # its file is gone
    Column("retracted_at", Moment),  # taken back for good: status is `gone`
    _text("retraction"),  # the notice that its page shows
    Column("corrections", json_column(), nullable=False, server_default="[]"),  # what each says of itself, and when
    Column("overrides", json_column(), nullable=False, server_default="{}"),  # field → what the file says, what stands
    Column("revision", Integer, nullable=False, server_default="1"),
    Column("title", Text, nullable=False),
    _text("summary"),
    Column("html", Text, nullable=False),
    _text("section"),
    Column("tags", json_column(), nullable=False, server_default="[]"),
    Column("authors", json_column(), nullable=False, server_default="[]"),
    Column("language", String(35), nullable=False),
    Column("url", Text),  # null: it has its own page here
    _text("canonical_url"),
    _text("declared_id"),
    Column("image", json_column()),
    Column("date", Moment),  # null: undated
    _text("rights"),
    _text("translated_from"),
    _text("translated_by"),
    _text("origin"),  # the publication it was taken from, when that is not this one
    _text("origin_url"),
    _flag("breaking"),
    Column("left_out", json_column(), nullable=False, server_default="[]"),
    Column("suspects", json_column(), nullable=False, server_default="[]"),
    Column("text_hash", String(64), nullable=False, server_default=""),
    # What its own page shows; 0: it has none; below 0: a notice of its retraction.
    Column("page_revision", Integer, nullable=False, server_default="0"),
    Index("ix_articles_status_arrived_at_source_key", "status", "arrived_at", "source", "key"),
    Index("ix_articles_published_at_id", "published_at", "id"),
    Index("ix_articles_arrived_at_number_id", "arrived_at", "number", "id"),
    Index("ix_articles_canonical_url", "canonical_url"),
    Index("ix_articles_text_hash", "text_hash"),
    Index("ix_articles_declared_id", "declared_id"),
    Index("ix_articles_source_key", "source", "key"),
    Index("ix_articles_source_arrived_at", "source", "arrived_at"),
    Index("ix_articles_page_to_write", "id", sqlite_where=sa.text(PAGE_DUE), postgresql_where=sa.text(PAGE_DUE)),
)

article_numbers = sa.Table(
    "article_numbers",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("article_id", String(45), ForeignKey("articles.id"), nullable=False),
    Column("given_at", Moment, nullable=False),
    Column("burnt_at", Moment),
    Index("ix_article_numbers_article_id", "article_id"),
    comment="Every number ever given. Never reused: a held article that is released again gets a new one.",
)

article_revisions = sa.Table(
    "article_revisions",
    metadata,
    Column("article_id", String(45), ForeignKey("articles.id"), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("kind", String(20), nullable=False),  # first edit correction restore retraction
    _text("actor"),
    _text("note"),
    Column("content", json_column(), nullable=False),
)

# --- feeds ------------------------------------------------------------------------------------------------------

feeds = sa.Table(
    "feeds",
    metadata,
    Column("name", String(80), primary_key=True),  # '' is the site's own
    Column("definition_hash", String(64), nullable=False, server_default=""),
    Column("generation", BigInteger, nullable=False, server_default="0"),
    Column("published_generation", BigInteger, nullable=False, server_default="-1"),
    Column("published_at", Moment),
    _text("problem"),
    _flag("paused"),
    _flag("retired"),
    comment="A feed whose generation is ahead of its published one has something to publish.",
)

feed_entries = sa.Table(
    "feed_entries",
    metadata,
    Column("feed", String(80), ForeignKey("feeds.name"), primary_key=True),
    Column("article_id", String(45), ForeignKey("articles.id"), primary_key=True),
    Column("published_at", Moment, nullable=False),
    Index("ix_feed_entries_feed_published_at_article_id", "feed", "published_at", "article_id"),
    Index("ix_feed_entries_article_id", "article_id"),
    comment="Which feeds an article is in.",
)

feed_removals = sa.Table(
    "feed_removals",
    metadata,
    Column("feed", String(80), ForeignKey("feeds.name"), primary_key=True),
    Column("article_id", String(45), ForeignKey("articles.id"), primary_key=True),
    Column("at", Moment, nullable=False),
    comment="Retracted articles that a feed has shown: its tombstones (RFC 6721).",
)

fragments = sa.Table(
    "fragments",
    metadata,
    Column("article_id", String(45), ForeignKey("articles.id"), primary_key=True),
    Column("format", String(10), primary_key=True),  # rss atom json
    Column("content", String(10), primary_key=True),  # full summary
    Column("version", String(64), primary_key=True),  # article revision, link, renderer: one hash
    Column("bytes", LargeBinary, nullable=False),
    comment="Entries as rendered once by the feed writer, to be stitched into pages.",
)

published_files = sa.Table(
    "published_files",
    metadata,
    Column("path", String(500), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("feed", String(80)),
    Column("article_id", String(45)),
    Column("changed_at", Moment, nullable=False),
)

# --- newsletters and issues -------------------------------------------------------------------------------------

newsletters = sa.Table(
    "newsletters",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("first_seen_at", Moment, nullable=False),
    _flag("paused"),
    _flag("retired"),
)

cadences = sa.Table(
    "cadences",
    metadata,
    Column("newsletter", String(80), ForeignKey("newsletters.name"), primary_key=True),
    Column("name", String(80), primary_key=True),
    Column("mark", BigInteger, nullable=False),  # the highest number it has used
    Column("first_seen_at", Moment, nullable=False),
    Column("horizon_at", Moment),  # slots due up to then are none of ours: the cadence began, changed or was resumed
    _text("rhythm"),  # the days and times by which the clock went last, and the zone: when they change it notices
    _text("timezone"),
    _flag("retired"),
    comment="The row's lock is held while a window is allocated.",
)

slots = sa.Table(
    "slots",
    metadata,
    Column("newsletter", String(80), primary_key=True),
    Column("cadence", String(80), primary_key=True),
    Column("wall_time", String(25), primary_key=True),  # local, the zone is not part of it
    Column("due_at", Moment, nullable=False),
    Column("state", String(20), nullable=False),  # see core/slot.py
    Column("issue_id", Key, ForeignKey("issues.id")),
    _text("why"),
    Column("claimed_at", Moment, nullable=False),
    Column("settled_at", Moment),
    Index("ix_slots_state_due_at", "state", "due_at"),
    Index("ix_slots_issue_id", "issue_id"),
)

issues = sa.Table(
    "issues",
    metadata,
    Column("id", Key, primary_key=True),
    Column("newsletter", String(80), ForeignKey("newsletters.name"), nullable=False),
    Column("cadence", String(80), nullable=False, server_default=""),  # '' for a manual send
    Column("kind", String(12), nullable=False),  # cadence manual
    Column("state", String(12), nullable=False),
    Column("request_id", String(80), unique=True),  # a manual send's own
    Column("lo", BigInteger, nullable=False, server_default="0"),
    Column("hi", BigInteger, nullable=False, server_default="0"),  # window (lo, hi]
    Column("revision", Integer, nullable=False, server_default="1"),
    _text("subject"),  # an editor's, or '' for the template's
    _text("preheader"),
    _text("intro"),
    Column("edits", json_column(), nullable=False, server_default="{}"),  # an editor's order, skips, links, sponsor
    Column("audience", json_column(), nullable=False),  # {"cadence": name | null, "to": [addresses] | null}
    _flag("again"),  # a manual send whose articles stay in later issues
    Column("seal", String(64)),  # SHA-256 of subject, variants and window
    Column("expected", Integer),  # the count shown when it was sealed or approved
    Column("approved_seal", String(64)),
    _text("approved_by"),
    Column("approved_at", Moment),
    Column("approved_expected", Integer),
    Column("send_at", Moment),  # scheduled for
    Column("wall_time", String(25)),  # the slot's, if any
    Column("drafted_at", Moment, nullable=False),
    Column("sealed_at", Moment),
    Column("frozen_at", Moment),
    Column("started_at", Moment),
    Column("ended_at", Moment),
    Column("planned", Integer),  # recipients, once frozen
    Column("forgotten_at", Moment),  # since then nobody knows any more who they were
    Column("frozen_through", BigInteger, nullable=False, server_default="0"),  # highest subscriber id already frozen
    Column("standing_mark", BigInteger),  # in standing_changes: what changed before is in the frozen audience
    _text("why"),  # why it is paused, awaiting again, cancelled, or waits while it is sent
    Column("reach", json_column()),  # whom it would reach as sealed: for audiences too large to look at anew
    Column("standing_seen", json_column()),  # how its refusals and complaints stood when somebody last let it go on
    Column("used_articles", String(10), nullable=False, server_default="carry"),  # on cancel: carry | drop
    _text("created_by"),
    Index("ix_issues_newsletter_cadence_state", "newsletter", "cadence", "state"),
    Index("ix_issues_state_send_at", "state", "send_at"),
    sqlite_autoincrement=True,
)

issue_articles = sa.Table(
    "issue_articles",
    metadata,
    Column("issue_id", Key, ForeignKey("issues.id"), primary_key=True),
    Column("article_id", String(45), ForeignKey("articles.id"), primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("position", Integer, nullable=False),
    Column("role", String(10), nullable=False),  # full title skipped
    Column("revision", Integer, nullable=False),  # the article's, as composed
    Index("ix_issue_articles_article_id", "article_id"),
)

issue_revisions = sa.Table(
    "issue_revisions",
    metadata,
    Column("issue_id", Key, ForeignKey("issues.id"), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("seal", String(64), nullable=False),
    Column("at", Moment, nullable=False),
    _text("actor"),
    Column("detail", json_column(), nullable=False, server_default="{}"),
)

variants = sa.Table(
    "variants",
    metadata,
    Column("id", Key, primary_key=True),
    Column("issue_id", Key, ForeignKey("issues.id"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("key", String(200), nullable=False),  # language, topics, history: what makes bodies differ
    Column("language", String(35), nullable=False),
    Column("subject", Text, nullable=False),
    Column("html", Text, nullable=False),  # with the placeholders of rendering.email
    Column("text", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("article_ids", json_column(), nullable=False),
    sa.UniqueConstraint("issue_id", "revision", "key"),
    sqlite_autoincrement=True,
)

issue_recipients = sa.Table(
    "issue_recipients",
    metadata,
    # Without a foreign key, which takes PostgreSQL as long as the rows: a chunk's batches are written along with it,
    # and theirs refuses what is of no issue.
    Column("issue_id", Key, primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("subscriber_id", Key, nullable=False),
    Column("address", String(320), nullable=False),  # normalised; 'erased:ID' once erased
    Column("email", String(320), nullable=False),
    Column("name", String(200), nullable=False, server_default=""),
    Column("variant_key", String(200), nullable=False),
    # Nobody twice, and so no address twice: it is one subscriber's, and never changes (see storage/kept_addresses.py).
    # One index for "was this person in that issue": PostgreSQL without statistics, as after a large import, would join
    # two and read the whole issue for each person.
    Index("uq_issue_recipients_subscriber_id_issue_id", "subscriber_id", "issue_id", unique=True),
    # By its key alone, without a number of the row beside it: a third of the time to write a million.
    sqlite_with_rowid=False,
    comment="The frozen audience, with snapshots of what the mail needs. Ordinals start at 1 and have no holes.",
)

batches = sa.Table(
    "batches",
    metadata,
    Column("id", Key, primary_key=True),
    Column("issue_id", Key, ForeignKey("issues.id"), nullable=False),
    Column("first", Integer, nullable=False),  # ordinals, both included
    Column("last", Integer, nullable=False),
    Column("parent_id", Key, ForeignKey("batches.id")),
    Column("state", String(12), nullable=False),  # planned sending accepted refused retry uncertain split withdrawn
    Column("generation", Integer, nullable=False, server_default="0"),
    Column("revision", Integer, nullable=False, server_default="1"),  # of the issue's content it carries
    _text("api"),
    _text("account"),
    _text("request_key"),
    Column("sha256", String(64), nullable=False, server_default=""),
    Column("recipients", Integer, nullable=False, server_default="0"),  # in the request, exclusions taken off
    _text("worker_id"),
    Column("fence", Integer, nullable=False, server_default="0"),  # grows with every claim
    Column("lease_until", Moment),
    Column("first_posted_at", Moment),  # of this generation: the key's lifetime counts from here
    Column("posted_at", Moment),
    Column("settled_at", Moment),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("retry_at", Moment),
    _text("why"),
    Column("vendor_ids", json_column(), nullable=False, server_default="[]"),
    _text("proof"),  # what showed that the API has the request under way, before its answer was known
    sa.UniqueConstraint("issue_id", "first", "last"),
    Index("ix_batches_issue_id_state_first", "issue_id", "state", "first"),
    Index("ix_batches_state_retry_at", "state", "retry_at"),
    sqlite_autoincrement=True,
    comment="The recipients of exactly one mail-API request: the ledger's unit.",
)

recipient_outcomes = sa.Table(
    "recipient_outcomes",
    metadata,
    Column("issue_id", Key, primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("batch_id", Key, ForeignKey("batches.id"), nullable=False),
    Column("outcome", String(12), nullable=False),  # suppressed refused accepted
    _text("why"),
    Column("at", Moment, nullable=False),
    Index("ix_recipient_outcomes_batch_id", "batch_id"),
    Index("ix_recipient_outcomes_issue_id_outcome_ordinal", "issue_id", "outcome", "ordinal"),
    comment="Recipients whose outcome differs from their batch's.",
)

ledger_counts = sa.Table(
    "ledger_counts",
    metadata,
    Column("issue_id", Key, primary_key=True, autoincrement=False),
    Column("state", String(12), primary_key=True),  # of batches, or the outcome of one person
    Column("slot", Integer, primary_key=True, autoincrement=False),  # who counted: only the sum says something
    Column("batches", BigInteger, nullable=False),
    Column("people", BigInteger, nullable=False),
    comment="How many batches and people of each issue are where. Triggers keep it in the transaction of each change"
    " (see storage/ledger_counting.py), so that nothing else has to add up batches.",
)

batch_log = sa.Table(
    "batch_log",
    metadata,
    Column("id", Key, primary_key=True),
    Column("batch_id", Key, ForeignKey("batches.id"), nullable=False),
    Column("at", Moment, nullable=False),
    Column("state", String(12), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    _text("worker_id"),
    _text("why"),
    Index("ix_batch_log_batch_id", "batch_id"),
    sqlite_autoincrement=True,
    comment="Every step of a batch that was not the plain one (planned, sending, accepted).",
)

events = sa.Table(
    "events",
    metadata,
    Column("id", Key, primary_key=True),
    Column("api", String(40), nullable=False),
    Column("event_id", String(200), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("address_hash", String(64), nullable=False, server_default=""),
    Column("issue_id", Key),
    Column("message_id", String(200), nullable=False, server_default=""),
    Column("code", String(20), nullable=False, server_default=""),  # RFC 3463
    Column("at", Moment, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("raw", json_column(), nullable=False),
    sa.UniqueConstraint("api", "event_id"),
    Index("ix_events_address_hash", "address_hash"),
    Index("ix_events_issue_id_kind", "issue_id", "kind"),
    # The few that tell of trouble with the sender.
    Index(
        "ix_events_blocked_at",
        "received_at",
        sqlite_where=sa.text("kind = 'blocked'"),
        postgresql_where=sa.text("kind = 'blocked'"),
    ),
    sqlite_autoincrement=True,
)

# --- people -----------------------------------------------------------------------------------------------------

subscribers = sa.Table(
    "subscribers",
    metadata,
    Column("id", Key, primary_key=True),
    Column("email", String(320), nullable=False),  # as given; '' once erased
    Column("address", String(320), unique=True),  # normalised; null once erased
    Column("address_hash", String(64), nullable=False),  # keyed hash of the address, kept after erasure
    Column("name", String(200), nullable=False, server_default=""),
    Column("language", String(35), nullable=False, server_default=""),
    Column("timezone", String(60), nullable=False, server_default=""),
    Column("created_at", Moment, nullable=False),
    Column("suppressed", String(20), nullable=False, server_default=""),  # reason in force: a copy of suppressions
    Column("erased_at", Moment),
    Index("ix_subscribers_address_hash", "address_hash"),
    Index("ix_subscribers_name", "name"),
    # Whom nothing live is ever sent to.
    Index(
        "ix_subscribers_samples",
        "id",
        sqlite_where=sa.text(SAMPLE_ON_SQLITE),
        postgresql_where=sa.text(SAMPLE_ON_POSTGRESQL),
    ),
    sqlite_autoincrement=True,
)

subscriptions = sa.Table(
    "subscriptions",
    metadata,
    Column("subscriber_id", Key, ForeignKey("subscribers.id"), primary_key=True),
    Column("newsletter", String(80), ForeignKey("newsletters.name"), primary_key=True),
    Column("cadence", String(80), nullable=False),
    Column("status", String(10), nullable=False),  # active pending left
    Column("topics", json_column(), nullable=False, server_default="[]"),
    Column("since", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("paused_until", Moment),  # nothing is sent before
    Column("resume_from", BigInteger),
    Index(
        "ix_subscriptions_newsletter_cadence_status_subscriber_id", "newsletter", "cadence", "status", "subscriber_id"
    ),
    # For what goes to every cadence.
    Index("ix_subscriptions_newsletter_status_subscriber_id", "newsletter", "status", "subscriber_id"),
    # The few whose range starts elsewhere than their cadence's.
    Index(
        "ix_subscriptions_newsletter_resume_from",
        "newsletter",
        "resume_from",
        sqlite_where=sa.text("resume_from IS NOT NULL"),
        postgresql_where=sa.text("resume_from IS NOT NULL"),
    ),
    # Whose pause ends within this hour.
    Index(
        "ix_subscriptions_newsletter_paused_until",
        "newsletter",
        "paused_until",
        sqlite_where=sa.text("paused_until IS NOT NULL"),
        postgresql_where=sa.text("paused_until IS NOT NULL"),
    ),
)

audience_counts = sa.Table(
    "audience_counts",
    metadata,
    Column("newsletter", String(80), primary_key=True),
    # '' for all, pausing or not. Those of a pause are counted again by its day and its hour in UTC: so what is over
    # need not be added up, and no hours but those of one day.
    Column("pause_ends", String(14), primary_key=True),
    Column("cadence", String(80), primary_key=True),
    Column("status", String(10), primary_key=True),
    Column("suppressed", Boolean, primary_key=True),
    Column("timezone", String(60), primary_key=True),
    Column("people", BigInteger, nullable=False),
    comment="How many subscriptions there are of each kind, without those of erased people. Triggers keep it in the"
    " transaction of each change (see storage/counting.py), so that nothing else has to count people.",
)

standing_changes = sa.Table(
    "standing_changes",
    metadata,
    Column("number", Key, primary_key=True),  # in the order of commits
    Column("subscriber_id", Key),  # null: the mark of a freeze
    sqlite_autoincrement=True,
    comment="Whose suppression, erasure, subscription or pause changed, for the issues under way: triggers write it in"
    " the transaction of each change (see storage/standing_changes.py).",
)

suppressions = sa.Table(
    "suppressions",
    metadata,
    Column("id", Key, primary_key=True),
    Column("address_hash", String(64), nullable=False),
    Column("reason", String(20), nullable=False),  # manual complaint bounce unreachable unsubscribe erased import
    Column("at", Moment, nullable=False),
    _text("origin"),
    _text("note"),
    Column("lifted_at", Moment),
    _text("lifted_by"),
    Index("ix_suppressions_address_hash", "address_hash"),
    sqlite_autoincrement=True,
    comment="Appended, never overwritten; in force while lifted_at is null.",
)

suppression_journals = sa.Table(
    "suppression_journals",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("octets", BigInteger, nullable=False),
    comment="How much of each journal of suppressions (`.syndicate/suppressions.log`) this database has taken in.",
)

journal_owed = sa.Table(
    "journal_owed",
    metadata,
    Column("id", Key, primary_key=True),
    Column("line", Text, nullable=False),
    sqlite_autoincrement=True,
    comment="What is committed and not yet in the journal of suppressions: it allows mail again.",
)

consents = sa.Table(
    "consents",
    metadata,
    Column("id", Key, primary_key=True),
    Column("subscriber_id", Key, nullable=False),
    Column("address_hash", String(64), nullable=False),
    _text("newsletter"),
    Column("action", String(20), nullable=False),  # asked confirmed imported left rejoined changed erased
    Column("at", Moment, nullable=False),
    _text("origin"),  # form, command, import, vendor
    _text("basis"),
    _text("wording_version"),
    _text("ip"),
    _text("agent"),
    _text("actor"),
    Column("import_id", Key, ForeignKey("imports.id")),
    Index("ix_consents_subscriber_id", "subscriber_id"),
    sqlite_autoincrement=True,
    comment="Append-only proof of why a person is mailed (GDPR art. 7(1)).",
)

imports = sa.Table(
    "imports",
    metadata,
    Column("id", Key, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("filename", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("basis", Text, nullable=False),
    _text("actor"),
    Column("counts", json_column(), nullable=False),
    sqlite_autoincrement=True,
)
