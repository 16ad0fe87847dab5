"""Motion and pages"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from syndicate.storage.columns import Moment, json_column

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("began_at", Moment(), nullable=False),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("webhook_began_at", Moment(), nullable=True),
        sa.Column("webhook_ended_at", Moment(), nullable=True),
        sa.Column("webhook_tried_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_alerts")),
        comment="What should have happened and did not. Told once when it begins and once when it ends.",
    )
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.create_index("ix_alerts_ended_at", ["ended_at"], unique=False)

    op.create_table(
        "api_tokens",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=20), nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("created_by", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("used_at", Moment(), nullable=True),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_tokens_token_hash")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audience_counts",
        sa.Column("newsletter", sa.String(length=80), nullable=False),
        sa.Column("cadence", sa.String(length=80), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("suppressed", sa.Boolean(), nullable=False),
        sa.Column("timezone", sa.String(length=60), nullable=False),
        sa.Column("pause_ends", sa.String(length=10), nullable=False),
        sa.Column("people", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "newsletter", "cadence", "status", "suppressed", "timezone", "pause_ends", name=op.f("pk_audience_counts")
        ),
        comment="How many subscriptions there are of each kind, without those of erased people. Triggers keep it in the transaction of each change (see storage/counting.py), so that nothing else has to count people.",
    )
    op.create_table(
        "journal_owed",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_owed")),
        comment="What is committed and not yet in the journal of suppressions: it allows mail again.",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("session", sa.Text(), server_default="", nullable=False),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
        comment="Who leads in what only one may do at a time: `session` names its connections, each has a term of its own.",
    )
    op.create_table(
        "rate_limits",
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("tat", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rate_limits")),
        comment="Token buckets that every process shares.",
    )
    op.create_table(
        "suppression_journals",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_suppression_journals")),
        comment="How much of each journal of suppressions (`.syndicate/suppressions.log`) this database has taken in.",
    )
    op.create_table(
        "transactional_mails",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("request_key", sa.String(length=80), nullable=False),
        sa.Column("to_email", sa.String(length=320), nullable=False),
        sa.Column("to_name", sa.Text(), server_default="", nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("headers", json_column(), server_default="[]", nullable=False),
        sa.Column("subscriber_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("generation", sa.Integer(), server_default="0", nullable=False),
        sa.Column("api", sa.Text(), server_default="", nullable=False),
        sa.Column("account", sa.Text(), server_default="", nullable=False),
        sa.Column("sha256", sa.String(length=64), server_default="", nullable=False),
        sa.Column("retry_at", Moment(), nullable=True),
        sa.Column("first_posted_at", Moment(), nullable=True),
        sa.Column("posted_at", Moment(), nullable=True),
        sa.Column("vendor_id", sa.String(length=200), server_default="", nullable=False),
        sa.Column("worker_id", sa.Text(), server_default="", nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transactional_mails")),
        sa.UniqueConstraint("request_key", name=op.f("uq_transactional_mails_request_key")),
        comment="Mails to one person outside of any issue: confirmations, previews to editors, alerts, tests.",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("transactional_mails", schema=None) as batch_op:
        batch_op.create_index("ix_transactional_mails_state_retry_at", ["state", "retry_at"], unique=False)
        batch_op.create_index("ix_transactional_mails_subscriber_id", ["subscriber_id"], unique=False)
        batch_op.create_index("ix_transactional_mails_vendor_id", ["vendor_id"], unique=False)

    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("password_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("email", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("removed_at", Moment(), nullable=True),
        sa.Column("signed_in_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "pushed_articles",
        sa.Column("source", sa.String(length=80), nullable=False),
        sa.Column("key", sa.String(length=1024), nullable=False),
        sa.Column("content", json_column(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("pushed_at", Moment(), nullable=False),
        sa.Column("removed_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["source"], ["sources.name"], name=op.f("fk_pushed_articles_source_sources")),
        sa.PrimaryKeyConstraint("source", "key", name=op.f("pk_pushed_articles")),
        comment="What a push source holds: as sent, so that it can be read again like a folder.",
    )
    op.create_table(
        "sign_in_links",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("used_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sign_in_links_user_id_users")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sign_in_links")),
        comment="One-time links by which a person chooses a password.",
    )
    op.create_table(
        "user_sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_sessions_user_id_users")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_user_sessions")),
        comment="Who is signed in. The cookie holds the token, this table its hash.",
    )
    with op.batch_alter_table("user_sessions", schema=None) as batch_op:
        batch_op.create_index("ix_user_sessions_user_id", ["user_id"], unique=False)

    op.create_table(
        "feed_removals",
        sa.Column("feed", sa.String(length=80), nullable=False),
        sa.Column("article_id", sa.String(length=45), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name=op.f("fk_feed_removals_article_id_articles")),
        sa.ForeignKeyConstraint(["feed"], ["feeds.name"], name=op.f("fk_feed_removals_feed_feeds")),
        sa.PrimaryKeyConstraint("feed", "article_id", name=op.f("pk_feed_removals")),
        comment="Retracted articles that a feed has shown: its tombstones (RFC 6721).",
    )
    with op.batch_alter_table("article_revisions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("note", sa.Text(), server_default="", nullable=False))

    with op.batch_alter_table("articles", schema=None) as batch_op:
        batch_op.add_column(sa.Column("retracted_at", Moment(), nullable=True))
        batch_op.add_column(sa.Column("retraction", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("corrections", json_column(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("overrides", json_column(), server_default="{}", nullable=False))
        batch_op.drop_index(
            batch_op.f("ix_articles_page_due"),
            sqlite_where=sa.text(
                "page_revision<>CASE WHEN status='released' AND (url IS NULL OR page_revision>0) THEN revision ELSE 0 END"
            ),
        )
        batch_op.create_index(
            "ix_articles_page_to_write",
            ["id"],
            unique=False,
            sqlite_where=sa.text(
                "page_revision<>CASE WHEN status='released' AND (url IS NULL OR page_revision<>0) THEN revision WHEN status='gone' AND published_at IS NOT NULL AND (url IS NULL OR page_revision<>0) THEN -revision ELSE 0 END"
            ),
            postgresql_where=sa.text(
                "page_revision<>CASE WHEN status='released' AND (url IS NULL OR page_revision<>0) THEN revision WHEN status='gone' AND published_at IS NOT NULL AND (url IS NULL OR page_revision<>0) THEN -revision ELSE 0 END"
            ),
        )
        batch_op.create_index("ix_articles_source_arrived_at", ["source", "arrived_at"], unique=False)

    with op.batch_alter_table("audit_log", schema=None) as batch_op:
        batch_op.create_index("ix_audit_log_actor_id", ["actor", "id"], unique=False)
        batch_op.create_index("ix_audit_log_subject_id", ["subject", "id"], unique=False)

    with op.batch_alter_table("batches", schema=None) as batch_op:
        batch_op.add_column(sa.Column("proof", sa.Text(), server_default="", nullable=False))

    with op.batch_alter_table("cadences", schema=None) as batch_op:
        batch_op.add_column(sa.Column("horizon_at", Moment(), nullable=True))
        batch_op.add_column(sa.Column("rhythm", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("timezone", sa.Text(), server_default="", nullable=False))

    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.add_column(sa.Column("code", sa.String(length=20), server_default="", nullable=False))
        batch_op.create_index("ix_events_address_hash", ["address_hash"], unique=False)
        batch_op.create_index(
            "ix_events_blocked_at",
            ["received_at"],
            unique=False,
            sqlite_where=sa.text("kind = 'blocked'"),
            postgresql_where=sa.text("kind = 'blocked'"),
        )
        batch_op.create_index("ix_events_issue_id_kind", ["issue_id", "kind"], unique=False)

    with op.batch_alter_table("instance", schema=None) as batch_op:
        batch_op.add_column(sa.Column("quarantine_why", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("stopped_by", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("web_tested_at", Moment(), nullable=True))
        batch_op.add_column(sa.Column("web_tested_url", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("mail_failing_since", Moment(), nullable=True))
        batch_op.add_column(sa.Column("mail_failed_at", Moment(), nullable=True))
        batch_op.add_column(sa.Column("standby_since", Moment(), nullable=True))
        batch_op.add_column(sa.Column("clock_at", Moment(), nullable=True))
        batch_op.add_column(sa.Column("clock_held", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("clock_seen_at", Moment(), nullable=True))
        batch_op.add_column(sa.Column("clock_go_on_at", Moment(), nullable=True))

    with op.batch_alter_table("issues", schema=None) as batch_op:
        batch_op.add_column(sa.Column("edits", json_column(), server_default="{}", nullable=False))
        batch_op.add_column(sa.Column("forgotten_at", Moment(), nullable=True))
        batch_op.add_column(sa.Column("reach", json_column(), nullable=True))
        batch_op.add_column(sa.Column("standing_seen", json_column(), nullable=True))

    with op.batch_alter_table("slots", schema=None) as batch_op:
        batch_op.add_column(sa.Column("settled_at", Moment(), nullable=True))
        batch_op.create_index("ix_slots_issue_id", ["issue_id"], unique=False)
        batch_op.create_index("ix_slots_state_due_at", ["state", "due_at"], unique=False)

    with op.batch_alter_table("subscribers", schema=None) as batch_op:
        batch_op.create_index("ix_subscribers_name", ["name"], unique=False)

    with op.batch_alter_table("subscriptions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("paused_until", Moment(), nullable=True))
        batch_op.create_index(
            "ix_subscriptions_newsletter_paused_until",
            ["newsletter", "paused_until"],
            unique=False,
            sqlite_where=sa.text("paused_until IS NOT NULL"),
            postgresql_where=sa.text("paused_until IS NOT NULL"),
        )

    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("seen_at", Moment(), nullable=True))
