"""Alembic's entry: migrates over the connection, and within the transaction, that it is given."""

from alembic import context

from pipeline_widgets.persistence.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite's tables do change within a transaction, since we send BEGIN ourselves.
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
