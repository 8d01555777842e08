"""How much of the past is kept. What happened is in the audit log, which is never trimmed."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

from reconciler.state.schema import journal, lockdowns, passes

#: Passes, actions with a known outcome, and lifted lockdowns; the newest of each stay.
PASSES: Final = 1_000
ACTIONS: Final = 10_000
LOCKDOWNS: Final = 1_000
#: Trimming in steps costs less than row by row.
STEP: Final = 100


def trim(db: Connection) -> None:
    """Remove what is older than the newest of each kind, in steps; never an open intent."""
    actions, actions_end = journal.c.id, _end(db, journal.c.id, ACTIONS)
    if actions_end is not None:
        db.execute(sa.delete(journal).where(actions < actions_end, journal.c.finished_at.is_not(None)))
    ends = _end(db, passes.c.id, PASSES)
    if ends is not None:
        told = sa.exists().where(journal.c.pass_id == passes.c.id)
        db.execute(sa.delete(passes).where(passes.c.id < ends, ~told))
    lifted = _end(db, lockdowns.c.id, LOCKDOWNS)
    if lifted is not None:
        db.execute(sa.delete(lockdowns).where(lockdowns.c.id < lifted, lockdowns.c.lifted_at.is_not(None)))


def _end(db: Connection, number: sa.Column[int], kept: int) -> int | None:
    """The first number that stays, where a whole step of older ones may be there; else ``None``."""
    newest = db.execute(sa.select(sa.func.max(number))).scalar_one() or 0
    end = newest - newest % STEP - kept
    oldest = db.execute(sa.select(sa.func.min(number))).scalar_one() or 0
    return end if oldest < end else None
