"""What a database of the state can do, and which one a ``--state`` names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from reconciler.state.sqlite import ReadOnlyFile, WritableFile
from reconciler.state.sqlite_file import locate
from reconciler.state.url import driver, on_server

T = TypeVar("T")


class Reader(Protocol):
    """A database that can be read."""

    def read(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` gives, within one consistent view. Raise :class:`StateError`."""


class Writer(Reader, Protocol):
    """A database that can be read and written, by one writer at a time whatever their number."""

    def write(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` gives, in one transaction, durable on return. Raise :class:`StateError`."""

    def now(self, connection: Connection) -> datetime:
        """The present moment by the one clock that all who share this database agree on."""

    def close(self) -> None:
        """Let go of every connection."""


def reader(url: str) -> Reader:
    """The database that ``url`` names, to read without a trace. Raise :class:`UsageError` for none."""
    if not on_server(url):
        return ReadOnlyFile(locate(url))
    with driver():
        from reconciler.state.postgres import ReadOnlyServer, parse  # noqa: PLC0415 - needs the extra
    return ReadOnlyServer(parse(url))


def writer(url: str) -> Writer:
    """The database that ``url`` names, created and migrated as needed, to write.

    Raise :class:`UsageError` for a URL that names none and :class:`StateError` when it cannot be had.
    """
    if not on_server(url):
        return WritableFile(locate(url))
    with driver():
        from reconciler.state.postgres import WritableServer, parse  # noqa: PLC0415 - needs the extra
    return WritableServer(parse(url))
