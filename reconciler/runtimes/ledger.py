"""The embedded runtime: a table in the state store. What it holds is all that it executes.

It stands for a runtime in the demo, in tests, and wherever bots ask this tool whether they may run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from reconciler.model.desired import OnDisable
from reconciler.model.errors import ReconcilerError, WriteRefused
from reconciler.model.plan import RunningStrategy


class LedgerRows(Protocol):
    """A state that can be read: :class:`reconciler.state.store.ReadState`."""

    def ledger_rows(self, runtime: str) -> Mapping[str, RunningStrategy]:
        """What the runtime with this id holds, by strategy."""


@runtime_checkable
class LedgerStore(LedgerRows, Protocol):
    """A state that can be written: :class:`reconciler.state.store.Store`.

    Each method raises :class:`reconciler.model.errors.LockHeld` under an older token.
    """

    def ledger_enable(
        self, runtime: str, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        """Have ``strategy`` run on ``connection`` with ``parameters``."""

    def ledger_change(
        self, runtime: str, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> bool:
        """Give ``strategy`` new ``parameters`` and ``connection``; ``False`` when it does not run."""

    def ledger_disable(self, runtime: str, strategy: str, *, token: int) -> None:
        """Have ``strategy`` stopped."""


class Ledger:
    """One ledger. Idempotent; an older fencing token is refused with ``LockHeld``.

    Over a state that can only be read, as a dry run has it, acting raises :class:`WriteRefused`.
    """

    def __init__(self, runtime: str, state: LedgerRows) -> None:
        self._runtime = runtime
        self._state = state

    async def read(self) -> Mapping[str, RunningStrategy]:
        """Everything that the ledger holds, by strategy id."""
        return self._state.ledger_rows(self._runtime)

    async def enable(
        self, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        """Have ``strategy`` run on ``connection`` with ``parameters``."""
        self._store().ledger_enable(self._runtime, strategy, parameters, connection=connection, token=token)

    async def change(
        self, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        """Give ``strategy`` new ``parameters`` and ``connection``.

        Raise :class:`ReconcilerError` when it does not run.
        """
        store = self._store()
        if not store.ledger_change(self._runtime, strategy, parameters, connection=connection, token=token):
            raise ReconcilerError(
                f"{strategy} does not run on {self._runtime}, so its settings cannot change",
                hint="plan again: it was disabled since this plan was made",
            )

    async def disable(self, strategy: str, *, token: int, how: OnDisable) -> None:
        """Have ``strategy`` stopped, whatever ``how``: a row holds nothing."""
        del how
        self._store().ledger_disable(self._runtime, strategy, token=token)

    async def close(self) -> None:
        """Nothing: the state belongs to the pass."""

    def _store(self) -> LedgerStore:
        if isinstance(self._state, LedgerStore):
            return self._state
        raise WriteRefused(
            f"a dry run tried to act on the runtime {self._runtime}",
            hint="this is a defect of reconciler: please report it",
        )
