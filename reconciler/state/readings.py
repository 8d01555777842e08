"""What is remembered of each connection: one row, however long this runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from reconciler.model.finding import Verdict
from reconciler.model.memory import LETTERS, Reading, Remembered
from reconciler.state.rows import reading_of
from reconciler.state.schema import plain, readings

#: How many readings are remembered in one letter each.
REMEMBERED: Final = 60
#: A count that says no more when it grows.
_ENOUGH: Final = 1_000


def everything(db: Connection) -> Mapping[str, Remembered]:
    """What is remembered, by connection."""
    return {row.connection: _remembered(row) for row in db.execute(sa.select(readings))}


def unknown_since(db: Connection) -> Mapping[str, datetime]:
    """For each connection without evidence, since when."""
    query = sa.select(readings.c.connection, readings.c.unknown_since)
    rows = db.execute(query.where(readings.c.unknown_since.is_not(None)))
    return {row.connection: row.unknown_since for row in rows}


def record(db: Connection, new: Iterable[Reading]) -> None:
    """Remember ``new`` readings. Connections that were not read stay as they are remembered.

    Each continues what is remembered of its connection: since when nothing is known, for how many
    passes in a row every check passed. A moment that lies ahead, since the clock was set back, becomes
    that of the reading: it would prolong the grace.
    """
    before = everything(db)
    rows = [_row(reading, before.get(reading.connection)) for reading in new]
    if rows:
        mine = readings.c.connection == sa.bindparam("mine")
        db.execute(sa.delete(readings).where(mine), [{"mine": row["connection"]} for row in rows])
        db.execute(sa.insert(readings), rows)


def keep_only(db: Connection, connections: Collection[str]) -> None:
    """Forget every connection but these."""
    gone = sorted({row.connection for row in db.execute(sa.select(readings.c.connection))} - set(connections))
    if gone:
        mine = readings.c.connection == sa.bindparam("mine")
        db.execute(sa.delete(readings).where(mine), [{"mine": name} for name in gone])


def _row(reading: Reading, before: Remembered | None) -> dict[str, Any]:
    known = reading.verdict is not Verdict.UNKNOWN
    since = before.unknown_since if before and before.unknown_since else reading.at
    passed = (before.streak if before else 0) + 1
    key = reading.key if reading.key is not None or before is None else before.reading.key
    return {
        "connection": reading.connection,
        "exchange": reading.exchange,
        "at": reading.at,
        "status": reading.status.value,
        "verdict": reading.verdict.value,
        "checks": list(reading.checks),
        "key": plain(key),
        "unknown_since": None if known else min(since, reading.at),
        "streak": min(passed, _ENOUGH) if reading.verdict is Verdict.PASS else 0,
        "recent": ((before.recent if before else "") + LETTERS[reading.status])[-REMEMBERED:],
    }


def _remembered(row: Row[Any]) -> Remembered:
    return Remembered(
        reading=reading_of(row._mapping),  # noqa: SLF001 - public name
        unknown_since=row.unknown_since,
        streak=row.streak,
        recent=row.recent,
    )
