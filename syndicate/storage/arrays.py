"""Many values in one parameter. PostgreSQL's driver takes longer to spell a statement with hundreds of parameters than
the server takes to answer it, and SQLite longer to read one that is new than to answer one it knows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.types import TypeDecorator


class Listed(TypeDecorator[Sequence[str | int]]):
    """A list that goes to the database as the text of its JSON, which Python's own writer takes far longer to write."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[str | int] | None, dialect: Dialect) -> str:
        return to_json(value).decode()


def any_of(column: sa.Column[Any], name: str, dialect: str) -> sa.ColumnElement[bool]:
    """Whether the column holds one of the values that come as the list `name` when the statement is executed: so it can
    be made once for that dialect."""
    if dialect == "sqlite":
        told = sa.func.json_each(sa.bindparam(name, type_=Listed)).table_valued("value", name=f"told_{name}")
        return column.in_(sa.select(told.c.value))
    # As JSON: the driver takes three times as long to spell an array.
    listed = sa.cast(sa.bindparam(name, type_=Listed), postgresql.JSONB)
    texts = sa.select(sa.func.jsonb_array_elements_text(listed))
    array = sa.func.array(texts.scalar_subquery(), type_=postgresql.ARRAY(sa.Text))
    return column == sa.any_(sa.cast(array, postgresql.ARRAY(column.type)))


def among(connection: Connection, column: sa.Column[Any], values: Iterable[Any]) -> sa.ColumnElement[bool]:
    """Whether the column holds one of the values."""
    if connection.dialect.name == "sqlite":
        return column.in_(list(values))
    return column == sa.any_(sa.literal(list(values), postgresql.ARRAY(column.type)))
