"""How often things happened, ever: what no table that is trimmed, and no process that ends, can tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

from reconciler.model.vitals import Tally
from reconciler.state.schema import tallies

#: Of what there are tallies: events by kind and severity, actions by kind and outcome, passes by exit code.
EVENTS: Final = "events"
ACTIONS: Final = "actions"
PASSES: Final = "passes"


def add(db: Connection, family: str, things: Iterable[tuple[str, str]]) -> None:
    """Count ``things``, each a kind and a detail, within the caller's transaction."""
    table = tallies.c
    for (kind, detail), count in sorted(Counter(things).items()):
        mine = (table.family == family) & (table.kind == kind) & (table.detail == detail)
        grown = sa.update(tallies).where(mine).values(times=table.times + count)
        if db.execute(grown).rowcount == 0:
            db.execute(sa.insert(tallies).values(family=family, kind=kind, detail=detail, times=count))


def total(db: Connection, family: str) -> int:
    """How many things of ``family`` were counted."""
    mine = tallies.c.family == family
    return int(db.execute(sa.select(sa.func.sum(tallies.c.times)).where(mine)).scalar_one() or 0)


def read(db: Connection) -> Mapping[str, Tally]:
    """Every tally: of what, then how many by kind and detail."""
    found: dict[str, dict[tuple[str, ...], int]] = {EVENTS: {}, ACTIONS: {}, PASSES: {}}
    for row in db.execute(sa.select(tallies)):
        found[row.family][row.kind, row.detail] = row.times
    return found
