"""Standing changes"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "standing_changes",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_standing_changes")),
        comment="Whose suppression, erasure, subscription or pause changed, for the issues under way: triggers write it in the transaction of each change (see storage/standing_changes.py).",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("issues", schema=None) as batch_op:
        batch_op.add_column(sa.Column("standing_mark", sa.BigInteger(), nullable=True))
    # An audience is kept by its key alone; on PostgreSQL a table has no number of the row beside it.
    if op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table(
            "issue_recipients", recreate="always", table_kwargs={"sqlite_with_rowid": False}
        ):
            pass
