"""The stand-in for a runtime that cannot be asked: what it holds is unknown, never nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.model.errors import RuntimeFailed, SecretsError
from reconciler.model.plan import RunningStrategy
from reconciler.model.runtime_kinds import RuntimeFailureKind


class Locked:
    """A runtime whose credentials could not be opened. Every call but ``close`` raises why."""

    def __init__(self, runtime: str, error: SecretsError) -> None:
        self._runtime = runtime
        self._error = error

    async def read(self) -> Mapping[str, RunningStrategy]:
        """Nothing: raise :class:`RuntimeFailed`."""
        raise self._failed()

    async def enable(
        self, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        """Nothing: raise :class:`RuntimeFailed`."""
        del strategy, parameters, connection, token
        raise self._failed()

    async def change(
        self, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        """Nothing: raise :class:`RuntimeFailed`."""
        del strategy, parameters, connection, token
        raise self._failed()

    async def disable(self, strategy: str, *, token: int) -> None:
        """Nothing: raise :class:`RuntimeFailed`."""
        del strategy, token
        raise self._failed()

    async def close(self) -> None:
        """Nothing was opened."""

    def _failed(self) -> RuntimeFailed:
        return RuntimeFailed(
            f"{self._runtime} was not asked: {self._error}",
            kind=RuntimeFailureKind.LOCKED,
            untouched=True,
            hint=self._error.hint,
        )
