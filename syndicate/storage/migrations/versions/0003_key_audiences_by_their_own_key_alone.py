"""Key audiences by their own key alone"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # On PostgreSQL a table has no number of the row beside its key.
    if op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table(
            "issue_recipients", recreate="always", table_kwargs={"sqlite_with_rowid": False}
        ):
            pass
