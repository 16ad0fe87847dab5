"""Each reader once"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    # SQLite copies the table, which has to stay one that is kept by its key alone.
    with op.batch_alter_table("issue_recipients", table_kwargs={"sqlite_with_rowid": False}) as batch_op:
        batch_op.drop_index("ix_issue_recipients_subscriber_id_issue_id")
        batch_op.drop_index("uq_issue_recipients_issue_id_address")
        batch_op.create_index("uq_issue_recipients_subscriber_id_issue_id", ["subscriber_id", "issue_id"], unique=True)
        batch_op.drop_constraint("fk_issue_recipients_issue_id_issues", type_="foreignkey")
