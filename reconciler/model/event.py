"""What happened, in the one form in which it is kept, shown and told to people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from reconciler.model.finding import Subject
from reconciler.model.plan import ActionKind, Outcome, OutcomeState


class EventKind(StrEnum):
    """What can happen. Each is told once: when it begins or is done, never again while it lasts."""

    CONFIGURATION = "configuration-changed"
    CONFIGURATION_REFUSED = "configuration-refused"
    CONFIGURATION_RESTORED = "configuration-restored"
    KEY_CHANGED = "key-changed"
    FOUND = "found"
    GONE = "gone"
    ENABLED = "strategy-enabled"
    CHANGED = "strategy-changed"
    DISABLED = "strategy-disabled"
    FAILED = "action-failed"
    ENDED = "strategy-ended"
    LOCKDOWN = "lockdown"
    LOCKDOWN_LIFTED = "lockdown-lifted"
    UNLOCKED = "unlocked"
    SINK_FAILING = "sink-failing"
    SINK_RESTORED = "sink-restored"


class EventSeverity(StrEnum):
    """How soon a person should look: at leisure, today, or now."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for the least."""
        return _RANKS[self]


_RANKS: Final = {EventSeverity.INFO: 0, EventSeverity.WARNING: 1, EventSeverity.CRITICAL: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who made something happen, from which commit of the files, in which pass; each where it is known."""

    by: str = ""
    commit: str | None = None
    pass_id: int | None = None


NOWHERE: Final = Origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened. No field ever holds a secret.

    ``summary`` is one sentence for people. ``check`` is the id of the check or of what else was found,
    and ``since`` is when it began, for what was found or is gone again. ``was`` is the severity of what
    is over now: whoever was told of the one is told of the other.
    """

    kind: EventKind
    severity: EventSeverity
    subject: Subject
    subject_id: str
    summary: str
    at: datetime
    check: str | None = None
    since: datetime | None = None
    was: EventSeverity | None = None
    origin: Origin = NOWHERE

    @property
    def weight(self) -> EventSeverity:
        """How severe it is, or what it ends was: by this people choose what they are told."""
        return max(self.severity, self.was or self.severity, key=lambda one: one.rank)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An event as the audit log holds it: its number from 1 on, and the hash that chains it to the last."""

    seq: int
    event: Event
    hash: str


def event_to_json(event: Event) -> dict[str, Any]:
    """The event as JSON-like data; moments in ISO 8601 with microseconds, in UTC."""
    return {
        "kind": event.kind.value,
        "severity": event.severity.value,
        "subject": event.subject.value,
        "subject_id": event.subject_id,
        "summary": event.summary,
        "at": _text(event.at),
        "check": event.check,
        "since": None if event.since is None else _text(event.since),
        "was": None if event.was is None else event.was.value,
        "by": event.origin.by,
        "commit": event.origin.commit,
        "pass_id": event.origin.pass_id,
    }


def event_of_json(kept: Mapping[str, Any]) -> Event:
    """The event that :func:`event_to_json` gave. Raise ``ValueError`` when it is none."""
    try:
        return Event(
            kind=EventKind(kept["kind"]),
            severity=EventSeverity(kept["severity"]),
            subject=Subject(kept["subject"]),
            subject_id=kept["subject_id"],
            summary=kept["summary"],
            at=datetime.fromisoformat(kept["at"]),
            check=kept["check"],
            since=None if kept["since"] is None else datetime.fromisoformat(kept["since"]),
            was=None if kept["was"] is None else EventSeverity(kept["was"]),
            origin=Origin(by=kept["by"], commit=kept["commit"], pass_id=kept["pass_id"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError("this is no event") from error


def event_of_outcome(outcome: Outcome, *, at: datetime, origin: Origin) -> Event:
    """What became of one action: done, or anything else, which a person should look at."""
    action = outcome.action
    done = outcome.state is OutcomeState.DONE
    where = f"on {action.connection or 'no connection'}, in {action.runtime}"
    if done:
        kind, severity = _DONE[action.kind]
        summary = f"{action.strategy} was {action.kind}d {where}: {action.reason}"
    else:
        kind, severity = EventKind.FAILED, EventSeverity.CRITICAL
        summary = f"to {action.kind} {action.strategy} {where} is {_WORDS[outcome.state]}: {outcome.detail}"
    return Event(
        kind=kind,
        severity=severity,
        subject=Subject.STRATEGY,
        subject_id=action.strategy,
        summary=summary,
        at=at,
        check=action.checks[0] if action.checks else None,
        origin=origin,
    )


_DONE: Final = {
    ActionKind.ENABLE: (EventKind.ENABLED, EventSeverity.INFO),
    ActionKind.CHANGE: (EventKind.CHANGED, EventSeverity.INFO),
    ActionKind.DISABLE: (EventKind.DISABLED, EventSeverity.WARNING),
}

_WORDS: Final = {
    OutcomeState.FAILED: "failed",
    OutcomeState.NOT_TRIED: "not tried",
    OutcomeState.UNKNOWN: "not known to be done",
}


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")
