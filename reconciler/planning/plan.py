"""The plan: one action for every strategy that git wants, that this tool enabled, or that runs."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeAlias

from reconciler.model.desired import EMPTY, Desired, Strategy
from reconciler.model.errors import UsageError
from reconciler.model.finding import Verdict
from reconciler.model.plan import Action, ActionKind, InventoryItem, Plan, RunningStrategy
from reconciler.model.report import ConnectionReport
from reconciler.planning import decide
from reconciler.planning.digest import digest
from reconciler.planning.disabling import CHECK, Abilities, Choice, choice
from reconciler.planning.gate import Judge, Permits, gate
from reconciler.planning.guard import NO_GUARDS, Guards, guard
from reconciler.planning.hold import hold_back
from reconciler.planning.positions import winding_down, with_positions

Runtimes: TypeAlias = Mapping[str, Mapping[str, RunningStrategy] | None]
"""What every runtime holds by strategy id; ``None`` for a runtime that could not be read."""

Place: TypeAlias = tuple[str, str]
"""A strategy and a runtime, by their ids."""

#: Whatever stops goes first, whatever starts goes last; then what only is to be told.
_ORDER: Final = {
    kind: place
    for place, kind in enumerate(
        (
            ActionKind.DISABLE,
            ActionKind.CHANGE,
            ActionKind.ENABLE,
            ActionKind.HOLD,
            ActionKind.BLOCKED,
            ActionKind.UNKNOWN,
            ActionKind.UNMANAGED,
            ActionKind.NONE,
        )
    )
}


def make_plan(
    desired: Desired,
    reports: Sequence[ConnectionReport],
    runtimes: Runtimes,
    inventory: Mapping[str, InventoryItem],
    unknown_since: Mapping[str, datetime],
    *,
    now: datetime,
    permits: Permits,
    judge: Judge,
    targets: Sequence[str] = (),
    guards: Guards = NO_GUARDS,
    begun: Collection[Place] = (),
    unread: Collection[str] = (),
    abilities: Abilities = EMPTY,
) -> Plan:
    """The plan that would make the runtimes equal ``desired``, with its digest.

    ``inventory`` holds what this tool enabled, by strategy id. ``unknown_since`` says for each
    connection when its evidence turned unknown. ``targets`` are ids of strategies or connections:
    with any, everything else is left out, and nothing else is disabled. ``guards`` hold back what
    neither files nor checks do. ``begun`` names where an action was begun of which nobody knows what
    became of it; ``unread`` names the runtimes of which ``runtimes`` holds no more than a guess.
    ``abilities`` says what each type of runtime can do.

    Raises:
        UsageError: a target names nothing in the files or the inventory.
    """
    require_targets(targets, desired, inventory)
    view = _View(
        desired=desired,
        reports={report.connection.id: report for report in reports},
        runtimes=runtimes,
        inventory=inventory,
        unknown_since=unknown_since,
        now=now,
        permits=permits,
        judge=judge,
        targets=frozenset(targets),
        begun=frozenset(begun),
        unread=frozenset(unread),
        abilities=abilities,
    )
    wanted = (*view.wanted(), *view.left_behind(), *view.unmanaged())
    guarded, breaches = guard(
        wanted,
        desired,
        running=view.running(),
        now=now,
        unsafe=view.unsafe_where_it_runs,
        runs_on=view.where_it_runs,
        guards=guards,
    )
    told = (with_positions(action, desired, abilities, runtimes) for action in guarded)
    actions = tuple(sorted(told, key=_place))
    chosen = tuple(sorted(view.targets))
    return Plan(
        actions=actions,
        digest=digest(desired, reports, actions, targets=chosen),
        targets=chosen,
        breaches=breaches,
    )


def ended(
    desired: Desired,
    runtimes: Runtimes,
    inventory: Mapping[str, InventoryItem],
    abilities: Abilities = EMPTY,
) -> tuple[InventoryItem, ...]:
    """What this tool enabled, git no longer wants there, and surely runs no longer: no claim is left.

    Somebody else stopped it, or this tool paused it for safety. Kept, the claim would make ours what
    somebody else starts later under the same id. One that is still to be stopped altogether stays ours
    until then.
    """
    behind = (item for item in inventory.values() if not _stays(desired, item))
    off = (item for item in behind if _surely_off(runtimes.get(item.runtime), item.strategy))
    return tuple(item for item in off if not _winds_down(item, desired, runtimes, abilities))


def _winds_down(item: InventoryItem, desired: Desired, runtimes: Runtimes, abilities: Abilities) -> bool:
    chosen = choice(desired, abilities, strategy=item.strategy, runtime=item.runtime)
    return chosen.winds_down((runtimes.get(item.runtime) or {}).get(item.strategy))


def _stays(desired: Desired, item: InventoryItem) -> bool:
    """Whether git has the strategy in the runtime in which this tool enabled it."""
    strategy = desired.strategies.get(item.strategy)
    return strategy is not None and strategy.runtime == item.runtime


def _at(item: InventoryItem) -> Place:
    return (item.strategy, item.runtime)


def _surely_off(held: Mapping[str, RunningStrategy] | None, strategy: str) -> bool:
    return held is not None and decide.is_off(held.get(strategy))


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """Everything that a plan is made from."""

    desired: Desired
    reports: Mapping[str, ConnectionReport]
    runtimes: Runtimes
    inventory: Mapping[str, InventoryItem]
    unknown_since: Mapping[str, datetime]
    now: datetime
    permits: Permits
    judge: Judge
    targets: frozenset[str]
    begun: frozenset[Place]
    unread: frozenset[str]
    abilities: Abilities

    def wanted(self) -> Iterator[Action]:
        """One action for every targeted strategy in git."""
        for strategy in self.desired.strategies.values():
            if self._targeted(strategy.id, strategy.connection):
                yield self._wanted(strategy)

    def left_behind(self) -> Iterator[Action]:
        """What this tool enabled where git no longer wants it."""
        for item in self.inventory.values():
            strategy = self.desired.strategies.get(item.strategy)
            connection = strategy.connection if strategy else item.connection
            if _stays(self.desired, item) or not self._targeted(item.strategy, connection):
                continue
            held = self.runtimes.get(item.runtime)
            if item.runtime not in self.runtimes:
                yield decide.runtime_gone(item)
            elif held is None:
                yield decide.unreadable(item.strategy, item.runtime, item.connection)
            elif not decide.is_off(held.get(item.strategy)):
                moved_to = strategy.runtime if strategy else None
                yield decide.left_behind(item, moved_to, self._unfit(item, strategy))
            elif (rest := held.get(item.strategy)) and self._choice(*_at(item)).winds_down(rest):
                why = f"git moved it to runtime {strategy.runtime}" if strategy else "it is no longer in git"
                yield winding_down(
                    *_at(item), item.connection, rest, chosen=self._choice(*_at(item)), why=why
                )

    def unmanaged(self) -> Iterator[Action]:
        """What runs although neither git nor this tool put it there."""
        for runtime, held in self.runtimes.items():
            for running in (held or {}).values():
                foreign = not self._ours(running.id, runtime)
                if foreign and not decide.is_off(running) and self._targeted(running.id, None):
                    yield decide.unmanaged(running.id, runtime)

    def running(self) -> frozenset[str]:
        """The strategies in git, or enabled by this tool, that surely or possibly run now."""
        return frozenset(
            one.id
            for runtime, held in self.runtimes.items()
            for one in (held or {}).values()
            if self._ours(one.id, runtime) and not decide.is_off(one)
        )

    def unsafe_where_it_runs(self, strategy: str) -> tuple[str, ...]:
        """The checks for which a strategy in git may not go on, on the key that it runs on until it moves."""
        return self._unsafe(self._runs_on(self.desired.strategies[strategy]))

    def where_it_runs(self, action: Action) -> str | None:
        """The connection on which what ``action`` is about runs, or may; ``None`` where it does not."""
        held = self.runtimes.get(action.runtime)
        if held is None or decide.is_off(held.get(action.strategy)):
            return None
        strategy, item = self.desired.strategies.get(action.strategy), self.inventory.get(action.strategy)
        if strategy is not None and strategy.runtime == action.runtime:
            return self._runs_on(strategy)
        return held[action.strategy].connection or (item.connection if item else None) or ""

    def _runs_on(self, strategy: Strategy) -> str:
        """The connection that a strategy uses where git has it now: by the runtime, else as we started it."""
        held = (self.runtimes.get(strategy.runtime) or {}).get(strategy.id)
        told = held.connection if held is not None else None
        return told or self._enabled_on(strategy) or strategy.connection

    def _unfit(self, item: InventoryItem, strategy: Strategy | None) -> tuple[str, ...]:
        """The checks for which what git no longer wants here could not go on here anyway."""
        held = (self.runtimes.get(item.runtime) or {}).get(item.strategy)
        told = held.connection if held is not None else None
        return (*self._unsafe(told or item.connection), *(self._broken(strategy) if strategy else ()))

    def _wanted(self, strategy: Strategy) -> Action:
        held = self.runtimes.get(strategy.runtime)
        if held is None:
            return decide.unreadable(strategy.id, strategy.runtime, strategy.connection)
        running, chosen = held.get(strategy.id), self._choice(strategy.id, strategy.runtime)
        if running is not None and not strategy.enabled and chosen.winds_down(running):
            why, on = "git says `enabled: false`", strategy.connection
            return winding_down(strategy.id, strategy.runtime, on, running, chosen=chosen, why=why)
        return self._until_closed(self._decided(strategy, running))

    def _decided(self, strategy: Strategy, running: RunningStrategy | None) -> Action:
        runs_on = self._runs_on(strategy)
        left = not strategy.enabled or runs_on != strategy.connection
        return decide.desired_strategy(
            strategy,
            self._with_parameters(running, strategy),
            gate=gate(self.reports.get(strategy.connection), permits=self.permits),
            grace=self._grace(strategy.connection),
            broken=self._broken(strategy),
            unsafe=self._unsafe(runs_on) if left else (),
            obstacle=self._obstacle(strategy),
            enabled_on=self._enabled_on(strategy),
        )

    def _until_closed(self, action: Action) -> Action:
        """``action``, or no start of one that is to be closed by hand first in the runtime that it leaves."""
        item = self.inventory.get(action.strategy)
        if action.kind is not ActionKind.ENABLE or item is None or item.runtime == action.runtime:
            return action
        left = (self.runtimes.get(item.runtime) or {}).get(item.strategy)
        if (
            left is None
            or not self._choice(*_at(item)).waits(left)
            or not (left.paused or not decide.is_off(left))
        ):
            return action
        why = f"it holds, or may hold, positions in runtime {item.runtime}: close them by hand first"
        return hold_back(action, why, CHECK)

    def _choice(self, strategy: str, runtime: str) -> Choice:
        return choice(self.desired, self.abilities, strategy=strategy, runtime=runtime)

    def _with_parameters(self, running: RunningStrategy | None, strategy: Strategy) -> RunningStrategy | None:
        """Where the runtime does not tell parameters: those with which this tool enabled it."""
        if running is None or running.parameters is not None:
            return running
        item = self.inventory.get(strategy.id)
        mine = item is not None and item.runtime == strategy.runtime
        return replace(running, parameters=item.parameters if item and mine else strategy.parameters)

    def _grace(self, connection: str) -> decide.Grace:
        return decide.Grace(
            allowed=self.desired.policy.unknown_grace,
            then=self.desired.policy.on_unknown,
            since=self.unknown_since.get(connection),
            now=self.now,
        )

    def _unsafe(self, connection: str | None) -> tuple[str, ...]:
        """The checks for which nothing may go on running on a connection that was looked at."""
        report = self.reports.get(connection or "")
        if connection is None or report is None:
            return ()
        found = gate(report, permits=self.permits)
        over = found.verdict is Verdict.UNKNOWN and self._grace(connection).stops
        return found.checks if over or found.verdict is Verdict.FAIL else ()

    def _broken(self, strategy: Strategy) -> tuple[str, ...]:
        """The rules of policy that the strategy breaks, enabled or not, whatever is known of its key."""
        found = self.judge(self.desired.policy, replace(strategy, enabled=True))
        return tuple(finding.check for finding in found if finding.blocks)

    def _enabled_on(self, strategy: Strategy) -> str | None:
        """The connection on which this tool enabled it where git has it now."""
        item = self.inventory.get(strategy.id)
        return item.connection if item is not None and item.runtime == strategy.runtime else None

    def _obstacle(self, strategy: Strategy) -> str | None:
        """Why starting it could run it twice: it runs, or may run, in another runtime."""
        item = self.inventory.get(strategy.id)
        mine = {item.runtime} if item else set()
        begun = {runtime for name, runtime in self.begun if name == strategy.id}
        for runtime in sorted({*self.runtimes, *mine, *begun} - {strategy.runtime}):
            held = self.runtimes.get(runtime)
            seen = held is not None and runtime not in self.unread
            if not seen and runtime in mine:
                return f"this tool had enabled it in runtime {runtime}, which could not be read"
            if not seen and runtime in begun:
                return f"an action on it in runtime {runtime} was cut off, and that could not be read"
            if held is not None and runtime not in mine and not decide.is_off(held.get(strategy.id)):
                return f"it runs in runtime {runtime}, where this tool did not start it: stop it there first"
        return None

    def _ours(self, strategy: str, runtime: str) -> bool:
        item = self.inventory.get(strategy)
        wanted = self.desired.strategies.get(strategy)
        return (item is not None and item.runtime == runtime) or (
            wanted is not None and wanted.runtime == runtime
        )

    def _targeted(self, strategy: str, connection: str | None) -> bool:
        return not self.targets or strategy in self.targets or connection in self.targets


def require_targets(targets: Sequence[str], desired: Desired, inventory: Mapping[str, InventoryItem]) -> None:
    """Return when every target is the id of a strategy or a connection, in the files or the inventory.

    Raises:
        UsageError: a target names nothing; the hint names what is near.
    """
    known = {*desired.strategies, *desired.connections, *inventory}
    known |= {item.connection for item in inventory.values() if item.connection is not None}
    for target in targets:
        if target not in known:
            near = difflib.get_close_matches(target, sorted(known), n=3)
            hint = f"did you mean {', '.join(near)}?" if near else "name the id of a strategy or a connection"
            raise UsageError(f"the target {target!r} is neither a strategy nor a connection", hint=hint)


def _place(action: Action) -> tuple[int, str, str]:
    return (_ORDER[action.kind], action.strategy, action.runtime)
