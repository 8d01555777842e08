"""What turned since the last pass: what is no longer as it should be, what is again, how keys changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeAlias

from reconciler.model.event import Event, EventKind, EventSeverity, Origin
from reconciler.model.finding import Finding, Severity, Subject, Verdict
from reconciler.model.live import KeyReport
from reconciler.model.memory import Condition
from reconciler.model.plan import ActionKind, Plan
from reconciler.model.report import ConnectionReport
from reconciler.planning import disabling, lockdown, settle, windows
from reconciler.planning.canonical import plain
from reconciler.planning.gate import NEVER_WAIVED, ROOTS

Key: TypeAlias = tuple[Subject, str, str]
Looked: TypeAlias = Callable[[Subject, str], bool]
"""Whether this pass looked at what a condition is about; what it did not look at stays as it was."""

UNMANAGED: Final = "unmanaged"
UNREADABLE: Final = "runtime-unreadable"


_ASIDE: Final = frozenset({settle.CHECK, windows.CHECK, lockdown.CHECK, disabling.CHECK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What is open after a pass, and what to tell of the difference to before."""

    conditions: tuple[Condition, ...]
    events: tuple[Event, ...]


def found(
    reports: Iterable[ConnectionReport],
    findings: Iterable[Finding],
    plan: Plan,
    *,
    unreadable: Iterable[str],
    at: datetime,
) -> tuple[Condition, ...]:
    """Everything that is not as it should be, each once; ``unreadable`` are runtimes."""
    conditions = (
        *(_condition(one, at) for report in reports for one in _told(report.findings)),
        *(_condition(one, at) for one in findings if _wrong(one)),
        *_of_plan(plan, unreadable, at),
    )
    return tuple({one.key: one for one in conditions}.values())


def turn(
    before: Sequence[Condition],
    now: Sequence[Condition],
    *,
    looked: Looked,
    unknown: frozenset[Key],
    at: datetime,
    origin: Origin,
) -> Turn:
    """The difference of two passes. Something ends only when it was looked at, and answered.

    ``unknown`` has the checks that gave no answer this time: what they found before still holds.
    """
    old, new = {one.key: one for one in before}, {one.key: one for one in now}
    stays = {key: one for key, one in old.items() if not looked(*key[:2]) or key in unknown}
    kept = {key: _continued(old.get(key), one) for key, one in new.items()} | {
        key: one for key, one in stays.items() if key not in new or new[key].verdict is Verdict.UNKNOWN
    }
    opened = (one for key, one in kept.items() if key not in old or old[key].verdict is not one.verdict)
    closed = (one for key, one in old.items() if key not in kept)
    events = (
        *(_opened(one, at, origin) for one in opened),
        *(_closed(one, at, origin) for one in closed),
    )
    return Turn(conditions=tuple(kept.values()), events=events)


def unanswered(reports: Iterable[ConnectionReport]) -> frozenset[Key]:
    """The checks of these connections that gave no answer."""
    return frozenset(
        (one.subject, one.subject_id, one.check)
        for report in reports
        for one in report.findings
        if one.verdict is Verdict.UNKNOWN
    )


def key_of(report: KeyReport | None) -> Mapping[str, Any] | None:
    """What the exchange said of a key, as it is remembered: JSON-like, and without a secret."""
    if report is None:
        return None
    told: dict[str, Any] = plain(report)
    return {name: told[name] for name in ("permissions", "ip_whitelist", "account", "expires_at", "disabled")}


def key_changed(
    connection: str,
    before: Mapping[str, Any] | None,
    now: Mapping[str, Any] | None,
    *,
    at: datetime,
    origin: Origin,
) -> Event | None:
    """What is new about a key since it was last read; ``None`` where nothing is, or where nobody can tell."""
    if not before or not now:
        return None
    changes = [*_permissions(before, now), *_addresses(before, now), *_account(before, now)]
    if not changes:
        return None
    wider = any(change.wider for change in changes)
    return Event(
        kind=EventKind.KEY_CHANGED,
        severity=EventSeverity.WARNING if wider else EventSeverity.INFO,
        subject=Subject.CONNECTION,
        subject_id=connection,
        summary=f"the key of {connection} was changed at the exchange: {', '.join(c.text for c in changes)}",
        at=at,
        origin=origin,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """One difference of a key. ``wider``: it lets more happen, or somebody else."""

    text: str
    wider: bool


def _permissions(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[_Change]:
    for name, value in now["permissions"].items():
        was = before["permissions"].get(name)
        if value is not None and was is not None and value is not was:
            yield _Change(text=f"it may {'now' if value else 'no longer'} {name}", wider=value)


def _addresses(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[_Change]:
    was, is_ = before["ip_whitelist"], now["ip_whitelist"]
    if was["restricted"] and is_["restricted"] is False:
        yield _Change(text="it is no longer bound to addresses", wider=True)
    elif was["restricted"] is False and is_["restricted"]:
        yield _Change(text="it is now bound to addresses", wider=False)
    if was["addresses"] is not None and is_["addresses"] is not None:
        added = sorted(set(is_["addresses"]) - set(was["addresses"]))
        removed = sorted(set(was["addresses"]) - set(is_["addresses"]))
        if added:
            yield _Change(text=f"its whitelist gained {', '.join(added)}", wider=True)
        if removed:
            yield _Change(text=f"its whitelist lost {', '.join(removed)}", wider=False)


def _account(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[_Change]:
    was, is_ = before["account"]["uid"], now["account"]["uid"]
    if was is not None and is_ is not None and was != is_:
        yield _Change(text=f"it belongs to account {is_} instead of {was}", wider=True)


def _told(findings: Sequence[Finding]) -> Iterator[Finding]:
    """What is wrong with a connection; where nothing could be read, that alone and what surely failed."""
    wrong = [one for one in findings if _wrong(one)]
    rooted = any(one.check in ROOTS for one in wrong)
    return (one for one in wrong if one.verdict is Verdict.FAIL or not rooted or one.check in ROOTS)


def _wrong(finding: Finding) -> bool:
    """Whether somebody should know: what fails and is not waived, or blocks without an answer.

    What only waits its turn is no trouble: it shows in the plan for as long as it does. A lockdown is
    told when it is declared and when it is lifted.
    """
    if finding.check in _ASIDE:
        return False
    if finding.verdict is Verdict.FAIL:
        return finding.waived_by is None or finding.check == NEVER_WAIVED
    return finding.verdict is Verdict.UNKNOWN and finding.blocks


def _condition(finding: Finding, at: datetime) -> Condition:
    return Condition(
        subject=finding.subject,
        subject_id=finding.subject_id,
        check=finding.check,
        verdict=finding.verdict,
        blocks=finding.severity is Severity.BLOCKING,
        evidence=finding.evidence or finding.cause,
        since=at,
    )


def _of_plan(plan: Plan, unreadable: Iterable[str], at: datetime) -> Iterator[Condition]:
    """What only the plan shows: strategies that nobody here started, and runtimes that do not answer."""
    for action in plan.actions:
        if action.kind is ActionKind.UNMANAGED:
            evidence = f"{action.strategy} in {action.runtime}: {action.reason}"
            yield _planned(Subject.STRATEGY, action.strategy, UNMANAGED, evidence, at)
    for runtime in unreadable:
        evidence = f"{runtime} could not be read, so nobody knows what runs there"
        yield _planned(Subject.RUNTIME, runtime, UNREADABLE, evidence, at)


def _planned(subject: Subject, subject_id: str, check: str, evidence: str, at: datetime) -> Condition:
    verdict = Verdict.UNKNOWN if check == UNREADABLE else Verdict.FAIL
    return Condition(
        subject=subject,
        subject_id=subject_id,
        check=check,
        verdict=verdict,
        blocks=False,
        evidence=evidence,
        since=at,
    )


def _continued(before: Condition | None, now: Condition) -> Condition:
    """``now``, since when it already was so. Its evidence stays the first: later ones only count days."""
    if before is None or before.verdict is not now.verdict:
        return now
    return replace(now, since=min(before.since, now.since), evidence=before.evidence)


def _opened(one: Condition, at: datetime, origin: Origin) -> Event:
    return Event(
        kind=EventKind.FOUND,
        severity=_severity(one),
        subject=one.subject,
        subject_id=one.subject_id,
        summary=f"{one.check} of {one.subject_id}: {one.evidence}",
        at=at,
        check=one.check,
        since=one.since,
        origin=origin,
    )


def _severity(one: Condition) -> EventSeverity:
    fails = one.blocks and one.verdict is Verdict.FAIL
    return EventSeverity.CRITICAL if fails else EventSeverity.WARNING


def _closed(one: Condition, at: datetime, origin: Origin) -> Event:
    return Event(
        kind=EventKind.GONE,
        severity=EventSeverity.INFO,
        subject=one.subject,
        subject_id=one.subject_id,
        summary=f"{one.check} of {one.subject_id} is over: {one.evidence}",
        at=at,
        check=one.check,
        since=one.since,
        was=_severity(one),
        origin=origin,
    )
