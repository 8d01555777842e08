"""A shared budget of requests: one leaky bucket for each exchange behind each egress."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from reconciler.exchanges.interface import Budget

#: Seconds that no clock can tell from none; below them, rounding would wait for ever.
_NOTHING: Final = 1e-6


class BudgetSpent(Exception):
    """The exchange asked for a pause of ``seconds``, longer than anybody here is ready to wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__("paused by the exchange")
        self.seconds = seconds


class Bucket:
    """Paces requests in the order in which they came, and holds all of them during a ban.

    It drains ``units / seconds`` of weight a second and holds ``burst``. ccxt's own throttle is
    per instance, so it cannot protect an address that many keys share.
    """

    def __init__(
        self,
        budget: Budget,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        patience: float = 20.0,
    ) -> None:
        self._rate = budget.units / budget.seconds
        self._burst = budget.burst
        self._clock = clock
        self._sleep = sleep
        self._patience = patience
        self._level = 0.0
        self._seen = clock()
        self._paused_until = float("-inf")
        self._turn = asyncio.Lock()

    async def take(self, weight: float) -> None:
        """Wait until ``weight`` may be spent, after everyone who asked before.

        Raises:
            BudgetSpent: a pause is longer than ``patience``; nothing was spent.
        """
        async with self._turn:  # asyncio's lock is first come, first served
            while (wait := self._wait(weight)) > _NOTHING:
                await self._sleep(wait)
            self._level += weight

    def penalise(self, seconds: float) -> None:
        """Let nobody through for ``seconds`` from now; a shorter pause never shortens a longer one."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def _wait(self, weight: float) -> float:
        now = self._clock()
        self._level = max(0.0, self._level - (now - self._seen) * self._rate)
        self._seen = now
        pause = self._paused_until - now
        if pause > self._patience:
            raise BudgetSpent(pause)
        # What weighs more than the bucket holds passes when the bucket is empty.
        over = self._level + min(weight, self._burst) - self._burst
        return max(pause, over / self._rate)
