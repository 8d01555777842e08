"""Which schema a database has, and how to bring it to ours."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

from reconciler.model.errors import StateError
from reconciler.state.schema import HEAD, REVISIONS

_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def is_empty(connection: Connection) -> bool:
    """Whether there is no table at all: a database that nobody has written to yet."""
    return not sa.inspect(connection).get_table_names()


def revision(connection: Connection) -> str:
    """The schema revision of a database that is not empty, always one of ``REVISIONS``.

    Raise :class:`StateError` when the database is not ours, or was written by a newer release.
    """
    if not sa.inspect(connection).has_table("alembic_version"):
        raise StateError(
            "the state database holds tables, but not this tool's",
            hint="name another --state (a file, a database, or a schema by search_path); nothing was touched",
        )
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all()
    if len(found) == 1 and found[0] in REVISIONS:
        return str(found[0])
    raise StateError(
        f"the state has a schema that this release does not know (it knows up to {HEAD})",
        hint="it was written by a newer release: upgrade reconciler here, or name another --state",
    )


def require_head(connection: Connection) -> None:
    """Raise :class:`StateError` unless the schema is exactly ours. For readers, who never migrate."""
    found = revision(connection)
    if found != HEAD:
        raise StateError(
            f"the state has schema {found}, this release reads {HEAD}",
            hint="run `reconcile` (an apply) once: it migrates the state, which a dry run never does",
        )


def migrate(connection: Connection) -> None:
    """Bring the database to ``HEAD`` within the caller's transaction: wholly, or not at all."""
    if not is_empty(connection) and revision(connection) == HEAD:
        return
    from alembic import command  # noqa: PLC0415 - heavy, and needed only when something is to migrate
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
