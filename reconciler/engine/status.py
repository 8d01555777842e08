"""How things stand, by what the state holds alone: no file, no key, no network."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from reconciler.model.errors import UsageError
from reconciler.model.finding import Subject
from reconciler.model.memory import Permit
from reconciler.model.overview import Applier, Overview, PastPass

if TYPE_CHECKING:
    from reconciler.state.records import LeaseRecord, PassRecord
    from reconciler.state.view import ReadState

_PASSES: Final = 5


def status(state: str, names: Collection[str], *, max_age: timedelta, now: datetime) -> Overview:
    """What the last passes left of the named connections and strategies, or of all of them.

    A strategy brings its connection along, and a connection its strategies. Raise ``UsageError`` for a
    name that the state does not know, and ``StateError`` where the state cannot be read.
    """
    from reconciler.state.store import open_for_reading  # noqa: PLC0415 - sqlalchemy is slow to import

    held = open_for_reading(state)
    readings, permits = held.readings(), held.permits()
    _require_known(names, {*readings, *permits})
    strategies = tuple(one for one in permits.values() if _wanted(one, names))
    shown = {*names, *(one.connection for one in strategies)} if names else {*readings}
    ids = {one.strategy for one in strategies}
    return Overview(
        now=now,
        max_age=max_age,
        connections=tuple(readings[name] for name in sorted(shown & readings.keys())),
        strategies=tuple(sorted(strategies, key=lambda one: one.strategy)),
        conditions=tuple(
            one
            for one in held.conditions()
            if not names or one.subject_id in (shown if one.subject is Subject.CONNECTION else ids)
        ),
        lockdowns=held.lockdowns(),
        running=frozenset(held.inventory()),
        unfinished=tuple(sorted({intent.action.strategy for intent in held.unfinished()})),
        applier=_applier(held.lease_record(), now),
        passes=_passes(held),
    )


def _require_known(names: Collection[str], known: Collection[str]) -> None:
    foreign = sorted(set(names) - set(known))
    if foreign:
        raise UsageError(
            f"the state knows neither a connection nor a strategy called {', '.join(foreign)}",
            hint="`reconcile status` shows all that it knows; what an apply has not looked at is not in it",
        )


def _wanted(one: Permit, names: Collection[str]) -> bool:
    return not names or one.strategy in names or one.connection in names


def _applier(record: LeaseRecord | None, now: datetime) -> Applier | None:
    if record is None or record.holder is None or record.expires_at is None or not record.held(now):
        return None
    return Applier(lock_id=record.token, holder=str(record.holder), until=record.expires_at)


def _passes(held: ReadState) -> tuple[PastPass, ...]:
    return tuple(map(_pass, held.passes(limit=_PASSES)))


def _pass(one: PassRecord) -> PastPass:
    return PastPass(
        id=one.id,
        started_at=one.started_at,
        finished_at=one.finished_at,
        exit_code=one.exit_code,
        by=one.by,
        commit=one.commit,
    )
