"""The words of notifications, for people woken at night: what, since when, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from reconciler.model.event import Event, EventKind, EventSeverity, Recorded, event_to_json
from reconciler.model.finding import Subject
from reconciler.model.message import Digest, Message
from reconciler.output.clean import clean, shortened
from reconciler.output.words import counted

FORMAT_VERSION: Final = "1.0"
LONGEST_TITLE: Final = 150
_LONGEST_LINE: Final = 600
_HASH: Final = 16
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400

_SEVERITY: Final = {
    EventSeverity.CRITICAL: "CRITICAL",
    EventSeverity.WARNING: "Warning",
    EventSeverity.INFO: "Info",
}

_TITLES: Final = {
    EventKind.CONFIGURATION: "the files changed",
    EventKind.CONFIGURATION_REFUSED: "the files are refused",
    EventKind.CONFIGURATION_RESTORED: "the files are good again",
    EventKind.KEY_CHANGED: "the key of {} was changed at the exchange",
    EventKind.FOUND: "{check} of {}",
    EventKind.GONE: "over: {check} of {}",
    EventKind.ENABLED: "{} started",
    EventKind.CHANGED: "{} was changed",
    EventKind.DISABLED: "{} was stopped",
    EventKind.FAILED: "an action on {} failed",
    EventKind.ENDED: "{} was stopped by somebody else",
    EventKind.LOCKDOWN: "lockdown of {}",
    EventKind.LOCKDOWN_LIFTED: "the lockdown of {} was lifted",
    EventKind.UNLOCKED: "the lock was ended by hand",
    EventKind.SINK_FAILING: "notifications do not reach {}",
    EventKind.SINK_RESTORED: "notifications reach {} again",
}

#: Of these the id alone says what they are.
_NAMED: Final = (Subject.POLICY, Subject.SINK)

_TO_DO: Final = {
    EventKind.CONFIGURATION_REFUSED: "Mend the files: `reconcile validate` says what is wrong with them.",
    EventKind.KEY_CHANGED: "If nobody of you changed it, delete the key at the exchange and make a new one.",
    EventKind.FAILED: "Look at the runtime, then run `reconcile` again.",
    EventKind.ENDED: "If nobody of you stopped it, find out who did.",
    EventKind.LOCKDOWN: "Nothing that it covers may run until `reconcile lockdown --lift` ends it.",
    EventKind.UNLOCKED: "Make sure that the process which held the lock is gone.",
    EventKind.SINK_FAILING: "Check its URL with `reconcile notify`; what it missed is kept, and told later.",
}

#: What a pass finds that is no check of the catalogue, or whose fix there speaks to readers of a report.
_TO_DO_OF: Final = {
    "connection-test": "An outage ends by itself; if it lasts, `reconcile check` names cause and fix.",
    "unmanaged": "If nobody of you started it, stop it in its runtime and find out who did.",
    "runtime-unreadable": "See that the runtime runs and answers; nothing is known of what runs there.",
}


def of_event(one: Recorded, *, fix: str = "") -> Message:
    """The message about one event. ``fix`` is what the catalogue says to do about its check."""
    event = one.event
    return Message(
        id=f"evt_{one.seq}_{one.hash[:_HASH]}",
        type=event.kind.value,
        at=event.at,
        severity=event.severity,
        title=title(event),
        text="\n".join(_lines(one, fix)),
        data={"format_version": FORMAT_VERSION, "seq": one.seq, "hash": one.hash, **event_to_json(event)},
    )


def of_digest(digest: Digest) -> Message:
    """The message that stands for many events: what is too much to tell one by one."""
    severity = max(digest.severities, key=lambda one: one.rank)
    return Message(
        id=f"dig_{digest.first}_{digest.last}_{digest.last_hash[:_HASH]}",
        type="digest",
        at=digest.at,
        severity=severity,
        title=_digest_title(digest, severity),
        text="\n".join(_digest_lines(digest)),
        data=_digest_data(digest, severity),
    )


def of_test(sink: str, *, at: datetime) -> Message:
    """A message that only shows that ``sink`` takes what it is sent."""
    return Message(
        id=f"test_{sink}_{at:%Y%m%dT%H%M%S%f}",
        type="test",
        at=at,
        severity=EventSeverity.INFO,
        title=f"Test: this is what {sink} receives",
        text="Somebody ran `reconcile notify`. Nothing happened, and there is nothing to do.",
        data={"format_version": FORMAT_VERSION, "severity": "info", "sink": sink, "at": _exact(at)},
    )


def title(event: Event) -> str:
    """``CRITICAL: withdraw-enabled of connection recovery-pro``: one line, for a phone's lock screen."""
    about = event.subject_id if event.subject in _NAMED else f"{event.subject} {event.subject_id}"
    template = _TITLES[event.kind]
    if event.subject is Subject.POLICY:
        template = template.replace("{check} of {}", "{check} ({})")  # of what, the check's name says
    what = template.format(about, check=event.check)
    return shortened(clean(f"{_SEVERITY[event.severity]}: {what}"), LONGEST_TITLE)


def _lines(one: Recorded, fix: str) -> Iterator[str]:
    event = one.event
    yield _line("What", _what(event))
    if event.kind is EventKind.GONE and event.since:
        yield _line("Was so", f"from {_shown(event.since)} to {_shown(event.at)} ({_lasted(event)})")
    elif event.since:
        yield _line("Since", _shown(event.since))
    else:
        yield _line("When", _shown(event.at))
    if to_do := _to_do(event, fix):
        yield _line("To do", to_do)
    if event.kind is EventKind.FOUND and fix:
        yield _line("More", f"reconcile explain {event.check}")
    yield _line("By", _origin(one))


def _what(event: Event) -> str:
    """The summary without what the title says already."""
    told = (f"{event.check} of {event.subject_id}: ", f"{event.check} of {event.subject_id} is over: ")
    return next(
        (event.summary.removeprefix(one) for one in told if event.summary.startswith(one)), event.summary
    )


def _to_do(event: Event, fix: str) -> str:
    if event.kind is EventKind.FOUND:
        return _TO_DO_OF.get(event.check or "", fix)
    if event.kind is EventKind.DISABLED and event.check:
        return f"It starts again once that is in order. {fix}".strip()
    return _TO_DO.get(event.kind, "")


def _origin(one: Recorded) -> str:
    origin = one.event.origin
    parts = (
        origin.by,
        f"commit {origin.commit[:12]}" if origin.commit else "",
        f"pass {origin.pass_id}" if origin.pass_id else "",
        f"event {one.seq}",
    )
    return ", ".join(part for part in parts if part)


def _digest_title(digest: Digest, severity: EventSeverity) -> str:
    if digest.count == 1:
        return title(digest.worst[0].event)
    return f"{_SEVERITY[severity]}: {counted(digest.count, 'event')}, told as one"


def _digest_lines(digest: Digest) -> Iterator[str]:
    kinds = ", ".join(f"{count} {kind}" for kind, count in digest.kinds.most_common())
    yield _line("What", kinds)
    told = sorted(digest.severities.items(), key=lambda item: -item[0].rank)
    yield _line("How bad", ", ".join(f"{count} {severity}" for severity, count in told))
    for one in digest.worst:
        yield _line("-", f"{title(one.event)}: {_what(one.event)} ({_shown(one.event.at)})")
    if (left := digest.count - len(digest.worst)) > 0:
        yield f"and {left} more"
    yield _line("All", f"reconcile history (events {digest.first} to {digest.last})")


def _digest_data(digest: Digest, severity: EventSeverity) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "severity": severity.value,
        "at": _exact(digest.at),
        "first_seq": digest.first,
        "last_seq": digest.last,
        "count": digest.count,
        "by_kind": {kind.value: count for kind, count in sorted(digest.kinds.items())},
        "by_severity": {level.value: count for level, count in sorted(digest.severities.items())},
        "worst": [{"seq": one.seq, "hash": one.hash, **event_to_json(one.event)} for one in digest.worst],
    }


def _line(word: str, text: str) -> str:
    return f"{word}{' ' if word == '-' else ': '}{shortened(clean(text), _LONGEST_LINE)}"


def _shown(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _exact(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _lasted(event: Event) -> str:
    assert event.since is not None  # noqa: S101 - asked only of what began
    seconds = max(0, int((event.at - event.since).total_seconds()))
    if seconds < _HOUR:
        return counted(seconds // _MINUTE, "minute") if seconds >= _MINUTE else counted(seconds, "second")
    return counted(seconds // _DAY, "day") if seconds >= 2 * _DAY else counted(seconds // _HOUR, "hour")
