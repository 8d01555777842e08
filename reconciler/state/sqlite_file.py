"""A SQLite file, and how to read it without a trace. Needs no database library but Python's own.

SQLite would create ``-wal`` and ``-shm`` beside a database in WAL mode even for a reader. So: while a
writer lives, or after one was killed, both are there and are read as they are (``readonly_shm``); else
the file is whole by itself and is read as ``immutable``, and read again if a writer came meanwhile. So it
is beside a journal without a page: one of a header alone, left by a writer that was killed there, SQLite
retries for ten seconds and then fails. And so it is beside a journal without its index that adds nothing
to it. A reader that finds the index half written may not repair it, and asks again. See
https://www.sqlite.org/wal.html#readonly and https://www.sqlite.org/uri.html.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

from reconciler.model.errors import StateError, UsageError
from reconciler.state.sqlite_journal import HEADER, adds_nothing, journal_of
from reconciler.state.sqlite_trouble import of_an_instant, translated

T = TypeVar("T")

#: A reader meets a writer that just comes or goes for microseconds; it tries for a second.
_ATTEMPTS: Final = 100
_PAUSE: Final = 0.01


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


def connect(path: Path, *, live: bool, patience: float) -> sqlite3.Connection:
    """The file, opened to be read: beside a writer where ``live``, else as it lies on the disk.

    ``patience`` is in seconds.
    """
    option = "readonly_shm=1" if live else "immutable=1"
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro&{option}", uri=True, timeout=patience)


def settled(path: Path, look: Callable[[Traces], T], above: type[Exception] = sqlite3.Error) -> T:
    """What ``look`` gives of the file, told what lies on the disk; again when a writer came meanwhile.

    ``above`` is what a library that ``look`` reads with raises. Raise :class:`StateError`.
    """
    with translated(path, above):
        for attempt in range(_ATTEMPTS):
            before = Traces.of(path)
            try:
                if not before.orphaned or adds_nothing(path):
                    result = look(before)
                    if before.live or Traces.of(path) == before:
                        return result
            except (above, sqlite3.Error, StateError, ValueError, OSError) as error:
                passes = of_an_instant(error) and attempt < _ATTEMPTS - 1
                if Traces.of(path) == before and not passes:
                    raise
            time.sleep(_PAUSE)
    raise _unsettled(path, before)


@dataclass(frozen=True, slots=True)
class Traces:
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
    def of(cls, path: Path) -> Traces:
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


def _unsettled(path: Path, traces: Traces) -> StateError:
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
