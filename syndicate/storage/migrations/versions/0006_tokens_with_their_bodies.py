"""Tokens with their bodies"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from syndicate.storage.columns import Moment

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "request_tokens",
        sa.Column("token", sa.String(length=250), nullable=False),
        sa.Column("body", sa.String(length=40), nullable=False),
        sa.Column("good_until", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_request_tokens")),
        comment="With which body each token came, of requests that are signed without theirs.",
        sqlite_with_rowid=False,
    )
