"""How far each sink of notifications was told, and who tells it just now: the rows of ``cursors``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from reconciler.model.memory import Cursor
from reconciler.state import audit
from reconciler.state.schema import cursors

_NOBODY: Mapping[str, Any] = {"teller": None, "telling_until": None}
_WELL: Mapping[str, Any] = {"failures": 0, "failing_since": None, "tried_at": None, "trouble": None}


def everything(db: Connection) -> Mapping[str, Cursor]:
    """How far each was told, by its name."""
    return {row.sink: _cursor(row) for row in db.execute(sa.select(cursors).order_by(cursors.c.sink))}


def meet(db: Connection, sinks: Iterable[str], *, after: int | None = None) -> None:
    """Have those that are new begin ``after`` a number, or at the end: nobody wants all of history."""
    new = sorted(set(sinks) - everything(db).keys())
    if new:
        head = audit.head(db).seq if after is None else after
        db.execute(sa.insert(cursors), [{"sink": name, "seq": head, **_WELL, **_NOBODY} for name in new])


def claim(db: Connection, sink: str, *, teller: str, now: datetime, until: datetime) -> Cursor | None:
    """Have ``teller`` alone tell ``sink`` until then; ``None`` while somebody else does."""
    row = db.execute(sa.select(cursors).where(_mine(sink)).with_for_update()).one_or_none()
    if row is None or (row.teller not in (None, teller) and row.telling_until > now):
        return None
    values = {"teller": teller, "telling_until": until}
    db.execute(sa.update(cursors).where(_mine(sink)).values(**values))
    return _cursor(row)


def told(db: Connection, sink: str, seq: int, *, teller: str, until: datetime) -> bool:
    """Record that ``sink`` was told every event up to ``seq``; whether ``teller`` may go on.

    The number never goes back, and it counts also from a teller that another one replaced: what a
    sink took, it took.
    """
    ahead = sa.case((cursors.c.seq < seq, seq), else_=cursors.c.seq)
    db.execute(sa.update(cursors).where(_mine(sink)).values(seq=ahead, **_WELL))
    ours = _mine(sink) & (cursors.c.teller == teller)
    return bool(db.execute(sa.update(cursors).where(ours).values(telling_until=until)).rowcount)


def failed(db: Connection, sink: str, *, trouble: str, at: datetime) -> Cursor:
    """Record that ``sink`` did not take what it was to be told; gives how it fares now."""
    since = sa.func.coalesce(cursors.c.failing_since, at, type_=cursors.c.failing_since.type)
    values = {
        "failures": cursors.c.failures + 1,
        "failing_since": since,
        "tried_at": at,
        "trouble": trouble,
    }
    db.execute(sa.update(cursors).where(_mine(sink)).values(**values))
    return _cursor(db.execute(sa.select(cursors).where(_mine(sink))).one())


def release(db: Connection, sink: str, *, teller: str) -> None:
    """Let somebody else tell ``sink``."""
    db.execute(sa.update(cursors).where(_mine(sink), cursors.c.teller == teller).values(**_NOBODY))


def _mine(sink: str) -> sa.ColumnElement[bool]:
    return cursors.c.sink == sink


def _cursor(row: Row[Any]) -> Cursor:
    return Cursor(
        sink=row.sink,
        seq=row.seq,
        failures=row.failures,
        failing_since=row.failing_since,
        tried_at=row.tried_at,
        trouble=row.trouble or "",
    )
