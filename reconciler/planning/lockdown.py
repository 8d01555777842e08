"""What an emergency stop means for a plan: nothing that it covers runs, whatever files and checks say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from reconciler.model.desired import Desired
from reconciler.model.memory import Lockdown
from reconciler.model.plan import Action, ActionKind
from reconciler.planning.hold import hold_back

#: The finding that says more.
CHECK = "lockdown"

_RUNS = frozenset({ActionKind.CHANGE, ActionKind.HOLD, ActionKind.NONE, ActionKind.UNKNOWN})


def covers(one: Lockdown, connection: str | None, desired: Desired) -> bool:
    """Whether ``one`` is about this connection; one that the files no longer name is of every exchange."""
    found = desired.connections.get(connection or "")
    return one.covers(connection, found.exchange if found else None)


def locked_down(
    action: Action, lockdowns: Iterable[Lockdown], desired: Desired, *, runs_on: str | None
) -> Action:
    """``action``, or what an emergency stop makes of it.

    ``runs_on`` is the connection on which the strategy runs, or may; ``None`` where it surely does not.
    """
    connections = {action.connection, runs_on or action.connection}
    found = next((one for one in lockdowns if any(covers(one, name, desired) for name in connections)), None)
    if found is None or action.kind is ActionKind.UNMANAGED:
        return action
    why = f"{found} is in force since {found.since:%Y-%m-%dT%H:%M:%SZ}: {' '.join(found.reason.split())}"
    if action.kind is ActionKind.DISABLE:
        return replace(action, checks=(*action.checks, CHECK))  # then it waits for no approval
    if runs_on is not None and action.kind in _RUNS:
        return replace(action, kind=ActionKind.DISABLE, reason=why, checks=(CHECK,), before=None, after=None)
    return hold_back(action, why, CHECK) if action.kind is ActionKind.ENABLE else action
