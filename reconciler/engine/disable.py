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

    What is to be closed first has its entries stopped at once. Only then it is looked at, since one that
    opens positions could do so between a look and a stop.
    """
    if action.how is not OnDisable.CLOSE_FIRST_MANUAL:
        return await _told(runtime, action, action.how or OnDisable.STOP, token)
    told = "" if action.paused else await _told(runtime, action, OnDisable.STOP_ENTRIES, token)
    if not told and action.open_positions == () and await _holds_nothing(runtime, action.strategy):
        await runtime.disable(action.strategy, token=token, how=OnDisable.STOP)
    return told


async def _told(runtime: Runtime, action: Action, how: OnDisable, token: int) -> str:
    """Tell it ``how``. A stop for safety that cannot be of entries alone is one altogether."""
    try:
        await runtime.disable(action.strategy, token=token, how=how)
    except RuntimeFailed as error:
        cannot = error.untouched and error.kind in _CANNOT
        if how is OnDisable.STOP or not action.checks or not cannot:
            raise
        await runtime.disable(action.strategy, token=token, how=OnDisable.STOP)
        return _ALTOGETHER
    return ""


async def _holds_nothing(runtime: Runtime, strategy: str) -> bool:
    """Whether the runtime says right now that nothing is open. Only what the plan found empty is asked."""
    try:
        async with asyncio.timeout(READ_SECONDS):
            return open_positions((await runtime.read()).get(strategy)) == ()
    except Exception:  # noqa: BLE001 - a runtime may raise anything; then nobody knows what is open
        return False
