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
from reconciler.engine.choose import chosen_connections
from reconciler.engine.health import Health
from reconciler.engine.intake import Intake
from reconciler.engine.memory import Memory
from reconciler.engine.pace import Pace
from reconciler.engine.readings import Readings
from reconciler.engine.schedule import Timetable
from reconciler.engine.settings import Settings
from reconciler.engine.source import Begun
from reconciler.engine.systemd import Supervisor
from reconciler.engine.threads import Threads
from reconciler.engine.voice import Voice
from reconciler.model.desired import Desired
from reconciler.model.errors import LockHeld, ReconcilerError, StateError, UsageError
from reconciler.model.report import Report
from reconciler.secrets.ring import Ring

_LOG: Final = logging.getLogger("reconciler.loop")

#: Seconds within which a pass gets from one of its steps to the next, at the least and at the most.
_STEP: Final = (30.0, 120.0)
#: What was done within so many seconds counts towards thresholds, where the interval is no longer.
COUNTS_BACK: Final = 60.0
#: What can keep a pass from its end.
_PARTS: Final = ("lock", "state", "pass", "fault")


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
    that only ever grow, ``chance`` a number from 0 to 1. ``following`` is asked at each pass where the files
    of ``settings`` lie next; without it they stay where they are.
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
        following: Begun | None = None,
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
        self._timetable = Timetable(interval, clock=clock, chance=chance)
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
        self._intake = Intake(
            settings,
            following=following,
            adopt=self._readings.adopt,
            changed=self._poke,
            unwatched=self._cannot_watch,
            voice=self._voice,
            memory=self._memory,
        )
        self._pace = Pace(interval, self._timetable, clock=clock)
        self._shown = ""
        self._wake = asyncio.Event()
        self._ending = asyncio.Event()
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
        self._intake.again()
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
            stack.push_async_callback(self._intake.close)
            await self._intake.begin()
            self._all_now = True
            if self._supervisor.watchdog:
                watching = asyncio.create_task(self._keep_alive(self._supervisor.watchdog))
                stack.callback(watching.cancel)
            self._supervisor.ready()
            while not self._ending.is_set():
                self._pace.began()
                await self._survive()
                self._hooks.turned()
                self._pace.ended()
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
            self._failed("fault", text)
        else:
            self._pace.well()
            for part in _PARTS:
                self._voice.tell(part, None)

    def _failed(self, part: str, text: str) -> None:
        """Say it, doubt all that the pass had learned, and come again a little later each time."""
        self._voice.tell(part, text, unready=part != "lock")
        for other in _PARTS:
            if other != part:
                self._voice.tell(other, None)
        self._readings.doubt()
        self._pace.failed(of_ours=part == "fault")

    async def _pass(self) -> None:
        self._promise(self._step)
        if await self._intake.refresh():
            self._all_now = True
        if self._reloading:
            self._reloading = False
            self._supervisor.ready()
        self._intake.ask()  # what came before was accepted or refused: until then its files were to be read
        desired = self._intake.desired
        inventory = await self._threads.run(self._memory.prepare)  # may block: a server that is gone
        self._begin_turn()
        await self._readings.gather(
            desired,
            chosen_connections(desired, self._settings.targets, inventory),
            patience=self._either(self._settings.sleep(self._pace.patience), self._ending.wait()),
            standing_in=self._intake.stands_in,
        )
        if self._ending.is_set():
            return
        self._promise(self._step)
        report = await self._report(desired)
        self.health.passed(report.exit_code)
        self._hand(self._hooks.each, report)
        self._show(report)

    async def _report(self, desired: Desired) -> Report:
        commit = self._intake.commit
        settings = replace(self._settings, committed=lambda _: commit)
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
        """Show it. Whoever went away, or a full disk, ends nothing: strategies are still to be stopped."""
        with suppress(OSError):
            try:
                hook(report)
            except ReconcilerError as error:
                self._voice.say(f"the pass is done, but what it found could not be shown: {error}")

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

    async def _rest(self) -> None:
        """Wait until something is to be done."""
        while not self._ending.is_set():
            wanted = self._all_now or self._intake.pending()
            wait = self._pace.wait(wanted=wanted, news=bool(self._readings.news))
            if wait <= 0:
                return
            self._promise(wait)
            await self._either(self._settings.sleep(wait), self._wake.wait())
            self._wake.clear()

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

    def _cannot_watch(self, why: str) -> None:
        text = (
            f"changes in the files cannot be watched ({why}); they are looked at every {self._interval:g} s"
        )
        self._voice.tell("watching", text, unready=False)
