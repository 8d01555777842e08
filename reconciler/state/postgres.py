"""One PostgreSQL database, to read without a trace or to write durably. The only place that knows it.

It gives what :mod:`reconciler.state.sqlite` gives. A write begins with an advisory lock that ends
with its transaction, so writers come one at a time, the first migration included, and each sees all
that the one before it did. Whoever stops in the middle (a paused process, a host that is gone) is
put out by the server, so nobody waits for it for ever. Nothing is kept in the session between two
transactions, so a pooler such as PgBouncer may stand in between.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeVar

import psycopg
import sqlalchemy as sa
from psycopg.types.json import set_json_dumps
from sqlalchemy import Connection, Engine, NullPool, Pool, QueuePool, event
from sqlalchemy.exc import SQLAlchemyError

from reconciler.state.address import Address, parse
from reconciler.state.migrate import is_empty, migrate, require_head
from reconciler.state.postgres_trouble import no_schema, translated
from reconciler.state.sqlite import in_memory

__all__ = ["ReadOnlyServer", "WritableServer", "parse"]

T = TypeVar("T")

#: How long, in seconds, one writer waits for another; a transaction of ours takes milliseconds.
PATIENCE: Final = 15.0
#: Part of ``PATIENCE`` after which a writer that says nothing more is put out: before others give up.
_SILENCE: Final = 0.6
#: Ours among the advisory locks of a database: the first eight bytes of SHA-256 of "reconciler".
_LOCK: Final = 0x42303C2DEAC35DE6

_READING: Final = "reconciler_reading"
_SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


class ReadOnlyServer:
    """Reads the database in transactions in which the server refuses every write. Takes no lock."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._engine = _engine(address, NullPool)

    def read(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` gives. A database without tables reads as empty ones."""
        with translated(self._address, SQLAlchemyError), _connected(self._engine) as connection:
            _require_schema(connection)
            if not is_empty(connection):
                require_head(connection)
                return work(connection)
        return in_memory(work)


class WritableServer:
    """Writes the database durably, one writer at a time. ``patience`` is in seconds."""

    def __init__(self, address: Address, *, patience: float = PATIENCE) -> None:
        self._address = address
        self._engine = _engine(address, QueuePool, patience=patience)
        try:
            self.write(_prepared)
        except BaseException:
            self.close()  # whatever ended it, nobody else can let go of the connection
            raise

    def read(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` gives, within one snapshot that waits for no writer."""
        with translated(self._address, SQLAlchemyError), _connected(self._engine) as connection:
            return work(connection)

    def write(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` gives, in one transaction that no other writer can interleave with."""
        with translated(self._address, SQLAlchemyError), self._engine.begin() as connection:
            return work(connection)

    def now(self, connection: Connection) -> datetime:
        """The present moment by the server's clock, which every host that shares it sees."""
        moment: datetime = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
        return moment.astimezone(UTC)

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()


def _prepared(connection: Connection) -> None:
    _require_schema(connection)
    migrate(connection)


def _require_schema(connection: Connection) -> None:
    """Have a schema to work in: without one every table seems to be absent."""
    if connection.execute(sa.text("SELECT current_schema()")).scalar_one() is None:
        raise no_schema()


def _engine(address: Address, pool: type[Pool], *, patience: float = PATIENCE) -> Engine:
    engine = sa.create_engine(
        "postgresql+psycopg://",  # the address never enters it, so nothing of SQLAlchemy's can show it
        creator=partial(_connect, address),
        poolclass=pool,
        pool_pre_ping=pool is QueuePool,  # a server that was restarted between two passes is no error
        hide_parameters=True,
        use_native_hstore=False,
    )
    writing = _writing(patience)

    def begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get(_READING)
        connection.exec_driver_sql(_SNAPSHOT if reading else writing)

    event.listen(engine, "begin", begin)
    return engine


def _connect(address: Address) -> psycopg.Connection[Any]:
    # No prepared statements on the server: they would belong to a session that a pooler hands around.
    connection = psycopg.connect(address.conninfo, client_encoding="utf8", prepare_threshold=None)
    set_json_dumps(_json, connection)
    return connection


def _json(value: object) -> str:
    """``value`` for a JSON column. Raise ``ValueError`` for what is none; the driver lets it through."""
    try:
        return json.dumps(value)
    except TypeError as error:
        raise ValueError("what is to be kept is no JSON") from error


def _writing(patience: float) -> str:
    """How a write begins: limits first, then the lock for which it may have to wait.

    READ COMMITTED, so that what is read after the lock was waited for is what its last holder left.
    ``synchronous_commit`` may be stronger than ``on``, and is only ever raised: an intent that a
    power cut takes back was never recorded.
    """
    milliseconds = int(patience * 1000)
    return (
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; "
        f"SET LOCAL lock_timeout = {milliseconds}; "
        f"SET LOCAL statement_timeout = {2 * milliseconds}; "
        f"SET LOCAL idle_in_transaction_session_timeout = {int(milliseconds * _SILENCE)}; "
        "SELECT set_config('synchronous_commit', 'on', true)"
        " WHERE current_setting('synchronous_commit') = 'off'; "
        f"SELECT pg_advisory_xact_lock({_LOCK})"
    )


def _connected(engine: Engine) -> Connection:
    return engine.connect().execution_options(**{_READING: True})
