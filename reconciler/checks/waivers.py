"""Waivers: exceptions in git with an end, and what becomes of those that no longer count."""

from __future__ import annotations

from datetime import UTC, datetime

from reconciler.checks.check import Answer, Case, Check, failed, passed
from reconciler.model.desired import Waiver
from reconciler.model.finding import Severity


def ended(waiver: Waiver, now: datetime) -> bool:
    """Whether ``waiver`` no longer counts: it does until the end of its last day, in UTC."""
    return now.astimezone(UTC).date() > waiver.until


def running(case: Case, waiver: Waiver) -> bool:
    """Whether ``waiver`` still counts in ``case``."""
    return not ended(waiver, case.now)


def of(case: Case) -> tuple[Waiver, ...]:
    """The waivers of the case's connection, over or not, in an order that no file decides."""
    mine = (waiver for waiver in case.desired.waivers if waiver.connection == case.connection.id)
    return tuple(sorted(mine, key=lambda waiver: (waiver.check, waiver.until, waiver.approved_by)))


def waiver_for(case: Case, check: str) -> Waiver | None:
    """The waiver that answers for ``check`` today, the longest one if there are several."""
    fitting = (waiver for waiver in of(case) if waiver.check == check and running(case, waiver))
    return max(fitting, key=lambda waiver: waiver.until, default=None)


def waiver_expired(case: Case) -> Answer:
    """Whether every waiver of the connection is still running."""
    over = [waiver for waiver in of(case) if not running(case, waiver)]
    if not over:
        return passed("no waiver is over")
    named = ", ".join(f"{waiver.check} (until {waiver.until})" for waiver in over)
    return failed(f"no longer waived: {named}", mark=over[0].mark)


EXPIRED = Check(
    id="waiver-expired",
    title="Waivers are running",
    asks="Is every waiver of the connection still running?",
    cause="A waiver reached its end.",
    fix="Remove the waiver once its cause is mended, or have a new one approved.",
    explanation=(
        "An exception is for a time. After the end of its last day (UTC) the check that it waived blocks "
        "again, and the waiver itself is reported until somebody removes it."
    ),
    rule=waiver_expired,
    severity=Severity.ADVISORY,
)
