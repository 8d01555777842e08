"""What the files want and a guard holds back. Never a stop for safety: that waits for nobody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from reconciler.model.desired import Desired, Guarded
from reconciler.model.plan import Action, ActionKind, Breach
from reconciler.planning.thresholds import breaches

#: The findings that say more, by what is guarded.
THRESHOLD_CHECKS: Final = {Guarded.ENABLE: "threshold-enable", Guarded.DISABLE: "threshold-disable"}


def guard(
    actions: Iterable[Action], desired: Desired, *, running: frozenset[str], now: datetime
) -> tuple[tuple[Action, ...], tuple[Breach, ...]]:
    """``actions`` with those held back that must wait, and the limits that they exceed."""
    held = tuple(actions)
    found = breaches(held, desired, running=running, now=now)
    for breach in found:
        held = tuple(_within(action, breach) for action in held)
    return _whole_moves(held), found


def hold_back(action: Action, why: str, check: str) -> Action:
    """The same strategy left as it is: not started where it does not run, as it runs where it does."""
    kind = ActionKind.BLOCKED if action.kind is ActionKind.ENABLE else ActionKind.HOLD
    return replace(action, kind=kind, reason=why, checks=(check,), before=None, after=None)


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
        if action.kind is ActionKind.BLOCKED and set(action.checks) & set(THRESHOLD_CHECKS.values())
    }
    return tuple(
        hold_back(action, f"{action.reason}; it stays here until it may start there", *start.checks)
        if action.of_files and (start := waiting.get(action.strategy))
        else action
        for action in actions
    )
