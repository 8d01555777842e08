"""What a pass leaves behind: evidence before it acts, decisions and what turned after it acted.

Each is one transaction. A pass that is killed between them leaves what was open before open, so the
next one finds the same difference and tells it then: never lost, and at most once in the log.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from reconciler import machine
from reconciler.checks import permits
from reconciler.engine import markets
from reconciler.model.desired import Desired
from reconciler.model.event import Event, EventKind, EventSeverity, Origin
from reconciler.model.finding import Finding, Subject
from reconciler.model.memory import Permit, Reading
from reconciler.model.plan import InventoryItem, Plan
from reconciler.model.report import ConnectionReport
from reconciler.planning.drift import Looked, Turn, found, key_changed, key_of, turn, unanswered
from reconciler.planning.gate import gate

if TYPE_CHECKING:
    from reconciler.state.store import Store


def who() -> str:
    """Who runs this, for people: ``alice@host``."""
    return f"{machine.user()}@{socket.gethostname()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a pass saw and decided, as far as it is to be remembered. ``unreadable`` are runtimes."""

    desired: Desired
    reports: tuple[ConnectionReport, ...]
    findings: tuple[Finding, ...]
    plan: Plan
    permits: tuple[Permit, ...]
    unreadable: tuple[str, ...]


def record_evidence(
    store: Store, reports: Iterable[ConnectionReport], *, token: int, keep: Iterable[str], origin: Origin
) -> None:
    """Remember what was read of each connection, and tell what changed about its key.

    Of connections not in ``keep`` nothing is remembered any longer.
    """
    before = store.readings()
    new = [reading_of(report) for report in reports]
    keys = {name: one.reading.key for name, one in before.items()}
    turned = (
        key_changed(one.connection, keys.get(one.connection), one.key, at=one.at, origin=origin)
        for one in new
    )
    events = [event for event in turned if event is not None]
    store.record_evidence(new, token=token, events=events, keep=frozenset(keep))


def reading_of(report: ConnectionReport) -> Reading:
    """What is remembered of one connection's report."""
    found_ = gate(report, permits=permits)
    return Reading(
        connection=report.connection.id,
        exchange=report.connection.exchange,
        at=report.observation.observed_at,
        status=report.status,
        verdict=found_.verdict,
        checks=found_.checks,
        key=key_of(report.observation.report),
    )


def record_decisions(store: Store, seen: Findings, *, token: int, at: datetime, origin: Origin) -> None:
    """Remember what the pass decided of each strategy and what it found, and tell what turned."""
    turned = _turn(store, seen, at, origin)
    store.record_decisions(
        token=token,
        permits=seen.permits,
        strategies=seen.desired.strategies.keys(),
        conditions=turned.conditions,
        events=turned.events,
    )


def _turn(store: Store, seen: Findings, at: datetime, origin: Origin) -> Turn:
    return turn(
        store.conditions(),
        found(seen.reports, seen.findings, seen.plan, unreadable=seen.unreadable, at=at),
        looked=_looked(seen),
        unknown=unanswered(seen.reports) | markets.unanswered(seen.desired, seen.reports, seen.findings),
        at=at,
        origin=origin,
    )


def _looked(seen: Findings) -> Looked:
    """A connection that is in the files and was not read stays as it was; so does all beside a target."""
    read = {report.connection.id for report in seen.reports}
    targets = frozenset(seen.plan.targets)

    def looked(subject: Subject, subject_id: str) -> bool:
        if subject is Subject.CONNECTION:
            return subject_id in read or (not targets and subject_id not in seen.desired.connections)
        return not targets or subject_id in targets

    return looked


def configuration_events(before: str | None, *, at: datetime, origin: Origin) -> tuple[Event, ...]:
    """That the files are those of another commit than the last pass knew, where both are known."""
    if origin.commit is None or before == origin.commit:
        return ()
    return (
        Event(
            kind=EventKind.CONFIGURATION,
            severity=EventSeverity.INFO,
            subject=Subject.POLICY,
            subject_id="files",
            summary=f"the files are those of commit {origin.commit}"
            + (f", after {before}" if before else ""),
            at=at,
            origin=origin,
        ),
    )


def ended_events(items: Iterable[InventoryItem], *, at: datetime, origin: Origin) -> tuple[Event, ...]:
    """That this tool answers no longer for strategies which are off where git no longer wants them."""
    return tuple(
        Event(
            kind=EventKind.ENDED,
            severity=EventSeverity.WARNING,
            subject=Subject.STRATEGY,
            subject_id=item.strategy,
            summary=f"{item.strategy} is off in {item.runtime}, where git no longer wants it: ours no longer",
            at=at,
            origin=origin,
        )
        for item in items
    )
