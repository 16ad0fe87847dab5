"""What feeds said"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.batch_alter_table("source_items", schema=None) as batch_op:
        batch_op.add_column(sa.Column("received", sa.Text(), server_default="", nullable=False))
