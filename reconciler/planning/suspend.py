"""What a suspension holds: starts and changes. Stops, for safety or by git, it lets through."""

from __future__ import annotations

from datetime import UTC, datetime

from reconciler.model.desired import Desired, Strategy, Suspension
from reconciler.model.plan import Action, ActionKind
from reconciler.planning.hold import hold_back

#: The findings that say more.
IN_FORCE = "suspended"
OVER = "suspension-expired"


def over(suspension: Suspension, now: datetime) -> bool:
    """Whether the end of its last day (UTC) has passed. It still holds then."""
    return now.astimezone(UTC).date() > suspension.until


def suspended(action: Action, desired: Desired, now: datetime) -> Action:
    """``action``, or the strategy left as it is where something suspends it: told even where it runs well."""
    strategy = desired.strategies.get(action.strategy)
    if strategy is None or strategy.runtime != action.runtime or not _concerned(action, strategy):
        return action
    found = sorted(desired.suspensions_of(strategy), key=lambda one: (not over(one, now), one.until))
    if not found:
        return action
    first = found[0]  # one that is over says more than one that is not
    kept = "not started" if action.kind is ActionKind.ENABLE else "left as it runs"
    if over(first, now):
        why = f"the suspension of {first.subject} ended on {first.until} and nobody removed or renewed it"
        return hold_back(action, f"{why}: {kept}", OVER)
    return hold_back(action, f"{first.subject} is suspended until {first.until}: {kept}", IN_FORCE)


def _concerned(action: Action, strategy: Strategy) -> bool:
    """What starts, changes or runs as git says. A stop is not held, and what is held already stays so."""
    runs = action.kind is ActionKind.NONE and strategy.enabled
    return runs or action.kind in (ActionKind.ENABLE, ActionKind.CHANGE)
