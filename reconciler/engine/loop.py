"""Again and again, for months: the pass of ``engine/pass_.py``, and what happens between two of them."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from typing import Final

from reconciler.engine import pass_
from reconciler.engine.asked import Asked
from reconciler.engine.changes import Changes
from reconciler.engine.choose import chosen_connections
from reconciler.engine.configuration import Configuration
from reconciler.engine.health import Health
from reconciler.engine.memory import Memory
from reconciler.engine.readings import Readings
from reconciler.engine.schedule import Timetable
from reconciler.engine.settings import Settings
from reconciler.engine.source import Revision, Source
from reconciler.engine.systemd import Supervisor
from reconciler.engine.threads import Threads
from reconciler.engine.voice import Voice
from reconciler.model.desired import Desired
from reconciler.model.errors import LockHeld, ReconcilerError, StateError, UsageError
from reconciler.model.report import Report, concerns_of
from reconciler.secrets.ring import Ring

_LOG: Final = logging.getLogger("reconciler.loop")

#: Seconds that a pass waits for readings, where half the interval is no shorter; and that lie between two
#: passes that only retries or late readings ask for.
PATIENCE: Final = 5.0
#: Seconds between a pass and one that a change in the files asks for, where half the interval is no shorter.
BREATH: Final = 1.0
#: Seconds within which a pass gets from one of its steps to the next, at the least and at the most.
_STEP: Final = (30.0, 120.0)
#: What was done within so many seconds counts towards thresholds, where the interval is no longer.
COUNTS_BACK: Final = 60.0
#: Seconds that a pass is put off after others ended by faults of ours, where the interval is no longer.
_LONGEST_PAUSE: Final = 300.0
#: What can keep a pass from its end.
_PARTS: Final = ("lock", "state", "pass", "fault")
_ENOUGH: Final = 30


def _nothing(_: Report) -> None:
    return None


def _nobody() -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Who hears of passes: ``first`` of what is to be shown whole, ``each`` of every report.

    ``first`` gets the report of the first pass; in an audit every one that differs from the one before.
    ``turned`` is called after every turn, whatever became of its pass.
    """

    first: Callable[[Report], None] = _nothing
    each: Callable[[Report], None] = _nothing
    turned: Callable[[], None] = _nobody


class Loop:
    """One loop. :meth:`run` ends only when it was told to, or when it could not even begin.

    ``audit``: it reads and reports and changes nothing anywhere, no state either. ``clock`` gives seconds
    that only ever grow, ``chance`` a number from 0 to 1. ``source`` is asked at each pass where the files of
    ``settings`` lie next; without it they stay where they are.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        interval: float,
        audit: bool = False,
        hooks: Hooks | None = None,
        health: Health | None = None,
        supervisor: Supervisor | None = None,
        source: Source | None = None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._settings = replace(
            settings,
            lock_timeout=0.0,  # who holds the lock is at work, and the next pass comes anyway
            settles=not audit,
            counts_back=0.0 if audit else max(interval, COUNTS_BACK),
            progress=None,
        )
        self._interval = interval
        self._audit = audit
        self._hooks = hooks or Hooks()
        self._clock = clock
        self._supervisor = supervisor or Supervisor()
        self.health = health or Health(clock=clock)
        self._voice = Voice(self._settings, self.health)
        self._memory = Memory(self._settings, audit=audit)
        self._configuration = Configuration(settings.files, sleep=settings.sleep)
        self._asked = Asked(source, new=self._moved, failed=self._not_moved) if source else None
        self._newest = Revision(files=settings.files, commit=settings.commit, at=settings.now())
        self._commit = settings.commit
        self._timetable = Timetable(interval, clock=clock, chance=chance)
        self._changes = Changes(self._files_changed, self._cannot_watch)
        self._threads = Threads()
        self._ring = Ring(settings.redactor.add)
        self._readings = Readings(
            self._settings,
            self._timetable,
            interval=interval,
            threads=self._threads,
            late=self._poke,
            reuse=audit,
        )
        self._patience = min(interval / 2, PATIENCE)
        self._breath = min(interval / 2, BREATH)
        self._ended_at = -float("inf")
        self._took = 0.0
        self._not_before = -float("inf")
        self._failures = 0
        self._shown = ""
        self._wake = asyncio.Event()
        self._ending = asyncio.Event()
        self._look_again = False
        self._all_now = False
        self._reloading = False

    def stop(self) -> None:
        """End once the act in hand is done and recorded; at once where nothing is being done."""
        self.health.stopping = True
        self._supervisor.stopping()
        self._ending.set()
        self._poke()

    def reload(self) -> None:
        """Read the files again, and every key, as soon as that can be."""
        self._supervisor.reloading()
        self._reloading = True
        self._configuration.again()
        self._ask()
        self._all_now = True
        self._poke()

    async def run(self) -> None:
        """Pass after pass, until :meth:`stop`.

        Raises:
            ReconcilerError: at the start alone: the files are wrong, or the command line is.
        """
        self._promise(*_STEP[1:])
        async with AsyncExitStack() as stack:
            stack.callback(self._threads.close)
            await stack.enter_async_context(self._readings)
            stack.push_async_callback(self._changes.close)
            if self._asked:
                stack.push_async_callback(self._asked.close)
            await self._refresh()
            if self._configuration.problem:
                await self._fall_back()
            if self._configuration.problem:
                raise self._configuration.problem
            if self._supervisor.watchdog:
                watching = asyncio.create_task(self._keep_alive(self._supervisor.watchdog))
                stack.callback(watching.cancel)
            self._supervisor.ready()
            while not self._ending.is_set():
                began = self._clock()
                await self._survive()
                self._hooks.turned()
                self._ended_at = self._clock()
                self._took = self._ended_at - began
                self._supervisor.status(self.health.summary())
                await self._rest()

    async def _survive(self) -> None:
        """One pass, whatever becomes of it."""
        try:
            await self._pass()
        except LockHeld as error:
            who = error.holder or "another process, which took it from this one"
            self._failed("lock", f"the lock is held by {who}; this loop waits for its next turn")
        except StateError as error:
            self._failed("state", f"nothing can be done without the state: {error}")
        except ReconcilerError as error:
            if isinstance(error, UsageError) and not self.health.passes:
                raise  # the command line is wrong, and will be tomorrow
            self._failed("pass", f"no pass is possible: {error}")
        except Exception as error:  # noqa: BLE001 - the one boundary: nothing ends the loop but a person
            name = type(error).__name__  # its text may hold anything
            _LOG.error("a pass ended by %s", name)
            self.health.crashes += 1
            text = f"a pass ended by a fault of this tool ({name}); the next one is tried a little later"
            self._failed("fault", text, longest=max(self._interval, _LONGEST_PAUSE))
        else:
            self._failures = 0
            for part in _PARTS:
                self._voice.tell(part, None)

    def _failed(self, part: str, text: str, *, longest: float = 0.0) -> None:
        """Say it, doubt all that the pass had learned, and come again a little later each time."""
        self._voice.tell(part, text, unready=part != "lock")
        for other in _PARTS:
            if other != part:
                self._voice.tell(other, None)
        self._readings.doubt()
        pause = self._patience * 2.0 ** min(self._failures, _ENOUGH)
        self._failures += 1
        self._not_before = self._clock() + min(pause, longest or self._interval)

    async def _pass(self) -> None:
        self._promise(self._step)
        await self._refresh()
        self._ask()  # once what came before was accepted or refused: until then its files are to be read
        desired = self._configuration.desired
        assert desired is not None  # noqa: S101 - without any, the loop did not begin
        inventory = await self._threads.run(self._memory.prepare)  # may block: a server that is gone
        self._begin_turn()
        await self._readings.gather(
            desired,
            chosen_connections(desired, self._settings.targets, inventory),
            patience=self._either(self._settings.sleep(self._patience), self._ending.wait()),
            standing_in=self._configuration.stands_in,
        )
        if self._ending.is_set():
            return
        self._promise(self._step)
        report = await self._report(desired)
        self.health.passed(report.exit_code)
        self._hand(self._hooks.each, report)
        self._show(report)

    async def _report(self, desired: Desired) -> Report:
        settings = replace(self._settings, commit=self._commit)
        if self._audit:
            return await pass_.dry_run(
                settings, desired=desired, surveyor=self._readings.survey, ring=self._ring
            )
        return await pass_.converge(
            settings,
            desired=desired,
            surveyor=self._readings.survey,
            ring=self._ring,
            stop=self._between_acts,
        )

    def _show(self, report: Report) -> None:
        """The first report whole, then what happened; in an audit each that differs, once all was read."""
        if self._audit:
            digest = f"{report.plan.digest if report.plan else ''} {report.exit_code}"
            if digest != self._shown:
                self._shown = digest
                self._hand(self._hooks.first, report)
            return
        lines = self._memory.happened()
        if not self._shown:
            self._shown = "shown"
            self._hand(self._hooks.first, report)
            self._say_unread()
            return
        for line in lines:
            self._voice.say(line)

    def _hand(self, hook: Callable[[Report], None], report: Report) -> None:
        """A reader of our output that went away ends nothing here: strategies are still to be stopped."""
        with suppress(OSError):
            hook(report)

    def _say_unread(self) -> None:
        names = self._readings.running
        if names:
            shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")  # noqa: PLR2004
            self._voice.say(f"still being read, and counted once that is done: {shown}")

    def _begin_turn(self) -> None:
        """All that is well is read in a regular pass, or when somebody asked for all."""
        if self._all_now:
            self._timetable.hasten_all()
        if self._all_now or self._clock() >= self._timetable.tick:
            self._timetable.turn_over()
        self._all_now = False

    async def _refresh(self) -> None:
        """Read the files where they changed; a configuration that cannot be used changes nothing else."""
        self._look_again, before = False, self._configuration.desired
        candidate = await self._configuration.candidate()
        if candidate is not None and candidate != before:
            try:
                await self._readings.adopt(candidate)
            except ReconcilerError as error:
                self._configuration.refuse(error)
                candidate = None
            else:
                self._all_now = True
        if candidate is not None:
            self._configuration.accept(candidate)
            await self._accepted()
        if before is not None:
            self._tell_of_files()
        await self._changes.watch(self._configuration.folders())

    async def _accepted(self) -> None:
        """The commit of what was accepted is told in passes from now on, and is what to fall back on."""
        newest, files = self._newest, self._configuration.files
        if self._asked and newest.files == files:  # else another one came in while these were read
            self._commit = newest.commit
            await asyncio.to_thread(self._asked.source.good, newest)

    async def _fall_back(self) -> None:
        """Begin with the last good commit where the newest one cannot be used."""
        kept = await asyncio.to_thread(self._asked.source.last_good) if self._asked else None
        if kept is None:
            return
        self._tell_of_files()
        self._newest = kept
        self._configuration.move(kept.files)
        await self._refresh()

    def _ask(self) -> None:
        if self._asked:
            self._asked.ask()

    def _moved(self, revision: Revision) -> None:
        """The newest commit has its files here."""
        self._voice.tell("source", None)
        self._newest = revision
        self._configuration.move(revision.files)
        self._files_changed()

    def _not_moved(self, error: ReconcilerError) -> None:
        """Nothing new may be taken, or can be had: what was taken goes on."""
        found = concerns_of(error)
        self._voice.tell(
            "source", f"the repository gives nothing new, so what was taken goes on: {found[0].message}"
        )

    def _tell_of_files(self) -> None:
        text = self._configuration.summary()
        if self._voice.tell("configuration", text):
            self._memory.note(text, at=self._settings.now())
        if self._reloading:
            self._reloading = False
            self._supervisor.ready()

    async def _rest(self) -> None:
        """Wait until something is to be done."""
        while not self._ending.is_set():
            wait = self._next() - self._clock()
            if wait <= 0:
                return
            self._promise(wait)
            await self._either(self._settings.sleep(wait), self._wake.wait())
            self._wake.clear()

    def _next(self) -> float:
        """When the next pass is to begin, by the clock."""
        soon = self._ended_at + self._breath
        if self._all_now or (self._look_again and self._configuration.changed()):
            at = soon
        else:
            self._look_again = False
            # Passes that readings ask for take half of the time at most, however many connections there are.
            later = self._ended_at + max(self._patience, self._took)
            at = later if self._readings.news else max(later, self._timetable.next())
            at = min(at, max(soon, self._timetable.tick))
        return max(at, self._not_before)

    async def _either(self, *waits: Awaitable[object]) -> None:
        """Return once one of ``waits`` is done; the others are given up."""
        tasks = [asyncio.ensure_future(one) for one in waits]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_alive(self, within: float) -> None:
        """Tell the service manager that this is not stuck, for as long as that is true."""
        while True:
            if self.health.alive:
                self._supervisor.alive()
            await self._settings.sleep(within / 3)

    def _between_acts(self) -> bool:
        """Whether to leave; asked between two acts, so the loop goes round here as well."""
        self._promise(self._step)
        return self._ending.is_set()

    @property
    def _step(self) -> float:
        least, most = _STEP
        return max(least, min(2 * self._interval, most))

    def _promise(self, seconds: float) -> None:
        self.health.promise(seconds)

    def _poke(self) -> None:
        self._wake.set()

    def _files_changed(self) -> None:
        self._look_again = True
        self._poke()

    def _cannot_watch(self, why: str) -> None:
        text = (
            f"changes in the files cannot be watched ({why}); they are looked at every {self._interval:g} s"
        )
        self._voice.tell("watching", text, unready=False)
