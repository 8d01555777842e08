"""The right to apply: taken, waited for where that was asked for, and kept while it is used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from reconciler.engine.settings import Settings
from reconciler.model.errors import LockHeld

if TYPE_CHECKING:
    from reconciler.state.lease import Lease
    from reconciler.state.store import Store

#: Seconds between two attempts: at first short, as most applies are, and never so long that a lock
#: that was given back lies idle for more than a quarter of a minute.
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 16.0


@asynccontextmanager
async def held(store: Store, settings: Settings, *, by_force: bool = False) -> AsyncIterator[Lease]:
    """The lease for as long as the block runs, renewed in the background.

    Raise ``LockHeld`` when another process still holds it after ``settings.lock_timeout`` seconds;
    ``by_force`` takes it then, and says from whom.
    """
    with ExitStack() as stack:
        lease = await _entered(stack, store, settings, by_force=by_force)
        keeping = asyncio.create_task(lease.keep())
        try:
            yield lease
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping


async def _entered(stack: ExitStack, store: Store, settings: Settings, *, by_force: bool) -> Lease:
    """The lease once it can be had.

    Time is counted in pauses, not read from a clock, which may be set while this waits.
    """
    left, pause, told = settings.lock_timeout, _FIRST_PAUSE, ""
    while True:
        try:
            return stack.enter_context(store.lease(clock=settings.lease_clock))
        except LockHeld as error:
            if left <= 0 and by_force:
                if settings.notice:
                    settings.notice(
                        f"taking the lock by force from {error.holder}, which starts nothing more"
                    )
                return stack.enter_context(store.lease(clock=settings.lease_clock, by_force=True))
            if left <= 0:
                raise
            told = _tell(settings, error, told)
        pause_now = min(pause, left)
        await settings.sleep(pause_now)
        left, pause = left - pause_now, min(pause * 2, _LONGEST_PAUSE)


def _tell(settings: Settings, error: LockHeld, told: str) -> str:
    """Say who holds it, once for each holder; gives whom it was said of."""
    if settings.notice and error.holder != told:
        settings.notice(
            f"waiting for the lock, at most {settings.lock_timeout:g} s: held by {error.holder} "
            f"(reconcile unlock {error.lock_id})"
        )
    return error.holder
