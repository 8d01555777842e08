"""The audit log: one line for everything that happened, each chained to the one before by a hash.

The hash of a line is SHA-256 over the hash before it, a newline, its number, a newline and its text.
So whoever changes, removes or reorders a line changes every hash after it; ``head`` keeps the newest
number and hash apart, and a tally how many there ever were, so that lines missing at the end show as well,
also where the head was set back to a line that is there. Who can rewrite the whole
database can rewrite both: keep a head elsewhere (``reconcile history --verify`` prints it) to find that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from reconciler.model.event import Event, Recorded, event_of_json, event_to_json
from reconciler.state import tallies
from reconciler.state.schema import audit, audit_head

#: What the first line is chained to.
GENESIS: Final = "0" * 64
_HEAD: Final = "audit"
#: Lines that are read at once.
_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of the chain: the number of the newest line, 0 before the first, and its hash."""

    seq: int = 0
    hash: str = GENESIS

    def __str__(self) -> str:
        """``42:9f86d0…``, as ``history --verify --expect`` takes it."""
        return f"{self.seq}:{self.hash}"


def append(db: Connection, events: Iterable[Event]) -> None:
    """Add ``events`` at the end, in their order, within the caller's transaction."""
    end, events = head(db), tuple(events)
    rows = []
    for event in events:
        text = _spelt(event)
        end = Head(seq=end.seq + 1, hash=_chained(end.hash, end.seq + 1, text))
        rows.append({"seq": end.seq, "event": text, "hash": end.hash})
    if rows:
        db.execute(sa.insert(audit), rows)
        _move_head(db, end)
        tallies.add(db, tallies.EVENTS, ((one.kind.value, one.severity.value) for one in events))


def head(db: Connection) -> Head:
    """Where the chain ends, as far as it was told at the last :func:`append`."""
    row = db.execute(sa.select(audit_head).where(audit_head.c.name == _HEAD)).one_or_none()
    return Head(seq=row.seq, hash=row.hash) if row else Head()


def read(db: Connection, *, after: int = 0, limit: int | None = None) -> tuple[Recorded, ...]:
    """The events whose numbers are larger than ``after``, oldest first."""
    query = sa.select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(limit)
    return tuple(_recorded(row) for row in db.execute(query))


def latest(db: Connection, wanted: Callable[[Event], bool], *, limit: int) -> tuple[Recorded, ...]:
    """The last ``limit`` of the events that are wanted, oldest first."""
    events = map(_recorded, _rows(db, newest_first=True))
    found = list(islice((one for one in events if wanted(one.event)), limit))
    return tuple(reversed(found))


def faults(db: Connection) -> Iterator[str]:
    """What is wrong with the log, in sentences; nothing where every line is as it was written."""
    end = Head()
    for row in _rows(db):
        if row.seq != end.seq + 1:
            yield f"record {end.seq + 1} is missing" + (
                f" (to {row.seq - 1})" if row.seq > end.seq + 2 else ""
            )
            end = Head(seq=row.seq, hash=row.hash)  # what follows is judged from here on
        elif row.hash != _chained(end.hash, row.seq, row.event):
            yield f"record {row.seq} was changed, moved, or follows another than it did"
            end = Head(seq=row.seq, hash=row.hash)
        else:
            end = Head(seq=row.seq, hash=row.hash)
    told = head(db)
    if told != end:
        yield f"the log ends with record {end.seq}, but {told.seq} was the last one written"
    counted = tallies.total(db, tallies.EVENTS)
    if counted != told.seq:
        yield f"{counted} records were counted as they were written, but the log says that it has {told.seq}"


def hash_of(db: Connection, seq: int) -> str | None:
    """The hash of the line with this number; ``None`` where there is no such line."""
    found: str | None = db.execute(sa.select(audit.c.hash).where(audit.c.seq == seq)).scalar_one_or_none()
    return GENESIS if seq == 0 else found


def _rows(db: Connection, *, newest_first: bool = False) -> Iterator[Row[Any]]:
    """Every line by its number, in pages, so that a log of years is never held at once."""
    number, last = audit.c.seq, None
    query = sa.select(audit).order_by(number.desc() if newest_first else number).limit(_PAGE)
    while True:
        beyond = sa.true() if last is None else number < last if newest_first else number > last
        page = db.execute(query.where(beyond)).all()
        yield from page
        if len(page) < _PAGE:
            return
        last = page[-1].seq


def _spelt(event: Event) -> str:
    return json.dumps(event_to_json(event), sort_keys=True, separators=(",", ":"))


def _chained(before: str, seq: int, text: str) -> str:
    return hashlib.sha256(f"{before}\n{seq}\n{text}".encode()).hexdigest()


def _move_head(db: Connection, end: Head) -> None:
    values = {"seq": end.seq, "hash": end.hash}
    mine = audit_head.c.name == _HEAD
    if db.execute(sa.update(audit_head).where(mine).values(**values)).rowcount == 0:
        db.execute(sa.insert(audit_head).values(name=_HEAD, **values))


def _recorded(row: Row[Any]) -> Recorded:
    return Recorded(seq=row.seq, event=event_of_json(json.loads(row.event)), hash=row.hash)
