"""One SQLite file, to read without a trace or to write durably. The only place that knows SQLite."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, NullPool, QueuePool, event
from sqlalchemy.exc import SQLAlchemyError

from reconciler.model.errors import StateError, UsageError
from reconciler.state.migrate import is_empty, migrate, require_head
from reconciler.state.schema import metadata
from reconciler.state.sqlite_journal import HEADER, adds_nothing, journal_of
from reconciler.state.sqlite_trouble import translated

T = TypeVar("T")

#: How long, in seconds, one writer waits for another; a transaction of ours takes milliseconds.
BUSY_TIMEOUT: Final = 15.0
#: A reader meets a writer that just comes or goes for microseconds; it tries for a second.
_ATTEMPTS: Final = 100
_PAUSE: Final = 0.01

_READING: Final = "reconciler_reading"


def locate(url: str) -> Path:
    """The absolute path of the SQLite file that ``url`` names.

    ``sqlite:///relative/path.db``, ``sqlite:////absolute/path.db`` or a bare path. Raise
    :class:`UsageError` for anything else.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        path = url
    elif scheme == "sqlite" and rest.startswith("/") and "?" not in rest:
        path = rest[1:]
    else:
        raise UsageError(
            "--state names no file that SQLite could keep the state in",
            hint="write sqlite:///path/to/state.db or a path, without a host or options",
        )
    if not path.strip() or path.startswith(":memory:") or "\0" in path:
        raise UsageError(
            "--state names no file; the state must outlive the process",
            hint="write sqlite:///path/to/state.db or a path",
        )
    return Path(path).expanduser().absolute()


class ReadOnlyFile:
    """Reads the file and changes nothing: no file, folder, journal or shared memory is made.

    SQLite would create ``-wal`` and ``-shm`` beside a database in WAL mode even for a reader.
    So: while a writer lives, or after one was killed, both are there and are read as they are
    (``readonly_shm``); else the file is whole by itself and is read as ``immutable``, and read
    again if a writer came meanwhile. So it is beside a journal without a page: one of a header
    alone, left by a writer that was killed there, SQLite retries for ten seconds and then fails.
    And so it is beside a journal without its index that adds nothing to it.
    See https://www.sqlite.org/wal.html#readonly and https://www.sqlite.org/uri.html.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._live = self._opened_with("readonly_shm=1")
        self._whole = self._opened_with("immutable=1")

    def _opened_with(self, option: str) -> Engine:
        uri = f"file:{quote(str(self._path))}?mode=ro&{option}"
        return _engine(partial(sqlite3.connect, uri, uri=True, timeout=BUSY_TIMEOUT))

    def read(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` gives. A database that is not there, or that is empty, reads as empty tables."""
        with translated(self._path):
            for _ in range(_ATTEMPTS):
                before = _Traces.of(self._path)
                try:
                    if not before.orphaned or adds_nothing(self._path):
                        result = self._once(work, before)
                        if before.live or _Traces.of(self._path) == before:
                            return result
                except (SQLAlchemyError, sqlite3.Error, StateError, ValueError, OSError):
                    if _Traces.of(self._path) == before:
                        raise
                time.sleep(_PAUSE)
        raise _unsettled(self._path, before)

    def _once(self, work: Callable[[Connection], T], traces: _Traces) -> T:
        if traces.file is None:
            return in_memory(work)
        with _connected(self._live if traces.live else self._whole) as connection:
            if not is_empty(connection):
                require_head(connection)
                return work(connection)
        return in_memory(work)


class WritableFile:
    """Writes the file durably: WAL, ``synchronous=FULL``, one writer at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with translated(path):
            _create(path)
            connect = partial(sqlite3.connect, str(path), timeout=BUSY_TIMEOUT, check_same_thread=False)
            self._engine = _engine(connect, durable=True)
            try:
                self.write(migrate)
            except BaseException:
                self.close()  # whatever ended it, nobody else can let go of the file
                raise

    def read(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` gives, within one snapshot that waits for no writer."""
        with translated(self._path), _connected(self._engine) as connection:
            return work(connection)

    def write(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` gives, in one transaction that no other writer can interleave with."""
        with translated(self._path), self._engine.begin() as connection:
            return work(connection)

    def now(self, connection: Connection) -> datetime:
        """The present moment by this machine's clock: a file with shared memory has no other."""
        del connection
        return datetime.now(UTC)

    def close(self) -> None:
        """Let go of the file; the last to do so folds the journal into it."""
        self._engine.dispose()


@dataclass(frozen=True, slots=True)
class _Traces:
    """What a writer leaves on the disk: enough to tell that one is there, or was meanwhile."""

    file: tuple[int, int, int] | None
    wal: int | None
    shared: bool

    @property
    def live(self) -> bool:
        """Whether the journal has to be read beside the file."""
        return self.filled and self.shared

    @property
    def orphaned(self) -> bool:
        """Whether a journal lacks its index: for an instant while a writer leaves, else for good."""
        return self.filled and not self.shared

    @property
    def filled(self) -> bool:
        """Whether the journal holds more than its header."""
        return self.wal is not None and self.wal > HEADER

    @classmethod
    def of(cls, path: Path) -> _Traces:
        """The traces now. Raise :class:`StateError` for a pipe or the like, which would block a reader."""
        file, wal = _stat(path), _stat(journal_of(path))
        shared = _stat(path.with_name(path.name + "-shm")) is not None
        if file and not stat.S_ISREG(file.st_mode):
            raise StateError(f"the state {path} is no regular file", hint="name a file with --state")
        return cls(
            (file.st_ino, file.st_size, file.st_mtime_ns) if file else None,
            wal.st_size if wal else None,
            shared,
        )


def _unsettled(path: Path, traces: _Traces) -> StateError:
    if traces.orphaned:
        return StateError(
            f"the state {path} lies beside a journal (-wal) without its index (-shm)",
            hint="the files were copied apart: run `reconcile` (an apply) once, or copy all three",
        )
    return StateError(
        f"the state {path} changed each time that it was read",
        hint="another process keeps writing to it; try again when it is done",
    )


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _create(path: Path) -> None:
    """The file, readable by its owner alone, and its folder; what is there stays as it is."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    _Traces.of(path)


def _engine(connect: Callable[[], sqlite3.Connection], *, durable: bool = False) -> Engine:
    """An engine whose transactions are SQLite's own, not the driver's guess at them.

    https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#pysqlite-serializable
    """
    pool = QueuePool if durable else NullPool
    engine = sa.create_engine("sqlite://", creator=connect, poolclass=pool, hide_parameters=True)

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
