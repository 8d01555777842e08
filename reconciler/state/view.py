"""The state as it is, to read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import sqlalchemy as sa

from reconciler.model.event import Event, Recorded
from reconciler.model.memory import Condition, Cursor, Lockdown, Permit, Remembered
from reconciler.model.plan import InventoryItem, RunningStrategy
from reconciler.model.vitals import Tally
from reconciler.state import audit, cursors, decisions, ledger, readings, schema, tallies
from reconciler.state import lease as leases
from reconciler.state.database import Reader
from reconciler.state.records import Intent, LeaseRecord, PassRecord, intent_of, pass_of


class ReadState:
    """What the last passes left. Each method is one consistent read of a few milliseconds."""

    def __init__(self, db: Reader) -> None:
        self._reader = db

    def inventory(self) -> Mapping[str, InventoryItem]:
        """The strategies that this tool enabled and has not disabled since, by id."""
        rows = self._reader.read(lambda db: db.execute(sa.select(schema.inventory)).all())
        return {row.strategy: InventoryItem(**row._mapping) for row in rows}  # noqa: SLF001 - public name

    def unknown_since(self) -> Mapping[str, datetime]:
        """For each connection without evidence, since when."""
        return self._reader.read(readings.unknown_since)

    def readings(self) -> Mapping[str, Remembered]:
        """What is remembered of each connection, by id."""
        return self._reader.read(readings.everything)

    def conditions(self) -> tuple[Condition, ...]:
        """Everything that the last passes found not to be as it should, the oldest first."""
        return self._reader.read(decisions.conditions)

    def permits(self) -> Mapping[str, Permit]:
        """The last decision about each strategy in the files, by its id."""
        return self._reader.read(decisions.permits)

    def lockdowns(self) -> tuple[Lockdown, ...]:
        """Those in force, the oldest first."""
        return self._reader.read(decisions.lockdowns)

    def events(self, *, after: int = 0, limit: int | None = None) -> tuple[Recorded, ...]:
        """What the audit log holds beyond the number ``after``, oldest first."""
        return self._reader.read(lambda db: audit.read(db, after=after, limit=limit))

    def latest_events(self, wanted: Callable[[Event], bool], *, limit: int) -> tuple[Recorded, ...]:
        """The last ``limit`` of the events that are ``wanted``, oldest first."""
        return self._reader.read(lambda db: audit.latest(db, wanted, limit=limit))

    def audit_head(self) -> audit.Head:
        """The number and the hash of the newest event."""
        return self._reader.read(audit.head)

    def audit_faults(self) -> tuple[str, ...]:
        """What is wrong with the audit log, in sentences; nothing where it is as it was written."""
        return self._reader.read(lambda db: tuple(audit.faults(db)))

    def audit_hash(self, seq: int) -> str | None:
        """The hash of the event with this number; ``None`` where there is none."""
        return self._reader.read(lambda db: audit.hash_of(db, seq))

    def cursors(self) -> Mapping[str, Cursor]:
        """How far each sink of notifications was told, and how it fares, by its name."""
        return self._reader.read(cursors.everything)

    def tallies(self) -> Mapping[str, Tally]:
        """How often things happened, ever: ``events``, ``actions`` and ``passes``, by kind and detail."""
        return self._reader.read(tallies.read)

    def last_finished(self) -> PassRecord | None:
        """The pass that ended last, however it ended; ``None`` before the first."""
        passes = schema.passes
        query = sa.select(passes).where(passes.c.finished_at.is_not(None)).order_by(passes.c.id.desc())
        row = self._reader.read(lambda db: db.execute(query.limit(1)).one_or_none())
        return pass_of(row) if row else None

    def unfinished(self) -> tuple[Intent, ...]:
        """The actions of which nobody knows whether they were done, oldest first."""
        journal = schema.journal
        query = sa.select(journal).where(journal.c.finished_at.is_(None)).order_by(journal.c.id)
        return self._reader.read(lambda db: tuple(map(intent_of, db.execute(query))))

    def journal(self, *, limit: int = 100) -> tuple[Intent, ...]:
        """The latest actions with their outcomes, newest first."""
        query = sa.select(schema.journal).order_by(schema.journal.c.id.desc()).limit(limit)
        return self._reader.read(lambda db: tuple(map(intent_of, db.execute(query))))

    def acted(self, since: datetime) -> tuple[Intent, ...]:
        """The actions that were begun at ``since`` or later, oldest first."""
        journal = schema.journal
        query = sa.select(journal).where(journal.c.intended_at >= since).order_by(journal.c.id)
        return self._reader.read(lambda db: tuple(map(intent_of, db.execute(query))))

    def passes(self, *, limit: int = 100) -> tuple[PassRecord, ...]:
        """The latest passes, newest first."""
        query = sa.select(schema.passes).order_by(schema.passes.c.id.desc()).limit(limit)
        return self._reader.read(lambda db: tuple(map(pass_of, db.execute(query))))

    def lease_record(self) -> LeaseRecord | None:
        """Who holds the lease; ``None`` before the first apply."""
        return self._reader.read(leases.read)

    def ledger_rows(self, runtime: str) -> Mapping[str, RunningStrategy]:
        """What the embedded runtime with this id holds, by strategy."""
        return self._reader.read(lambda db: ledger.rows(db, runtime))

    def ledgers(self) -> tuple[str, ...]:
        """The embedded runtimes that ever held something, by id."""
        return self._reader.read(ledger.runtimes)
