"""``reconcile lockdown --list`` and ``--lift``: which emergency stops are in force, and ending one."""

from __future__ import annotations

from reconciler import __version__
from reconciler.engine.emergency_known import know, read_files
from reconciler.engine.lockdown import covers_of, event_of
from reconciler.engine.record import who
from reconciler.engine.settings import Settings
from reconciler.model.emergency import InForce, Lifted, Wanted
from reconciler.model.errors import UsageError
from reconciler.model.event import EventKind


def in_force(settings: Settings) -> InForce:
    """Every lockdown that is in force; of a state that is not there, none."""
    from reconciler.state.store import open_for_reading  # noqa: PLC0415 - sqlalchemy is slow to import

    lockdowns = open_for_reading(settings.state).lockdowns()
    return InForce(version=__version__, at=settings.now(), lockdowns=lockdowns)


def before_lifting(settings: Settings, number: int) -> Lifted:
    """What lifting it would do. Changes nothing; raise ``UsageError`` when none such is in force."""
    from reconciler.state.store import open_for_reading  # noqa: PLC0415 - sqlalchemy is slow to import

    state = open_for_reading(settings.state)
    lockdowns = state.lockdowns()
    found = next((one for one in lockdowns if one.id == number), None)
    if found is None:
        raise UsageError(
            f"no lockdown with the number {number} is in force",
            hint="`reconcile lockdown --list` shows those that are",
        )
    known = know(read_files(settings), state)
    still = tuple(one for one in lockdowns if one.id != number)
    held_by, others = covers_of(found, known), covers_of(still, known)
    freed = (
        one.id
        for one in known.desired.strategies.values()
        if one.enabled and held_by(one.connection) and not others(one.connection)
    )
    return Lifted(
        version=__version__,
        at=settings.now(),
        lockdown=found,
        by=who(),
        may_start=tuple(sorted(freed)),
        troubles=known.troubles,
        still=still,
    )


def lift(settings: Settings, number: int) -> Lifted:
    """End the lockdown with this number; the next pass may start again what it held back."""
    from reconciler.state.store import open_for_writing  # noqa: PLC0415 - sqlalchemy is slow to import

    seen = before_lifting(settings, number)
    one = seen.lockdown
    wanted = Wanted(scope=one.scope, scope_id=one.scope_id, reason=one.reason)
    event = event_of(EventKind.LOCKDOWN_LIFTED, wanted, f"{one} was lifted: {one.reason}", settings, seen.by)
    with open_for_writing(settings.state) as store:
        store.lift(number, at=seen.at, event=event)
    return seen
