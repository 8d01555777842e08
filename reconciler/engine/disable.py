"""Telling a runtime to disable: as planned, unless safety or what is open right now asks for another way."""

from __future__ import annotations

import asyncio
from typing import Final

from reconciler.model.desired import OnDisable
from reconciler.model.errors import RuntimeFailed
from reconciler.model.plan import Action
from reconciler.model.runtime_kinds import RuntimeFailureKind
from reconciler.planning.disabling import open_positions
from reconciler.runtimes.interface import READ_SECONDS, Runtime

#: What a runtime, or a proxy before it, says of a request that it surely did not follow.
_CANNOT: Final = (
    RuntimeFailureKind.REFUSED,
    RuntimeFailureKind.WRONG_VERSION,
    RuntimeFailureKind.UNAUTHORISED,
)


#: What somebody has to know who read in the plan that entries stop, and that the rest is managed on.
_ALTOGETHER: Final = (
    "its runtime would not stop entries alone, so it was told to stop altogether: nobody manages what stays "
    "open"
)


async def disable(runtime: Runtime, action: Action, *, token: int) -> str:
    """Disable it as planned; in words what was done instead, where something was.

    A stop for safety that cannot be of entries alone is one altogether.
    """
    how = await _how_now(runtime, action)
    try:
        await runtime.disable(action.strategy, token=token, how=how)
    except RuntimeFailed as error:
        cannot = error.untouched and error.kind in _CANNOT
        if how is OnDisable.STOP or not action.checks or not cannot:
            raise
        await runtime.disable(action.strategy, token=token, how=OnDisable.STOP)
        return _ALTOGETHER
    return ""


async def _how_now(runtime: Runtime, action: Action) -> OnDisable:
    """What to tell the runtime: what must be closed first is stopped only where nothing is open right now.

    Only what the plan found to hold nothing is looked at again, so that no other stop waits for a look.
    """
    if action.how is not OnDisable.CLOSE_FIRST_MANUAL:
        return action.how or OnDisable.STOP
    if action.open_positions != ():
        return OnDisable.STOP_ENTRIES
    try:
        async with asyncio.timeout(READ_SECONDS):
            held = open_positions((await runtime.read()).get(action.strategy))
    except Exception:  # noqa: BLE001 - a runtime may raise anything; then nobody knows what is open
        held = None
    return OnDisable.STOP if held == () else OnDisable.STOP_ENTRIES
