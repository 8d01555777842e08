"""Doing what a plan says, so that a kill at any instant leaves nothing unknown.

Before an action its intent is recorded; then it is done, read back, and recorded with what it means
for the inventory. The runtime's word outranks ours: an action counts as done when reading back shows
it in effect, whatever the call said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import repeat
from typing import Final, Protocol

from reconciler.engine.disable import disable
from reconciler.engine.readback import (
    WORDS,
    Holdings,
    Trouble,
    Verdict,
    detail_of,
    judge,
    may_come_late,
    parameters_of,
)
from reconciler.model.errors import LockHeld, ReconcilerError, RuntimeFailed, StateError
from reconciler.model.event import NOWHERE, Event, Origin, event_of_outcome
from reconciler.model.plan import (
    Action,
    ActionKind,
    InventoryItem,
    Outcome,
    OutcomeState,
    Plan,
    RunningStrategy,
)
from reconciler.runtimes.interface import ACT_SECONDS, READ_SECONDS, Runtime
from reconciler.state.lease import Lease
from reconciler.state.records import Clock, Intent
from reconciler.state.store import Store

Progress = Callable[[Outcome], None]
"""Called with each outcome as it becomes known."""


class Journal(Protocol):
    """Where intents and outcomes are kept: :class:`reconciler.state.store.Store`."""

    def intend(
        self, action: Action, *, token: int, at: datetime, pass_id: int | None, lockdowns: frozenset[int]
    ) -> Intent:
        """Record that ``action`` is about to be done."""

    def conclude(
        self,
        intent: Intent,
        outcome: Outcome,
        *,
        token: int,
        at: datetime,
        keep: InventoryItem | None,
        drop: bool,
        events: Iterable[Event],
    ) -> None:
        """Record what became of it."""

    def inventory(self) -> Mapping[str, InventoryItem]:
        """What this tool enabled, by strategy."""


class Right(Protocol):
    """The right to act: :class:`reconciler.state.lease.Lease`."""

    @property
    def token(self) -> int:
        """What runtimes compare with that of older holders."""

    def check(self) -> None:
        """Return when this process may act now; raise :class:`LockHeld` when it may not."""


_ORDER: Final = {ActionKind.DISABLE: 0, ActionKind.CHANGE: 1, ActionKind.ENABLE: 2}
_INTERRUPTED: Final = "interrupted before it was tried"


def _never() -> bool:
    return False


def _urgency(action: Action) -> tuple[int, bool]:
    """A stop for safety goes before one that only the files ask for, which may take minutes."""
    return (_ORDER[action.kind], not action.checks)


async def apply(
    plan: Plan,
    *,
    runtimes: Mapping[str, Runtime],
    store: Journal,
    lease: Right,
    clock: Clock,
    origin: Origin = NOWHERE,
    lockdowns: frozenset[int] = frozenset(),
    stops_at_once: Mapping[str, int] | None = None,
    progress: Progress | None = None,
    stop: Callable[[], bool] = _never,
) -> tuple[Outcome, ...]:
    """What became of each acting action of ``plan``, disables first; it raises for none of them.

    Disables in different runtimes go on at once, so that none waits for a runtime that hangs; in one runtime
    those go first that checks ask for, as many at once as ``stops_at_once`` says of it, else one. One failure
    stops no other action, except that a strategy is not started, nor changed, where it did not stop before.
    ``stop`` is asked between actions; what follows is then not tried. So it is once the lease is lost, which
    ``lease.lost`` tells afterwards. ``lockdowns`` are those that the plan knew of: after another one nothing
    more is started.
    """
    hand = _Hand(runtimes=runtimes, store=store, lease=lease, clock=clock, origin=origin, lockdowns=lockdowns)
    ordered = sorted(plan.changes, key=_urgency)
    outcomes: dict[int, Outcome] = {}
    stuck: set[str] = set()

    async def in_turn(numbers: Iterator[int]) -> None:
        for number in numbers:
            action = ordered[number]
            why = _INTERRUPTED if stop() else _why_not(action, hand.waiting, stuck)
            if why:
                outcome = Outcome(action=action, state=OutcomeState.NOT_TRIED, detail=why)
            else:
                outcome = await hand.do(action)
            if outcome.state is not OutcomeState.DONE:
                stuck.add(action.strategy)
            outcomes[number] = outcome
            if progress:
                progress(outcome)

    stops: dict[str, list[int]] = {}
    for number, action in enumerate(ordered):
        if action.kind is ActionKind.DISABLE:
            stops.setdefault(action.runtime, []).append(number)
    await _all_at_once(in_turn(lane) for lane in _lanes(stops, stops_at_once or {}))
    await in_turn(number for number, action in enumerate(ordered) if action.kind is not ActionKind.DISABLE)
    return tuple(outcomes[number] for number in sorted(outcomes))


def _lanes(numbers: Mapping[str, list[int]], at_once: Mapping[str, int]) -> Iterator[Iterator[int]]:
    """The numbers of each runtime, once for each that may go on there at once: who is free takes the next."""
    for runtime, mine in numbers.items():
        queue = iter(mine)
        yield from repeat(queue, min(len(mine), at_once.get(runtime, 1)))


def _why_not(action: Action, waiting: Collection[str], stuck: Collection[str]) -> str:
    """Why an action is not tried after what came before it; nothing where it is."""
    if action.kind is ActionKind.DISABLE:
        return ""
    if action.strategy in waiting:
        return "not tried: it still holds, or may hold, positions where it was: close them by hand first"
    if action.strategy in stuck:
        return "not tried: an earlier action on this strategy did not succeed"
    return ""


async def _all_at_once(works: Iterable[Coroutine[None, None, None]]) -> None:
    """Return when all ended. A fault of ours in one ends the others before it is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None


async def recover(
    *,
    runtimes: Mapping[str, Runtime],
    store: Store,
    lease: Lease,
    clock: Clock,
    origin: Origin = NOWHERE,
) -> tuple[Outcome, ...]:
    """Find out what became of the actions that earlier passes began and never finished.

    Call it under the lease before planning. Each is decided by reading its runtime again; one
    whose runtime cannot be read stays open, and its outcome is unknown. Raise
    :class:`LockHeld` or :class:`StateError` when the findings cannot be recorded.
    """
    hand = _Hand(runtimes=runtimes, store=store, lease=lease, clock=clock, origin=origin)
    seen: dict[str, Holdings | None] = {}
    outcomes = []
    for intent in store.unfinished():
        name = intent.action.runtime
        if name not in seen:
            seen[name] = await hand.read(name)
        outcomes.append(hand.settle(intent, seen[name]))
    return tuple(outcomes)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hand:
    """What acting takes: the runtimes, the journal and the right to act.

    ``waiting`` are the strategies that are to be stopped altogether once what they hold is closed.
    """

    runtimes: Mapping[str, Runtime]
    store: Journal
    lease: Right
    clock: Clock
    origin: Origin = NOWHERE
    lockdowns: frozenset[int] = frozenset()
    waiting: set[str] = field(default_factory=set)

    async def do(self, action: Action) -> Outcome:
        """Record the intent, act, read back, record the outcome."""
        runtime = self.runtimes.get(action.runtime)
        if runtime is None:
            detail = f"the runtime {action.runtime} is not there: put it back into the files"
            return self._outcome(action, OutcomeState.FAILED, detail)
        try:
            self.lease.check()
            intent = self.store.intend(
                action,
                token=self.lease.token,
                at=self.clock(),
                pass_id=self.origin.pass_id,
                lockdowns=self.lockdowns,
            )
        except LockHeld as error:
            return self._outcome(action, OutcomeState.NOT_TRIED, str(error))
        except StateError as error:
            detail = f"not tried, because it could not be recorded: {error}"
            return self._outcome(action, OutcomeState.FAILED, detail)
        trouble = await _call(runtime, action, token=self.lease.token)
        return self._conclude(intent, await self.read(action.runtime), trouble)

    async def read(self, name: str) -> Holdings | None:
        """What the runtime holds; ``None`` when it cannot be read."""
        runtime = self.runtimes.get(name)
        if runtime is None:
            return None
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await runtime.read()
        except Exception:  # noqa: BLE001 - a runtime may raise anything; that it is unreadable is the answer
            return None

    def settle(self, intent: Intent, holdings: Holdings | None) -> Outcome:
        """The outcome of an intent of an earlier pass, recorded unless it is still unknown."""
        verdict = judge(intent.action, holdings)
        detail = f"begun in an earlier pass that was cut off; {WORDS[verdict.state]}"
        outcome = self._outcome(intent.action, verdict.state, detail)
        if verdict.state is not OutcomeState.UNKNOWN:
            self._record(intent, outcome, verdict, ours=True)
        return outcome

    def _conclude(self, intent: Intent, holdings: Holdings | None, trouble: Trouble | None) -> Outcome:
        verdict = judge(intent.action, holdings)
        detail = detail_of(verdict, trouble)
        outcome = self._outcome(intent.action, verdict.state, detail)
        if verdict.state is OutcomeState.UNKNOWN or may_come_late(verdict, trouble):
            return outcome  # the intent stays open, so the next pass looks again
        try:
            self._record(intent, outcome, verdict, ours=trouble is None or not trouble.known)
        except (LockHeld, StateError) as error:
            late = f"{WORDS[verdict.state]}, but that could not be recorded: {error}"
            return replace(outcome, state=OutcomeState.UNKNOWN, detail=late)
        return outcome

    def _record(self, intent: Intent, outcome: Outcome, verdict: Verdict, *, ours: bool) -> None:
        action = intent.action
        if verdict.waits:
            self.waiting.add(action.strategy)
        self.store.conclude(
            intent,
            outcome,
            token=self.lease.token,
            at=self.clock(),
            keep=self._item(action, verdict.running) if ours and verdict.running else None,
            drop=action.kind is ActionKind.DISABLE
            and verdict.state is OutcomeState.DONE
            and not verdict.stays_ours,
            events=[event_of_outcome(outcome, at=self.clock(), origin=self.origin)],
        )

    def _item(self, action: Action, running: RunningStrategy) -> InventoryItem | None:
        """What the inventory then holds: only enabling makes a strategy ours."""
        if action.kind is ActionKind.ENABLE:
            return InventoryItem(
                strategy=action.strategy,
                runtime=action.runtime,
                connection=action.connection,
                enabled_at=self.clock(),
                parameters=parameters_of(running, action),
            )
        mine = self.store.inventory().get(action.strategy) if action.kind is ActionKind.CHANGE else None
        if mine is None or mine.runtime != action.runtime:
            return None
        return replace(mine, connection=action.connection, parameters=parameters_of(running, action))

    def _outcome(self, action: Action, state: OutcomeState, detail: str) -> Outcome:
        return Outcome(action=action, state=state, detail=detail, at=self.clock())


async def _call(runtime: Runtime, action: Action, *, token: int) -> Trouble | None:
    """Do it; what it raised as a trouble, without the text of an error that is not ours."""
    after, connection = action.after or {}, action.connection or ""
    try:
        async with asyncio.timeout(ACT_SECONDS):
            match action.kind:
                case ActionKind.DISABLE:
                    told = await disable(runtime, action, token=token)
                    return Trouble(text=told, known=True) if told else None
                case ActionKind.CHANGE:
                    await runtime.change(action.strategy, after, connection=connection, token=token)
                case _:
                    await runtime.enable(action.strategy, after, connection=connection, token=token)
    except TimeoutError:
        return Trouble(text="the call did not end in time", known=False)
    except ReconcilerError as error:
        known = not isinstance(error, RuntimeFailed) or error.untouched
        return Trouble(text=_told(error), known=known)
    except Exception as error:  # noqa: BLE001 - the protocol: anything else means an unknown outcome
        return Trouble(text=f"the call ended with {type(error).__name__}", known=False)
    return None


def _told(error: ReconcilerError) -> str:
    return f"{error} ({error.kind.value}: {error.hint})" if isinstance(error, RuntimeFailed) else str(error)
