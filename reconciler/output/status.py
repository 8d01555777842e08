"""The screen of ``status``: how things stand by what the last passes left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from reconciler.model.finding import Subject, Verdict
from reconciler.model.live import Status
from reconciler.model.memory import LETTERS, Condition, Lockdown, May, Permit, Remembered
from reconciler.model.overview import Overview, PastPass
from reconciler.model.spans import span
from reconciler.output.clean import shortened
from reconciler.output.document import BLANK, WIDTH, Line, Role, Span, labelled, plain, text_line
from reconciler.output.findings import LONGEST
from reconciler.output.words import ago, counted, iso

_STATUS: Final = {
    Status.CONNECTED: ("✓", Role.GOOD),
    Status.DEGRADED: ("!", Role.BAD),
    Status.REJECTED: ("✗", Role.BAD),
    Status.UNREACHABLE: ("?", Role.UNKNOWN),
    Status.UNCHECKED: ("?", Role.MUTED),
}
_MAY: Final = {
    May.RUN: ("+ may run", Role.GOOD),
    May.GO_ON: ("~ may go on", Role.UNKNOWN),
    May.STOP: ("- may not run", Role.BAD),
}
#: One block for each reading, as high as it was good; ``clean`` has a letter for where a stream lacks them.
_BARS: Final = {
    Status.CONNECTED: "▇",
    Status.DEGRADED: "▅",
    Status.REJECTED: "▃",
    Status.UNREACHABLE: "▁",
    Status.UNCHECKED: "░",
}
_HEIGHTS: Final = str.maketrans({LETTERS[status]: bar for status, bar in _BARS.items()})


def render(seen: Overview, *, width: int = WIDTH) -> str:
    """Connections, strategies, lockdowns, the lock and the last passes; the last line counts them."""
    return plain([*_lines(seen), text_line(_summary(seen))], width)


def _lines(seen: Overview) -> Iterator[Line]:
    for one in seen.connections:
        yield from _connection(one, seen)
        yield BLANK
    for permit in seen.strategies:
        yield from _strategy(permit, seen)
        yield BLANK
    others = [one for one in seen.conditions if one.subject not in (Subject.CONNECTION, Subject.STRATEGY)]
    yield from _block(_condition(one, named=True) for one in others)
    yield from _block(line for one in seen.lockdowns for line in _lockdown(one, seen.now))
    yield from _block(_closing(seen))


def _block(lines: Iterable[Line]) -> Iterator[Line]:
    """The lines and a blank one; nothing where there are none."""
    held = list(lines)
    if held:
        yield from (*held, BLANK)


def _connection(one: Remembered, seen: Overview) -> Iterator[Line]:
    reading = one.reading
    symbol, role = ("?", Role.UNKNOWN) if seen.stale(reading.at) else _STATUS[reading.status]
    where = f" · {reading.exchange}" if reading.exchange else ""
    yield labelled(
        f"{symbol} {reading.status.shown}",
        Span(reading.connection, Role.TITLE),
        Span(where, Role.MUTED),
        indent=0,
        role=role,
    )
    row = f" · every check passed, {one.streak} times in a row" if one.streak > 1 else ""
    yield labelled("read", f"{iso(reading.at)}, {ago(reading.at, seen.now)}{row}", *_stale(reading.at, seen))
    found = seen.about(Subject.CONNECTION, reading.connection)
    yield from map(_condition, sorted(found, key=lambda one: not one.blocks))
    untold = [check for check in reading.checks if check not in {condition.check for condition in found}]
    if untold:
        yield labelled(_word(reading.verdict), ", ".join(untold), role=Role.BAD)
    if one.recent:
        yield labelled("recent", Span(one.recent.translate(_HEIGHTS), whole=True))


def _stale(at: datetime, seen: Overview) -> tuple[Span, ...]:
    if not seen.stale(at):
        return ()
    why = "of the future, so a clock is wrong" if at > seen.now else f"older than {span(seen.max_age)}"
    return (Span(f" · stale: {why}", Role.WARN),)


def _condition(one: Condition, *, named: bool = False) -> Line:
    label = _word(one.verdict) if one.blocks else "advice"
    subject = f"{one.subject.value} {one.subject_id}: " if named else ""
    said = f": {shortened(one.evidence, LONGEST)}" if one.evidence else ""
    since = f" · since {iso(one.since)}"
    role = Role.UNKNOWN if one.verdict is Verdict.UNKNOWN else Role.BAD if one.blocks else Role.WARN
    return labelled(
        label, f"{subject}{one.check}{said}", Span(since, Role.MUTED), indent=0 if named else 4, role=role
    )


def _word(verdict: Verdict) -> str:
    return "unknown" if verdict is Verdict.UNKNOWN else "fails"


def _strategy(permit: Permit, seen: Overview) -> Iterator[Line]:
    stale = seen.stale(permit.at)
    label, role = _MAY[permit.may]
    runs = " · enabled by us" if permit.strategy in seen.running else ""
    yield labelled(
        label,
        Span(permit.strategy, Role.TITLE),
        Span(f" · on {permit.connection} · in {permit.runtime}{runs}", Role.MUTED),
        indent=0,
        role=Role.UNKNOWN if stale else role,
    )
    if permit.may is not May.RUN:
        yield labelled("why", permit.why)
    if stale:
        yield labelled("decided", f"{iso(permit.at)}, {ago(permit.at, seen.now)}", *_stale(permit.at, seen))
    if permit.strategy in seen.unfinished:
        yield labelled("open", "an action that may or may not have been done; the next apply looks")
    told = (one for one in seen.about(Subject.STRATEGY, permit.strategy) if one.check not in permit.checks)
    yield from map(_condition, told)


def _lockdown(one: Lockdown, now: datetime) -> Iterator[Line]:
    yield labelled(
        "! lockdown",
        Span(str(one).removeprefix("lockdown "), Role.TITLE),
        Span(f" · since {iso(one.since)}, {ago(one.since, now)} · by {one.by}", Role.MUTED),
        indent=0,
        role=Role.BAD,
    )
    yield labelled("why", " ".join(one.reason.split()))


def _closing(seen: Overview) -> Iterator[Line]:
    if any(one.recent for one in seen.connections):
        shown = ", ".join(f"{bar} {status.shown.lower()}" for status, bar in _BARS.items())
        yield labelled("recent", f"{shown}; the newest last", indent=0)
    if seen.applier:
        one = seen.applier
        yield labelled("lock", f"{one.lock_id}, held by {one.holder}, until {iso(one.until)}", indent=0)
    else:
        yield labelled("lock", "nobody applies now", indent=0)
    for index, past in enumerate(seen.passes):
        yield labelled("" if index else "passes", _pass(past, seen.now), indent=0)


def _pass(one: PastPass, now: datetime) -> str:
    ended = "not ended, or killed" if one.exit_code is None else f"exit {one.exit_code}"
    more = (f"by {one.by}" if one.by else "", f"commit {one.commit[:10]}" if one.commit else "")
    began = f"{one.id} · {iso(one.started_at)}, {ago(one.started_at, now)}"
    return " · ".join(part for part in (began, ended, *more) if part)


def _summary(seen: Overview) -> str:
    """``status: 3 connections (2 online, 1 stale), 2 strategies (1 may run), 0 lockdowns``."""
    if not (seen.connections or seen.strategies or seen.passes):
        return "status: nothing is recorded in this state"
    stale = sum(seen.stale(one.reading.at) for one in seen.connections)
    fresh = [one.reading.status for one in seen.connections if not seen.stale(one.reading.at)]
    online = fresh.count(Status.CONNECTED)
    may = sum(one.may is May.RUN and not seen.stale(one.at) for one in seen.strategies)
    connections = f"{counted(len(seen.connections), 'connection')} ({online} online, {stale} stale)"
    strategies = f"{counted(len(seen.strategies), 'strategy')} ({may} may run)"
    return f"status: {connections}, {strategies}, {counted(len(seen.lockdowns), 'lockdown')}"
