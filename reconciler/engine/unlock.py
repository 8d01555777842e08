"""Ending the lease of an apply that is gone."""

from __future__ import annotations

from reconciler.engine.record import who
from reconciler.engine.settings import Settings
from reconciler.model.errors import UsageError
from reconciler.model.event import Event, EventKind, EventSeverity, Origin
from reconciler.model.finding import Subject


def unlock(settings: Settings, token: int) -> str:
    """End the lease with this number, and say whose it was.

    Raise ``UsageError`` when the number is not that of the present lease: it was released or taken
    over meanwhile, and nobody's lease is ended by mistake. A state that is not there stays so.
    """
    from reconciler.state.store import open_for_reading, open_for_writing  # noqa: PLC0415 - sqlalchemy is slow

    record = open_for_reading(settings.state).lease_record()
    if record is None:
        raise UsageError(
            "no lock is held: nothing was ever applied with this state",
            hint="name the --state of the apply that was refused",
        )
    with open_for_writing(settings.state) as store:
        record = store.unlock(token, _event(settings, str(record.holder), token))
    return str(record.holder)


def _event(settings: Settings, holder: str, token: int) -> Event:
    return Event(
        kind=EventKind.UNLOCKED,
        severity=EventSeverity.WARNING,
        subject=Subject.POLICY,
        subject_id="lock",
        summary=f"lock {token} was ended by hand; it was held by {holder}",
        at=settings.now(),
        origin=Origin(by=who()),
    )
