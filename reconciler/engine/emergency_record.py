"""Recording in an emergency: wherever it can be, and never in the way of a stop.

Only stops go through it. One that is done without a record does no harm when it is done twice, and the
next pass finds out by looking what became of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from reconciler.model.errors import StateError
from reconciler.model.event import Event
from reconciler.model.plan import Action, InventoryItem, Outcome
from reconciler.state.records import Intent

if TYPE_CHECKING:
    from reconciler.state.lease import Lease
    from reconciler.state.store import Store


class Unfailing:
    """The journal of an emergency: it records where it can, and lets the stop happen where it cannot."""

    def __init__(self, store: Store | None) -> None:
        self._store = store

    def intend(
        self, action: Action, *, token: int, at: datetime, pass_id: int | None, lockdowns: frozenset[int]
    ) -> Intent:
        """Record the intent, or give one that is not recorded. Raise ``LockHeld`` under an older token."""
        if self._store is not None:
            with contextlib.suppress(StateError):
                return self._store.intend(action, token=token, at=at, pass_id=pass_id, lockdowns=lockdowns)
        return Intent(id=0, token=token, action=action, intended_at=at)

    def conclude(
        self,
        intent: Intent,
        outcome: Outcome,
        *,
        token: int,
        at: datetime,
        keep: InventoryItem | None,
        drop: bool,
        events: Iterable[Event],
    ) -> None:
        """Record what became of it. What cannot be recorded the next pass finds out by looking."""
        if self._store is not None and intent.id:
            with contextlib.suppress(StateError):
                self._store.conclude(intent, outcome, token=token, at=at, keep=keep, drop=drop, events=events)

    def inventory(self) -> Mapping[str, InventoryItem]:
        """Nothing: no stop asks for it."""
        return {}


class Unhindered:
    """The right to act: that of the lease, and none but a newer holder of it stands in the way."""

    def __init__(self, lease: Lease | None, token: int) -> None:
        self._lease = lease
        self._token = lease.token if lease else token

    @property
    def token(self) -> int:
        """That of the lease; the newest that was issued where there is none."""
        return self._token

    def check(self) -> None:
        """Return unless another holder came. A state that does not answer is no reason to wait."""
        if self._lease is not None:
            with contextlib.suppress(StateError):
                self._lease.check()
