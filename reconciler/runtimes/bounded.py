"""A runtime that cannot keep anybody waiting, and one that nobody can reach."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from reconciler.model.desired import OnDisable
from reconciler.model.errors import ReconcilerError
from reconciler.model.plan import RunningStrategy
from reconciler.runtimes.interface import Runtime

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds: for one call to a runtime, and in which calls to one runtime are waited for in vain."""

    call: float = 10.0
    runtime: float = 60.0


LIMITS: Final = Limits()


class Bounded:
    """``runtime`` with calls that end in time; one that does not raises ``TimeoutError``.

    Once such calls have spent the time for all of them, each further one ends at once. What several wait for
    at the same time is spent once.
    """

    def __init__(self, runtime: Runtime, limits: Limits = LIMITS) -> None:
        self._runtime = runtime
        self._limits = limits
        self._spent = 0.0
        self._counted_to = 0.0

    async def read(self) -> Mapping[str, RunningStrategy]:
        """Everything that the runtime holds."""
        return await self._within(self._runtime.read())

    async def enable(
        self, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        """Start ``strategy`` on ``connection`` with ``parameters``."""
        await self._within(self._runtime.enable(strategy, parameters, connection=connection, token=token))

    async def change(
        self, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        """Give ``strategy`` new ``parameters`` and ``connection``."""
        await self._within(self._runtime.change(strategy, parameters, connection=connection, token=token))

    async def disable(self, strategy: str, *, token: int, how: OnDisable) -> None:
        """Disable ``strategy``."""
        await self._within(self._runtime.disable(strategy, token=token, how=how))

    async def close(self) -> None:
        """Let go of connections."""
        await self._within(self._runtime.close())

    async def _within(self, call: Awaitable[T]) -> T:
        begun = asyncio.get_running_loop().time()
        allowed = max(min(self._limits.call, self._limits.runtime - self._spent), 0)
        try:
            async with asyncio.timeout(allowed):
                return await call
        except TimeoutError:
            end = begun + allowed
            self._spent += max(end - max(begun, self._counted_to), 0)
            self._counted_to = max(end, self._counted_to)
            raise


class Closed:
    """A runtime on which nothing can be done, because of ``why``; ``reader`` tells what it holds, if any."""

    def __init__(self, why: ReconcilerError, reader: Runtime | None = None) -> None:
        self._why = why
        self._reader = reader

    async def read(self) -> Mapping[str, RunningStrategy]:
        """Everything that it holds, where that can be read."""
        if self._reader is None:
            raise self._why
        return await self._reader.read()

    async def enable(
        self,
        strategy: str,
        parameters: Mapping[str, Any],
        *,
        connection: str,
        token: int,
    ) -> None:
        """Raise why it cannot be."""
        del strategy, parameters, connection, token
        raise self._why

    async def change(
        self,
        strategy: str,
        parameters: Mapping[str, Any],
        *,
        connection: str,
        token: int,
    ) -> None:
        """Raise why it cannot be."""
        del strategy, parameters, connection, token
        raise self._why

    async def disable(self, strategy: str, *, token: int, how: OnDisable) -> None:
        """Raise why it cannot be."""
        del strategy, token, how
        raise self._why

    async def close(self) -> None:
        """Let go of what tells."""
        if self._reader is not None:
            await self._reader.close()
