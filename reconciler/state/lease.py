"""The lease that one applier holds at a time, and the fencing token that outlives it.

A lease alone is no mutual exclusion: a holder can be paused between looking and acting. So each
acquisition gets a larger token, every write is refused under an older one, and a runtime that can
compare tokens refuses it too. Whoever wakes after its time finds out before it acts.

One clock judges the time of a lease, at every look and for everybody: that of the database. Were it
each host's own, a host whose clock runs ahead would take a lease that its holder believes to have.
For PostgreSQL it is the server's ``clock_timestamp()``, asked in the very transaction that decides,
so hosts may be wrong by years. A SQLite file is shared within one machine only (its write-ahead log
needs shared memory), so there it is the machine's. When that one clock is set forward, a lease ends
early and its holder is refused at its next look; set back, a dead holder's lease lasts longer, until
``unlock``. Which token is the newest asks no clock at all, so in no case can an older holder begin
anything, or record anything, once a newer one came.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from typing import Final, NoReturn, TypeAlias

import sqlalchemy as sa
from sqlalchemy import Connection

from reconciler.model.errors import LockHeld, StateError, UsageError
from reconciler.state import schema
from reconciler.state.database import Writer
from reconciler.state.records import Clock, Holder, LeaseRecord, lease_of, shown

DEFAULT_TTL: Final = timedelta(seconds=60)
_NAME: Final = "apply"
_TABLE: Final = schema.lease
_MINE: Final = _TABLE.c.name == _NAME
_NOBODY: Final = {"host": None, "pid": None, "user": None, "started_at": None, "expires_at": None}

_Judge: TypeAlias = Callable[[Connection], datetime]
"""Gives the moment by which a lease is judged, within the transaction that judges it."""


class Lease:
    """A held lease. Made by :func:`hold`; safe to ask from any thread."""

    def __init__(self, db: Writer, *, token: int, ttl: timedelta, judge: _Judge) -> None:
        self._db = db
        self._token = token
        self._ttl = ttl
        self._judge = judge
        self._lost = ""

    @property
    def token(self) -> int:
        """The fencing token: larger than that of every holder before."""
        return self._token

    @property
    def lost(self) -> bool:
        """Whether it was found expired or superseded; it never comes back."""
        return bool(self._lost)

    def check(self) -> None:
        """Return when this process may act now; call it before each action.

        It renews once a third of the time is gone, so an action starts with at least two
        thirds of it left. Raise :class:`LockHeld` when the lease expired, even if nobody
        took it yet, or when another holder came.
        """
        self._refuse_if_lost()
        now, record = self._db.read(lambda connection: (self._judge(connection), read(connection)))
        if now >= self._end(record, now) - self._ttl * 2 / 3:
            self.renew()

    def renew(self) -> None:
        """Hold it for a whole time from now. Raise :class:`LockHeld` when it is no longer held."""
        self._refuse_if_lost()
        self._db.write(self._extend)

    async def keep(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Renew at every third of the time until cancelled, or until the lease is lost.

        A renewal that the database refuses is tried again at the next third: ``check`` decides.
        """
        while not self.lost:
            await sleep(self._ttl.total_seconds() / 3)
            with contextlib.suppress(LockHeld, StateError):
                self.renew()

    def _extend(self, connection: Connection) -> None:
        record = _locked(connection)
        now = self._judge(connection)  # asked under the lock: waiting for it may have taken a while
        self._end(record, now)
        connection.execute(sa.update(_TABLE).where(_MINE).values(expires_at=now + self._ttl))

    def _end(self, record: LeaseRecord | None, now: datetime) -> datetime:
        """When it ends unless it is renewed. Raise :class:`LockHeld` when it is ours no longer."""
        if record is None or record.token != self._token or record.expires_at is None:
            self._lose("another process took it, or it was unlocked")
        if not record.held(now):
            self._lose(f"it ended at {shown(record.expires_at)}, before this process got to renew it")
        return record.expires_at

    def _refuse_if_lost(self) -> None:
        if self._lost:
            self._lose(self._lost)

    def _lose(self, why: str) -> NoReturn:
        self._lost = why
        raise LockHeld(
            f"this apply lost its lock: {why}",
            hint="nothing more was done; run it again, it continues from what was recorded",
        )


@contextlib.contextmanager
def hold(
    db: Writer, *, holder: Holder | None, ttl: timedelta, clock: Clock | None, by_force: bool = False
) -> Iterator[Lease]:
    """Hold the lease for the length of the block. Raise :class:`LockHeld` when another does.

    ``holder`` is this process where none is given; without a ``clock`` the database's own judges.
    ``by_force`` takes it from whoever holds it, who is fenced off from that moment.
    """
    judge: _Judge = db.now if clock is None else lambda _connection: clock()
    token = db.write(lambda connection: _acquire(connection, holder, judge, ttl, by_force=by_force))
    lease = Lease(db, token=token, ttl=ttl, judge=judge)
    try:
        yield lease
    finally:
        with contextlib.suppress(StateError):  # it ends by itself; what happened inside matters more
            db.write(lambda connection: _release(connection, token))


def read(connection: Connection) -> LeaseRecord | None:
    """The lease as it lies in the state, ``None`` before the first apply."""
    row = connection.execute(sa.select(_TABLE).where(_MINE)).one_or_none()
    return lease_of(row) if row else None


def fence(connection: Connection, token: int) -> None:
    """Raise :class:`LockHeld` when a newer holder came than the one with ``token``.

    Until the transaction ends nobody can take the lease, so what is written after this is written
    under the newest token.
    """
    record = _locked(connection)
    if record is None or record.token != token:
        raise LockHeld(
            "another apply took the lock since; this one may change nothing more",
            hint="run it again, it continues from what was recorded",
        )


def unlock(connection: Connection, token: int) -> LeaseRecord:
    """End the lease with ``token``, whose holder is then fenced off; gives what it was.

    Raise :class:`UsageError` when no such lease is held: a lease is never ended blindly.
    """
    record = _locked(connection)
    if record is None or record.holder is None or record.token != token:
        raise UsageError(
            f"no lock with the number {token} is held",
            hint="take the number from the message of the apply that was refused",
        )
    connection.execute(sa.update(_TABLE).where(_MINE).values(token=token + 1, **_NOBODY))
    return record


def _locked(connection: Connection) -> LeaseRecord | None:
    """The lease, which nobody else changes before this transaction ends.

    Writers come one at a time anyway; where rows can be locked, this one is, so that not even a
    statement typed by hand slips in between.
    """
    row = connection.execute(sa.select(_TABLE).where(_MINE).with_for_update()).one_or_none()
    return lease_of(row) if row else None


def _acquire(
    connection: Connection, holder: Holder | None, judge: _Judge, ttl: timedelta, *, by_force: bool
) -> int:
    record = _locked(connection)
    now = judge(connection)
    if record is not None and record.held(now) and not by_force:
        raise _held_by_another(record)
    token = record.token + 1 if record else 1
    who = holder or Holder.here(lambda: now)
    values = {
        "token": token,
        "host": who.host,
        "pid": who.pid,
        "user": who.user,
        "started_at": who.started_at,
        "expires_at": now + ttl,
    }
    if record is None:
        connection.execute(sa.insert(_TABLE).values(name=_NAME, **values))
    else:
        connection.execute(sa.update(_TABLE).where(_MINE).values(**values))
    return token


def _release(connection: Connection, token: int) -> None:
    connection.execute(sa.update(_TABLE).where(_MINE, _TABLE.c.token == token).values(**_NOBODY))


def _held_by_another(record: LeaseRecord) -> LockHeld:
    until = shown(record.expires_at) if record.expires_at else "never"
    return LockHeld(
        f"another apply holds the lock: {record.holder} (until {until} unless it renews)",
        hint=(
            "wait for it to finish (--lock-timeout SECONDS does); if that process is gone the lock ends by "
            f"itself at that time, or at once with `reconcile unlock {record.token}`"
        ),
        holder=str(record.holder),
        lock_id=record.token,
    )
