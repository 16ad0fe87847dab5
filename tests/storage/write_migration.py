"""Writes a migration from what differs between tables.py and the steps so far.

    python -m tests.storage.write_migration              versions/0001_tables.py anew (only while nothing is released)
    python -m tests.storage.write_migration "Say why"    the next step, to be read and corrected by its author

A test then proves on both databases that the steps equal the tables.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from alembic.autogenerate import RevisionContext
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.operations import ops
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

from syndicate.storage.columns import Moment
from syndicate.storage.database import open_database
from syndicate.storage.migrations import VERSIONS, revisions
from syndicate.storage.tables import metadata


def main(message: str = "") -> Path:
    """Writes the file and says where."""
    if not message:
        for old in VERSIONS.glob("0001_*.py"):
            old.unlink()
    known = revisions()
    config = Config()
    config.set_main_option("script_location", "syndicate.storage:migrations")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    script = ScriptDirectory.from_config(config)
    arguments: dict[str, Any] = {
        "message": message or "Tables",
        "autogenerate": True,
        "sql": False,
        "head": "head",
        "splice": False,
        "branch_label": None,
        "version_path": None,
        "rev_id": f"{len(known) + 1:04}",
        "depends_on": None,
    }
    revision = RevisionContext(config, script, arguments)

    def compare(rev: Any, context: Any) -> list[Any]:
        revision.run_autogenerate(rev, context)
        return []

    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/empty.db")
        if known:
            database.upgrade()
        with EnvironmentContext(config, script, fn=compare) as environment, database.write() as connection:
            environment.configure(
                connection=connection, target_metadata=metadata, render_item=render_item, render_as_batch=bool(known)
            )
            environment.run_migrations()
        database.dispose()
    for directive in revision.generated_revisions:
        assert isinstance(directive, ops.MigrationScript)
    [written] = [each for each in revision.generate_scripts() if each is not None]
    path = Path(written.path)
    text = re.sub(r"^ *# #+ .*\n", "", path.read_text(), flags=re.MULTILINE)
    # Read back from SQLite, where false is 0; PostgreSQL takes only a boolean.
    path.write_text(re.sub(r"(sa\.Boolean\(\), server_default=)sa\.text\([\"']0[\"']\)", r"\1sa.false()", text))
    subprocess.run([sys.executable, "-m", "ruff", "format", "-q", str(path)], check=True)
    subprocess.run([sys.executable, "-m", "ruff", "check", "-q", "--fix", str(path)], check=True)
    return path


def render_item(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """The house's own column types, which Alembic would spell by their insides."""
    if kind != "type":
        return False
    if isinstance(item, Moment):
        return "Moment()"
    if isinstance(item, sa.JSON):
        return "json_column()"
    return False


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
