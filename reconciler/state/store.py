"""The doors to the state: read it without a trace, or open it to write."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy import Connection

from reconciler.model.event import Event
from reconciler.model.memory import Condition, Lockdown, Permit, Reading, Scope
from reconciler.model.plan import Action, InventoryItem, Outcome
from reconciler.state import audit, decisions, journal, ledger, readings, retention, schema, tallies
from reconciler.state import lease as leases
from reconciler.state.database import Writer, reader, writer
from reconciler.state.lease import DEFAULT_TTL, Lease
from reconciler.state.records import Clock, Holder, Intent, LeaseRecord
from reconciler.state.view import ReadState


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
        self,
        holder: Holder | None = None,
        *,
        clock: Clock | None = None,
        ttl: timedelta = DEFAULT_TTL,
        by_force: bool = False,
    ) -> AbstractContextManager[Lease]:
        """The lease, held within a ``with`` block; by this process unless ``holder`` says otherwise.

        Its time is judged by the database's own clock, or by ``clock`` where one is given. Entering
        raises :class:`reconciler.model.errors.LockHeld` when another process holds it; ``by_force``
        takes it from that process, which is only for an emergency.
        """
        return leases.hold(self._db, holder=holder, ttl=ttl, clock=clock, by_force=by_force)

    def unlock(self, token: int, event: Event) -> LeaseRecord:
        """End the lease of a process that is gone, by the number that the refusal printed."""

        def work(db: Connection) -> LeaseRecord:
            record = leases.unlock(db, token)
            audit.append(db, [event])
            return record

        return self._db.write(work)

    def begin_pass(
        self,
        *,
        mode: str,
        started_at: datetime,
        digest: str | None = None,
        by: str | None = None,
        commit: str | None = None,
    ) -> int:
        """Record that a pass began, by whom and from which commit of the files; gives its id."""
        values = {"mode": mode, "started_at": started_at, "digest": digest, "by": by, "commit": commit}
        statement = sa.insert(schema.passes).values(**values).returning(schema.passes.c.id)
        number: int = self._db.write(lambda db: db.execute(statement).scalar_one())
        return number

    def finish_pass(
        self, pass_id: int, *, finished_at: datetime, exit_code: int, summary: Mapping[str, Any]
    ) -> None:
        """Record how a pass ended. ``summary`` is JSON-like and holds no secret."""
        values = {"finished_at": finished_at, "exit_code": exit_code, "summary": schema.plain(summary)}
        statement = sa.update(schema.passes).where(schema.passes.c.id == pass_id).values(**values)

        def work(db: Connection) -> None:
            db.execute(statement)
            tallies.add(db, tallies.PASSES, [(str(int(exit_code)), "")])
            retention.trim(db)

        self._db.write(work)

    def record_evidence(
        self,
        new: Iterable[Reading],
        *,
        token: int,
        events: Iterable[Event] = (),
        keep: Collection[str] | None = None,
    ) -> None:
        """Remember what was read of connections, and what changed about their keys, both or neither.

        Connections that were not read stay as they are remembered; with ``keep``, all that are not
        in it are forgotten.
        """

        def work(db: Connection) -> None:
            leases.fence(db, token)
            readings.record(db, new)
            if keep is not None:
                readings.keep_only(db, keep)
            audit.append(db, events)

        self._db.write(work)

    def record_decisions(
        self,
        *,
        token: int,
        permits: Iterable[Permit],
        strategies: Collection[str],
        conditions: Iterable[Condition],
        events: Iterable[Event] = (),
    ) -> None:
        """Record what a pass decided and found, with what turned; all of it or nothing.

        Permits of ``strategies`` that are not in ``permits`` stay; those of all others go. Afterwards
        exactly ``conditions`` are open.
        """

        def work(db: Connection) -> None:
            leases.fence(db, token)
            decisions.record_permits(db, permits, keep=strategies)
            decisions.record_conditions(db, conditions)
            audit.append(db, events)

        self._db.write(work)

    def record_events(self, events: Iterable[Event]) -> None:
        """Add to the audit log what needs no lease to have happened."""
        self._db.write(lambda db: audit.append(db, events))

    def declare(
        self, *, scope: Scope, scope_id: str, reason: str, by: str, at: datetime, event: Event
    ) -> Lockdown:
        """The lockdown of this scope, in force from now on. It waits for no lease."""

        def work(db: Connection) -> Lockdown:
            made, new = decisions.declare(db, scope=scope, scope_id=scope_id, reason=reason, by=by, at=at)
            audit.append(db, [event] if new else ())
            return made

        return self._db.write(work)

    def lift(self, number: int, *, at: datetime, event: Event) -> Lockdown:
        """End the lockdown with this number. Raise :class:`UsageError` when none such is in force."""

        def work(db: Connection) -> Lockdown:
            lifted = decisions.lift(db, number, at=at)
            audit.append(db, [event])
            return lifted

        return self._db.write(work)

    def forget(self, items: Iterable[InventoryItem], *, token: int, events: Iterable[Event] = ()) -> None:
        """End the claim on ``items``: strategies that surely run no longer, though not by our hand."""

        def work(db: Connection) -> None:
            leases.fence(db, token)
            journal.forget(db, items)
            audit.append(db, events)

        self._db.write(work)

    def intend(
        self,
        action: Action,
        *,
        token: int,
        at: datetime,
        pass_id: int | None = None,
        lockdowns: frozenset[int] = frozenset(),
    ) -> Intent:
        """Record that ``action`` is about to be done.

        Raise :class:`LockHeld` for one that starts or changes something when a lockdown came that is
        not among ``lockdowns``, those that its plan knew of.
        """

        def work(db: Connection) -> Intent:
            leases.fence(db, token)
            return journal.intend(db, action, token=token, at=at, pass_id=pass_id, lockdowns=lockdowns)

        return self._db.write(work)

    def conclude(
        self,
        intent: Intent,
        outcome: Outcome,
        *,
        token: int,
        at: datetime,
        keep: InventoryItem | None = None,
        drop: bool = False,
        events: Iterable[Event] = (),
    ) -> None:
        """Record what became of ``intent`` and what that means for the inventory, both or neither.

        ``keep`` is the strategy that now runs because of us; ``drop`` says that it no longer does.
        Older intents on the same strategy end with it: what was seen now holds for them too.
        """

        def work(db: Connection) -> None:
            leases.fence(db, token)
            journal.conclude(db, intent, outcome, at=at, keep=keep, drop=drop)
            audit.append(db, events)

        self._db.write(work)

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
