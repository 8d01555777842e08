"""What can go wrong with a SQLite file, with cause and fix."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from reconciler.model.errors import StateError

_RESTORE: Final = (
    "restore it from a backup, or move it away: the next apply then starts with an empty inventory, "
    "so first disable by hand what git no longer names"
)
#: What a reader meets that finds the index of the journal half written, and its writer not at work on it.
_HALF_WRITTEN: Final = "SQLITE_READONLY_RECOVERY"

_CAUSES: Final = {
    _HALF_WRITTEN: (
        "is beside an index (-shm) of its journal that is not whole, and that another process holds open",
        "try again; if it stays so, end that process and run `reconcile` (an apply) once",
    ),
    "SQLITE_NOTADB": ("is no SQLite database", "name another file with --state; nothing was touched"),
    "SQLITE_CORRUPT": ("is damaged", _RESTORE),
    "SQLITE_BUSY": ("is being written by another process", "try again when that one is done"),
    "SQLITE_LOCKED": ("is being written by another process", "try again when that one is done"),
    "SQLITE_FULL": ("cannot be written: the disk is full", "make room; what was recorded is intact"),
    "SQLITE_READONLY": (
        "cannot be written: it is read-only",
        "give this user write access to file and folder",
    ),
    "SQLITE_CANTOPEN": ("cannot be opened", "check that the path is a file that this user may open"),
    "SQLITE_PERM": ("cannot be opened", "check that the path is a file that this user may open"),
    "SQLITE_IOERR": (
        "cannot be read or written: the disk reports an error",
        "check the disk, then try again",
    ),
}


@contextlib.contextmanager
def translated(path: Path, above: type[Exception] = sqlite3.Error) -> Iterator[None]:
    """Turn what SQLite, the driver and the system raise into :class:`StateError` with cause and fix.

    ``above`` is what a library above the driver raises; its ``orig`` is then what the driver raised.
    """
    try:
        yield
    except (above, sqlite3.Error) as error:
        raise _explained(path, _code(error)) from error
    except OSError as error:
        raise StateError(
            f"the state {path} cannot be used: {error.strerror or type(error).__name__}",
            hint="check that its folder is writable and belongs to this user, or name another --state",
        ) from error
    except ValueError as error:
        raise StateError(f"the state {path} holds a value that is not ours", hint=_RESTORE) from error


def of_an_instant(error: Exception) -> bool:
    """Whether asking again may well be answered, although nothing on the disk was seen to change.

    A reader compares two copies of the index's header, and then sees whether a writer is at work. One that
    was between the copies may have ended by then, and SQLite takes its index for damaged
    (``walIndexReadHdr`` in https://sqlite.org/src/file/src/wal.c).
    """
    return _code(error) == _HALF_WRITTEN


def _code(error: Exception) -> str:
    return getattr(getattr(error, "orig", None) or error, "sqlite_errorname", "")


def _explained(path: Path, name: str) -> StateError:
    """The error for one of SQLite's result codes (https://www.sqlite.org/rescode.html)."""
    primary = "_".join(name.split("_")[:2])
    what, fix = _CAUSES.get(name) or _CAUSES.get(primary, ("could not be used", _RESTORE))
    return StateError(f"the state {path} {what}{f' ({name})' if name else ''}", hint=fix)
