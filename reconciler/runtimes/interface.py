"""The protocol behind which every runtime stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from reconciler.model.plan import RunningStrategy


class Runtime(Protocol):
    """One system that executes strategies. Only ``read`` may be called by a dry run.

    The acting methods are idempotent: enabling what is enabled on the same connection with the same
    parameters does nothing. ``connection`` is the id of the one whose key passed every check:
    ``strategy`` trades on it and on no other from then on. ``token`` is the fencing token of the
    applier's lease; a runtime that can compare it refuses an older one with
    :class:`reconciler.model.errors.LockHeld`. Each raises
    :class:`reconciler.model.errors.ReconcilerError` when the outcome is a known failure and may
    raise anything else when it is unknown: the engine reads back either way.
    """

    async def read(self) -> Mapping[str, RunningStrategy]:
        """Everything that the runtime holds, by strategy id, ours or not."""

    async def enable(
        self, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        """Start ``strategy`` on ``connection`` with ``parameters``."""

    async def change(
        self, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        """Give a running ``strategy`` new ``parameters``, another ``connection``, or both."""

    async def disable(self, strategy: str, *, token: int) -> None:
        """Stop ``strategy`` from opening anything; what it holds stays its own."""
