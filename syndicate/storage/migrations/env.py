"""Alembic's environment: runs the steps on the connection, and inside the transaction, that `upgrade` hands over."""

from alembic import context

from syndicate.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
