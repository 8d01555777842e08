"""What an emergency stop means for a plan: nothing that it covers runs, whatever files and checks say."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, TypeAlias

from reconciler.model.memory import Lockdown
from reconciler.model.plan import Action, ActionKind
from reconciler.planning.hold import hold_back

#: The finding that says more.
CHECK: Final = "lockdown"

ExchangeOf: TypeAlias = Callable[[str], str | None]
"""Gives the exchange of a connection by its id, ``None`` where nobody knows it any more."""

_RUNS: Final = frozenset({ActionKind.CHANGE, ActionKind.HOLD, ActionKind.NONE, ActionKind.UNKNOWN})
_STARTS: Final = frozenset({ActionKind.ENABLE, ActionKind.CHANGE})


def covering(
    lockdowns: Iterable[Lockdown], connection: str | None, exchange_of: ExchangeOf
) -> Lockdown | None:
    """The first lockdown that is about this connection; each is about one that nobody can name."""
    exchange = exchange_of(connection) if connection else None
    return next((one for one in lockdowns if not connection or one.covers(connection, exchange)), None)


def locked_down(
    action: Action, lockdowns: Iterable[Lockdown], exchange_of: ExchangeOf, *, runs_on: str | None
) -> Action:
    """``action``, or what an emergency stop makes of it.

    What counts is the connection that the strategy runs on, or may: ``runs_on``, empty where nobody
    knows which, ``None`` where it surely does not run. One that runs on another goes on there, and only
    may not move.
    """
    if action.kind is ActionKind.UNMANAGED:
        return action
    declared = tuple(lockdowns)
    found = covering(declared, action.connection if runs_on is None else runs_on, exchange_of)
    if found is not None and action.kind is ActionKind.DISABLE:
        return replace(action, checks=(*action.checks, CHECK))  # then it waits for no approval
    if found is not None and runs_on is not None and action.kind in _RUNS:
        kind = ActionKind.DISABLE
        return replace(action, kind=kind, reason=_why(found), checks=(CHECK,), before=None, after=None)
    if action.kind in _STARTS:
        found = found or covering(declared, action.connection, exchange_of)
        return action if found is None else hold_back(action, _why(found), CHECK)
    return action


def _why(one: Lockdown) -> str:
    return f"{one} is in force since {one.since:%Y-%m-%dT%H:%M:%SZ}: {' '.join(one.reason.split())}"
