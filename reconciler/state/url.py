"""Which kind of database a ``--state`` names. Needs no database library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from reconciler.model.errors import UsageError

_SERVERS: Final = ("postgresql", "postgres", "postgresql+psycopg")


def on_server(url: str) -> bool:
    """Whether ``url`` names a PostgreSQL database; ``False`` for a file.

    Raise :class:`UsageError` for any other scheme; a URL is never quoted, it could hold a password.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme == "sqlite":
        return False
    if scheme in _SERVERS:
        return True
    raise UsageError(
        "--state names neither a SQLite file nor a PostgreSQL database",
        hint="write a path, sqlite:///path/to/state.db, or postgresql://user@host/database",
    )


@contextmanager
def driver() -> Iterator[None]:
    """Say what to install when the driver for servers, or the library under it, is not there."""
    try:
        yield
    except ImportError:
        raise UsageError(
            "--state names a PostgreSQL database, and the driver for it is not installed",
            hint="install it with: pip install 'reconciler[postgres]'",
        ) from None
