"""Alembic's entry: migrates on the connection, and in the transaction, that the caller holds."""

from __future__ import annotations

from alembic import context

from reconciler.state.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
