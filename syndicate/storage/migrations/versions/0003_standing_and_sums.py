"""Standing and sums"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "ledger_counts",
        sa.Column(
            "issue_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("batches", sa.BigInteger(), nullable=False),
        sa.Column("people", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("issue_id", "state", "slot", name=op.f("pk_ledger_counts")),
        comment="How many batches and people of each issue are where. Triggers keep it in the transaction of each change (see storage/ledger_counting.py), so that nothing else has to add up batches.",
    )
    op.create_table(
        "standing_changes",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_standing_changes")),
        comment="Whose suppression, erasure, subscription or pause changed, for the issues under way: triggers write it in the transaction of each change (see storage/standing_changes.py).",
        sqlite_autoincrement=True,
    )
    # Everybody is counted anew after the last step.
    op.drop_table("audience_counts")
    op.create_table(
        "audience_counts",
        sa.Column("newsletter", sa.String(length=80), nullable=False),
        sa.Column("pause_ends", sa.String(length=14), nullable=False),
        sa.Column("cadence", sa.String(length=80), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("suppressed", sa.Boolean(), nullable=False),
        sa.Column("timezone", sa.String(length=60), nullable=False),
        sa.Column("people", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "newsletter", "pause_ends", "cadence", "status", "suppressed", "timezone", name=op.f("pk_audience_counts")
        ),
        comment="How many subscriptions there are of each kind, without those of erased people. Triggers keep it in the transaction of each change (see storage/counting.py), so that nothing else has to count people.",
    )
    with op.batch_alter_table("audit_log", schema=None) as batch_op:
        batch_op.create_index("ix_audit_log_action_id", ["action", "id"], unique=False)

    with op.batch_alter_table("issues", schema=None) as batch_op:
        batch_op.add_column(sa.Column("standing_mark", sa.BigInteger(), nullable=True))

    with op.batch_alter_table("recipient_outcomes", schema=None) as batch_op:
        batch_op.create_index(
            "ix_recipient_outcomes_issue_id_outcome_ordinal", ["issue_id", "outcome", "ordinal"], unique=False
        )

    with op.batch_alter_table("subscribers", schema=None) as batch_op:
        batch_op.create_index(
            "ix_subscribers_samples",
            ["id"],
            unique=False,
            sqlite_where=sa.text(
                "substr(address, -8) IN ('@example', '.example') OR substr(address, -12) IN ('@example.com', '.example.com', '@example.net', '.example.net', '@example.org', '.example.org')"
            ),
            postgresql_where=sa.text(
                "right(address, 8) IN ('@example', '.example') OR right(address, 12) IN ('@example.com', '.example.com', '@example.net', '.example.net', '@example.org', '.example.org')"
            ),
        )
    # An audience is kept by its key alone; on PostgreSQL a table has no number of the row beside it.
    if op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table("issue_recipients", recreate="always", table_kwargs={"sqlite_with_rowid": False}):
            pass
