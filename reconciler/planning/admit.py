"""Whether one strategy may run now, by what the last passes left: the rule behind ``gate``.

It never says more than the last pass did. Each doubt closes it: evidence that is old, missing or of the
future, a reading that is newer than the decision and not good, a lockdown that anything about it falls under.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from reconciler.model.finding import Subject, Verdict
from reconciler.model.gate import Admission, Bar, Glance, Reason
from reconciler.model.memory import SKEW, May, Permit, Reading
from reconciler.model.spans import span

_NAMED: Final = 10


def admit(seen: Glance, strategy: str, *, running: bool, max_age: timedelta, now: datetime) -> Admission:
    """The answer for ``strategy``; with ``running`` for one that runs already and would only go on.

    ``max_age`` is how old the decision may be.
    """
    permit = seen.permit
    reasons = (
        *_lockdowns(seen),
        *(_unknown(seen, strategy) if permit is None else _judged(permit, seen, running=running)),
        *(() if permit is None else _age(permit, max_age, now)),
    )
    return Admission(
        strategy=strategy, running=running, max_age=max_age, now=now, permit=permit, reasons=reasons
    )


def _lockdowns(seen: Glance) -> Iterator[Reason]:
    """Those in force over the connection that the files name, or over the one that it runs on."""
    names = {seen.permit.connection if seen.permit else None, seen.runs_on} - {None} or {None}
    for one in seen.lockdowns:
        if any(one.covers(name, _exchange(seen.readings.get(name or ""))) for name in names):
            yield Reason(
                bar=Bar.LOCKDOWN,
                message=f"{one} is in force, by {one.by}: {' '.join(one.reason.split())}",
                since=one.since,
                fix=(f"reconcile lockdown --lift {one.id}",),
            )


def _exchange(reading: Reading | None) -> str | None:
    return reading.exchange if reading else None


def _unknown(seen: Glance, strategy: str) -> Iterator[Reason]:
    known = ", ".join(seen.known[:_NAMED]) + (", …" if len(seen.known) > _NAMED else "")
    yield Reason(
        bar=Bar.UNKNOWN_STRATEGY,
        message=f"no apply has decided anything about {strategy}"
        + (f"; known are {known}" if known else ", or about any other strategy"),
        fix=("reconcile",),
    )


def _judged(permit: Permit, seen: Glance, *, running: bool) -> Iterator[Reason]:
    told = permit.checks == (Bar.LOCKDOWN.value,) and any(_lockdowns(seen))
    if not told and (permit.may is May.STOP or (permit.may is May.GO_ON and not running)):
        what = "" if permit.may is May.STOP else "it may only go on where it runs: "
        yield Reason(
            bar=Bar.DECIDED,
            message=f"{what}{permit.why}",
            since=_since(seen, permit.checks),
            checks=permit.checks,
            fix=_asked_again(permit, permit.checks, seen),
        )
    reading = seen.readings.get(permit.connection)
    if reading is None:
        yield Reason(
            bar=Bar.UNREAD,
            message=f"nothing is remembered of its connection {permit.connection}",
            fix=(f"reconcile check {permit.connection}", "reconcile"),
        )
    elif reading.at > permit.at and not _good(reading, running=running):
        word = "fails" if reading.verdict is Verdict.FAIL else "gave no answer to"
        yield Reason(
            bar=Bar.READ_SINCE,
            message=f"{reading.connection} was read since, and {word} {', '.join(reading.checks)}",
            since=_since(seen, reading.checks) or reading.at,
            checks=reading.checks,
            fix=_asked_again(permit, reading.checks, seen),
        )


def _good(reading: Reading, *, running: bool) -> bool:
    return reading.verdict is Verdict.PASS or (running and reading.verdict is Verdict.UNKNOWN)


def _age(permit: Permit, max_age: timedelta, now: datetime) -> Iterator[Reason]:
    if permit.at > now + SKEW:
        yield Reason(
            bar=Bar.AHEAD,
            message="its key was read in the future: the clock here, or of who applies, is wrong",
            fix=("reconcile doctor",),
        )
    elif now - permit.at > max_age:
        yield Reason(
            bar=Bar.STALE,
            message=f"its key was last read more than {span(max_age)} ago",
            fix=("reconcile",),
        )


def _since(seen: Glance, checks: tuple[str, ...]) -> datetime | None:
    """Since when the first of these checks is not passed, as far as that is remembered."""
    return min((one.since for one in seen.conditions if one.check in checks), default=None)


def _asked_again(permit: Permit, checks: tuple[str, ...], seen: Glance) -> tuple[str, ...]:
    """What explains it, and what looks again: at the key, or at the plan where it is no matter of the key."""
    of_key = any(one.subject is Subject.CONNECTION and one.check in checks for one in seen.conditions)
    again = f"reconcile check {permit.connection}" if of_key else "reconcile --dry-run"
    return (*(f"reconcile explain {check}" for check in checks[:1]), again)
