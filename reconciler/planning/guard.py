"""What the files want and a guard holds back. Never a stop for safety: that waits for nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from reconciler.model.desired import EMPTY, Desired, Guarded
from reconciler.model.memory import Lockdown
from reconciler.model.plan import Action, ActionKind, Breach
from reconciler.planning import lockdown, settle
from reconciler.planning.hold import hold_back
from reconciler.planning.lockdown import locked_down
from reconciler.planning.settle import AT_ONCE, Settling, settled
from reconciler.planning.suspend import IN_FORCE, OVER, suspended
from reconciler.planning.thresholds import NOTHING, Recent, breaches
from reconciler.planning.windows import CHECK, within_windows

#: The findings that say more, by what is guarded.
THRESHOLD_CHECKS: Final = {Guarded.ENABLE: "threshold-enable", Guarded.DISABLE: "threshold-disable"}

#: What keeps a start waiting until a person or a time allows it, other than checks.
_WAITING: Final = frozenset({*THRESHOLD_CHECKS.values(), IN_FORCE, OVER, CHECK, settle.CHECK, lockdown.CHECK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """What holds back beside the files: keys that must settle first, emergency stops in force.

    ``recent`` is what counts towards the limits already. ``exchanges`` remembers the exchange of
    connections that the files may no longer name.
    """

    settling: Settling = AT_ONCE
    lockdowns: Sequence[Lockdown] = ()
    recent: Recent = NOTHING
    exchanges: Mapping[str, str] = field(default_factory=lambda: EMPTY)


NO_GUARDS: Final = Guards()


def guard(
    actions: Iterable[Action],
    desired: Desired,
    *,
    running: frozenset[str],
    now: datetime,
    unsafe: Callable[[str], tuple[str, ...]],
    runs_on: Callable[[Action], str | None],
    guards: Guards = NO_GUARDS,
) -> tuple[tuple[Action, ...], tuple[Breach, ...]]:
    """``actions`` with those held back that must wait, and the limits that they exceed.

    ``unsafe`` gives, for a strategy's id, the checks for which it may not go on where it runs now;
    ``runs_on`` the connection that what an action is about runs on, or may, ``None`` where it does not.
    """
    windows = desired.policy.windows

    def exchange_of(connection: str) -> str | None:
        named = desired.connections.get(connection)
        return named.exchange if named else guards.exchanges.get(connection)

    def waiting(wanted: Action) -> Action:
        place = runs_on(wanted)
        action = locked_down(wanted, guards.lockdowns, exchange_of, runs_on=place)
        timely = within_windows(suspended(action, desired, now), windows, now)
        left = settled(timely, guards.settling, runs_on=place)
        return _kept_safe(wanted, left, unsafe)

    held = _whole_moves(tuple(map(waiting, actions)))
    found = breaches(held, desired, running=running, now=now, recent=guards.recent)
    for breach in found:
        held = tuple(_within(action, breach) for action in held)
    return _whole_moves(held), found


def _kept_safe(action: Action, left: Action, unsafe: Callable[[str], tuple[str, ...]]) -> Action:
    """``left``; but what may not move to another key yet stops where the key that it runs on fails."""
    moves = action.kind is ActionKind.CHANGE and left.kind is ActionKind.HOLD
    checks = unsafe(action.strategy) if moves else ()
    if not checks:
        return left
    why = f"it may not move yet ({left.reason}), and the key that it runs on fails {', '.join(checks)}"
    return replace(action, kind=ActionKind.DISABLE, reason=why, checks=checks, before=None, after=None)


def _within(action: Action, breach: Breach) -> Action:
    """Whatever a breach is about waits. When stops do, starts wait too: the files are in doubt then."""
    starts = action.kind is ActionKind.ENABLE
    if not (starts or (action.of_files and breach.guarded is Guarded.DISABLE)):
        return action
    wanted = "every blocking check passes" if starts else action.reason
    why = f"{wanted}, but {breach.count} would be {breach.guarded}d at once: approve that in git first"
    return hold_back(action, why, THRESHOLD_CHECKS[breach.guarded])


def _whole_moves(actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """A strategy that moves to another runtime is not stopped in the old one while its start waits."""
    waiting = {
        action.strategy: action
        for action in actions
        if action.kind is ActionKind.BLOCKED and _WAITING & set(action.checks)
    }
    return tuple(
        hold_back(action, f"{action.reason}; it stays here until it may start there", *start.checks)
        if action.of_files and (start := waiting.get(action.strategy))
        else action
        for action in actions
    )
