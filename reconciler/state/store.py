"""The doors to the state: read it without a trace, or open it to write."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy import Connection

from reconciler.model.errors import LockHeld
from reconciler.model.plan import Action, InventoryItem, Outcome, OutcomeState, RunningStrategy
from reconciler.state import lease as leases
from reconciler.state import ledger, schema
from reconciler.state.database import Reader, Writer, reader, writer
from reconciler.state.lease import DEFAULT_TTL, Lease
from reconciler.state.records import (
    Clock,
    Holder,
    Intent,
    LeaseRecord,
    PassRecord,
    action_to_json,
    intent_of,
    pass_of,
)


def open_for_reading(url: str) -> ReadState:
    """The state as it is, for a dry run: creates, migrates and locks nothing.

    A state that is not there yet reads as empty. Raise :class:`reconciler.model.errors.UsageError`
    for a URL that names none; each read raises :class:`reconciler.model.errors.StateError`.
    """
    return ReadState(reader(url))


def open_for_writing(url: str) -> Store:
    """The state to write, created (a file 0600 in a folder 0700) and migrated as needed; close it after.

    Raise :class:`reconciler.model.errors.UsageError` for a URL that names none, and
    :class:`reconciler.model.errors.StateError` when it cannot be had.
    """
    return Store(writer(url))


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
        rows = self._reader.read(lambda db: db.execute(sa.select(schema.evidence)).all())
        return {row.connection: row.unknown_since for row in rows}

    def unfinished(self) -> tuple[Intent, ...]:
        """The actions of which nobody knows whether they were done, oldest first."""
        journal = schema.journal
        query = sa.select(journal).where(journal.c.finished_at.is_(None)).order_by(journal.c.id)
        return self._reader.read(lambda db: tuple(map(intent_of, db.execute(query))))

    def journal(self, *, limit: int = 100) -> tuple[Intent, ...]:
        """The latest actions with their outcomes, newest first."""
        query = sa.select(schema.journal).order_by(schema.journal.c.id.desc()).limit(limit)
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


class Store(ReadState):
    """The state, to read and to write. Every write is durable when its method returns.

    Writes that belong to an apply take the lease's ``token`` and raise
    :class:`reconciler.model.errors.LockHeld` under an older one than the newest issued.
    """

    def __init__(self, db: Writer) -> None:
        super().__init__(db)
        self._db = db

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    def lease(
        self, holder: Holder | None = None, *, clock: Clock | None = None, ttl: timedelta = DEFAULT_TTL
    ) -> AbstractContextManager[Lease]:
        """The lease, held within a ``with`` block; by this process unless ``holder`` says otherwise.

        Its time is judged by the database's own clock, or by ``clock`` where one is given. Entering
        raises :class:`reconciler.model.errors.LockHeld` when another process holds it.
        """
        return leases.hold(self._db, holder=holder, ttl=ttl, clock=clock)

    def unlock(self, token: int) -> LeaseRecord:
        """End the lease of a process that is gone, by the number that the refusal printed."""
        return self._db.write(lambda db: leases.unlock(db, token))

    def begin_pass(self, *, mode: str, started_at: datetime, digest: str | None = None) -> int:
        """Record that a pass began; gives its id."""
        values = {"mode": mode, "started_at": started_at, "digest": digest}
        statement = sa.insert(schema.passes).values(**values).returning(schema.passes.c.id)
        number: int = self._db.write(lambda db: db.execute(statement).scalar_one())
        return number

    def finish_pass(
        self, pass_id: int, *, finished_at: datetime, exit_code: int, summary: Mapping[str, Any]
    ) -> None:
        """Record how a pass ended. ``summary`` is JSON-like and holds no secret."""
        values = {"finished_at": finished_at, "exit_code": exit_code, "summary": schema.plain(summary)}
        statement = sa.update(schema.passes).where(schema.passes.c.id == pass_id).values(**values)
        self._db.write(lambda db: db.execute(statement))

    def record_evidence(
        self, *, known: Collection[str], unknown: Collection[str], at: datetime, token: int
    ) -> None:
        """Remember since when each ``unknown`` connection is without evidence; forget the ``known``.

        Others stay as they are: a pass over some connections says nothing of the rest. A moment
        that lies ahead, since the clock was set back, becomes ``at``: it would prolong the grace.
        """
        self._db.write(lambda db: _record_evidence(db, known=known, unknown=unknown, at=at, token=token))

    def forget(self, items: Iterable[InventoryItem], *, token: int) -> None:
        """End the claim on ``items``: strategies that surely run no longer, though not by our hand."""
        self._db.write(lambda db: _forget(db, items, token=token))

    def intend(self, action: Action, *, token: int, at: datetime, pass_id: int | None = None) -> Intent:
        """Record that ``action`` is about to be done."""
        return self._db.write(lambda db: _intend(db, action, token=token, at=at, pass_id=pass_id))

    def conclude(
        self,
        intent: Intent,
        outcome: Outcome,
        *,
        token: int,
        at: datetime,
        keep: InventoryItem | None = None,
        drop: bool = False,
    ) -> None:
        """Record what became of ``intent`` and what that means for the inventory, both or neither.

        ``keep`` is the strategy that now runs because of us; ``drop`` says that it no longer does.
        Older intents on the same strategy end with it: what was seen now holds for them too.
        """
        self._db.write(lambda db: _conclude(db, intent, outcome, token=token, at=at, keep=keep, drop=drop))

    def ledger_enable(
        self, runtime: str, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        """Have the embedded runtime run ``strategy`` on ``connection``."""
        run = ledger.Run(runtime=runtime, strategy=strategy, connection=connection, parameters=parameters)
        self._db.write(lambda db: ledger.enable(db, run, token=token))

    def ledger_change(
        self, runtime: str, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> bool:
        """Change what the embedded runtime runs; ``False`` when it does not run ``strategy``."""
        run = ledger.Run(runtime=runtime, strategy=strategy, connection=connection, parameters=parameters)
        return self._db.write(lambda db: ledger.change(db, run, token=token))

    def ledger_disable(self, runtime: str, strategy: str, *, token: int) -> None:
        """Have the embedded runtime stop ``strategy``."""
        self._db.write(lambda db: ledger.disable(db, runtime, strategy, token=token))


def _record_evidence(
    db: Connection, *, known: Collection[str], unknown: Collection[str], at: datetime, token: int
) -> None:
    leases.fence(db, token)
    table = schema.evidence
    db.execute(sa.delete(table).where(table.c.connection.in_(known)))
    ahead = table.c.connection.in_(unknown) & (table.c.unknown_since > at)
    db.execute(sa.update(table).where(ahead).values(unknown_since=at))
    present = set(db.execute(sa.select(table.c.connection)).scalars())
    rows = [{"connection": name, "unknown_since": at} for name in sorted(set(unknown) - present)]
    if rows:
        db.execute(sa.insert(table), rows)


def _forget(db: Connection, items: Iterable[InventoryItem], *, token: int) -> None:
    leases.fence(db, token)
    table = schema.inventory
    for item in items:
        db.execute(sa.delete(table).where(table.c.strategy == item.strategy, table.c.runtime == item.runtime))


def _intend(db: Connection, action: Action, *, token: int, at: datetime, pass_id: int | None) -> Intent:
    leases.fence(db, token)
    values = {
        "pass_id": pass_id,
        "token": token,
        "kind": action.kind.value,
        "strategy": action.strategy,
        "runtime": action.runtime,
        "action": action_to_json(action),
        "intended_at": at,
    }
    statement = sa.insert(schema.journal).values(**values).returning(schema.journal.c.id)
    number = db.execute(statement).scalar_one()
    return Intent(id=number, token=token, action=action, intended_at=at, pass_id=pass_id)


def _conclude(
    db: Connection,
    intent: Intent,
    outcome: Outcome,
    *,
    token: int,
    at: datetime,
    keep: InventoryItem | None,
    drop: bool,
) -> None:
    leases.fence(db, token)
    journal, action = schema.journal, intent.action
    end = {"outcome": outcome.state.value, "detail": outcome.detail, "finished_at": at}
    open_ = journal.c.finished_at.is_(None)
    if db.execute(sa.update(journal).where(journal.c.id == intent.id, open_).values(**end)).rowcount != 1:
        raise LockHeld("another apply already found out what became of this action")
    superseded = {**end, "outcome": OutcomeState.UNKNOWN.value, "detail": f"settled by {intent.id}"}
    same = (journal.c.strategy == action.strategy) & (journal.c.runtime == action.runtime)
    db.execute(sa.update(journal).where(same, open_, journal.c.id < intent.id).values(**superseded))
    if drop or keep:
        mine = schema.inventory.c.strategy == action.strategy
        here = schema.inventory.c.runtime == action.runtime
        db.execute(sa.delete(schema.inventory).where(mine if keep else mine & here))
    if keep:
        db.execute(sa.insert(schema.inventory).values(_inventory_row(keep)))


def _inventory_row(item: InventoryItem) -> dict[str, Any]:
    return {
        "strategy": item.strategy,
        "runtime": item.runtime,
        "connection": item.connection,
        "parameters": schema.plain(item.parameters),
        "enabled_at": item.enabled_at,
    }
