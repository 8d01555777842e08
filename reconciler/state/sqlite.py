"""One SQLite file, to read without a trace or to write durably. The only place that knows SQLite."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, NullPool, QueuePool, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.util import LRUCache

from reconciler.model.errors import StateError
from reconciler.state.migrate import is_empty, migrate, require_head
from reconciler.state.schema import metadata
from reconciler.state.sqlite_file import Traces, connect, settled
from reconciler.state.sqlite_trouble import translated

T = TypeVar("T")

#: How long, in seconds, one writer waits for another; a transaction of ours takes milliseconds.
BUSY_TIMEOUT: Final = 15.0
_PAUSE: Final = 0.01

_READING: Final = "reconciler_reading"

_COMPILED: Final = LRUCache[Any, Any](500)


class ReadOnlyFile:
    """Reads the file as :mod:`reconciler.state.sqlite_file` does, and changes nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._live, self._whole = (
            _engine(partial(connect, path, live=live, patience=BUSY_TIMEOUT)) for live in (True, False)
        )

    def read(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` gives. A database that is not there, or that is empty, reads as empty tables."""
        return settled(self._path, lambda traces: self._once(work, traces), SQLAlchemyError)

    def _once(self, work: Callable[[Connection], T], traces: Traces) -> T:
        if traces.file is None:
            return in_memory(work)
        with _connected(self._live if traces.live else self._whole) as connection:
            if not is_empty(connection):
                require_head(connection)
                return work(connection)
        return in_memory(work)


class WritableFile:
    """Writes the file durably: WAL, ``synchronous=FULL``, one writer at a time.

    Where the file was removed or replaced meanwhile it does nothing more: what it still holds open is nobody
    else's, so its lease keeps nobody out, and what it records is lost.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with translated(path, SQLAlchemyError):
            _create(path)
            self._file = _identity(path)
            opened = partial(sqlite3.connect, str(path), timeout=BUSY_TIMEOUT, check_same_thread=False)
            self._engine = _engine(opened, durable=True)
            try:
                self.write(migrate)
            except BaseException:
                self.close()  # whatever ended it, nobody else can let go of the file
                raise

    def read(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` gives, within one snapshot that waits for no writer."""
        with translated(self._path, SQLAlchemyError), _connected(self._engine) as connection:
            self._require_there()
            return work(connection)

    def write(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` gives, in one transaction that no other writer can interleave with."""
        with translated(self._path, SQLAlchemyError), self._engine.begin() as connection:
            self._require_there()
            return work(connection)

    def now(self, connection: Connection) -> datetime:
        """The present moment by this machine's clock: a file with shared memory has no other."""
        del connection
        return datetime.now(UTC)

    def _require_there(self) -> None:
        if _identity(self._path) != self._file:
            raise StateError(
                f"the state {self._path} was removed or replaced while it was in use",
                hint="run it again: it continues from what stands there now, and reads the runtimes anew",
            )

    def close(self) -> None:
        """Let go of the file; the last to do so folds the journal into it."""
        self._engine.dispose()


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file has this name now; ``None`` where none has."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _create(path: Path) -> None:
    """The file, readable by its owner alone, and its folder; what is there stays as it is."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    Traces.of(path)


def _engine(connect: Callable[[], Any], *, durable: bool = False) -> Engine:
    """An engine whose transactions are SQLite's own, not the driver's guess at them.

    https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#pysqlite-serializable
    """
    like, pool = _like(), QueuePool if durable else NullPool
    engine = Engine(
        pool(connect, dialect=like.dialect),
        like.dialect,
        like.url,
        hide_parameters=True,
        execution_options={"compiled_cache": _COMPILED},
    )

    def prepare(raw: sqlite3.Connection, _record: object) -> None:
        raw.isolation_level = None
        raw.execute("PRAGMA foreign_keys=ON")
        if durable:
            _require_wal(raw)
            raw.execute("PRAGMA synchronous=FULL")

    def begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get(_READING)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return engine


@cache
def _like() -> Engine:
    """What all engines are made after: they share its dialect, by which SQLAlchemy finds what it compiled.

    Compiling takes half a millisecond a statement, and every pass opens its files anew.
    """
    engine = sa.create_engine("sqlite://", creator=partial(sqlite3.connect, ":memory:"), poolclass=NullPool)
    engine.connect().close()  # teaches the dialect which SQLite this is
    return engine


def _require_wal(raw: sqlite3.Connection) -> None:
    """Have WAL, on which readers rely; a file system without shared memory silently keeps another mode."""
    if _write_ahead(raw) != "wal":
        raise StateError(
            "the file system of the state cannot share memory between processes, as a write-ahead log needs",
            hint="name a file on a local disk with --state",
        )


def _write_ahead(raw: sqlite3.Connection) -> str:
    """The journal mode after asking for WAL, which one process alone can switch on.

    SQLite refuses the others at once, whatever their ``timeout``: two who waited for each other's
    locks would wait for ever. Here they let go of theirs and ask again.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            (mode,) = raw.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)
        else:
            return str(mode)


def _connected(engine: Engine) -> Connection:
    return engine.connect().execution_options(**{_READING: True})


def in_memory(work: Callable[[Connection], T]) -> T:
    """What ``work`` gives over tables that hold nothing: a state that nobody has written to yet."""
    with _engine(partial(sqlite3.connect, ":memory:")).begin() as connection:
        metadata.create_all(connection)
        return work(connection)
