"""Telling people what happened: from the audit log to each sink, after the pass and apart from it.

The log is the outbox. What happened is durable before anybody is told; each sink has a cursor in the
state, moved once a message was taken. So a teller that is killed between the two tells that message
again, under the same id, and none is ever left out. A sink that takes nothing is tried again with
growing pauses and holds up nobody else.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from reconciler.checks.catalogue import ENTRIES
from reconciler.engine.record import who
from reconciler.engine.settings import Settings
from reconciler.model.errors import NotTaken, StateError
from reconciler.model.event import Event, EventKind, EventSeverity, Origin, Recorded
from reconciler.model.finding import Subject
from reconciler.model.memory import Cursor
from reconciler.model.message import Message
from reconciler.notify.interface import Sink, SinkSpec
from reconciler.notify.registry import open_sink
from reconciler.output import message as words
from reconciler.planning.telling import DEAD, batch, due, pause

if TYPE_CHECKING:
    from reconciler.state.outbox import Outbox

P = ParamSpec("P")
T = TypeVar("T")

#: Seconds that one call of :meth:`Teller.tell` may take, all sinks side by side.
PATIENCE: Final = 30.0
#: Seconds that an end of the process waits for sinks: whoever ends it does not wait for long.
CLOSING: Final = 10.0
#: How long one teller waits for another to be done with a sink, in attempts of a pause in seconds each.
_ATTEMPTS, _PAUSE = 20, 0.25
_MINUTE: Final = 60.0


class Teller:
    """Tells sinks what the audit log holds and they do not know yet. One for the life of a process.

    Nothing that it does raises for a sink or for the state: what goes wrong is said by
    ``settings.notice``. Several processes may tell from one state; each sink is told by one at a time.
    """

    def __init__(
        self,
        settings: Settings,
        sinks: Sequence[SinkSpec],
        *,
        opener: Callable[[SinkSpec], Sink] = open_sink,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._settings = settings
        self._sinks = {spec.name: _Told(spec, opener(spec), clock) for spec in sinks}
        self._name = secrets.token_hex(8)
        self._running: asyncio.Task[None] | None = None
        self._noticed: dict[str, str] = {}
        self._met = False

    def meet(self) -> None:
        """Have sinks that are new begin here: call it before the first pass, so that they hear of it."""
        if not self._sinks:
            return
        try:
            with self._outbox() as outbox:
                self._meet(outbox)
        except StateError as error:
            self._wait(_ALL, f"notifications wait: {error}")

    async def tell(self) -> None:
        """Tell every sink what is new, within :data:`PATIENCE` seconds. Call it without the lease."""
        if not self._sinks:
            return
        try:
            outbox = await _apart(self._opened)
        except StateError as error:
            self._wait(_ALL, f"notifications wait: {error}")
            return
        self._noticed.pop(_ALL, None)
        try:
            waiting = (self._tell_one(told, outbox) for told in self._sinks.values())
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE)
        finally:
            await _apart(outbox.close)

    def soon(self) -> None:
        """Have :meth:`tell` run beside what comes next; nothing while it still does."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self.tell())

    async def close(self) -> None:
        """Tell what :meth:`soon` was to tell and what came since, within :data:`CLOSING` seconds."""
        if self._running is None:
            return

        async def finish(running: asyncio.Task[None]) -> None:
            await running
            await self.tell()

        with suppress(TimeoutError):
            await asyncio.wait_for(finish(self._running), CLOSING)

    def _opened(self) -> Outbox:
        """The outbox, which knows all our sinks."""
        outbox = self._outbox()
        try:
            self._meet(outbox)
        except BaseException:
            outbox.close()
            raise
        return outbox

    def _meet(self, outbox: Outbox) -> None:
        """Have it know our sinks. One that it forgot is another state by now: all of that is new to us."""
        outbox.meet(self._sinks, after=0 if self._met else None)
        self._met = True

    def _outbox(self) -> Outbox:
        from reconciler.state.outbox import open_outbox  # noqa: PLC0415 - sqlalchemy is slow to import

        return open_outbox(self._settings.state, clock=self._settings.lease_clock)

    async def _tell_one(self, told: _Told, outbox: Outbox) -> None:
        try:
            await self._tell_claimed(told, outbox)
        except StateError as error:  # the others may fare better
            self._wait(told.spec.name, f"notifications to {told.spec.name} wait: {error}")

    async def _tell_claimed(self, told: _Told, outbox: Outbox) -> None:
        cursor = await self._claimed(told.spec.name, outbox)
        if cursor is None:
            return
        try:
            if due(cursor, self._settings.now()):
                await self._tell_from(told, cursor, outbox)
        finally:
            await _apart(outbox.release, told.spec.name, self._name)

    async def _claimed(self, sink: str, outbox: Outbox) -> Cursor | None:
        """The sink's cursor, for us alone; ``None`` when another teller does not come to an end."""
        for _ in range(_ATTEMPTS):
            cursor = await _apart(outbox.claim, sink, self._name)
            if cursor is not None:
                return cursor
            await self._settings.sleep(_PAUSE)
        return None

    async def _tell_from(self, told: _Told, cursor: Cursor, outbox: Outbox) -> None:
        """Tell batch after batch until nothing is left, the minute is full, or the sink takes no more."""
        spec, seq = told.spec, cursor.seq
        while True:
            whole = not (cursor.failures >= DEAD and cursor.trouble.endswith(_REFUSAL))
            room, events = told.room(), outbox.after(seq)
            now = await _apart(batch, events, after=seq, least=spec.min_severity, room=room, whole=whole)
            if now.upto == seq:
                return
            steps = [(one.seq, _of_event(one)) for one in now.singles]
            if now.rest is not None:
                steps.append((now.rest.last, words.of_digest(now.rest)))
            for last, message in steps:
                if not await self._send(told, cursor, last, message, outbox):
                    return
                cursor = Cursor(sink=spec.name, seq=last)
            if now.upto > cursor.seq and not await _apart(outbox.told, spec.name, now.upto, self._name):
                return
            seq = now.upto

    async def _send(self, told: _Told, cursor: Cursor, last: int, message: Message, outbox: Outbox) -> bool:
        """Whether the sink took ``message`` and this teller may go on with it."""
        name, now = told.spec.name, self._settings.now
        try:
            await told.send(message)
        except NotTaken as error:
            trouble = f"{error.message}{_REFUSAL if error.refused else ''}"
            dead = cursor.failures + 1 == DEAD
            events = (_failing(name, cursor, trouble, now()),) if dead else ()
            self._say(await _apart(outbox.failed, name, trouble=trouble, at=now(), events=events))
            return False
        events = (_restored(name, cursor, now()),) if cursor.failures >= DEAD else ()
        self._noticed.pop(name, None)
        return await _apart(outbox.told, name, last, self._name, events=events)

    def _say(self, cursor: Cursor) -> None:
        """Say once for each new trouble that a sink takes nothing."""
        if self._noticed.get(cursor.sink) == cursor.trouble:
            return
        self._noticed[cursor.sink] = cursor.trouble
        since = cursor.failing_since or self._settings.now()
        again = (cursor.tried_at or since) + pause(cursor.failures)
        self._notice(
            f"notifications do not reach {cursor.sink} since {_clock(since)}: {cursor.trouble}; "
            f"nothing is lost, they are sent again by the first pass after {_clock(again)} "
            "(try it with `reconcile notify`)"
        )

    def _wait(self, sink: str, text: str) -> None:
        """Say once, until something else becomes of it, that the state keeps us from telling."""
        if self._noticed.get(sink) != text:
            self._noticed[sink] = text
            self._notice(text)

    def _notice(self, text: str) -> None:
        if self._settings.notice:
            self._settings.notice(self._settings.redactor.text(text))


#: Under what it is kept that nobody could be told; no sink has this name.
_ALL: Final = ""
#: Ends the trouble of a sink that refused one message as it is: tried again, all goes as one digest.
_REFUSAL: Final = " (this very message is refused)"


class _Told:
    """A sink, and how many messages it was sent within the last minute."""

    def __init__(self, spec: SinkSpec, sink: Sink, clock: Callable[[], float]) -> None:
        self.spec = spec
        self._sink = sink
        self._clock = clock
        self._sent: deque[float] = deque()

    def room(self) -> int:
        """How many messages it may be sent now."""
        while self._sent and self._clock() - self._sent[0] >= _MINUTE:
            self._sent.popleft()
        return self.spec.per_minute - len(self._sent)

    async def send(self, message: Message) -> None:
        """Send it. Raise ``NotTaken``."""
        self._sent.append(self._clock())
        await self._sink.send(message)


async def try_sinks(
    settings: Settings, sinks: Sequence[SinkSpec], *, opener: Callable[[SinkSpec], Sink] = open_sink
) -> tuple[tuple[str, str], ...]:
    """Send each sink a message that says it is a test; the name of each with its trouble, "" for none."""

    async def attempt(spec: SinkSpec) -> tuple[str, str]:
        try:
            await opener(spec).send(words.of_test(spec.name, at=settings.now()))
        except NotTaken as error:
            return spec.name, error.message
        return spec.name, ""

    return tuple(await asyncio.gather(*map(attempt, sinks)))


async def _apart(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What ``work`` gives, in a thread: a database that is gone must not keep a loop from going round."""
    return await asyncio.to_thread(work, *args, **kwargs)


def _of_event(one: Recorded) -> Message:
    entry = ENTRIES.get(one.event.check or "")
    return words.of_event(one, fix=entry.fix if entry else "")


def _failing(sink: str, before: Cursor, trouble: str, at: datetime) -> Event:
    since = before.failing_since or at
    return Event(
        kind=EventKind.SINK_FAILING,
        severity=EventSeverity.WARNING,
        subject=Subject.SINK,
        subject_id=sink,
        summary=f"{sink} took no notification in {DEAD} attempts: {trouble}",
        at=at,
        since=since,
        origin=Origin(by=who()),
    )


def _restored(sink: str, before: Cursor, at: datetime) -> Event:
    return Event(
        kind=EventKind.SINK_RESTORED,
        severity=EventSeverity.INFO,
        subject=Subject.SINK,
        subject_id=sink,
        summary=f"{sink} takes notifications again; what it missed was told to it now",
        at=at,
        since=before.failing_since,
        was=EventSeverity.WARNING,
        origin=Origin(by=who()),
    )


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
