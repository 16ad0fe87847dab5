"""How triggers that count are put in place: row by row on SQLite, once for all rows of a statement on PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping

# Plans are kept for the whole session. One that was made while the tables were empty would read all of them, for each
# statement of the import that fills them: so from what changed each row's other is looked up by its key (OFFSET 0 keeps
# the planner from turning that around), and by an index.
BY_INDEX = "SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off"

_ADDED, _REMOVED = "NEW TABLE AS added", "OLD TABLE AS removed"
_AFTER = {
    "added": ("AFTER INSERT", _ADDED),
    "removed": ("AFTER DELETE", _REMOVED),
    # With rows of before and after no columns can be named here.
    "changed": ("AFTER UPDATE", f"{_REMOVED} {_ADDED}"),
    "moved": ("AFTER UPDATE", f"{_REMOVED} {_ADDED}"),
}
"""When such a trigger of PostgreSQL runs, and what it sees of the rows that a statement wrote, and of what was there
before."""


def sqlite_triggers(bodies: Mapping[str, str]) -> list[str]:
    """The statements that make these triggers (name → everything behind it), or make them anew."""
    return [
        statement
        for name, body in bodies.items()
        for statement in (f"DROP TRIGGER IF EXISTS {name}", f"CREATE TRIGGER {name} {body}")
    ]


def postgresql_function(name: str, body: str, options: str = "") -> str:
    """The statement that makes the function which a trigger calls."""
    begin = f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql {options}"
    return f"{begin} AS $$ BEGIN {body}; RETURN NULL; END $$"


def postgresql_trigger(name: str, when: str, table: str, calls: str, rows: str = "") -> list[str]:
    """The statements that make a trigger, or make it anew; `rows` says what it sees."""
    begin = f"CREATE TRIGGER {name} {when} ON {table} {f'REFERENCING {rows}' if rows else ''}"
    return [f"DROP TRIGGER IF EXISTS {name} ON {table}", f"{begin} FOR EACH STATEMENT EXECUTE FUNCTION {calls}()"]


def postgresql_triggers(verb: str, table: str, bodies: Mapping[str, str], *, noun: str = "", by: str = "") -> list[str]:
    """The statements that make the triggers `VERB_HOW` of a table, where how is "added", "removed", "changed" or
    "moved", and the functions `VERB_NOUN_HOW` of these bodies (how → body) that they call. The noun is the table's name
    unless another is given; `by` are options of the functions."""
    statements = []
    for how, body in bodies.items():
        name = f"{verb}_{noun or table}_{how}"
        statements.append(postgresql_function(name, body, by))
        statements += postgresql_trigger(f"{verb}_{how}", _AFTER[how][0], table, name, _AFTER[how][1])
    return statements
