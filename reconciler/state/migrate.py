"""Which schema a database has, and how to bring it to ours."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

from reconciler.state import revisions
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
        raise revisions.not_ours()
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all()
    return revisions.one_of(found, REVISIONS)


def require_head(connection: Connection) -> None:
    """Raise :class:`StateError` unless the schema is exactly ours. For readers, who never migrate."""
    revisions.require(revision(connection), HEAD)


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
