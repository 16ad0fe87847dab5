"""A subscriber's address is theirs for good: triggers refuse another, and leave only its erasure.

An address is one subscriber's (`uq_subscribers_address`), and each subscriber is in an issue once
(`uq_issue_recipients_subscriber_id_issue_id`). Were an address to go from one subscriber to another while an issue is
frozen, both could be frozen with it. As none does, no address is twice in an issue, without an index of the addresses
of all issues, which takes as long to write as everything else of a row.
"""

from __future__ import annotations

from sqlalchemy.engine import Connection

from syndicate.storage.triggers import postgresql_function, sqlite_triggers

_OTHER = "NEW.address IS NOT NULL AND NEW.address IS {} OLD.address"
_WHY = "a subscriber keeps their address: who has another is another subscriber"


def install(connection: Connection) -> None:
    """Puts the triggers in their place. After every migration, as `counting.install`."""
    if connection.dialect.name == "sqlite":
        refuse = f"WHEN {_OTHER.format('NOT')} BEGIN SELECT RAISE(ABORT, '{_WHY}'); END"
        statements = sqlite_triggers({"keep_address": f"BEFORE UPDATE OF address ON subscribers {refuse}"})
    else:
        refuse = f"RAISE EXCEPTION '{_WHY}' USING ERRCODE = 'integrity_constraint_violation'"
        statements = [
            postgresql_function("refuse_other_address", refuse),
            "DROP TRIGGER IF EXISTS keep_address ON subscribers",
            "CREATE TRIGGER keep_address BEFORE UPDATE OF address ON subscribers FOR EACH ROW"
            f" WHEN ({_OTHER.format('DISTINCT FROM')}) EXECUTE FUNCTION refuse_other_address()",
        ]
    for statement in statements:
        connection.exec_driver_sql(statement)
