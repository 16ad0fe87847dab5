"""Many values in one parameter. PostgreSQL's driver takes longer to spell a statement with hundreds of parameters than
the server takes to answer it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection


def among(connection: Connection, column: sa.Column[Any], values: Iterable[Any]) -> sa.ColumnElement[bool]:
    """Whether the column holds one of the values."""
    if connection.dialect.name == "sqlite":
        return column.in_(list(values))
    return column == sa.any_(sa.literal(list(values), postgresql.ARRAY(column.type)))
