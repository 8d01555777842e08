"""What a pass decided of each strategy, for those who ask between passes whether it may run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from reconciler.model.desired import Desired, Strategy
from reconciler.model.memory import May, Permit
from reconciler.model.plan import Action, ActionKind, InventoryItem, Plan, RunningStrategy
from reconciler.model.report import ConnectionReport
from reconciler.planning.disabling import CHECK

_RUNS = frozenset({ActionKind.ENABLE, ActionKind.CHANGE})


def assumed(
    runtimes: Mapping[str, Mapping[str, RunningStrategy] | None], inventory: Iterable[InventoryItem]
) -> Mapping[str, Mapping[str, RunningStrategy]]:
    """What every runtime would hold if those that cannot be read held what this tool enabled there.

    A bot that asks before it starts does not answer yet. What it may do is a matter of its key, the
    files and the guards, not of whether it is up.
    """
    ours: dict[str, dict[str, RunningStrategy]] = {}
    for item in inventory:
        running = RunningStrategy(
            id=item.strategy, enabled=True, connection=item.connection, parameters=item.parameters
        )
        ours.setdefault(item.runtime, {})[item.strategy] = running
    return {name: ours.get(name, {}) if held is None else held for name, held in runtimes.items()}


def permits_of(
    desired: Desired, plan: Plan, reports: Iterable[ConnectionReport], *, now: datetime
) -> Iterator[Permit]:
    """A permit for each strategy in git whose connection was read, or that may not run anyway.

    ``plan`` was made over runtimes as :func:`assumed` gives them.
    """
    read = {report.connection.id: report.observation.observed_at for report in reports}
    for action in plan.actions:
        strategy = desired.strategies.get(action.strategy)
        if strategy is None or strategy.runtime != action.runtime:
            continue
        at = read.get(strategy.connection, now)
        if strategy.connection in read or not strategy.enabled:
            yield Permit(
                strategy=strategy.id,
                runtime=strategy.runtime,
                connection=strategy.connection,
                may=_may(action, strategy),
                why=action.reason,
                checks=action.checks,
                at=at,
            )


def _may(action: Action, strategy: Strategy) -> May:
    if action.kind in _RUNS or (action.kind is ActionKind.NONE and strategy.enabled):
        return May.RUN
    winds_down = CHECK in action.checks  # the files stopped it: what it still does is to manage what it holds
    return May.GO_ON if action.kind is ActionKind.HOLD and not winds_down else May.STOP
