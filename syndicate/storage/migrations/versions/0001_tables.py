"""Tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from syndicate.storage.columns import Moment, json_column

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", json_column(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
        comment="`article`: the highest number given. The row's lock is held to commit, so numbers commit in order.",
    )
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("api", sa.String(length=40), nullable=False),
        sa.Column("event_id", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("address_hash", sa.String(length=64), server_default="", nullable=False),
        sa.Column("issue_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("message_id", sa.String(length=200), server_default="", nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("received_at", Moment(), nullable=False),
        sa.Column("raw", json_column(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("api", "event_id", name=op.f("uq_events_api_event_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "feeds",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("definition_hash", sa.String(length=64), server_default="", nullable=False),
        sa.Column("generation", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("published_generation", sa.BigInteger(), server_default="-1", nullable=False),
        sa.Column("published_at", Moment(), nullable=True),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.Column("paused", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("retired", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_feeds")),
        comment="A feed whose generation is ahead of its published one has something to publish.",
    )
    op.create_table(
        "imports",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("counts", json_column(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "instance",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("machine", sa.Text(), server_default="", nullable=False),
        sa.Column("web_url", sa.Text(), server_default="", nullable=False),
        sa.Column("mail_account", sa.Text(), server_default="", nullable=False),
        sa.Column("epoch", sa.Integer(), server_default="0", nullable=False),
        sa.Column("quarantined", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("sending_stopped", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instance")),
        comment="One row: what the database remembers of where it runs.",
    )
    op.create_table(
        "newsletters",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("first_seen_at", Moment(), nullable=False),
        sa.Column("paused", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("retired", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_newsletters")),
    )
    op.create_table(
        "published_files",
        sa.Column("path", sa.String(length=500), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("feed", sa.String(length=80), nullable=True),
        sa.Column("article_id", sa.String(length=45), nullable=True),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_published_files")),
    )
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("retired_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_keys")),
        comment="The newest unretired key signs; all verify, for ever.",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sources",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("first_look_at", Moment(), nullable=True),
        sa.Column("last_look_at", Moment(), nullable=True),
        sa.Column("last_ok_at", Moment(), nullable=True),
        sa.Column("last_new_at", Moment(), nullable=True),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.Column("state", json_column(), server_default="{}", nullable=False),
        sa.Column("paused", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("retired", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_sources")),
    )
    op.create_table(
        "subscribers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=True),
        sa.Column("address_hash", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), server_default="", nullable=False),
        sa.Column("language", sa.String(length=35), server_default="", nullable=False),
        sa.Column("timezone", sa.String(length=60), server_default="", nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("suppressed", sa.String(length=20), server_default="", nullable=False),
        sa.Column("erased_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscribers")),
        sa.UniqueConstraint("address", name=op.f("uq_subscribers_address")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_subscribers_address_hash", "subscribers", ["address_hash"], unique=False)
    op.create_table(
        "suppressions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("address_hash", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("origin", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("lifted_at", Moment(), nullable=True),
        sa.Column("lifted_by", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppressions")),
        comment="Appended, never overwritten; in force while lifted_at is null.",
        sqlite_autoincrement=True,
    )
    op.create_index("ix_suppressions_address_hash", "suppressions", ["address_hash"], unique=False)
    op.create_table(
        "workers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("machine", sa.Text(), server_default="", nullable=False),
        sa.Column("pid", sa.Integer(), server_default="0", nullable=False),
        sa.Column("role", sa.Text(), server_default="", nullable=False),
        sa.Column("lock_key", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("gone_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
        comment="Each live worker holds an flock'd file (SQLite) or an advisory lock (PostgreSQL).",
    )
    op.create_table(
        "articles",
        sa.Column("id", sa.String(length=45), nullable=False),
        sa.Column("source", sa.String(length=80), nullable=False),
        sa.Column("key", sa.String(length=1024), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("hold_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("held_by", sa.Text(), server_default="", nullable=False),
        sa.Column("backlog", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("not_before", Moment(), nullable=True),
        sa.Column("arrived_at", Moment(), nullable=False),
        sa.Column("published_at", Moment(), nullable=True),
        sa.Column("updated_at", Moment(), nullable=True),
        sa.Column("declared_updated_at", Moment(), nullable=True),
        sa.Column("missing_since", Moment(), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), server_default="", nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("section", sa.Text(), server_default="", nullable=False),
        sa.Column("tags", json_column(), server_default="[]", nullable=False),
        sa.Column("authors", json_column(), server_default="[]", nullable=False),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("canonical_url", sa.Text(), server_default="", nullable=False),
        sa.Column("declared_id", sa.Text(), server_default="", nullable=False),
        sa.Column("image", json_column(), nullable=True),
        sa.Column("date", Moment(), nullable=True),
        sa.Column("rights", sa.Text(), server_default="", nullable=False),
        sa.Column("translated_from", sa.Text(), server_default="", nullable=False),
        sa.Column("translated_by", sa.Text(), server_default="", nullable=False),
        sa.Column("origin", sa.Text(), server_default="", nullable=False),
        sa.Column("origin_url", sa.Text(), server_default="", nullable=False),
        sa.Column("breaking", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("left_out", json_column(), server_default="[]", nullable=False),
        sa.Column("suspects", json_column(), server_default="[]", nullable=False),
        sa.Column("text_hash", sa.String(length=64), server_default="", nullable=False),
        sa.Column("page_revision", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["source"], ["sources.name"], name=op.f("fk_articles_source_sources")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_articles")),
        sa.UniqueConstraint("number", name=op.f("uq_articles_number")),
    )
    op.create_index("ix_articles_arrived_at_number_id", "articles", ["arrived_at", "number", "id"], unique=False)
    op.create_index("ix_articles_canonical_url", "articles", ["canonical_url"], unique=False)
    op.create_index("ix_articles_declared_id", "articles", ["declared_id"], unique=False)
    op.create_index(
        "ix_articles_page_due",
        "articles",
        ["id"],
        unique=False,
        sqlite_where=sa.text(
            "page_revision<>CASE WHEN status='released' AND (url IS NULL OR page_revision>0) THEN revision ELSE 0 END"
        ),
        postgresql_where=sa.text(
            "page_revision<>CASE WHEN status='released' AND (url IS NULL OR page_revision>0) THEN revision ELSE 0 END"
        ),
    )
    op.create_index("ix_articles_published_at_id", "articles", ["published_at", "id"], unique=False)
    op.create_index("ix_articles_source_key", "articles", ["source", "key"], unique=False)
    op.create_index(
        "ix_articles_status_arrived_at_source_key", "articles", ["status", "arrived_at", "source", "key"], unique=False
    )
    op.create_index("ix_articles_text_hash", "articles", ["text_hash"], unique=False)
    op.create_table(
        "cadences",
        sa.Column("newsletter", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.Column("first_seen_at", Moment(), nullable=False),
        sa.Column("retired", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["newsletter"], ["newsletters.name"], name=op.f("fk_cadences_newsletter_newsletters")),
        sa.PrimaryKeyConstraint("newsletter", "name", name=op.f("pk_cadences")),
        comment="The row's lock is held while a window is allocated.",
    )
    op.create_table(
        "consents",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("address_hash", sa.String(length=64), nullable=False),
        sa.Column("newsletter", sa.Text(), server_default="", nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("origin", sa.Text(), server_default="", nullable=False),
        sa.Column("basis", sa.Text(), server_default="", nullable=False),
        sa.Column("wording_version", sa.Text(), server_default="", nullable=False),
        sa.Column("ip", sa.Text(), server_default="", nullable=False),
        sa.Column("agent", sa.Text(), server_default="", nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("import_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["import_id"], ["imports.id"], name=op.f("fk_consents_import_id_imports")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
        comment="Append-only proof of why a person is mailed (GDPR art. 7(1)).",
        sqlite_autoincrement=True,
    )
    op.create_index("ix_consents_subscriber_id", "consents", ["subscriber_id"], unique=False)
    op.create_table(
        "issues",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("newsletter", sa.String(length=80), nullable=False),
        sa.Column("cadence", sa.String(length=80), server_default="", nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("request_id", sa.String(length=80), nullable=True),
        sa.Column("lo", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("hi", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("preheader", sa.Text(), server_default="", nullable=False),
        sa.Column("intro", sa.Text(), server_default="", nullable=False),
        sa.Column("audience", json_column(), nullable=False),
        sa.Column("again", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("seal", sa.String(length=64), nullable=True),
        sa.Column("expected", sa.Integer(), nullable=True),
        sa.Column("approved_seal", sa.String(length=64), nullable=True),
        sa.Column("approved_by", sa.Text(), server_default="", nullable=False),
        sa.Column("approved_at", Moment(), nullable=True),
        sa.Column("approved_expected", sa.Integer(), nullable=True),
        sa.Column("send_at", Moment(), nullable=True),
        sa.Column("wall_time", sa.String(length=25), nullable=True),
        sa.Column("drafted_at", Moment(), nullable=False),
        sa.Column("sealed_at", Moment(), nullable=True),
        sa.Column("frozen_at", Moment(), nullable=True),
        sa.Column("started_at", Moment(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("planned", sa.Integer(), nullable=True),
        sa.Column("frozen_through", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("used_articles", sa.String(length=10), server_default="carry", nullable=False),
        sa.Column("created_by", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["newsletter"], ["newsletters.name"], name=op.f("fk_issues_newsletter_newsletters")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issues")),
        sa.UniqueConstraint("request_id", name=op.f("uq_issues_request_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_issues_newsletter_cadence_state", "issues", ["newsletter", "cadence", "state"], unique=False)
    op.create_index("ix_issues_state_send_at", "issues", ["state", "send_at"], unique=False)
    op.create_table(
        "subscriptions",
        sa.Column("subscriber_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("newsletter", sa.String(length=80), nullable=False),
        sa.Column("cadence", sa.String(length=80), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("topics", json_column(), server_default="[]", nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.Column("resume_from", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["newsletter"], ["newsletters.name"], name=op.f("fk_subscriptions_newsletter_newsletters")
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_subscriptions_subscriber_id_subscribers")
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "newsletter", name=op.f("pk_subscriptions")),
    )
    op.create_index(
        "ix_subscriptions_newsletter_cadence_status_subscriber_id",
        "subscriptions",
        ["newsletter", "cadence", "status", "subscriber_id"],
        unique=False,
    )
    op.create_index(
        "ix_subscriptions_newsletter_resume_from",
        "subscriptions",
        ["newsletter", "resume_from"],
        unique=False,
        sqlite_where=sa.text("resume_from IS NOT NULL"),
        postgresql_where=sa.text("resume_from IS NOT NULL"),
    )
    op.create_index(
        "ix_subscriptions_newsletter_status_subscriber_id",
        "subscriptions",
        ["newsletter", "status", "subscriber_id"],
        unique=False,
    )
    op.create_table(
        "article_numbers",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("article_id", sa.String(length=45), nullable=False),
        sa.Column("given_at", Moment(), nullable=False),
        sa.Column("burnt_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name=op.f("fk_article_numbers_article_id_articles")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_article_numbers")),
        comment="Every number ever given. Never reused: a held article that is released again gets a new one.",
    )
    op.create_index("ix_article_numbers_article_id", "article_numbers", ["article_id"], unique=False)
    op.create_table(
        "article_revisions",
        sa.Column("article_id", sa.String(length=45), nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("content", json_column(), nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name=op.f("fk_article_revisions_article_id_articles")),
        sa.PrimaryKeyConstraint("article_id", "revision", name=op.f("pk_article_revisions")),
    )
    op.create_table(
        "batches",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("issue_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("generation", sa.Integer(), server_default="0", nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("api", sa.Text(), server_default="", nullable=False),
        sa.Column("account", sa.Text(), server_default="", nullable=False),
        sa.Column("request_key", sa.Text(), server_default="", nullable=False),
        sa.Column("sha256", sa.String(length=64), server_default="", nullable=False),
        sa.Column("recipients", sa.Integer(), server_default="0", nullable=False),
        sa.Column("worker_id", sa.Text(), server_default="", nullable=False),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_until", Moment(), nullable=True),
        sa.Column("first_posted_at", Moment(), nullable=True),
        sa.Column("posted_at", Moment(), nullable=True),
        sa.Column("settled_at", Moment(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retry_at", Moment(), nullable=True),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("vendor_ids", json_column(), server_default="[]", nullable=False),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name=op.f("fk_batches_issue_id_issues")),
        sa.ForeignKeyConstraint(["parent_id"], ["batches.id"], name=op.f("fk_batches_parent_id_batches")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        sa.UniqueConstraint("issue_id", "first", "last", name=op.f("uq_batches_issue_id_first_last")),
        comment="The recipients of exactly one mail-API request: the ledger's unit.",
        sqlite_autoincrement=True,
    )
    op.create_index("ix_batches_issue_id_state_first", "batches", ["issue_id", "state", "first"], unique=False)
    op.create_index("ix_batches_state_retry_at", "batches", ["state", "retry_at"], unique=False)
    op.create_table(
        "feed_entries",
        sa.Column("feed", sa.String(length=80), nullable=False),
        sa.Column("article_id", sa.String(length=45), nullable=False),
        sa.Column("published_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name=op.f("fk_feed_entries_article_id_articles")),
        sa.ForeignKeyConstraint(["feed"], ["feeds.name"], name=op.f("fk_feed_entries_feed_feeds")),
        sa.PrimaryKeyConstraint("feed", "article_id", name=op.f("pk_feed_entries")),
        comment="Which feeds an article is in.",
    )
    op.create_index("ix_feed_entries_article_id", "feed_entries", ["article_id"], unique=False)
    op.create_index(
        "ix_feed_entries_feed_published_at_article_id",
        "feed_entries",
        ["feed", "published_at", "article_id"],
        unique=False,
    )
    op.create_table(
        "fragments",
        sa.Column("article_id", sa.String(length=45), nullable=False),
        sa.Column("format", sa.String(length=10), nullable=False),
        sa.Column("content", sa.String(length=10), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name=op.f("fk_fragments_article_id_articles")),
        sa.PrimaryKeyConstraint("article_id", "format", "content", "version", name=op.f("pk_fragments")),
        comment="Entries as rendered once by the feed writer, to be stitched into pages.",
    )
    op.create_table(
        "issue_articles",
        sa.Column("issue_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("article_id", sa.String(length=45), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name=op.f("fk_issue_articles_article_id_articles")),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name=op.f("fk_issue_articles_issue_id_issues")),
        sa.PrimaryKeyConstraint("issue_id", "article_id", name=op.f("pk_issue_articles")),
    )
    op.create_index("ix_issue_articles_article_id", "issue_articles", ["article_id"], unique=False)
    op.create_table(
        "issue_recipients",
        sa.Column("issue_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("subscriber_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("name", sa.String(length=200), server_default="", nullable=False),
        sa.Column("variant_key", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name=op.f("fk_issue_recipients_issue_id_issues")),
        sa.PrimaryKeyConstraint("issue_id", "ordinal", name=op.f("pk_issue_recipients")),
        comment="The frozen audience, with snapshots of what the mail needs. Ordinals start at 1 and have no holes.",
    )
    op.create_index(
        "ix_issue_recipients_subscriber_id_issue_id", "issue_recipients", ["subscriber_id", "issue_id"], unique=False
    )
    op.create_index("uq_issue_recipients_issue_id_address", "issue_recipients", ["issue_id", "address"], unique=True)
    op.create_table(
        "issue_revisions",
        sa.Column("issue_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seal", sa.String(length=64), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", json_column(), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name=op.f("fk_issue_revisions_issue_id_issues")),
        sa.PrimaryKeyConstraint("issue_id", "revision", name=op.f("pk_issue_revisions")),
    )
    op.create_table(
        "slots",
        sa.Column("newsletter", sa.String(length=80), nullable=False),
        sa.Column("cadence", sa.String(length=80), nullable=False),
        sa.Column("wall_time", sa.String(length=25), nullable=False),
        sa.Column("due_at", Moment(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("issue_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("claimed_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name=op.f("fk_slots_issue_id_issues")),
        sa.PrimaryKeyConstraint("newsletter", "cadence", "wall_time", name=op.f("pk_slots")),
    )
    op.create_table(
        "source_items",
        sa.Column("source", sa.String(length=80), nullable=False),
        sa.Column("key", sa.String(length=1024), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), server_default="", nullable=False),
        sa.Column("text_hash", sa.String(length=64), server_default="", nullable=False),
        sa.Column("declared_id", sa.Text(), server_default="", nullable=False),
        sa.Column("article_id", sa.String(length=45), nullable=True),
        sa.Column("restored", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.Column("modified_at", Moment(), nullable=True),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.Column("gone_at", Moment(), nullable=True),
        sa.Column("warnings", json_column(), server_default="[]", nullable=False),
        sa.Column("carried", json_column(), nullable=True),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name=op.f("fk_source_items_article_id_articles")),
        sa.ForeignKeyConstraint(["source"], ["sources.name"], name=op.f("fk_source_items_source_sources")),
        sa.PrimaryKeyConstraint("source", "key", name=op.f("pk_source_items")),
        comment="What each source held at the last look, item by item.",
    )
    op.create_index("ix_source_items_article_id", "source_items", ["article_id"], unique=False)
    op.create_table(
        "variants",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("issue_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("article_ids", json_column(), nullable=False),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name=op.f("fk_variants_issue_id_issues")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_variants")),
        sa.UniqueConstraint("issue_id", "revision", "key", name=op.f("uq_variants_issue_id_revision_key")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "batch_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("batch_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("worker_id", sa.Text(), server_default="", nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_batch_log_batch_id_batches")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch_log")),
        comment="Every step of a batch that was not the plain one (planned, sending, accepted).",
        sqlite_autoincrement=True,
    )
    op.create_index("ix_batch_log_batch_id", "batch_log", ["batch_id"], unique=False)
    op.create_table(
        "recipient_outcomes",
        sa.Column("issue_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("batch_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_recipient_outcomes_batch_id_batches")),
        sa.PrimaryKeyConstraint("issue_id", "ordinal", name=op.f("pk_recipient_outcomes")),
        comment="Recipients whose outcome differs from their batch's.",
    )
    op.create_index("ix_recipient_outcomes_batch_id", "recipient_outcomes", ["batch_id"], unique=False)
