"""Readings that go on between passes: each connection in its own time, nobody's trouble anybody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event as Flag
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from reconciler.engine.schedule import Timetable
from reconciler.engine.settings import Settings
from reconciler.engine.survey import Survey, judged, options_of, target_of, without_sops
from reconciler.engine.threads import Threads
from reconciler.engine.validate import needed_fields
from reconciler.model.desired import Connection, Desired
from reconciler.model.errors import SecretsError
from reconciler.model.kinds import KINDS
from reconciler.model.live import Failure, FailureKind, Observation
from reconciler.model.secret import Credentials, Secret
from reconciler.secrets.keyring import Keyring, Opened
from reconciler.secrets.sops import find_sops

if TYPE_CHECKING:
    from reconciler.live.observatory import Observatory
    from reconciler.live.reading import Target

#: Seconds after which a reading is given up, where the interval is no longer.
LIMIT: Final = 60.0
#: What an exchange tells anybody is asked again after so many seconds, where the interval is no longer.
FRESH_FOR: Final = 30.0


@dataclass(slots=True, kw_only=True)
class _Reading:
    """One reading: of what, since when, and what it gave once it ended. It counts in one pass."""

    target: Target
    begun: datetime
    task: asyncio.Task[None] | None = None
    observation: Observation | None = None


class Readings:
    """Credentials, sessions and schedule of a loop, and what was read since the pass before.

    ``late`` is called when a reading ends that no pass waits for any longer. ``reuse``: the last reading of
    a connection counts until there is a newer one, which is for who only reports and starts nothing.
    """

    def __init__(
        self,
        settings: Settings,
        timetable: Timetable,
        *,
        interval: float,
        threads: Threads,
        late: Callable[[], None],
        reuse: bool = False,
    ) -> None:
        self._settings = settings
        self._timetable = timetable
        self._interval = interval
        self._threads = threads
        self._late = late
        self._reuse = reuse
        self._keyring = Keyring(needed_fields, learn=settings.redactor.add)
        self._observatory: Observatory | None = None
        self._opened: dict[str, Credentials | SecretsError] = {}
        self._refused: dict[str, tuple[Connection, SecretsError]] = {}
        self._opening: asyncio.Task[None] | None = None
        self._unlocked = False
        self._cancel = Flag()
        self._readings: dict[str, _Reading] = {}
        self._asked: dict[str, Target] = {}
        self._counted: dict[str, Observation] = {}
        self._awaited = False

    async def __aenter__(self) -> Self:
        from reconciler.live.observatory import Observatory  # noqa: PLC0415 - brings ccxt

        self._observatory = Observatory(
            options_of(self._settings), fresh_for=max(FRESH_FOR, self._interval * 0.9)
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cancel.set()
        if self._opening:
            await asyncio.gather(self._opening, return_exceptions=True)
        await self._drop(tuple(self._readings))
        if self._observatory:
            await self._observatory.keep_only(())

    @property
    def news(self) -> bool:
        """Whether a reading or a decrypting ended that has not counted in any pass yet."""
        return self._unlocked or any(one.observation and not one.task for one in self._readings.values())

    @property
    def running(self) -> tuple[str, ...]:
        """The connections that are being read at this moment."""
        return tuple(sorted(name for name, one in self._readings.items() if one.task))

    async def gather(
        self,
        desired: Desired,
        connections: Sequence[Connection],
        *,
        patience: Awaitable[None],
        standing_in: bool = False,
    ) -> None:
        """Read those of ``connections`` that are due, until all ended or ``patience`` did.

        What has not ended goes on. All credentials in the files are opened, as two connections may
        share a key. ``standing_in``: the files are broken and ``desired`` is what they said before, so
        credentials stay as they were, too.
        """
        waits = asyncio.ensure_future(patience)
        self._awaited, self._unlocked = True, False
        if not self._reuse:
            self._counted.clear()
        try:
            closed = await self._know(desired, standing_in=standing_in)
            await self._start(desired, connections)
            if closed:  # beside what is being read already
                self._opening = self._opening or asyncio.create_task(self._decrypt(desired, closed))
                await self._until(waits, lambda: [self._opening] if self._opening else [])
                await self._know(desired, standing_in=standing_in)
                await self._start(desired, connections)
            await self._until(waits, lambda: [one.task for one in self._readings.values() if one.task])
        finally:
            self._awaited = False
            waits.cancel()
            await asyncio.gather(waits, return_exceptions=True)

    async def survey(self, desired: Desired, connections: Sequence[Connection], settings: Settings) -> Survey:
        """Judge what was read since the pass before; the rest of ``connections`` is told as resting.

        It is the ``surveyor`` of a pass. A reading counts in one pass: how often its key was well is a
        matter of readings. One that began too long ago counts in none.
        """
        now = settings.now()
        seen = {
            one.id: self._counted[one.id] for one in connections if one.id in self._counted and self._reuse
        }
        for connection in connections:
            opened, reading = self._opened.get(connection.id), self._readings.get(connection.id)
            if opened is None:
                continue  # it is still being decrypted
            if isinstance(opened, SecretsError):
                seen[connection.id] = _unread(connection, now)
            elif reading and reading.observation and not reading.task:
                del self._readings[connection.id]
                if _young(reading, now, self._interval):
                    seen[connection.id] = self._counted[connection.id] = reading.observation
        return judged(desired, connections, seen, self._opened, now=settings.now)

    def doubt(self) -> None:
        """The last pass came to no end: all that counted in it is read again, as soon as that may be."""
        for name in self._counted:
            self._timetable.hasten(name)

    async def adopt(self, desired: Desired) -> None:
        """Let go of everything that ``desired`` has no use for, and read all that it has anew.

        Raise :class:`ReconcilerError` for an egress or an exchange that cannot be used: then nothing of
        ``desired`` may be.
        """
        assert self._observatory  # noqa: S101 - within the `async with`
        wanted = {one.id: _anything(desired, one) for one in desired.connections.values()}
        for target in wanted.values():
            await self._observatory.open(target)
        await self._drop([name for name in self._readings if name not in wanted])
        for kept in (self._opened, self._refused, self._asked, self._counted):
            for name in [name for name in kept if name not in wanted]:
                del kept[name]
        self._keyring.keep_only(wanted)
        self._timetable.keep_only(wanted)
        await self._observatory.keep_only(wanted.values())
        self._timetable.hasten_all()

    async def _know(self, desired: Desired, *, standing_in: bool) -> list[Connection]:
        """Have the credentials that can be had without sops; gives the connections that need it."""
        everybody = tuple(desired.connections.values())
        recalled = await self._recalled(everybody, desired, standing_in=standing_in)
        closed = [one for one in everybody if one.id not in recalled]
        # What could not be opened is told as such while it is tried again.
        refused = {
            one.id: self._refused[one.id][1]
            for one in closed
            if one.id in self._refused and self._refused[one.id][0] == one
        }
        self._opened = {**refused, **recalled}
        return closed

    async def _recalled(
        self, everybody: Sequence[Connection], desired: Desired, *, standing_in: bool
    ) -> Mapping[str, Credentials]:
        """What is decrypted already and is still what the files hold; never that of other files."""
        if standing_in:
            return self._keyring.remembered(everybody)
        return await self._threads.run(self._keyring.recall, everybody, policy=desired.policy)

    async def _decrypt(self, desired: Desired, closed: Sequence[Connection]) -> None:
        opened: Opened = {}
        try:
            opened = await self._decrypted(desired, closed)
        except Exception as error:  # noqa: BLE001 - whatever it was, it must not end the loop
            told = SecretsError(f"decrypting failed inside this tool ({type(error).__name__})")
            opened = {one.id: told for one in closed}
        finally:
            self._opening = None
        for one in closed:
            found = opened[one.id]
            if isinstance(found, SecretsError):
                self._refused[one.id] = (one, found)
            else:
                self._refused.pop(one.id, None)
        self._unlocked = not self._awaited
        self._tell_late()

    async def _decrypted(self, desired: Desired, closed: Sequence[Connection]) -> Opened:
        try:
            sops = find_sops(self._settings.sops, self._settings.environ)
        except SecretsError as error:
            return without_sops(closed, desired, error)
        return await self._threads.run(
            self._keyring.open, closed, sops=sops, policy=desired.policy, cancel=self._cancel
        )

    async def _start(self, desired: Desired, connections: Sequence[Connection]) -> None:
        assert self._observatory  # noqa: S101 - within the `async with`
        for connection in connections:
            opened = self._opened.get(connection.id)
            if not isinstance(opened, Credentials):
                self._counted.pop(connection.id, None)
                await self._drop([connection.id])
                self._timetable.forget(connection.id)
                continue
            target = target_of(desired, connection, opened)
            before = self._asked.get(connection.id)
            if before and not _same(before, target):
                self._counted.pop(connection.id, None)
                await self._drop([connection.id])
                self._timetable.hasten(connection.id)
            if self._timetable.due(connection.id):
                await self._observatory.open(target)
                self._begin(target)

    def _begin(self, target: Target) -> None:
        name = target.connection.id
        reading = _Reading(target=target, begun=self._settings.now())
        self._readings[name], self._asked[name] = reading, target
        self._timetable.begun(name)
        reading.task = asyncio.create_task(self._read(reading))

    async def _read(self, reading: _Reading) -> None:
        assert self._observatory  # noqa: S101 - within the `async with`
        name, limit = reading.target.connection.id, max(LIMIT, self._interval)
        try:
            async with asyncio.timeout(limit):
                seen = await self._observatory.read(reading.target)
        except TimeoutError:
            seen = _given_up(reading.target, self._settings.now(), limit)
        reading.observation, reading.task = seen, None
        if seen.failure is None:
            self._timetable.answered(name)
        else:
            self._timetable.failed(name, retry_after=seen.failure.retry_after)
        self._tell_late()

    def _tell_late(self) -> None:
        if not self._awaited:
            self._late()

    async def _drop(self, names: Iterable[str]) -> None:
        """End these readings and forget what they gave."""
        gone = [reading for name in names if (reading := self._readings.pop(name, None))]
        tasks = [reading.task for reading in gone if reading.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for reading in gone:
            if reading.task:
                reading.task = None
                self._timetable.stopped(reading.target.connection.id)

    async def _until(
        self, waits: asyncio.Future[None], running: Callable[[], Sequence[asyncio.Task[None]]]
    ) -> None:
        """Wait for what ``running`` gives to end, for as long as ``waits`` does not."""
        while not waits.done() and (tasks := running()):
            await asyncio.wait((waits, *tasks), return_when=asyncio.FIRST_COMPLETED)


def _young(reading: _Reading, now: datetime, interval: float) -> bool:
    """Whether a reading began recently, also by a clock that was set, or by a machine that slept."""
    limit = timedelta(seconds=interval + max(LIMIT, interval))
    return timedelta(seconds=-1) <= now - reading.begun <= limit


def _same(one: Target, other: Target) -> bool:
    """Whether two targets ask the same exchange, through the same exit, the same of the same key."""
    mine, theirs = one.connection, other.connection
    return (mine.exchange, mine.market, one.egress, one.credentials, one.pairs) == (
        theirs.exchange,
        theirs.market,
        other.egress,
        other.credentials,
        other.pairs,
    )


def _anything(desired: Desired, connection: Connection) -> Target:
    """A target that stands for the place of a connection; its credentials are not known yet."""
    return target_of(desired, connection, Credentials(api_key=Secret(""), secret=Secret("")))


def _unread(connection: Connection, now: datetime) -> Observation:
    return Observation(
        connection=connection.id,
        exchange=connection.exchange,
        observed_at=now,
        unread="its credentials could not be read",
    )


def _given_up(target: Target, now: datetime, limit: float) -> Observation:
    kind = FailureKind.UNAVAILABLE
    message = f"{KINDS[kind].title}: not read within {limit:g} s, so it was given up for now."
    return Observation(
        connection=target.connection.id,
        exchange=target.connection.exchange,
        observed_at=now,
        failure=Failure(kind=kind, message=message),
    )
