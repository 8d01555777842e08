"""What a sink is told now of what happened: one message for each event, or one for all that is too much."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from reconciler.model.event import Event, EventKind, EventSeverity, Recorded
from reconciler.model.memory import Cursor
from reconciler.model.message import Digest

#: After so many attempts in a row that failed, the others are told that a sink takes nothing.
DEAD: Final = 3

_FIRST_PAUSE: Final = timedelta(seconds=30)
_LONGEST_PAUSE: Final = timedelta(minutes=30)

#: How severe it was what these end, where the event itself does not say.
_ENDS: Final = {
    EventKind.LOCKDOWN_LIFTED: EventSeverity.CRITICAL,
    EventKind.CONFIGURATION_RESTORED: EventSeverity.WARNING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What to tell: first ``singles``, each as a message of its own, then ``rest`` as one.

    With all of it told, everything up to the number ``upto`` is: what lies between concerns the sink not.
    """

    singles: tuple[Recorded, ...]
    rest: Digest | None
    upto: int


def batch(
    events: Iterable[Recorded], *, after: int, least: EventSeverity, room: int, whole: bool = True
) -> Batch:
    """The events from ``after`` on that weigh at least ``least``, in at most ``room`` messages.

    Without room for any, nothing is to be told yet. With ``whole`` false all go into one digest: the
    sink refuses one of them as it is.
    """
    if room < 1:
        return Batch(singles=(), rest=None, upto=after)
    singles: list[Recorded] = []
    rest, upto = None, after
    for one in events:
        upto = one.seq
        if weight(one.event).rank < least.rank:
            continue
        if rest is None and whole and len(singles) < room:
            singles.append(one)
            continue
        if rest is None:
            held = [singles.pop()] if singles else []  # makes room for the digest itself
            rest = Digest(first=(held or [one])[0].seq, at=one.event.at)
            for earlier in held:
                rest.add(earlier)
        rest.add(one)
    return Batch(singles=tuple(singles), rest=rest, upto=upto)


def weight(event: Event) -> EventSeverity:
    """By what a sink's least severity judges an event: who is told of a trouble is told of its end."""
    was = _ENDS.get(event.kind, event.weight)
    return max(was, event.weight, key=lambda one: one.rank)


def due(cursor: Cursor, now: datetime) -> bool:
    """Whether a sink that failed is to be tried again: after half a minute, then twice that, and so on."""
    if not cursor.failures or cursor.tried_at is None or now < cursor.tried_at:  # the clock was set back
        return True
    return now >= cursor.tried_at + pause(cursor.failures)


def pause(failures: int) -> timedelta:
    """How long a sink is left alone after so many failures in a row."""
    doubled: int = 2 ** min(failures - 1, 16)
    return min(_FIRST_PAUSE * doubled, _LONGEST_PAUSE)
